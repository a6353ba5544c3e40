"""The order of channels that a forecast takes for a compiled network is what Inductor decides."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from torch._inductor.graph import GraphLowering
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

import resnet_inspect as ri
from resnet_inspect.forecasting.inductor import chooses_channels_last
from resnet_inspect.networks import zoo

CHOICES = {
    "resnet50": (True, True),
    "ecaresnet50t": (True, True),  # convolves a row of channels
    "resnext50_32x4d": (True, False),  # groups take a small share of the MACs
    "regnety_016": (True, False),
    "regnetx_032": (False, False),
    "resnest50d": (False, False),
    "regnetz_c16": (False, False),
    "regnetz_d8": (True, False),
    "resnet20_cifar": (True, False),  # all narrow
}
"""Whether channels come last in inference, and in training."""


def decided(name: str) -> tuple[bool, bool]:
    """What Inductor decides on a device that is no processor."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        image = torch.empty(2, *ri.graph(name).input_shape)
        traced = make_fx(ri.build(name).eval())(image)
        # without oneDNN, which always has them last, it decides as on a GPU
        with patch("torch.backends.mkldnn.is_available", return_value=False):
            infer, train = (
                GraphLowering.decide_layout_opt(traced, is_inference=inference)
                for inference in (True, False)
            )
    return infer, train


@pytest.mark.parametrize("name", CHOICES)
def test_channels_are_put_where_inductor_puts_them(name: str) -> None:
    graph = ri.graph(name)
    found = chooses_channels_last(graph), chooses_channels_last(graph, train=True)
    assert found == decided(name) == CHOICES[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(zoo.ZOO))
def test_channels_of_every_network_are_put_where_inductor_puts_them(name: str) -> None:
    graph = ri.graph(name)
    assert (chooses_channels_last(graph), chooses_channels_last(graph, train=True)) == decided(name)
