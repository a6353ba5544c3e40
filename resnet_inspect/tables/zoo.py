"""The zoo -> Table."""

from __future__ import annotations

from collections.abc import Mapping

from resnet_inspect.counting.costs import spec_cost
from resnet_inspect.errors import unknown
from resnet_inspect.networks import zoo
from resnet_inspect.tables.columns import Column, Value
from resnet_inspect.tables.network import MACS
from resnet_inspect.tables.table import Table

_MODEL_COLUMNS = (
    Column("name", "Model"),
    Column("family", "Family"),
    Column("depth", "Depth", "count", 4),
    Column("input", "Input", "shape", 3),
    Column("params", "Parameters", "count"),
    Column("macs", "MACs", "count"),
    Column("source", "Source", rank=1),
)


def models(family: str | None = None) -> Table:
    """The zoo: name, family, depth, input, parameters, MACs and source of every network.

    Raises UnknownNameError for the family.
    """
    if family is not None and family not in zoo.FAMILIES:
        raise unknown("family", family, zoo.FAMILIES)
    rows: list[Mapping[str, Value]] = []
    for name, entry in zoo.ZOO.items():
        if family is not None and entry.family != family:
            continue
        spec = zoo.spec(name)
        spent = spec_cost(spec)
        rows.append(
            {
                "name": name,
                "family": entry.family,
                "depth": spec.depth,
                "input": spec.input_shape,
                "params": spent.params,
                "macs": spent.macs,
                "source": entry.source,
            }
        )
    return Table(
        title=f"{len(rows)} networks ({MACS}, at the input that each is published for)",
        columns=_MODEL_COLUMNS,
        rows=tuple(rows),
        notes=("resnet<depth>_cifar and plain<depth>_cifar take any depth 6n+2.",),
        group="family",
    )
