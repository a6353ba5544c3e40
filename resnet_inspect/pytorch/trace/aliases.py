"""Tensors that share memory: which part of it each of them shows, and what is written there."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import fx


def storage_of(tensor: torch.Tensor) -> int:
    """What tensors that share memory have in common, for as long as one of them is there."""
    key: int = tensor.untyped_storage()._cdata
    return key


class Region(NamedTuple):
    """The elements of a storage that a tensor shows."""

    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @classmethod
    def of(cls, tensor: torch.Tensor) -> Region:
        return cls(int(tensor.storage_offset()), tuple(tensor.shape), tensor.stride())

    @property
    def span(self) -> tuple[int, int]:
        """From its first element to behind its last."""
        if 0 in self.size:
            return self.offset, self.offset
        steps = zip(self.size, self.stride, strict=True)
        return self.offset, self.offset + 1 + sum((size - 1) * step for size, step in steps)

    @property
    def axes(self) -> dict[int, int]:
        """Sizes by stride."""
        return {step: n for n, step in zip(self.size, self.stride, strict=True) if n > 1}

    def box(self, steps: Sequence[int]) -> list[tuple[int, int]] | None:
        """From where to where it goes along axes of these strides, the widest first.

        None where it does not lie along them, such as a diagonal.
        """
        rest, wide, found, axes = self.offset, 0, [], self.axes
        for step in steps:
            first, rest = divmod(rest, step)
            last = first + axes.get(step, 1)
            if wide and (wide % step or last * step > wide):
                return None
            found.append((first, last))
            wide = step
        return None if rest else found

    def boxes(self, other: Region) -> list[tuple[int, int, int, int]]:
        """Both boxes, axis by axis; empty where it is not known how they lie."""
        steps = sorted(self.axes.keys() | other.axes.keys(), reverse=True)
        if not steps or steps[-1] < 1:
            return []
        mine, theirs = self.box(steps), other.box(steps)
        if mine is None or theirs is None:
            return []
        return [(*a, *b) for a, b in zip(mine, theirs, strict=True)]

    def apart(self, other: Region) -> bool:
        """Whether it is known that two of overlapping spans have no element in common."""
        return any(last <= start or stop <= first for first, last, start, stop in self.boxes(other))

    def covers(self, other: Region) -> bool:
        """Whether it is known that all elements of the other are among its own."""
        (first, last), (start, stop) = self.span, other.span
        if not first <= start <= stop <= last:
            return False
        if self == other or prod(self.size) == last - first:
            return True
        boxes = self.boxes(other)
        return bool(boxes) and all(
            first <= start and stop <= last for first, last, start, stop in boxes
        )


class Write(NamedTuple):
    """A node that wrote to a part of a storage.

    span: the part's span. shown: the part that the node's own value shows.
    """

    node: fx.Node
    written: Region
    span: tuple[int, int]
    shown: Region

    def changes(self, region: Region, span: tuple[int, int]) -> bool:
        """Whether it may have changed what a tensor shows: a region with its span."""
        (first, last), (start, stop) = self.span, span
        return first < stop and start < last and not self.written.apart(region)


def view(written: torch.Tensor) -> torch.Tensor:
    """Stands in a recorded graph for what a view shows after its base was written."""
    return written


def write(tensor: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
    """Stands in a recorded graph for a tensor of which views were written."""
    return tensor
