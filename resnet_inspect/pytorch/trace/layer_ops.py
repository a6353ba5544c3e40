"""Ops of torch layers from their settings, for the rules of modules and of functions."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.ops import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    MaxPool2d,
    Op,
    Pair,
    Shape,
    elements,
)
from resnet_inspect.networks.torch_ops import (
    AdaptivePool,
    BatchNorm,
    Conv,
    Function,
    Interpolate,
    Pad,
    Pool,
    Sizes,
    View,
)
from resnet_inspect.pytorch.trace.rules import sizes

OVER_MANY = ("Softmax", "LogSoftmax", "Softmax2d")
"""Functions in which elements depend on each other."""


def function(name: str, inplace: bool = False) -> Function:
    """An elementwise function by torch.nn's name for it."""
    return Function(name, local=name not in OVER_MANY, inplace=inplace)


def _pair(numbers: Sizes) -> Pair:
    height, width = numbers
    return height, width


def max_pool(axes: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> Op:
    """Max pooling over this many axes, with torch's settings."""
    window, step, edges = (sizes(value, axes) for value in (kernel, stride or kernel, padding))
    spread = sizes(dilation, axes)
    if axes == 2 and spread == (1, 1):
        return MaxPool2d(_pair(window), _pair(step), _pair(edges), ceil)
    return Pool(f"MaxPool{axes}d", window, step, edges, ceil, spread)


def avg_pool(axes: int, kernel: Any, stride: Any, padding: Any, ceil: bool, counts: bool) -> Op:
    """Average pooling over this many axes, with torch's settings."""
    window, step, edges = (sizes(value, axes) for value in (kernel, stride or kernel, padding))
    if axes == 2:
        counts = counts and any(edges)  # without padding there is none to count
        return AvgPool2d(_pair(window), _pair(step), _pair(edges), ceil, counts)
    return Pool(f"AvgPool{axes}d", window, step, edges, ceil)


def adaptive_pool(how: str, shape: Shape, size: Any) -> Op:
    """A pool to a size, in which None keeps an axis as it is."""
    axes = len(shape) - 1
    given = (size,) * axes if size is None or isinstance(size, int) else tuple(size)
    wanted = tuple(
        have if want is None else int(want) for want, have in zip(given, shape[1:], strict=True)
    )
    if how == "Avg" and wanted == (1, 1):
        return GlobalAvgPool2d()
    return AdaptivePool(f"Adaptive{how}Pool{axes}d", wanted)


def flattened(shape: Shape, start: int, end: int) -> Op | None:
    """Dimensions `start` to `end` of a tensor with a batch folded into one."""
    first = start % (len(shape) + 1) - 1
    last = end % (len(shape) + 1) - 1
    if first < 0 or first >= last:
        return None
    if (first, last) == (0, len(shape) - 1):
        return Flatten()
    return View("flatten", (*shape[:first], elements(shape[first : last + 1]), *shape[last + 1 :]))


_TAPS = {"linear": 2, "bilinear": 4, "trilinear": 8, "bicubic": 16}


def interpolation(mode: str, output: Shape) -> Interpolate:
    """Resampling by torch's mode."""
    return Interpolate(mode, output, _TAPS.get(mode, 1))


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    bias: bool,
    made_of: tuple[int, int] | None = None,
) -> Op | tuple[Op, ...]:
    """A convolution; with padding 'same' that is wider behind than before, a Pad and one.

    made_of: entries of the parameters and buffers behind its kernel and bias, if it is not known
    that these are the kernel and bias.
    """
    edges, ahead = _edges(padding, kernel, dilation)
    conv = Conv(in_channels, out_channels, kernel, stride, edges, groups, bias, dilation)
    op: Op = conv
    if made_of not in (None, (conv.params, 0)):
        op = conv.replace(made_of=made_of)
    elif len(kernel) == 2:
        op = Conv2d(
            in_channels,
            out_channels,
            _pair(kernel),
            _pair(stride),
            _pair(edges),
            groups,
            bias,
            _pair(dilation),
        )
    return (*ahead, op) if ahead else op


def _edges(padding: Sizes | str, kernel: Sizes, dilation: Sizes) -> tuple[Sizes, tuple[Pad, ...]]:
    """A convolution's padding, the same on both sides, and the Pad before it if they differ."""
    if not isinstance(padding, str):
        return padding, ()
    none = (0,) * len(kernel)
    if padding != "same":
        return none, ()
    totals = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
    if not any(total % 2 for total in totals):
        return tuple(total // 2 for total in totals), ()
    sides = [side for total in reversed(totals) for side in (total // 2, -(-total // 2))]
    return none, (Pad(tuple(sides)),)


def batch_norm(shape: Shape, channels: int, params: int, buffers: int) -> Op:
    """Batch norm of an input of this shape."""
    axes = max(1, len(shape) - 1)
    usual = BatchNorm2d(channels)
    if axes == 2 and (params, buffers) == (usual.params, usual.buffers):
        return usual
    return BatchNorm(f"BatchNorm{axes}d", channels, params, buffers)
