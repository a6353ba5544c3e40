"""Published accuracy beside cost and speed -> Table, with the front of what is worth its cost."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from resnet_inspect.counting.accuracy import ALONE, on_front, published
from resnet_inspect.counting.costs import checked_batch, graph_cost
from resnet_inspect.counting.training_memory import training_memory
from resnet_inspect.counting.training_step import Settings
from resnet_inspect.errors import FormatError, InspectError, check_name
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.forecast import forecast
from resnet_inspect.forecasting.own import device_named
from resnet_inspect.networks import zoo
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.tables.columns import Column, Record, Value, columns, show
from resnet_inspect.tables.network import MACS
from resnet_inspect.tables.table import Table

DATA = ("any", "imagenet-1k")
"""Which weights: whatever they were trained on, or only those that saw nothing else."""

AXES: dict[str, str] = {"macs": "macs", "params": "params", "throughput": "images_per_second"}
"""What accuracy is set against, and its column."""

_COUNTS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES = {"B": 1, **{f"{k}B": n for k, n in _COUNTS.items() if k}}
_BYTES |= {f"{k}iB": 1024**n for n, k in enumerate("KMGT", 1)}
UNDER: dict[str, tuple[str, Mapping[str, int | Decimal]]] = {
    "macs": ("2G", _COUNTS),
    "params": ("20M", _COUNTS),
    "memory": ("8GiB", _BYTES),
    "latency": ("5ms", {"s": 1, "ms": Decimal("1e-3"), "us": Decimal("1e-6")}),
}
"""What a row can be held under: an example, and its units."""


class Wanted(NamedTuple):
    """Which rows, and what about them.

    device: where they are forecast, latency at batch 1 and throughput at `batch`; dtype: by default
    fp16 where the device has it. under: what rows are at most, by UNDER. front: which of AXES the
    column 'front' is about, among the rows that are left.
    """

    family: str | None = None
    data: str = "any"
    under: Mapping[str, Decimal] = {}
    front: str = "macs"
    batch: int = 64
    device: Device | None = None
    dtype: str | None = None
    mode: str = "eager"
    layout: str = "nchw"

    def check(self) -> None:
        """Raise InspectError for an unknown name, or where a device is needed."""
        for what, name, choices in (
            ("family", self.family or zoo.FAMILIES[0], zoo.FAMILIES),
            ("data", self.data, DATA),
            ("axis", self.front, AXES),
        ):
            check_name(what, name, choices)
        checked_batch(self.batch)
        needy = "latency" if "latency" in self.under else self.front
        if self.device is None and needy in ("latency", "throughput"):
            raise InspectError(f"{needy} is of a device; name one, such as --device rtx4090")

    def admits(self, row: Record) -> bool:
        """Whether what is known of a row is under every limit."""
        return all(Decimal(str(row[key])) <= self.under[key] for key in self.under if key in row)

    def point(self, row: Record) -> tuple[float, float]:
        """Its cost, less where it is better, and its accuracy."""
        cost: Any = row[AXES[self.front]]
        top1: Any = row["top1"]
        return (-cost if self.front == "throughput" else cost), top1


def limits_of(text: str) -> dict[str, Decimal]:
    """{'macs': 2000000000} of 'macs=2G'; raises InspectError."""
    limits: dict[str, Decimal] = {}
    for part in text.split(","):
        key, _, value = (word.strip() for word in part.partition("="))
        check_name("limit", key, UNDER)
        example, units = UNDER[key]
        size = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]*)", value)
        scale = {unit.lower(): size for unit, size in units.items()}
        if size is None or size[2].lower() not in scale or key in limits:
            raise FormatError(f"limit is {part.strip()!r}; give one such as {key}={example}")
        limits[key] = Decimal(size[1]) * scale[size[2].lower()]
    return limits


EVERYTHING = Wanted()


def wanted_rows(
    *,
    under: str | None = None,
    device: str | os.PathLike[str] | Device | None = None,
    **others: Any,
) -> Wanted:
    """Wanted, of limits and a device as users name them; raises InspectError."""
    limits = limits_of(under) if under is not None else {}
    return Wanted(under=limits, device=None if device is None else device_named(device), **others)


def accuracy_table(wanted: Wanted) -> Table:
    """A row for all weights at every side of images that their accuracy was published at.

    Raises InspectError.
    """
    wanted.check()
    costs = _costs(wanted)
    rows = _rows(costs, wanted)
    for row in rows:
        if "memory" not in row:
            row["memory"] = _training_memory(row["model"], row["side"], wanted.batch)
    forecast = () if wanted.device else ("images_per_second", "latency")
    return Table(
        title=f"Published top-1 of {len({row['model'] for row in rows})} networks, by weights and "
        f"input ({MACS})",
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=_notes(wanted) if rows else (_nothing(costs, wanted),),
    ).hiding("family", "data", "top5", "side", *forecast)


def accuracy_rows(wanted: Wanted) -> list[dict[str, Any]]:
    """The rows of `accuracy_table`; memory, which takes longest to count, only if it is limited.

    Raises InspectError.
    """
    wanted.check()
    return _rows(_costs(wanted), wanted)


_COLUMNS = (
    *columns("text", model="Model", weights="Weights"),
    *columns("text", 9, family="Family", data="Trained on"),
    Column("input", "Input", "shape", 1),
    Column("side", "Side", "count", 9),
    *columns("number", top1="Top-1, %"),
    *columns("number", 6, top5="Top-5, %"),
    Column("params", "Parameters", "count", 4),
    Column("macs", "MACs", "count", 2),
    Column("memory", "Training memory", "bytes", 5),
    Column("latency", "Latency", "seconds", 1),
    Column("images_per_second", "Images/s", "rate", 1),
    Column("front", "Front"),
)


_Costs = dict[tuple[str, int], dict[str, Value]]
"""By network and side of images."""


def _costs(wanted: Wanted) -> _Costs:
    """What every network of the family costs at each side of images, whatever its weights."""
    of = {(found.model, found.side): zoo.ZOO[found.model].family for found in published()}
    return {
        key: _cost(*key, wanted) | {"family": family}
        for key, family in of.items()
        if wanted.family in (None, family)
    }


def _rows(costs: _Costs, wanted: Wanted) -> list[dict[str, Any]]:
    """What is under every limit, by its cost."""
    rows: list[dict[str, Any]] = []
    for found in published():
        cost = costs.get((found.model, found.side))
        if cost is None or (wanted.data != "any" and found.data != ALONE):
            continue
        row: dict[str, Any] = {**found._asdict(), "data": found.data, **cost}
        if "memory" in wanted.under and wanted.admits(row):  # the dearest to count comes last
            row["memory"] = _training_memory(found.model, found.side, wanted.batch)
        if wanted.admits(row):
            rows.append(row)
    front = on_front([wanted.point(row) for row in rows])
    rows = [row | {"front": good} for row, good in zip(rows, front, strict=True)]
    return sorted(rows, key=wanted.point)


def _cost(model: str, side: int, wanted: Wanted) -> dict[str, Value]:
    """What a network costs for square images, besides memory."""
    shape = (3, side, side)
    graph = layer_graph(zoo.spec(model), shape)
    cost = graph_cost(graph)
    row: dict[str, Value] = {"input": shape, "params": cost.params, "macs": cost.macs}
    device = wanted.device
    if device is not None:
        dtype = wanted.dtype or device.usual_dtype()
        way = dtype, wanted.mode, wanted.layout
        row["latency"] = forecast(graph, device, 1, *way).seconds
        row["images_per_second"] = forecast(graph, device, wanted.batch, *way).images_per_second
    return row


def _training_memory(model: str, side: int, batch: int) -> int:
    """The most bytes at once of a training step in fp32 with SGD and momentum."""
    graph = layer_graph(zoo.spec(model), (3, side, side))
    return training_memory(graph, Settings(dtype="fp32")).total(batch)


def _nothing(costs: _Costs, wanted: Wanted) -> str:
    """Why no row is left, and what would help."""
    if not wanted.under or not costs:
        return f"No weights of family {wanted.family} were published; leave out --family or --data."
    kinds = {column.key: column.kind for column in _COLUMNS}
    for key, most in wanted.under.items():
        found: Any = [
            (_training_memory(*name, wanted.batch) if key == "memory" else cost[key], *name)
            for name, cost in costs.items()
        ]
        least, model, side = min(found)
        if least > most:
            shown = show(least, kinds[key])
            return f"No row is under this limit of {key}: the least is {shown} ({model} at {side})."
    return f"No row is under all of {', '.join(wanted.under)} at once; raise one of these limits."


def _notes(wanted: Wanted) -> tuple[str, ...]:
    against = {"params": "parameters", "macs": "MACs", "throughput": "images/s"}[wanted.front]
    notes = [
        "Top-1: on ImageNet's validation images, as timm published it for these weights.",
        f"Front: no other row has as good {against} and top-1, and one of them better.",
        f"Training memory: batch {wanted.batch}, fp32, SGD with momentum.",
    ]
    if wanted.device is not None:
        notes.append(
            f"Forecast on {wanted.device.name}, {wanted.mode}, {wanted.layout}: latency at batch "
            f"1, images/s at batch {wanted.batch}; 'forecast' has the bounds."
        )
    return tuple(notes)
