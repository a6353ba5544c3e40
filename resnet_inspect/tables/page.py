"""A table as people read it in a file: what every format of documents takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from resnet_inspect.tables.columns import Column, Record, show


class Page(NamedTuple):
    """The words and columns of a table; groups are rows set apart, below those below them all."""

    title: str
    columns: Sequence[Column]
    groups: Sequence[Sequence[Record]]
    below: Sequence[Record]
    notes: Sequence[str]

    @property
    def rows(self) -> list[Record]:
        return [row for group in self.groups for row in group]


def cell(row: Record, column: Column) -> str:
    """A value as text: '' where a row has none for a column, '?' where it has an unknown one."""
    return show(row[column.key], column.kind) if column.key in row else ""
