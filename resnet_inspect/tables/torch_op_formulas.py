"""The formulas of the ops of traced networks."""

from __future__ import annotations

from resnet_inspect.counting.costs import cost
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.shapes import Shape, elements
from resnet_inspect.networks.torch_ops import (
    AdaptivePool,
    Arithmetic,
    Attention,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dropout,
    Function,
    GroupNorm,
    Interpolate,
    LayerNorm,
    LocalResponseNorm,
    MatMul,
    Opaque,
    Pool,
    Product,
    Reduce,
    View,
)
from resnet_inspect.tables.formulas import (
    Formula,
    activations,
    elementwise,
    formulas,
    kernels,
    multiplied,
    pointwise,
    positions,
    product,
    with_bias,
)

__all__ = ["formulas"]


def _held(op: Op) -> list[Formula]:
    """Parameters that no formula gives."""
    if not op.params:
        return []
    return [Formula("parameters", "entries of its tensors", f"{op.params:,}", op.params)]


@formulas.register(Conv)
def _(op: Conv, layer: Layer) -> list[Formula]:
    sizes = positions(op, layer, op.reach, ceil=False)
    return [*sizes, *_convolved(op, layer, layer.output_shape, "output")]


@formulas.register(ConvTranspose)
def _(op: ConvTranspose, layer: Layer) -> list[Formula]:
    sizes = []
    for at, name in enumerate("DHW"[-len(op.kernel) :], -len(op.kernel)):
        more = op.output_padding[at] if op.output_padding else 0
        spread = f"({layer.input_shapes[0][at]} - 1) × {op.stride[at]}"
        numbers = f"{spread} - 2×{op.padding[at]} + {op.reach[at]} + {more}"
        formula = f"({name} - 1) × s - 2p + k + output padding"
        sizes.append(Formula(f"output {name}", formula, numbers, layer.output_shape[at]))
    return [*sizes, *_convolved(op, layer, layer.input_shapes[0], "input")]


def _convolved(op: Conv | ConvTranspose, layer: Layer, shape: Shape, side: str) -> list[Formula]:
    """The weights of a convolution, and its work at each position of one of its sides."""
    axes = len(op.kernel)
    places = (*shape[: -axes - 1], *shape[-axes:])
    additions = elementwise("bias additions", "all outputs", 1, layer.output_shape)
    made = isinstance(op, Conv) and op.made_of is not None
    bias = [with_bias(op, op.out_channels), additions] if op.bias else []
    return [
        kernels(op, "k"),
        *(_held(op) if made else bias),
        *multiplied(layer, f"weights × {side} positions", product(f"{op.weights:,}", *places)),
    ]


@formulas.register(Pool)
def _(op: Pool, layer: Layer) -> list[Formula]:
    area = product(*op.kernel)
    each, numbers = ("k - 1", f"({area} - 1)") if op.type.startswith("Max") else ("k", area)
    numbers = f"{numbers} × {product(*layer.output_shape)}"
    flops = Formula("FLOPs", f"({each}) × all outputs", numbers, cost(layer).flops)
    return [*positions(op, layer, op.reach, ceil=op.ceil), flops, activations(layer)]


@formulas.register(AdaptivePool)
def _(op: AdaptivePool, layer: Layer) -> list[Formula]:
    channels = product(op.windows(layer.input_shapes[0]), *layer.output_shape[: -len(op.size)])
    less = f" - {elements(layer.output_shape):,}" if "Max" in op.type else ""
    formula = "windows' positions × C" + (" - outputs" if less else "")
    return [Formula("FLOPs", formula, channels + less, cost(layer).flops), activations(layer)]


@formulas.register(BatchNorm)
@formulas.register(GroupNorm)
@formulas.register(LayerNorm)
@formulas.register(LocalResponseNorm)
def _(op: BatchNorm | GroupNorm | LayerNorm | LocalResponseNorm, layer: Layer) -> list[Formula]:
    each = 3 if isinstance(op, ActiveNorm) and op.activates else 2
    return [*_held(op), *pointwise(layer, f"{each} × all elements", each)]


@formulas.register(Function)
@formulas.register(Arithmetic)
def _(op: Function | Arithmetic, layer: Layer) -> list[Formula]:
    return [*_held(op), *pointwise(layer, "all elements")]


@formulas.register(Reduce)
def _(op: Reduce, layer: Layer) -> list[Formula]:
    return [elementwise("FLOPs", "all inputs", 1, layer.input_shapes[0]), activations(layer)]


@formulas.register(Interpolate)
def _(op: Interpolate, layer: Layer) -> list[Formula]:
    each = op.taps if op.taps > 1 else 0
    numbers = product(each, *layer.output_shape)
    resampled = Formula("FLOPs", "inputs of an output × outputs", numbers, cost(layer).flops)
    return [*([resampled] if each else []), activations(layer)]


@formulas.register(MatMul)
def _(op: MatMul, layer: Layer) -> list[Formula]:
    numbers = product(*layer.output_shape, layer.input_shapes[0][-1])
    return multiplied(layer, "outputs × columns of the first", numbers)


@formulas.register(Attention)
def _(op: Attention, layer: Layer) -> list[Formula]:
    queries, keys, _ = layer.input_shapes[:3]
    scores = product(*queries[:-1], keys[-2])
    formula, numbers = "queries × keys × (d_k + d_v)", f"({queries[-1]} + {layer.output_shape[-1]})"
    softmax = Formula("FLOPs of softmax", "queries × keys", scores, cost(layer).activation)
    macs, flops, given = multiplied(layer, formula, f"{scores} × {numbers}")
    both = f"2 × {macs.value:,} + {softmax.value:,}"
    flops = flops._replace(formula="2 × MACs + queries × keys", numbers=both)
    return [macs, softmax, flops, given]


@formulas.register(Product)
def _(op: Product, layer: Layer) -> list[Formula]:
    numbers = " + ".join(product(*term) for term in op.terms) or "0"
    return [*_held(op), *multiplied(layer, "its products of matrices", numbers)]


@formulas.register(Opaque)
def _(op: Opaque, layer: Layer) -> list[Formula]:
    if op.macs is None:
        return _held(op) or [Formula("parameters", "entries of its tensors", "0", 0)]
    return [*_held(op), *multiplied(layer, "as its rule gives them", f"{op.macs:,}")]


@formulas.register(Dropout)
@formulas.register(View)
def _(op: Dropout | View, layer: Layer) -> list[Formula]:
    return [elementwise("elements", "all outputs", 1, layer.output_shape)]
