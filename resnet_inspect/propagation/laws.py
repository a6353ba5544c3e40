"""How the values of a channel are distributed, and what activations make of them.

A value is a Gaussian number about one of several points: (0,) for what a convolution with random
weights gives, the points of a rectified Gaussian for what a ReLU gives, and those plus a Gaussian
for a residual sum behind a ReLU. So the law of a deep sum of rectified sums is found by one
integral a block, which is a random walk that never falls below 0 (Lindley 1952).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from math import acos, ceil, cosh, erf, exp, floor, log1p, pi, sqrt, tanh
from operator import mul
from typing import NamedTuple

from resnet_inspect.networks import ops

_STEPS = 3
"""Points of an integral for each standard deviation of the Gaussian."""

_REACH = 6
"""Standard deviations on each side that are integrated over."""

_LEAST = 1e-9
"""The share of values below which a point is left out."""

_MOST = 0.75
"""The most that a variance may differ between positions, as a share of it."""


class Point(NamedTuple):
    value: float
    share: float


class _Band(NamedTuple):
    """Weights at places in a row, from one on, and their sum."""

    begin: int
    weights: list[float]
    total: float


@dataclass(frozen=True)
class Law:
    """A Gaussian number of some variance about a point.

    uneven: the standard deviation of that variance between positions: it is less at borders.
    """

    points: tuple[Point, ...]
    variance: float
    uneven: float = 0.0

    @cached_property
    def mean(self) -> float:
        return sum(value * share for value, share in self.points)

    @cached_property
    def mean_square(self) -> float:
        return self.variance + sum(value * value * share for value, share in self.points)

    @property
    def mean_fourth(self) -> float:
        """The mean fourth power of the points alone."""
        return sum(value**4 * share for value, share in self.scattered)

    @property
    def peaked(self) -> float:
        """The variance of the squared deviation from the mean, by the square of its mean."""
        square = self.mean_square - self.mean**2
        if square <= 0:
            return 0.0
        off = [((value - self.mean) ** 2, share) for value, share in self.points]
        fourth = sum(share * d * (d + 6 * self.variance) for d, share in off)
        return (fourth + 3 * (self.variance**2 + self.uneven**2)) / square**2 - 1

    def plus(self, other: Law) -> Law:
        """The law of the sum of two independent values; of two with points one counts as Gauss."""
        if len(other.points) > len(self.points):
            return other.plus(self)
        shift = other.mean
        spread = other.mean_square - shift * shift
        points = self.points
        if shift:
            points = tuple(Point(value + shift, share) for value, share in points)
        return Law(points, self.variance + spread, self.uneven + other.uneven)

    def normed(self, mean: float, deviation: float) -> Law:
        """Less a mean, by a standard deviation.

        The variance is cut to few digits: laws that are alike are then equal, and worked out once.
        """
        points = tuple(Point((value - mean) / deviation, share) for value, share in self.points)
        variance = float(f"{self.variance / deviation**2:.4g}")
        return Law(points, variance, self.uneven / deviation**2)

    @cached_property
    def _grid(self) -> tuple[tuple[float, ...], list[_Band]]:
        """Places to integrate at, and the weights of each point's Gaussian at some of them.

        0 is where two integrals meet, so what bends there is integrated whole. The step is of few
        digits: grids of like laws then coincide, and points on a grid have equal Gaussians.
        """
        uneven = min(self.uneven, _MOST * self.variance)
        sigmas = sorted({sqrt(self.variance - uneven), sqrt(self.variance + uneven)})
        step = float(f"{sqrt(self.variance) / _STEPS:.2g}")
        reach = ceil(_REACH * sigmas[-1] / step)
        low = min(0.0, min(self.points).value) / step - reach
        high = max(0.0, max(self.points).value) / step + reach
        first, last = 2 * floor(low / 2), 2 * ceil(high / 2)
        weights = [step / 3 * (4 if at % 2 else 2) for at in range(first, last + 1)]
        weights[0] = weights[-1] = step / 3
        bells: dict[float, list[float]] = {}
        bands = []
        for value, _ in self.points:
            middle = round(value / step)
            off = round(value / step - middle, 6)
            if off not in bells:
                apart = [step * (at - off) for at in range(-reach, reach + 1)]
                halves = [[exp(-((x / each) ** 2) / 2) / each for x in apart] for each in sigmas]
                bells[off] = list(map(sum, zip(*halves, strict=True)))
            begin = middle - reach - first
            band = list(map(mul, bells[off], weights[begin:]))  # to a factor that all have
            bands.append(_Band(begin, band, sum(band)))
        return tuple(step * at for at in range(first, last + 1)), bands

    @cached_property
    def scattered(self) -> tuple[Point, ...]:
        """The law as points alone."""
        if self.variance <= 0:
            return self.points
        places, bands = self._grid
        found = [0.0] * len(places)
        for (_, share), (begin, weights, _) in zip(self.points, bands, strict=True):
            for at, weight in enumerate(weights, begin):
                found[at] += share * weight
        whole = sum(found)
        return tuple(
            Point(value, share / whole) for value, share in zip(places, found, strict=True)
        )

    def before(self, profile: Sequence[float]) -> dict[float, float]:
        """What numbers at the scattered points are in the mean about each of the law's points."""
        if self.variance <= 0:
            return dict(zip((value for value, _ in self.points), profile, strict=True))
        return {
            value: sum(map(mul, weights, profile[begin : begin + len(weights)])) / total
            for (value, _), (begin, weights, total) in zip(self.points, self._grid[1], strict=True)
        }


