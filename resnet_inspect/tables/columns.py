"""Columns of a table, how values of each kind are shown, and ratios to the first row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from resnet_inspect.networks.shapes import show_shape

Value = str | int | float | bool | tuple[Any, ...] | None

Record = Mapping[str, Value]

Words = Literal["text", "prose", "formula", "stack"]
"""Words; prose may wrap; in a terminal a formula stands above the next column's prose; a stack is
lines one above another, some in brackets (`stacked`)."""

Numbers = Literal["count", "bytes", "ratio", "number", "figures", "percent", "seconds", "rate"]
"""An exact int; bytes; floats: a ratio, any number, one of any size in four figures, a share of no
total, a time, a rate."""

Kind = Words | Numbers | Literal["shape", "pair", "share"]
"""What a column may hold. shape: channels x height x width; pair: height and width, or one number
where they are equal; share: a part of the total, 0 to 1, with a bar where there is room."""


class Column(NamedTuple):
    """key: its name in data; title: its heading.

    rank: how soon it is left out where there is little room: 0 never, higher sooner; below 0 only
    where all would not fit even with words shortened.
    """

    key: str
    title: str
    kind: Kind = "text"
    rank: int = 0

    @property
    def numeric(self) -> bool:
        return self.kind not in (*get_args(Words), "shape", "share")


def columns(kind: Kind, rank: int = 0, /, **titles: str) -> tuple[Column, ...]:
    """Columns of one kind and rank, by key: columns("count", params="Parameters", macs="MACs")."""
    return tuple(Column(key, title, kind, rank) for key, title in titles.items())


def row_of(item: object, columns: Iterable[Column]) -> dict[str, Any]:
    """A row of what an item has under the keys of some columns."""
    return {column.key: getattr(item, column.key) for column in columns}


def ratio(value: Value, base: Value) -> float | None:
    """How many times `base` a count is; None where either is unknown or the base is 0."""
    return value / base if isinstance(value, int) and isinstance(base, int) and base else None


def against_first(rows: Sequence[dict[str, Value]], *keys: str) -> tuple[dict[str, Value], ...]:
    """The rows with a `<key>_ratio` to the first row behind each key.

    Counts that are lower bounds (rows whose 'uncounted' is above 0) have no ratio but for their
    parameters, which are known.
    """
    first = rows[0]
    compared = []
    for row in rows:
        ratios: dict[str, Value] = {}
        for key in keys:
            bound = key != "params" and (row.get("uncounted") or first.get("uncounted"))
            if bound or first.get(key) != 0:  # no ratio to zero
                ratios[f"{key}_ratio"] = None if bound else ratio(row.get(key), first.get(key))
        compared.append({**row, **ratios})
    return tuple(compared)


def with_ratio(column: Column, rank: int = 0) -> tuple[Column, Column]:
    """A count's column, and that of its ratios to the first, which has this rank."""
    return column, Column(f"{column.key}_ratio", "ratio", "ratio", rank)


def greatest(rows: Sequence[Record], columns: Iterable[Column]) -> dict[str, float]:
    """The greatest of each column of shares, for which its bar is full; others have no bars."""
    return {
        column.key: max(
            (v for row in rows if isinstance(v := row.get(column.key), float)), default=0.0
        )
        for column in columns
        if column.kind == "share"
    }


def repeats(rows: Sequence[Record], total: Record) -> bool:
    """Whether a total says again what the only row does."""
    if len(rows) != 1:
        return False
    return all(rows[0].get(key, value) == value for key, value in total.items() if key != "name")


def show(value: Value, kind: str) -> str:
    """A value as people read it: 1,814,073,344; 64x112x112; 97.5 MiB; 12.3%."""
    if value is None:
        return "" if kind in _BLANK else "?"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else ""
    if kind in _SHOWN:
        return _SHOWN[kind](value)
    return show_shape(value) if isinstance(value, tuple) else str(value)


_BLANK = (*get_args(Words), "shape", "pair", "number")
"""Kinds of which an unknown value is left blank."""


class Stacked(NamedTuple):
    """Lines one above another; in brackets where they stand there `times` times."""

    lines: tuple[str, ...]
    times: str = ""


def stacked(text: str) -> list[Stacked]:
    """The parts of a stack: '3x3 max pool; [1x1, 64; 3x3, 64] x 3' has two."""
    parts = []
    for lines, times, line in _STACKED.findall(text):
        parts.append(Stacked(tuple(lines.split("; ")), times) if times else Stacked((line,)))
    return parts


_STACKED = re.compile(r"\[([^\]]*)\] x (\d+)|([^;\s][^;]*)")


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


def show_seconds(seconds: float) -> str:
    """A time to four figures: 812.4 ns, 3.207 ms, 1.204 s."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(seconds) >= size * 0.99995:  # so that rounding never shows 1000
            return f"{_figures(seconds / size)} {unit}"
    return f"{_figures(seconds / 1e-9)} ns" if seconds else "0 s"


def show_rate(each_second: float) -> str:
    """Operations or bytes in a second to four figures: 812,345, 153.2 G, 1.790 T."""
    size, unit = _scaled(each_second, 999.95)
    return f"{_figures(size)} {unit}" if unit in ("M", "G", "T") else f"{each_second:,.0f}"


def compact(count: int) -> str:
    """A count in three figures: 64, 9.41 K, 73.7 K, 1.18 M, 4.09 G."""
    size, unit = _scaled(count, 999.5)
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{size:.{digits}f} {unit}" if unit else str(count)


def show_count(count: int) -> str:
    """A count in full, up to a million million million; what is larger in four figures."""
    if abs(count) < 10**18:
        return f"{count:,}"
    from decimal import Decimal

    return f"{Decimal(count):.3e}"


def show_figures(number: float) -> str:
    """A number of any size in four figures: 0.3408, 2,536, 1.400e+15."""
    if number == 0 or 1e-3 <= abs(number) < 1e6:
        return f"{number:,.{max(0, 3 - _exponent(number))}f}"
    return f"{number:.3e}"


def _exponent(number: float) -> int:
    return int(f"{number:.3e}".partition("e")[2]) if number else 3


def show_round(number: float) -> str:
    """A round number as short as it is: 500, 10 K, 1 M."""
    size, unit = _scaled(number, 1000)
    return f"{size:g} {unit}".rstrip()


def _scaled(number: float, limit: float) -> tuple[float, str]:
    """A number below `limit`, and K, M, G or T; where rounding begins to show 1000 is the limit."""
    for unit in ("", "K", "M", "G"):
        if abs(number) < limit:
            return number, unit
        number /= 1000
    return number, "T"


def _figures(value: float) -> str:
    """Four significant figures for numbers from 1 to 1000."""
    return f"{value:.{max(0, 3 - len(str(int(abs(value)))) + 1)}f}"


def _pair(value: Any) -> str:
    same = isinstance(value, tuple) and len(set(value)) == 1
    return str(value[0]) if same else show(value, "shape")


_SHOWN: dict[str, Callable[[Any], str]] = {
    "count": show_count,
    "stack": show_count,
    "bytes": lambda value: show_bytes(int(value)),
    "share": "{:.1%}".format,
    "percent": "{:.1%}".format,
    "ratio": "{:,.2f}".format,
    "number": "{:,.2f}".format,
    "figures": lambda value: show_figures(float(value)),
    "seconds": lambda value: show_seconds(float(value)),
    "rate": lambda value: show_rate(float(value)),
    "pair": _pair,
}
"""How values of a kind are shown, where it is not as they are."""
