"""A validation of forecasts -> Tables: how far off they are, by way, by run, and the worst."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from resnet_inspect.forecasting.measured import Run, public_runs
from resnet_inspect.forecasting.validation import LEAST, Checked, Validation, spent, within
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

_TOGETHER: dict[str, Callable[[Run], bool]] = {
    "compiled inference, all": lambda run: run.way.mode == "compile",
    "all": lambda run: True,
}

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
    Column("kept", "in the interval", "percent"),
)


def validation_sheet(validation: Validation) -> Sheet:
    """'pooled', 'runs', 'training' and 'worst'."""
    return Sheet(
        "Forecasts against public measurements",
        {
            "pooled": _pooled(validation),
            "runs": _by_run(validation),
            "training": _training(validation),
            "worst": _worst(validation),
        },
    )


def _errors(signed: list[float]) -> dict[str, Any]:
    if not signed:
        return {"rows": 0}
    return {
        "rows": len(signed),
        "median": within(signed, 0.5),
        "p90": within(signed, 0.9),
        "bias": sorted(signed)[len(signed) // 2],
    }


def _elsewhere(signed: list[float]) -> dict[str, Any]:
    if not signed:
        return {"other_rows": 0}
    return {"other_rows": len(signed), "other_median": within(signed, 0.5), "close": _close(signed)}


def _close(signed: list[float]) -> float:
    return sum(abs(error) <= CLOSE for error in signed) / len(signed)


def _joined(parts: Iterable[Iterable[Checked]]) -> list[float]:
    return [row.error for part in parts for row in part]


def _training(validation: Validation) -> Table:
    """Energy of an image and time of a step, of ResNet-50 on each device and on all."""
    found = {name: (list(of.energy), list(of.steps)) for name, of in validation.training.items()}
    found["all"] = (
        [error for energy, _ in found.values() for error in energy],
        [error for _, steps in found.values() for error in steps],
    )
    rows = [
        {"device": name, **_errors(energy), "energy_close": _close(energy), **_elsewhere(steps)}
        for name, (energy, steps) in found.items()
    ]
    return Table(
        title="Training of ResNet-50: energy, and steps of devices that no training run is of",
        columns=(
            Column("device", "Device"),
            *_ERRORS,
            Column("energy_close", "within 15%", "percent"),
            Column("other_rows", "Steps: rows", "count", 2),
            *columns("percent", 0, other_median="Steps: median", close="Steps: within 15%"),
        ),
        rows=tuple(rows),
        notes=(
            "Energy of an image: two rows calibrate a device, all others are held out.",
            "Steps: forecasts of the rows at full power; at batch 8 and 16 the host decides.",
            "Memory of training is counted: benchmarks/training_memory.py has it beside torch's.",
        ),
    )


def _pooled(validation: Validation) -> Table:
    rows: list[Record] = []
    steps = [error for each in validation.training.values() for error in each.steps]
    steps_kept = sum(1 / LEAST <= 1 + error <= LEAST for error in steps)
    for name, belongs in (POOLS | _TOGETHER).items():
        runs = [run.name for run in public_runs().values() if belongs(run)]
        named: dict[str, Any] = {"name": name, "runs": len(runs)}
        unseen = _joined(validation.devices[run] for run in runs)
        kept = sum(validation.kept[run] for run in runs)
        if name in ("training", "all"):
            unseen, kept = unseen + steps, kept + steps_kept
        named["kept"] = kept / len(unseen)
        rows.append(
            named | _errors(_joined(validation.networks[run] for run in runs)) | _elsewhere(unseen)
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
            "In the interval: of the errors of the other devices, each held out in its turn.",
            "Training: all runs are of one device; of others, the steps of the table of training.",
        ),
    )


def _by_run(validation: Validation) -> Table:
    rows = [
        run._asdict()
        | {"way": run.way.key}
        | _errors(_joined([validation.networks[run.name]]))
        | _elsewhere(_joined([validation.devices[run.name]]))
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
    ).hiding("other_rows", "other_median", "kept", "source")


def _worst(validation: Validation) -> Table:
    """The rows furthest off, one for each network of a run."""
    every = [row for rows in validation.networks.values() for row in rows]
    every.sort(key=lambda row: -abs(row.error))
    rows: list[Record] = []
    for row in every[:WORST]:
        kind, share = spent(row)
        run = public_runs()[row.run]
        rows.append(
            {
                **row._asdict(),
                "device": run.device,
                "way": run.way.key,
                "torch": run.torch,
                "measured": row.seconds,
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
