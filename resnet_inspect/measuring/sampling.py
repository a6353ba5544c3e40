"""When a time is known well enough: warm-up, the stopping rule, percentiles, the median's interval.

Pure arithmetic over seconds and a `Clock`; what is timed, and on what, is the caller's.

The interval is distribution-free (order statistics; Conover 1999, 'Practical Nonparametric
Statistics', section 3.2; David & Nagaraja 2003, 'Order Statistics', section 7.1): latencies are
skewed, so an interval built from a standard deviation would say too much. It asks for independent
runs, and a machine drifts: runs that resemble their neighbours count as fewer (batching; Seila
1982, 'A Batching Approach to Quantile Estimation in Regenerative Simulations', Management Science
28, pages 573 to 581).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Annotated, Protocol

from msgspec import Meta

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.statistics import summary

Step = Callable[[], object]

Seconds = Annotated[float, Meta(ge=1e-30, le=1e9)]

Times = Annotated[tuple[Seconds, ...], Meta(min_length=1)]

LONGEST = 7 * 24 * 3600.0
"""Seconds that a measurement may take."""


class Clock(Protocol):
    """A device's clock."""

    def now(self) -> float:
        """Seconds of wall clock since some start, for budgets."""

    def time(self, step: Step, count: int) -> list[float]:
        """Seconds that each of `count` runs of `step` takes on the device."""


Timed = Callable[[int], list[float]]
"""Seconds of each of this many runs."""


@dataclass(frozen=True)
class StoppingRule:
    """When to stop.

    half_width: of the median's interval, relative to the median. confidence: of that interval.
    budget: seconds for measuring, after which it ends if there are the least runs; warmup: seconds
    for the warm-up, which takes at least least_warmup. least, most: runs that are kept; 6 is the
    fewest that give an interval at 95%. tolerance: how far the medians of two windows may differ in
    steady state. burst: seconds of runs between two looks at the clock.
    """

    half_width: float = 0.01
    confidence: float = 0.95
    budget: float = 10.0
    warmup: float = 10.0
    least_warmup: float = 0.0
    least: int = 6
    most: int = 10_000
    tolerance: float = 0.02
    burst: float = 0.1

    def checked(self) -> StoppingRule:
        """The rule itself; raises InspectError for a value that no measurement can meet."""
        if not 0 < self.half_width < 1:
            what = "give a share of the median between 0 and 1, such as 0.01"
            raise InspectError(f"half width is {self.half_width:g}; {what}")
        if not 0 < self.confidence < 1:
            raise InspectError(f"confidence is {self.confidence:g}; give one between 0 and 1")
        if not 0 < self.budget <= LONGEST:
            raise InspectError(f"budget is {self.budget:g} seconds; give more than 0, to a week")
        return self


@dataclass(frozen=True)
class Sample:
    """Seconds of each run.

    first: the very first, which compiles, tunes and allocates. warmup: those up to steady state;
    steady: whether it was reached. times: those that count; converged: whether their interval is
    as narrow as was asked for.
    """

    first: Seconds
    warmup: tuple[Seconds, ...]
    times: Times
    steady: bool
    converged: bool


def narrow_enough(times: Sequence[float], rule: StoppingRule) -> bool:
    """Whether the median's interval is as narrow as the rule asks."""
    if len(times) < rule.least:
        return False
    width = summary(times, rule.confidence).half_width
    return width is not None and width <= rule.half_width


def _convergence(rule: StoppingRule) -> Callable[[Sequence[float]], bool]:
    """Asks of growing values whether they are narrow enough, as often as there are half again.

    Looked at after every run, an interval would sooner or later happen to be narrow.
    """
    look = rule.least

    def converged(values: Sequence[float]) -> bool:
        nonlocal look
        if len(values) < look:
            return False
        look = len(values) * 3 // 2
        return narrow_enough(values, rule)

    return converged


def is_steady(times: Sequence[float], window: int, tolerance: float = 0.02) -> bool:
    """Whether the last `window` runs took as long as the `window` before them.

    Their medians may differ by `tolerance`, or, where single runs scatter more than that, by a
    quarter of what the middle half of both windows scatters.
    """
    if len(times) < 2 * window:
        return False
    before, after = times[-2 * window : -window], times[-window:]
    middle = median(before)
    quartiles = [quantiles(part, n=4, method="inclusive") for part in (before, after)]
    scatter = min(third - first for first, _, third in quartiles)
    return abs(median(after) - middle) <= max(tolerance * middle, scatter / 4)


def sample(clock: Clock, step: Step, rule: StoppingRule) -> Sample:
    """Run `step` until its time is steady, then until the rule is met."""
    (first,) = clock.time(step, 1)
    warmup, steady = _warm_up(clock, step, rule)
    typical = median(warmup[-3:])
    times: list[float] = []
    start, converged = clock.now(), _convergence(rule)
    while len(times) < rule.most:
        late = clock.now() - start >= rule.budget
        if late and len(times) >= rule.least:
            break
        needed = rule.least - len(times)
        count = min(_burst(typical, rule), rule.most - len(times))
        times += clock.time(step, max(1, min(count, needed) if late else count))
        if converged(times):
            break
    return Sample(first, tuple(warmup), tuple(times), steady, narrow_enough(times, rule))


def _warm_up(clock: Clock, step: Step, rule: StoppingRule) -> tuple[list[float], bool]:
    """Windows of runs until two in a row take equally long, or the warm-up's budget is spent."""
    start = clock.now()
    warmup = clock.time(step, 1)
    window = max(3, _burst(warmup[-1], rule))
    while True:
        if clock.now() - start >= rule.warmup:
            return warmup, False
        warmup += clock.time(step, window)
        enough = clock.now() - start >= rule.least_warmup
        if enough and is_steady(warmup, window, rule.tolerance):
            return warmup, True
        window = max(3, _burst(median(warmup[-window:]), rule))


def interleaved(
    now: Callable[[], float], old: Timed, new: Timed, rule: StoppingRule
) -> list[float]:
    """How long the median run of `new` takes relative to that of `old`, in each of some turns.

    Bursts of both alternate, old new new old, so what a machine drifts meanwhile touches both alike
    (interleaved trials; Abedi & Brecht 2017, 'Conducting Repeatable Experiments in Highly Variable
    Cloud Computing Environments', ICPE). now: seconds, for the budget. It ends as `sample` does, by
    the interval of the ratios' median.
    """
    runs = (old, new)
    counts = [_burst(median(run(1)), rule) for run in runs]
    ratios: list[float] = []
    start, converged = now(), _convergence(rule)
    while len(ratios) < rule.most:
        order = (0, 1) if len(ratios) % 2 == 0 else (1, 0)
        took = {which: median(runs[which](counts[which])) for which in order}
        ratios.append(took[1] / took[0] if took[0] else 1.0)
        late = now() - start >= rule.budget
        if converged(ratios) or (late and len(ratios) >= rule.least):
            break
    return ratios


def _burst(typical: float, rule: StoppingRule) -> int:
    """How many runs take about `rule.burst` seconds: 1 to 1000."""
    return max(1, min(1000, int(rule.burst / typical))) if typical > 0 else 1000
