"""torch.nn's layers that hold weights -> ops: convolutions, linear layers, normalization."""

from __future__ import annotations

from typing import Any

from torch import nn

from resnet_inspect.foreign import BatchNorm, Conv, ConvTranspose, GroupNorm, LayerNorm, Opaque, Pad
from resnet_inspect.ops import BatchNorm2d, Conv2d, Linear, Op, Shape
from resnet_inspect.pytorch.trace.modules import Known, rule


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


def batch_norm(shape: Shape, channels: int, params: int, buffers: int) -> Op:
    """Batch norm of an input of this shape."""
    axes = max(1, len(shape) - 1)
    usual = BatchNorm2d(channels)
    if axes == 2 and (params, buffers) == (usual.params, usual.buffers):
        return usual
    return BatchNorm(f"BatchNorm{axes}d", channels, params, buffers)


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
