"""The formulas of each kind of layer, with its numbers put in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import NamedTuple

from resnet_inspect.counting.costs import cost
from resnet_inspect.networks import ops, torch_ops
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import Shape, elements


class Formula(NamedTuple):
    """quantity = formula = numbers = value."""

    quantity: str
    formula: str
    numbers: str
    value: int


def product(*factors: int | str) -> str:
    return " × ".join(map(str, factors)) or "1"


def positions(
    op: ops.Convolution | ops.Pool2d | torch_ops.Pool,
    layer: Layer,
    reach: Shape,
    *,
    ceil: bool,
    sides: Sequence[str] = "DHW",
) -> Iterator[Formula]:
    """The positions along each axis. reach: entries that a window spans; sides: the axes' names."""
    left, right = "⌈⌉" if ceil else "⌊⌋"
    axes = len(reach)
    for at, (letter, side) in enumerate(zip("DHW"[-axes:], sides[-axes:], strict=True), -axes):
        room = f"({layer.input_shapes[0][at]} + 2×{op.padding[at]} - {reach[at]})"
        # Rounding up is written as what it is in integers: minus the floor of the negative.
        rounded = f"-(-{room} // {op.stride[at]})" if ceil else f"{room} // {op.stride[at]}"
        formula = f"{left}({letter} + 2p - k) / s{right} + 1"
        yield Formula(f"output {side}", formula, f"{rounded} + 1", layer.output_shape[at])


def _extents(op: ops.Conv2d | ops.Pool2d, layer: Layer) -> Iterator[Formula]:
    reach, ceil = (op.reach, False) if isinstance(op, ops.Conv2d) else (op.kernel, op.ceil)
    return positions(op, layer, reach, ceil=ceil, sides=("height", "width"))


def elementwise(quantity: str, per: str, factor: int, shape: Shape) -> Formula:
    numbers = (factor, *shape) if factor != 1 else shape
    return Formula(quantity, per, product(*numbers), factor * elements(shape))


def activations(layer: Layer) -> Formula:
    names = "C × H × W" if len(layer.output_shape) == 3 else "features"
    return elementwise("activations", names, 1, layer.output_shape)


def pointwise(layer: Layer, per: str, factor: int = 1) -> list[Formula]:
    """The FLOPs of a layer that takes so many for each of its outputs, and what it writes."""
    return [elementwise("FLOPs", per, factor, layer.output_shape), activations(layer)]


def kernels(op: ops.Convolution, area: str) -> Formula:
    """The weights of a convolution. area: that of a kernel, in letters."""
    grouped = op.groups > 1
    inside = f"({op.in_channels} // {op.groups})" if grouped else op.in_channels
    per = f"C_out × C_in{'/groups' if grouped else ''} × {area}"
    return Formula("weights", per, product(op.out_channels, inside, *op.kernel), op.weights)


@singledispatch
def formulas(op: ops.Op, layer: Layer) -> list[Formula]:
    """The formulas of an op; of one without a rule its parameters, and what it gives."""
    held = Formula("parameters", "counted from its tensors", f"{op.params:,}", op.params)
    return [*([held] if op.params else ()), *([activations(layer)] if cost(layer).written else ())]


@formulas.register(ops.Conv2d)
def _(op: ops.Conv2d, layer: Layer) -> list[Formula]:
    out, height, width = layer.output_shape
    macs = "weights × H_out × W_out", f"{op.weights:,} × {height} × {width}"
    bias = [
        Formula("bias", "C_out", str(out), out),
        with_bias(op, out),
        elementwise("bias additions", "C_out × H × W", 1, layer.output_shape),
    ]
    return [
        *_extents(op, layer),
        kernels(op, "k_h × k_w"),
        *(bias if op.bias else ()),
        *multiplied(layer, *macs),
    ]


@formulas.register(ops.Linear)
def _(op: ops.Linear, layer: Layer) -> list[Formula]:
    out = op.out_features
    weights = Formula("weights", "in × out", product(op.in_features, out), op.weights)
    *places, _ = layer.output_shape
    per, numbers = ("weights × positions", "out × positions") if places else ("weights", "out")
    bias = [with_bias(op, out), elementwise("bias additions", numbers, 1, layer.output_shape)]
    macs = multiplied(layer, per, product(f"{op.weights:,}", *places))
    return [weights, *(bias if op.bias else ()), *macs]


def with_bias(op: ops.Convolution | ops.Linear, out: int) -> Formula:
    return Formula("parameters", "weights + bias", f"{op.weights:,} + {out}", op.params)


def multiplied(layer: Layer, formula: str, numbers: str) -> list[Formula]:
    """The MACs of a layer as its formula says, with what follows from them."""
    own = cost(layer)
    bias = f" + {own.bias:,}" if own.bias else ""
    flops = "2 × MACs + bias additions" if bias else "2 × MACs"
    return [
        Formula("MACs", formula, numbers, own.macs),
        Formula("FLOPs", flops, f"2 × {own.macs:,}{bias}", own.flops),
        activations(layer),
    ]


@formulas.register(ops.BatchNorm2d)
def _(op: ops.BatchNorm2d, layer: Layer) -> list[Formula]:
    held = f"2 × {op.channels}"
    return [
        Formula("parameters", "2 × C (scale, shift)", held, op.params),
        Formula("buffers", "2 × C + 1 (mean, variance, count)", f"{held} + 1", op.buffers),
        *pointwise(layer, "2 × C × H × W", 2),
    ]


