"""Measurements as JSON Lines: one record a line, written as soon as it is there, never rewritten.

A record holds all that is needed to judge it: what was run, the raw times, the device and its
condition, versions and settings. Files of another schema are refused; a last line that was cut
short, when the process was killed, is ignored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import IO, Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict

from resnet_inspect.counting.roofline import Ceilings, Roofline, Row
from resnet_inspect.errors import FormatError
from resnet_inspect.files import cannot_write, check_writable, read_bytes
from resnet_inspect.measuring.learning import Epoch
from resnet_inspect.measuring.measurement import SCHEMA as SCHEMA
from resnet_inspect.measuring.measurement import Amount, Count, Rate, Size
from resnet_inspect.measuring.measurement import Measurement as Measurement
from resnet_inspect.measuring.measurement import timestamp as timestamp
from resnet_inspect.measuring.sampling import Sample, Seconds, StoppingRule, Times
from resnet_inspect.measuring.statistics import Summary, summary
from resnet_inspect.networks.op_data import op_from
from resnet_inspect.networks.ops import Op

Status = Literal["ok", "out of memory", "failed"]


class Case(Struct, frozen=True):
    """What is run. input: (channels, height, width); step: 'inference' or 'training'.

    mode: eager, compile, cudagraph or compile+cudagraph. folded: batch norm into convolutions.
    """

    model: str
    input: tuple[Size, ...]
    batch: Size = 1
    dtype: str = "fp32"
    memory_format: str = "nchw"
    mode: str = "eager"
    step: str = "inference"
    folded: bool = False

    def __str__(self) -> str:
        words = [self.model, f"batch {self.batch}", self.dtype, self.memory_format, self.mode]
        words += ["training"] if self.step == "training" else []
        words += ["folded"] if self.folded else []
        return " ".join(words)


class CaseMeasurement(Measurement, frozen=True, kw_only=True, dict=True):
    """A case that was run.

    network: the graph's fingerprint. macs: of the whole batch; uncounted: layers without a known
    cost. ceiling: FLOP/s at best in this dtype, if known. sample: None where status is not ok.
    """

    rule: StoppingRule
    case: Case
    network: str
    macs: Count
    uncounted: Count
    params: Count
    status: Status
    reason: str | None
    ceiling: Amount | None
    sample: Sample | None

    @cached_property
    def summary(self) -> Summary | None:
        """Percentiles and interval of the times; None without a sample."""
        return summary(self.sample.times, self.rule.confidence) if self.sample else None

    @property
    def flops(self) -> int:
        """2 x MACs of one run."""
        return 2 * self.macs

    @property
    def load(self) -> float | None:
        """Runnable threads, the fewer of before and after: compiling leaves its own behind."""
        return min(
            (at.load for at in (self.before, self.after) if at.load is not None), default=None
        )


class Latency(CaseMeasurement, frozen=True, kw_only=True, tag="latency"):
    """The time of a case. peak_memory: bytes; joules: of each image, on a GPU."""

    peak_memory: Count | None = None
    joules: Amount | None = None


class LadderStep(CaseMeasurement, frozen=True, kw_only=True, tag="ladder"):
    """One step of a ladder; all steps of one ladder have the same run.

    left_out: why the device cannot try other steps, by their names. ratios: this step's time to
    that of the best step before, interleaved. error: 2-norm of the outputs' difference to those of
    fp32 eager, relative. gain: against the best step before; speedup: against the first.
    """

    run: str
    step: str
    left_out: dict[str, str]
    ratios: tuple[Amount, ...]
    error: Amount | None
    tolerance: Amount
    gain: Amount | None
    speedup: Amount | None
    verdict: str
    kept: bool


class LayerTimes(Struct, frozen=True, dict=True):
    """One layer under the roofline: its op, its counts, its least seconds and its times."""

    name: str
    stage: str
    block: str
    op: dict[str, Any]
    output_shape: tuple[Size, ...]
    macs: Count
    flops: Count
    bytes: Count
    uncounted: Count
    bound: Literal["compute", "memory", ""]
    least: Amount
    times: Times

    def __post_init__(self) -> None:
        """Refuse a record whose op is none, or has settings of other types, when it is read."""
        kind = type(self.layer_op)
        msgspec.convert({key: value for key, value in self.op.items() if key != "op"}, kind)

    @cached_property
    def layer_op(self) -> Op:
        return op_from(self.op)

    def row(self) -> Row:
        """The layer as a row of a roofline, with its median seconds."""
        known = {key: getattr(self, key) for key in Row._fields if key not in ("ops", "measured")}
        return Row(**known, ops=(self.layer_op,), measured=median(self.times))


class Layers(CaseMeasurement, frozen=True, kw_only=True, tag="layers"):
    """The times of every layer, none where the case failed; the rest as counting's Roofline."""

    whole: Seconds | None
    of_whole: Amount | None
    layers: tuple[LayerTimes, ...]
    rate: Rate
    bandwidth: Rate
    cache_bandwidth: Rate
    floor: Amount
    fused_floor: Amount

    def __post_init__(self) -> None:
        if (self.whole is None) != (self.of_whole is None):
            raise FormatError("'whole' and 'of_whole' go together")

    @property
    def roofline(self) -> Roofline:
        """The roofline with the median seconds of each layer."""
        known = {**asdict(self.case), **asdict(self)}
        known |= {"device": self.device.name, "rows": tuple(layer.row() for layer in self.layers)}
        return Roofline(**{key: known[key] for key in Roofline._fields if key in known})


