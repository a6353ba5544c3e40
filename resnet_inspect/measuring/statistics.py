"""Order statistics of times, in whole numbers where they can be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import median, quantiles
from typing import NamedTuple


class Summary(NamedTuple):
    """Seconds. low, high: the median's interval, None where there are too few runs for one.

    independent: the `effective_sample_size`.
    """

    runs: int
    independent: int
    median: float
    p10: float
    p90: float
    p99: float
    low: float | None
    high: float | None

    @property
    def half_width(self) -> float | None:
        """Half the interval's width relative to the median; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


@lru_cache(maxsize=4096)
def interval_rank(count: int, confidence: float = 0.95) -> int | None:
    """The largest k for which the k-th smallest and k-th largest of `count` enclose the median.

    At `confidence`: 1 - 2 P(Binomial(count, 1/2) < k) is the chance that they do, whatever the
    distribution. None where even the extremes enclose it less often. Counted in whole numbers.
    """
    allowed = (1 - confidence) / 2
    whole, term, below, rank = 1 << count, 1, 0, 0
    while rank < count // 2:
        below += term  # the ways in which at most `rank` of `count` lie below the median
        if below / whole > allowed:
            break
        term = term * (count - rank) // (rank + 1)
        rank += 1
    return rank or None


BLOCKS = 10
"""Consecutive parts of equal length in which runs are counted to see whether they drift."""

_CHANCE = 16.92 / (BLOCKS - 1)
"""What the ratio below exceeds by chance in 5% of independent series: chi-square, 9 degrees."""


def effective_sample_size(values: Sequence[float]) -> int:
    """How many independent values would tell as much of the median as these, in their order.

    In consecutive blocks the number of values above the median varies as a binomial one does, if
    they are independent. If it varies more than chance explains, their number is divided by the
    ratio of the two variances. All of them where there are too few to tell (under four a block).
    """
    each = len(values) // BLOCKS
    if each < 4:
        return len(values)
    middle = median(values)
    above = [(value > middle) + (value == middle) / 2 for value in values[-each * BLOCKS :]]
    mean = sum(above) / len(above)
    expected = each * sum((one - mean) ** 2 for one in above) / len(above)
    sums = [sum(above[start : start + each]) for start in range(0, len(above), each)]
    variance = sum((one - each * mean) ** 2 for one in sums) / (BLOCKS - 1)
    if variance <= _CHANCE * expected:
        return len(values)
    return round(len(values) * expected / variance)


def median_interval(
    values: Sequence[float], confidence: float = 0.95, independent: int | None = None
) -> tuple[float, float] | None:
    """The interval that encloses the median at `confidence`; None for too few values.

    independent: how many of them count (default: the `effective_sample_size`). If too few of many
    do, the interval is from the smallest to the largest.
    """
    count = len(values)
    if interval_rank(count, confidence) is None:
        return None
    worth = independent or effective_sample_size(values)
    rank = (interval_rank(worth, confidence) or 0) * count // worth or 1
    ordered = sorted(values)
    return ordered[rank - 1], ordered[-rank]


def summary(times: Sequence[float], confidence: float = 0.95) -> Summary:
    """Median, percentiles and interval of some seconds, of which there is at least one."""
    worth = effective_sample_size(times)
    low, high = median_interval(times, confidence, worth) or (None, None)
    # With linear interpolation (Hyndman & Fan 1996, type 7: NumPy's default).
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else [*times] * 99
    return Summary(len(times), worth, median(times), cuts[9], cuts[89], cuts[98], low, high)


LEAST_DIFFERENCE = 0.01
"""Of two medians, relative: two processes may differ by this much, whatever their intervals."""


def differs(ratio: float, interval: tuple[float, float]) -> int:
    """Whether a time is longer (1) or shorter (-1) than another, by their ratio, or neither (0).

    It is if the interval of the ratio leaves 1 out, and the difference is above LEAST_DIFFERENCE.
    """
    if interval[0] <= 1 <= interval[1] or abs(ratio - 1) <= LEAST_DIFFERENCE:
        return 0
    return 1 if ratio > 1 else -1
