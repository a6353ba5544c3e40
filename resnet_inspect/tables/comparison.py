"""Networks side by side: what each costs in all, what memory it needs, and where the cost sits.

Every count comes from the networks' own tables (network.py); what is added here is ratios to
the first network and sums by the role that a layer plays. Where a network has layers that no rule
counts, its figures are lower bounds and have no ratio.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from resnet_inspect.counting.memory import live_bytes, memory, saved_by_layer
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import GlobalAvgPool2d
from resnet_inspect.networks.parts import ROLES, depth, depths, roles
from resnet_inspect.tables import network as network_table
from resnet_inspect.tables.columns import (
    Column,
    Record,
    Value,
    against_first,
    columns,
    ratio,
    with_ratio,
)
from resnet_inspect.tables.network_notes import counted_layers, run_notes
from resnet_inspect.tables.table import Sheet, Table

TABLES = ("cost", "memory", "stage", "where")
"""The tables of a comparison."""

OPTIMIZER = "momentum"
"""The optimizer whose state training memory holds: SGD with momentum, as the papers train."""


@dataclass(frozen=True)
class Network:
    """A network with what its rows are read from."""

    graph: LayerGraph
    batch: int
    dtype: str | None
    convention: str

    @property
    def count(self) -> str:
        """The key of what the convention counts."""
        return "macs" if self.convention == "macs" else network_table.COUNTED

    def table(self, level: str, *columns: str) -> Table:
        return network_table.table(
            self.graph,
            level,
            batch=self.batch,
            dtype=self.dtype,
            convention=self.convention,
            columns=(*columns, "params", "frozen", self.count),
        )

    @cached_property
    def as_row(self) -> Table:
        """The network as one row of its own table."""
        return self.table("network", "flops", "activations")

    @property
    def whole(self) -> Record:
        return self.as_row.rows[0]

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The layers that no rule counts."""
        return self.as_row.partial

    @property
    def counted(self) -> Column:
        """The column of what the convention counts."""
        return next(column for column in self.as_row.columns if column.key == self.count)


def overview(
    graphs: Sequence[LayerGraph],
    *,
    batch: int = 1,
    dtype: str | None = None,
    convention: str = "macs",
) -> Sheet:
    """Networks side by side, in the tables of TABLES; a single one has no ratios.

    convention: a name of conventions.CONVENTIONS; what it counts takes the place of MACs, in
    columns 'counted'. Raises InspectError for a batch below 1, UnknownNameError for the dtype and
    the convention.
    """
    networks = [Network(graph, batch, dtype, convention) for graph in graphs]
    first = networks[0].as_row
    dtypes = " and ".join(dict.fromkeys(network.as_row.meta["dtype"] for network in networks))
    meta = {
        "models": [graph.name for graph in graphs],
        "inputs": [list(graph.input_shape) for graph in graphs],
        "batch": batch,
        "dtype": dtypes,
        "convention": first.meta["convention"],
    }
    shapes = list(dict.fromkeys(graph.shown_inputs for graph in graphs))
    about = f"input {' and '.join(shapes)}, batch {batch}, {dtypes}"
    makers = (_costs, _memories, _stages, _roles)
    partial = tuple(
        f"{network.graph.name}: {layer}" for network in networks for layer in network.uncounted
    )
    tables = {
        name: replace(
            table := make(networks),
            title=f"{table.title}, {about}",
            columns=tuple(column for column in table.columns if not _idle(column, networks)),
            meta=meta,
            partial=partial,
        )
        for name, make in zip(TABLES, makers, strict=True)
    }
    return Sheet(" against ".join(dict.fromkeys(graph.name for graph in graphs)), tables, meta)


def _idle(column: Column, networks: Sequence[Network]) -> bool:
    """Ratios of a network to itself, FLOPs where another convention counts, columns of zeros."""
    if column.title == "ratio" and len(networks) == 1:
        return True
    if column == _FROZEN:
        return not any(network.whole["frozen"] for network in networks)
    if column == _UNCOUNTED:
        return not any(network.uncounted for network in networks)
    return networks[0].convention != "macs" and column.key in ("flops", "flops_ratio")


def _heading(networks: Sequence[Network]) -> str:
    """What titles say of how things were counted; a formula if it is the same for all."""
    headings = {network_table.heading(net.convention, net.graph) for net in networks}
    return headings.pop() if len(headings) == 1 else networks[0].counted.title


_PARAMS = with_ratio(Column("params", "Parameters", "count"), 2)

