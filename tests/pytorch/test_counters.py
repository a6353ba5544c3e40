"""The counters of the extra 'counters', run over every kind of network: exact, as torch's are.

Each is skipped only where it is not installed.
"""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import networks

import resnet_inspect as ri
from resnet_inspect.counting.conventions import CONVENTIONS, count
from resnet_inspect.errors import ShapeError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import ACTIVATIONS
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.pytorch import counters

OTHERS = [t for t in counters.TOOLS if t.package not in ("torch", "torchinfo", "fvcore")]

pytestmark = [
    pytest.mark.counters,
    pytest.mark.usefixtures("timm"),  # ptflops and calflops import torchvision and timm
]


@pytest.fixture(params=OTHERS, ids=lambda tool: tool.package)
def tool(request: pytest.FixtureRequest) -> counters.Tool:
    found: counters.Tool = request.param
    if not found.installed:
        pytest.skip(f"{found.package} is not installed")
    return found


def check(tool: counters.Tool, graph: LayerGraph, batch: int = 1) -> None:
    for name, report in counters.run(tool, graph, batch).items():
        assert report.failure == ""
        assert (name, report.total) == (name, count(graph, CONVENTIONS[name], batch))


NETWORKS = {
    "basic": ri.graph("resnet18", (3, 33, 33)),
    "bottleneck": ri.graph("resnet26", (3, 33, 33)),
    "stride in the 1x1, biased stem": ri.graph("resnet50_v1", (3, 33, 33)),
    "wide": ri.graph("wide_resnet50_2", (3, 33, 33)),
    "groups": ri.graph("resnext50_32x4d", (3, 33, 33)),
    "average pools": ri.graph("resnet26d", (3, 40, 56)),
    "squeeze-and-excitation": ri.graph("seresnext26t_32x4d", (3, 33, 33)),
    "pre-activation": ri.graph("resnetv2_18d", (3, 33, 33)),
    "padding": ri.graph("resnet20_cifar"),
    "plain": ri.graph("plain20_cifar"),
    "biased everywhere": ri.graph("resnet18_d2l", (1, 33, 33)),
    "a projection in every block": ri.graph("resnet18", (3, 33, 33), shortcut="C"),
    "paths that softmax weighs": ri.graph("skresnet18", (3, 33, 33)),
    "parts that softmax weighs": ri.graph("resnest14d", (3, 64, 64)),
    "self-attention": ri.graph("halonet26t"),
    "global context": ri.graph("gcresnet33ts", (3, 64, 64)),
    "norms over groups": ri.graph("resnet50_gn", (3, 33, 33)),
    "standardized weights": ri.graph("resnetv2_50x1_bit", (3, 64, 64)),
    "standardized weights with a gain": ri.graph("nf_resnet50", (3, 64, 64)),
}


@pytest.mark.parametrize("graph", NETWORKS.values(), ids=NETWORKS)
def test_every_kind_of_network(tool: counters.Tool, graph: LayerGraph) -> None:
    check(tool, graph)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(tool: counters.Tool, activation: str) -> None:
    check(tool, ri.graph("resnet18", (3, 33, 33), activation=activation, se_reduction=16))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_at_full_size(tool: counters.Tool, name: str) -> None:
    check(tool, ri.graph(name))


@settings(max_examples=10)
@given(networks(largest=40), st.integers(1, 3))
def test_any_network_and_batch(made: tuple[ResNetSpec, Shape], batch: int) -> None:
    try:
        graph = layer_graph(*made)
    except ShapeError:
        return
    for tool in OTHERS:
        if tool.installed:
            check(tool, graph, batch)


def test_they_leave_torch_as_it_was(tool: counters.Tool, timm: ModuleType) -> None:
    graph = ri.graph("resnet20_cifar")
    counters.run(tool, graph)  # what importing it changes is its own affair
    places = (torch, torch.nn.functional, torch.Tensor)
    before = [dict(vars(place)) for place in places]
    check(tool, graph)
    assert [dict(vars(place)) for place in places] == before
    check(tool, graph)
