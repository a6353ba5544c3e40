"""Statistics of latencies, and when to stop, with a simulated clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, count, product, repeat
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import SimulatedClock

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.sampling import StoppingRule, Timed, interleaved, is_steady, sample
from resnet_inspect.measuring.statistics import (
    BLOCKS,
    effective_sample_size,
    interval_rank,
    median_interval,
    summary,
)

seconds = st.lists(st.floats(1e-6, 10, allow_nan=False), min_size=2, max_size=200)


def nothing() -> None:
    pass


def test_percentiles_by_hand() -> None:
    times = summary([4.0, 1.0, 3.0, 2.0])
    assert times.median == 2.5
    assert (times.p10, times.p90) == (pytest.approx(1.3), pytest.approx(3.7))
    assert summary([1.0, 2.0, 3.0, 4.0, 5.0]).p90 == pytest.approx(4.6)
    single = summary([7.0])
    assert (single.p10, single.median, single.p99) == (7.0, 7.0, 7.0)


def test_ranks_are_those_of_the_published_tables() -> None:
    """Conover 1999 and many tables of 95% intervals of the median: n and the lower rank."""
    published = {5: None, 6: 1, 8: 1, 9: 2, 10: 2, 12: 3, 15: 4, 20: 6, 30: 10, 50: 18, 100: 40}
    assert {n: interval_rank(n) for n in published} == published


@pytest.mark.parametrize("n", range(1, 13))
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_ranks_enclose_the_median_as_often_as_they_say(n: int, confidence: float) -> None:
    """Every run falls below or above the true median with equal chance: all ways are counted."""
    ways = [sum(below) for below in product((0, 1), repeat=n)]

    def coverage(rank: int) -> float:
        return sum(rank <= below <= n - rank for below in ways) / len(ways)

    rank = interval_rank(n, confidence)
    if rank is None:
        assert coverage(1) < confidence
    else:
        assert coverage(rank) >= confidence
        assert rank == n // 2 or coverage(rank + 1) < confidence


@given(seconds)
def test_the_interval_encloses_the_median(values: list[float]) -> None:
    found = median_interval(values)
    if found is None:
        assert len(values) < 6
    else:
        assert found[0] <= median(values) <= found[1]


def test_large_samples_are_quick_and_have_an_interval() -> None:
    assert interval_rank(10_000) == 4902


def test_a_summary_without_an_interval_says_so() -> None:
    found = summary([1.0, 2.0, 3.0])
    assert (found.median, found.low, found.high, found.half_width) == (2.0, None, None, None)
    found = summary([1.0] * 5 + [3.0])
    assert (found.low, found.high, found.half_width) == (1.0, 3.0, 1.0)


def drifting(kinship: float, number: random.Random, length: int) -> list[float]:
    """Runs around a median of 1 s of which each is like the one before: AR(1)."""
    scatter, found = number.gauss(0, 1), []
    for _ in range(length):
        scatter = kinship * scatter + (1 - kinship**2) ** 0.5 * number.gauss(0, 1)
        found.append(1 + 0.01 * scatter)
    return found


@pytest.mark.parametrize(("kinship", "least"), [(0.0, 0.94), (0.5, 0.9), (0.8, 0.9), (0.95, 0.9)])
def test_the_interval_holds_for_runs_that_drift(kinship: float, least: float) -> None:
    """As often as it says, within sampling error, where one for independent runs is often wrong."""
    number = random.Random(0)
    series = [drifting(kinship, number, 2000) for _ in range(200)]

    def coverage(independent: int | None) -> float:
        found = [median_interval(values, 0.95, independent) for values in series]
        return sum(one is not None and one[0] <= 1 <= one[1] for one in found) / len(series)

    assert coverage(None) >= least
    if kinship >= 0.8:
        assert coverage(2000) < 0.6, "what independence would have one believe"


def test_runs_count_as_fewer_only_where_they_drift() -> None:
    even = [0.010, 0.011] * 50
    assert effective_sample_size(even) == 100
    assert effective_sample_size([0.010] * 100) == 100
    slower = [0.010] * 50 + [0.011] * 50
    assert effective_sample_size(slower) < BLOCKS
    assert median_interval(slower) == (0.010, 0.011)
    assert median_interval(slower, 0.9999) == (0.010, 0.011), "all that was seen"
    assert effective_sample_size(slower[::3]) == len(slower[::3]), "too few to tell"
    assert summary(slower).independent < BLOCKS


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=200))
def test_runs_never_count_as_more_than_they_are(values: list[float]) -> None:
    assert 1 <= effective_sample_size(values) <= len(values)
    found = median_interval(values)
    if found is not None:
        naive = median_interval(values, independent=len(values))
        assert naive is not None
        assert found[0] <= naive[0] <= naive[1] <= found[1]


RULE = StoppingRule(half_width=0.01, budget=10, warmup=5, least=6, most=10_000, burst=0.1)


def test_constant_times_end_at_once() -> None:
    found = sample(SimulatedClock(repeat(0.02)), nothing, RULE)
    assert found.steady
    assert found.converged
    assert set(found.times) == {0.02}
    assert RULE.least <= len(found.times) <= 2 * RULE.least


def test_warm_up_lasts_until_the_time_is_steady_and_is_left_out() -> None:
    """The first runs compile and ramp clocks up; none of that reaches the times that count."""
    ramp = [3.0, *(0.05 * (1 + 0.9**k) for k in range(60))]
    found = sample(SimulatedClock(chain(ramp, repeat(0.05))), nothing, RULE)
    assert found.first == 3.0
    assert found.steady
    assert max(found.times) < 0.05 * 1.05
    assert len(found.warmup) > 20


def test_warm_up_lasts_as_long_as_a_gpus_clocks_need() -> None:
    clock = SimulatedClock(repeat(0.02))
    found = sample(clock, nothing, replace(RULE, least_warmup=1.0))
    assert found.steady
    assert 1.0 <= sum(found.warmup) < 1.5


def test_the_budget_ends_a_warm_up_that_never_steadies() -> None:
    found = sample(SimulatedClock(0.05 * 1.05**k for k in count()), nothing, RULE)
    assert not found.steady
    assert found.times


def test_scatter_does_not_prolong_the_warm_up() -> None:
    scattered = [0.05, 0.07, 0.06, 0.09, 0.05, 0.08] * 20
    assert is_steady(scattered, 30)
    assert not is_steady([*scattered[:30], *(2 * t for t in scattered[:30])], 30)
    assert not is_steady(scattered[:59], 30)


def scatter(width: float) -> Iterator[float]:
    """The same numbers in every run: a low-discrepancy sequence around 10 ms."""
    return (0.01 * (1 + width * ((k * 0.6180339887) % 1 - 0.5)) for k in count())


def test_the_more_it_scatters_the_more_often_it_runs() -> None:
    found = [sample(SimulatedClock(scatter(width)), nothing, RULE) for width in (0.01, 0.1, 0.25)]
    assert all(one.converged for one in found)
    counts = [len(one.times) for one in found]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    for one in found:
        width = summary(one.times).half_width
        assert width is not None
        assert width <= RULE.half_width


def test_the_budget_ends_what_cannot_converge() -> None:
    rule = replace(RULE, half_width=1e-6, budget=2.0)
    clock = SimulatedClock(scatter(0.5))
    found = sample(clock, nothing, rule)
    assert not found.converged
    assert 2.0 <= sum(found.times) < 2.0 + 2 * rule.burst


def test_slow_runs_still_give_an_interval() -> None:
    found = sample(SimulatedClock(repeat(7.0)), nothing, replace(RULE, budget=1, warmup=1))
    assert len(found.times) == RULE.least
    assert summary(found.times).low == 7.0
    assert not found.steady


def test_there_is_a_most() -> None:
    rule = replace(RULE, half_width=1e-9, most=50, budget=1e9)
    assert len(sample(SimulatedClock(scatter(0.5)), nothing, rule).times) == 50


def test_a_clock_too_coarse_for_the_step_ends_too() -> None:
    found = sample(SimulatedClock(repeat(0.0)), nothing, RULE)
    assert found.converged
    assert summary(found.times).half_width == 0.0


def test_percentiles_of_a_clock_with_rare_outliers() -> None:
    """Two runs in a hundred take ten times as long: they are seen at p99 and nowhere else."""
    spiky = (0.1 if k % 50 == 49 else 0.01 for k in count())
    times = sample(SimulatedClock(spiky), nothing, replace(RULE, half_width=1e-12, least=500)).times
    found = summary(times)
    assert (found.p10, found.median, found.p90) == (0.01, 0.01, 0.01)
    assert found.p99 == pytest.approx(0.1)


def shared(pace: Callable[[float], float]) -> tuple[SimulatedClock, Timed, Timed]:
    """Two steps on one machine, the second of which takes 0.9 of the first's time, at its pace."""
    clock = SimulatedClock(repeat(0.0))

    def timed(seconds: float) -> Timed:
        def run(count: int) -> list[float]:
            clock.durations = repeat(seconds * pace(clock.elapsed))
            return clock.time(nothing, count)

        return run

    return clock, timed(0.010), timed(0.009)


