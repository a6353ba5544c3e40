"""Where theory takes for granted what a network does not have, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.torch_ops import Conv
from resnet_inspect.propagation.pooling import blurs
from resnet_inspect.propagation.small import FEW
from resnet_inspect.propagation.tensors import Passed, spatial

FEWEST = 9
"""Numbers that a grouped convolution sums up which are too few for a Gaussian."""


class Doubt(NamedTuple):
    """Why theory is off at a layer, and by how much, as far as it was measured."""

    layer: str
    why: str


def doubts(layers: Sequence[Layer], known: Mapping[str, Passed]) -> tuple[Doubt, ...]:
    """The first layer of each kind that theory does not do justice to."""
    first: dict[str, Doubt] = {}
    for doubt in _all(layers, known):
        first.setdefault(doubt.why, doubt)
    return tuple(first.values())


def _all(layers: Sequence[Layer], known: Mapping[str, Passed]) -> Iterator[Doubt]:
    added = {name for layer in layers if isinstance(layer.op, ops.Add) for name in layer.inputs}
    for layer in layers:
        if layer.name not in known:
            continue
        op, shapes = layer.op, layer.input_shapes
        if isinstance(op, ops.AvgPool2d):
            yield Doubt(
                layer.name,
                "averages neighbours as if they were independent: gradient² toward the input comes "
                "out too large, by a tenth, behind an overlapping max pool by up to two fifths; "
                "without norm the variance is too small",
            )
        if isinstance(op, Conv) and blurs(op):
            yield Doubt(
                layer.name,
                "blurs by 1 2 1 neighbours that it takes as independent: gradient² toward the "
                "input comes out too large, behind an overlapping max pool by up to three fifths",
            )
        if isinstance(op, ops.Conv2d) and op.groups > 1 and _summed(op) <= FEWEST:
            yield Doubt(
                layer.name,
                "sums few numbers, which are no Gaussian: gradient² toward the input is up to a "
                "sixth a layer too large",
            )
        normalized = isinstance(op, ops.BatchNorm2d) and layer.name in added
        if normalized and _rectified(known, layer.inputs[0]):
            yield Doubt(
                layer.name,
                "normalizes what convolutions beside it sum up too: gradient² toward the input is "
                "some 3% a block too large",
            )
        if isinstance(op, ops.Add) and all(_rectified(known, name) for name in layer.inputs):
            yield Doubt(
                layer.name,
                "adds two rectified terms, one taken as Gaussian: gradient² is some 5% a block off",
            )
        if isinstance(op, ops.Conv2d) and _leaves_one(shapes[0], layer.output_shape):
            yield Doubt(
                layer.name,
                "leaves one position of few: gradient² toward the input is a fifth too small",
            )


def _summed(op: ops.Conv2d) -> int:
    return op.in_channels // op.groups * op.kernel[0] * op.kernel[1]


def _rectified(known: Mapping[str, Passed], name: str) -> bool:
    return name in known and any(len(part.law.points) > 1 for part in known[name].tensor)


def _leaves_one(given: tuple[int, ...], made: tuple[int, ...]) -> bool:
    return 1 < prod(spatial(given)) <= FEW and prod(spatial(made)) == 1
