"""Forecasts -> Table: how long networks will take, and what bounds their kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resnet_inspect.errors import InspectError, check_name
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.fitted import ARCHITECTURE, DATASHEET
from resnet_inspect.forecasting.forecast import Forecast, KernelTime
from resnet_inspect.forecasting.own import Calibration
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.tables.columns import Column, columns, row_of, show_seconds
from resnet_inspect.tables.network_notes import listed
from resnet_inspect.tables.roofline import parts
from resnet_inspect.tables.table import Table

LEVELS = ("network", "stage", "block", "kernel")

_COLUMNS = (
    Column("model", "Network"),
    Column("device", "Device"),
    Column("batch", "Batch", "count"),
    Column("input", "Input", "shape", 6),
    *columns("text", 4, dtype="Type", mode="Mode", layout="Layout"),
    *columns("seconds", seconds="Seconds", low="from", high="to"),
    Column("images_per_second", "Images/s", "rate"),
    Column("calibrated", "Calibrated by", rank=2),
    Column("by", "Run or device", rank=9),
)


def forecasts_table(forecasts: Sequence[Forecast], level: str = "network") -> Table:
    """A row for each forecast; at other LEVELS for each kernel, block or stage of the only one.

    Raises InspectError for rows of several, UnknownNameError for the level.
    """
    if level != "network":
        return _kernels(forecasts, level)
    training = "training step" if any(each.train for each in forecasts) else "inference"
    return Table(
        title=f"Forecast of {training}",
        columns=_COLUMNS,
        rows=tuple(row_of(each, _COLUMNS) for each in forecasts),
        notes=_notes(forecasts),
        partial=tuple(dict.fromkeys(each.model for each in forecasts if each.uncounted)),
    ).hiding("by", *_shared(forecasts))


_SETTINGS = ("input", "dtype", "mode", "layout", "calibrated")
"""Shown in columns where forecasts differ in them, else in a note."""


def _shared(forecasts: Sequence[Forecast]) -> list[str]:
    """The settings that are the same for all."""
    return [key for key in _SETTINGS if len({getattr(each, key) for each in forecasts}) == 1]


def _notes(forecasts: Sequence[Forecast]) -> tuple[str, ...]:
    first = forecasts[0]
    shown = {"input": show_shape(first.input), "calibrated": f"calibrated by {first.calibrated}"}
    settings = [shown.get(key, getattr(first, key)) for key in _shared(forecasts)]
    notes = [f"All: {', '.join(settings)}."] if settings else []
    notes.append(_INTERVAL)
    if {each.calibrated for each in forecasts} & {ARCHITECTURE, DATASHEET}:
        notes.append(_NOT_MEASURED)
    if turned := dict.fromkeys(each.model for each in forecasts if each.turned):
        notes.append(
            f"Inductor keeps the channels of {listed(turned)} first, for the groups there; "
            "--layout nhwc puts them last."
        )
    host = [each for each in forecasts if 2 * each.starting > each.seconds]
    if host:
        starting = f"{host[0].model} takes it {show_seconds(host[0].starting)}"
        notes.append(f"At small batches the host decides, which starts each kernel: {starting}.")
    return tuple(notes)


_INTERVAL = (
    "From and to: 90% of measurements held out in validation lay between them "
    "('resnet-inspect validate')."
)

_NOT_MEASURED = (
    "Where no run of the device is public, its datasheet and the runs of other devices tell."
)


_ROWS = (
    Column("name", "Kernel"),
    *columns("text", 5, stage="Stage", block="Block", kind="Kind"),
    *columns("count", 8, kernels="Kernels", macs="MACs"),
    Column("bytes", "Moved", "bytes", 6),
    Column("bound", "Bound"),
    Column("seconds", "Seconds", "seconds"),
    Column("share", "of total", "share", 2),
)


def _kernels(forecasts: Sequence[Forecast], level: str) -> Table:
    """What each kernel, block or stage takes, and what bounds it."""
    if len(forecasts) > 1:
        raise InspectError(
            f"--level {level} is for one forecast, not for {len(forecasts)}; give one network, "
            "device and batch"
        )
    check_name("level", level, LEVELS)
    (forecast,) = forecasts
    whole = sum(row.seconds for row in forecast.rows)
    rows = [_record(part, level, whole) for part in parts(forecast.rows, level)]
    training = ", training step" if forecast.train else ""
    between = f"from {show_seconds(forecast.low)} to {show_seconds(forecast.high)}"
    return Table(
        title=f"Forecast of {forecast.model} on {forecast.device}, batch {forecast.batch}, "
        f"{forecast.dtype}, {forecast.mode}{training}",
        columns=_ROWS,
        rows=tuple(rows),
        total={"name": "total"} | _sums(forecast.rows, whole),
        notes=(
            f"The network takes {show_seconds(forecast.seconds)}, {between}.",
            f"Its host takes {show_seconds(forecast.starting)} to start the kernels.",
            f"Calibrated by {forecast.calibrated}: {forecast.by}.",
        ),
        group="stage" if level != "stage" else None,
    ).hiding("stage", "block", "kernels", *(() if level == "kernel" else ("kind",)))


def _record(rows: Sequence[KernelTime], level: str, whole: float) -> dict[str, Any]:
    last = rows[-1]
    waits = {row.bound: 0.0 for row in rows}
    for row in rows:
        waits[row.bound] += row.seconds
    return _sums(rows, whole) | {
        "name": last.name if level == "kernel" else getattr(last, level) or last.name,
        "stage": last.stage,
        "block": last.block,
        "kind": last.kind,
        "kernels": len(rows),
        "bound": max(waits, key=waits.__getitem__),
    }


def _sums(rows: Sequence[KernelTime], whole: float) -> dict[str, Any]:
    seconds = sum(row.seconds for row in rows)
    return {
        "macs": sum(row.macs for row in rows),
        "bytes": sum(row.bytes for row in rows),
        "seconds": seconds,
        "share": seconds / whole,
    }


_SHARES = (
    "Shares are of the device's peaks: arithmetic of windows, 1x1 and grouped kernels; memory for "
    "products, elementwise kernels and pools."
)


def calibration_table(device: Device, calibrations: Sequence[Calibration]) -> Table:
    """What one's own rows say of a device: how far off each was when it was left out."""
    rows = [
        {
            "way": each.key,
            "rows": len(each.rows),
            "median": each.median,
            "worst": each.worst,
            **each.fitted.efficiency._asdict(),
        }
        for each in calibrations
    ]
    shares = ("window", "matrix", "grouped", "feeding", "streaming", "pooling")
    return Table(
        title=f"Calibration of {device.name}",
        columns=(
            Column("way", "Way"),
            Column("rows", "Rows", "count"),
            *columns("percent", median="Median off", worst="Worst off"),
            *(Column(name, name.capitalize(), "percent", 2) for name in shares),
            *columns("number", 8, loading="Loading", depth="Depth", width="Width"),
            *columns("number", 8, filling="Filling", sharpness="Sharpness"),
            *columns("seconds", 3, launch="Launch", host="Host"),
        ),
        rows=tuple(rows),
        notes=("How far off each row was, forecast by all others.", _SHARES),
    ).hiding("loading", "depth", "width", "filling", "sharpness")
