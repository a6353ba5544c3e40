"""Table: rows as data, the one thing that every writer takes.

Rows hold exact values (Python ints, tuples for shapes, None for what is unknown). Units, rounding,
separators and bars belong to columns and happen in the writers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from resnet_inspect.errors import check_name
from resnet_inspect.tables.characters import in_ascii, visible
from resnet_inspect.tables.columns import Column, Record, Value, repeats

if TYPE_CHECKING:
    import pandas

    from resnet_inspect.tables.page import Page
    from resnet_inspect.tables.terminal import Line


class Printable:
    """What tables and sheets share: a file, a notebook and `print` show their text."""

    def to_text(self, format: str) -> str:
        """The text in one of writers.FORMATS; raises UnknownNameError."""
        raise NotImplementedError

    def write(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write to a file, in the format of its suffix if none is given; replaces it whole.

        Raises UnknownNameError for the format, FormatError for the suffix, OutputError where the
        file cannot be written.
        """
        from resnet_inspect.files import format_of, write_text
        from resnet_inspect.tables.writers import SUFFIXES

        write_text(path, self.to_text(format or format_of(path, SUFFIXES)))

    def pages(self, *, ascii: bool = False) -> list[Page]:
        """The tables as people read them. ascii: with signs in ASCII."""
        raise NotImplementedError

    def lines(self, width: int | None = None, *, ascii: bool = False) -> Iterator[Line]:
        """The lines of text that people read, at most `width` cells wide if that is given."""
        from resnet_inspect.tables.terminal import drawn

        for number, page in enumerate(self.pages(ascii=ascii)):
            if number:
                yield []
            yield from drawn(page, width)

    def _repr_html_(self) -> str:
        from resnet_inspect.tables.html import fragment

        return fragment(self.pages())

    def __str__(self) -> str:
        from resnet_inspect.tables.terminal import WIDTH, plain

        return plain(self.lines(WIDTH)).rstrip("\n")