_FROZEN = Column("frozen", "Frozen", "count", 1)
"""The parameters that get no gradient; there only where some network has such."""

_UNCOUNTED = Column("uncounted", "Uncounted", "count")
"""The layers without a rule; there only where some network has such."""


def _counted(networks: Sequence[Network]) -> tuple[Column, Column]:
    return with_ratio(networks[0].counted, 1)


def _share_of(networks: Sequence[Network], rank: int = 0) -> Column:
    title = "of MACs" if networks[0].convention == "macs" else "of it"
    return Column("share", title, "share", rank)


def _costs(networks: Sequence[Network]) -> Table:
    count = networks[0].count
    per_param = f"{count}_per_param"
    rows: list[dict[str, Value]] = [
        {
            "model": network.graph.name,
            "input": network.graph.input_shape,
            "depth": depth(network.graph),
            "blocks": len(network.graph.body),
            **{key: network.whole[key] for key in ("params", "frozen", count, "flops")},
            per_param: ratio(network.whole[count], network.whole["params"]),
            "uncounted": len(network.uncounted),
        }
        for network in networks
    ]
    notes = ["FLOPs are 2 x MACs and the elementwise operations."] if count == "macs" else []
    notes += ["Ratios are to the first."] if len(networks) > 1 else []
    notes += counted_layers(net.graph for net in networks)
    notes += [f"{net.graph.name}: {note}" for net in networks for note in run_notes(net.graph)]
    differ = len({network.graph.input_shape for network in networks}) > 1
    return Table(
        f"Cost ({_heading(networks)})",
        (
            Column("model", "Network"),
            Column("input", "Input", "shape", 0 if differ else 6),
            *columns("count", 3, depth="Depth", blocks="Blocks"),
            *_PARAMS,
            _FROZEN,
            *_counted(networks),
            Column(per_param, "MACs/param" if count == "macs" else "per param", "ratio", 4),
            *with_ratio(Column("flops", "FLOPs", "count", 5), 7),
            _UNCOUNTED,
        ),
        against_first(rows, "params", count, "flops"),
        notes=tuple(notes),
    )


def _memories(networks: Sequence[Network]) -> Table:
    rows: list[dict[str, Value]] = []
    for network in networks:
        need = memory(network.graph, network.batch, network.dtype)
        rows.append(
            {
                "model": network.graph.name,
                "activations": network.whole["activations"],
                "weights": need.weights,
                "peak": need.inference_peak,
                "peak_at": need.peak_at,
                "kept": need.saved,
                "inference": need.inference,
                "training": need.training(OPTIMIZER),
                "receptive_field": field_before_pooling(network.graph),
                "uncounted": len(network.uncounted),
            }
        )
    return Table(
        "Activations, memory and receptive field",
        (
            Column("model", "Network"),
            *with_ratio(Column("activations", "Activations", "count"), 2),
            Column("weights", "Weights", "bytes", 3),
            Column("peak", "Peak", "bytes", 4),
            Column("peak_at", "Peak at", rank=7),
            *with_ratio(Column("inference", "Inference", "bytes"), 2),
            Column("kept", "For backward", "bytes", 5),
            *with_ratio(Column("training", "Training", "bytes"), 2),
            Column("receptive_field", "Field", "pair", 1),
            _UNCOUNTED,
        ),
        against_first(rows, "activations", "inference", "training"),
        notes=(
            "Inference: weights, buffers and the activations alive together at their peak.",
            "Training: weights, buffers, gradients, momentum and what the backward pass keeps.",
            "Field: what one position sees before global pooling.",
        ),
    )


def _stages(networks: Sequence[Network]) -> Table:
    by_name = [_stage_rows(network) for network in networks]
    rows: list[dict[str, Value]] = []
    for name in merged([*stages] for stages in by_name):
        of_stage = [stages[name] for stages in by_name if name in stages]
        # A stage that the first network lacks has nothing to be a ratio to.
        keys = ("params", networks[0].count, "activations") if name in by_name[0] else ()
        rows.extend(against_first(of_stage, *keys))
    return Table(
        f"By stage ({_heading(networks)})",
        (
            *columns("text", stage="Stage", model="Network"),
            Column("blocks", "Blocks", rank=6),
            Column("depth", "Depth", "count", 9),
            Column("output_shape", "Output", "shape", 3),
            *_PARAMS,
            _FROZEN,
            *_counted(networks),
            _share_of(networks, 5),
            Column("flops", "FLOPs", "count", 11),
            *with_ratio(Column("activations", "Activations", "count", 8), 9),
            *columns("bytes", 10, peak="Peak", kept="For backward"),
            Column("receptive_field", "Field", "pair", 7),
            _UNCOUNTED,
        ),
        tuple(rows),
        group="stage",
    )


