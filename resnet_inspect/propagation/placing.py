"""Layers that move values and compute none: shortcuts that pad, borders, views, joined tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from math import sqrt

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.torch_ops import Concat, Pad, View
from resnet_inspect.propagation.laws import Law, Point
from resnet_inspect.propagation.maps import mean, slid, times, uniform
from resnet_inspect.propagation.tensors import (
    Channels,
    Initial,
    Passed,
    Tensor,
    cut,
    nothing,
    slides,
    spatial,
    window_of,
)


def strided(op: ops.ZeroPad, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed:
    """Some positions, and channels of zeros."""
    over = window_of(op, layer)
    made = tuple(part.mapped(lambda given: slid(given, over)) for part in tensors[0])
    new = op.out_channels - op.in_channels
    return Passed((*made, *nothing((new, *layer.output_shape[1:]))) if new else made)


def padded(op: Pad, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    """A border of zeros or of mirrored values, or one cut off."""
    if not slides(op, layer):
        return None
    over = window_of(op, layer)
    held, made = mean(over.counts), []
    for part in tensors[0]:
        placed = part.mapped(lambda given: slid(given, over))
        # Means at two positions differ in size alone, so that over all positions goes with them.
        factor = mean(placed.cross) / part.steady if part.steady > 0 else 1.0
        cross = times(placed.cross, factor)
        common = placed.common if placed.follows else cross
        placed = replace(placed, common=common, cross=cross, steady=part.steady * factor**2)
        made.append(replace(placed, law=_thinned(part.law, held), pairs=None))
    return Passed(tuple(made))


def _thinned(law: Law, share: float) -> Law:
    """Of values that are 0 but for a share."""
    if share == 1:
        return law
    points = [Point(value, share * part) for value, part in law.points if value]
    zeros = Point(0.0, 1 - sum(part for _, part in points))
    return Law(tuple(sorted([*points, zeros])), law.variance * share, law.uneven * share)


def viewed(op: View, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    """Some channels; or channels of one position as positions, or the other way round."""
    start = begins(op, layer)
    if start is not None:
        runs = cut([part.channels for part in tensors[0]], start, layer.output_shape[0])
        return Passed(tuple(replace(tensors[0][at], channels=count) for at, count in runs))
    if not reshapes(layer) or (len(tensors[0]) > 1 and (op.places or layer.output_shape[0] == 1)):
        return None
    return flattened(op, tensors, layer, initial)


def begins(op: View, layer: Layer) -> int | None:
    """The first channel of those that a view is of; None where it is of more, or another thing."""
    given, made = layer.input_shapes[0], layer.output_shape
    whole = all(into in (axis, -1) and step == 1 for axis, (into, _, step) in enumerate(op.places))
    if not op.places or not whole or given[1:] != made[1:] or len(given) > 3:
        return None
    return op.places[0][1]


def reshapes(layer: Layer) -> bool:
    """Whether a layer keeps all values, and has one position before or after."""
    shapes = layer.input_shapes[0], layer.output_shape
    known = all(len(shape) < 4 or elements(shape[2:]) == 1 for shape in shapes)
    kept = elements(shapes[0]) == elements(shapes[1])
    return known and kept and any(elements(spatial(shape)) == 1 for shape in shapes)


def flattened(op: ops.Op, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed:
    """Each value as one of a channel of its own, or of channels with as many positions."""
    shape = spatial(layer.output_shape)
    positions = elements(shape)
    made = []
    for part in tensors[0]:
        count = part.channels * len(part.square) * len(part.square[0]) // positions
        square, common = mean(part.square), mean(part.common)
        # Means of channels that were others' are alike in what all have in common, and no more.
        alike = part.law.mean**2
        steady = alike + (common - alike) / positions
        made.append(
            Channels(
                count,
                uniform(shape, square),
                uniform(shape, common),
                uniform(shape, steady),
                steady,
                part.law,
                (common - alike) * sqrt(positions - 1) / positions,
            )
        )
    return Passed(tuple(made))


def joined(op: Concat, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    """Channels one after another."""
    return None if op.dim else Passed(tuple(chain(*tensors)))
