"""Table -> rich: what a person reads in a terminal.

Groups of rows are set apart, shares are small bars, and a terminal too narrow for all columns drops
those that matter least rather than breaking lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from resnet_inspect.tables.columns import Column, Record, show
from resnet_inspect.tables.table import Table

BAR = 7


GAP = 2


PROSE = 36


_PARTS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int = BAR) -> str:
    """A bar of `share` of `width` cells, in eighths of a cell; anything above 0 can be seen."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(min(eighths, width * 8), 8)
    return ("█" * whole + (_PARTS[rest] if rest else "")).ljust(width)


def render(table: Table, width: int) -> Iterator[RenderableType]:
    """What rich prints for a table in a terminal of `width` columns."""
    widths = {column.key: _needed(table, column) for column in table.visible}
    columns = _fitting(table.visible, widths, width)
    view = RichTable(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP - 1, 0, 0), show_edge=False
    )
    for column in columns:
        prose = column.kind == "prose"
        view.add_column(
            Text(column.title),
            justify="right" if column.numeric else "left",
            no_wrap=not prose,
            # Known widths spare rich from measuring every cell; prose takes what is left.
            width=None if prose else widths[column.key] - GAP,
            style="bold" if column is columns[0] else "",
        )
    highest = {c.key: _highest(table, c.key) for c in columns if c.kind == "share"}
    previous: Any = None
    for row in table.rows:
        if table.group and previous is not None and row.get(table.group) != previous:
            view.add_section()
        previous = row.get(table.group) if table.group else None
        view.add_row(*(_cell(row, column, highest) for column in columns))
    if table.total is not None:
        view.add_section()
        view.add_row(*(_cell(table.total, column, {}) for column in columns), style="bold")
    for row in table.references:
        style = "red" if any("≠" in str(value) for value in row.values()) else "green"
        view.add_row(*(_cell(row, column, {}) for column in columns), style=style)
    notes = [Text(note, style="dim") for note in table.notes]
    if table.partial:
        notes.insert(0, Text(f"At least: not counted are {', '.join(table.partial)}.", "yellow"))
    yield Text(table.title, style="bold")
    yield Text()
    yield Group(view, *([Text()] if notes else []), *notes)


def _highest(table: Table, key: str) -> float:
    values = [row.get(key) for row in table.rows]
    return max((value for value in values if isinstance(value, float)), default=0.0)


def _cell(row: Record, column: Column, highest: Mapping[str, float]) -> Text:
    if column.key not in row:
        return Text()
    value = row[column.key]
    text = show(value, column.kind)
    if isinstance(value, float) and highest.get(column.key):
        return Text.assemble(f"{text:>6} ", (bar(value / highest[column.key]), "cyan"))
    return Text(text, style="dim" if value in (0, None) else "")


def _needed(table: Table, column: Column) -> int:
    """Cells that a column takes, the gap behind it among them."""
    if column.kind == "share":
        return len("100.0% ") + BAR + GAP
    rows = [*table.rows, *([table.total] if table.total else []), *table.references]
    texts = [show(row[column.key], column.kind) for row in rows if column.key in row]
    widest = max(map(len, texts), default=0)
    if column.kind == "prose":
        widest = min(widest, PROSE)
    return max(len(column.title), widest) + GAP


def _fitting(
    columns: Sequence[Column], widths: Mapping[str, int], width: int
) -> tuple[Column, ...]:
    """All columns, or as many as fit: the highest rank goes first."""
    kept = list(columns)
    while sum(widths[column.key] for column in kept) - GAP > width:
        droppable = [column for column in kept if column.rank > 0]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda column: column.rank))
    return tuple(kept)
