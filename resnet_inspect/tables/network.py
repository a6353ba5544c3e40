"""LayerGraph -> Table: a network's layers, blocks or stages with what they cost.

A row is some layers that run one after another: one layer, a convolution with the batch norm and
activation folded into it, a block, a stage, or the whole network. Every column reads such a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from resnet_inspect.counting.costs import TERMS, Cost, checked_batch, cost, graph_cost, owned, total
from resnet_inspect.counting.dtypes import chosen_dtype, element_bytes
from resnet_inspect.counting.field import ReceptiveField
from resnet_inspect.counting.receptive_field import later_field, wired_fields
from resnet_inspect.errors import check_name
from resnet_inspect.networks.fusion import fold, main_layer
from resnet_inspect.networks.graph import Block, Layer, LayerGraph, Stage, once
from resnet_inspect.networks.op_labels import describe
from resnet_inspect.tables.columns import Column, Record, Value, ratio
from resnet_inspect.tables.network_notes import (
    counted_layers,
    dilated,
    field_note,
    gaps,
    memory_notes,
    not_run,
    padded_unlike,
    publications,
    references,
    run_notes,
    small_input,
    wide_field,
)
from resnet_inspect.tables.table import Table

LEVELS = ("layer", "block", "stage", "network")

MACS = "MACs of convolution and linear layers"
"""The canonical convention, in words (costs.py)."""


class Row(NamedTuple):
    """Layers that make one row, and what it takes to describe them."""

    name: str
    path: str
    kind: str
    stage: str
    block: str
    layers: tuple[Layer, ...]
    cost: Cost
    field: ReceptiveField | None
    whole: Cost
    itemsize: int


def _operation(row: Row) -> str:
    return " ".join([describe(x.op) for x in row.layers]) if row.kind == "layer" else row.kind


def _setting(name: str) -> Callable[[Row], Value]:
    return lambda row: (
        getattr(main_layer(row.layers).op, name, None) if row.kind == "layer" else None
    )


def _field(name: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.field, name) or None if row.field else None


def _known(row: Row, count: Value) -> Value:
    """Unknown is never zero: a row of nothing but uncounted layers has no count."""
    if not row.cost.uncounted or not row.layers:
        return count
    return count if any(not cost(layer).uncounted for layer in row.layers) else None


def _term(name: str) -> Callable[[Row], Value]:
    return lambda row: _known(row, getattr(row.cost, name))


def _by_size(name: str) -> Callable[[Row], Value]:
    """What depends on the bytes of an element."""
    return lambda row: _known(row, getattr(row.cost, name)(row.itemsize))


def _op_names(row: Row) -> str:
    return "+".join([x.op.kind for x in row.layers]) if row.kind == "layer" else row.kind


Metric = tuple[Column, Callable[[Row], Value]]
"""A column and how it reads a row."""

METRICS: dict[str, Metric] = {
    column.key: (column, value)
    for column, value in (
        (Column("name", "Layer"), lambda row: row.name),
        (Column("path", "Module"), lambda row: row.path),
        (Column("op", "Op"), _op_names),
        (Column("operation", "Operation", rank=2), _operation),
        (Column("stage", "Stage"), lambda row: row.stage),
        (Column("block", "Block"), lambda row: row.block),
        (Column("layers", "Layers", "count"), lambda row: len(row.layers)),
        (Column("kernel", "Kernel", "shape"), _setting("kernel")),
        (Column("stride", "Stride", "shape"), _setting("stride")),
        (Column("padding", "Padding", "shape"), _setting("padding")),
        (Column("groups", "Groups"), _setting("groups")),
        (
            Column("input_shape", "Input", "shape", 6),
            lambda row: (*row.layers[0].input_shapes, None)[0],
        ),
        (Column("output_shape", "Output", "shape", 1), lambda row: row.layers[-1].output_shape),
        (Column("params", "Parameters", "count"), lambda row: row.cost.params),
        (Column("trainable", "Trainable", "count", 5), lambda row: row.cost.trainable),
        (Column("frozen", "Frozen", "count", 1), lambda row: row.cost.frozen),
        (Column("macs", "MACs", "count"), _term("macs")),
        (Column("share", "of MACs", "share", 3), lambda row: ratio(row.cost.macs, row.whole.macs)),
        (Column("flops", "FLOPs", "count", 5), _term("flops")),
        *((Column(term, term.capitalize(), "count"), _term(term)) for term in TERMS),
        (Column("activations", "Activations", "count"), _term("written")),
        (
            Column("activation_bytes", "Act. memory", "bytes"),
            lambda row: _known(row, row.cost.written * row.itemsize),
        ),
        (Column("traffic", "Traffic", "bytes"), _by_size("traffic")),
        (Column("intensity", "FLOPs/byte", "ratio"), _by_size("intensity")),
        (Column("receptive_field", "Field", "pair", 4), _field("size")),
        (Column("field_stride", "F. stride", "pair"), _field("stride")),
        (Column("field_padding", "F. padding", "pair"), _field("padding")),
        (Column("field_centre", "F. centre", "pair"), _field("centre")),
    )
}
"""Every column of a network's table: its heading, and how it reads a row."""

