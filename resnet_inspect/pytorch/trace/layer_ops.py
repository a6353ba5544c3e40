"""Ops of torch layers that rules of modules and of functions share."""

from __future__ import annotations

from dataclasses import fields, replace

from resnet_inspect.networks.ops import BatchNorm2d, Conv2d, Op
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.torch_ops import BatchNorm, Conv, Pad, Sizes


def convolution(
    conv: Conv, padding: Sizes | str, shape: Shape, made_of: tuple[int, int] | None = None
) -> tuple[Op, ...]:
    """A convolution with torch's padding; 'same' that is wider behind than before is a Pad ahead.

    shape: that of its input. made_of: entries of the parameters and buffers behind its kernel and
    bias, if it is not known that these are the kernel and bias.
    """
    edges, ahead = _edges(padding, conv)
    conv = replace(conv, padding=edges)
    if made_of not in (None, (conv.params, 0)):
        return *ahead, replace(conv, made_of=made_of)
    if (len(conv.kernel), len(shape)) != (2, 3):
        return *ahead, conv
    return *ahead, Conv2d(*(getattr(conv, field.name) for field in fields(Conv2d)))


def _edges(padding: Sizes | str, conv: Conv) -> tuple[Sizes, tuple[Pad, ...]]:
    """A convolution's padding, the same on both sides, and the Pad before it if they differ."""
    if not isinstance(padding, str):
        return padding, ()
    none = (0,) * len(conv.kernel)
    if padding != "same":
        return none, ()
    totals = [reach - 1 for reach in conv.reach]
    if not any(total % 2 for total in totals):
        return tuple(total // 2 for total in totals), ()
    sides = [side for total in reversed(totals) for side in (total // 2, -(-total // 2))]
    return none, (Pad(tuple(sides)),)


def batch_norm(shape: Shape, axes: int, channels: int, params: int, buffers: int) -> Op:
    """Batch norm over so many axes of an input of this shape."""
    usual = BatchNorm2d(channels)
    if len(shape) == 3 and axes == 2 and (params, buffers) == (usual.params, usual.buffers):
        return usual
    return BatchNorm(f"BatchNorm{axes}d", channels, params, buffers)
