"""Ops of torch layers, from their settings; shared by the rules of modules and functions."""

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
    View,
)
from resnet_inspect.pytorch.trace.rules import sizes

OVER_MANY = ("Softmax", "LogSoftmax", "Softmax2d")
"""Functions in which elements depend on each other."""


def function(name: str, inplace: bool = False) -> Function:
    """An elementwise function by torch.nn's name for it."""
    return Function(name, local=name not in OVER_MANY, inplace=inplace)


def max_pool(axes: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> Op:
    """Max pooling over this many axes, with torch's settings."""
    windows = sizes(kernel, axes), sizes(stride or kernel, axes), sizes(padding, axes)
    spread = sizes(dilation, axes)
    if axes == 2 and spread == (1, 1):
        return MaxPool2d(*windows, ceil)  # type: ignore[arg-type]
    return Pool(f"MaxPool{axes}d", *windows, ceil, spread)


def avg_pool(axes: int, kernel: Any, stride: Any, padding: Any, ceil: bool, counts: bool) -> Op:
    """Average pooling over this many axes, with torch's settings."""
    windows = sizes(kernel, axes), sizes(stride or kernel, axes), sizes(padding, axes)
    if axes == 2:
        return AvgPool2d(*windows, ceil, counts and any(windows[2]))  # type: ignore[arg-type]
    return Pool(f"AvgPool{axes}d", *windows, ceil)


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
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...] | str,
    dilation: tuple[int, ...],
    groups: int,
    bias: bool,
    made_of: tuple[int, int] | None = None,
) -> Op | tuple[Op, ...]:
    """A convolution; with padding 'same' that is wider behind than before, a Pad and one.

    made_of: entries of the parameters and buffers behind its kernel and bias, if it is not known
    that these are the kernel and bias.
    """
    edges = (0,) * len(kernel)
    ahead: tuple[Op, ...] = ()
    if padding == "same":
        spread = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
        edges = tuple(total // 2 for total in spread)
        if any(total % 2 for total in spread):
            pads = [side for total in reversed(spread) for side in (total // 2, -(-total // 2))]
            edges, ahead = (0,) * len(kernel), (Pad(tuple(pads)),)
    elif not isinstance(padding, str):
        edges = padding
    settings = (in_channels, out_channels, kernel, stride, edges, groups, bias, dilation)
    op: Op = Conv(*settings)
    if made_of not in (None, (op.params, 0)):
        op = Conv(*settings, made_of)
    elif len(kernel) == 2:
        op = Conv2d(*settings)  # type: ignore[arg-type]
    return (*ahead, op) if ahead else op


def batch_norm(shape: Shape, channels: int, params: int, buffers: int) -> Op:
    """Batch norm of an input of this shape."""
    axes = max(1, len(shape) - 1)
    usual = BatchNorm2d(channels)
    if axes == 2 and (params, buffers) == (usual.params, usual.buffers):
        return usual
    return BatchNorm(f"BatchNorm{axes}d", channels, params, buffers)
