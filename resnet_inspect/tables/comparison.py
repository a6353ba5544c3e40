"""Networks side by side: what each costs in all, what memory it needs, and where the cost sits.

Every count comes from the networks' own tables (network_table.py); what is added here is ratios to
the first network and sums by the role that a layer plays. Where a network has layers that no rule
counts, its figures are lower bounds, and no ratio is made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from resnet_inspect.counting.memory import Memory, live_bytes, memory, saved_for_backward
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import GlobalAvgPool2d, show_shape
from resnet_inspect.networks.parts import ROLES, depth, depths, residual_blocks, roles
from resnet_inspect.tables import network as network_table
from resnet_inspect.tables.columns import Column, Record, Value
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
    dtype: str
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
            columns=(*columns, "params", self.count),
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

    @cached_property
    def memory(self) -> Memory:
        return memory(self.graph, self.batch, self.dtype)

    @property
    def counted(self) -> Column:
        """The column of what the convention counts."""
        return next(column for column in self.as_row.columns if column.key == self.count)


def compare(
    graphs: Sequence[LayerGraph], *, batch: int = 1, dtype: str = "fp32", convention: str = "macs"
) -> Sheet:
    """Networks side by side, in four tables: 'cost', 'memory', 'stage' and 'where'.

    Ratios are to the first. convention: a name of conventions.CONVENTIONS; what it counts stands
    where MACs stand otherwise, in columns 'counted'. Raises InspectError for fewer than two
    networks or a batch below 1, UnknownNameError for the dtype and the convention.
    """
    if len(graphs) < 2:
        raise InspectError("one network has nothing to be compared with; name two or more")
    return overview(graphs, batch=batch, dtype=dtype, convention=convention)


def overview(
    graphs: Sequence[LayerGraph], *, batch: int = 1, dtype: str = "fp32", convention: str = "macs"
) -> Sheet:
    """The same tables for any number of networks; for a single one without ratios."""
    networks = [Network(graph, batch, dtype, convention) for graph in graphs]
    first = networks[0].as_row
    meta = {
        "models": [graph.name for graph in graphs],
        "inputs": [list(graph.input_shape) for graph in graphs],
        **{key: first.meta[key] for key in ("batch", "dtype", "convention")},
    }
    shapes = list(dict.fromkeys(show_shape(graph.input_shape) for graph in graphs))
    about = f"input {' and '.join(shapes)}, batch {batch}, {first.meta['dtype']}"
    made = {
        "cost": _costs(networks),
        "memory": _memories(networks),
        "stage": _stages(networks),
        "where": _roles(networks),
    }
    partial = tuple(
        f"{network.graph.name}: {layer}" for network in networks for layer in network.uncounted
    )
    tables = {
        name: replace(
            table,
            title=f"{table.title}, {about}",
            columns=tuple(column for column in table.columns if not _idle(column, networks)),
            meta=meta,
            partial=partial,
        )
        for name, table in made.items()
    }
    return Sheet(" against ".join(dict.fromkeys(graph.name for graph in graphs)), tables, meta)


def _idle(column: Column, networks: Sequence[Network]) -> bool:
    """Ratios of a network to itself, and FLOPs beside what another convention counts."""
    if column.title == "ratio" and len(networks) == 1:
        return True
    return networks[0].convention != "macs" and column.key in ("flops", "flops_ratio")


def _heading(networks: Sequence[Network]) -> str:
    """What titles say of how things were counted; a formula if it is the same for all."""
    headings = {network_table.heading(net.convention, net.graph) for net in networks}
    return headings.pop() if len(headings) == 1 else networks[0].counted.title


def ratio(value: Value, base: Value) -> float | None:
    """How many times `base` a count is; None where either is unknown or the base is 0."""
    return value / base if isinstance(value, int) and isinstance(base, int) and base else None


def against_first(rows: Sequence[dict[str, Value]], *keys: str) -> tuple[dict[str, Value], ...]:
    """The rows with a `<key>_ratio` to the first row behind each key.

    Counts that are lower bounds (rows whose 'uncounted' is above 0) have no ratio but for their
    parameters, which are known.
    """
    first = rows[0]
    made = []
    for row in rows:
        ratios: dict[str, Value] = {}
        for key in keys:
            bound = key != "params" and (row.get("uncounted") or first.get("uncounted"))
            if bound or first.get(key) != 0:  # of nothing there is no ratio, known or not
                ratios[f"{key}_ratio"] = None if bound else ratio(row.get(key), first.get(key))
        made.append({**row, **ratios})
    return tuple(made)


def _ratio_of(key: str, rank: int = 0) -> Column:
    return Column(f"{key}_ratio", "ratio", "ratio", rank)


_PARAMS = (Column("params", "Parameters", "count"), _ratio_of("params", 2))


def _counted(networks: Sequence[Network]) -> tuple[Column, Column]:
    column = networks[0].counted
    return column, _ratio_of(column.key, 1)


def _share_of(networks: Sequence[Network], rank: int = 0) -> Column:
    title = "of MACs" if networks[0].convention == "macs" else "of it"
    return Column("share", title, "share", rank)


def _uncounted(networks: Sequence[Network]) -> tuple[Column, ...]:
    """A column that is there only where some network has layers without a rule."""
    some = any(network.uncounted for network in networks)
    return (Column("uncounted", "Uncounted", "count"),) if some else ()


def _costs(networks: Sequence[Network]) -> Table:
    rows: list[dict[str, Value]] = []
    count = networks[0].counted
    per_param = f"{count.key}_per_param"
    for network in networks:
        row = network.whole
        rows.append(
            {
                "model": network.graph.name,
                "input": network.graph.input_shape,
                "depth": depth(network.graph),
                "blocks": residual_blocks(network.graph),
                **{key: row[key] for key in ("params", count.key, "flops")},
                per_param: ratio(row[count.key], row["params"]),
                "uncounted": len(network.uncounted),
            }
        )
    differ = len({network.graph.input_shape for network in networks}) > 1
    return Table(
        f"Cost ({_heading(networks)})",
        (
            Column("model", "Network"),
            Column("input", "Input", "shape", 0 if differ else 6),
            Column("depth", "Depth", "count", 3),
            Column("blocks", "Blocks", "count", 3),
            *_PARAMS,
            *_counted(networks),
            Column(per_param, "MACs/param" if count.key == "macs" else "per param", "ratio", 4),
            Column("flops", "FLOPs", "count", 5),
            _ratio_of("flops", 7),
            *_uncounted(networks),
        ),
        against_first(rows, "params", count.key, "flops"),
        notes=(
            *(
                ["FLOPs are 2 x MACs and the elementwise operations."]
                if count.key == "macs"
                else []
            ),
            *(["Ratios are to the first."] if len(networks) > 1 else []),
        ),
    )


def _memories(networks: Sequence[Network]) -> Table:
    rows: list[dict[str, Value]] = []
    for network in networks:
        need = network.memory
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
            Column("activations", "Activations", "count"),
            _ratio_of("activations", 2),
            Column("weights", "Weights", "bytes", 3),
            Column("peak", "Peak", "bytes", 4),
            Column("peak_at", "Peak at", rank=7),
            Column("inference", "Inference", "bytes"),
            _ratio_of("inference", 2),
            Column("kept", "Kept", "bytes", 5),
            Column("training", "Training", "bytes"),
            _ratio_of("training", 2),
            Column("receptive_field", "Field", "pair", 1),
            *_uncounted(networks),
        ),
        against_first(rows, "activations", "inference", "training"),
        notes=(
            "Inference: weights, buffers and the activations alive together at their peak.",
            "Training: weights, buffers, gradients, momentum and what the backward pass keeps.",
            "Field: what one position sees before global pooling.",
        ),
    )


def _stages(networks: Sequence[Network]) -> Table:
    names = merged([stage.name for stage in network.graph.stages] for network in networks)
    by_name = [_stage_rows(network) for network in networks]
    rows: list[dict[str, Value]] = []
    for name in names:
        of_stage = [stages[name] for stages in by_name if name in stages]
        if name not in by_name[0]:  # nothing to be a ratio to
            rows.extend(of_stage)
            continue
        rows.extend(against_first(of_stage, "params", networks[0].count, "activations"))
    return Table(
        f"By stage ({_heading(networks)})",
        (
            Column("stage", "Stage"),
            Column("model", "Network"),
            Column("blocks", "Blocks", rank=6),
            Column("depth", "Depth", "count", 9),
            Column("output_shape", "Output", "shape", 3),
            *_PARAMS,
            *_counted(networks),
            _share_of(networks, 5),
            Column("flops", "FLOPs", "count", 11),
            Column("activations", "Activations", "count", 8),
            _ratio_of("activations", 9),
            Column("peak", "Peak", "bytes", 10),
            Column("kept", "Kept", "bytes", 10),
            Column("receptive_field", "Field", "pair", 7),
            *_uncounted(networks),
        ),
        tuple(rows),
        group="stage",
    )


def merged(sequences: Iterable[Sequence[str]]) -> list[str]:
    """Every name once: those that a sequence adds stand behind the ones that they follow there."""
    order: list[str] = []
    for names in sequences:
        at = 0
        for name in names:
            if name not in order:
                order.insert(at, name)
            at = order.index(name) + 1
    return order


def _stage_rows(network: Network) -> dict[str, dict[str, Value]]:
    graph = network.graph
    table = network.table("stage", "operation", "share", *_FROM_STAGE)
    levels = live_bytes(graph, network.batch, network.dtype)
    found: dict[str, dict[str, Value]] = {}
    missing, reached = set(network.uncounted), depths(graph)
    kept, done, before = 0, 0, 0
    for number, (stage, row) in enumerate(zip(graph.stages, table.rows, strict=True), start=1):
        layers = tuple(stage.layers)
        # A network cut off behind a stage keeps what the stages before it and this one keep.
        so_far = LayerGraph(graph.name, graph.input_shape, graph.stages[:number])
        saved = saved_for_backward(so_far, network.batch, network.dtype)
        found[stage.name] = {
            "stage": stage.name,
            "model": graph.name,
            "blocks": row["operation"],
            "depth": reached[stage.output.name] - before,
            **{key: row[key] for key in ("params", network.count, *_FROM_STAGE)},
            "share": None if network.uncounted else row["share"],
            "peak": max(levels[done : done + len(layers)]),
            "kept": saved - kept,
            "uncounted": sum(layer.name in missing for layer in layers),
        }
        kept, done, before = saved, done + len(layers), reached[stage.output.name]
    return found


_FROM_STAGE = (
    "output_shape",
    "flops",
    "activations",
    "receptive_field",
)


def _roles(networks: Sequence[Network]) -> Table:
    sums = [list(_role_sums(network)) for network in networks]
    count = networks[0].count
    rows: list[dict[str, Value]] = []
    for role in ROLES:
        here = [row for found in sums for row in found if row["role"] == role]
        if any(row["params"] or row[count] or row["uncounted"] for row in here):
            rows.extend(against_first(here, "params", count))
    return Table(
        f"Where the cost sits ({_heading(networks)})",
        (
            Column("role", "Part"),
            Column("model", "Network"),
            Column("layers", "Layers", "count", 6),
            *_PARAMS,
            Column("params_share", "of params", "share", 4),
            *_counted(networks),
            _share_of(networks),
            *_uncounted(networks),
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
    table, whole = network.table("layer", "name"), network.whole
    rows = {str(row["name"]): row for row in table.rows}
    parts: dict[str, list[str]] = {role: [] for role in ROLES}
    for name, role in roles(network.graph).items():
        parts[role].append(name)

    def summed(names: Sequence[str], key: str) -> Value:
        known = [value for name in names if isinstance(value := rows[name][key], int)]
        return sum(known) if known or not names else None

    def share(part: Value, key: str) -> float | None:
        return None if network.uncounted and key == count else ratio(part, whole[key])

    count, missing = network.count, set(network.uncounted)
    for role, names in parts.items():
        params, counted = summed(names, "params"), summed(names, count)
        yield {
            "role": role,
            "model": network.graph.name,
            "layers": len(names),
            "params": params,
            count: counted,
            "params_share": share(params, "params"),
            "share": share(counted, count),
            "uncounted": sum(name in missing for name in names),
        }


def field_before_pooling(graph: LayerGraph) -> tuple[int, int] | None:
    """The receptive field of what the last global pooling takes; None where it is not known.

    Without such pooling, that of the last layer that has a height and a width.
    """
    pooled = [layer.inputs[0] for layer in graph.layers if isinstance(layer.op, GlobalAvgPool2d)]
    maps = [layer.name for layer in graph.layers if len(layer.output_shape) == 3]
    field = receptive_fields(graph).get([*maps, *pooled][-1]) if maps else None
    return field.size if field else None
