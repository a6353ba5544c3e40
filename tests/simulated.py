"""A device that is not there: its clock."""

from __future__ import annotations

from collections.abc import Iterator

from resnet_inspect.measuring.sampling import Step


class SimulatedClock:
    """A device whose runs take as long as it is told; its budget clock runs with them."""

    def __init__(self, durations: Iterator[float]) -> None:
        self.durations = durations
        self.elapsed = 0.0
        self.runs = 0

    def now(self) -> float:
        return self.elapsed

    def time(self, step: Step, count: int) -> list[float]:
        taken = []
        for _ in range(count):
            step()
            taken.append(next(self.durations))
        self.elapsed += sum(taken)
        self.runs += count
        return taken
