"""LayerGraph -> Table: a network's layers, blocks or stages with what they cost.

A row is some layers that run one after another: one layer, a convolution with the batch norm and
activation folded into it, a block, a stage, or the whole network. Every column reads such a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from resnet_inspect.counting.costs import TERMS, Cost, cost, graph_cost, total
from resnet_inspect.counting.dtypes import DTYPES, canonical_dtype
from resnet_inspect.counting.memory import memory
from resnet_inspect.counting.published import Figure, figures_of, published_quantity
from resnet_inspect.counting.receptive_field import ReceptiveField, receptive_fields
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.networks.fusion import fold, main_layer
from resnet_inspect.networks.graph import Block, Layer, LayerGraph
from resnet_inspect.networks.op_labels import describe
from resnet_inspect.networks.ops import Op, Pair, show_shape
from resnet_inspect.tables.columns import Column, Record, Value, show_bytes
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

    @property
    def main(self) -> Op:
        return main_layer(self.layers).op


def _operation(row: Row) -> str:
    if row.kind != "layer":
        return row.kind
    return " ".join(describe(layer.op) for layer in row.layers)


def _kernel(row: Row) -> Pair | None:
    return getattr(row.main, "kernel", None) if row.kind == "layer" else None


def _setting(name: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.main, name, None) if row.kind == "layer" else None


def _field(name: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.field, name) if row.field else None


def _macs(row: Row) -> int | None:
    return _known(row, row.cost.macs)


def _known(row: Row, count: int) -> int | None:
    """Unknown is never zero: a row of nothing but uncounted layers has no count."""
    return None if row.cost.uncounted == len(row.layers) else count


def _share(row: Row) -> float | None:
    if row.whole.macs == 0:
        return None
    return row.cost.macs / row.whole.macs


def _term(name: str) -> Callable[[Row], Value]:
    return lambda row: _known(row, getattr(row.cost, name))


def _op_names(row: Row) -> str:
    return "+".join(layer.op.kind for layer in row.layers) if row.kind == "layer" else row.kind


Metric = tuple[Column, Callable[[Row], Value]]
"""A column and how it reads a row."""

METRICS: dict[str, Metric] = {
    column.key: (column, value)
    for column, value in (
        (Column("name", "Layer"), lambda row: row.name),
        (Column("path", "Module"), lambda row: row.path),
        (Column("op", "Op"), _op_names),
        (Column("operation", "Operation"), _operation),
        (Column("stage", "Stage"), lambda row: row.stage),
        (Column("block", "Block"), lambda row: row.block),
        (Column("layers", "Layers", "count"), lambda row: len(row.layers)),
        (Column("kernel", "Kernel", "shape"), _kernel),
        (Column("stride", "Stride", "shape"), _setting("stride")),
        (Column("padding", "Padding", "shape"), _setting("padding")),
        (Column("groups", "Groups"), _setting("groups")),
        (Column("input_shape", "Input", "shape", 5), lambda row: row.layers[0].input_shapes[0]),
        (Column("output_shape", "Output", "shape"), lambda row: row.layers[-1].output_shape),
        (Column("params", "Parameters", "count"), lambda row: row.cost.params),
        (Column("macs", "MACs", "count"), _macs),
        (Column("share", "of MACs", "share", 3), _share),
        (Column("flops", "FLOPs", "count", 4), lambda row: _known(row, row.cost.flops)),
        *((Column(term, term.capitalize(), "count"), _term(term)) for term in TERMS),
        (Column("activations", "Activations", "count"), lambda row: _known(row, row.cost.written)),
        (
            Column("activation_bytes", "Act. memory", "bytes"),
            lambda row: _known(row, row.cost.written * row.itemsize),
        ),
        (
            Column("traffic", "Traffic", "bytes"),
            lambda row: _known(row, row.cost.traffic(row.itemsize)),
        ),
        (
            Column("intensity", "FLOPs/byte", "ratio"),
            lambda row: row.cost.intensity(row.itemsize) if _macs(row) is not None else None,
        ),
        (Column("receptive_field", "Field", "pair", 2), _field("size")),
        (Column("field_stride", "F. stride", "pair"), _field("stride")),
        (Column("field_padding", "F. padding", "pair"), _field("padding")),
        (Column("field_centre", "F. centre", "pair"), _field("centre")),
    )
}
"""Every column of a network's table: its heading, and how it reads a row."""

SHOWN = ("name", "operation", "output_shape", "params", "macs", "share", "receptive_field")
"""The columns that people see unless they name others."""

_FIELDS = ("receptive_field", "field_stride", "field_padding", "field_centre")

