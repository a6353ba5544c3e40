"""The formulas of the ops of traced networks."""

from __future__ import annotations

from resnet_inspect.counting.costs import cost
from resnet_inspect.networks import torch_ops
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.shapes import elements
from resnet_inspect.tables.formulas import (
    Formula,
    activations,
    elementwise,
    formulas,
    multiplied,
    product,
)

__all__ = ["formulas"]


def _held(op: Op) -> list[Formula]:
    """Parameters that no formula gives."""
    if not op.params:
        return []
    return [Formula("parameters", "entries of its tensors", f"{op.params:,}", op.params)]


def _sizes(
    op: torch_ops.Conv | torch_ops.ConvTranspose | torch_ops.Pool, layer: Layer
) -> list[Formula]:
    """The positions along each axis."""
    axes, rows = len(op.kernel), []
    before, after = layer.input_shapes[0][-axes:], layer.output_shape[-axes:]
    for at in range(axes):
        name = "DHW"[3 - axes + at]
        reach, step, edge = op.reach[at], op.stride[at], op.padding[at]
        if isinstance(op, torch_ops.ConvTranspose):
            more = op.output_padding[at] if op.output_padding else 0
            formula = f"({name} - 1) × s - 2p + k + output padding"
            numbers = f"({before[at]} - 1) × {step} - 2×{edge} + {reach} + {more}"
        else:
            ceil = isinstance(op, torch_ops.Pool) and op.ceil
            inside = f"({before[at]} + 2×{edge} - {reach})"
            formula = f"{'⌈' if ceil else '⌊'}({name} + 2p - k) / s{'⌉' if ceil else '⌋'} + 1"
            numbers = f"-(-{inside} // {step}) + 1" if ceil else f"{inside} // {step} + 1"
        rows.append(Formula(f"output {name}", formula, numbers, after[at]))
    return rows


@formulas.register(torch_ops.Conv)
@formulas.register(torch_ops.ConvTranspose)
def _(op: torch_ops.Conv | torch_ops.ConvTranspose, layer: Layer) -> list[Formula]:
    transposed = isinstance(op, torch_ops.ConvTranspose)
    inside = f"({op.in_channels} // {op.groups})" if op.groups > 1 else op.in_channels
    per = "C_out × C_in/groups × k" if op.groups > 1 else "C_out × C_in × k"
    weights = Formula("weights", per, product(op.out_channels, inside, *op.kernel), op.weights)
    held = Formula("parameters", "weights + bias", f"{op.weights:,} + {op.out_channels}", op.params)
    bias = [held, elementwise("bias additions", "all outputs", 1, layer.output_shape)]
    made = isinstance(op, torch_ops.Conv) and op.made_of is not None
    shape = layer.input_shapes[0] if transposed else layer.output_shape
    axes = len(op.kernel)
    positions = (*shape[: -axes - 1], *shape[-axes:])
    formula = f"weights × {'input' if transposed else 'output'} positions"
    return [
        *_sizes(op, layer),
        weights,
        *(_held(op) if made else bias if op.bias else []),
        *multiplied(layer, formula, product(f"{op.weights:,}", *positions)),
    ]


@formulas.register(torch_ops.Pool)
def _(op: torch_ops.Pool, layer: Layer) -> list[Formula]:
    area = product(*op.kernel)
    each, numbers = ("k - 1", f"({area} - 1)") if op.type.startswith("Max") else ("k", area)
    numbers = f"{numbers} × {product(*layer.output_shape)}"
    flops = Formula("FLOPs", f"({each}) × all outputs", numbers, cost(layer).flops)
    return [*_sizes(op, layer), flops, activations(layer)]


@formulas.register(torch_ops.AdaptivePool)
def _(op: torch_ops.AdaptivePool, layer: Layer) -> list[Formula]:
    channels = product(op.windows(layer.input_shapes[0]), *layer.output_shape[: -len(op.size)])
    less = f" - {elements(layer.output_shape):,}" if "Max" in op.type else ""
    formula = "windows' positions × C" + (" - outputs" if less else "")
    return [Formula("FLOPs", formula, channels + less, cost(layer).flops), activations(layer)]


@formulas.register(torch_ops.BatchNorm)
@formulas.register(torch_ops.GroupNorm)
@formulas.register(torch_ops.LayerNorm)
@formulas.register(torch_ops.LocalResponseNorm)
def _(
    op: torch_ops.BatchNorm
    | torch_ops.GroupNorm
    | torch_ops.LayerNorm
    | torch_ops.LocalResponseNorm,
    layer: Layer,
) -> list[Formula]:
    each = 3 if isinstance(op, ActiveNorm) and op.activates else 2
    normalized = elementwise("FLOPs", f"{each} × all elements", each, layer.output_shape)
    return [*_held(op), normalized, activations(layer)]


@formulas.register(torch_ops.Function)
@formulas.register(torch_ops.Arithmetic)
def _(op: torch_ops.Function | torch_ops.Arithmetic, layer: Layer) -> list[Formula]:
    return [
        *_held(op),
        elementwise("FLOPs", "all elements", 1, layer.output_shape),
        activations(layer),
    ]


@formulas.register(torch_ops.Reduce)
def _(op: torch_ops.Reduce, layer: Layer) -> list[Formula]:
    return [elementwise("FLOPs", "all inputs", 1, layer.input_shapes[0]), activations(layer)]


@formulas.register(torch_ops.Interpolate)
def _(op: torch_ops.Interpolate, layer: Layer) -> list[Formula]:
    each = op.taps if op.taps > 1 else 0
    numbers = product(each, *layer.output_shape)
    resampled = Formula("FLOPs", "inputs of an output × outputs", numbers, cost(layer).flops)
    return [*([resampled] if each else []), activations(layer)]


@formulas.register(torch_ops.MatMul)
def _(op: torch_ops.MatMul, layer: Layer) -> list[Formula]:
    numbers = product(*layer.output_shape, layer.input_shapes[0][-1])
    return multiplied(layer, "outputs × columns of the first", numbers)


@formulas.register(torch_ops.Attention)
def _(op: torch_ops.Attention, layer: Layer) -> list[Formula]:
    queries, keys, _ = layer.input_shapes[:3]
    scores = product(*queries[:-1], keys[-2])
    formula, numbers = "queries × keys × (d_k + d_v)", f"({queries[-1]} + {layer.output_shape[-1]})"
    softmax = Formula("FLOPs of softmax", "queries × keys", scores, cost(layer).activation)
    macs, flops, given = multiplied(layer, formula, f"{scores} × {numbers}")
    both = f"2 × {macs.value:,} + {softmax.value:,}"
    flops = flops._replace(formula="2 × MACs + queries × keys", numbers=both)
    return [macs, softmax, flops, given]


@formulas.register(torch_ops.Product)
def _(op: torch_ops.Product, layer: Layer) -> list[Formula]:
    numbers = " + ".join(product(*term) for term in op.terms) or "0"
    return [*_held(op), *multiplied(layer, "its products of matrices", numbers)]


@formulas.register(torch_ops.Opaque)
def _(op: torch_ops.Opaque, layer: Layer) -> list[Formula]:
    if op.macs is None:
        return _held(op) or [Formula("parameters", "entries of its tensors", "0", 0)]
    return [*_held(op), *multiplied(layer, "as its rule gives them", f"{op.macs:,}")]


@formulas.register(torch_ops.Dropout)
@formulas.register(torch_ops.View)
def _(op: torch_ops.Dropout | torch_ops.View, layer: Layer) -> list[Formula]:
    return [elementwise("elements", "all outputs", 1, layer.output_shape)]
