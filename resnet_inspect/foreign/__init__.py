"""Kinds of layer that the residual networks of the zoo do not have, and traced networks do.

Loaded only with a traced network. An op comes with all of its rules: importing this registers them
with costs.rule, receptive_field.rule and memory's rules.
"""

import resnet_inspect.foreign.rules  # noqa: F401  (registers them)
from resnet_inspect.foreign.ops import (
    AdaptivePool,
    Arithmetic,
    Attention,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dropout,
    Function,
    GroupNorm,
    Interpolate,
    LayerNorm,
    MatMul,
    Move,
    Opaque,
    Pad,
    Pool,
    Reduce,
    View,
)

__all__ = [
    "AdaptivePool",
    "Arithmetic",
    "Attention",
    "BatchNorm",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dropout",
    "Function",
    "GroupNorm",
    "Interpolate",
    "LayerNorm",
    "MatMul",
    "Move",
    "Opaque",
    "Pad",
    "Pool",
    "Reduce",
    "View",
]
