"""A layer's or block's arithmetic written out: each formula, and the same with numbers put in.

The numbers are written as arithmetic that anyone can check: every right-hand side evaluates to
the count that the rest of the package gives (a test does so).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import NamedTuple

from resnet_inspect.counting.costs import Cost, cost, total
from resnet_inspect.counting.memory import saved_tensors
from resnet_inspect.counting.receptive_field import ReceptiveField, receptive_fields
from resnet_inspect.errors import unknown
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph
from resnet_inspect.networks.ops import (
    Activation,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    Op,
    Pool2d,
    Scale,
    Shape,
    ZeroPad,
    show_shape,
)
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
    rows: list[dict[str, str | int]] = []
    for layer in layers:
        written = (*formulas(layer.op, layer), *_field_formulas(layer, fields))
        # A block is about its weights and MACs; the rest it adds up, and each layer has in full.
        wanted = [formula for formula in written if not is_block or formula.quantity in _OF_BLOCK]
        rows.extend(_row(layer.name, formula) for formula in wanted)
    if is_block:
        rows.extend(_row(part, formula) for formula in _sums(layers))
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
        rows=tuple(rows),
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
    # A module called several times: the name of the first call stands for it.
    calls = [layer for layer in graph.layers if layer.path == part]
    if calls:
        return (calls[0],), False
    raise unknown(f"layer or block of {graph.name}", part, [*graph.by_name, *blocks])


def _row(layer: str, formula: Formula) -> dict[str, str | int]:
    return {
        "layer": layer,
        "quantity": formula.quantity,
        "formula": formula.formula,
        "numbers": formula.numbers,
        "value": formula.value,
    }


def _sums(layers: tuple[Layer, ...]) -> list[Formula]:
    """What a block's layers add up to."""
    parts = [cost(layer) for layer in layers]
    whole = total(layers)

    def summed(name: str, field: str) -> Formula:
        values = [getattr(part, field) for part in parts if getattr(part, field)]
        return Formula(
            f"{name} in all",
            "sum over layers",
            " + ".join(f"{value:,}" for value in values) or "0",
            getattr(whole, field),
        )

    return [
        summed("parameters", "params"),
        summed("MACs", "macs"),
        summed("FLOPs", "flops"),
        summed("activations", "written"),
    ]


def _product(*factors: int) -> str:
    return " × ".join(map(str, factors))


def _extent(
    names: str, size: int, kernel: int, stride: int, padding: int, ceil: bool, result: int
) -> Formula:
    formula = f"{'⌈' if ceil else '⌊'}({names} + 2p - k) / s{'⌉' if ceil else '⌋'} + 1"
    room = f"({size} + 2×{padding} - {kernel})"
    # Rounding up is written as what it is in integers: minus the floor of the negative.
    quotient = f"-(-{room} // {stride})" if ceil else f"{room} // {stride}"
    return Formula(f"output {'height' if names == 'H' else 'width'}", formula,
                   f"{quotient} + 1", result)  # fmt: skip


def _extents(op: Conv2d | Pool2d, layer: Layer) -> list[Formula]:
    kernel = op.reach if isinstance(op, Conv2d) else op.kernel
    ceil = isinstance(op, Pool2d) and op.ceil
    (_, height, width), out = layer.input_shapes[0], layer.output_shape
    tall = _extent("H", height, kernel[0], op.stride[0], op.padding[0], ceil, out[1])
    wide = _extent("W", width, kernel[1], op.stride[1], op.padding[1], ceil, out[2])
    return [tall, wide]


def _elementwise(quantity: str, per: str, factor: int, shape: Shape) -> Formula:
    numbers = (factor, *shape) if factor != 1 else shape
    value = factor
    for size in shape:
        value *= size
    return Formula(quantity, per, _product(*numbers), value)


def _activations(layer: Layer) -> Formula:
    names = "C × H × W" if len(layer.output_shape) == 3 else "features"
    return _elementwise("activations", names, 1, layer.output_shape)


@singledispatch
def formulas(op: Op, layer: Layer) -> list[Formula]:
    """The formulas of an op; an op without a rule has its parameters alone."""
    return [Formula("parameters", "counted from its tensors", str(op.params), op.params)]


