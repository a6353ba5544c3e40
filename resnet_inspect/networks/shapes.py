"""Shapes of tensors, and what windows and gates make of them.

A shape is (channels, height, width), or (features,) after flattening; the batch is not part of it.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

from resnet_inspect.errors import ShapeError, shown

Shape = tuple[int, ...]

Pair = tuple[int, int]

elements = prod
"""The number of elements of one sample of a shape."""


LARGEST_INPUT = 2**55
"""Elements that a tensor can have: torch counts their bytes, of at most 16 each, in 64 bits."""


def checked_input(shape: Shape) -> Shape:
    """The shape itself; raises ShapeError where it has more elements than a tensor can."""
    if prod(shape) > LARGEST_INPUT:
        raise ShapeError(f"input {shown(shape)} is too large; give at most 2^55 elements")
    return shape


def show_shape(shape: Shape) -> str:
    """A shape as people write it: 64x112x112."""
    return "x".join(map(str, shape))


def divisible(number: float, multiple: int = 8, least: float = 0.9) -> int:
    """The nearest multiple, half up; up where it would be less than `least` of the number.

    (timm and torchvision round channels so.)
    """
    nearest = max(multiple, int(number + multiple / 2) // multiple * multiple)
    return nearest + multiple * (nearest < least * number)


def slid(shape: Shape, kernel: Shape, stride: Shape, padding: Shape, ceil: bool = False) -> Shape:
    """Positions of a window along each axis after the channels (torch.nn.MaxPool2d's formula).

    Raises ShapeError where it does not fit.
    """
    counts = _positions(shape[1:], kernel, stride, padding, ceil)
    if min(counts, default=1) < 1:
        least = (shape[0], *(max(1, k - 2 * p) for k, p in zip(kernel, padding, strict=True)))
        raise ShapeError(
            f"slides a {show_shape(kernel)} window with padding {show_shape(padding)} over "
            f"an input of {show_shape(shape)}; the least it fits is {show_shape(least)}"
        )
    return counts


@lru_cache(maxsize=1024)
def _positions(sizes: Shape, kernel: Shape, stride: Shape, padding: Shape, ceil: bool) -> Shape:
    counts = []
    for size, extent, step, edge in zip(sizes, kernel, stride, padding, strict=True):
        room = size + 2 * edge - extent
        count = (-(-room // step) if ceil else room // step) + 1
        if ceil and (count - 1) * step >= size + edge:
            count -= 1  # it would start in the right-hand padding, and torch drops it
        counts.append(count)
    return tuple(counts)


def reached(kernel: Shape, dilation: Shape) -> Shape:
    """The extent of a dilated window."""
    spread = dilation or (1,) * len(kernel)
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, spread, strict=True))


def is_gate(gate: Shape, features: Shape) -> bool:
    """Whether a tensor is what `Scale` takes as the gate of features: a number a channel."""
    return len(features) == 3 and gate == (features[0], 1, 1)
