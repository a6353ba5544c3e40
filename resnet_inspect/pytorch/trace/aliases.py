"""Tensors that share memory: which part of it each of them shows, and what is written there."""

from __future__ import annotations

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
    def box(self) -> dict[int, tuple[int, int]] | None:
        """From where to where it goes along each axis of the memory, by the axis's stride.

        None where it does not lie along axes, such as a diagonal.
        """
        rest, wide, found = self.offset, 0, {}
        axes = {step: size for size, step in zip(self.size, self.stride, strict=True) if size > 1}
        for step in sorted(axes, reverse=True):
            if step < 1:
                return None
            first, rest = divmod(rest, step)
            if wide and (wide % step or (first + axes[step]) * step > wide):
                return None
            found[step], wide = (first, first + axes[step]), step
        return found if rest == 0 or not wide else None

    def apart(self, other: Region) -> bool:
        """Whether it is known that the two have no element in common."""
        (first, last), (start, stop) = self.span, other.span
        if last <= start or stop <= first:
            return True
        mine, theirs = self.box, other.box
        if not mine or not theirs or mine.keys() != theirs.keys():
            return False
        return any(
            mine[axis][1] <= theirs[axis][0] or theirs[axis][1] <= mine[axis][0] for axis in mine
        )

    def covers(self, other: Region) -> bool:
        """Whether it is known that all elements of the other are among its own."""
        (first, last), (start, stop) = self.span, other.span
        if not first <= start <= stop <= last:
            return False
        elements = 1
        for size in self.size:
            elements *= size
        if self == other or elements == last - first:
            return True
        mine, theirs = self.box, other.box
        if not mine or not theirs or mine.keys() != theirs.keys():
            return False
        return all(
            mine[axis][0] <= theirs[axis][0] and theirs[axis][1] <= mine[axis][1] for axis in mine
        )


class Write(NamedTuple):
    """A node that wrote to a part of a storage. shown: the part that the node's own value shows."""

    node: fx.Node
    written: Region
    shown: Region


def view(written: torch.Tensor) -> torch.Tensor:
    """Stands in a recorded graph for what a view shows after its base was written."""
    return written


def write(tensor: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
    """Stands in a recorded graph for a tensor of which views were written."""
    return tensor
