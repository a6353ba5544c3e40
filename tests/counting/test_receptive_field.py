"""Receptive fields against what autograd finds.

In a network whose every weight and value is positive nothing cancels, so the gradient of a position
is nonzero exactly at the pixels that it sees.
"""

from __future__ import annotations

import flat
import pytest
import torch
from hypothesis import assume, given, settings
from strategies import networks
from torch import Tensor, fx, nn

from resnet_inspect.counting.field import Field, ReceptiveField
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Pair, Shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.pytorch.assemble import assemble

SMALL = 0.01
"""Input values: no activation of the family is flat so near 0, on the positive side."""


def positive(graph: LayerGraph) -> fx.GraphModule:
    """The network in float64 with averages for weights, batch norm and max pooling."""
    model = flat.flattened(assemble(graph).double().eval())
    for name, part in list(model.named_modules()):
        if isinstance(part, nn.BatchNorm2d):
            model.set_submodule(name, nn.Identity())
        elif isinstance(part, nn.MaxPool2d):  # the maximum's gradient sees one pixel only
            geometry = part.kernel_size, part.stride, part.padding, part.ceil_mode
            model.set_submodule(name, nn.AvgPool2d(*geometry))
        elif isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.constant_(part.weight, 1 / part.weight[0].numel())
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif hasattr(part, "inplace"):  # every layer's output is wanted
            part.inplace = False
    return model


def seen(result: Tensor, at: Pair, pixels: Tensor) -> tuple[Pair, Pair]:
    """First and last row, and first and last column, that a position's gradient reaches."""
    value = result[0, :, at[0], at[1]].sum() if result.dim() == 4 else result.sum()
    (gradient,) = torch.autograd.grad(value, pixels, retain_graph=True)
    touched = (gradient[0] != 0).any(dim=0)
    rows, columns = (touched.any(dim=axis).nonzero().flatten().tolist() for axis in (1, 0))
    return (rows[0], rows[-1]), (columns[0], columns[-1])


def check(field: Field, position: int, found: Pair, pixels: int) -> bool:
    """Hold a field to what was found along one axis; True where it lies inside the input.

    An end that lies inside the input is met exactly. An end beyond it is cut off, and not always
    at the edge: windows that stride past their own width (1x1 with stride 2) and the last rows
    that no window reaches leave pixels unseen.
    """
    if field.spans:  # an adaptive pool's windows differ
        first, last = field.span(position)
    else:
        first = field.start + position * field.stride
        last = first + field.size - 1
    assert max(first, 0) <= found[0] <= found[1] <= min(last, pixels - 1)
    if first >= 0:
        assert found[0] == first
    if last < pixels:
        assert found[1] == last
    return first >= 0 and last < pixels


def positions(shape: Shape) -> set[Pair]:
    """The corners and the middle of a layer's output."""
    if len(shape) != 3:
        return {(0, 0)}
    _, height, width = shape
    return {(0, 0), (height // 2, width // 2), (height - 1, width - 1)}


def check_layers(graph: LayerGraph, names: list[str]) -> list[bool]:
    """Hold layers to autograd; for each position and axis whether its field lay inside."""
    model = positive(graph)
    pixels = torch.full((1, *graph.input_shape), SMALL, dtype=torch.float64, requires_grad=True)
    results = dict(zip(graph.by_name, flat.outputs(model, pixels), strict=True))
    fields = receptive_fields(graph)
    inside = []
    for name in names:
        field = fields[name]
        assert field is not None
        for at in positions(graph.layer(name).output_shape):
            rows, columns = seen(results[name], at, pixels)
            _, height, width = graph.input_shape
            inside.append(check(field.height, at[0], rows, height))
            inside.append(check(field.width, at[1], columns, width))
    return inside


@settings(max_examples=30)
@given(networks(largest=110, widest=4))
def test_every_layer_sees_what_autograd_finds(network: tuple[ResNetSpec, Shape]) -> None:
    # Between equal paths, and equal positions, softmax has no gradient; group norm needs more than
    # a pixel; equal weights are standardized to nothing.
    assume(network[0].attention in ("none", "se", "eca") and network[0].norm in ("batch", "none"))
    assume(network[0].convolution == "plain" and network[0].head != "attention")
    assume(not network[0].self_attention)
    graph = layer_graph(*network)
    # A corner of what is padded sees nothing.
    check_layers(graph, [layer.name for layer in graph.layers if layer.op.kind != "Pad"])


@pytest.mark.parametrize(
    ("model", "size"), [("resnet18", 435), ("resnet34", 899), ("resnet50", 427)]
)
def test_known_networks_see_what_autograd_finds(model: str, size: int) -> None:
    # Widths do not matter to a receptive field, and narrow networks run quickly.
    spec = zoo.spec(model).with_changes({"widths": (1, 1, 1, 1), "stem_width": 1})
    graph = layer_graph(spec, (3, size + 33, size + 64))
    ends = [stage.output.name for stage in graph.stages[1:-1]]
    field = receptive_fields(graph)[ends[-1]]
    assert field is not None
    assert field.size == (size, size)
    assert field.stride == (32, 32)
    assert any(check_layers(graph, ends)[-6:])  # one position at least lies inside


def test_the_field_of_the_zoo_s_widths_is_that_of_narrow_ones() -> None:
    for model, size in [("resnet18", 435), ("resnet34", 899), ("resnet50", 427)]:
        graph = layer_graph(zoo.spec(model))
        field = receptive_fields(graph)[graph.stages[-2].output.name]
        assert field is not None
        assert field.size == (size, size)


def _square(side: Field) -> ReceptiveField:
    return ReceptiveField((side, side), (1, 2))


def test_a_residual_block_sees_the_wider_of_its_branches() -> None:
    graph = layer_graph(zoo.spec("resnet18"))
    fields = receptive_fields(graph)
    # conv1: 7 pixels; max pool: 3 positions of stride 2; then 2 more of stride 4 for each 3x3.
    assert fields["conv1"] == _square(Field(7, 2, -3))
    assert fields["maxpool"] == _square(Field(11, 4, -5))
    assert fields["layer1.0.add"] == _square(Field(27, 4, -13))
    # The projection alone sees what enters the block.
    projection = fields["layer2.0.downsample.1"]
    assert projection == _square(Field(43, 8, -21))
    assert fields["layer2.0.add"] == fields["layer2.0.conv2"]


def test_the_centre_of_a_symmetric_field_is_where_its_window_stands() -> None:
    field = receptive_fields(layer_graph(zoo.spec("resnet50")))["conv1"]
    assert field is not None
    assert field.centre == (0.0, 0.0)
    assert field.padding == (3, 3)


def test_a_gate_sees_everything_and_so_does_what_it_scales() -> None:
    graph = layer_graph(zoo.spec("seresnet18"), (3, 32, 64))
    fields = receptive_fields(graph)
    gate, scaled = fields["layer1.0.se.gate"], fields["layer1.0.se.scale"]
    assert gate is not None
    # 8x16 positions of layer1, each 27 wide and 4 apart: 27 + 7 * 4 and 27 + 15 * 4.
    assert (gate.size, gate.stride) == ((55, 87), (0, 0))
    assert scaled == gate


def test_branches_that_meet_see_the_hull_of_both() -> None:
    here, left = Field(3, 2, 0), Field(4, 2, -2)
    assert here.joined(left, 5) == left.joined(here, 5) == Field(5, 2, -2)
    # A branch that sees the same wherever it stands: the hull of all five positions.
    fixed = Field(7, 0, -1)
    assert here.joined(fixed, 5) == fixed.joined(here, 5) == Field(12, 0, -1)
