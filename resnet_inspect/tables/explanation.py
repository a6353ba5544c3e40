"""A layer's or block's arithmetic written out: each formula, and the same with numbers put in.

The numbers are written as arithmetic that anyone can check: every right-hand side evaluates to
the count that the rest of the package gives (a test does so).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from resnet_inspect.counting.costs import cost, total
from resnet_inspect.counting.field import Field, ReceptiveField
from resnet_inspect.counting.kept import saved_tensors
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.errors import unknown
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.tables.columns import Column
from resnet_inspect.tables.formulas import Formula, formulas
from resnet_inspect.tables.network_notes import field_note
from resnet_inspect.tables.table import Table


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
    unseen = any(fields[layer.name] is None for layer in layers)
    kept = {source for layer in layers for source in saved_tensors(layer.op, layer)}
    return Table(
        title=f"{graph.name} {part}: {kind}, {inputs} -> {show_shape(layers[-1].output_shape)}",
        columns=(
            *([Column("layer", "Layer")] if is_block else []),
            Column("quantity", "Quantity"),
            Column("formula", "Formula", "formula"),
            Column("numbers", "With numbers", "prose"),
            Column("value", "=", "count"),
        ),
        rows=tuple({"layer": name, **formula._asdict()} for name, formula in rows),
        meta={"model": graph.name, "part": part, "input": list(graph.input_shape)},
        notes=(
            "One sample. FLOPs are 2 x MACs and the elementwise operations above.",
            f"Kept for the backward pass: {', '.join(sorted(kept)) if kept else 'nothing'}.",
            *(field_note(graph) if unseen else ()),
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


def _field_formulas(layer: Layer, fields: Mapping[str, ReceptiveField | None]) -> list[Formula]:
    """How the receptive field grows (Araujo et al. 2019, section 2)."""
    field = fields[layer.name]
    if not field or not field.axes or not isinstance(layer.op, (ops.Conv2d, ops.Pool2d)):
        return []
    kernel = layer.op.reach if isinstance(layer.op, ops.Conv2d) else layer.op.kernel
    before = fields.get(layer.inputs[0])
    last, first = field.height, before.height if before else Field(1, 1, 0)
    if first.spans:  # behind upsampling: not the same for all positions
        return []
    size, step = first.size, int(first.stride)
    numbers = f"{size} + ({kernel[0]} - 1) × {step}"
    strided = f"{step} × {layer.op.stride[0]}"
    return [
        Formula("receptive field", "field + (k - 1) × stride", numbers, last.size),
        Formula("field stride", "stride × s", strided, int(last.stride)),
    ]
