"""A device of one's own: from what `device` measured, and calibrated by what `bench` measured."""

from __future__ import annotations

import csv
import io
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.files import read_bytes
from resnet_inspect.forecasting.calibration import Prior, Sample, fit, misfit
from resnet_inspect.forecasting.devices import Device, find
from resnet_inspect.forecasting.efficiency import Efficiency, Way
from resnet_inspect.forecasting.fitted import OWN, Fitted, own_key, prior
from resnet_inspect.forecasting.forecast import check_way
from resnet_inspect.measuring.ceilings import load_ceilings
from resnet_inspect.measuring.records import LARGEST, DeviceCeilings, Latency, read, select
from resnet_inspect.networks.graph import LayerGraph

HERE = "here"
"""The name of the device that `device` measured last on this machine."""

LEAST = 5
"""Rows that a way of running needs before it is calibrated."""

SPREAD = Efficiency(*[0.35] * len(Efficiency._fields))
"""How far a device may be from what fits those that were measured (log deviation)."""

CONTRADICTION = 1.3
"""Two rows of the same network, input and batch that differ by more contradict each other."""


class Row(NamedTuple):
    """A measured row: the network, its image's side, the batch, how it ran, and its seconds."""

    model: str
    side: int
    batch: int
    way: Way
    precision: str
    seconds: float


class Calibration(NamedTuple):
    """What some rows of one way say: what fits them, and how far off each was when left out."""

    key: str
    fitted: Fitted
    rows: tuple[Row, ...]
    errors: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median absolute error of rows that were left out."""
        return sorted(map(abs, self.errors))[len(self.errors) // 2]

    @property
    def worst(self) -> float:
        """The largest absolute error of a row that was left out."""
        return max(map(abs, self.errors))


def device_named(name: str | os.PathLike[str] | Device) -> Device:
    """A device by name, of a TOML file, of a record of `device`, or 'here'; raises InspectError."""
    if isinstance(name, Device):
        return name
    text = os.fspath(name)
    if text == HERE or text.lower().endswith(".jsonl"):
        return measured_device(load_ceilings(None if text == HERE else text))
    return find(text)


def measured_device(ceilings: DeviceCeilings) -> Device:
    """A device by what `device` measured of it instead of its datasheet."""
    at_best, device = ceilings.ceilings, ceilings.device
    return Device(
        name=device.name,
        title=device.name,
        kind=device.kind,
        architecture="measured",
        launched=0,
        units=device.multiprocessors or device.threads or device.cores or 1,
        clock=0.0,
        peaks=MappingProxyType(dict(at_best.rates)),
        bandwidth=at_best.bandwidth,
        memory=device.memory or 0,
        cache=device.cache or 0,
        power=0.0,
        source=f"measured {ceilings.made}",
    )


_CACHES = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0, 64.0)
"""Multiples of the cache between which a datasheet's ceiling counts as even."""


def datasheet_ceilings(device: Device) -> Ceilings:
    """What a datasheet says that a device does at best.

    Nobody says how fast its cache is, so what it may hold counts as free, also of what does not fit
    as a whole: the floor stays a floor.
    """
    copies = [(1, device.bandwidth)]
    if device.cache:
        copies = [(int(64 * device.cache) + 1, device.bandwidth)]
        for below, size in zip((1.0, *_CACHES), _CACHES, strict=False):
            rate = device.bandwidth * below / (below - 1) if below > 1 else math.inf
            copies.append((int(size * device.cache), rate))
    return Ceilings(device.name, device.kind, device.peaks, tuple(sorted(copies)), 0.0)


ITS_KIND = ""
"""The kind in a way of running on the device that rows calibrate."""


def rows_of(path: str, way: Way, precision: str) -> list[Row]:
    """The rows of a record of `bench`, or of a CSV of model, img_size, batch, img_per_s.

    way, precision: how the rows of a CSV ran, which says it for none of them. Raises FormatError.
    """
    if not path.lower().endswith(".csv"):
        measured = [one for one in select(read(path), Latency) if one.summary]
        return [_recorded(one) for one in measured if not one.case.folded]
    try:
        text = read_bytes(path, LARGEST).decode("utf-8-sig")
        table = csv.DictReader(io.StringIO(text))
        wanted = ("model", "img_size", "batch", "img_per_s")
        if missing := [name for name in wanted if name not in (table.fieldnames or ())]:
            raise FormatError(f"{path} has no column {missing[0]}; give {', '.join(wanted)}")
        return [_read(path, table.line_num, row, way, precision) for row in table]
    except UnicodeDecodeError:
        raise FormatError(f"cannot read {path}: it is no text in UTF-8") from None
    except csv.Error as error:
        raise FormatError(f"{path} is no CSV: {error}") from None