def merged(sequences: Iterable[Sequence[str]]) -> list[str]:
    """Every name once: those that a sequence adds come after the ones that they follow there."""
    behind: dict[str | None, str | None] = {None: None}  # None is before the first and last
    for names in sequences:
        last = None
        for name in names:
            if name not in behind:
                behind[name], behind[last] = behind[last], name
            last = name
    order = []
    last = behind[None]
    while last is not None:
        order.append(last)
        last = behind[last]
    return order


def _stage_rows(network: Network) -> dict[str, dict[str, Value]]:
    graph = network.graph
    table = network.table("stage", "operation", "share", *_FROM_STAGE)
    levels = live_bytes(graph, network.batch, network.dtype)
    rows: dict[str, dict[str, Value]] = {}
    missing, reached = set(network.uncounted), depths(graph)
    kept = saved_by_layer(graph, network.batch, network.dtype)
    done, before = 0, 0
    for stage, row in zip(graph.stages, table.rows, strict=True):
        layers = tuple(stage.layers)
        own = slice(done, done + len(layers))
        rows[stage.name] = {
            "stage": stage.name,
            "model": graph.name,
            "blocks": row["operation"],
            "depth": reached[stage.output.name] - before,
            **{key: row[key] for key in ("params", "frozen", network.count, *_FROM_STAGE)},
            "share": None if network.uncounted else row["share"],
            "peak": max(levels[own]),
            "kept": sum(kept[own]),
            "uncounted": sum(layer.name in missing for layer in layers),
        }
        done, before = own.stop, reached[stage.output.name]
    return rows


_FROM_STAGE = ("output_shape", "flops", "activations", "receptive_field")


def _roles(networks: Sequence[Network]) -> Table:
    sums = [list(_role_sums(network)) for network in networks]
    count = networks[0].count
    rows: list[dict[str, Value]] = []
    for role in ROLES:
        here = [row for of_network in sums for row in of_network if row["role"] == role]
        if any(row["params"] or row[count] or row["uncounted"] for row in here):
            rows.extend(against_first(here, "params", count))
    return Table(
        f"Where the cost sits ({_heading(networks)})",
        (
            *columns("text", role="Part", model="Network"),
            Column("layers", "Layers", "count", 6),
            *_PARAMS,
            _FROZEN,
            Column("params_share", "of params", "share", 4),
            *_counted(networks),
            _share_of(networks),
            _UNCOUNTED,
        ),
        tuple(rows),
        group="role",
        notes=(
            "Convolutions are those on the residual path, shortcuts what only a shortcut runs.",
            "A convolution's batch norm and activation are counted with it.",
        ),
    )


def _role_sums(network: Network) -> Iterator[dict[str, Value]]:
    """The layers of each role, added up from the network's own table."""
    count, missing = network.count, set(network.uncounted)
    rows = {row["name"]: row for row in network.table("layer", "name").rows}
    parts = roles(network.graph)

    def summed(names: Sequence[str], key: str) -> Value:
        known = [value for name in names if isinstance(value := rows[name][key], int)]
        return sum(known) if known or not names else None

    for role in ROLES:
        names = [name for name in parts if parts[name] == role]
        params, counted = summed(names, "params"), summed(names, count)
        frozen = summed(names, "frozen")
        yield {
            "role": role,
            "model": network.graph.name,
            "layers": len(names),
            "params": params,
            "frozen": frozen,
            count: counted,
            "params_share": ratio(params, network.whole["params"]),
            "share": None if missing else ratio(counted, network.whole[count]),
            "uncounted": sum(name in missing for name in names),
        }


def field_before_pooling(graph: LayerGraph) -> tuple[int, ...] | None:
    """The receptive field of what the last global pooling takes; None where it is not known.

    Without such pooling, that of the last layer that has a height and a width.
    """
    pooled = [layer.inputs[0] for layer in graph.layers if isinstance(layer.op, GlobalAvgPool2d)]
    maps = [layer.name for layer in graph.layers if len(layer.output_shape) == 3]
    field = receptive_fields(graph).get([*maps, *pooled][-1]) if maps else None
    return field.size if field else None
