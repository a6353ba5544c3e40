"""Table: rows as data, the one thing that every writer takes.

Rows hold exact values (Python ints, tuples for shapes, None for what is unknown). Units, rounding,
separators and bars belong to columns and happen in the writers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from resnet_inspect.errors import unknown

if TYPE_CHECKING:
    import pandas
    from rich.console import Console, ConsoleOptions, RenderResult

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


@dataclass(frozen=True)
class Table:
    """Rows under columns, with what is needed to understand them.

    title: the heading, which names the convention. total: a last row that adds up the others.
    references: rows of text below it to compare it with, such as published figures.
    meta: what holds for the whole table, by name. notes: lines below it. group: the column by
    whose values rows are set apart. partial: names of what is not counted; totals with any are
    lower bounds. shown: keys of the columns that people see, where data formats have more.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Record, ...]
    total: Record | None = None
    references: tuple[Record, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    group: str | None = None
    partial: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    @property
    def visible(self) -> tuple[Column, ...]:
        """The columns that people see."""
        if not self.shown:
            return self.columns
        known = {column.key: column for column in self.columns}
        return tuple(known[key] for key in self.shown)

    def select(self, keys: Iterable[str]) -> Table:
        """The table with these columns alone; raises UnknownNameError with the nearest keys."""
        known = {column.key: column for column in self.columns}
        for key in (keys := list(keys)):
            if key not in known:
                raise unknown("column", key, known)
        return replace(self, columns=tuple(known[key] for key in keys), shown=())

    def noted(self, *notes: str) -> Table:
        """The table with more notes below it."""
        return replace(self, notes=(*self.notes, *notes))

    def records(self) -> list[dict[str, Value]]:
        """The rows as dicts of exact values, by column key."""
        keys = [column.key for column in self.columns]
        return [{key: row.get(key) for key in keys} for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """The meta entries, `rows` and `total`, in types that JSON has."""
        data: dict[str, Any] = {**self.meta, "rows": self.records()}
        if self.total is not None:
            data["total"] = dict(self.total)
        if self.partial:
            data["uncounted"] = list(self.partial)
        return data

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a DataFrame; exact ints stay ints, with <NA> for what is unknown."""
        import pandas as pd

        frame = pd.DataFrame.from_records(self.records(), columns=[c.key for c in self.columns])
        for column in self.columns:
            if column.kind in ("count", "bytes"):
                frame[column.key] = frame[column.key].astype("Int64")
        return frame

    def to_text(self, format: str) -> str:
        """The table in one of writers.FORMATS; raises UnknownNameError."""
        from resnet_inspect.writers import to_text

        return to_text(self, format)

    def write(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write to a file, in the format of its suffix if none is given; replaces it whole.

        Raises UnknownNameError for the format, OutputError where the file cannot be written.
        """
        from resnet_inspect.writers import write

        write(self, path, format)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from resnet_inspect.terminal import render

        yield from render(self, options.max_width)

    def _repr_html_(self) -> str:
        return self.to_text("html")


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
        return "x".join(map(str, value))
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
