"""A network's roofline -> Table: every layer's least time, and what was measured against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

from resnet_inspect.counting.roofline import Roofline, Row
from resnet_inspect.errors import check_name
from resnet_inspect.networks.op_labels import describe
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.tables.columns import Column, columns, show_rate, show_seconds
from resnet_inspect.tables.table import Table

Item = TypeVar("Item")

LEVELS = ("layer", "block", "stage")
"""What a row is: a layer (a kernel, where they are fused), or what those of a block or stage add
up to."""

LOSERS = 5
"""How many of those that lose most are named below the table."""

_COLUMNS = (
    Column("name", "Layer"),
    *columns("text", 9, stage="Stage", block="Block"),
    Column("operation", "Operation", rank=2),
    Column("output_shape", "Output", "shape", 4),
    Column("macs", "MACs", "count", 9),
    Column("flops", "FLOPs", "count", 6),
    Column("bytes", "Traffic", "bytes", 5),
    Column("intensity", "FLOPs/byte", "ratio", 3),
    Column("bound", "Bound", rank=1),
    Column("least", "Least", "seconds"),
)

_MEASURED = (
    Column("measured", "Measured", "seconds"),
    Column("of_bound", "of bound", "percent"),
    Column("lost", "Lost", "seconds"),
    Column("share_lost", "of lost", "share", 2),
)


def table(bounds: Roofline, level: str = "layer") -> Table:
    """What bounds each row and its least time; what was measured, and what is lost between them.

    Raises UnknownNameError for a level that is not one of LEVELS.
    """
    check_name("level", level, LEVELS)
    rows = [_record(part, level) for part in parts(bounds.rows, level)]
    lost = sum(max(0.0, row["lost"]) for row in rows) if bounds.timed else 0.0
    for row in rows:
        row["share_lost"] = max(0.0, row["lost"]) / lost if lost else None
    kernels = "fused into kernels, " if bounds.fusing else ""
    return Table(
        title=f"Roofline of {bounds.model}, input {show_shape(bounds.input)}, "
        f"batch {bounds.batch}, {bounds.dtype}, {kernels}{bounds.device}",
        columns=(*_COLUMNS, *(_MEASURED if bounds.timed else ())),
        rows=tuple(rows),
        total={
            "name": "total",
            **_sums(bounds.rows, bounds.fused_floor if bounds.fusing else bounds.floor),
        },
        meta={
            key: value
            for key, value in bounds._asdict().items()
            if key not in ("rows", "fusing") and value not in (None, math.inf)
        },
        notes=(*_losers(rows, lost), *_notes(bounds)),
        group="stage" if level == "layer" else None,
        partial=tuple(row.name for row in bounds.rows if row.uncounted),
    ).hiding("stage", "block", "macs")


def parts(rows: Sequence[Item], level: str) -> list[list[Item]]:
    """The rows of each block or stage together; each by itself at any other level."""
    if level not in ("block", "stage"):
        return [[row] for row in rows]
    return [list(part) for _, part in groupby(rows, key=attrgetter(level))]


def _record(rows: Sequence[Row], level: str) -> dict[str, Any]:
    # Of several layers, what most of their least time is spent on.
    waits = {by: sum(row.least for row in rows if row.bound == by) for by in ("compute", "memory")}
    least, last = sum(row.least for row in rows), rows[-1]
    sums = _sums(rows, least)
    label = " ".join(describe(op) for op in last.ops)
    return sums | {
        "name": last.name if level == "layer" else getattr(last, level),
        "stage": last.stage,
        "block": last.block,
        "operation": label if level == "layer" else f"{len(rows)} layers",
        "output_shape": last.output_shape,
        "intensity": sums["flops"] / sums["bytes"] if sums["bytes"] else None,
        "bound": max(waits, key=waits.__getitem__) if least else "",
    }


def _seconds(rows: Sequence[Row]) -> float | None:
    """What rows took together; None where they were not timed."""
    times = [row.measured for row in rows if row.measured is not None]
    return sum(times) if times else None


def _sums(rows: Sequence[Row], least: float) -> dict[str, Any]:
    """What rows add up to, against the least seconds that they take."""
    sums: dict[str, Any] = {"least": least}
    sums |= {key: sum(getattr(row, key) for row in rows) for key in ("macs", "flops", "bytes")}
    seconds = _seconds(rows)
    if seconds is not None:
        of_bound = least / seconds if seconds else None
        sums |= {"measured": seconds, "of_bound": of_bound, "lost": seconds - least}
    return sums


def _losers(rows: Sequence[dict[str, Any]], lost: float) -> tuple[str, ...]:
    """Those whose measured time is furthest above their least time."""
    if not lost:
        return ()
    worst = sorted(rows, key=lambda row: -float(row["lost"]))[:LOSERS]
    named = ", ".join(f"{row['name']} {show_seconds(row['lost'])}" for row in worst)
    return (f"Lost most: {named}.",)


def _notes(bounds: Roofline) -> tuple[str, ...]:
    floors = f"{show_seconds(bounds.floor)} layer by layer, {show_seconds(bounds.fused_floor)}"
    compute, memory = show_rate(bounds.rate), show_rate(bounds.bandwidth)
    cache = "what fits in its cache is free"
    if bounds.cache_bandwidth < math.inf:
        cache = f"{show_rate(bounds.cache_bandwidth)}B/s in cache"
    seconds, whole = _seconds(bounds.rows), []
    if bounds.whole is not None and seconds is not None:
        share = f"{bounds.of_whole:.1%} of the run beside each pass"
        run = f"the network runs in {show_seconds(bounds.whole)} ({share})"
        whole = [f"Layers add up to {show_seconds(seconds)}; {run}."]
    return (
        *whole,
        f"Floor: {floors} with batch norm, activation and addition fused.",
        f"Ceilings: {compute}FLOP/s in {bounds.dtype}; {memory}B/s in memory, {cache}.",
        "FLOPs are 2 x MACs + elementwise terms.",
    )
