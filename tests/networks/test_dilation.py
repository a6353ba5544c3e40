"""Stages that dilate instead of striding, and padding as TensorFlow has it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from types import ModuleType
from typing import Any

import pytest
import torch
from randomised import Undrawn, randomise
from torch import Tensor

import resnet_inspect as ri
from resnet_inspect.networks.ops import Conv2d


def _same_outputs(name: str, make: Callable[[], torch.nn.Module], **changes: Any) -> None:
    with Undrawn():
        theirs, model = make().eval(), ri.build(name, **changes).eval()
    randomise(theirs)
    model.load_state_dict(theirs.state_dict())
    image = torch.randn(1, 3, 65, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model(image), theirs(image))


@pytest.mark.parametrize("replaced", list(product([False, True], repeat=3)))
def test_every_setting_of_torchvision(torchvision: ModuleType, replaced: tuple[bool, ...]) -> None:
    strides, dilations, dilation = [1], [1], 1
    for dilates in replaced:
        dilation *= 2 if dilates else 1
        strides.append(1 if dilates else 2)
        dilations.append(dilation)
    make = partial(torchvision.models.resnet50, replace_stride_with_dilation=list(replaced))
    _same_outputs("resnet50", make, strides=tuple(strides), dilations=tuple(dilations))


def test_macs_of_output_strides() -> None:
    assert ri.cost("resnet50[output_stride=8]").macs == 19079364608
    assert ri.cost("resnet50[output_stride=16]").macs == 6208618496
    assert ri.cost("resnet50[output_stride=32]") == ri.cost("resnet50")
    explicit = ri.spec("resnet50", strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    assert ri.graph(explicit) == ri.graph("resnet50", output_stride=8)


@pytest.mark.parametrize("name", ["resnet18", "seresnet50", "resnext50_32x4d", "resnet50d"])
@pytest.mark.parametrize("stride", [8, 16])
def test_timms_output_strides(timm: ModuleType, name: str, stride: int) -> None:
    make = partial(timm.create_model, name, output_stride=stride)
    _same_outputs(name, make, output_stride=stride)


def test_multi_grid_multiplies_the_last_stages_dilation() -> None:
    graph = ri.graph("resnet50", output_stride=16, multi_grid=(1, 2, 4))
    rates = [graph.layer(f"layer4.{block}.conv2").op.dilation for block in range(3)]
    assert rates == [(2, 2), (4, 4), (8, 8)]  # Chen et al. 2017, section 3.2
    assert graph.output.output_shape == (1000,)


@pytest.mark.parametrize(
    "changes",
    [{"output_stride": 8}, {"output_stride": 16, "multi_grid": (1, 2)}, {"padding": "same"}],
)
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet50d", "resnetv2_50"])
def test_what_is_built_is_what_is_described(name: str, changes: dict[str, Any]) -> None:
    graph = ri.graph(name, (3, 65, 64), blocks=(2, 2, 2, 2), **changes)
    traced = ri.trace(ri.build(graph, device="meta"), graph.input_shape)
    assert traced == graph
    assert ri.cost(traced) == ri.cost(graph)


@pytest.mark.parametrize("side", [32, 33, 34, 35])
def test_same_padding_is_tensorflows(timm: ModuleType, side: int) -> None:
    from timm.layers.padding import pad_same

    graph = ri.graph("resnet18", (3, side, side), padding="same", classes=3)
    ours = ri.build(graph).eval()
    plain = ri.build("resnet18", classes=3).eval()
    plain.load_state_dict(ours.state_dict())

    def padded(module: torch.nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        pools = isinstance(module, torch.nn.MaxPool2d)
        module.padding = (0, 0) if not pools else 0
        value = float("-inf") if pools else 0.0
        kernel = (module.kernel_size,) * 2 if pools else module.kernel_size
        stride = (module.stride,) * 2 if pools else module.stride
        return (pad_same(inputs[0], kernel, stride, value=value),)

    for module in plain.modules():
        strided = getattr(module, "stride", 1) in (2, (2, 2))
        if strided and getattr(module, "kernel_size", 1) not in (1, (1, 1)):
            if isinstance(module, torch.nn.MaxPool2d):
                module.kernel_size, module.stride = 3, 2
            module.register_forward_pre_hook(padded)
    image = torch.randn(2, 3, side, side)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), plain(image))
    features = [layer.output_shape[1] for layer in graph.layers if isinstance(layer.op, Conv2d)]
    assert features[-1] == -(-side // 32)  # as many as strides begin


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"output_stride": 2}, "leave strides of 4, 8, 16, 32"),
        ({"output_stride": 8, "dilations": (1, 1, 2, 4)}, "give one"),
        ({"dilations": (1, 2)}, "one for each stage"),
        ({"output_stride": 8, "block": "conv"}, "block"),
        ({"padding": "valid"}, "unknown padding 'valid'"),
    ],
)
def test_what_cannot_dilate(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ri.InspectError, match=words):
        ri.spec("resnet50", **changes)


@pytest.mark.parametrize("name", ["nfnet_f0", "gernet_l"])
@pytest.mark.parametrize(
    "changes", [{"output_stride": 8}, {"output_stride": 16, "multi_grid": (1, 2)}]
)
def test_a_stage_that_strode_keeps_its_projection(name: str, changes: dict[str, Any]) -> None:
    """Also where its channels stay the same, so that weights keep their places."""
    dilated, plain = ri.graph(name, **changes), ri.graph(name)
    held = [{layer.path for layer in graph.layers if layer.op.params} for graph in (dilated, plain)]
    assert held[0] == held[1]
    assert ri.cost(dilated).params == ri.cost(plain).params


def test_timms_dilated_nfnets_have_the_same_weights(timm: ModuleType) -> None:
    with torch.device("meta"):
        theirs = timm.create_model("nfnet_f0", output_stride=8)
    converted = ri.weights.convert(theirs.state_dict(), "nfnet_f0", output_stride=8)
    assert not converted.dropped
    assert not converted.new