@dataclass(frozen=True)
class Table(Printable):
    """Rows under columns, with what is needed to understand them.

    title: the heading, which names the convention. total: a last row that adds up the others.
    references: rows of text below it to compare it with, such as published figures. besides: rows
    of data that the total leaves out.
    meta: what holds for the whole table, by name. notes: lines below it. group: the column by
    whose values rows are set apart. partial: names of what is not counted; totals with any are
    lower bounds. shown: keys of the columns that people see, where data formats have more.
    picked_by: the option of the command line that picks columns.
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
    besides: tuple[Record, ...] = ()
    picked_by: str = ""

    @property
    def visible(self) -> tuple[Column, ...]:
        """The columns that people see."""
        known = {column.key: column for column in self.columns}
        return tuple([known[key] for key in self.shown]) if self.shown else self.columns

    def select(self, keys: Iterable[str]) -> Table:
        """The table with only these columns, of which no terminal leaves one out.

        Raises UnknownNameError with the nearest keys.
        """
        known = {column.key: column for column in self.columns}
        columns = []
        for key in keys:
            check_name("column", key, known)
            columns.append(known[key]._replace(rank=0))
        return replace(self, columns=tuple(columns), shown=())

    def noted(self, *notes: str) -> Table:
        """The table with more notes below it."""
        return replace(self, notes=(*self.notes, *notes))

    def hiding(self, *keys: str) -> Table:
        """The table with these columns in data formats only."""
        return replace(self, shown=tuple([c.key for c in self.visible if c.key not in keys]))

    def records(self) -> list[dict[str, Value]]:
        """The rows as dicts of exact values, by column key."""
        return self._filled(self.rows)

    def _filled(self, rows: Iterable[Record]) -> list[dict[str, Value]]:
        blank: dict[str, Value] = dict.fromkeys([column.key for column in self.columns])
        filled = [{**blank, **row} for row in rows]  # with all that rows have besides
        return [
            each if len(each) == len(blank) else {key: each[key] for key in blank}
            for each in filled
        ]

    def to_dict(self) -> dict[str, Any]:
        """The meta entries, `rows` and `total`, in types that JSON has."""
        data: dict[str, Any] = {**self.meta, "rows": self.records()}
        if self.total is not None:
            data["total"] = dict(self.total)
        if self.partial:
            data["uncounted"] = list(self.partial)
        return data

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a DataFrame; exact ints stay ints, with <NA> for what is unknown.

        Columns with counts of more than 64 bits hold Python's ints.
        """
        import pandas as pd

        rows, made = self.records(), {}
        for column in self.columns:
            values = [row[column.key] for row in rows]
            if column.kind in ("count", "bytes"):
                exact = [pd.NA if value is None else value for value in values]
                large = any(isinstance(v, int) and not -(2**63) <= v < 2**63 for v in values)
                made[column.key] = pd.Series(exact, dtype="object" if large else "Int64")
            else:
                made[column.key] = pd.Series(values)
        return pd.DataFrame(made)

    @property
    def caveat(self) -> str:
        """What is missing from lower bounds; '' where nothing is."""
        return f"At least: not counted are {', '.join(self.partial)}." if self.partial else ""

    @property
    def groups(self) -> list[tuple[Record, ...]]:
        """The rows that are set apart from one another."""
        key = self.group
        if not key:
            return [self.rows]
        return [tuple(rows) for _, rows in groupby(self.rows, lambda row: row.get(key))]

    @property
    def sums(self) -> tuple[Record, ...]:
        """The total, unless it says again what the only row does."""
        if self.total is None or repeats(self.rows, self.total):
            return ()
        return (self.total,)

    def to_text(self, format: str) -> str:
        """The table in one of writers.FORMATS; raises UnknownNameError."""
        from resnet_inspect.tables import writers

        if format == "csv":
            return writers.csv_text(
                [column.key for column in self.columns], self._filled((*self.rows, *self.besides))
            )
        if format == "json":
            # A table with nothing to say about itself is a list of its rows.
            bare = not self.meta and self.total is None
            return writers.json_text(self.records() if bare else self.to_dict())
        return writers.prose_text(self.pages(), format)

    def pages(self, *, ascii: bool = False) -> list[Page]:
        from resnet_inspect.tables.page import Page

        say = in_ascii if ascii else visible

        def told(rows: Iterable[Record]) -> list[Record]:
            return [
                {key: say(v) if isinstance(v, str) else v for key, v in row.items()} for row in rows
            ]

        page = Page(
            say(self.title),
            [column._replace(title=say(column.title)) for column in self.visible],
            list(map(told, self.groups)),
            told(self.sums),
            told(self.references),
            say(self.caveat),
            list(map(say, self.notes)),
            self.picked_by,
        )
        return [page]

    def __repr__(self) -> str:
        return f"<Table {self.title!r}: {len(self.rows)} rows, {len(self.columns)} columns>"


@dataclass(frozen=True)
class Sheet(Printable):
    """Tables by name, in reading order; meta holds for all of them, by name."""

    title: str
    tables: Mapping[str, Table]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Table:
        """The table of this name; raises UnknownNameError."""
        check_name("table", name, self.tables)
        return self.tables[name]

    def only(self, names: Iterable[str]) -> Sheet:
        """The sheet with only these tables; raises UnknownNameError."""
        return replace(self, tables={name: self[name] for name in names})

    def to_dict(self) -> dict[str, Any]:
        """The meta entries, and each table under its name, in types that JSON has."""
        return {**self.meta, **{name: table.to_dict() for name, table in self.tables.items()}}

    def stacked(self) -> Table:
        """All rows in one Table: the name of each row's table, then every column of any."""
        columns = {c.key: c for table in self.tables.values() for c in table.columns}
        rows = tuple(
            {"table": name, **row} for name, table in self.tables.items() for row in table.records()
        )
        return Table(self.title, (Column("table", "Table"), *columns.values()), rows)

    def to_text(self, format: str) -> str:
        """The sheet in one of writers.FORMATS; raises UnknownNameError."""
        from resnet_inspect.tables import writers

        if format == "csv":
            only = list(self.tables.values())
            return (only[0] if len(only) == 1 else self.stacked()).to_text(format)
        if format == "json":
            return writers.json_text(self.to_dict())
        return writers.prose_text(self.pages(), format)

    def pages(self, *, ascii: bool = False) -> list[Page]:
        return [page for table in self.tables.values() for page in table.pages(ascii=ascii)]

    def __repr__(self) -> str:
        return f"<Sheet {self.title!r}: {', '.join(self.tables)}>"
