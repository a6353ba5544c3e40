"""What memory holds from the first kernel of a pass or a training step to the last.

What is held at each point is linear in the batch, so that one timeline tells all batches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

KINDS = (
    *("weights", "buffers", "optimizer", "gradients"),
    *("casts", "activations", "temporaries", "input"),
)
"""What memory holds. casts: autocast's copies of weights; activations: those that live, or are kept
for the backward pass; temporaries: gradients of activations, and what backward kernels and the
optimizer write and drop; input: the batch, which the caller holds throughout."""


class Point(NamedTuple):
    """What is held while a kernel runs, by kind: bytes for each sample, and whatever the batch is.

    phase: forward, backward (what is run again among it) or optimizer. layer: whose kernel it is.
    """

    phase: str
    layer: str
    each: tuple[int, ...]
    fixed: tuple[int, ...]

    def held(self, batch: int) -> dict[str, int]:
        """Bytes by kind."""
        sizes = zip(KINDS, self.each, self.fixed, strict=True)
        return {kind: each * batch + fixed for kind, each, fixed in sizes}


@dataclass(frozen=True)
class Timeline:
    """Points in running order. uncounted: layers without a rule; with any it is a lower bound."""

    points: tuple[Point, ...]
    uncounted: int = 0

    @cached_property
    def _totals(self) -> tuple[tuple[int, int], ...]:
        return tuple([(sum(point.each), sum(point.fixed)) for point in self.points])

    def curve(self, batch: int = 1) -> tuple[int, ...]:
        """Bytes at each point, the input among them."""
        return tuple([each * batch + fixed for each, fixed in self._totals])

    def total(self, batch: int = 1) -> int:
        """The most bytes at once, the input among them."""
        return max(self.curve(batch))

    def input(self, batch: int = 1) -> int:
        """Bytes of the input, which the caller holds throughout."""
        return self.points[0].held(batch)["input"]

    def peak(self, batch: int = 1) -> int:
        """The most bytes at once besides the input: as MemTracker counts, which is told of none."""
        return self.total(batch) - self.input(batch)

    def peak_at(self, batch: int = 1) -> Point:
        """The first point at which most is held."""
        curve = self.curve(batch)
        return self.points[curve.index(max(curve))]

    def largest_batch(self, memory: int) -> int:
        """The largest batch of which no point holds more; 0 where not even one sample fits."""
        fits = [(memory - fixed) // each for each, fixed in self._totals]
        return max(0, min(fits))


@dataclass
class Ledger:
    """Storages by number, freed when nothing holds them; notes points."""

    points: list[Point] = field(default_factory=list)
    _each: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    _fixed: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    _sizes: list[tuple[int, int, int]] = field(default_factory=list)
    _holders: list[int] = field(default_factory=list)

    def make(self, kind: str, each: int, fixed: int = 0) -> int:
        """A new storage with one holder."""
        at = _AT[kind]
        self._sizes.append((at, each, fixed))
        self._holders.append(1)
        self._each[at] += each
        self._fixed[at] += fixed
        return len(self._sizes) - 1

    def hold(self, storage: int) -> int:
        """One more holder."""
        self._holders[storage] += 1
        return storage

    def drop(self, *storages: int) -> None:
        """One holder less of each."""
        for storage in storages:
            self._holders[storage] -= 1
            if not self._holders[storage]:
                at, each, fixed = self._sizes[storage]
                self._each[at] -= each
                self._fixed[at] -= fixed

    def note(self, phase: str, layer: str = "") -> None:
        """What is held now is a point of the timeline."""
        self.points.append(Point(phase, layer, tuple(self._each), tuple(self._fixed)))


_AT = {kind: at for at, kind in enumerate(KINDS)}
