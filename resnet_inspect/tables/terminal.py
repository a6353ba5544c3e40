"""Columns and rows -> rich: what a person reads in a terminal.

Groups of rows are set apart, shares are small bars, and a terminal too narrow for all columns drops
those that matter least rather than breaking lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from resnet_inspect.tables.columns import Column, Record, show

BAR = 7
"""Cells of a bar."""

GAP = 2
"""Cells between columns."""

WIDTH = 100
"""Columns where there is no terminal to ask."""

PROSE = 36
"""Cells that a column of prose has at least."""

_PARTS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int = BAR) -> str:
    """A bar of `share` of `width` cells, in eighths of a cell; anything above 0 can be seen."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(min(eighths, width * 8), 8)
    return ("█" * whole + (_PARTS[rest] if rest else "")).ljust(width)


def printed(view: RenderableType, width: int = WIDTH) -> str:
    """What a terminal of `width` columns shows of something, without colours."""
    # In a notebook rich would display it there instead of writing it.
    console = Console(file=StringIO(), width=width, color_system=None, force_jupyter=False)
    with console.capture() as capture:
        console.print(view, highlight=False)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n"))


def render(
    title: str,
    columns: Sequence[Column],
    groups: Sequence[Sequence[Record]],
    *,
    total: Record | None,
    references: Sequence[Record],
    caveat: str,
    notes: Sequence[str],
    width: int,
) -> Iterator[RenderableType]:
    """What rich prints for a table in a terminal of `width` columns.

    groups: the rows, set apart; total, references: those below them; caveat: a note in yellow.
    """
    rows = [row for group in groups for row in group]
    all_rows = [*rows, *([total] if total else []), *references]
    widths = {column.key: _needed(all_rows, column) for column in columns}
    columns = _fitting(columns, widths, width)
    greatest = {column.key: _greatest(rows, column) for column in columns}
    view = _headed(columns, widths)
    for group in groups:
        for row in group:
            view.add_row(*(_cell(row, column, greatest[column.key]) for column in columns))
        view.add_section()
    if total is not None:
        view.add_row(*(_cell(total, column) for column in columns), style="bold")
    for row in references:
        style = "red" if any("≠" in str(value) for value in row.values()) else "green"
        view.add_row(*(_cell(row, column) for column in columns), style=style)
    below = [Text(caveat, style="yellow")] if caveat else []
    below += [Text(note, style="dim") for note in notes]
    yield Text(title, style="bold")
    yield Text()
    yield Group(view, *([Text()] if below else []), *below)


def _headed(columns: Sequence[Column], widths: Mapping[str, int]) -> RichTable:
    """A table of rich's without rows."""
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
    return view


def _greatest(rows: Sequence[Record], column: Column) -> float:
    """The greatest share of a column, for which its bar is full; 0 in columns without bars."""
    if column.kind != "share":
        return 0.0
    values = [row.get(column.key) for row in rows]
    return max((value for value in values if isinstance(value, float)), default=0.0)


def _cell(row: Record, column: Column, greatest: float = 0.0) -> Text:
    if column.key not in row:
        return Text()
    value = row[column.key]
    text = show(value, column.kind)
    if isinstance(value, float) and greatest:
        return Text.assemble(f"{text:>6} ", (bar(value / greatest), "cyan"))
    return Text(text, style="dim" if value in (0, None) else "")


def _needed(rows: Sequence[Record], column: Column) -> int:
    """Cells that a column takes, with the gap behind it."""
    if column.kind == "share":
        return len("100.0% ") + BAR + GAP
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
