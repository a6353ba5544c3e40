"""Latencies -> Tables: one file's, and one file against another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import asdict

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import CaseMeasurement, Latency, Measurement, select
from resnet_inspect.measuring.statistics import LEAST_DIFFERENCE, differs
from resnet_inspect.tables.columns import Column, Value, columns, show
from resnet_inspect.tables.table import Table

CONVENTION = "FLOP/s are 2 x MACs of convolution and linear layers"

_CASE = (
    Column("model", "Model"),
    Column("input", "Input", "shape", 9),
    Column("batch", "Batch", "count"),
    Column("dtype", "Dtype"),
    Column("memory_format", "Layout", rank=3),
    Column("mode", "Mode", rank=2),
    Column("step", "Step", rank=4),
    Column("folded", "Folded", rank=9),
)

_LATENCY = (
    *_CASE,
    Column("status", "Status", rank=9),
    Column("reason", "Reason", "prose", 9),
    Column("median", "Median", "seconds"),
    Column("half_width", "±", "percent"),
    *columns("seconds", 9, low="Low", high="High"),
    Column("p10", "p10", "seconds", 5),
    Column("p90", "p90", "seconds", 3),
    Column("p99", "p99", "seconds", 1),
    Column("runs", "Runs", "count", 7),
    Column("independent", "Independent", "count", 9),
    *columns("text", 9, steady="Steady", converged="Converged"),
    Column("first", "First run", "seconds", 9),
    Column("images_per_second", "Images/s", "number"),
    Column("flops_per_second", "FLOP/s", "rate", 1),
    Column("of_ceiling", "of peak", "percent", 2),
    Column("peak_memory", "Memory", "bytes", 6),
    Column("joules", "J/image", "number", 6),
    *columns("count", 9, macs="MACs", uncounted="Uncounted", params="Parameters"),
    Column("device", "Device", rank=9),
    Column("threads", "Threads", "count", 9),
    *columns("text", 9, torch="torch", made="Made"),
)

_ALWAYS = ("model", "batch")

_IN_TITLE = ("input", "dtype", "memory_format", "mode", "step")
"""Shown in the title if they are the same for all rows, and in a column if not."""

_WHERE = ("device", "threads", "torch")
"""In the title in any case, and in a column if they are not the same for all rows."""

_SPEED = ("images_per_second", "flops_per_second", "of_ceiling")

_FIGURES = ("median", "half_width", "p10", "p90", "p99", "runs", *_SPEED, "peak_memory", "joules")

_SUMMARY = ("median", "half_width", "low", "high", "p10", "p90", "p99", "runs", "independent")


def latencies(measurements: Iterable[Measurement]) -> Table:
    """Every latency: percentiles, interval, throughput, share of the ceiling, memory, energy.

    Networks are grouped, in the order in which they were measured first. Columns that say the same
    of all rows are left to the title. Raises InspectError for none.
    """
    records = _by_network(select(measurements, Latency))
    if not records:
        raise InspectError("no latencies among these measurements; 'bench MODEL' makes some")
    rows = [_row(record) for record in records]
    same = [key for key in (*_IN_TITLE, *_WHERE) if len({row[key] for row in rows}) == 1]
    empty = [key for key in _FIGURES if all(row[key] is None for row in rows)]
    shown = (key for key in (*_ALWAYS, *_IN_TITLE, *_WHERE, *_FIGURES) if key not in same + empty)
    shared = [show(rows[0][key], "shape") for key in _IN_TITLE if key in same]
    return Table(
        title=", ".join(["Latency", *devices(records), *shared]),
        columns=_LATENCY,
        rows=tuple(rows),
        meta={"devices": devices(records), "convention": CONVENTION},
        notes=(*_notes(records), f"{CONVENTION}; percentiles of the device's own clock."),
        group="model" if len({row["model"] for row in rows}) > 1 else None,
        shown=tuple(shown),
    )


def _by_network(records: Sequence[Latency]) -> list[Latency]:
    names = [record.case.model for record in records]
    return sorted(records, key=lambda record: names.index(record.case.model))


def figures(record: CaseMeasurement) -> dict[str, Value]:
    """What the times say, by column; None for all of it where there are no times."""
    times = record.summary
    if times is None:
        return dict.fromkeys((*_SUMMARY, *_SPEED))
    speed = record.flops / times.median
    return {
        **{key: getattr(times, key) for key in _SUMMARY},
        "images_per_second": record.case.batch / times.median,
        "flops_per_second": speed,
        "of_ceiling": speed / record.ceiling if speed and record.ceiling else None,
    }


def _row(record: Latency) -> dict[str, Value]:
    return {
        **asdict(record),
        **asdict(record.case),
        **figures(record),
        **{key: getattr(record.sample, key, None) for key in ("steady", "converged", "first")},
        "device": record.device.name,
        "threads": record.settings.threads,
        "torch": record.software.torch,
    }


def _notes(records: Sequence[Latency]) -> tuple[str, ...]:
    timed = [(str(r.case), r.sample, r.summary) for r in records if r.sample and r.summary]
    unsteady = [case for case, sample, _ in timed if not sample.steady]
    wide = [case for case, sample, _ in timed if not sample.converged]
    drifted = [case for case, _, times in timed if times.independent < times.runs]
    partial = dict.fromkeys(record.case.model for record in records if record.uncounted)
    lower = f"FLOP/s are at least these for {', '.join(partial)}: not all is counted."
    drift = "Drifted, so their runs count as fewer and the interval is wider"
    return (
        *failures({str(record.case): record for record in records}),
        *_of_some("Not in steady state when the warm-up's time was over", unsteady, len(timed)),
        *_of_some("Interval wider than asked for when the time was over", wide, len(timed)),
        *_of_some(drift, drifted, len(timed)),
        *([lower] if partial else []),
        *busy(records),
    )


def failures(records: Mapping[str, CaseMeasurement]) -> list[str]:
    """A note on each that has no times, by what it is called."""
    return [
        f"{name}: {record.status}. {record.reason or ''}".strip()
        for name, record in records.items()
        if record.status != "ok"
    ]


def _of_some(words: str, cases: Sequence[str], of: int) -> list[str]:
    """A note that holds for some cases: named, or counted where they are too many to be read."""
    which = "; ".join(cases) if len(cases) <= 3 else f"{len(cases)} of {of}"
    if len(cases) == of > 1:
        which = "all"
    return [f"{words}: {which}."] if cases else []


def busy(records: Sequence[CaseMeasurement]) -> tuple[str, ...]:
    """A note if other runnable threads competed for the CPU."""
    on_cpu = [(r.load, r.settings.threads) for r in records if r.device.kind == "cpu"]
    loads = [load for load, threads in on_cpu if load is not None and load > threads + 0.5]
    if not loads:
        return ()
    part = f"{len(loads)} of {len(records)}" if len(loads) < len(records) else "all"
    during = f"during {part} measurements (load {max(loads):g})"
    return (f"The machine was busy {during}: these times are too long.",)


def devices(records: Iterable[Measurement]) -> list[str]:
    """The devices of some measurements, each once, with CPU threads and torch."""
    return list(dict.fromkeys(map(_device, records)))


def _device(record: Measurement) -> str:
    device, threads = record.device, ""
    if device.kind == "cpu":
        threads = f" ({device.threads} thread{'s' if device.threads != 1 else ''})"
    return f"{device.name}{threads}, torch {record.software.torch}"


# --- one file against another --------------------------------------------------------------------

_PAIR = (
    *_CASE,
    Column("before", "Before", "seconds"),
    Column("before_half_width", "±", "percent", 3),
    Column("after", "After", "seconds"),
    Column("after_half_width", "±", "percent", 3),
    Column("speedup", "Speed-up", "ratio"),
    Column("verdict", "Verdict"),
)


def comparison(
    before: Iterable[Measurement], after: Iterable[Measurement], names: tuple[str, str]
) -> Table:
    """The cases that both files have, pairwise; a speed-up above 1 means that the second is faster.

    Of a case measured several times the last is compared. A difference counts where the medians'
    intervals do not overlap and it is more than LEAST_DIFFERENCE. Raises InspectError where the
    files have no case in common.
    """
    old, new = (
        {(one.case, one.network): one for one in select(side, Latency)} for side in (before, after)
    )
    matched = [(one, new[key]) for key, one in old.items() if key in new]
    if not matched:
        raise InspectError(f"{names[0]!r} and {names[1]!r} have no case in common")
    rows = [_pair(*pair) for pair in matched]
    hidden = [
        key
        for key in (column.key for column in _CASE)
        if key not in _ALWAYS and len({row[key] for row in rows}) == 1
    ]
    sides = [", ".join(devices(side)) for side in zip(*matched, strict=True)]
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
    ).hiding(*hidden)


def _pair(before: Latency, after: Latency) -> dict[str, Value]:
    old, new = before.summary, after.summary
    return {
        **asdict(before.case),
        "before": old and old.median,
        "before_half_width": old and old.half_width,
        "after": new and new.median,
        "after_half_width": new and new.half_width,
        "speedup": old.median / new.median if old and new else None,
        "verdict": _verdict(before, after),
    }


def _verdict(before: Latency, after: Latency) -> str:
    old, new = before.summary, after.summary
    if not old or not new:
        return f"{before.status} / {after.status}"
    if old.low is None or new.low is None or old.high is None or new.high is None:
        return "too few runs"
    interval = (new.low / old.high, new.high / old.low)  # around 1 where the two overlap
    return {-1: "faster", 0: "same", 1: "slower"}[differs(new.median / old.median, interval)]
