"""A layer's or block's arithmetic written out: each formula, and the same with numbers put in.

The numbers are written as arithmetic that anyone can check: every right-hand side evaluates to
the count that the rest of the package gives (a test does so).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import singledispatch
from typing import NamedTuple

from resnet_inspect.counting.costs import cost, total
from resnet_inspect.counting.field import ReceptiveField
from resnet_inspect.counting.memory import saved_tensors
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.errors import unknown
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph
from resnet_inspect.networks.ops import Shape, elements, show_shape
from resnet_inspect.tables.columns import Column
from resnet_inspect.tables.table import Table


class Formula(NamedTuple):
    """quantity = formula = numbers = value."""

    quantity: str
    formula: str
    numbers: str
    value: int


def arithmetic(graph: LayerGraph, part: str) -> Table:
    """The arithmetic of a layer or block by name; raises UnknownNameError with the nearest."""
    layers, is_block = _part(graph, part)
    fields = receptive_fields(graph)
    rows = [
        (layer.name, formula)
        for layer in layers
        for formula in (*formulas(layer.op, layer), *_field_formulas(layer, fields))
        # A block is about its weights and MACs; the rest it adds up, and each layer has in full.
        if not is_block or formula.quantity in _OF_BLOCK
    ]
    if is_block:
        rows += [(part, formula) for formula in _sums(layers)]
    inputs = ", ".join(
        f"{source} ({show_shape(shape)})"
        for source, shape in zip(layers[0].inputs, layers[0].input_shapes, strict=True)
    )
    kind = graph.block(part).kind if is_block else layers[0].op.kind
    kept = {source for layer in layers for source in saved_tensors(layer.op, layer)}
    return Table(
        title=f"{graph.name} {part}: {kind}, {inputs} -> {show_shape(layers[-1].output_shape)}",
        columns=(
            *([Column("layer", "Layer")] if is_block else []),
            Column("quantity", "Quantity"),
            Column("formula", "Formula", rank=1),
            Column("numbers", "With numbers", "prose"),
            Column("value", "=", "count"),
        ),
        rows=tuple({"layer": name, **formula._asdict()} for name, formula in rows),
        meta={"model": graph.name, "part": part, "input": list(graph.input_shape)},
        notes=(
            "One sample. FLOPs are 2 x MACs and the elementwise operations above.",
            f"Kept for the backward pass: {', '.join(sorted(kept)) if kept else 'nothing'}.",
        ),
        group="layer",
    )


_OF_BLOCK = ("weights", "parameters", "MACs", "zero channels")


def _part(graph: LayerGraph, part: str) -> tuple[tuple[Layer, ...], bool]:
    if part in graph.by_name:
        return (graph.layer(part),), False
    blocks = {block.name: block.layers for block in graph.blocks}
    if part in blocks:
        return blocks[part], True
    # A module called several times: it is known by the name of its first call.
    calls = [layer for layer in graph.layers if layer.path == part]
    if calls:
        return (calls[0],), False
    raise unknown(f"layer or block of {graph.name}", part, [*graph.by_name, *blocks])


def _sums(layers: tuple[Layer, ...]) -> Iterator[Formula]:
    """What a block's layers add up to."""
    whole = total(layers)
    for name, field in (
        ("parameters", "params"),
        ("MACs", "macs"),
        ("FLOPs", "flops"),
        ("activations", "written"),
    ):
        values = [value for layer in layers if (value := getattr(cost(layer), field))]
        numbers = " + ".join(f"{value:,}" for value in values) or "0"
        yield Formula(f"{name} in all", "sum over layers", numbers, getattr(whole, field))


def _product(*factors: int | str) -> str:
    return " × ".join(map(str, factors))


def _extents(op: ops.Conv2d | ops.Pool2d, layer: Layer) -> Iterator[Formula]:
    kernel = op.reach if isinstance(op, ops.Conv2d) else op.kernel
    ceil = isinstance(op, ops.Pool2d) and op.ceil
    for axis, (name, side) in enumerate((("H", "height"), ("W", "width"))):
        inside = f"{name} + 2p - k"
        formula = f"⌈({inside}) / s⌉ + 1" if ceil else f"⌊({inside}) / s⌋ + 1"
        size, stride = layer.input_shapes[0][1 + axis], op.stride[axis]
        room = f"({size} + 2×{op.padding[axis]} - {kernel[axis]})"
        # Rounding up is written as what it is in integers: minus the floor of the negative.
        numbers = f"-(-{room} // {stride}) + 1" if ceil else f"{room} // {stride} + 1"
        yield Formula(f"output {side}", formula, numbers, layer.output_shape[1 + axis])


def _elementwise(quantity: str, per: str, factor: int, shape: Shape) -> Formula:
    numbers = (factor, *shape) if factor != 1 else shape
    return Formula(quantity, per, _product(*numbers), factor * elements(shape))


def _activations(layer: Layer) -> Formula:
    names = "C × H × W" if len(layer.output_shape) == 3 else "features"
    return _elementwise("activations", names, 1, layer.output_shape)


@singledispatch
def formulas(op: ops.Op, layer: Layer) -> list[Formula]:
    """The formulas of an op; an op without a rule has only its parameters."""
    return [Formula("parameters", "counted from its tensors", str(op.params), op.params)]


