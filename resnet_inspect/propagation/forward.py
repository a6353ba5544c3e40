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
from functools import singledispatch
from math import hypot, log, sqrt

from resnet_inspect.networks import ops
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.torch_ops import (
    AdaptivePool,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Function,
    GroupNorm,
    Pad,
    View,
)
from resnet_inspect.propagation import norms, placing, pooling, small
from resnet_inspect.propagation.bending import activation
from resnet_inspect.propagation.laws import Law, Point, gauss
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
    multiplied,
    slides,
    spatial,
    window_of,
)

_HARDLY = 1.0
"""The variance of logits up to which a sum of their exponentials is hardly off its mean."""


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
    if isinstance(op, ops.STANDARDIZING):
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


@passed.register
def _(op: ops.Multiply, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed:
    return multiplied(tensors[0], op.factor**2)


@passed.register
def _(op: Function, tensors: Sequence[Tensor], layer: Layer, initial: Initial) -> Passed | None:
    """Softmax over rows of channels that are alike: each against the sum of its rivals, which is
    hardly off its mean. Others depend on no other element."""
    if not op.over:
        return activation(op, tensors[0])
    rows, (part, *more) = layer.output_shape[0], tensors[0]
    variance = part.law.mean_square - part.law.mean**2
    alone = not more and len(part.square) == len(part.square[0]) == 1
    if (op.name, op.over) != ("Softmax", (0,)) or not alone or rows < 2 or variance > _HARDLY:
        return None
    factor, shift = rows / (rows - 1), log(rows - 1)

    def against(given: Map) -> Map:
        return each(lambda value: (value - part.law.mean**2) * factor + shift**2, given)

    common = against(part.common)
    law = Law((Point(-shift, 1.0),), variance * factor)
    logit = Channels(part.channels, against(part.square), common, common, mean(common), law)
    made = activation(ops.Sigmoid(), (logit,))
    assert made is not None
    (gain,) = made.gains
    gain = gain._replace(factor=gain.factor * factor, rivals=True)
    return made._replace(gains=(gain,))


@passed.register
def _(
    op: ops.Activation, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed | None:
    return activation(op, tensors[0])


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
    scaled = multiplied(tensors[0], power)
    made = [
        replace(part, spread=spread * entering.variance**2, ripple=0.0, pairs=None)
        for part, entering in zip(scaled.tensor, tensors[0], strict=True)
    ]
    return scaled._replace(tensor=tuple(made))


passed.register(ops.BatchNorm2d, norms.batch)
passed.register(BatchNorm, norms.batch)
passed.register(ops.FrozenBatchNorm2d, norms.frozen)
passed.register(GroupNorm, norms.grouped)
passed.register(ActiveNorm, norms.active)
passed.register(ops.MaxPool2d, pooling.greatest)
passed.register(ops.AvgPool2d, pooling.averages)
passed.register(AdaptivePool, pooling.averages)
passed.register(ops.GlobalAvgPool2d, pooling.averages_of_all)
passed.register(ops.ZeroPad, placing.strided)
passed.register(Pad, placing.padded)
passed.register(ops.Flatten, placing.flattened)
passed.register(View, placing.viewed)
passed.register(Concat, placing.joined)
