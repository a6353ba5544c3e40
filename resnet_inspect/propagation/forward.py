"""The signal through a network at initialisation, layer by layer, for inputs of white noise.

Weights are random and channels many, so a convolution's output is Gaussian, uncorrelated between
positions (mean-field theory: Poole et al. 2016, arXiv 1606.05340; Xiao et al. 2018, arXiv
1806.05393). Kept of each tensor, for channels that are alike and at each position, are its mean
square, and how much of that all inputs have in common: the square of a channel's mean over inputs,
which batch norm takes off. Zero padding lowers both at the border.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, singledispatch
from math import hypot, log, sqrt

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.torch_ops import (
    AdaptivePool,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Function,
    Pad,
    View,
)
from resnet_inspect.propagation import placing, pooling, small
from resnet_inspect.propagation.laws import Law, Moments, Point, activated, gauss
from resnet_inspect.propagation.maps import (
    Map,
    deviation,
    each,
    mean,
    plus,
    slid,
    times,
    uniform,
    window_means,
)
from resnet_inspect.propagation.tensors import (
    Channels,
    Gain,
    Initial,
    Passed,
    Tensor,
    aligned,
    average,
    averaged,
    centred,
    slides,
    spatial,
    window_of,
)

_SMALL = 1e-3
"""A correlation at which a kernel is straight."""

_HARDLY = 0.25
"""The variance of logits up to which a sum of their exponentials is hardly off its mean."""

EPSILON = 1e-5
"""What batch norm adds to the variance (torch's default)."""


@singledispatch
def passed(op: ops.Op, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    """What a layer makes of its inputs; the base case is 'unknown'."""
    return None


@passed.register
def _(op: Conv, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    if op.made_of is not None:
        return pooling.blurred(op, tensors, layer, initial) if pooling.blurs(op) else None
    return convolved(op, tensors, layer, initial) if slides(op, layer) else None


@passed.register(ops.Conv2d)
def convolved(
    op: ops.Convolution, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed:
    """Sums of many values by random weights."""
    weight, bias = initial.variances(op)
    weight *= op.in_channels // op.groups
    over, entering = window_of(op, layer), tensors[0]
    edge: Map | None = None
    if isinstance(op, (ops.StandardizedConv2d, ops.ScaledConv2d)):
        # Weights that sum to 0 take off the mean, but for what padding leaves of it.
        entering, middle = centred(entering)
        left, area = weight * middle**2, elements(op.kernel)
        held = slid(each(lambda value: float(value > 0), averaged(tensors[0], "square")), over)
        edge = each(lambda n: left * n * (1 - n / area), held)

    def summed(kind: str) -> Map:
        made = _shifted(times(slid(averaged(entering, kind), over), weight), bias)
        return plus(made, edge) if edge else made

    cross = averaged(entering, "cross")
    steady = average(entering, "steady")
    square = summed("square")
    ripple = steady * sqrt(over.unevenness) + average(entering, "ripple") * over.shared
    if steady > 0 and (whole := mean(cross)) > 0:
        # The means of two positions are taken to differ in size alone.
        size = times(cross, 1 / sqrt(steady))
        down, across = window_means(size, over)
        across = tuple(value * sqrt(steady) / whole for value in across)
        cross = _shifted(times(slid(size, over, (down, across)), weight), bias)
        steady = weight * sum(d * d for d in down) * sum(a * a for a in across) + bias
    else:
        cross, steady = uniform(spatial(layer.output_shape), bias), bias
    common = summed("common") if initial.common else cross
    law = gauss(mean(square), 0.0 if initial.straight else _uneven(op, square, entering))
    made = Channels(op.out_channels, square, common, cross, steady, law, weight * ripple)
    if small.is_small(layer.output_shape):
        made = small.followed(made, small.slid(entering, over, weight, bias))
    return Passed((made,))


def _uneven(op: ops.Convolution, square: Map, given: Tensor) -> float:
    """How much an output's variance differs, also between inputs: each sums few numbers up."""
    count = sum(part.channels for part in given)
    peaked = sum(part.channels * part.law.peaked for part in given) / count
    taken = op.in_channels // op.groups * elements(op.kernel)
    return hypot(deviation(square), mean(square) * sqrt(peaked / taken))


@passed.register
def _(op: ops.Linear, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    if len(layer.output_shape) != 1:
        return None
    weight, bias = initial.variances(op)
    weight *= op.in_features
    square = _shifted(times(averaged(tensors[0], "square"), weight), bias)
    common = _shifted(times(averaged(tensors[0], "common"), weight), bias)
    law = gauss(mean(square))
    return Passed((Channels(op.out_features, square, common, common, mean(common), law),))


def _shifted(given: Map, by: float) -> Map:
    return each(by.__add__, given) if by else given


@passed.register(ops.BatchNorm2d)
@passed.register(BatchNorm)
def _(op: ops.Op, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed:
    gains = tuple(Gain(part.channels, _divided(part)) for part in tensors[0])
    return Passed(tuple(map(_normed, tensors[0])), gains)


@passed.register
def _(
    op: ops.FrozenBatchNorm2d, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed:
    """By a variance of 1."""
    return _multiplied(tensors[0], 1 / (1 + EPSILON))


@passed.register
def _(op: ops.Multiply, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed:
    return _multiplied(tensors[0], op.factor**2)


def _multiplied(tensor: Tensor, power: float) -> Passed:
    """A tensor times the root of a power."""
    made = [
        replace(
            part,
            square=times(part.square, power),
            common=times(part.common, power),
            cross=times(part.cross, power),
            steady=part.steady * power,
            law=part.law.normed(0.0, power**-0.5) if power else gauss(0.0),
            ripple=part.ripple * power,
            spread=part.spread * power**2,
            pairs=None if part.pairs is None else times(part.pairs, power),
        )
        for part in tensor
    ]
    return Passed(tuple(made), tuple(Gain(part.channels, power) for part in tensor))


def _divided(part: Channels) -> float:
    """The mean of one by the variance: more than one by its mean, where channels differ in it."""
    variance = part.variance + EPSILON
    return (1 + (2 * part.ripple**2 + part.spread) / variance**2) / variance


def _normed(part: Channels) -> Channels:
    """Less the mean over inputs and positions, by the standard deviation."""
    variance = part.variance + EPSILON

    def centred(product: float, cross: float) -> float:
        return max(0.0, product - 2 * cross + part.steady) / variance

    middle = part.law.mean
    spread = sqrt((part.law.mean_square - middle**2) * variance / (part.variance or 1.0))
    cross = times(part.cross, 0.0)
    made = Channels(
        part.channels,
        each(centred, part.square, part.cross),
        each(centred, part.common, part.cross) if part.follows else cross,
        cross,
        0.0,
        part.law.normed(middle, spread or 1.0),
        part.ripple / variance,
    )
    if part.pairs is None:
        return made
    # Channels whose means differ more between positions are divided by more.
    differs = mean(made.common)
    unlike = 2 * (part.ripple / variance) ** 2
    less = max(0.0, 1 + unlike - unlike / differs) if differs else 1.0
    return small.followed(made, times(small.centred(part.pairs), less / variance))


@passed.register
def _(op: Function, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    """Softmax over rows of channels that are alike: each against the sum of its rivals, which is
    hardly off its mean. Others depend on no other element."""
    if not op.over:
        return _activated(op, tensors[0])
    rows, (part, *more) = layer.output_shape[0], tensors[0]
    variance = part.law.mean_square - part.law.mean**2
    alone = op.over == (0,) and len(part.square) == len(part.square[0]) == 1
    if more or not alone or rows < 2 or variance > _HARDLY:
        return None
    factor, shift = rows / (rows - 1), log(rows - 1)

    def against(given: Map) -> Map:
        return each(lambda value: (value - part.law.mean**2) * factor + shift**2, given)

    common = against(part.common)
    law = Law((Point(-shift, 1.0),), variance * factor)
    logit = Channels(part.channels, against(part.square), common, common, mean(common), law)
    made = _activated(ops.Sigmoid(), (logit,))
    assert made is not None
    (gain,) = made.gains
    gain = gain._replace(factor=gain.factor * factor, rivals=True)
    return made._replace(gains=(gain,))


@passed.register
def _(
    op: ops.Activation, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed | None:
    return _activated(op, tensors[0])


def _activated(op: ops.Activation, tensor: Tensor) -> Passed | None:
    made, gains = [], []
    for part in tensor:
        moments = activated(op, part.law)
        if moments is None:
            return None
        channels, kept, even = _bent(part, moments)
        made.append(channels)
        places = _tilted(part, moments)
        gains.append(Gain(part.channels, moments.gate, kept, even, moments, places))
    return Passed(tuple(made), tuple(gains))


def _tilted(part: Channels, moments: Moments) -> Map | None:
    """How an activation's gate differs between positions, where their variances do."""
    tilt, whole = moments.tilt, mean(part.square)
    if not (tilt and whole and part.law.uneven):
        return None
    return each(lambda square: max(0.0, 1 + tilt * (square / whole - 1)), part.square)


def _bent(part: Channels, moments: Moments) -> tuple[Channels, float, float]:
    """Channels behind an activation, and what it keeps of two gradients' correlation: of two
    inputs', and of two positions'.

    The kernel is of how the deviations of two values correlate.
    """
    whole = mean(part.square)
    if not whole:  # channels of zeros
        return replace(part, law=moments.law), 1.0, 1.0
    root = each(sqrt, part.square)
    typical = mean(root)
    first, second = moments.law.mean**2, moments.law.mean_square
    if part.law.uneven:
        first *= whole / typical**2  # the mean is that of all positions
    apart = part.law.mean**2 / part.law.mean_square  # what all values have in common anyway
    apart = min(apart, 1 - 1e-9)
    scale = 1 / (1 - apart)

    @cache  # away from borders, and at like distances from them, all are equal
    def product(before: float, size: float) -> float:
        alike = (before / size - apart) * scale if size else 0.0
        return size / whole * (first + (second - first) * moments.kernel(alike))

    steady = product(part.steady, typical**2)
    if part.steady:
        cross = each(product, part.cross, times(root, typical))
    else:
        cross = times(root, steady / typical)
    made = Channels(
        part.channels,
        times(part.square, second / whole),
        each(product, part.common, part.square) if part.follows else cross,
        cross,
        steady,
        moments.law,
        part.ripple * (second - first) * moments.kernel(_SMALL) / _SMALL / whole * scale,
    )
    if part.pairs is not None:
        sizes = [value for row in root for value in row]
        made = small.followed(
            made,
            tuple(
                tuple(product(value, a * b) for value, b in zip(row, sizes, strict=True))
                for row, a in zip(part.pairs, sizes, strict=True)
            ),
        )
    kept = moments.slopes((mean(part.common) / whole - apart) * scale)
    return made, kept, moments.slopes((part.steady / whole - apart) * scale)


@passed.register
def _(op: Dropout, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed:
    """In training: a part is dropped, of positions or of inputs, and what is left is scaled up."""
    keep = 1 - op.p
    made = [
        replace(
            part,
            square=times(part.square, 1 / keep),
            law=Law(part.law.points, part.law.variance + part.law.mean_square * op.p / keep),
        )
        for part in tensors[0]
    ]
    even = keep if op.type == "Dropout" else 1.0
    return Passed(tuple(made), tuple(Gain(part.channels, 1 / keep, keep, even) for part in made))


@passed.register
def _(op: ops.Add, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed:
    runs = aligned([part.channels for part in tensors[0]], [part.channels for part in tensors[1]])
    made = []
    for count, left, right in runs:
        a, b = tensors[0][left], tensors[1][right]
        both = 2 * a.law.mean * b.law.mean  # of terms whose means are not 0
        cross = _shifted(plus(a.cross, b.cross), both)
        follows = a.follows or b.follows
        term = Channels(
            count,
            _shifted(plus(a.square, b.square), both),
            _shifted(plus(a.common, b.common), both) if follows else cross,
            cross,
            a.steady + b.steady + both,
            a.law.plus(b.law),
            a.ripple + b.ripple,
            a.spread + b.spread,
        )
        if small.is_small(layer.output_shape):
            pairs = plus(small.pairs_of(a), small.pairs_of(b))
            term = small.followed(term, _shifted(pairs, both))
        made.append(term)
    return Passed(tuple(made))


@passed.register
def _(op: ops.Scale, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed:
    """By a gate that the signal sets hardly off its value at 0."""
    (gate,) = tensors[1]
    power = gate.law.mean_square
    # Gates differ between channels, also in the mean over inputs.
    own = mean(gate.common) - gate.law.mean**2
    steady = max(0.0, own) / max(power - gate.law.mean**2, 1e-300)
    spread = steady * (gate.law.mean_fourth - power**2)
    scaled = _multiplied(tensors[0], power)
    made = [
        replace(part, spread=spread * entering.variance**2, ripple=0.0, pairs=None)
        for part, entering in zip(scaled.tensor, tensors[0], strict=True)
    ]
    return scaled._replace(tensor=tuple(made))


passed.register(ops.MaxPool2d, pooling.greatest)
passed.register(ops.AvgPool2d, pooling.averages)
passed.register(AdaptivePool, pooling.averages)
passed.register(ops.GlobalAvgPool2d, pooling.averages_of_all)
passed.register(ops.ZeroPad, placing.strided)
passed.register(Pad, placing.padded)
passed.register(ops.Flatten, placing.flattened)
passed.register(View, placing.viewed)
passed.register(Concat, placing.joined)
