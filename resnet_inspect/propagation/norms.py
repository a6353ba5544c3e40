"""Normalizations, over batches or over groups of channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, sqrt

from resnet_inspect.networks import ops
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.torch_ops import BatchNorm, GroupNorm
from resnet_inspect.propagation import small
from resnet_inspect.propagation.bending import activation
from resnet_inspect.propagation.maps import Map, each, mean, times
from resnet_inspect.propagation.tensors import (
    Channels,
    Gain,
    Initial,
    Passed,
    Tensor,
    centred,
    multiplied,
)

_STEP, _REACH = 0.05, 5.0
"""Of integrals over how groups' means differ, in their standard deviations."""

EPSILON = 1e-5
"""What batch norm adds to the variance (torch's default)."""


def batch(
    op: ops.BatchNorm2d | BatchNorm, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed:
    """By the variance of each channel over inputs and positions."""
    gains = tuple(Gain(part.channels, _divided(part)) for part in tensors[0])
    return Passed(tuple(map(_normed, tensors[0])), gains)


def frozen(
    op: ops.FrozenBatchNorm2d, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed:
    """By a variance of 1."""
    return multiplied(tensors[0], 1 / (1 + EPSILON))


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


def grouped(
    op: GroupNorm, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed | None:
    """Less the mean over a group's channels and positions, by the standard deviation there."""
    if len(layer.output_shape) != 3:
        return None
    made, gains, size = [], [], op.channels // op.groups
    for part in tensors[0]:
        ((less,), _) = centred((part,))
        one, alike = _by_group(less.variance + EPSILON, less.steady / size, size - 1)
        level = _levelled(less, one, alike / size)
        made.append(level)
        taken = (1 + level.steady) / size, level.apart / size
        gains.append(Gain(part.channels, one, taken=taken))
    return Passed(tuple(made), tuple(gains))


def active(
    op: ActiveNorm, tensors: Sequence[Tensor], layer: Layer, initial: Initial
) -> Passed | None:
    """EvoNormS0: x * sigmoid(x), or x where it does not activate, over a group's deviation."""
    if op.type != "EvoNormS0":
        return None
    bent = Passed(tensors[0], tuple(Gain(part.channels, 1.0) for part in tensors[0]))
    if op.activates:
        bent = activation(ops.SiLU(), tensors[0]) or bent
    made, gains, size = [], [], op.channels // op.groups
    for part, out, gain in zip(tensors[0], bent.tensor, bent.gains, strict=True):
        ((less,), _) = centred((part,))
        own = less.variance + op.epsilon
        one, _ = _by_group(own, less.steady / size, size - 1)
        ((level,), _) = multiplied((out,), 1 / (own + less.steady * (1 - 1 / size)))
        made.append(level)
        # What goes with the output is taken off; for the function is straight but near 0.
        taken = level.steady / size / gain.factor, level.apart / size / gain.factor
        gains.append(gain._replace(factor=gain.factor * one, bends=None, taken=taken))
    return Passed(tuple(made), tuple(gains))


def _by_group(own: float, alike: float, degrees: int) -> tuple[float, float]:
    """The means of 1 / v and of x / v, where v = own + alike * x.

    x: a chi-square of so many degrees, as the sum of squares of a group's means is over groups.
    """
    if not degrees or alike <= 0:
        return 1 / own, float(degrees) / own
    middle = sqrt(degrees)
    roots = [
        at * _STEP
        for at in range(max(0, int((middle - _REACH) / _STEP)), int((middle + _REACH) / _STEP))
    ]
    weights = [
        (root / middle) ** (degrees - 1) * exp((degrees - root * root) / 2) for root in roots
    ]
    if degrees == 1:
        weights[0] /= 2
    whole = sum(weights)
    one = sum(w / (own + alike * r * r) for w, r in zip(weights, roots, strict=True)) / whole
    return one, (1 - own * one) / alike


def _levelled(part: Channels, own: float, alike: float) -> Channels:
    """Less their mean, times the root of a power: of what inputs have in common another."""

    def both(given: Map) -> Map:
        return each(
            lambda value, cross: own * max(0.0, value - cross) + alike * cross, given, part.cross
        )

    square, cross = both(part.square), times(part.cross, alike)
    power = mean(square) / (part.law.mean_square - part.law.mean**2 or 1.0)
    return replace(
        part,
        square=square,
        common=both(part.common) if part.follows else cross,
        cross=cross,
        steady=part.steady * alike,
        law=part.law.normed(part.law.mean, power**-0.5 if power else 1.0),
        ripple=part.ripple * own,
        spread=0.0,
        pairs=None,
    )
