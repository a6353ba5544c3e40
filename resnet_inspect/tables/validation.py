"""A validation of forecasts -> Tables: how far off they are, by way, by run, and the worst."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from resnet_inspect.forecasting.measured import Run, public_runs
from resnet_inspect.forecasting.validation import Checked, Validation, percentile, spent
from resnet_inspect.tables.columns import Column, Record, columns
from resnet_inspect.tables.table import Sheet, Table

POOLS: dict[str, Callable[[Run], bool]] = {
    "compiled inference, GPUs": lambda run: run.way.key == "compile",
    "compiled inference, CPUs": lambda run: run.way.kind == "cpu",
    "eager inference, GPUs": lambda run: (
        run.way.key in ("eager-nchw", "eager-nhwc") and not _latency(run)
    ),
    "latency at batch 1 to 256": lambda run: _latency(run),
    "training": lambda run: run.way.train,
}
"""What rows are pooled over."""

WORST = 20

CLOSE = 0.15
"""Within this share of the measurement a forecast from a datasheet is close."""


def _latency(run: Run) -> bool:
    return run.name.startswith("nvidia-")


_ERRORS = (
    Column("rows", "Rows", "count"),
    *columns("percent", median="Median", p90="90%", bias="Bias"),
)

_ELSEWHERE = (
    Column("other_rows", "New device: rows", "count", 2),
    *columns("percent", 0, other_median="New device: median", close="within 15%"),
)


def validation_sheet(validation: Validation) -> Sheet:
    """'pooled', 'runs' and 'worst'."""
    return Sheet(
        "Forecasts against public measurements",
        {
            "pooled": _pooled(validation),
            "runs": _by_run(validation),
            "worst": _worst(validation),
        },
    )


def _errors(rows: list[Checked]) -> dict[str, Any]:
    if not rows:
        return {"rows": 0}
    signed = sorted(row.error for row in rows)
    return {
        "rows": len(rows),
        "median": percentile(rows, 0.5),
        "p90": percentile(rows, 0.9),
        "bias": signed[len(signed) // 2],
    }


def _elsewhere(rows: list[Checked]) -> dict[str, Any]:
    if not rows:
        return {"other_rows": 0}
    return {
        "other_rows": len(rows),
        "other_median": percentile(rows, 0.5),
        "close": sum(abs(row.error) <= CLOSE for row in rows) / len(rows),
    }


def _pooled(validation: Validation) -> Table:
    rows: list[Record] = []
    for name, belongs in POOLS.items():
        runs = [run.name for run in public_runs().values() if belongs(run)]
        named: dict[str, Any] = {"name": name, "runs": len(runs)}
        rows.append(
            named
            | _errors(_joined(validation.networks[run] for run in runs))
            | _elsewhere(_joined(validation.devices[run] for run in runs))
        )
    return Table(
        title="Held-out rows, pooled",
        columns=(
            Column("name", "Runs of"),
            Column("runs", "Runs", "count", 4),
            *_ERRORS,
            *_ELSEWHERE,
        ),
        rows=tuple(rows),
        notes=(
            "Rows to bias: five rows calibrate a run, all others are held out.",
            "Bias is the median signed error: above 0, forecasts are too slow.",
            "New device: it is held out; its datasheet and the other devices forecast it.",
        ),
    )


def _joined(parts: Iterable[list[Checked]]) -> list[Checked]:
    return [row for part in parts for row in part]


def _by_run(validation: Validation) -> Table:
    rows = [
        {
            "device": run.device,
            "way": run.way.key,
            "precision": run.precision,
            "torch": run.torch,
            "source": run.source,
        }
        | _errors(validation.networks[run.name])
        | _elsewhere(validation.devices[run.name])
        for run in public_runs().values()
    ]
    return Table(
        title="Each run",
        columns=(
            *columns("text", device="Device", way="Way", precision="Type", torch="torch"),
            *_ERRORS,
            *_ELSEWHERE,
            Column("source", "Published in", "prose", 9),
        ),
        rows=tuple(rows),
        shown=("device", "way", "precision", "torch", "rows", "median", "p90", "bias", "close"),
    )


def _worst(validation: Validation) -> Table:
    """The rows furthest off, one for each network of a run."""
    every = sorted(_joined(validation.networks.values()), key=lambda row: -abs(row.error))
    rows: list[Record] = []
    for row in every[:WORST]:
        kind, share = spent(row)
        run = public_runs()[row.run]
        rows.append(
            {
                "model": row.model,
                "side": row.side,
                "batch": row.batch,
                "device": run.device,
                "way": run.way.key,
                "torch": run.torch,
                "measured": row.seconds,
                "forecast": row.forecast,
                "error": row.error,
                "cause": f"{kind} kernels take {share:.0%} of it",
            }
        )
    return Table(
        title=f"The {WORST} rows furthest off",
        columns=(
            Column("model", "Network"),
            *columns("count", side="Side", batch="Batch"),
            *columns("text", device="Device", way="Way", torch="torch"),
            *columns("seconds", measured="Measured", forecast="Forecast"),
            Column("error", "Off by", "percent"),
            Column("cause", "Where its time goes", "prose"),
        ),
        rows=tuple(rows),
    )
