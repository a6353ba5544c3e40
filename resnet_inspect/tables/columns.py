"""Columns of a table, and how values of each kind are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from resnet_inspect.networks.ops import show_shape


def compact(count: int) -> str:
    """A count in three digits: 64, 9.41 K, 73.7 K, 1.18 M, 4.09 G."""
    if count < 1000:
        return str(count)
    size, unit = count / 1000, 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{size:.{digits}f} {_UNITS[unit]}"


_UNITS = "KMGT"

Value = str | int | float | bool | tuple[Any, ...] | None


Record = Mapping[str, Value]

KINDS = (
    "text", "prose", "count", "shape", "pair", "bytes", "share", "ratio", "number", "percent",
    "seconds", "rate",
)  # fmt: skip
"""What a column holds: words; words that may wrap; exact ints; CxHxW; height and width; bytes;
a share of the total (0 to 1, drawn as a bar where there is room); a ratio; a float; a share that is
no part of a total; seconds; operations or bytes in a second."""


class Column(NamedTuple):
    """key: its name in data; title: its heading; kind: one of KINDS.

    rank: how soon a narrow terminal drops it (0 never, higher sooner).
    """

    key: str
    title: str
    kind: str = "text"
    rank: int = 0

    @property
    def numeric(self) -> bool:
        return self.kind not in ("text", "prose", "shape", "share")


def show(value: Value, kind: str) -> str:
    """A value as people read it: 1,814,073,344; 64x112x112; 97.5 MiB; 12.3%."""
    if value is None:
        return "" if kind in ("text", "prose", "shape", "pair", "number") else "?"
    if isinstance(value, str):
        return value
    if kind == "count":
        return f"{value:,}"
    if kind == "bytes":
        return show_bytes(int(value))  # type: ignore[arg-type]
    if kind in ("share", "percent"):
        return f"{value:.1%}"
    if kind in ("ratio", "number"):
        return f"{value:,.2f}"
    if kind == "seconds":
        return show_seconds(float(value))  # type: ignore[arg-type]
    if kind == "rate":
        return show_rate(float(value))  # type: ignore[arg-type]
    if kind == "pair" and isinstance(value, tuple) and len(set(value)) == 1:
        return str(value[0])
    if isinstance(value, tuple):
        return show_shape(value)
    return str(value)


def show_bytes(count: int) -> str:
    """Bytes in binary units: 1,023 B, 97.5 MiB."""
    if abs(count) < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if abs(size) < 1023.95:  # so that rounding never shows 1024.0
            return f"{size:.1f} {unit}"
    return f"{size / 1024:,.1f} TiB"


_WHOLE = 0.99995
"""So that rounding to four figures never shows 1000."""


def show_seconds(seconds: float) -> str:
    """A time to four figures: 812.4 ns, 3.207 ms, 1.204 s."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(seconds) >= size * _WHOLE:
            return f"{_figures(seconds / size)} {unit}"
    return f"{_figures(seconds / 1e-9)} ns" if seconds else "0 s"


def show_rate(each_second: float) -> str:
    """Operations or bytes in a second, in units of 1000: 153.2 G, 1.79 T."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if abs(each_second) >= size * _WHOLE:
            return f"{_figures(each_second / size)} {unit}"
    return f"{each_second:,.0f}"


def _figures(value: float) -> str:
    """Four significant figures for numbers from 1 to 1000."""
    return f"{value:.{max(0, 3 - len(str(int(abs(value)))) + 1)}f}"
