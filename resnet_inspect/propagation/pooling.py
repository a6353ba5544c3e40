"""What pools make of channels that are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import sqrt
from operator import mul, truediv

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.torch_ops import AdaptivePool, Conv
from resnet_inspect.propagation.laws import Law, Point, highest
from resnet_inspect.propagation.maps import Map, each, mean, slid, times, uniform
from resnet_inspect.propagation.tensors import (
    Channels,
    Initial,
    Passed,
    Tensor,
    slides,
    spatial,
    window_of,
)

_IN_COMMON = 0.05
"""What values may have in common, as a share of their variance, to be taken as independent."""

_BLUR = 0.25, 0.5, 0.25
"""The taps of a fixed filter along each axis (Zhang 2019, arXiv 1904.11486)."""

BLURS = (tuple(map(mul, _BLUR, _BLUR)),) * 2
"""Their squares along both."""


def greatest(
    op: ops.MaxPool2d, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed | None:
    """The greatest under a window, whose values are independent but for their channel's mean."""
    over = window_of(op, layer)
    counts = over.counts
    made = []
    for part in tensors[0]:
        own, means = part.law, 0.0
        if part.in_common > _IN_COMMON:
            if len(own.points) > 1:  # bent, so that it is not the sum of both
                return None
            means = part.in_common * own.variance
            own = replace(own, variance=own.variance - means)
        laws = {n: highest(own, int(n)) for row in set(counts) for n in set(row)}
        size = times(each(truediv, slid(part.square, over), counts), 1 / mean(part.square))
        squares = {n: law.mean_square + means for n, law in laws.items()}
        commons = {n: law.mean**2 + means for n, law in laws.items()}
        law = laws[max(laws)]
        made.append(
            _rank_one(
                part.channels,
                each(lambda s, n, of=squares: s * of[n], size, counts),
                each(lambda s, n, of=commons: s * of[n], size, counts),
                replace(law, variance=law.variance + means),
            )
        )
    return Passed(tuple(made))


def _rank_one(count: int, square: Map, common: Map, law: Law) -> Channels:
    """Channels whose means over inputs differ between positions in size alone."""
    root = each(sqrt, common)
    typical = mean(root)
    return Channels(count, square, common, times(root, typical), typical**2, law)


def averages(
    op: ops.AvgPool2d | AdaptivePool, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed | None:
    """The mean under a window."""
    if isinstance(op, AdaptivePool) and (op.type != "AdaptiveAvgPool2d" or not slides(op, layer)):
        return None
    over, counts = window_of(op, layer), counted(op, layer)
    return _averaged(
        tensors[0],
        initial,
        lambda given: each(truediv, slid(given, over), counts),
        lambda given: each(lambda o, n: o / (n * n), slid(given, over), counts),
    )


def counted(op: ops.AvgPool2d | AdaptivePool, layer: Layer) -> Map:
    """How many each output of a mean divides by."""
    if isinstance(op, ops.AvgPool2d) and op.count_padding:
        return uniform(spatial(layer.output_shape), float(elements(op.kernel)))
    return window_of(op, layer).counts


def blurs(op: Conv) -> bool:
    """Whether a fixed filter is taken as a blur."""
    alone = op.groups == op.in_channels == op.out_channels
    return op.made_of is not None and not op.made_of[0] and alone and op.kernel == (3, 3)


def blurred(op: Conv, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    """The weighted mean under a window."""
    over = window_of(op, layer)
    return _averaged(
        tensors[0],
        initial,
        lambda given: slid(given, over, (_BLUR, _BLUR)),
        lambda given: slid(given, over, BLURS),
    )


def _averaged(
    tensor: Tensor,
    initial: Initial,
    mean_of: Callable[[Map], Map],
    variance_of: Callable[[Map], Map],
) -> Passed | None:
    """Means of values, and how the variances of independent values make that of their mean."""
    if not initial.common:  # behind all that was asked about
        return None
    made = []
    for part in tensor:
        common = each(lambda r: r * r, mean_of(each(sqrt, part.common)))
        own = variance_of(each(lambda s, c: s - c, part.square, part.common))
        square = each(lambda o, c: o + c, own, common)
        point = (Point(part.law.mean, 1.0),)
        law = Law(point, max(0.0, mean(square) - part.law.mean**2))
        made.append(_rank_one(part.channels, square, common, law))
    return Passed(tuple(made))


def averages_of_all(
    op: ops.GlobalAvgPool2d, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed:
    """The mean over all positions."""
    made = []
    for part in tensors[0]:
        positions = len(part.square) * len(part.square[0])
        own = (mean(part.square) - mean(part.common)) / positions
        common = ((part.steady,),)
        square = ((part.steady + own,),)
        point = (Point(part.law.mean, 1.0),)
        law = Law(point, max(0.0, part.steady + own - part.law.mean**2))
        made.append(Channels(part.channels, square, common, common, part.steady, law))
    return Passed(tuple(made))
