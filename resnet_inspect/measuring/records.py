"""Measurements as JSON Lines: one record a line, written as soon as it is there, never rewritten.

A record holds all that is needed to judge it: what was run, the raw times, the device with its
clocks and temperature before and after, versions and settings. Files of another schema are refused;
a last line that a kill cut short is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from resnet_inspect.counting.roofline import Roofline
from resnet_inspect.errors import FormatError
from resnet_inspect.files import cannot_write
from resnet_inspect.measuring.statistics import Summary, median, summary
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Shape, show_shape

SCHEMA = 1
"""The version of the records below. Raise it when a field changes its meaning."""

KINDS = ("latency", "layers", "ladder", "ceilings")
"""What a record is of: a case, the layers of a case, a step of the ladder, a device's ceilings."""

Fields = Mapping[str, Any]


class Case(NamedTuple):
    """What is run. input: (channels, height, width); step: 'inference' or 'training'.

    mode: eager, compile, cudagraph or compile+cudagraph. folded: batch norm is folded into the
    convolutions.
    """

    model: str
    input: Shape
    batch: int = 1
    dtype: str = "fp32"
    memory_format: str = "nchw"
    mode: str = "eager"
    step: str = "inference"
    folded: bool = False

    def shown(self) -> dict[str, str]:
        """Every field in words."""
        return {key: str(value) for key, value in self._asdict().items()} | {
            "input": show_shape(self.input)
        }

    def __str__(self) -> str:
        words = (
            self.model, f"batch {self.batch}", self.dtype, self.memory_format, self.mode,
            *(("training",) if self.step == "training" else ()),
            *(("folded",) if self.folded else ()),
        )  # fmt: skip
        return " ".join(words)


