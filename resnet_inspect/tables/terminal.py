"""Columns and rows -> rich: what a person reads in a terminal.

Groups of rows are set apart, shares are small bars, and a terminal too narrow for all columns drops
those that matter least rather than breaking lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.segment import Segment, Segments
from rich.style import Style
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
    sections = [[_line(row, columns, greatest) for row in group] for group in groups]
    sections.append(
        [
            *([_line(total, columns, style="bold")] if total is not None else []),
            *(_line(row, columns, style=_verdict(row)) for row in references),
        ]
    )
    fits = sum(widths[column.key] for column in columns) - GAP <= width
    prose = any(column.kind == "prose" for column in columns)
    view = (_aligned if fits and not prose else _wrapped)(columns, widths, sections)
    below = [Text(caveat, style="yellow")] if caveat else []
    below += [Text(note, style="dim") for note in notes]
    yield Text(title, style="bold")
    yield Text()
    yield Group(view, *([Text()] if below else []), *below)


Part = tuple[str, str]
"""Text of a cell, and its style."""


class _Line(NamedTuple):
    """A row of cells, each in parts."""

    cells: tuple[tuple[Part, ...], ...]
    style: str


def _line(
    row: Record,
    columns: Sequence[Column],
    greatest: Mapping[str, float] | None = None,
    style: str = "",
) -> _Line:
    return _Line(
        tuple(_cell(row, column, (greatest or {}).get(column.key, 0.0)) for column in columns),
        style,
    )


def _verdict(row: Record) -> str:
    """The style of a published figure: red where it does not agree."""
    return "red" if any("≠" in str(value) for value in row.values()) else "green"


def _aligned(
    columns: Sequence[Column], widths: Mapping[str, int], sections: Sequence[Sequence[_Line]]
) -> RenderableType:
    """Lines of cells, as `_wrapped` draws them where none wraps, in a tenth of the time."""
    sizes = [widths[column.key] - GAP for column in columns]
    length = sum(sizes) + GAP * (len(columns) - 1)
    head = _Line(tuple(((column.title, ""),) for column in columns), "bold")
    segments = [*_segments(head, columns, sizes), Segment.line()]
    segments += [Segment("─" * length), Segment.line()]
    filled = [section for section in sections if section]
    for number, section in enumerate(filled):
        if number:
            segments += [Segment(" " * length), Segment.line()]
        for line in section:
            segments += [*_segments(line, columns, sizes), Segment.line()]
    return Segments(segments)


def _segments(line: _Line, columns: Sequence[Column], sizes: Sequence[int]) -> Iterator[Segment]:
    gap = ""
    for column, size, parts in zip(columns, sizes, line.cells, strict=True):
        style = f"{line.style} bold" if column is columns[0] else line.style
        pad = " " * (size - sum(len(text) for text, _ in parts))
        yield Segment(gap + pad if column.numeric else gap)
        for text, own in parts:
            yield Segment(text, Style.parse(f"{style} {own}".strip()))
        if not column.numeric:
            yield Segment(pad)
        gap = " " * GAP


def _wrapped(
    columns: Sequence[Column], widths: Mapping[str, int], sections: Sequence[Sequence[_Line]]
) -> RenderableType:
    """A table of rich's, which wraps prose and cuts off what does not fit."""
    from rich import box
    from rich.table import Table as RichTable

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
    for section in sections:
        for line in section:
            view.add_row(*(Text.assemble(*parts) for parts in line.cells), style=line.style)
        view.add_section()
    return view


def _greatest(rows: Sequence[Record], column: Column) -> float:
    """The greatest share of a column, for which its bar is full; 0 in columns without bars."""
    if column.kind != "share":
        return 0.0
    values = [row.get(column.key) for row in rows]
    return max((value for value in values if isinstance(value, float)), default=0.0)


def _cell(row: Record, column: Column, greatest: float) -> tuple[Part, ...]:
    """The parts of a cell: its value, and a bar where its column has bars."""
    if column.key not in row:
        return ()
    value = row[column.key]
    text = show(value, column.kind)
    if isinstance(value, float) and greatest:
        return (f"{text:>6} ", ""), (bar(value / greatest), "cyan")
    return ((text, "dim" if value in (0, None) else ""),)


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