@pytest.mark.parametrize(
    "pace",
    [
        lambda at: 1.0,
        lambda at: 1 + at / 10,  # ever slower, by half the difference in every turn
        lambda at: 1.0 if at < 0.7 else 1.5,  # another guest comes
    ],
    ids=["steady", "drifting", "jumping"],
)
def test_interleaved_ratios_do_not_feel_the_drift(
    pace: Callable[[float], float],
) -> None:
    clock, old, new = shared(pace)
    ratios = interleaved(clock.now, old, new, RULE)
    assert median(ratios) == pytest.approx(0.9, abs=0.01)
    found = median_interval(ratios)
    assert found is not None
    assert found[1] < 1


def test_turns_end_with_the_interval_or_the_budget() -> None:
    clock, old, new = shared(lambda at: 1.0)
    assert len(interleaved(clock.now, old, new, RULE)) == RULE.least
    number = random.Random(1)
    clock, old, new = shared(lambda at: 1 + number.random())
    rule = replace(RULE, half_width=1e-6, budget=3.0)
    assert len(interleaved(clock.now, old, new, rule)) > RULE.least
    assert 3.0 <= clock.elapsed <= 3.0 + 1.0
    assert interleaved(lambda: 0.0, lambda n: [0.0] * n, lambda n: [0.0] * n, RULE) == [1.0] * 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"half_width": 0.0}, "half width is 0"),
        ({"half_width": 1.5}, "half width is 1.5"),
        ({"confidence": 1.0}, "confidence is 1"),
        ({"budget": 0.0}, "budget is 0 seconds"),
    ],
)
def test_rules_that_nothing_can_meet(changes: dict[str, float], words: str) -> None:
    assert RULE.checked() is RULE
    with pytest.raises(InspectError, match=words):
        replace(RULE, **changes).checked()