@formulas.register(ops.FrozenBatchNorm2d)
def _(op: ops.FrozenBatchNorm2d, layer: Layer) -> list[Formula]:
    held = "4 × C (scale, shift, mean, variance)", f"4 × {op.channels}"
    return [Formula("buffers", *held, op.buffers), *pointwise(layer, "2 × C × H × W", 2)]


@formulas.register(ops.MaxPool2d)
def _(op: ops.MaxPool2d, layer: Layer) -> list[Formula]:
    area = f"({op.kernel[0]} × {op.kernel[1]} - 1)"
    numbers = f"{area} × {product(*layer.output_shape)}"
    compared = Formula("FLOPs", "(k_h × k_w - 1) × C × H × W", numbers, cost(layer).flops)
    return [*_extents(op, layer), compared, activations(layer)]


@formulas.register(ops.AvgPool2d)
def _(op: ops.AvgPool2d, layer: Layer) -> list[Formula]:
    numbers = product(*op.kernel, *layer.output_shape)
    averaged = Formula("FLOPs", "k_h × k_w × C × H × W", numbers, cost(layer).flops)
    return [*_extents(op, layer), averaged, activations(layer)]


@formulas.register(ops.GlobalAvgPool2d)
def _(op: ops.GlobalAvgPool2d, layer: Layer) -> list[Formula]:
    averaged = elementwise("FLOPs", "C × H_in × W_in", 1, layer.input_shapes[0])
    return [averaged, activations(layer)]


@formulas.register(ops.Activation)
@formulas.register(ops.Add)
@formulas.register(ops.Scale)
@formulas.register(ops.Multiply)
def _(op: ops.Op, layer: Layer) -> list[Formula]:
    return pointwise(layer, "C × H × W")


@formulas.register(ops.Gain)
def _(op: ops.Gain, layer: Layer) -> list[Formula]:
    held = Formula("parameters", "the gain", "1", op.params)
    return [held, *pointwise(layer, "C × H × W")]


@formulas.register(ops.ZeroPad)
def _(op: ops.ZeroPad, layer: Layer) -> list[Formula]:
    numbers, added = f"{op.out_channels} - {op.in_channels}", op.out_channels - op.in_channels
    return [Formula("zero channels", "C_out - C_in", numbers, added), activations(layer)]


@formulas.register(ops.Flatten)
def _(op: ops.Op, layer: Layer) -> list[Formula]:
    return [elementwise("features", "C × H × W", 1, layer.input_shapes[0])]


# --- ops of traced networks -----------------------------------------------------------------------


def _held(op: ops.Op) -> list[Formula]:
    """Parameters that no formula gives."""
    if not op.params:
        return []
    return [Formula("parameters", "entries of its tensors", f"{op.params:,}", op.params)]


@formulas.register(torch_ops.Conv)
def _(op: torch_ops.Conv, layer: Layer) -> list[Formula]:
    sizes = positions(op, layer, op.reach, ceil=False)
    return [*sizes, *_convolved(op, layer, layer.output_shape, "output")]


@formulas.register(torch_ops.ConvTranspose)
def _(op: torch_ops.ConvTranspose, layer: Layer) -> list[Formula]:
    sizes = []
    for at, name in enumerate("DHW"[-len(op.kernel) :], -len(op.kernel)):
        more = op.output_padding[at] if op.output_padding else 0
        spread = f"({layer.input_shapes[0][at]} - 1) × {op.stride[at]}"
        numbers = f"{spread} - 2×{op.padding[at]} + {op.reach[at]} + {more}"
        formula = f"({name} - 1) × s - 2p + k + output padding"
        sizes.append(Formula(f"output {name}", formula, numbers, layer.output_shape[at]))
    return [*sizes, *_convolved(op, layer, layer.input_shapes[0], "input")]


def _convolved(op: ops.Convolution, layer: Layer, shape: Shape, side: str) -> list[Formula]:
    """The weights of a convolution, and its work at each position of one of its sides."""
    axes = len(op.kernel)
    places = (*shape[: -axes - 1], *shape[-axes:])
    additions = elementwise("bias additions", "all outputs", 1, layer.output_shape)
    made = isinstance(op, torch_ops.Conv) and op.made_of is not None
    bias = [with_bias(op, op.out_channels), additions] if op.bias else []
    return [
        kernels(op, "k"),
        *(_held(op) if made else bias),
        *multiplied(layer, f"weights × {side} positions", product(f"{op.weights:,}", *places)),
    ]


@formulas.register(torch_ops.Pool)
def _(op: torch_ops.Pool, layer: Layer) -> list[Formula]:
    area = product(*op.kernel)
    each, numbers = ("k - 1", f"({area} - 1)") if op.type.startswith("Max") else ("k", area)
    numbers = f"{numbers} × {product(*layer.output_shape)}"
    flops = Formula("FLOPs", f"({each}) × all outputs", numbers, cost(layer).flops)
    return [*positions(op, layer, op.reach, ceil=op.ceil), flops, activations(layer)]


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
def _(op: ops.Op, layer: Layer) -> list[Formula]:
    each = 3 if isinstance(op, ActiveNorm) and op.activates else 2
    return [*_held(op), *pointwise(layer, f"{each} × all elements", each)]


@formulas.register(torch_ops.Function)
@formulas.register(torch_ops.Arithmetic)
def _(op: torch_ops.Function | torch_ops.Arithmetic, layer: Layer) -> list[Formula]:
    return [*_held(op), *pointwise(layer, "all elements")]


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
