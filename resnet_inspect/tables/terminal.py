"""Columns and rows -> rich: what a person reads in a terminal.

Groups of rows are set apart, shares are small bars, and a terminal too narrow for all columns drops
those that matter least rather than breaking lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from resnet_inspect.tables.characters import shortened
from resnet_inspect.tables.columns import Column, Record, repeats, show

BAR = 7
"""Cells of a bar."""

GAP = 2
"""Cells between columns."""

WIDTH = 100
"""Columns where there is no terminal to ask."""

PROSE = 36
"""Cells that a column of prose has at least."""

LONG, LEAST = 40, 12
"""Cells that a column of words gets, and has at least, where there is no room for more."""

_PARTS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int = BAR) -> str:
    """A bar of `share` of `width` cells, in eighths of a cell; anything above 0 can be seen."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(min(eighths, width * 8), 8)
    return ("█" * whole + (_PARTS[rest] if rest else "")).ljust(width)


def printed(view: object, width: int = WIDTH) -> str:
    """What a terminal of `width` columns shows of something, without colours."""
    text = StringIO()
    # In a notebook rich would display it there instead of writing it.
    console = Console(file=text, width=width, color_system=None, force_jupyter=False)
    console.print(view, highlight=False, crop=False)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n"))


Cell = list[tuple[str, str]]
"""Texts that follow one another, each with its style."""

Line = tuple[list[Cell], str]
"""A row's cells, and its style."""


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
    below = [(total, "bold")] if total and not repeats(rows, total) else []
    below += [(row, _verdict(row)) for row in references]
    needed = {c.key: _needed([*rows, *(row for row, _ in below)], c) for c in columns}
    columns, widths = _fitting(columns, needed, width)
    greatest = {column.key: _greatest(rows, column) for column in columns}
    sections = [[(_line(row, columns, widths, greatest), "") for row in group] for group in groups]
    sections.append([(_line(row, columns, widths, {}), style) for row, style in below])
    prose = any(column.kind == "prose" for column in columns)
    draw = _wrapped if prose else _aligned
    texts = [Text(caveat, style="yellow")] if caveat else []
    texts += [Text(note, style="dim") for note in notes]
    yield Text(title, style="bold")
    yield Text()
    yield Group(
        draw(columns, widths, [section for section in sections if section], width),
        *([Text()] if texts else []),
        *texts,
    )


def _verdict(row: Record) -> str:
    """The style of a published figure: red where it does not agree."""
    unlike = any(str(value).startswith(("≠", "!=")) for value in row.values())
    return "red" if unlike else "green"


def _aligned(
    columns: Sequence[Column],
    widths: Mapping[str, int],
    sections: Sequence[Sequence[Line]],
    width: int,
) -> RenderableType:
    """Lines of cells, as `_wrapped` draws them where none wraps, in a tenth of the time."""
    sizes = [widths[column.key] - GAP for column in columns]
    length = sum(sizes) + GAP * (len(columns) - 1)
    head: Line = [[(column.title, "")] for column in columns], "bold"
    segments = [*_segments(head, columns, sizes), Segment("─" * length + "\n")]
    for number, section in enumerate(sections):
        if number:
            segments.append(Segment(" " * length + "\n"))
        for line in section:
            segments += _segments(line, columns, sizes)
    return Segments(segments)


def _segments(line: Line, columns: Sequence[Column], sizes: Sequence[int]) -> Iterator[Segment]:
    cells, row_style = line
    gap = ""
    for column, size, cell in zip(columns, sizes, cells, strict=True):
        style = f"{row_style} bold" if column is columns[0] else row_style
        pad = " " * (size - sum(len(text) for text, _ in cell))
        yield Segment(gap + pad if column.numeric else gap)
        for text, own in cell:
            yield Segment(text, Style.parse(f"{style} {own}".strip()))
        gap = " " * GAP if column.numeric else pad + " " * GAP
    yield Segment(gap[GAP:] + "\n")


def _wrapped(
    columns: Sequence[Column],
    widths: Mapping[str, int],
    sections: Sequence[Sequence[Line]],
    width: int,
) -> RenderableType:
    """A table of rich's, which wraps prose."""
    from rich import box
    from rich.table import Table as RichTable

    view = RichTable(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP - 1, 0, 0), show_edge=False
    )
    # Numbers are never cut: where they do not fit, lines are longer than the terminal is wide.
    least = sum(LEAST + GAP if c.kind == "prose" else widths[c.key] for c in columns)
    view.width = least if least > width else None
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
        for cells, style in section:
            view.add_row(*(Text.assemble(*cell) for cell in cells), style=style)
        view.add_section()
    return view


def _greatest(rows: Sequence[Record], column: Column) -> float:
    """The greatest share of a column, for which its bar is full; 0 in columns without bars."""
    values = [row.get(column.key) for row in rows] if column.kind == "share" else []
    return max((value for value in values if isinstance(value, float)), default=0.0)


def _line(
    row: Record,
    columns: Sequence[Column],
    widths: Mapping[str, int],
    greatest: Mapping[str, float],
) -> list[Cell]:
    return [_cell(row, c, widths[c.key] - GAP, greatest.get(c.key, 0.0)) for c in columns]


def _cell(row: Record, column: Column, size: int, greatest: float) -> Cell:
    """A value, and a bar where its column has bars."""
    if column.key not in row:
        return []
    value = row[column.key]
    text = show(value, column.kind)
    if isinstance(value, float) and greatest:
        return [(f"{text:>6} ", ""), (bar(value / greatest), "cyan")]
    if column.kind == "text":
        text = shortened(text, size)
    return [(text, "dim" if value in (0, None) else "")]


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
) -> tuple[tuple[Column, ...], Mapping[str, int]]:
    """All columns, or as many as fit, and their widths.

    Where they do not fit, very long words are shortened, then the highest rank goes first, and then
    the longest words are shortened to what is left by prose, which wraps.
    """
    kept, sizes = list(columns), dict(widths)

    def missing() -> int:
        return sum(sizes[column.key] for column in kept) - GAP - width

    texts = [column.key for column in kept if column.kind == "text"]
    if missing() > 0:
        sizes |= {key: min(sizes[key], LONG + GAP) for key in texts}
    while missing() > 0 and (last := max(kept, key=lambda column: column.rank)).rank:
        kept.remove(last)
    spare = sum(sizes[column.key] - LEAST - GAP for column in kept if column.kind == "prose")
    left = [column.key for column in kept if column.key in texts]
    for key in sorted(left, key=sizes.__getitem__, reverse=True):
        sizes[key] -= max(0, min(missing() - spare, sizes[key] - LEAST - GAP))
    return tuple(kept), sizes
