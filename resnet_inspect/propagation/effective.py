"""What a unit really sees at initialisation: its effective receptive field.

The expected square of the gradient of one unit with respect to each input pixel (Luo et al. 2016,
arXiv 1701.04128), for random weights: along every path a chain of box filters, added
up over all paths, with what falls on padding lost at each border.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import prod

from resnet_inspect.counting.field import Field, ReceptiveField
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.errors import InspectError
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph, once
from resnet_inspect.networks.shapes import Pair
from resnet_inspect.propagation.backward import gradients
from resnet_inspect.propagation.flows import start, whole
from resnet_inspect.propagation.maps import Map, radius_of, single, times
from resnet_inspect.propagation.signal import forth, initial_of
from resnet_inspect.propagation.small import is_small

HELD = 0.95
"""The share of the field that its radius holds."""


_WITHOUT = ops.Conv2d, ops.BatchNorm2d, ops.Activation, ops.MaxPool2d, ops.Add, ops.ZeroPad
"""What carries along what inputs have in common, and asks for it nowhere."""


@dataclass(frozen=True)
class EffectiveField:
    """The effective field of one unit.

    layer, position: the unit. field: what it can see at most. square: the share of each input
    pixel; their sum is 1. centre: the pixel in the middle of the field. radius: the square of side
    2 r + 1 about it holds HELD. clipped: the part of the field's area that lies outside the input.
    padding: the part of the expected square of the gradient that falls on padding.
    """

    layer: str
    position: Pair
    field: ReceptiveField
    square: Map
    centre: Pair
    radius: int
    clipped: float
    padding: float

    @property
    def side(self) -> int:
        """Of the square that holds HELD."""
        return 2 * self.radius + 1


def unit_layer(graph: LayerGraph) -> str:
    """The last layer with a map of positions, before global pooling; raises InspectError."""
    fields = receptive_fields(graph)
    for layer in reversed(graph.layers):
        field = fields[layer.name]
        if field and len(layer.output_shape) == 3 and all(axis.stride for axis in field.axes):
            return layer.name
    raise InspectError(f"{graph.name} has no layer with a receptive field")


@once
def effective_field(graph: LayerGraph, layer: str | None = None) -> EffectiveField:
    """The effective field of the unit in the middle of a layer (default: `unit_layer`).

    Raises InspectError where theory does not reach, UnknownNameError for the layer.
    """
    name = layer or unit_layer(graph)
    shape = graph.layer(name).output_shape
    field = receptive_fields(graph)[name]
    initial = initial_of(graph, "published" if graph.maker is None else "torch")
    until = graph.layers[: graph.layers.index(graph.by_name[name]) + 1]
    known = forth(graph, initial._replace(common=any(map(_asks, until))))
    if field is None or len(shape) != 3 or name not in known or len(graph.inputs) > 1:
        raise InspectError(
            f"layer {name} of {graph.name} has no effective field: no rule reaches it; name an "
            "earlier one"
        )
    row, column = shape[1] // 2, shape[2] // 2
    begin = {name: start(shape[0], single(shape[1:], row, column))}
    (flow,) = whole(gradients(graph.layers, known, initial, begin)[INPUT])
    seen = flow.square
    sizes, middle = (len(seen), len(seen[0])), (row, column)
    axes = list(zip(field.axes, middle, sizes, strict=True))
    centre = _pixel(*axes[0]), _pixel(*axes[1])
    return EffectiveField(
        name,
        middle,
        field,
        times(seen, 1 / sum(map(sum, seen))),
        centre,
        radius_of(seen, *centre, HELD),
        1 - prod(_inside(*axis) for axis in axes),
        max(0.0, flow.lost),
    )


def _asks(layer: Layer) -> bool:
    """Whether it matters at a layer what all inputs have in common at a position."""
    return not isinstance(layer.op, _WITHOUT) or is_small(layer.output_shape)


def _pixel(field: Field, place: int, size: int) -> int:
    """The pixel in the middle of a unit's field along an axis."""
    return min(size - 1, max(0, round(field.centre + place * field.stride)))


def _inside(field: Field, place: int, size: int) -> float:
    """The part of a unit's field that lies on the input, along an axis."""
    begin = float(field.start + place * field.stride)
    return max(0, min(size, begin + field.size) - max(0, begin)) / field.size


MOST = 4_000_000
"""Positions of all maps, for each unit asked about, beyond which fields would take many seconds.

Maps with a side of more than SIDE count the more."""

SIDE = 1024


def stage_fields(graph: LayerGraph) -> dict[str, EffectiveField]:
    """The effective fields of the stages' last units, by layer, as far as theory reaches.

    Of the last of them alone where all would take long, and of none where that one would.
    """
    fields = receptive_fields(graph)
    names = [stage.output.name for stage in graph.stages]
    with suppress(InspectError):
        names.append(unit_layer(graph))
    units = [
        name
        for name in dict.fromkeys(names)
        if (field := fields[name])
        and len(field.axes) == 2
        and all(axis.stride for axis in field.axes)
    ]
    few = MOST // effort(graph)
    found: dict[str, EffectiveField] = {}
    for name in reversed(units):
        if len(found) < (len(units) if len(units) <= few else min(1, few)):
            with suppress(InspectError):
                found[name] = effective_field(graph, name)
    return dict(reversed(found.items()))


def effort(graph: LayerGraph) -> int:
    """What one effective field takes, to set against MOST."""
    positions = sum(prod(layer.output_shape[1:]) for layer in graph.layers)
    return max(1, positions * max(SIDE, *graph.input_shape) // SIDE)


def difference(first: Map, second: Map) -> float:
    """The sum of the differences of two maps at each position: 0 to 2 for maps that sum to 1."""
    return sum(
        abs(a - b)
        for row, other in zip(first, second, strict=True)
        for a, b in zip(row, other, strict=True)
    )