class Product(Struct, frozen=True, tag_field="is", tag="matrix product"):
    """A product of square matrices."""

    side: Size

    def __str__(self) -> str:
        return f"matrix product {self.side} x {self.side} x {self.side}"

    @property
    def flops(self) -> int:
        return 2 * int(self.side**3)


class Convolution(Struct, frozen=True, tag_field="is", tag="3x3 convolution"):
    """A padded 3x3 convolution with as many channels out as in. size: height and width."""

    channels: Size
    size: Size
    batch: Size
    memory_format: str = "nchw"

    def __str__(self) -> str:
        shape = f"{self.channels}x{self.size}x{self.size}"
        return f"3x3 convolution {shape}, batch {self.batch}, {self.memory_format}"

    @property
    def flops(self) -> int:
        """As if every output took the whole kernel, which padding cuts short at the edges."""
        return 2 * int(9 * self.channels**2 * self.size**2) * self.batch


class DeviceCeilings(Measurement, frozen=True, kw_only=True, tag="ceilings"):
    """What a device does at best: see counting.roofline.Ceilings. fastest: what gave each rate."""

    rule: StoppingRule
    rates: dict[str, Rate]
    fastest: dict[str, Product | Convolution]
    copies: Annotated[tuple[tuple[Size, Rate], ...], Meta(min_length=1)]
    launch: Seconds

    def __post_init__(self) -> None:
        if missing := self.rates.keys() - self.fastest.keys():
            raise FormatError(f"'fastest' lacks {min(missing)!r} of 'rates'")

    @property
    def ceilings(self) -> Ceilings:
        return Ceilings(self.device.name, self.device.kind, self.rates, self.copies, self.launch)


Kind = TypeVar("Kind", bound=Measurement)


def select(measurements: Iterable[Measurement], kind: type[Kind]) -> list[Kind]:
    """Those of one type."""
    return [one for one in measurements if isinstance(one, kind)]


def ladders(measurements: Iterable[Measurement]) -> list[list[LadderStep]]:
    """The ladders among some measurements, each with its steps in order."""
    runs: dict[str, list[LadderStep]] = {}
    for step in select(measurements, LadderStep):
        runs.setdefault(step.run, []).append(step)
    return list(runs.values())


class _Head(Struct):
    schema: Any = None


_decode_head = msgspec.json.Decoder(_Head).decode
_Record = Latency | LadderStep | Layers | DeviceCeilings | Epoch
_decode: Callable[[bytes], Measurement] = msgspec.json.Decoder(_Record).decode


def to_line(measurement: Measurement) -> bytes:
    """A record as its line in a file, newline included."""
    return msgspec.json.encode(measurement) + b"\n"


def append(path: str | os.PathLike[str], measurement: Measurement) -> None:
    """Add a record to a file, on the disk when this returns; raises OutputError.

    Several processes may add to one file at the same time.
    """
    try:
        with open(path, "ab+") as file:
            _lock(file)  # until it is closed
            _end_last_line(file)
            file.write(to_line(measurement))
            file.flush()
            os.fsync(file.fileno())
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from None


def _lock(file: IO[bytes]) -> None:
    """Wait until no other process adds to the file, where the system can tell."""
    with suppress(ImportError, OSError):  # Windows; a file system without locks
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _end_last_line(file: IO[bytes]) -> None:
    """Cut off a record that was cut short; end a whole one that lacks its newline."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 1))
    if file.read(1) in (b"", b"\n"):
        return
    file.seek(0)
    last = file.read().rpartition(b"\n")[2]
    if _cut_short(last):
        file.truncate(end - len(last))
    else:
        file.write(b"\n")


def _cut_short(line: bytes) -> bool:
    """Whether the text after the last newline is the beginning of a record."""
    try:
        _decode_head(line)
    except (msgspec.DecodeError, RecursionError):
        return line.startswith(b"{")
    return False


LARGEST = 1 << 30
"""Bytes of a file of records; one of a thousand runs takes some twenty thousand."""


def read(path: str | os.PathLike[str]) -> tuple[Measurement, ...]:
    """The records of a file, in order; raises FormatError with the line and the field."""
    name = os.fspath(path)
    *lines, last = read_bytes(path, LARGEST).split(b"\n")
    if last and not _cut_short(last):
        lines.append(last)
    return tuple(_parsed(line, f"{name}:{number}") for number, line in enumerate(lines, 1))


def _parsed(line: bytes, where: str) -> Measurement:
    try:
        schema = _decode_head(line).schema
        if schema is None:
            raise FormatError(f"{where} is not a measurement: 'schema' is missing")
        if schema != SCHEMA:
            raise FormatError(
                f"{where} is of schema {schema}, and this version reads schema {SCHEMA}; "
                "measure again into another file, or read it with the version that wrote it"
            )
        return _decode(line)
    except msgspec.ValidationError as error:
        what, _, at = str(error).replace("`", "").partition(" - at $.")
        problem = f"{at}: {what.lower()}" if at else what.lower()
        raise FormatError(f"{where} is not a measurement: {problem}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FormatError(f"{where} is not valid JSON") from None


def check_record(path: str | os.PathLike[str]) -> Sequence[Measurement]:
    """The records of a file to which more will be added: none if there is no file yet.

    Nothing is made or removed, as another process may begin the same file. Raises FormatError if it
    is something else or of another schema, OutputError if it cannot be written.
    """
    place = Path(path)
    try:
        if not place.exists():
            check_writable(path)
            return ()
        if not place.is_file():
            raise FormatError(f"{os.fspath(path)!r} is not a regular file")
        open(path, "ab").close()
    except OSError as error:
        raise cannot_write(path, error) from None
    return read(path)
