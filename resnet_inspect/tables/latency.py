"""Latencies -> Tables: one file's, and one file against another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import asdict

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import (
    Case,
    CaseMeasurement,
    Latency,
    Measurement,
    pairs,
    select,
)
from resnet_inspect.measuring.statistics import LEAST_DIFFERENCE, differs
from resnet_inspect.networks.ops import show_shape
from resnet_inspect.tables.columns import Column, Value
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
    Column("low", "Low", "seconds", 9),
    Column("high", "High", "seconds", 9),
    Column("p10", "p10", "seconds", 5),
    Column("p90", "p90", "seconds", 3),
    Column("p99", "p99", "seconds", 1),
    Column("runs", "Runs", "count", 7),
    Column("independent", "Independent", "count", 9),
    Column("steady", "Steady", rank=9),
    Column("converged", "Converged", rank=9),
    Column("first", "First run", "seconds", 9),
    Column("images_per_second", "Images/s", "number"),
    Column("flops_per_second", "FLOP/s", "rate", 1),
    Column("of_ceiling", "of peak", "percent", 2),
    Column("peak_memory", "Memory", "bytes", 6),
    Column("joules", "J/image", "number", 6),
    Column("macs", "MACs", "count", 9),
    Column("uncounted", "Uncounted", "count", 9),
    Column("params", "Parameters", "count", 9),
    Column("device", "Device", rank=9),
    Column("threads", "Threads", "count", 9),
    Column("torch", "torch", rank=9),
    Column("made", "Made", rank=9),
)

_ALWAYS = ("model", "batch")

_IN_TITLE = ("input", "dtype", "memory_format", "mode", "step")
"""Shown in the title if they are the same for all rows, and in a column if not."""

_WHERE = ("device", "threads", "torch")
"""In the title in any case, and in a column if they are not the same for all rows."""

_FIGURES = (
    "median",
    "half_width",
    "p10",
    "p90",
    "p99",
    "runs",
    "images_per_second",
    "flops_per_second",
    "of_ceiling",
    "peak_memory",
    "joules",
)

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
    hidden = {*same, *empty}
    shared = [_in_words(records[0].case, key) for key in _IN_TITLE if key in same]
    return Table(
        title=", ".join(["Latency", *devices(records), *shared]),
        columns=_LATENCY,
        rows=tuple(rows),
        meta={"devices": devices(records), "convention": CONVENTION},
        notes=(*_notes(records), f"{CONVENTION}; percentiles of the device's own clock."),
        group="model" if len({row["model"] for row in rows}) > 1 else None,
        shown=tuple(key for key in (*_ALWAYS, *_IN_TITLE, *_WHERE, *_FIGURES) if key not in hidden),
    )


def _in_words(case: Case, key: str) -> str:
    return show_shape(case.input) if key == "input" else str(getattr(case, key))


def _by_network(records: Sequence[Latency]) -> list[Latency]:
    places: dict[str, int] = {}
    for record in records:
        places.setdefault(record.case.model, len(places))
    return sorted(records, key=lambda record: places[record.case.model])


def figures(record: CaseMeasurement) -> dict[str, Value]:
    """What the times say, by column; None for all of it where there are no times."""
    times = record.summary
    values: dict[str, Value] = {key: getattr(times, key) if times else None for key in _SUMMARY}
    speed = record.flops / times.median if times else None
    return values | {
        "images_per_second": record.case.batch / times.median if times else None,
        "flops_per_second": speed,
        "of_ceiling": speed / record.ceiling if speed and record.ceiling else None,
    }


def _row(record: Latency) -> dict[str, Value]:
    sample = record.sample
    return {
        **asdict(record.case),
        "status": record.status,
        "reason": record.reason,
        **figures(record),
        "steady": sample.steady if sample else None,
        "converged": sample.converged if sample else None,
        "first": sample.first if sample else None,
        "peak_memory": record.peak_memory,
        "joules": record.joules,
        "macs": record.macs,
        "uncounted": record.uncounted,
        "params": record.params,
        "device": record.device.name,
        "threads": record.settings.threads,
        "torch": record.software.torch,
        "made": record.made,
    }


# --- notes ---------------------------------------------------------------------------------------


def _notes(records: Sequence[Latency]) -> tuple[str, ...]:
    timed = [record for record in records if record.sample is not None]
    partial = dict.fromkeys(record.case.model for record in records if record.uncounted)
    return (
        *failures({str(record.case): record for record in records}),
        *_of_some(
            "Not in steady state when the warm-up's time was over",
            [record for record in timed if record.sample and not record.sample.steady],
            len(timed),
        ),
        *_of_some(
            "Interval wider than asked for when the time was over",
            [record for record in timed if record.sample and not record.sample.converged],
            len(timed),
        ),
        *_of_some(
            "Drifted, so their runs count as fewer and the interval is wider",
            [one for one in timed if one.summary and one.summary.independent < one.summary.runs],
            len(timed),
        ),
        *(
            [f"FLOP/s are at least these for {', '.join(partial)}: not all is counted."]
            if partial
            else []
        ),
        *busy(records),
    )


def failures(records: Mapping[str, CaseMeasurement]) -> list[str]:
    """A note on each that has no times, by what it is called."""
    return [
        f"{name}: {record.status}. {record.reason or ''}".strip()
        for name, record in records.items()
        if record.status != "ok"
    ]


def _of_some(words: str, records: Sequence[Latency], of: int) -> list[str]:
    """A note that holds for some cases: named, or counted where they are too many to be read."""
    names = [str(record.case) for record in records]
    if not names:
        return []
    if len(names) > 1 and len(names) == of:
        which = "all"
    else:
        which = "; ".join(names) if len(names) <= 3 else f"{len(names)} of {of}"
    return [f"{words}: {which}."]


def busy(records: Sequence[CaseMeasurement]) -> tuple[str, ...]:
    """A note if other runnable threads competed for the CPU."""
    loads = [
        record.load
        for record in records
        if record.device.kind == "cpu"
        and record.load is not None
        and record.load > record.settings.threads + 0.5
    ]
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

    A difference counts where the medians' intervals do not overlap and it is more than
    LEAST_DIFFERENCE. Raises InspectError where the files have no case in common.
    """
    matched = pairs(before, after)
    if not matched:
        raise InspectError(f"{names[0]!r} and {names[1]!r} have no case in common")
    rows = [_pair(*pair) for pair in matched]
    same = [column.key for column in _CASE if column.key not in _ALWAYS]
    hidden = {key for key in same if len({row[key] for row in rows}) == 1}
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
        shown=tuple(column.key for column in _PAIR if column.key not in hidden),
    )


def _pair(before: Latency, after: Latency) -> dict[str, Value]:
    old, new = before.summary, after.summary
    return {
        **asdict(before.case),
        "before": old.median if old else None,
        "before_half_width": old.half_width if old else None,
        "after": new.median if new else None,
        "after_half_width": new.half_width if new else None,
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