class Measurement:
    """One record. `fields` are the line's JSON; see `latency` for what a latency record holds."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Measurement) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.to_line())

    def __repr__(self) -> str:
        return f"Measurement({self.kind}, {self.label}, {self.status})"

    @property
    def kind(self) -> str:
        return str(self.fields["kind"])

    @property
    def status(self) -> str:
        """'ok', 'out of memory' or 'failed'."""
        return str(self.fields.get("status", "ok"))

    @property
    def label(self) -> str:
        return str(self.fields["device"]["name"] if self.kind == "ceilings" else self.case)

    @cached_property
    def case(self) -> Case:
        """What was run."""
        case = dict(self.fields["case"])
        return Case(**case | {"input": tuple(case["input"])})

    @cached_property
    def summary(self) -> Summary | None:
        """Percentiles and interval of the raw times; None where there are none."""
        times = self.fields.get("times")
        return summary(times, self.fields["rule"]["confidence"]) if times else None

    @property
    def flops(self) -> int:
        """2 x MACs of one run."""
        return 2 * int(self.fields["macs"])

    @property
    def key(self) -> tuple[Any, ...]:
        """What a sweep does not measure twice: a case on a device under one torch."""
        fields = self.fields
        return (
            self.kind, self.case, fields["network"], fields["device"]["name"],
            fields["settings"]["threads"], fields["software"]["torch"],
        )  # fmt: skip

    def to_line(self) -> str:
        # In ASCII, so that no kill can leave half a letter.
        return json.dumps(self.fields, separators=(",", ":")) + "\n"


def identity(graph: LayerGraph) -> str:
    """What tells networks of one name apart: a digest of their layers."""
    from hashlib import sha256

    return sha256(repr(graph.layers).encode()).hexdigest()[:12]


def record(kind: str, **fields: Any) -> Measurement:
    """A record of one of KINDS with the schema and the time (UTC) that it was made.

    It holds what a file would give back: lists for tuples.
    """
    from datetime import UTC, datetime

    made = datetime.now(UTC).isoformat(timespec="seconds")
    held = {"schema": SCHEMA, "kind": kind, "made": made, **fields}
    return Measurement(json.loads(json.dumps(held)))


def append(path: str | os.PathLike[str], measurement: Measurement) -> None:
    """Add a record to a file, on the disk when this returns; raises OutputError.

    What a kill left of a last line is cut off first; a whole one gets its end.
    """
    try:
        with open(path, "ab+") as file:
            _end_last_line(file)
            file.write(measurement.to_line().encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from None


def _end_last_line(file: Any) -> None:
    end = at = file.seek(0, os.SEEK_END)
    rest = b""
    while at and b"\n" not in rest:
        start = max(0, at - 65536)
        file.seek(start)
        rest = file.read(at - start) + rest
        at = start
    rest = rest.rpartition(b"\n")[2]
    if _whole(rest):
        file.write(b"\n")
    elif rest:
        file.truncate(end - len(rest))


def _whole(rest: bytes | str) -> bool:
    """Whether what stands behind the last end of a line is a line that lacks but its own."""
    try:
        return isinstance(json.loads(rest), dict)
    except ValueError:
        return False


def read(path: str | os.PathLike[str]) -> tuple[Measurement, ...]:
    """The records of a file, in the order in which they were made.

    Raises FormatError where it cannot be read, is no such file, or is of another schema.
    """
    name = os.fspath(path)
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{name!r} is no JSON Lines file of measurements: not UTF-8") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FormatError(f"cannot read {name!r}: {reason}") from None
    *lines, rest = text.split("\n")
    found = tuple(_parsed(line, f"{name}:{number}") for number, line in enumerate(lines, 1))
    # Behind the last end of a line is nothing, or what a kill left of a line of ours.
    if _whole(rest):
        return (*found, _parsed(rest, f"{name}:{len(lines) + 1}"))
    if not (rest.startswith(_OPENING) or _OPENING.startswith(rest)):
        raise FormatError(f"{name}:{len(lines) + 1} is no measurement: it has no 'schema'")
    return found


_OPENING = '{"schema":'
"""How every line begins."""


def existing(path: str | os.PathLike[str]) -> tuple[Measurement, ...]:
    """The records of a file to which more will be added: none where there is no file yet.

    Asked before anything is measured. Raises FormatError where the file is something else or of
    another schema, OutputError where it cannot be written.
    """
    place = Path(path)
    exists = place.exists()
    if exists and not place.is_file():
        raise FormatError(f"{os.fspath(path)!r} is no file that lines can be added to")
    found = read(path) if exists else ()
    try:
        with open(path, "ab"):
            pass
        if not exists:
            place.resolve().unlink()  # what a link points to, not the link
    except OSError as error:
        raise cannot_write(path, error) from None
    return found


_COMMON: dict[str, type] = {"kind": str, "made": str, "device": dict, "software": dict}


_OF_CASES: dict[str, type] = {
    "case": dict, "network": str, "macs": int, "settings": dict, "rule": dict, "status": str
}  # fmt: skip


_OF: dict[str, dict[str, type]] = {
    "latency": _OF_CASES,
    "ladder": {**_OF_CASES, "step": str, "run": str, "ratios": list, "verdict": str, "kept": bool},
    "layers": {**_OF_CASES, "layers": list},
    "ceilings": {"rates": dict, "fastest": dict, "copies": list, "launch": float},
}


def _parsed(line: str, where: str) -> Measurement:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise FormatError(f"{where} is no JSON: {error.msg.lower()}") from None
    if not isinstance(fields, dict) or "schema" not in fields:
        raise FormatError(f"{where} is no measurement: it has no 'schema'")
    if fields["schema"] != SCHEMA:
        raise FormatError(
            f"{where} is of schema {fields['schema']}, and this version reads schema {SCHEMA}; "
            "measure again into another file, or read it with the version that wrote it"
        )
    if fields.get("kind") not in KINDS:
        raise FormatError(
            f"{where} is of kind {fields.get('kind')!r}; known are {', '.join(KINDS)}"
        )
    for key, wanted in {**_COMMON, **_OF[fields["kind"]]}.items():
        if not isinstance(fields.get(key), wanted):
            raise FormatError(f"{where} has no {key!r} that is {_ARTICLES[wanted]}")
    made = Measurement(fields)
    try:
        _ = made.label, made.summary
        if made.kind != "ceilings":
            _ = made.key
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{where} is not a whole measurement: {error}") from None
    return made


_ARTICLES: dict[type, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false",
    dict: "an object", list: "a list"
}  # fmt: skip


def of_kind(measurements: Iterable[Measurement], kind: str) -> tuple[Measurement, ...]:
    """Those of one of KINDS."""
    return tuple(made for made in measurements if made.kind == kind)


def climbs(measurements: Iterable[Measurement]) -> list[list[Measurement]]:
    """The ladders among some measurements, each with its steps in order."""
    found: dict[str, list[Measurement]] = {}
    for made in of_kind(measurements, "ladder"):
        found.setdefault(made.fields["run"], []).append(made)
    return list(found.values())


def pairs(
    before: Iterable[Measurement], after: Iterable[Measurement]
) -> list[tuple[Measurement, Measurement]]:
    """The latencies of equal cases in two files; of a case measured several times, the last."""
    latest = {(made.case, made.fields["network"]): made for made in of_kind(after, "latency")}
    first = {(made.case, made.fields["network"]): made for made in of_kind(before, "latency")}
    return [(made, latest[key]) for key, made in first.items() if key in latest]


def measured(made: Measurement) -> Roofline:
    """The roofline in a record of kind 'layers', with the median seconds of each layer."""
    case, fields = made.case, made.fields
    rows = tuple(
        {
            **layer,
            "output_shape": tuple(layer["output_shape"]),
            "measured": median(layer["times"]),
        }
        for layer in fields["layers"]
    )
    found = fields["roofline"]
    return Roofline(
        case.model, case.input, case.batch, case.dtype, fields["device"]["name"], found["rate"],
        found["bandwidth"], found["cache_bandwidth"], found["floor"], found["fused_floor"], rows,
        whole=fields["whole"], of_whole=fields["of_whole"],
    )  # fmt: skip