SHOWN = ("name", "operation", "output_shape", "params", "macs", "share", "receptive_field")
"""The columns that people see unless they name others."""

_FIELDS = {
    "receptive_field": "size",
    "field_stride": "stride",
    "field_padding": "padding",
    "field_centre": "centre",
}
"""The columns of receptive fields, and what each reads of one."""

_NAMES = ("name", "path", "block")
"""The other columns in which blocks that repeat differ."""

Chosen = Mapping[str, Callable[[Row], Value]]
"""How the columns that somebody asked for read a row."""

Part = tuple[Stage | Block | Layer, tuple[Layer, ...], Cost]
"""What a row is about and is named after, its layers, and what they cost for one sample."""

_HELD = ("params", "trainable", "frozen")

_SUMMED = (*_HELD, "macs", "flops", *TERMS, "activations", "activation_bytes", "traffic")

_TERMS = "'resnet-inspect conventions' says what the terms of the formula are."

COUNTED = "counted"
"""The column of what another convention counts; `share` is then of that."""

UNCOUNTED = "uncounted"
"""The column of how many of a row's layers no rule knows, in networks that have some."""


def metrics(graph: LayerGraph, batch: int = 1, convention: str = "macs") -> dict[str, Metric]:
    """METRICS, and by another convention than MACs what that counts; raises UnknownNameError.

    Where some layers are uncounted, each row says how many of its are.
    """
    own = {} if convention == "macs" else _of_convention(graph, batch, convention)
    missing = set(_uncounted(graph, convention))
    if not own and not missing:
        return METRICS
    if missing:
        own[UNCOUNTED] = (
            Column(UNCOUNTED, "Uncounted", "count"),
            lambda row: sum(layer.name in missing for layer in row.layers),
        )
    made: dict[str, Metric] = {}
    for key, metric in METRICS.items():
        made[key] = metric
        if key == "macs":
            made |= own
    return made | own  # the share is of what the convention counts


def _of_convention(graph: LayerGraph, batch: int, convention: str) -> dict[str, Metric]:
    """What another convention counts, and shares of it."""
    from resnet_inspect.counting import conventions  # nobody else waits for it

    chosen = conventions.convention(convention)
    whole = conventions.count(graph, chosen, batch)

    def counted(row: Row) -> int | None:
        unknown = conventions.uncounted(graph, row.layers)
        known = len(unknown) < len(row.layers)
        return conventions.count(graph, chosen, batch, row.layers) if known else None

    def share(row: Row) -> float | None:
        return ratio(conventions.count(graph, chosen, batch, row.layers), whole)

    return {
        COUNTED: (Column(COUNTED, chosen.label, "count"), counted),
        "share": (Column("share", "of it", "share", 3), share),
    }


