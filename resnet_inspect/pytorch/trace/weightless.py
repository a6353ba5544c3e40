"""torch.nn's layers without weights -> ops: activations, pools, dropout, padding, views."""

from __future__ import annotations

from typing import Any

from torch import nn

from resnet_inspect.foreign import (
    AdaptivePool,
    Arithmetic,
    Dropout,
    Function,
    Interpolate,
    Move,
    Pad,
    Pool,
    View,
)
from resnet_inspect.ops import (
    ELU,
    GELU,
    AvgPool2d,
    Flatten,
    GlobalAvgPool2d,
    Hardswish,
    LeakyReLU,
    MaxPool2d,
    Mish,
    Op,
    ReLU,
    ReLU6,
    Shape,
    Sigmoid,
    SiLU,
    ZeroPad,
    elements,
)
from resnet_inspect.pytorch.assemble import ZeroPadShortcut
from resnet_inspect.pytorch.trace.modules import Known, rule, sizes

_OWN: dict[type[nn.Module], type[Op]] = {
    nn.ReLU: ReLU,
    nn.ReLU6: ReLU6,
    nn.SiLU: SiLU,
    nn.Mish: Mish,
    nn.Hardswish: Hardswish,
}


@rule(*_OWN)
def _(layer: Any, *shapes: Shape) -> Known:
    kind = next(_OWN[base] for base in type(layer).__mro__ if base in _OWN)
    return kind(inplace=layer.inplace)  # type: ignore[call-arg]


@rule(nn.LeakyReLU)
def _(layer: nn.LeakyReLU, *shapes: Shape) -> Known:
    return LeakyReLU(layer.negative_slope, inplace=layer.inplace)


@rule(nn.ELU)
def _(layer: nn.ELU, *shapes: Shape) -> Known:
    return ELU(layer.alpha, inplace=layer.inplace)


@rule(nn.GELU)
def _(layer: nn.GELU, *shapes: Shape) -> Known:
    return GELU()


@rule(nn.Sigmoid)
def _(layer: nn.Sigmoid, *shapes: Shape) -> Known:
    return Sigmoid()


@rule(nn.PReLU)
def _(layer: nn.PReLU, *shapes: Shape) -> Known:
    return Function("PReLU", layer.weight.numel())


OVER_MANY = ("Softmax", "LogSoftmax", "Softmax2d")
"""Functions in which elements depend on each other."""


@rule(
    nn.CELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardtanh,
    nn.LogSigmoid,
    nn.LogSoftmax,
    nn.RReLU,
    nn.SELU,
    nn.Softmax,
    nn.Softmax2d,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
    nn.Threshold,
)
def _(layer: Any, *shapes: Shape) -> Known:
    return function(type(layer).__name__, bool(getattr(layer, "inplace", False)))