@formulas.register(Conv2d)
def _(op: Conv2d, layer: Layer) -> list[Formula]:
    spent, (out, height, width) = cost(layer), layer.output_shape
    inside = f"{op.in_channels} // {op.groups}" if op.groups > 1 else str(op.in_channels)
    shown = f"({inside})" if op.groups > 1 else inside
    per = "C_out × C_in/groups × k_h × k_w" if op.groups > 1 else "C_out × C_in × k_h × k_w"
    weights = f"{out} × {shown} × {op.kernel[0]} × {op.kernel[1]}"
    rows = [*_extents(op, layer), Formula("weights", per, weights, op.weights)]
    if op.bias:
        rows.append(Formula("bias", "C_out", str(out), out))
        rows.append(Formula("parameters", "weights + bias", f"{op.weights:,} + {out}", op.params))
        rows.append(_elementwise("bias additions", "C_out × H × W", 1, layer.output_shape))
    macs = f"{op.weights:,} × {height} × {width}"
    rows.append(Formula("MACs", "weights × H_out × W_out", macs, spent.macs))
    return [*rows, _flops(spent), _activations(layer)]


@formulas.register(Linear)
def _(op: Linear, layer: Layer) -> list[Formula]:
    spent = cost(layer)
    sizes = _product(op.in_features, op.out_features)
    rows = [Formula("weights", "in × out", sizes, op.weights)]
    if op.bias:
        numbers = f"{op.weights:,} + {op.out_features}"
        rows.append(Formula("parameters", "weights + bias", numbers, op.params))
        rows.append(Formula("bias additions", "out", str(op.out_features), op.out_features))
    rows.append(Formula("MACs", "weights", f"{op.weights:,}", spent.macs))
    return [*rows, _flops(spent), _activations(layer)]


def _flops(spent: Cost) -> Formula:
    bias = f" + {spent.bias:,}" if spent.bias else ""
    formula = "2 × MACs + bias additions" if bias else "2 × MACs"
    return Formula("FLOPs", formula, f"2 × {spent.macs:,}{bias}", spent.flops)


@formulas.register(BatchNorm2d)
def _(op: BatchNorm2d, layer: Layer) -> list[Formula]:
    return [
        Formula("parameters", "2 × C (scale, shift)", _product(2, op.channels), op.params),
        Formula(
            "buffers", "2 × C + 1 (mean, variance, count)", f"2 × {op.channels} + 1", op.buffers
        ),
        _elementwise("FLOPs", "2 × C × H × W", 2, layer.output_shape),
        _activations(layer),
    ]


@formulas.register(MaxPool2d)
def _(op: MaxPool2d, layer: Layer) -> list[Formula]:
    area = f"({op.kernel[0]} × {op.kernel[1]} - 1)"
    numbers = f"{area} × {_product(*layer.output_shape)}"
    compared = Formula("FLOPs", "(k_h × k_w - 1) × C × H × W", numbers, cost(layer).flops)
    return [*_extents(op, layer), compared, _activations(layer)]


@formulas.register(AvgPool2d)
def _(op: AvgPool2d, layer: Layer) -> list[Formula]:
    numbers = _product(*op.kernel, *layer.output_shape)
    averaged = Formula("FLOPs", "k_h × k_w × C × H × W", numbers, cost(layer).flops)
    return [*_extents(op, layer), averaged, _activations(layer)]


@formulas.register(GlobalAvgPool2d)
def _(op: GlobalAvgPool2d, layer: Layer) -> list[Formula]:
    averaged = _elementwise("FLOPs", "C × H_in × W_in", 1, layer.input_shapes[0])
    return [averaged, _activations(layer)]


@formulas.register(Activation)
@formulas.register(Add)
@formulas.register(Scale)
def _(op: Op, layer: Layer) -> list[Formula]:
    return [_elementwise("FLOPs", "C × H × W", 1, layer.output_shape), _activations(layer)]


@formulas.register(ZeroPad)
def _(op: ZeroPad, layer: Layer) -> list[Formula]:
    added = f"{op.out_channels} - {op.in_channels}"
    return [
        Formula("zero channels", "C_out - C_in", added, op.out_channels - op.in_channels),
        _activations(layer),
    ]


@formulas.register(Flatten)
def _(op: Op, layer: Layer) -> list[Formula]:
    shape = layer.input_shapes[0]
    return [_elementwise("features", "C × H × W", 1, shape)]


def _field_formulas(layer: Layer, fields: Mapping[str, ReceptiveField | None]) -> list[Formula]:
    """How the receptive field grows (Araujo et al. 2019, section 2)."""
    field = fields[layer.name]
    before = fields.get(layer.inputs[0]) if layer.inputs[0] != INPUT else None
    if field is None or not isinstance(layer.op, (Conv2d, Pool2d)):
        return []
    kernel = layer.op.reach if isinstance(layer.op, Conv2d) else layer.op.kernel
    size, step = (before.height.size, before.height.stride) if before else (1, 1)
    numbers = f"{size} + ({kernel[0]} - 1) × {step}"
    return [
        Formula("receptive field", "field + (k - 1) × stride", numbers, field.height.size),
        Formula(
            "field stride",
            "stride × s",
            _product(step, layer.op.stride[0]),
            field.height.stride,
        ),
    ]
