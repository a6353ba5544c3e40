"""A table as people read it: what every writer for people takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from resnet_inspect.tables.columns import Column, Record, show


class Page(NamedTuple):
    """The words and columns of a table.

    groups: rows set apart; sums, references: those below them all; caveat: what is missing from
    lower bounds, '' where nothing is. picked_by: the option of the command line that picks columns.
    """

    title: str
    columns: Sequence[Column]
    groups: Sequence[Sequence[Record]]
    sums: Sequence[Record]
    references: Sequence[Record]
    caveat: str
    notes: Sequence[str]
    picked_by: str

    @property
    def rows(self) -> list[Record]:
        return [row for group in self.groups for row in group]

    @property
    def below(self) -> list[Record]:
        return [*self.sums, *self.references]

    @property
    def remarks(self) -> list[str]:
        """The lines of text below a table in a file."""
        return [*self.notes, *([self.caveat] if self.caveat else [])]


def cell(row: Record, column: Column) -> str:
    """A value as text: '' where a row has none for a column, '?' where it has an unknown one."""
    return show(row[column.key], column.kind) if column.key in row else ""