_PLACED = ("name", "path", "block", *_FIELDS)
"""The columns in which blocks that repeat differ."""

Fields = Mapping[str, ReceptiveField | None]
"""The receptive field of each layer, by its name."""

_SUMMED = ("params", "macs", "flops", *TERMS, "activations", "activation_bytes", "traffic")

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
    whole = conventions.count(graph.layers, chosen, batch)

    def counted(row: Row) -> int | None:
        unknown = conventions.uncounted(row.layers)
        known = len(unknown) < len(row.layers)
        return conventions.count(row.layers, chosen, batch) if known else None

    def share(row: Row) -> float | None:
        return conventions.count(row.layers, chosen, batch) / whole if whole else None

    return {
        COUNTED: (Column(COUNTED, chosen.label, "count"), counted),
        "share": (Column("share", "of it", "share", 3), share),
    }


def shown(convention: str = "macs") -> tuple[str, ...]:
    """SHOWN, with what a convention counts for MACs."""
    return SHOWN if convention == "macs" else tuple(COUNTED if k == "macs" else k for k in SHOWN)


def table(
    graph: LayerGraph,
    level: str = "layer",
    *,
    batch: int = 1,
    dtype: str = "fp32",
    all_ops: bool = True,
    columns: Sequence[str] | None = None,
    convention: str = "macs",
) -> Table:
    """A network's table at one of LEVELS.

    With `all_ops` False, batch norm and activation share their convolution's row. `columns` picks
    and orders them (default: all). convention: a name of conventions.CONVENTIONS; what it counts
    stands in the column 'counted' where it is not MACs. Raises UnknownNameError for levels,
    dtypes, columns and conventions, and InspectError for a batch below 1.
    """
    if level not in LEVELS:
        raise unknown("level", level, LEVELS)
    if batch < 1:
        raise InspectError(f"batch is {batch}; give 1 or more")
    dtype = canonical_dtype(dtype)
    known = metrics(graph, batch, convention)
    keys = list(known if columns is None else columns)
    for key in keys:
        if key not in known:
            raise unknown("column", key, known)
    chosen = {key: known[key] for key in keys}
    fields = receptive_fields(graph) if any(key in _FIELDS for key in chosen) else {}
    whole = _whole(graph, batch, DTYPES[dtype], fields)
    rows = _rows(graph, level, batch, all_ops, whole, fields, chosen)
    published = _published(graph) if batch == 1 else ()
    return Table(
        title=f"{graph.name}, input {show_shape(graph.input_shape)}, batch {batch}, {dtype} "
        f"({heading(convention, graph)})",
        columns=tuple([column for column, _ in chosen.values()]),
        rows=tuple(rows),
        total={"name": "total, at least" if whole.cost.uncounted else "total"}
        | {key: known[key][1](whole) for key in (*_SUMMED, COUNTED) if key in known},
        references=_references(published, convention),
        meta={
            "model": graph.name,
            "input": list(graph.input_shape),
            "batch": batch,
            "dtype": dtype,
            "convention": convention,
            "published": [figure._asdict() | {"agrees": agrees} for figure, agrees in published],
        },
        notes=(*_memory_notes(graph, batch, dtype), *(() if convention == "macs" else (_TERMS,))),
        group="stage" if level == "layer" else None,
        partial=_uncounted(graph, convention),
        shown=shown(convention) if columns is None else (),
    )


def heading(convention: str, graph: LayerGraph) -> str:
    """What a title says of how things were counted: MACs, or fvcore flops: C + L + 2K + Ai."""
    if convention == "macs":
        return MACS
    from resnet_inspect.counting import conventions

    chosen = conventions.convention(convention)
    taken = conventions.used(chosen, conventions.total_terms(graph.layers))
    one = ", of one image" if chosen.per_image else ""
    return f"{chosen.label}{one}: {conventions.formula(taken)}"


def _uncounted(graph: LayerGraph, convention: str) -> tuple[str, ...]:
    if convention == "macs":
        if not graph_cost(graph).uncounted:
            return ()
        return tuple(layer.name for layer in graph.layers if cost(layer).uncounted)
    from resnet_inspect.counting import conventions

    return conventions.uncounted(graph.layers)


def _whole(graph: LayerGraph, batch: int, itemsize: int, fields: Fields) -> Row:
    """The row of the whole network."""
    cost, field = graph_cost(graph, batch), fields.get(graph.output.name)
    return Row(graph.name, "", "network", "", "", graph.layers, cost, field, cost, itemsize)


