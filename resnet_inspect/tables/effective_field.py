"""Effective receptive fields -> Table: what units really see at initialisation."""

from __future__ import annotations

from collections.abc import Mapping

from resnet_inspect.counting.receptive_field import field_end, receptive_fields
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.propagation.effective import HELD, EffectiveField, difference
from resnet_inspect.propagation.maps import Map, radius_of
from resnet_inspect.tables.columns import Column, Record, Value, columns
from resnet_inspect.tables.table import Table

_COLUMNS = (
    Column("name", "Unit of"),
    Column("receptive_field", "Can see", "pair"),
    Column("side", "Sees"),
    Column("measured", "measured"),
    *columns("percent", 0, clipped="Outside", padding="Padding"),
    Column("difference", "L1", "percent"),
)


_CAN_SEE = (
    "Can see: the receptive field. Sees: the side of the square about its middle that holds "
    f"{HELD:.0%} of the expected square of the gradient (Luo et al. 2016, arXiv 1701.04128)."
)
_OUTSIDE = (
    "Outside: the part of the receptive field's area that is not on the input; padding: the part "
    "of the square of the gradient that falls on padding."
)
_L1 = (
    "L1: what theory and autograd differ by, summed over pixels (at most 200%); the noise of few "
    "seeds is in it."
)


def effective_fields(
    graph: LayerGraph,
    fields: Mapping[str, EffectiveField],
    measured: Mapping[str, Map],
    *,
    stages: bool,
) -> Table:
    """A row a field; measured: what autograd found, by the name of the layer.

    stages: whether the fields are those of the stages, as far as they go.
    """
    left = _left_out(graph, fields) if stages else ()
    return Table(
        title=f"{graph.name}: what the unit in the middle sees at initialisation",
        columns=_COLUMNS,
        rows=tuple(_row(name, field, measured.get(name)) for name, field in fields.items()),
        meta={"model": graph.name, "input": list(graph.input_shape)},
        notes=(_CAN_SEE, _OUTSIDE, *((_L1,) if measured else ()), *_answer(graph, fields), *left),
    ).hiding(*(() if measured else ("measured", "difference")))


def _answer(graph: LayerGraph, fields: Mapping[str, EffectiveField]) -> tuple[str, ...]:
    last = list(fields.values())[-1]
    if all(size <= side for size, side in zip(last.field.size, graph.input_shape[1:], strict=True)):
        return ()
    told = f"of what the last of these sees, {last.padding:.1%} is padding"
    return (f"A receptive field larger than the input is not wrong: {told}.",)


def _left_out(graph: LayerGraph, fields: Mapping[str, EffectiveField]) -> tuple[str, ...]:
    """Why later stages have no row."""
    last = graph.layers.index(graph.by_name[list(fields)[-1]])
    later = [
        stage.output
        for stage in graph.stages
        if len(stage.output.output_shape) == 3 and graph.layers.index(stage.output) > last
    ]
    if not later:
        return ()
    field = receptive_fields(graph)[later[0].name]
    if field is None:
        why = f"Receptive fields end at {field_end(graph)}"
    elif not all(axis.stride for axis in field.axes):
        why = "Behind a gate, which has seen all positions, a unit can see the whole input"
    else:
        why = "Theory reaches no further: 'resnet-inspect signal' says where it stops"
    return (f"{why}.",)


def _row(name: str, field: EffectiveField, measured: Map | None) -> Record:
    row: dict[str, Value] = {
        "name": name,
        "receptive_field": field.field.size,
        "side": field.side,
        "clipped": field.clipped,
        "padding": field.padding,
    }
    if measured is not None:
        row["measured"] = 2 * radius_of(measured, *field.centre, HELD) + 1
        row["difference"] = difference(field.square, measured)
    return row
