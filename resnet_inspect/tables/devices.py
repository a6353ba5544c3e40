"""Devices -> Table: what each computes, moves and holds, by its datasheet."""

from __future__ import annotations

from collections.abc import Iterable

from resnet_inspect.forecasting.devices import Device
from resnet_inspect.tables.columns import Column, row_of
from resnet_inspect.tables.table import Table

_PEAKS = {
    "fp32": "fp32",
    "tf32": "TF32",
    "fp16": "fp16",
    "fp16-fp16": "fp16 acc. fp16",
    "bf16": "bf16",
    "int8": "int8",
    "fp64": "fp64",
}
"""Arithmetic and its heading; fp16 accumulates in fp32 unless it says otherwise."""

_COLUMNS = (
    Column("name", "Device"),
    Column("title", "As its maker calls it", rank=9),
    Column("launched", "Launched", rank=4),
    *(
        Column(dtype, f"{title}, FLOP/s", "rate", dtype == "tf32")
        for dtype, title in _PEAKS.items()
    ),
    Column("bandwidth", "Memory, B/s", "rate"),
    Column("memory", "Memory", "bytes"),
    Column("cache", "L2", "bytes", 1),
    Column("sold", "Sold as, GB", "number", 8),
    Column("reported", "Memory by", rank=9),
    Column("units", "Units", "count", 8),
    Column("clock", "Clock, Hz", "rate", 8),
    Column("power", "TDP, W", "number", 3),
    Column("source", "Source", "prose", 9),
)

_OF_DEVICE = tuple(column for column in _COLUMNS if column.key not in _PEAKS)


def devices_table(known: Iterable[Device]) -> Table:
    """A row for each device."""
    return Table(
        title="Devices, by their datasheets",
        columns=_COLUMNS,
        rows=tuple(
            {
                **row_of(device, _OF_DEVICE),
                **{dtype: device.peaks.get(dtype) for dtype in _PEAKS},
                "memory": device.memory or None,  # 0 where nobody knows
                "sold": device.sold or None,
            }
            for device in known
        ),
        notes=(
            "Peaks are dense, 2 FLOPs for each multiply-accumulate; fp16 accumulates in fp32.",
            "Memory: what CUDA reports; makers' GB are about 2^30 bytes each, less ECC.",
            "--format json has the sources.",
        ),
    ).hiding(
        *("title", "fp16-fp16", "int8", "fp64"),
        *("sold", "reported", "units", "clock", "source"),
    )
