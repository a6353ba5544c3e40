"""Modules -> ops: those whose forward method says less than their class, and a fast path.

All other modules are entered, and the functions that they call are what is recorded.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from resnet_inspect.networks.ops import Hardswish, Mish, ReLU, ReLU6, Shape, SiLU, ZeroPad
from resnet_inspect.networks.torch_ops import Conv, Dropout, Opaque
from resnet_inspect.pytorch.trace.layer_ops import batch_norm, convolution
from resnet_inspect.pytorch.trace.rules import Known, register_layer
from resnet_inspect.pytorch.zero_pad import ZeroPadShortcut

# --- modules that are more than the functions they call ------------------------------------------


@register_layer(ZeroPadShortcut)
def _(layer: ZeroPadShortcut, *shapes: Shape) -> Known:
    return ZeroPad(layer.in_channels, layer.out_channels, layer.stride)


@register_layer("torchvision.ops.stochastic_depth:StochasticDepth", "timm.layers.drop:DropPath")
def _(layer: Any, *shapes: Shape) -> Known:
    kind, p = ("StochasticDepth", layer.p) if hasattr(layer, "p") else ("DropPath", layer.drop_prob)
    return Dropout(kind, p) if p else None


@register_layer(nn.MultiheadAttention)
def _(layer: nn.MultiheadAttention, *shapes: Shape) -> Known:
    """Projections in, attention, projection out (Vaswani et al. 2017, section 3.2.2)."""
    macs = None
    if len(shapes) == 3:
        (length, width), (seen, key_width), (_, value_width) = shapes
        projected = length * width * width + seen * width * (key_width + value_width)
        mixed = 2 * length * seen * width
        macs = projected + mixed + length * width * width
    return Opaque("MultiheadAttention", shapes[0], _parameters(layer), macs=macs)


def _parameters(layer: nn.Module) -> int:
    return sum(tensor.numel() for tensor in layer.parameters())


# --- the fast path: most calls of a network, without running them --------------------------------


@register_layer(nn.Conv2d)
def _(layer: nn.Conv2d, *shapes: Shape) -> Known:
    conv = Conv(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        (),
        layer.groups,
        layer.bias is not None,
        layer.dilation,
    )
    return convolution(conv, layer.padding)


@register_layer(nn.BatchNorm2d)
def _(layer: nn.BatchNorm2d, *shapes: Shape) -> Known:
    buffers = sum(tensor.numel() for tensor in layer.buffers())
    return batch_norm(shapes[0], layer.num_features, _parameters(layer), buffers)


_ACTIVATIONS = {
    nn.ReLU: ReLU,
    nn.ReLU6: ReLU6,
    nn.SiLU: SiLU,
    nn.Mish: Mish,
    nn.Hardswish: Hardswish,
}


@register_layer(*_ACTIVATIONS)
def _(layer: Any, *shapes: Shape) -> Known:
    kind = next(_ACTIVATIONS[base] for base in type(layer).__mro__ if base in _ACTIVATIONS)
    return kind(inplace=layer.inplace)
