"""What fits into a memory: the largest batch, or the largest input at a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from resnet_inspect.counting.timeline import Point, Timeline
from resnet_inspect.counting.training_memory import inference_memory, training_memory
from resnet_inspect.counting.training_step import Settings
from resnet_inspect.errors import FormatError, InspectError, ShapeError
from resnet_inspect.forecasting.devices import Device, devices
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.shapes import Shape

RESERVE = 2**30
"""Bytes kept back for the CUDA context, the kernels of its libraries and their workspaces."""

SLACK = 0.05
"""The share of the rest that the allocator loses to rounding and gaps."""

_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("kmgt", 1)
    for suffix, base in (("b", 1000), ("ib", 1024), ("", 1024))
}


def bytes_of(text: str | int, option: str = "memory") -> int:
    """24GiB, 24 GB, 512MiB or a number of bytes; raises FormatError."""
    given = re.fullmatch(r"(\d{1,18}(?:\.\d{1,20})?) *([a-z]*)", str(text).strip().lower())
    if given is None or given[2] not in _UNITS:
        raise FormatError(f"{option} is {str(text)!r}; give bytes, such as 24GiB or 512MiB")
    return int(float(given[1]) * _UNITS[given[2]])


class Room(NamedTuple):
    """A memory: whose it is, its bytes, and what of them is kept back."""

    name: str
    memory: int
    kept: int

    @property
    def budget(self) -> int:
        """Bytes for the network."""
        return self.memory - self.kept


def room(
    of: str | int | Device,
    reserve: int = RESERVE,
    slack: float = SLACK,
    dtype: str | None = None,
) -> Room:
    """The memory of a device, or so many bytes.

    Raises InspectError for a device without memory of its own, or without units for a dtype of
    16 bits (what is wider runs everywhere).
    """
    if isinstance(of, Device):
        if not of.memory:
            raise InspectError(f"{of.name} has no memory of its own; give --memory, such as 64GiB")
        if dtype and dtype.endswith("16"):
            of.peak(dtype.removeprefix("amp-"))
        name, memory = of.name, of.memory
    else:
        name, memory = str(of), bytes_of(of)
        if isinstance(of, str) and of.isdigit() and memory < 2**20:
            raise FormatError(f"memory of {name} bytes holds no network; give {name}GiB")
    if not 0 <= slack < 1:
        raise InspectError(f"slack is {slack}; give a share of 1, such as 0.05")
    return Room(name, memory, min(memory, reserve + int(slack * max(0, memory - reserve))))


@dataclass(frozen=True)
class Fit:
    """What fits: the largest batch (0: none), or the largest input at `batch`."""

    graph: LayerGraph
    room: Room
    settings: Settings
    train: bool
    batch: int
    timeline: Timeline

    @property
    def point(self) -> Point:
        """Where the most is held."""
        return self.timeline.peak_at(self.batch)

    @property
    def total(self) -> int:
        """The most bytes at once."""
        return self.timeline.total(self.batch)

    def around(self) -> Iterator[Fit]:
        """Batches around: powers of two from a quarter of it to twice, itself, and one more."""
        near = {2**power for power in range(max(1, self.batch).bit_length() + 1)}
        near = {batch for batch in near if 4 * batch >= self.batch}
        for batch in sorted(near | {self.batch, self.batch + 1} - {0}):
            yield Fit(self.graph, self.room, self.settings, self.train, batch, self.timeline)


def timeline(graph: LayerGraph, settings: Settings, train: bool) -> Timeline:
    """Of a training step, or of an inference pass."""
    return training_memory(graph, settings) if train else inference_memory(graph, settings.dtype)


def fit(graph: LayerGraph, into: Room, settings: Settings, train: bool) -> Fit:
    """The largest batch that fits."""
    held = timeline(graph, settings, train)
    return Fit(graph, into, settings, train, held.largest_batch(into.budget), held)


def fit_input(
    at: Callable[[Shape], LayerGraph],
    graph: LayerGraph,
    into: Room,
    settings: Settings,
    train: bool,
    batch: int,
) -> Fit:
    """The largest square input that fits at a batch; at: the network for an input."""
    channels = graph.input_shape[0]
    known: dict[int, Fit | None] = {}

    def fits(side: int) -> bool:
        try:
            sized = at((channels, side, side))
        except ShapeError:  # smaller than the network takes
            return True
        held = timeline(sized, settings, train)
        known[side] = Fit(sized, into, settings, train, batch, held)
        return held.total(batch) <= into.budget

    side = max(graph.input_shape[1:])
    low, high = 0, side
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    found = known.get(low)
    if found is None:
        raise InspectError(
            f"no input of {graph.name} fits in {into.name} at batch {batch}; give a smaller batch"
        )
    return found


def too_large(fit: Fit) -> InspectError:
    """An error that says what would do where not even one sample fits."""
    least, kept = fit.timeline.total(1), fit.room.kept
    words = f"{fit.graph.name} holds {_gib(least)} at batch 1"
    if fit.train and fit.settings.checkpoint == "none":
        again = fit.settings._replace(checkpoint="block")
        less = timeline(fit.graph, again, True).total(1)
        if less <= fit.room.budget:
            return InspectError(f"{words}, more than {_left(fit.room)}; checkpoint by block")
    large = [each for each in devices().values() if each.memory]
    enough = [each for each in large if room(each, kept).budget >= least]
    best = min(enough, key=lambda device: device.memory, default=None)
    device = f", such as {best.name} has" if best else ""
    needed = least + max(kept, RESERVE)
    return InspectError(f"{words}, more than {_left(fit.room)}; take {_gib(needed)}{device}")


def _left(room: Room) -> str:
    return f"what {room.name} has beside the {_gib(room.kept)} kept back"


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"