@formulas.register(ops.Conv2d)
def _(op: ops.Conv2d, layer: Layer) -> list[Formula]:
    out, height, width = layer.output_shape
    grouped = op.groups > 1
    per = "C_out × C_in/groups × k_h × k_w" if grouped else "C_out × C_in × k_h × k_w"
    inside = f"({op.in_channels} // {op.groups})" if grouped else op.in_channels
    weights = Formula("weights", per, _product(out, inside, *op.kernel), op.weights)
    macs = "weights × H_out × W_out", f"{op.weights:,} × {height} × {width}"
    bias = [
        Formula("bias", "C_out", str(out), out),
        _with_bias(op, out),
        _elementwise("bias additions", "C_out × H × W", 1, layer.output_shape),
    ]
    return [*_extents(op, layer), weights, *(bias if op.bias else ()), *_multiplied(layer, *macs)]


@formulas.register(ops.Linear)
def _(op: ops.Linear, layer: Layer) -> list[Formula]:
    out = op.out_features
    weights = Formula("weights", "in × out", _product(op.in_features, out), op.weights)
    bias = [_with_bias(op, out), Formula("bias additions", "out", str(out), out)]
    macs = _multiplied(layer, "weights", f"{op.weights:,}")
    return [weights, *(bias if op.bias else ()), *macs]


def _with_bias(op: ops.Conv2d | ops.Linear, out: int) -> Formula:
    return Formula("parameters", "weights + bias", f"{op.weights:,} + {out}", op.params)


def _multiplied(layer: Layer, formula: str, numbers: str) -> list[Formula]:
    """The MACs of a layer as its formula says, with what follows from them."""
    own = cost(layer)
    bias = f" + {own.bias:,}" if own.bias else ""
    flops = "2 × MACs + bias additions" if bias else "2 × MACs"
    return [
        Formula("MACs", formula, numbers, own.macs),
        Formula("FLOPs", flops, f"2 × {own.macs:,}{bias}", own.flops),
        _activations(layer),
    ]


@formulas.register(ops.BatchNorm2d)
def _(op: ops.BatchNorm2d, layer: Layer) -> list[Formula]:
    held = f"2 × {op.channels}"
    return [
        Formula("parameters", "2 × C (scale, shift)", held, op.params),
        Formula("buffers", "2 × C + 1 (mean, variance, count)", f"{held} + 1", op.buffers),
        _elementwise("FLOPs", "2 × C × H × W", 2, layer.output_shape),
        _activations(layer),
    ]


@formulas.register(ops.MaxPool2d)
def _(op: ops.MaxPool2d, layer: Layer) -> list[Formula]:
    area = f"({op.kernel[0]} × {op.kernel[1]} - 1)"
    numbers = f"{area} × {_product(*layer.output_shape)}"
    compared = Formula("FLOPs", "(k_h × k_w - 1) × C × H × W", numbers, cost(layer).flops)
    return [*_extents(op, layer), compared, _activations(layer)]


@formulas.register(ops.AvgPool2d)
def _(op: ops.AvgPool2d, layer: Layer) -> list[Formula]:
    numbers = _product(*op.kernel, *layer.output_shape)
    averaged = Formula("FLOPs", "k_h × k_w × C × H × W", numbers, cost(layer).flops)
    return [*_extents(op, layer), averaged, _activations(layer)]


@formulas.register(ops.GlobalAvgPool2d)
def _(op: ops.GlobalAvgPool2d, layer: Layer) -> list[Formula]:
    averaged = _elementwise("FLOPs", "C × H_in × W_in", 1, layer.input_shapes[0])
    return [averaged, _activations(layer)]


@formulas.register(ops.Activation)
@formulas.register(ops.Add)
@formulas.register(ops.Scale)
def _(op: ops.Op, layer: Layer) -> list[Formula]:
    return [_elementwise("FLOPs", "C × H × W", 1, layer.output_shape), _activations(layer)]


@formulas.register(ops.ZeroPad)
def _(op: ops.ZeroPad, layer: Layer) -> list[Formula]:
    added = f"{op.out_channels} - {op.in_channels}"
    return [
        Formula("zero channels", "C_out - C_in", added, op.out_channels - op.in_channels),
        _activations(layer),
    ]


@formulas.register(ops.Flatten)
def _(op: ops.Op, layer: Layer) -> list[Formula]:
    return [_elementwise("features", "C × H × W", 1, layer.input_shapes[0])]


def _field_formulas(layer: Layer, fields: Mapping[str, ReceptiveField | None]) -> list[Formula]:
    """How the receptive field grows (Araujo et al. 2019, section 2)."""
    field = fields[layer.name]
    before = fields.get(layer.inputs[0]) if layer.inputs[0] != INPUT else None
    if field is None or not isinstance(layer.op, (ops.Conv2d, ops.Pool2d)):
        return []
    kernel = layer.op.reach if isinstance(layer.op, ops.Conv2d) else layer.op.kernel
    size, step = (before.height.size, before.height.stride) if before else (1, 1)
    numbers = f"{size} + ({kernel[0]} - 1) × {step}"
    return [
        Formula("receptive field", "field + (k - 1) × stride", numbers, field.height.size),
        Formula(
            "field stride", "stride × s", f"{step} × {layer.op.stride[0]}", field.height.stride
        ),
    ]