def shown(convention: str = "macs", graph: LayerGraph | None = None) -> tuple[str, ...]:
    """SHOWN, with what a convention counts for MACs, and what is frozen where something is."""
    own: dict[str, tuple[str, ...]] = {} if convention == "macs" else {"macs": (COUNTED,)}
    if graph and graph_cost(graph).frozen:
        own["params"] = _HELD
    return tuple(key for shown in SHOWN for key in own.get(shown, (shown,)))


def table(
    graph: LayerGraph,
    level: str = "layer",
    *,
    batch: int = 1,
    dtype: str | None = None,
    all_ops: bool = True,
    columns: Sequence[str] | None = None,
    convention: str = "macs",
) -> Table:
    """A network's table at one of LEVELS, with settings as `api.tables.table` has them.

    Raises UnknownNameError for levels, dtypes, columns and conventions, and InspectError for a
    batch below 1.
    """
    check_name("level", level, LEVELS)
    checked_batch(batch)
    named = chosen_dtype(graph, dtype)
    known = metrics(graph, batch, convention)
    keys = list(known if columns is None else columns)
    for key in keys:
        check_name("column", key, known)
    chosen = {key: known[key][1] for key in keys}
    partial = _uncounted(graph, convention)
    listed = level == "network" or bool(partial) or convention != "macs"
    whole = _whole(graph, batch, element_bytes(named), listed)
    rows = _rows(graph, level, batch, all_ops, whole, chosen)
    published = publications(graph) if batch == 1 else ()
    apart = not_run(graph)
    return Table(
        title=f"{graph.name}, input {graph.shown_inputs}, batch {batch}, {named} "
        f"({heading(convention, graph)})",
        columns=tuple([_wanted(known[key][0], columns) for key in keys]),
        rows=tuple(rows),
        total={"name": "total, at least" if whole.cost.uncounted else "total"}
        | {key: known[key][1](whole) for key in (*_SUMMED, COUNTED) if key in known},
        references=(*apart, *references(published, convention)),
        besides=apart,
        meta={
            "model": graph.name,
            "input": list(graph.input_shape),
            "batch": batch,
            "dtype": named,
            "convention": convention,
            "published": [figure._asdict() | {"agrees": agrees} for figure, agrees in published],
            **({"not_run": dict(graph.run.held_apart)} if graph.run and apart else {}),
        },
        notes=_notes(graph, batch, dtype, convention, "receptive_field" in chosen),
        group="stage" if level == "layer" else None,
        partial=partial,
        shown=shown(convention, graph) if columns is None else (),
        picked_by="--columns",
    )


def _wanted(column: Column, asked: Sequence[str] | None) -> Column:
    """A column, which is never left out where somebody asked for it."""
    return column if asked is None else column._replace(rank=0)


def _notes(
    graph: LayerGraph, batch: int, dtype: str | None, convention: str, with_fields: bool
) -> tuple[str, ...]:
    return (
        *counted_layers([graph]),
        *small_input(graph),
        *dilated(graph),
        *padded_unlike(graph),
        *memory_notes(graph, batch, dtype),
        *run_notes(graph),
        *field_note(graph),
        *(wide_field(graph) if with_fields else ()),
        *(() if convention == "macs" else (_TERMS,)),
    )


def heading(convention: str, graph: LayerGraph) -> str:
    """What a title says of how things were counted: MACs, or fvcore flops: C + L + 2K + Ai."""
    if convention == "macs":
        return MACS
    from resnet_inspect.counting import conventions

    chosen = conventions.convention(convention)
    taken = conventions.used(chosen, conventions.seen_terms(graph, chosen))
    one = ", of one image" if chosen.per_image else ""
    return f"{chosen.label}{one}: {conventions.formula(taken)}"