def _read(path: str, line: int, row: Mapping[str, str], way: Way, precision: str) -> Row:
    model = (row["model"] or "").partition(".")[0]
    try:
        side, batch, rate = int(row["img_size"]), int(row["batch"]), float(row["img_per_s"])
    except (TypeError, ValueError):
        raise FormatError(
            f"{path}, line {line}: give whole img_size and batch, and a rate"
        ) from None
    if not (0 < side < 1e5 and 0 < batch < 1e7 and 1e-9 < rate < 1e9):
        raise FormatError(f"{path}, line {line}: sizes and rates are positive and finite")
    return Row(model, side, batch, way, precision, batch / rate)


def _recorded(measurement: Latency) -> Row:
    case, summary = measurement.case, measurement.summary
    assert summary is not None
    train = case.step == "training"
    layout = "nhwc" if case.memory_format in ("nhwc", "channels_last") else "nchw"
    mode = "compile" if "compile" in case.mode else "eager"
    half = train and case.dtype in ("fp16", "bf16")
    return Row(
        case.model,
        case.input[-1],
        case.batch,
        Way(mode, layout, train, measurement.device.kind),
        f"amp-{case.dtype}" if half else case.dtype,
        summary.median,
    )


def calibrate(
    rows: Sequence[Row], device: Device, graph_of: Callable[[str, int], LayerGraph]
) -> tuple[Calibration, ...]:
    """What the rows say of the device, for each way of running; graph_of: model and side.

    Raises InspectError where rows are too few or contradict each other.
    """
    groups: dict[tuple[Way, str], list[Row]] = defaultdict(list)
    for row in rows:
        way = row.way._replace(kind=row.way.kind or device.kind)
        check_way(row.precision, way.mode, way.layout)
        groups[way, row.precision].append(row)
    made = [
        _calibration(way, precision, members, device, graph_of)
        for (way, precision), members in groups.items()
        if len(members) >= LEAST
    ]
    if not made:
        most = max(map(len, groups.values()), default=0)
        raise InspectError(
            f"{most} rows of one way of running are too few; give {LEAST} or more, best ten of "
            "several kinds of network"
        )
    return tuple(made)


def _calibration(
    way: Way,
    precision: str,
    rows: Sequence[Row],
    device: Device,
    graph_of: Callable[[str, int], LayerGraph],
) -> Calibration:
    _check(rows)
    samples = [
        Sample.of(graph_of(row.model, row.side), way, precision, row.batch, device, row.seconds)
        for row in rows
    ]
    before = Prior(prior(way, precision), SPREAD)
    errors = [
        math.expm1(misfit(left, fit([other for other in samples if other is not left], before)))
        for left in samples
    ]
    ratios = sorted(1 / (1 + error) for error in errors)
    known = Fitted(fit(samples, before), OWN, f"{len(rows)} rows", ratios[0], ratios[-1])
    return Calibration(own_key(way, precision), known, tuple(rows), tuple(errors))


def _check(rows: Iterable[Row]) -> None:
    """Raise InspectError where two rows of the same network contradict each other."""
    seen: dict[tuple[str, int, int], float] = {}
    for row in rows:
        key = row.model, row.side, row.batch
        before = seen.setdefault(key, row.seconds)
        if max(before, row.seconds) > CONTRADICTION * min(before, row.seconds):
            raise InspectError(
                f"rows of {row.model} at {row.side}, batch {row.batch} contradict each other: "
                f"{row.batch / before:,.0f} and {row.batch / row.seconds:,.0f} images/s"
            )


def calibrated_device(device: Device, calibrations: Iterable[Calibration]) -> Device:
    """The device, with what was found of it."""
    own = {each.key: each.fitted for each in calibrations}
    return replace(device, own=MappingProxyType({**device.own, **own}))


def to_toml(device: Device) -> str:
    """The device as a TOML file that `--device` takes."""
    lines = [
        *(f"name = {_quoted(device.title)}", f"kind = {_quoted(device.kind)}"),
        f"architecture = {_quoted(device.architecture)}",
        *(f"launched = {device.launched}", f"units = {device.units}"),
        *(f"clock = {device.clock / 1e6:g}", f"bandwidth = {device.bandwidth / 1e9:.6g}"),
        *(f"memory = {device.memory / 2**30:.6g}", f"cache = {device.cache / 2**20:g}"),
        *(f"power = {device.power:g}", f"source = {_quoted(device.source)}"),
        "",
        "[peak]  # TFLOP/s",
        *(f"{dtype} = {rate / 1e12:.6g}" for dtype, rate in device.peaks.items()),
    ]
    for key, known in device.own.items():
        lines += ["", f"[fitted.{key}]", f"by = {_quoted(known.by)}"]
        lines += [f"low = {known.low:.4g}", f"high = {known.high:.4g}"]
        lines += [f"{name} = {value:.4g}" for name, value in known.efficiency._asdict().items()]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """A string of TOML, without characters that control anything."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
