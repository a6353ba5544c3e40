"""A ladder -> Table: what each change to the naive baseline gives."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_inspect.measuring.records import LadderStep
from resnet_inspect.tables.columns import Column, Value, columns
from resnet_inspect.tables.latency import CONVENTION, busy, devices, failures, figures
from resnet_inspect.tables.table import Table

_COLUMNS = (
    Column("step", "Step"),
    Column("median", "Median", "seconds"),
    Column("half_width", "±", "percent", 2),
    Column("images_per_second", "Images/s", "number"),
    *columns("ratio", gain="Step's gain", speedup="So far"),
    Column("flops_per_second", "FLOP/s", "rate", 3),
    Column("of_ceiling", "of peak", "percent", 4),
    Column("error", "Error", rank=1),
    *columns("number", 9, relative_error="Relative error", tolerance="Tolerance"),
    Column("verdict", "Verdict"),
    Column("kept", "Kept", rank=9),
)


def ladder(steps: Sequence[LadderStep]) -> Table:
    """One ladder, step by step.

    gain: against the best step before, interleaved; speedup: the gains of the kept steps so far,
    multiplied.
    """
    rows, first = [_row(step) for step in steps], steps[0]
    unknown = ["of_ceiling"] if all(row["of_ceiling"] is None for row in rows) else []
    speedups = [step.speedup for step in steps if step.kept and step.speedup is not None]
    return Table(
        title=f"Ladder of {first.case.model}, batch {first.case.batch}, "
        f"{', '.join(devices([first]))}",
        columns=_COLUMNS,
        rows=tuple(rows),
        meta={"model": first.case.model, "batch": first.case.batch},
        notes=(
            *(f"Not run: {name} ({reason})." for name, reason in first.left_out.items()),
            *failures({step.step: step for step in steps}),
            *(f"{last:.2f} times as fast as the first step." for last in speedups[-1:]),
            *busy(steps),
            "Gain is against the best step before, in turns; 'so far' multiplies those kept.",
            "Medians of different steps also include what the machine drifted between them.",
            "A step without a gain, or with too large an error, is not kept.",
            f"Error is relative to the fp32 outputs in the 2-norm; {CONVENTION}.",
        ),
    ).hiding("relative_error", "tolerance", "kept", *unknown)


def _row(step: LadderStep) -> dict[str, Value]:
    row = figures(step)
    if step.gain:
        row["gain"] = step.gain
    if step.kept:
        row["speedup"] = step.speedup
    return row | {
        "step": step.step,
        "error": "" if step.error is None else _against(step.error, step.tolerance),
        "relative_error": step.error,
        "tolerance": step.tolerance,
        "verdict": step.verdict,
        "kept": step.kept,
    }


def _against(error: float, tolerance: float) -> str:
    """Both, and which is larger; NaN is above."""
    return f"{error:.1e} {'≤' if error <= tolerance else 'above'} {tolerance:.0e}"
