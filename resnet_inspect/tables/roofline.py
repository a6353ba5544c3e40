"""A network's roofline -> Table: every layer's least time, and what was measured against it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from resnet_inspect.counting.roofline import Roofline, Row
from resnet_inspect.errors import unknown
from resnet_inspect.measuring.records import Measurement
from resnet_inspect.networks.ops import show_shape
from resnet_inspect.tables.columns import Column, Value, show_rate, show_seconds
from resnet_inspect.tables.table import Table

LEVELS = ("layer", "block", "stage")
"""What a row is: a layer (a kernel, where they are fused), or what those of a block or stage add
up to."""

LOSERS = 5
"""How many of those that lose most are named below the table."""


def not_measured(made: Measurement) -> Table:
    """What stands for the layers of a case that ran out of memory or failed: why."""
    return Table(
        title=f"Roofline of {made.case}, {made.fields['device']['name']}",
        columns=(Column("status", "Status"), Column("reason", "Reason")),
        rows=({"status": made.status, "reason": made.fields.get("reason")},),
    )


_COLUMNS = (
    Column("name", "Layer"),
    Column("stage", "Stage", rank=9),
    Column("block", "Block", rank=9),
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


_SHOWN = ("name", "operation", "output_shape", "flops", "bytes", "intensity", "bound", "least")


def table(found: Roofline, level: str = "layer") -> Table:
    """What bounds each row and its least time; what was measured, and what is lost between them.

    Raises UnknownNameError for a level that is not one of LEVELS.
    """
    if level not in LEVELS:
        raise unknown("level", level, LEVELS)
    rows = [_record(part, level) for part in _parts(found.rows, level)]
    timed = "measured" in found.rows[0]
    lost = sum(max(0.0, row["lost"]) for row in rows) if timed else 0.0
    for row in rows:
        row["share_lost"] = max(0.0, row["lost"]) / lost if lost else None
    kernels = "fused into kernels, " if found.fusing else ""
    return Table(
        title=f"Roofline of {found.model}, input {show_shape(found.input)}, batch {found.batch}, "
        f"{found.dtype}, {kernels}{found.device}",
        columns=(*_COLUMNS, *(_MEASURED if timed else ())),
        rows=tuple(rows),
        total=_total(found, timed),
        meta={
            key: value
            for key, value in found._asdict().items()
            if key not in ("rows", "fusing") and value is not None
        },
        notes=(*_losers(rows, lost), *_notes(found)),
        group="stage" if level == "layer" else None,
        partial=tuple(row["name"] for row in found.rows if row["uncounted"]),
        shown=(*_SHOWN, *(column.key for column in _MEASURED if timed)),
    )


def _parts(rows: Sequence[Row], level: str) -> list[list[Row]]:
    if level == "layer":
        return [[row] for row in rows]
    return [list(part) for _, part in groupby(rows, key=lambda row: row[level])]


def _record(rows: Sequence[Row], level: str) -> dict[str, Any]:
    sums = {key: sum(row[key] for row in rows) for key in ("macs", "flops", "bytes", "least")}
    # Of several layers, what most of their least time is spent on.
    waits = {
        by: sum(row["least"] for row in rows if row["bound"] == by) for by in ("compute", "memory")
    }
    last = rows[-1]
    made: dict[str, Any] = {
        "name": last["name"] if level == "layer" else last[level],
        "stage": last["stage"],
        "block": last["block"],
        "operation": last["operation"] if level == "layer" else f"{len(rows)} layers",
        "output_shape": last["output_shape"],
        **sums,
        "intensity": sums["flops"] / sums["bytes"] if sums["bytes"] else None,
        "bound": max(waits, key=waits.__getitem__) if sums["least"] else "",
    }
    if "measured" in last:
        seconds = sum(row["measured"] for row in rows)
        made |= {
            "measured": seconds,
            "of_bound": made["least"] / seconds if seconds else None,
            "lost": seconds - made["least"],
        }
    return made


def _total(found: Roofline, timed: bool) -> dict[str, Value]:
    least = found.fused_floor if found.fusing else found.floor
    total: dict[str, Value] = {"name": "total", "least": least}
    for key in ("macs", "flops", "bytes"):
        total[key] = sum(row[key] for row in found.rows)
    if timed:
        seconds = sum(row["measured"] for row in found.rows)
        total |= {"measured": seconds, "of_bound": least / seconds, "lost": seconds - least}
    return total


def _losers(rows: Sequence[Row], lost: float) -> tuple[str, ...]:
    """Those whose measured time is furthest above their least time."""
    if not lost:
        return ()
    worst = sorted(rows, key=lambda row: -float(row["lost"]))[:LOSERS]
    named = ", ".join(f"{row['name']} {show_seconds(row['lost'])}" for row in worst)
    return (f"Lost most: {named}.",)


def _notes(found: Roofline) -> tuple[str, ...]:
    floors = f"{show_seconds(found.floor)} layer by layer, {show_seconds(found.fused_floor)}"
    compute, memory, cache = map(show_rate, (found.rate, found.bandwidth, found.cache_bandwidth))
    notes = [
        f"Floor: {floors} with batch norm, activation and addition fused.",
        f"Ceilings: {compute}FLOP/s in {found.dtype}; {memory}B/s in memory, {cache}B/s in cache.",
        "FLOPs are 2 x MACs + elementwise terms.",
    ]
    if found.whole is not None:
        seconds = sum(row["measured"] for row in found.rows)
        notes.insert(
            0,
            f"Layers add up to {show_seconds(seconds)}; the network runs in "
            f"{show_seconds(found.whole)} ({found.of_whole:.1%} of the run beside each pass).",
        )
    return tuple(notes)
