"""A device's clock: CUDA events on a GPU, the wall clock elsewhere."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch

from resnet_inspect.measuring.sampling import Clock, Step


class Stopwatch(Clock):
    """A clock that can also be stopped many times within one run."""

    def mark(self) -> None:
        """Note the time at which all that was started so far is done."""
        raise NotImplementedError

    def laps(self) -> list[float]:
        """Seconds between the marks since the last call, once the device is done."""
        raise NotImplementedError

    def now(self) -> float:
        return time.perf_counter()

    def time(self, step: Step, count: int) -> list[float]:
        with collector_off():
            for _ in range(count):
                self.mark()
                step()
                self.mark()
            # Every other lap is the time between two runs.
            return self.laps()[::2]


class WallClock(Stopwatch):
    """For devices that are done when the call returns."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def mark(self) -> None:
        self._marks.append(time.perf_counter())

    def laps(self) -> list[float]:
        marks, self._marks = self._marks, []
        return [end - start for start, end in pairwise(marks)]


class CudaClock(Stopwatch):
    """Events on the current stream, read after the device has been waited for.

    Runs are not waited for one by one, so the device never idles for the reading; each run's time
    is what passes between its events on the device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._events: list[torch.cuda.Event] = []
        self._used = 0
        self._stream: torch.cuda.Stream | None = None

    def mark(self) -> None:
        if not self._used:  # asking for the stream takes as long as recording the event
            self._stream = torch.cuda.current_stream(self._device)
        if self._used == len(self._events):
            self._events.append(torch.cuda.Event(enable_timing=True))
        self._events[self._used].record(self._stream)
        self._used += 1

    def laps(self) -> list[float]:
        torch.cuda.synchronize(self._device)
        marks, self._used = self._events[: self._used], 0
        return [start.elapsed_time(end) / 1e3 for start, end in pairwise(marks)]

    def time(self, step: Step, count: int) -> list[float]:
        torch.cuda.synchronize(self._device)
        return super().time(step, count)


def clock_of(device: torch.device) -> Stopwatch:
    """The clock of a device."""
    return CudaClock(device) if device.type == "cuda" else WallClock()


@contextmanager
def collector_off() -> Iterator[None]:
    """Python's garbage collector does not run while times are taken (as in timeit)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