def gauss(variance: float, uneven: float = 0.0) -> Law:
    """A Gaussian about 0."""
    return Law((Point(0.0, 1.0),), variance, uneven)


class Moments(NamedTuple):
    """What an activation makes of a law.

    given: the law. law: of its output. gate: the mean square of its slope. kernel: for two values
    whose deviations correlate by r, how much the deviations of the outputs do; slopes: the same of
    its slopes' products, by their mean square. paths: of each scattered point the output and the
    square of the slope. lean: how the slopes at two positions, each times how far the value is off
    its point, go together, by their mean square and variance. tilt: by what share the gate is more
    where the variance is more, as shares.
    """

    given: Law
    law: Law
    gate: float
    kernel: Callable[[float], float]
    slopes: Callable[[float], float]
    paths: tuple[tuple[float, float], ...]
    lean: float
    tilt: float = 0.0


def leak_of(op: ops.Op) -> float | None:
    """The slope below 0 of an activation that is straight on both sides of it; None of another."""
    if isinstance(op, ops.LeakyReLU):
        return op.negative_slope
    # PReLU learns its own, from this on (He et al. 2015b, arXiv 1502.01852, section 2.1).
    return {"ReLU": 0.0, "PReLU": 0.25}.get(op.kind)


@lru_cache(maxsize=64)
def activated(op: ops.Op, law: Law) -> Moments | None:
    """What an activation makes of values of this law; None where it has no rule."""
    leak = leak_of(op)
    if leak is not None:
        return _rectified(leak, law)
    known = _elu(op.alpha) if isinstance(op, ops.ELU) else _FUNCTIONS.get(type(op))
    if known is None:
        return None
    function, slope = known
    points = law.scattered
    mean, deviation = law.mean, sqrt(max(law.mean_square - law.mean**2, 1e-300))
    outputs = [(function(v), v, share, slope(v)) for v, share in points]
    first = sum(f * share for f, _, share, _ in outputs)
    second = sum(f * f * share for f, _, share, _ in outputs)
    linear = sum(f * (v - mean) / deviation * share for f, v, share, _ in outputs) ** 2
    spread = max(second - first * first, 1e-300)
    gate = sum(d * d * share for *_, share, d in outputs)
    steady = sum(d * share for *_, share, d in outputs) ** 2 / gate
    # Hermite expansion: the linear part is exact, the rest is taken as its next term.
    part = min(1.0, linear / spread)
    made = Law(tuple(Point(f, share) for f, _, share, _ in outputs), 0.0)
    return Moments(
        law,
        made,
        gate,
        lambda r: part * r + (1 - part) * r * r,
        lambda r: steady + (1 - steady) * r,
        tuple((f, d * d) for f, _, _, d in outputs),
        law.variance * _curved(slope, points, deviation) ** 2 / gate,
        # Of a Gaussian: Stein's identity.
        sum(d * d * share * (((v - mean) / deviation) ** 2 - 1) for _, v, share, d in outputs)
        / (2 * gate),
    )


def _rectified(leak: float, law: Law) -> Moments:
    """Of a ReLU, leaky or not: the arc-cosine kernels (Cho & Saul 2009)."""
    points = law.scattered
    sides = [sum(share for value, share in points if value < 0)]
    sides.append(sum(share for value, share in points if value > 0))
    zero = 1 - sum(sides)  # Simpson's weight at 0, half on each side; or a point of its own
    below, above = (side + zero / 2 for side in sides) if law.variance > 0 else sides
    kept = [point for point in points if point.value > 0]
    if leak:
        kept += [Point(leak * value, share) for value, share in points if value < 0]
        kept.append(Point(0.0, zero))
    else:
        kept.append(Point(0.0, 1 - sides[1]))
    made = Law(tuple(point for point in sorted(kept) if point.share > _LEAST), 0.0)
    gate = above + leak * leak * below
    steady = (above + leak * below) ** 2 / gate if gate else 1.0
    none = _arc_slopes(leak, 0.0)
    return Moments(
        law,
        made,
        gate,
        _arc_kernel(leak),
        lambda r: steady + (1 - steady) * (_arc_slopes(leak, r) - none) / (1 - none),
        tuple((v if v > 0 else leak * v, _square_slope(leak, v, law)) for v, _ in points),
        _lean(law, (1 - leak) ** 2 / gate) if gate else 0.0,
    )


