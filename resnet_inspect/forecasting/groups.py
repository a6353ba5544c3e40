"""Convolutions in groups on a GPU: which of them have a kernel, and what the others run as."""

from __future__ import annotations

import math

TILE = 128
"""Output channels that a kernel computes at once which was not made for groups."""

IN_TRAINING = 0.75
"""The power of its own channels with which such a kernel is worth more in training, where the
gradient of its weights takes the longer, the wider a group is; in inference 1."""


def has_kernel(groups: int, entering: int, width: int, last: bool, train: bool) -> bool:
    """Whether there is a kernel for groups with so many channels in (entering) and out (width).

    cuDNN has some with channels last for powers of two, as many in as out, and for training for 32
    groups or more of up to 32 channels; with channels first, those for training take 32 groups at
    once. Depthwise ones are torch's.
    """
    if width == 1:
        return True
    if train:
        return groups >= 32 and width <= 32 if last else groups == 32
    return not last or (entering == width and width.bit_count() == 1)


def filled(width: int, train: bool) -> int:
    """The channels of a tile that count as computed for a group of so many."""
    if not train or width >= TILE:
        return width
    return round(TILE * math.pow(width / TILE, IN_TRAINING))