def _rows(
    graph: LayerGraph,
    level: str,
    batch: int,
    all_ops: bool,
    whole: Row,
    fields: Fields,
    chosen: Mapping[str, Metric],
) -> list[Record]:
    """The rows of a table at a level.

    Those of a block that repeats are copies of the first one's, but for what depends on its place.
    """
    if level == "network":
        return [_record(whole, chosen)]

    def row(
        name: str, path: str, kind: str, place: tuple[str, str], layers: tuple[Layer, ...]
    ) -> Row:
        cost, field = total(layers, batch), fields.get(layers[-1].name)
        return Row(name, path, kind, *place, layers, cost, field, whole.cost, whole.itemsize)

    placed = [(key, value) for key, (_, value) in chosen.items() if key in _PLACED]
    records: list[Record] = []
    for stage in graph.stages:
        if level == "stage":
            kind, layers = _stage_kind(stage.blocks), tuple(stage.layers)
            records.append(
                _record(row(stage.name, stage.path, kind, (stage.name, ""), layers), chosen)
            )
            continue
        for block in stage.wired:
            place = (stage.name, block.name)
            if level == "block":
                rows = [row(block.name, block.path, block.kind, place, block.layers)]
            else:
                groups = fold(block) if not all_ops else [(layer,) for layer in block.layers]
                heads = map(main_layer, groups)
                rows = [
                    row(head.name, head.path, "layer", place, group)
                    for head, group in zip(heads, groups, strict=True)
                ]
            records += (first := [_record(each, chosen) for each in rows])
        if stage.repeats:
            parts = list(zip(_spans(rows), rows, first, strict=True))
        for block in stage.blocks[len(stage.wired) :]:
            for (start, main, end), like, record in parts:
                layers = block.layers[start:end]
                part = block if level == "block" else block.layers[main]
                field = fields.get(layers[-1].name)
                moved = Row(
                    part.name,
                    part.path,
                    like.kind,
                    like.stage,
                    block.name,
                    layers,
                    like.cost,
                    field,
                    whole.cost,
                    whole.itemsize,
                )
                records.append({**record, **{key: value(moved) for key, value in placed}})
    return records


def _record(row: Row, chosen: Mapping[str, Metric]) -> Record:
    return {"stage": row.stage} | {key: value(row) for key, (_, value) in chosen.items()}


def _spans(rows: Sequence[Row]) -> Iterator[tuple[int, int, int]]:
    """Where in their block the layers of rows begin, have their main one, and end."""
    start = 0
    for row in rows:
        end = start + len(row.layers)
        yield start, start + row.layers.index(main_layer(row.layers)), end
        start = end


def _stage_kind(blocks: Sequence[Block]) -> str:
    kinds = list(dict.fromkeys(block.kind for block in blocks))
    count = f"{len(blocks)} x " if len(blocks) > 1 else ""
    return count + "/".join(kinds)


def _published(graph: LayerGraph) -> tuple[tuple[Figure, bool], ...]:
    """What was published about a network, with whether our count agrees."""
    return tuple(
        (figure, figure.agrees(published_quantity(graph, figure.quantity)))
        for figure in figures_of(graph)
    )


def _references(
    published: Sequence[tuple[Figure, bool]], convention: str
) -> tuple[dict[str, Value], ...]:
    """A row below the total for each source, with whether our count agrees.

    Published FLOPs are MACs and are not compared with the count of another convention.
    """
    rows: dict[str, dict[str, Value]] = {}
    for figure, agrees in published:
        if figure.quantity == "macs" and convention != "macs":
            continue
        # Weights without batch norm are parameters too, of which the source left some out.
        key = "macs" if figure.quantity == "macs" else "params"
        name = figure.source + (", no BN" if figure.quantity == "weights" else "")
        rows.setdefault(name, {"name": name})[key] = f"{'=' if agrees else '≠'} {figure.text}"
    return tuple(rows.values())


def _memory_notes(graph: LayerGraph, batch: int, dtype: str) -> tuple[str, str]:
    need = memory(graph, batch, dtype)
    partial = "at least " if need.uncounted else ""
    states = ", ".join(
        f"{name} {show_bytes(size)}" for name, size in need.optimizers.items() if size
    )
    inference = (
        f"Inference memory: {partial}{show_bytes(need.weights)} weights, "
        f"{show_bytes(need.inference_peak)} activations at their peak ({need.peak_at})"
    )
    training = (
        f"Training memory: {partial}{show_bytes(need.saved)} saved for backward, "
        f"{show_bytes(need.gradients)} gradients, {states}"
    )
    return inference, training