def _uncounted(graph: LayerGraph, convention: str) -> tuple[str, ...]:
    if convention == "macs":
        if not graph_cost(graph).uncounted:
            return ()
        return (*(x.name for x in graph.layers if cost(x).uncounted), *gaps(graph))
    from resnet_inspect.counting import conventions

    return (*conventions.uncounted(graph), *gaps(graph))


def _whole(graph: LayerGraph, batch: int, itemsize: int, listed: bool) -> Row:
    """The row of the whole network; sums need none of its layers, so they may stay unlisted."""
    cost = graph_cost(graph, batch)
    field = wired_fields(graph)[0][graph.stages[-1].leaving.name] if listed else None
    layers = graph.layers if listed else ()
    return Row(graph.name, "", "network", "", "", layers, cost, field, cost, itemsize)


@once
def _parts(block: Block, level: str, all_ops: bool) -> tuple[Part, ...]:
    """What a block has rows about, at level 'block' or 'layer'."""
    if level == "block":
        return ((block, block.layers, total(block.layers)),)
    groups = [(layer,) for layer in block.layers] if all_ops else fold(block)
    return tuple([(main_layer(group), group, total(group)) for group in groups])


def _rows(
    graph: LayerGraph, level: str, batch: int, all_ops: bool, whole: Row, chosen: Chosen
) -> list[Record]:
    """The rows of a table at a level."""
    if level == "network":
        return [_record(whole, chosen)]
    fields, steps = wired_fields(graph) if any(key in _FIELDS for key in chosen) else ({}, {})

    def row(part: Part, kind: str, stage: str, block: str) -> Row:
        (about, layers, cost), field = part, fields.get(part[1][-1].name)
        cost = owned(graph, layers, cost)
        cost = cost if batch == 1 else cost.for_batch(batch)
        place = (about.name, about.path, kind, stage, block)
        return Row(*place, layers, cost, field, whole.cost, whole.itemsize)

    records: list[Record] = []
    for stage in graph.stages:
        if level == "stage":
            part: Part = (stage, layers := tuple(stage.layers), total(layers))
            records.append(_record(row(part, _stage_kind(stage.blocks), stage.name, ""), chosen))
            continue
        for block in stage.wired:
            kind, parts = block.kind if level == "block" else "layer", _parts(block, level, all_ops)
            rows = [row(part, kind, stage.name, block.name) for part in parts]
            records += (first := [_record(each, chosen) for each in rows])
        if stage.repeats:
            records += _repeats(stage, rows, first, steps.get(stage.name))
    return records


def _repeats(
    stage: Stage, rows: Sequence[Row], first: Sequence[Record], step: ReceptiveField | None
) -> Iterator[Record]:
    """The rows of a stage's repeats: `first`, those of the block that they repeat, moved."""
    skip = len(stage.wired[-1].name)
    tails = [[(key, str(row[key])[skip:]) for key in _NAMES if key in row] for row in first]
    columns = [(key, name) for key, name in _FIELDS.items() if key in first[0]]
    for repeat in range(1, stage.repeats + 1):
        path = f"{stage.path}.{len(stage.wired) + repeat - 1}"
        moved: dict[ReceptiveField | None, Record] = {}
        for field in {row.field for row in rows}:
            later = later_field(field, step, repeat)
            moved[field] = {key: getattr(later, name, None) for key, name in columns}
        for row, record, ends in zip(rows, first, tails, strict=True):
            yield {**record, **{key: path + end for key, end in ends}, **moved[row.field]}


def _record(row: Row, chosen: Chosen) -> Record:
    return {"stage": row.stage} | {key: value(row) for key, value in chosen.items()}


def _stage_kind(blocks: Sequence[Block]) -> str:
    kinds = "/".join(dict.fromkeys(block.kind for block in blocks))
    return f"{len(blocks)} x {kinds}" if len(blocks) > 1 else kinds
