"""The greatest of several values of one law."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from math import erf, exp, inf, sqrt
from statistics import NormalDist
from typing import NamedTuple

from resnet_inspect.propagation.laws import Law, Point

_PLACES = {at / 2: exp(-at * at / 8) for at in range(-10, 11)}
"""Where integrals over a Gaussian are taken, and the weights there."""

_HALVINGS = 20
"""Steps towards how Gaussians correlate."""


class Greatest(NamedTuple):
    """Its law; common: the mean square of a channel's mean over inputs."""

    law: Law
    common: float


@lru_cache(maxsize=64)
def highest(law: Law, count: int, alike: float = 0.0) -> Greatest:
    """Of so many values, of which any two correlate so, by what all inputs have in common.

    They are taken as functions of Gaussians that do.
    """
    points = sorted(law.scattered)
    below = list(accumulate((share for _, share in points), initial=0.0))
    if not alike:
        made = _between(points, [share**count for share in below])
        return Greatest(made, made.mean**2)
    normal = NormalDist()
    ends = [normal.inv_cdf(share) if 0 < share < 1 else inf * (share - 0.5) for share in below]
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        in_common = _greatest(points, ends, middle, 1).common - law.mean**2
        if in_common < alike * (law.mean_square - law.mean**2):
            low = middle
        else:
            high = middle
    return _greatest(points, ends, low, count)


def _greatest(points: Sequence[Point], ends: Sequence[float], alike: float, count: int) -> Greatest:
    """ends: up to where a Gaussian's values are those up to each point."""
    own, both = sqrt(2 * (1 - alike)), sqrt(alike)
    rows = [
        [(0.5 + 0.5 * erf((end - both * place) / own)) ** count for end in ends]
        for place in _PLACES
    ]
    common = [_between(points, row).mean ** 2 for row in rows]
    return Greatest(_between(points, list(map(_mean, zip(*rows, strict=True)))), _mean(common))


def _between(points: Sequence[Point], below: Sequence[float]) -> Law:
    """The law of points; below: the share of values before each and behind the last."""
    shares = [after - before for before, after in pairwise(below)]
    return Law(tuple(Point(v, s) for (v, _), s in zip(points, shares, strict=True)), 0.0)


def _mean(values: Sequence[float]) -> float:
    """Over the places of a Gaussian."""
    total = sum(weight * value for weight, value in zip(_PLACES.values(), values, strict=True))
    return total / sum(_PLACES.values())
