"""The ceilings of a device -> Table."""

from __future__ import annotations

import msgspec

from resnet_inspect.measuring.records import DeviceCeilings
from resnet_inspect.tables.columns import Column, columns, show_bytes, show_rate, show_seconds
from resnet_inspect.tables.latency import devices
from resnet_inspect.tables.table import Table

_COLUMNS = (
    *columns("text", quantity="Ceiling", value="Measured"),
    Column("number", "Number", "number"),
    *columns("text", unit="Unit", detail="How"),
)


def ceilings(record: DeviceCeilings) -> Table:
    """What a device was measured to do at best."""
    launch, fastest = record.launch, record.fastest
    rows = [
        (f"arithmetic, {dtype}", f"{show_rate(rate)}FLOP/s", rate, "FLOP/s", str(fastest[dtype]))
        for dtype, rate in record.rates.items()
    ]
    rows += [
        ("copy", f"{show_rate(rate)}B/s", rate, "bytes/s", f"{show_bytes(moved)} read and written")
        for moved, rate in record.copies
    ]
    rows.append(("launch", show_seconds(launch), launch, "s", "one operation on one element"))
    keys = [column.key for column in _COLUMNS]
    return Table(
        title=", ".join(["Ceilings", *devices([record])]),
        columns=_COLUMNS,
        rows=tuple(dict(zip(keys, row, strict=True)) for row in rows),
        meta={
            "device": msgspec.to_builtins(record.device),
            "software": msgspec.to_builtins(record.software),
            "made": record.made,
        },
        notes=(
            f"Measured {record.made}. FLOP/s are 2 x MACs.",
            "A copy counts what it reads and what it writes.",
        ),
    ).hiding("number", "unit")