@rule(nn.GLU)
def _(layer: nn.GLU, *shapes: Shape) -> Known:
    axis = layer.dim % (len(shapes[0]) + 1) - 1
    halved = (*shapes[0][:axis], shapes[0][axis] // 2, *shapes[0][axis + 1 :])
    return Arithmetic("glu", halved)


def function(name: str, inplace: bool = False) -> Function:
    """An elementwise function by torch.nn's name for it."""
    return Function(name, local=name not in OVER_MANY, inplace=inplace)


# --- pools -------------------------------------------------------------------------------------


@rule(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
def _(layer: Any, *shapes: Shape) -> Known:
    axes = len(shapes[0]) - 1
    return max_pool(
        axes, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode
    )


def max_pool(axes: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> Op:
    """Max pooling over this many axes, with torch's settings."""
    windows = sizes(kernel, axes), sizes(stride or kernel, axes), sizes(padding, axes)
    spread = sizes(dilation, axes)
    if axes == 2 and spread == (1, 1):
        return MaxPool2d(*windows, ceil)  # type: ignore[arg-type]
    return Pool(f"MaxPool{axes}d", *windows, ceil, spread)


@rule(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
def _(layer: Any, *shapes: Shape) -> Known:
    axes = len(shapes[0]) - 1
    counts = layer.count_include_pad
    return avg_pool(axes, layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode, counts)


def avg_pool(axes: int, kernel: Any, stride: Any, padding: Any, ceil: bool, counts: bool) -> Op:
    """Average pooling over this many axes, with torch's settings."""
    windows = sizes(kernel, axes), sizes(stride or kernel, axes), sizes(padding, axes)
    if axes == 2:
        return AvgPool2d(*windows, ceil, counts and any(windows[2]))  # type: ignore[arg-type]
    return Pool(f"AvgPool{axes}d", *windows, ceil)


@rule(
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d,
)
def _(layer: Any, *shapes: Shape) -> Known:
    how = "Max" if "Max" in type(layer).__name__ else "Avg"
    return adaptive_pool(how, shapes[0], layer.output_size)


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


# --- everything else ---------------------------------------------------------------------------


@rule(nn.Identity)
def _(layer: nn.Module, *shapes: Shape) -> Known:
    return None


@rule(
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
def _(layer: Any, *shapes: Shape) -> Known:
    return _dropout(type(layer).__name__, layer.p)


def _dropout(kind: str, p: float) -> Known:
    return Dropout(kind, p) if p else None


@rule("torchvision.ops.stochastic_depth:StochasticDepth")
def _(layer: Any, *shapes: Shape) -> Known:
    return _dropout("StochasticDepth", layer.p)


@rule("timm.layers.drop:DropPath")
def _(layer: Any, *shapes: Shape) -> Known:
    return _dropout("DropPath", layer.drop_prob or 0)


@rule(ZeroPadShortcut)
def _(layer: ZeroPadShortcut, *shapes: Shape) -> Known:
    return ZeroPad(layer.in_channels, layer.out_channels, layer.stride)


@rule(nn.Flatten)
def _(layer: nn.Flatten, *shapes: Shape) -> Known:
    return flattened(shapes[0], layer.start_dim, layer.end_dim)


def flattened(shape: Shape, start: int, end: int) -> Op | None:
    """Dimensions `start` to `end` of a tensor with a batch folded into one."""
    first = start % (len(shape) + 1) - 1
    last = end % (len(shape) + 1) - 1
    if first < 0 or first >= last:
        return None
    if (first, last) == (0, len(shape) - 1):
        return Flatten()
    return View("flatten", (*shape[:first], elements(shape[first : last + 1]), *shape[last + 1 :]))


@rule(
    nn.ZeroPad1d,
    nn.ZeroPad2d,
    nn.ZeroPad3d,
    nn.ConstantPad1d,
    nn.ConstantPad2d,
    nn.ConstantPad3d,
    nn.ReflectionPad1d,
    nn.ReflectionPad2d,
    nn.ReflectionPad3d,
    nn.ReplicationPad1d,
    nn.ReplicationPad2d,
    nn.ReplicationPad3d,
    nn.CircularPad1d,
    nn.CircularPad2d,
    nn.CircularPad3d,
)
def _(layer: Any, *shapes: Shape) -> Known:
    axes = 2 * (len(shapes[0]) - 1)
    names = {"Reflection": "reflect", "Replication": "replicate", "Circular": "circular"}
    kind = type(layer).__name__.removesuffix("Pad1d").removesuffix("Pad2d").removesuffix("Pad3d")
    return Pad(sizes(layer.padding, axes), names.get(kind, "constant"))


@rule(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
def _(layer: nn.Upsample, *shapes: Shape) -> Known:
    shape = shapes[0]
    axes = len(shape) - 1
    if layer.size is not None:
        output = sizes(layer.size, axes)
    else:
        scales: Any = layer.scale_factor
        by = scales if isinstance(scales, tuple) else (scales,) * axes
        output = tuple(int(size * scale) for size, scale in zip(shape[1:], by, strict=True))
    return interpolation(layer.mode, (shape[0], *output))


_TAPS = {"linear": 2, "bilinear": 4, "trilinear": 8, "bicubic": 16}


def interpolation(mode: str, output: Shape) -> Interpolate:
    """Resampling by torch's mode."""
    return Interpolate(mode, output, _TAPS.get(mode, 1))


@rule(nn.PixelShuffle, nn.PixelUnshuffle)
def _(layer: Any, *shapes: Shape) -> Known:
    channels, height, width = shapes[0]
    if isinstance(layer, nn.PixelShuffle):
        by = layer.upscale_factor
        return Move("pixel_shuffle", (channels // by**2, height * by, width * by))
    by = layer.downscale_factor
    return Move("pixel_unshuffle", (channels * by**2, height // by, width // by))


@rule(nn.ChannelShuffle)
def _(layer: nn.Module, *shapes: Shape) -> Known:
    return Move("channel_shuffle", shapes[0])
