"""The ceilings of a device -> Table."""

from __future__ import annotations

import msgspec

from resnet_inspect.measuring.records import DeviceCeilings
from resnet_inspect.tables.columns import Column, Value, show_bytes, show_rate, show_seconds
from resnet_inspect.tables.latency import devices
from resnet_inspect.tables.table import Table

_COLUMNS = (
    Column("quantity", "Ceiling"),
    Column("value", "Measured", "text"),
    Column("number", "Number", "number"),
    Column("unit", "Unit"),
    Column("detail", "How", "text"),
)


def ceilings(record: DeviceCeilings) -> Table:
    """What a device was measured to do at best."""
    rows = [
        _row(f"arithmetic, {dtype}", f"{show_rate(rate)}FLOP/s", rate, "FLOP/s", str(kernel))
        for dtype, rate in record.rates.items()
        for kernel in [record.fastest[dtype]]
    ]
    rows += [
        _row(
            "copy",
            f"{show_rate(rate)}B/s",
            rate,
            "bytes/s",
            f"{show_bytes(moved)} read and written",
        )
        for moved, rate in record.copies
    ]
    launch = record.launch
    rows.append(_row("launch", show_seconds(launch), launch, "s", "one operation on one element"))
    return Table(
        title=", ".join(["Ceilings", *devices([record])]),
        columns=_COLUMNS,
        rows=tuple(rows),
        meta={
            "device": msgspec.to_builtins(record.device),
            "software": msgspec.to_builtins(record.software),
            "made": record.made,
        },
        notes=(
            f"Measured {record.made}. FLOP/s are 2 x MACs.",
            "A copy counts what it reads and what it writes.",
        ),
        shown=("quantity", "value", "detail"),
    )


def _row(quantity: str, value: str, number: float, unit: str, detail: str) -> dict[str, Value]:
    return {
        "quantity": quantity,
        "value": value,
        "number": number,
        "unit": unit,
        "detail": detail,
    }
