"""torch.nn's layers without weights -> ops: activations, pools, dropout, padding, views."""

from __future__ import annotations

from typing import Any

from torch import nn

from resnet_inspect.networks.ops import (
    ELU,
    GELU,
    Hardswish,
    LeakyReLU,
    Linear,
    Mish,
    Op,
    ReLU,
    ReLU6,
    Shape,
    Sigmoid,
    SiLU,
    ZeroPad,
)
from resnet_inspect.networks.torch_ops import (
    Arithmetic,
    ConvTranspose,
    Dropout,
    Function,
    GroupNorm,
    LayerNorm,
    Move,
    Opaque,
    Pad,
)
from resnet_inspect.pytorch.trace.layer_ops import (
    adaptive_pool,
    avg_pool,
    batch_norm,
    convolution,
    flattened,
    function,
    interpolation,
    max_pool,
)
from resnet_inspect.pytorch.trace.rules import Known, rule, sizes
from resnet_inspect.pytorch.zero_pad import ZeroPadShortcut

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


# --- pools -------------------------------------------------------------------------------------


@rule(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
def _(layer: Any, *shapes: Shape) -> Known:
    axes = len(shapes[0]) - 1
    return max_pool(
        axes, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode
    )


@rule(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
def _(layer: Any, *shapes: Shape) -> Known:
    axes = len(shapes[0]) - 1
    counts = layer.count_include_pad
    return avg_pool(axes, layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode, counts)


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


@rule(nn.Conv1d, nn.Conv2d, nn.Conv3d)
def _(layer: Any, *shapes: Shape) -> Known:
    return convolution(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
    )


@rule(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
def _(layer: Any, *shapes: Shape) -> Known:
    return ConvTranspose(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.groups,
        layer.bias is not None,
        layer.dilation,
    )


@rule(nn.Linear)
def _(layer: nn.Linear, *shapes: Shape) -> Known:
    return Linear(layer.in_features, layer.out_features, layer.bias is not None)


@rule(nn.Embedding)
def _(layer: nn.Embedding, *shapes: Shape) -> Known:
    output = (*shapes[0], layer.embedding_dim)
    return Opaque("Embedding", output, layer.weight.numel(), macs=0)


@rule(nn.MultiheadAttention)
def _(layer: nn.MultiheadAttention, *shapes: Shape) -> Known:
    """Projections in, attention, projection out (Vaswani et al. 2017, section 3.2.2)."""
    if len(shapes) != 3:
        return Opaque("MultiheadAttention", shapes[0], _held(layer))
    (length, width), (seen, key_width), (_, value_width) = shapes
    projected = length * width * width + seen * width * (key_width + value_width)
    mixed = 2 * length * seen * width
    macs = projected + mixed + length * width * width
    return Opaque("MultiheadAttention", shapes[0], _held(layer), macs=macs)


def _held(layer: nn.Module) -> int:
    return sum(tensor.numel() for tensor in layer.parameters())


# --- normalization -----------------------------------------------------------------------------


@rule(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
def _(layer: Any, *shapes: Shape) -> Known:
    buffers = sum(tensor.numel() for tensor in layer.buffers())
    return batch_norm(shapes[0], layer.num_features, _held(layer), buffers)


@rule(nn.GroupNorm)
def _(layer: nn.GroupNorm, *shapes: Shape) -> Known:
    return GroupNorm(layer.num_groups, layer.num_channels, layer.affine)


@rule(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
def _(layer: Any, *shapes: Shape) -> Known:
    channels = layer.num_features
    return GroupNorm(channels, channels, layer.affine, type(layer).__name__)


@rule(nn.LayerNorm, nn.RMSNorm)
def _(layer: Any, *shapes: Shape) -> Known:
    kind = "RMSNorm" if isinstance(layer, nn.RMSNorm) else "LayerNorm"
    return LayerNorm(tuple(layer.normalized_shape), _held(layer), kind)
