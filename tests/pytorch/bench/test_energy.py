"""Energy between the ticks of a counter."""

from __future__ import annotations

from itertools import chain, repeat

import pytest
from simulated import SimulatedClock

from resnet_inspect.pytorch.bench import energy


@pytest.mark.parametrize("ticks_after", [0.05, 0.1, 0.7])
@pytest.mark.parametrize("run", [0.0003, 0.013, 1.3])
def test_energy_is_read_between_ticks_of_the_counter(run: float, ticks_after: float) -> None:
    """A GPU of 700 W whose counter moves only now and then: exact to one run at either end."""
    clock = SimulatedClock(repeat(run))

    def counter() -> float:
        return 700 * ticks_after * (clock.elapsed // ticks_after)

    found = energy.joules_of_a_run(counter, clock, lambda: None, run)
    assert found is not None
    seen_late = max(run, energy.ENERGY_BURST) / energy.ENERGY_SECONDS
    skipped = ticks_after / energy.ENERGY_SECONDS if run > ticks_after else 0
    assert abs(found / (700 * run) - 1) <= seen_late + skipped
    assert clock.elapsed >= energy.ENERGY_SECONDS


@pytest.mark.parametrize("readings", [[None], [5.0, None], [5.0, 6.0, None], [5.0]])
def test_energy_is_unknown_without_a_moving_counter(
    readings: list[float | None],
) -> None:
    told = chain(readings, repeat(readings[-1]))
    clock = SimulatedClock(repeat(0.01))
    assert energy.joules_of_a_run(lambda: next(told), clock, lambda: None, 0.01) is None


def test_a_counter_that_answers_late_is_asked_less_often() -> None:
    """The GPU does nothing while it is asked; that must not be part of what a run takes."""
    clock, asked = SimulatedClock(repeat(0.001)), 0

    def counter() -> float:
        nonlocal asked
        asked += 1
        clock.elapsed += 0.002
        return 700 * 0.05 * (clock.elapsed // 0.05)

    assert energy.joules_of_a_run(counter, clock, lambda: None, 0.001)
    assert 0.002 * (asked - 1) <= clock.elapsed / energy.ENERGY_LOOKS
