"""Measurements -> Tables: latencies, one file against another, ladders, a device's ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.ceilings import ceilings_of
from resnet_inspect.measuring.records import Measurement, climbs, measured, of_kind, pairs
from resnet_inspect.measuring.statistics import LEAST_DIFFERENCE, differs
from resnet_inspect.tables import roofline as roofline_table
from resnet_inspect.tables.columns import Column, Value, show_bytes, show_rate, show_seconds
from resnet_inspect.tables.table import Sheet, Table

CONVENTION = "FLOP/s are 2 x MACs of convolution and linear layers"

_CASE = ("model", "input", "batch", "dtype", "memory_format", "mode", "step", "folded")

_LATENCY = (
    Column("model", "Model"),
    Column("input", "Input", "shape", 9),
    Column("batch", "Batch", "count"),
    Column("dtype", "Dtype"),
    Column("memory_format", "Layout", rank=3),
    Column("mode", "Mode", rank=2),
    Column("step", "Step", rank=4),
    Column("folded", "Folded", rank=9),
    Column("status", "Status", rank=9),
    Column("reason", "Reason", "prose", 9),
    Column("median", "Median", "seconds"),
    Column("half_width", "±", "percent"),
    Column("low", "Low", "seconds", 9),
    Column("high", "High", "seconds", 9),
    Column("p10", "p10", "seconds", 5),
    Column("p90", "p90", "seconds", 3),
    Column("p99", "p99", "seconds", 1),
    Column("runs", "Runs", "count", 7),
    Column("independent", "Independent", "count", 9),
    Column("steady", "Steady", rank=9),
    Column("settled", "Settled", rank=9),
    Column("first", "First run", "seconds", 9),
    Column("images_per_second", "Images/s", "number"),
    Column("flops_per_second", "FLOP/s", "rate", 1),
    Column("of_ceiling", "of peak", "percent", 2),
    Column("peak_memory", "Memory", "bytes", 6),
    Column("joules", "J/image", "number", 6),
    Column("timer", "Timer", "ratio", 5),
    Column("do_bench", "do_bench", "ratio", 5),
    Column("macs", "MACs", "count", 9),
    Column("uncounted", "Uncounted", "count", 9),
    Column("params", "Parameters", "count", 9),
    Column("device", "Device", rank=9),
    Column("threads", "Threads", "count", 9),
    Column("torch", "torch", rank=9),
    Column("made", "Made", rank=9),
)  # fmt: skip

_ALWAYS = ("model", "batch")


_CASE_TITLE = ("input", "dtype", "memory_format", "mode", "step")
"""What stands in the title where it is the same for all rows, and in a column where it is not."""


_WHERE = ("device", "threads", "torch")
"""What the title names anyhow, and a column where it is not the same for all rows."""


_FIGURES = (
    "median", "half_width", "p10", "p90", "p99", "runs", "images_per_second", "flops_per_second",
    "of_ceiling", "peak_memory", "joules", "timer", "do_bench",
)  # fmt: skip

_TIMERS = {"timer": "torch.utils.benchmark", "do_bench": "triton.testing.do_bench"}
"""Columns of what another timer found, relative to our median (bench --cross-check)."""


def latencies(measurements: Sequence[Measurement]) -> Table:
    """Every latency: percentiles, interval, throughput, share of the ceiling, memory, energy.

    Networks stand together, in the order in which they were measured first. Columns that say the
    same of all rows are left to the title. Raises InspectError for none.
    """
    found = _by_network(of_kind(measurements, "latency"))
    if not found:
        raise InspectError("no latencies among these measurements; 'bench MODEL' makes some")
    rows = [_latency(made) for made in found]
    same = [key for key in (*_CASE_TITLE, *_WHERE) if len({row[key] for row in rows}) == 1]
    empty = [key for key in _FIGURES if all(row[key] is None for row in rows)]
    dull = {*same, *empty}
    shared = [found[0].case.shown()[key] for key in _CASE_TITLE if key in same]
    return Table(
        title=", ".join(["Latency", *_devices(found), *shared]),
        columns=_LATENCY,
        rows=tuple(rows),
        meta={"devices": _devices(found), "convention": CONVENTION},
        notes=(*_latency_notes(found), f"{CONVENTION}; percentiles of the device's own clock."),
        group="model" if len({row["model"] for row in rows}) > 1 else None,
        shown=tuple(key for key in (*_ALWAYS, *_CASE_TITLE, *_WHERE, *_FIGURES) if key not in dull),
    )


def _by_network(found: Sequence[Measurement]) -> list[Measurement]:
    places: dict[str, int] = {}
    for made in found:
        places.setdefault(made.case.model, len(places))
    return sorted(found, key=lambda made: places[made.case.model])


def _latency(made: Measurement) -> dict[str, Value]:
    fields, found = made.fields, made.summary
    case: dict[str, Value] = dict(made.case._asdict())
    row: dict[str, Value] = {
        **case,
        **{
            key: fields.get(key)
            for key in ("status", "reason", "steady", "settled", "first", "peak_memory", "joules",
                        "macs", "uncounted", "params", "made")
        },
        "device": fields["device"]["name"],
        "threads": fields["settings"]["threads"],
        "torch": fields["software"]["torch"],
    }  # fmt: skip
    keys = ("median", "half_width", "low", "high", "p10", "p90", "p99", "runs", "independent")
    row |= {key: getattr(found, key) if found else None for key in keys}
    speed = made.flops / found.median if found else None
    ceiling, others = fields.get("ceiling"), fields.get("cross_check") or {}
    return row | {
        **{
            key: others[name] / found.median if found and name in others else None
            for key, name in _TIMERS.items()
        },
        "images_per_second": made.case.batch / found.median if found else None,
        "flops_per_second": speed,
        "of_ceiling": speed / ceiling if speed and ceiling else None,
    }


def _latency_notes(found: Sequence[Measurement]) -> tuple[str, ...]:
    notes = []
    for made in found:
        if made.status != "ok":
            notes.append(f"{made.case}: {made.status}. {made.fields.get('reason') or ''}".strip())
    names = [str(made.case) for made in found if made.status == "ok"]
    for key, words in (
        ("steady", "not in steady state when the warm-up's time was over"),
        ("settled", "interval wider than asked for when the time was over"),
    ):
        few = [str(made.case) for made in found if made.fields.get(key) is False]
        if few:
            notes.append(f"{words.capitalize()}: {_which(few, len(names))}.")
    drifting = [str(made.case) for made in found if (s := made.summary) and s.independent < s.runs]
    if drifting:
        notes.append(
            "Drifted, so their runs count as fewer and the interval is wider: "
            f"{_which(drifting, len(names))}."
        )
    timers = {timer for made in found for timer in made.fields.get("cross_check") or ()}
    for column, timer in _TIMERS.items():
        if timer in timers:
            label = next(known.title for known in _LATENCY if known.key == column)
            notes.append(f"{label}: the median of {timer} / ours.")
    partial = {made.case.model: None for made in found if made.fields.get("uncounted")}
    if partial:
        notes.append(f"FLOP/s are at least these for {', '.join(partial)}: not all is counted.")
    return (*notes, *_busy(found))


def _which(few: Sequence[str], of: int) -> str:
    """The names, or their number where they are too many to be read."""
    if len(few) > 1 and len(few) == of:
        return "all"
    return "; ".join(few) if len(few) <= 3 else f"{len(few)} of {of}"


def _busy(found: Sequence[Measurement]) -> tuple[str, ...]:
    """Whether a CPU had more to do than to be measured: runnable threads beside its own."""
    loads = [
        (load, made.fields["settings"]["threads"])
        for made in found
        if made.fields["device"]["kind"] == "cpu" and (load := _load(made.fields)) is not None
    ]
    busy = [load for load, threads in loads if load > threads + 0.5]
    if not busy:
        return ()
    which = (
        f"{len(busy)} of {len(found)} measurements"
        if len(busy) < len(found)
        else "all measurements"
    )
    return (f"The machine was busy during {which} (load {max(busy):g}): these times are too long.",)


def _load(fields: Mapping[str, Any]) -> float | None:
    """Runnable threads, the fewer of before and after: compiling leaves its own behind."""
    known = [load for at in ("before", "after") if (load := fields[at].get("load")) is not None]
    return min(known, default=None)


def _devices(found: Sequence[Measurement]) -> list[str]:
    return list(
        dict.fromkeys(
            f"{made.fields['device']['name']}{_threads(made)}, "
            f"torch {made.fields['software']['torch']}"
            for made in found
        )
    )


def _threads(made: Measurement) -> str:
    device = made.fields["device"]
    if device["kind"] != "cpu":
        return ""
    threads = device["threads"]
    return f" ({threads} thread{'s' if threads != 1 else ''})"


_PAIR = (
    *(column for column in _LATENCY if column.key in _CASE),
    Column("before", "Before", "seconds"),
    Column("before_half_width", "±", "percent", 3),
    Column("after", "After", "seconds"),
    Column("after_half_width", "±", "percent", 3),
    Column("speedup", "Speed-up", "ratio"),
    Column("verdict", "Verdict"),
)  # fmt: skip


def comparison(
    before: Sequence[Measurement], after: Sequence[Measurement], names: tuple[str, str]
) -> Table:
    """The cases that both files have, pairwise; a speed-up above 1 means that the second is faster.

    A difference counts where the medians' intervals do not overlap and it is more than
    LEAST_DIFFERENCE. Raises InspectError where the files have no case in common.
    """
    matched = pairs(before, after)
    if not matched:
        raise InspectError(f"{names[0]!r} and {names[1]!r} have no case in common to compare")
    rows = [_pair(*pair) for pair in matched]
    same = [key for key in _CASE if key not in ("model", "batch")]
    dull = {key for key in same if len({row[key] for row in rows}) == 1}
    sides = [", ".join(_devices(side)) for side in zip(*matched, strict=True)]
    return Table(
        title=f"{names[0]} against {names[1]}",
        columns=_PAIR,
        rows=tuple(rows),
        meta={"before": sides[0], "after": sides[1]},
        notes=(
            f"Before: {sides[0]}. After: {sides[1]}.",
            "Speed-up is before / after, of medians.",
            f"'same' where their intervals overlap, or within {LEAST_DIFFERENCE:.0%}.",
        ),
        shown=tuple(column.key for column in _PAIR if column.key not in dull),
    )


def _pair(before: Measurement, after: Measurement) -> dict[str, Value]:
    old, new = before.summary, after.summary
    row: dict[str, Value] = {
        **before.case._asdict(),
        "before": old.median if old else None,
        "before_half_width": old.half_width if old else None,
        "after": new.median if new else None,
        "after_half_width": new.half_width if new else None,
        "speedup": old.median / new.median if old and new else None,
    }
    if not old or not new:
        return row | {"verdict": " / ".join((before.status, after.status))}
    if old.low is None or new.low is None or old.high is None or new.high is None:
        return row | {"verdict": "too few runs"}
    interval = (new.low / old.high, new.high / old.low)  # around 1 where the two overlap
    verdict = {-1: "faster", 0: "same", 1: "slower"}[differs(new.median / old.median, interval)]
    return row | {"verdict": verdict}


_CEILINGS = (
    Column("quantity", "Ceiling"),
    Column("value", "Measured", "text"),
    Column("number", "Number", "number"),
    Column("unit", "Unit"),
    Column("detail", "How", "text"),
)


def ceilings(measurement: Measurement) -> Table:
    """What a device was measured to do at best."""
    found, fields = ceilings_of(measurement), measurement.fields
    rows: list[dict[str, Value]] = []
    for dtype, rate in found.rates.items():
        rows.append(
            {
                "quantity": f"arithmetic, {dtype}",
                "value": f"{show_rate(rate)}FLOP/s",
                "number": rate,
                "unit": "FLOP/s",
                "detail": fields["fastest"][dtype],
            }
        )
    for moved, rate in found.copies:
        rows.append(
            {
                "quantity": "copy",
                "value": f"{show_rate(rate)}B/s",
                "number": rate,
                "unit": "bytes/s",
                "detail": f"{show_bytes(moved)} read and written",
            }
        )
    rows.append(
        {
            "quantity": "launch",
            "value": show_seconds(found.launch),
            "number": found.launch,
            "unit": "s",
            "detail": "one operation on one element",
        }
    )
    return Table(
        title=", ".join(["Ceilings", *_devices([measurement])]),
        columns=_CEILINGS,
        rows=tuple(rows),
        meta={"device": fields["device"], "software": fields["software"], "made": fields["made"]},
        notes=(
            f"Measured {fields['made']}. FLOP/s are 2 x MACs.",
            "A copy counts what it reads and what it writes.",
        ),
        shown=("quantity", "value", "detail"),
    )


_LADDER = (
    Column("step", "Step"),
    Column("median", "Median", "seconds"),
    Column("half_width", "±", "percent", 2),
    Column("images_per_second", "Images/s", "number"),
    Column("gain", "Step's gain", "ratio"),
    Column("speedup", "So far", "ratio"),
    Column("flops_per_second", "FLOP/s", "rate", 3),
    Column("of_ceiling", "of peak", "percent", 4),
    Column("error", "Error", "text", 1),
    Column("relative_error", "Relative error", "number", 9),
    Column("tolerance", "Tolerance", "number", 9),
    Column("verdict", "Verdict", "text"),
    Column("kept", "Kept", rank=9),
)


def ladder(steps: Sequence[Measurement]) -> Table:
    """One climb, step by step. gain: against the step before it that was kept, by turns."""
    rows: list[dict[str, Value]] = []
    for made in steps:
        row, fields = _latency(made), made.fields
        error, tolerance = fields.get("error"), fields["tolerance"]
        rows.append(
            {
                **{key: row[key] for key in ("median", "half_width", "images_per_second",
                                             "flops_per_second", "of_ceiling")},
                "step": fields["step"],
                **({"gain": fields["gain"]} if fields.get("gain") else {}),
                "speedup": fields.get("speedup"),
                "error": "" if error is None else _against(error, tolerance),
                "relative_error": error,
                "tolerance": tolerance,
                "verdict": fields["verdict"],
                "kept": fields["kept"],
            }
        )  # fmt: skip
    first = steps[0].case
    notes = [f"Not run: {words}." for words in steps[0].fields.get("left_out", ())]
    notes += [
        f"{made.fields['step']}: {made.status}. {made.fields.get('reason') or ''}".strip()
        for made in steps
        if made.status != "ok"
    ]
    gains = [row["speedup"] for row in rows if row["kept"] and row["speedup"] is not None]
    if gains:
        notes.append(f"{gains[-1]:.2f} times as fast as the first step.")
    return Table(
        title=f"Ladder of {first.model}, batch {first.batch}, {', '.join(_devices(steps[:1]))}",
        columns=_LADDER,
        rows=tuple(rows),
        meta={"model": first.model, "batch": first.batch},
        notes=(
            *notes,
            *_busy(steps),
            "Gain is against the step kept before, by turns; 'so far' multiplies those kept.",
            "Medians of different steps also hold what the machine drifted between them.",
            "No gain, or too large an error, is not kept.",
            f"Error is relative to the fp32 outputs in the 2-norm; {CONVENTION}.",
        ),
        shown=tuple(
            column.key
            for column in _LADDER
            if column.key not in ("relative_error", "tolerance", "kept")
            and not (column.key == "of_ceiling" and all(row["of_ceiling"] is None for row in rows))
        ),
    )


def _against(error: float, tolerance: float) -> str:
    """Both, and which is larger; an error that is no number is above."""
    return f"{error:.1e} {'≤' if error <= tolerance else 'above'} {tolerance:.0e}"


def everything(measurements: Sequence[Measurement], level: str = "layer") -> Sheet:
    """A table of each kind that is among some measurements, layers at one of roofline_table.LEVELS.

    Raises InspectError for none.
    """

    def _layers(made: Measurement) -> Table:
        if made.summary is None:
            return roofline_table.not_measured(made)
        return roofline_table.table(measured(made), level)

    tables: dict[str, Table] = {}
    if of_kind(measurements, "latency"):
        tables["latency"] = latencies(measurements)
    makers: tuple[tuple[str, Sequence[Any], Callable[[Any], Table]], ...] = (
        ("ladder", climbs(measurements), ladder),
        ("layers", of_kind(measurements, "layers"), _layers),
        ("ceilings", of_kind(measurements, "ceilings"), ceilings),
    )
    for name, group, make in makers:
        for number, one in enumerate(group):
            tables[name if len(group) == 1 else f"{name} {number + 1}"] = make(one)
    if not tables:
        raise InspectError("the file has no measurements; 'bench MODEL' makes some")
    return Sheet("Measurements", tables)
