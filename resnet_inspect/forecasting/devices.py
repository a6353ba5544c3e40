"""Devices as their makers describe them: what they compute, move and hold at best.

The figures are in devices.toml with their sources. Peaks are dense, without sparsity.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from resnet_inspect.errors import FormatError, InspectError, shown, unknown
from resnet_inspect.files import read_toml


@dataclass(frozen=True)
class Device:
    """A device's datasheet.

    name: ours, lower case with hyphens; title: its maker's. peaks: FLOP/s (2 for each
    multiply-accumulate) by arithmetic; fp16 accumulates in fp32, 'fp16-fp16' in fp16. bandwidth:
    bytes/s of its memory. memory: bytes that a process can have, 0 where the machine decides; sold:
    GB as its maker counts them; reported: where `memory` is from. cache: bytes of L2 (of a CPU L3).
    power: watts (TDP). units: multiprocessors or cores; clock: Hz, of the peaks. source: where that
    was published. own: tables of `fitted` that one's own measurements gave, by way.
    """

    name: str
    title: str
    kind: str
    architecture: str
    launched: int
    units: int
    clock: float
    peaks: Mapping[str, float] = field(hash=False)
    bandwidth: float
    memory: int
    cache: int
    power: float
    source: str
    sold: float = 0.0
    reported: str = ""
    aliases: tuple[str, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def peak(self, dtype: str) -> float:
        """FLOP/s in a dtype.

        fp32 is with tf32 where nothing else is asked for; bf16 on a device without it is an error
        that says what the device has.
        """
        if dtype not in self.peaks:
            raise InspectError(
                f"{self.name} has no units for {dtype}; choose from {', '.join(self.peaks)}"
            )
        return self.peaks[dtype]

    def usual_dtype(self, train: bool = False) -> str:
        """fp16 where it has units for it, in training by autocast; else fp32."""
        if "fp16" not in self.peaks:
            return "fp32"
        return "amp-fp16" if train else "fp16"


_SCALE = {"clock": 1e6, "bandwidth": 1e9}
"""Units of devices.toml that are not SI: MHz, GB/s."""


def device_of(name: str, table: Mapping[str, Any], sources: Mapping[str, str] = {}) -> Device:
    """The device that a table of TOML describes; raises FormatError for what it lacks."""
    wanted = {"architecture", "launched", "units", "clock", "peak", "bandwidth", "cache", "power"}
    known = wanted | {"name", "aliases", "kind", "memory", "usable", "reported", "source", "fitted"}
    if odd := sorted(set(table) - known):
        raise unknown(f"field of device {name}", odd[0], sorted(known))
    if missing := sorted({"peak", "bandwidth"} - set(table)):
        raise FormatError(f"device {name} has no {missing[0]}; give peak (TFLOP/s) and bandwidth")
    plain = known - {"name", "aliases", "peak", "fitted"}
    values: dict[str, Any] = {"launched": 0, "units": 0, "clock": 0, "cache": 0, "power": 0}
    values |= {key: value for key, value in table.items() if key in plain}
    peaks = {dtype: 1e12 * rate for dtype, rate in _numbers(name, table["peak"], LEAST).items()}
    measures = set(values) - {"kind", "architecture", "source", "reported"}
    _numbers(name, {key: values[key] for key in measures})
    _numbers(name, {"bandwidth": values["bandwidth"]}, LEAST)
    return Device(
        name=name,
        title=str(table.get("name", name)),
        kind=str(values.get("kind", "cuda")),
        architecture=str(values.get("architecture", name)),
        launched=int(values["launched"]),
        units=int(values["units"]),
        peaks=MappingProxyType(peaks),
        memory=int(values.get("usable", values.get("memory", 0)) * 2**30),
        cache=int(values["cache"] * 2**20),
        power=float(values["power"]),
        source=sources.get(values.get("source", ""), str(values.get("source", ""))),
        sold=float(values.get("memory", 0)),
        reported=str(values.get("reported", "")),
        aliases=tuple(map(str, table.get("aliases", ()))),
        own=table.get("fitted", {}),
        **{key: float(values[key] * scale) for key, scale in _SCALE.items()},
    )


LEAST = 1e-6
"""TFLOP/s and GB/s of any device."""


def _numbers(name: str, values: Any, least: float = 0) -> Mapping[str, float]:
    """The values, checked to be numbers of a size that a device can have."""
    if not isinstance(values, Mapping):
        raise FormatError(f"device {name}: peak is {values!r}; give a table: {{ fp16 = 100 }}")
    for key, value in values.items():
        whole = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not whole or not least <= value < 1e9:
            raise FormatError(f"device {name}: {key} is {shown(value)}; give a number such as 100")
    return values


@cache
def packaged(name: str) -> Mapping[str, Any]:
    """The tables of a TOML file that comes with this wing."""
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


@cache
def devices() -> Mapping[str, Device]:
    """All devices that come with the package, by name."""
    tables = dict(packaged("devices.toml"))
    sources = tables.pop("sources")
    return MappingProxyType(
        {name: device_of(name, table, sources) for name, table in tables.items()}
    )


_NOISE = re.compile(
    r"nvidia|geforce|tesla|intel|amd|core|processor|tm\b|\(r\)|\(tm\)|graphics|edition|blackwell"
    r"|generation|\d+-core|cpu|@.*|[^a-z0-9]"
)
"""What vendors add to a device's name."""


def _folded(name: str) -> str:
    return _NOISE.sub("", name.lower())


@cache
def _spellings() -> Mapping[str, str]:
    """Names by what is left of each spelling of theirs."""
    spelled: dict[str, str] = {}
    for device in devices().values():
        for name in (device.name, device.title, *device.aliases):
            spelled.setdefault(_folded(name), device.name)
    return spelled


def find(name: str | os.PathLike[str] | Device) -> Device:
    """The device of a name, in any vendor's or torch's spelling, or of a TOML file.

    Raises UnknownNameError with the nearest names, and FormatError for a file that describes none.
    """
    if isinstance(name, Device):
        return name
    text = os.fspath(name)
    if text.lower().endswith(".toml"):
        return read_device(text)
    known = devices()
    spelled = _spellings().get(_folded(text))
    if spelled is None:
        raise unknown("device", text, known, "'resnet-inspect devices' lists them")
    return known[spelled]


def read_device(path: str) -> Device:
    """The device in a TOML file, written as devices.toml has them; raises FormatError."""
    _, table = read_toml(path, "name a device ('devices' lists them) or a TOML file")
    nested = [(key, value) for key, value in table.items() if isinstance(value, dict)]
    if "peak" in table:
        return device_of(Path(path).stem, table)
    if len(nested) != 1:
        raise FormatError(
            f"{path} describes {len(nested)} devices; give one: peak = {{ fp16 = 100 }}, "
            "bandwidth = 1000, units = 80, memory = 24"
        )
    return device_of(*nested[0])
