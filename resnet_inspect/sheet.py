"""Sheet: tables that belong together, under one title.

A Sheet is written as a Table is. People read its tables one below another; JSON holds each under
its name; CSV, which knows one table, puts them below one another with the name in front.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from resnet_inspect.errors import unknown
from resnet_inspect.table import Column, Table

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType


@dataclass(frozen=True)
class Sheet:
    """Tables by name, in reading order; meta holds for all of them, by name."""

    title: str
    tables: Mapping[str, Table]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Table:
        """The table of this name; raises UnknownNameError."""
        if name not in self.tables:
            raise unknown("table", name, self.tables)
        return self.tables[name]

    def only(self, names: Iterable[str]) -> Sheet:
        """The sheet with these tables alone; raises UnknownNameError."""
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
        if format == "csv":
            only = list(self.tables.values())
            return (only[0] if len(only) == 1 else self.stacked()).to_text(format)
        if format == "json":
            import json

            return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"
        return "\n".join(table.to_text(format) for table in self.tables.values())

    def write(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write to a file, in the format of its suffix if none is given; replaces it whole.

        Raises UnknownNameError for the format, OutputError where the file cannot be written.
        """
        from resnet_inspect.writers import format_of, write_text

        write_text(path, self.to_text(format or format_of(path)))

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        for number, table in enumerate(self.tables.values()):
            if number:
                yield ""
            yield table

    def _repr_html_(self) -> str:
        return self.to_text("html")
