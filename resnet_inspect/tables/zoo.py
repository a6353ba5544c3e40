"""The zoo -> Table."""

from __future__ import annotations

from resnet_inspect.counting.costs import spec_cost
from resnet_inspect.errors import unknown
from resnet_inspect.networks import zoo
from resnet_inspect.tables.columns import Column, Value, columns
from resnet_inspect.tables.network import MACS
from resnet_inspect.tables.table import Table

_MODEL_COLUMNS = (
    Column("name", "Model"),
    Column("family", "Family", rank=2),
    Column("depth", "Depth", "count", 4),
    Column("input", "Input", "shape", 3),
    *columns("count", params="Parameters", macs="MACs"),
    Column("source", "Source", "prose", 1),
)

_ANY_DEPTH = "resnet<depth>_cifar and plain<depth>_cifar take any depth 6n+2."


def models(family: str | None = None, like: str | None = None) -> Table:
    """The zoo: name, family, depth, input, parameters, MACs and source of every network.

    like: a shell pattern for their names, such as 'eca*'. Raises UnknownNameError for the family,
    and where no name is like it.
    """
    keys = [column.key for column in _MODEL_COLUMNS]
    rows: list[dict[str, Value]] = []
    for name in zoo.names(like or "*", family):
        entry, spec = zoo.ZOO[name], zoo.spec(name)
        cost = spec_cost(spec)
        values = entry.family, spec.depth, spec.input_shape, cost.params, cost.macs
        rows.append(dict(zip(keys, (name, *values, entry.source), strict=True)))
    if not rows:
        raise unknown("network", like or "*", zoo.ZOO, "give part of a name and *, such as 'eca*'")
    networks = "network" if len(rows) == 1 else "networks"
    return Table(
        title=f"{len(rows)} {networks} ({MACS}, at the input that each is published for)",
        columns=_MODEL_COLUMNS,
        rows=tuple(rows),
        notes=(_ANY_DEPTH,) if any(row["family"] == "cifar" for row in rows) else (),
        group="family",
    )
