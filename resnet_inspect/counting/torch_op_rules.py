"""What the ops of traced networks cost: rules for networks.torch_ops.

FLOPs follow the conventions of costs.py: multiplying by anything but weights is gating, other
arithmetic of two tensors addition, everything else that is elementwise activation; a reduction or
a resampling is pooling. Products of activations (attention) are multiply-accumulates too.
"""

from __future__ import annotations

from resnet_inspect.counting import (
    torch_op_fields,  # noqa: F401  (registers rules)
    torch_op_memory,  # noqa: F401
)
from resnet_inspect.counting.costs import VIEW, Counts, Shapes, of_output, operations
from resnet_inspect.networks import torch_ops
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.shapes import Shape, elements

operations.register(
    torch_ops.Product | torch_ops.Opaque,
    lambda op, inputs, output: None if op.macs is None else {"macs": op.macs},
)


@operations.register(torch_ops.Conv | torch_ops.ConvTranspose)
def _(op: torch_ops.Conv | torch_ops.ConvTranspose, inputs: Shapes, output: Shape) -> Counts:
    if isinstance(op, torch_ops.ConvTranspose):
        positions = elements(inputs[0]) // op.in_channels
    else:
        positions = elements(output) // op.out_channels
    return {"macs": op.weights * positions, "bias": elements(output) if op.bias else 0}


operations.register(
    torch_ops.BatchNorm | torch_ops.GroupNorm | torch_ops.LayerNorm | torch_ops.LocalResponseNorm,
    of_output("normalization", 2),
)
operations.register(torch_ops.Function, of_output("activation"))
operations.register(torch_ops.Dropout | torch_ops.Source, lambda op, inputs, output: VIEW)
operations.register(torch_ops.View, lambda op, inputs, output: {} if op.copies else VIEW)
operations.register(
    torch_ops.Concat | torch_ops.Move | torch_ops.Pad | torch_ops.Unpool,
    lambda op, inputs, output: {},
)
operations.register(torch_ops.Reduce, lambda op, inputs, output: {"pooling": elements(inputs[0])})
operations.register(
    torch_ops.MatMul, lambda op, inputs, output: {"macs": elements(output) * inputs[0][-1]}
)


@operations.register(ActiveNorm)
def _(op: ActiveNorm, inputs: Shapes, output: Shape) -> Counts:
    written = elements(output)
    return {"normalization": 2 * written, "activation": written * op.activates}


@operations.register(torch_ops.Pool)
def _(op: torch_ops.Pool, inputs: Shapes, output: Shape) -> Counts:
    each = elements(op.kernel) - (1 if op.type.startswith("Max") else 0)
    return {"pooling": each * elements(output)}


@operations.register(torch_ops.AdaptivePool)
def _(op: torch_ops.AdaptivePool, inputs: Shapes, output: Shape) -> Counts:
    seen = op.windows(inputs[0]) * elements(output[: -len(op.size)])
    return {"pooling": seen - (elements(output) if "Max" in op.type else 0)}


@operations.register(torch_ops.Interpolate)
def _(op: torch_ops.Interpolate, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": op.taps * elements(output) if op.taps > 1 else 0}


_TERM = {"mul": "gating", "div": "gating", "add": "addition", "sub": "addition"}


@operations.register(torch_ops.Arithmetic)
def _(op: torch_ops.Arithmetic, inputs: Shapes, output: Shape) -> Counts:
    return {_TERM.get(op.function, "activation"): elements(output)}


@operations.register(torch_ops.Attention)
def _(op: torch_ops.Attention, inputs: Shapes, output: Shape) -> Counts:
    queries, keys, _ = inputs[:3]
    scores = elements(queries[:-1]) * keys[-2]
    return {"macs": scores * (queries[-1] + output[-1]), "activation": scores}
