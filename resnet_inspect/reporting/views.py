"""Tables ready for the page: cells as text, with what they sort by, bars and ties to diagrams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from resnet_inspect.networks.shapes import elements
from resnet_inspect.tables.columns import Column, Record, Value, greatest, show
from resnet_inspect.tables.table import Table


class Cell(NamedTuple):
    """A value as people read it; as it is sorted, where the text does not say; and as a bar.

    bar: of a share, how long it is, 1 for the column's greatest.
    """

    text: str
    value: str | None = None
    bar: float | None = None


class Link(NamedTuple):
    """What ties a row to a diagram: its address, its box's number, and the box's address."""

    id: str = ""
    box: int | None = None
    link: str = ""


class Row(NamedTuple):
    """A row of a table, and what ties it to a diagram."""

    cells: tuple[Cell, ...]
    tie: Link = Link()


class Group(NamedTuple):
    """Rows that are set apart; name and sums of those that can be folded away."""

    name: str
    sums: str
    rows: tuple[Row, ...]


class View(NamedTuple):
    """A table, ready for the page. key: what it is called there.

    folds: its groups fold away; sorts: its rows are of one kind, so that a column has an order.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    totals: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]
    folds: bool = False
    sorts: bool = True


def view(
    key: str,
    table: Table,
    title: str | None = None,
    sums: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
) -> View:
    """A table for the page.

    title: a caption; if none, what the table's own says before settings that the whole page shares.
    sums: makes its groups fold, and follows each one's name. links: of its rows, to boxes.
    """
    columns = table.visible
    most = greatest(table.rows, columns)
    cells = [_cells(record, columns, most) for record in table.rows]
    rows = list(map(Row, cells, links) if links else map(Row, cells))
    names = [str(record.get(table.group)) if table.group else "" for record in table.rows]
    together = groupby(zip(names, rows, strict=True), key=itemgetter(0))
    return View(
        key=key,
        title=title or _short(table.title),
        columns=columns,
        groups=tuple(
            Group(name, sums.get(name, "") if sums else "", tuple(row for _, row in group))
            for name, group in together
        ),
        totals=tuple(_cells(record, columns, {}) for record in (*table.sums, *table.references)),
        notes=_notes(table),
        folds=sums is not None,
    )


def pivot(key: str, table: Table, row: str, column: str, shown: Sequence[str]) -> View:
    """A table with what stands in `column` as columns, and a group of rows for each of `shown`."""
    names = list(dict.fromkeys(str(record[column]) for record in table.rows))
    places = {(record[row], str(record[column])): record for record in table.rows}
    titles = {each.key: each for each in table.columns}
    most = greatest(table.rows, table.visible)
    groups = []
    for measure in (titles[name] for name in shown):
        rows = [
            Row((Cell(str(place)), *(
                _cell(places.get((place, name), {}), measure, most) for name in names
            )))
            for place in dict.fromkeys(record[row] for record in table.rows)
        ]  # fmt: skip
        share = "Share " if measure.kind == "share" else ""
        groups.append(Group(f"{share}{measure.title}", "", tuple(rows)))
    return View(
        key=key,
        title=_short(table.title),
        columns=(titles[row], *(Column(name, name, "count") for name in names)),
        groups=tuple(groups),
        totals=(),
        notes=_notes(table),
        folds=True,
        sorts=False,
    )


def _notes(table: Table) -> tuple[str, ...]:
    return (*([table.caveat] if table.partial else []), *table.notes)


def _short(title: str) -> str:
    return title.partition(" (")[0].partition(", input ")[0]


def _cells(
    record: Record, columns: Sequence[Column], most: Mapping[str, float]
) -> tuple[Cell, ...]:
    return tuple(_cell(record, column, most) for column in columns)


def _cell(record: Record, column: Column, most: Mapping[str, float]) -> Cell:
    if column.key not in record:
        return Cell("")
    value, full = record[column.key], most.get(column.key)
    bar = round(value / full, 4) if full and isinstance(value, float) else None
    return Cell(show(value, column.kind), _sorted_by(value, column.kind), bar)


def _sorted_by(value: Value, kind: str) -> str | None:
    """The exact value where the text rounds it or puts it in words."""
    if kind in ("bytes", "share", "ratio", "number") and isinstance(value, int | float):
        return repr(value)
    if kind in ("shape", "pair") and isinstance(value, tuple):
        return str(elements(value)) if all(isinstance(n, int) for n in value) else str(value[0])
    return None