def _lean(law: Law, factor: float) -> float:
    """Of a slope that steps by one at 0: by Stein's identity what the density is there."""
    if law.variance <= 0:
        return 0.0
    density = sum(share * exp(-value * value / (2 * law.variance)) for value, share in law.points)
    return factor * density**2 / (2 * pi)


def _curved(slope: Callable[[float], float], points: Sequence[Point], deviation: float) -> float:
    """The mean of the second derivative."""
    step = deviation / _STEPS
    return sum(share * (slope(v + step) - slope(v - step)) for v, share in points) / (2 * step)


def _square_slope(leak: float, value: float, law: Law) -> float:
    if value or law.variance <= 0:
        return 1.0 if value > 0 else leak * leak
    return (1 + leak * leak) / 2  # an end of both sides' integrals


def _arc(r: float) -> float:
    """E[relu(u) relu(v)] / E[relu(u)^2] of Gaussians that correlate by r."""
    if -1 < r < 1:
        return (sqrt(1 - r * r) + r * acos(-r)) / pi
    return float(r > 0)


@lru_cache(maxsize=64)
def _arc_kernel(leak: float) -> Callable[[float], float]:
    if not leak:
        return lambda r: (_arc(r) - 1 / pi) / (1 - 1 / pi)

    def raw(r: float) -> float:
        return (1 + leak * leak) * _arc(r) - 2 * leak * _arc(-r)

    none, full = raw(0), raw(1)
    return lambda r: (raw(r) - none) / (full - none)


def _arc_slopes(leak: float, r: float) -> float:
    """The mean product of the slopes at two Gaussians that correlate by r, by their mean square."""
    apart = acos(max(-1.0, min(1.0, r))) / pi  # the share of pairs of unlike sign
    return 1 - apart + 2 * leak * apart / (1 + leak * leak)


def highest(law: Law, count: int) -> Law:
    """The law of the greatest of so many independent values."""
    points = sorted(law.scattered)
    below = [0.0, *accumulate(share for _, share in points)]
    return Law(
        tuple(
            Point(value, below[at + 1] ** count - below[at] ** count)
            for at, (value, _) in enumerate(points)
        ),
        0.0,
    )


_Bent = tuple[Callable[[float], float], Callable[[float], float]]
"""A function and its slope."""


def _sigmoid(x: float) -> float:
    return 0.5 * (1 + tanh(x / 2))


def _normal(x: float) -> float:
    """The share of a Gaussian below x."""
    return 0.5 * (1 + erf(x / sqrt(2)))


def _softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


def _mish_slope(x: float) -> float:
    soft = _softplus(x)
    return tanh(soft) + x * _sigmoid(x) / cosh(min(soft, 300.0)) ** 2


def _hard(x: float) -> float:
    return min(max(x + 3, 0.0), 6.0) / 6


def _elu(alpha: float) -> _Bent:
    return (
        lambda x: x if x > 0 else alpha * (exp(x) - 1),
        lambda x: 1.0 if x > 0 else alpha * exp(x),
    )


_FUNCTIONS: dict[type[ops.Op], _Bent] = {
    ops.ReLU6: (
        lambda x: min(max(x, 0.0), 6.0),
        lambda x: sqrt(0.5) if x == 0 else float(0 < x < 6),
    ),
    ops.GELU: (
        lambda x: x * _normal(x),
        lambda x: _normal(x) + x * exp(-x * x / 2) / sqrt(2 * pi),
    ),
    ops.SiLU: (
        lambda x: x * _sigmoid(x),
        lambda x: _sigmoid(x) * (1 + x * (1 - _sigmoid(x))),
    ),
    ops.Mish: (lambda x: x * tanh(_softplus(x)), _mish_slope),
    ops.Hardswish: (
        lambda x: x * _hard(x),
        lambda x: float(x >= 3) if abs(x) >= 3 else (2 * x + 3) / 6,
    ),
    ops.Sigmoid: (_sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x))),
}
"""Activations without settings that do not scale with their input."""
