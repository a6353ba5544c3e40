"""Modules -> ops: those whose forward method says less than their class, and a fast path.

All other modules are entered, and the functions that they call are what is recorded.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from resnet_inspect.networks.ops import Hardswish, Mish, Op, ReLU, ReLU6, SiLU
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.torch_ops import Conv, Dropout, Product
from resnet_inspect.pytorch import modules
from resnet_inspect.pytorch.trace.product_rules import attention_terms
from resnet_inspect.pytorch.trace.rules import Known, batch_norm, convolution, register_layer

# --- modules that are more than the functions they call ------------------------------------------


@register_layer(
    modules.StandardizedConv2d,
    modules.ScaledConv2d,
    modules.FixedConv2d,
    modules.FrozenBatchNorm2d,
    modules.Multiply,
    modules.Gain,
    modules.ActiveNorm,
    modules.AddedPositions,
    modules.Windows,
    modules.ZeroPadShortcut,
)
def _(layer: Any, *shapes: Shape) -> Known:
    op: Op = layer.op
    return op


@register_layer(
    "torchvision.ops.stochastic_depth:StochasticDepth",
    "timm.layers.drop:DropPath",
    modules.DropPath,
)
def _(layer: Any, *shapes: Shape) -> Known:
    p = layer.p if hasattr(layer, "p") else layer.drop_prob
    return Dropout(type(layer).__name__, p) if p else None


@register_layer(nn.MultiheadAttention)
def _(layer: nn.MultiheadAttention, *shapes: Shape) -> Known:
    length, batch = (-2, -3) if layer.batch_first else (0, 1)
    apart = [(shape[length if len(shape) == 3 else 0], shape[-1]) for shape in shapes[:3]]
    more = (layer.bias_k is not None) + layer.add_zero_attn
    terms = attention_terms(apart, more, shapes[0][batch] if len(shapes[0]) == 3 else 1)
    return Product("MultiheadAttention", shapes[0], terms, _parameters(layer))


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
    return convolution(conv, layer.padding, shapes[0])


@register_layer(nn.BatchNorm2d)
def _(layer: nn.BatchNorm2d, *shapes: Shape) -> Known:
    buffers = sum(tensor.numel() for tensor in layer.buffers())
    return batch_norm(shapes[0], 2, layer.num_features, _parameters(layer), buffers)


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
