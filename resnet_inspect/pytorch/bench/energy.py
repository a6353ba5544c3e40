"""Energy of a GPU: joules of a run, from a counter that ticks only now and then."""

from __future__ import annotations

from collections.abc import Callable

import torch

from resnet_inspect.measuring.sampling import Clock, Step
from resnet_inspect.pytorch.bench import machine
from resnet_inspect.pytorch.bench.clock import clock_of

ENERGY_SECONDS = 2.0
"""Least time between the two ticks of the energy counter that a reading is taken from."""

ENERGY_BURST = 0.02
"""Seconds of runs between two looks at the energy counter, which ticks every tenth of a second."""

ENERGY_LOOKS = 50
"""How many times longer than a look the runs between two take: the GPU idles meanwhile."""


def joules(step: Step, device: torch.device, batch: int, typical: float) -> float | None:
    """Energy of the whole GPU for each image; None where NVML does not give it."""
    if device.type != "cuda":
        return None
    each = joules_of_a_run(machine.Nvml(device).energy, clock_of(device), step, typical)
    return None if each is None else each / batch


def joules_of_a_run(
    energy: Callable[[], float | None], clock: Clock, step: Step, typical: float
) -> float | None:
    """Joules of each run between two ticks of a counter, ENERGY_SECONDS or more apart.

    typical: seconds of a run. None where there is no counter, or it does not move.
    """
    start = clock.now()
    reading = energy()
    burst = max(ENERGY_BURST, ENERGY_LOOKS * (clock.now() - start))
    count = max(1, int(burst / typical)) if typical else 1
    since, runs, first = clock.now(), 0, None
    while reading is not None:
        runs += len(clock.time(step, count))
        before, reading = reading, energy()
        elapsed = clock.now() - since
        if reading is None or (reading == before and elapsed > 2 * ENERGY_SECONDS):
            return None
        if reading == before:
            continue
        if first is None:
            first, since, runs = reading, clock.now(), 0
        elif elapsed >= ENERGY_SECONDS:
            return (reading - first) / runs
    return None
