"""Measurements -> a Sheet with a table of each kind that is among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.learning import Epoch
from resnet_inspect.measuring.records import DeviceCeilings, Latency, Layers, Measurement, select
from resnet_inspect.measuring.records import ladders as ladders_of
from resnet_inspect.tables import roofline
from resnet_inspect.tables.ceilings import ceilings
from resnet_inspect.tables.columns import Column
from resnet_inspect.tables.ladder import ladder
from resnet_inspect.tables.latency import latencies
from resnet_inspect.tables.learning import LEVELS, learning
from resnet_inspect.tables.table import Sheet, Table

Item = TypeVar("Item")


def measurements(records: Sequence[Measurement], level: str = "layer") -> Sheet:
    """The tables of some records, as Measurements.sheet has them."""
    tables = {"latency": latencies(records)} if select(records, Latency) else {}
    tables |= _numbered("ladder", ladders_of(records), ladder)
    tables |= _numbered("layers", select(records, Layers), partial(layers, level=level))
    tables |= _numbered("ceilings", select(records, DeviceCeilings), ceilings)
    if epochs := select(records, Epoch):
        tables["learning"] = learning(epochs, LEVELS[0] if level == "layer" else level)
    if not tables:
        raise InspectError("the file has no measurements; 'bench MODEL' makes some")
    return Sheet("Measurements", tables)


def _numbered(name: str, items: Sequence[Item], make: Callable[[Item], Table]) -> dict[str, Table]:
    if len(items) == 1:
        return {name: make(items[0])}
    return {f"{name} {number}": make(item) for number, item in enumerate(items, 1)}


def layers(record: Layers, level: str = "layer") -> Table:
    """The measured roofline, or why there is none."""
    if record.sample is not None:
        return roofline.table(record.roofline, level)
    return Table(
        title=f"Roofline of {record.case}, {record.device.name}",
        columns=(Column("status", "Status"), Column("reason", "Reason")),
        rows=({"status": record.status, "reason": record.reason},),
    )
