"""What activations make of channels that are alike."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import sqrt

from resnet_inspect.networks import ops
from resnet_inspect.propagation import small
from resnet_inspect.propagation.laws import Moments, activated
from resnet_inspect.propagation.maps import Map, each, mean, times
from resnet_inspect.propagation.tensors import Channels, Gain, Passed, Tensor

_SMALL = 1e-3
"""A correlation at which a kernel is straight."""


def activation(op: ops.Activation, tensor: Tensor) -> Passed | None:
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
