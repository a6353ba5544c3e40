"""Columns and rows -> lines: what a person reads in a terminal, or in a pipe.

Groups of rows are set apart, shares have small bars, and a formula stands above the same with
numbers. `layout` says which columns fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from resnet_inspect.tables.characters import cells, shortened
from resnet_inspect.tables.columns import Column, Record, greatest, show, stacked
from resnet_inspect.tables.layout import GAP, PERCENT, Part, Size, parts, size_of
from resnet_inspect.tables.layout import wrapped as wrap

if TYPE_CHECKING:
    from resnet_inspect.tables.page import Page

WIDTH = 100
"""Columns where nobody says how many there are."""

_PARTS = " ▏▎▍▌▋▊▉█"

Line = list[tuple[str, str]]
"""Texts that follow one another, each with its style: '', or words of bold, dim and a colour."""

Above = Mapping[str, Column]
"""Columns of formulas by the key of the column in which they stand, on lines of their own."""

Styled = tuple[Record, str]
"""A row and its style."""


def bar(share: float, width: int) -> str:
    """A bar of `share` of `width` cells, in eighths of a cell; anything above 0 can be seen."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(min(eighths, width * 8), 8)
    return "█" * whole + (_PARTS[rest] if rest else "")


def plain(lines: Iterable[Line]) -> str:
    """The text of lines, without styles."""
    return "".join(["".join([text for text, _ in line]) + "\n" for line in lines])


def drawn(page: Page, width: int | None) -> Iterator[Line]:
    """The lines of a table, none wider than `width` if there is one."""
    pairs = pairwise(page.columns)
    above = {below.key: column for column, below in pairs if column.kind == "formula"}
    columns = [column for column in page.columns if column.kind != "formula"]
    below = [(row, "bold") for row in page.sums]
    below += [(row, _verdict(row)) for row in page.references]
    sections: list[list[Styled]] = [[(row, "") for row in group] for group in page.groups]

    def sizes(columns: Sequence[Column]) -> list[Size]:
        return _sizes(columns, page, above)

    made = parts(columns, sizes, width)
    yield from _styled(page.title, "bold", width)
    for part in made:
        last = [line for line in below if len(made) == 1 or _says(line[0], part.columns[1:])]
        yield []
        yield from _table(part, [section for section in [*sections, last] if section], above)
    notes, shown = page.notes, {column.key for part in made for column in part.columns}
    if left := dict.fromkeys(column.title for column in columns if column.key not in shown):
        names = "; ".join(left).rstrip(".")
        shown_by = f"A wider terminal{page.picked_by and ', '}{page.picked_by} or --format csv"
        notes = [f"Left out to fit {width} columns: {names}. {shown_by} shows them.", *notes]
    if page.caveat or notes:
        yield []
    yield from _styled(page.caveat, "yellow", width)
    for note in notes:
        yield from _styled(note, "dim", width)


def _says(row: Record, columns: Sequence[Column]) -> bool:
    return any(row.get(column.key) is not None for column in columns)


def _styled(text: str, style: str, width: int | None) -> Iterator[Line]:
    return ([(line, style)] for line in wrap(text, width) if line)


def _verdict(row: Record) -> str:
    """The style of a published figure: red where it does not agree."""
    unlike = any(str(value).startswith(("≠", "!=")) for value in row.values())
    return "red" if unlike else "green"


def _sizes(columns: Sequence[Column], page: Page, above: Above) -> list[Size]:
    """The sizes of columns; the name of a line below runs over the cells that it leaves empty."""
    rows, below, made = page.rows, page.below, []
    for column in columns:
        told = [show(row[column.key], column.kind) for row in rows if column.key in row]
        if column.kind == "stack":
            told = [line for text in told for line in _stack(text)]
        if formulas := above.get(column.key):
            told += [str(row[formulas.key]) for row in rows]
        if column is not columns[0]:
            told += [show(row[column.key], column.kind) for row in below if column.key in row]
        made.append(size_of(column, max(map(cells, told), default=0)))
    for row in below:
        over = cells(show(row.get(columns[0].key), columns[0].kind))
        for column, own in zip(columns[1:], made[1:], strict=True):
            if column.key in row:
                break
            over -= own.least + GAP
        made[0] = Size(*(max(one, over) for one in made[0]))
    return made


def _table(part: Part, sections: Sequence[Sequence[Styled]], above: Above) -> Iterator[Line]:
    columns, sizes = part
    heads = [wrap(column.title, size) for column, size in zip(columns, sizes, strict=True)]
    for at, column in enumerate(columns):
        if column.key in above:
            heads[at] = [above[column.key].title, *heads[at]]
    yield from _joined([[[(line, "")] for line in head] for head in heads], part, "bold", above)
    yield [("─" * (sum(sizes) + GAP * (len(sizes) - 1)), "")]
    most = greatest([row for rows in sections for row, style in rows if not style], columns)
    for number, section in enumerate(sections):
        if number:
            yield []
        for row, style in section:
            bars = {} if style else most
            drawn = [_cell(row, *about, bars, above) for about in zip(columns, sizes, strict=True)]
            if style:
                _run_over(drawn, row, part)
            yield from _joined(drawn, part, style, above)


def _run_over(drawn: list[list[Line]], row: Record, part: Part) -> None:
    """Let the name of a line below the others take the cells behind it that are empty."""
    room = part.sizes[0]
    for column, size in zip(part.columns[1:], part.sizes[1:], strict=True):
        if column.key in row:
            break
        room += size + GAP
    drawn[0] = [[(shortened(str(row.get(part.columns[0].key, "")), room), "")]]


def _joined(drawn: Sequence[list[Line]], part: Part, style: str, above: Above) -> Iterator[Line]:
    """The lines of a row, from those of its cells; none ends in spaces."""
    height = max(map(len, drawn))
    for number in range(height):
        line: Line = []
        at = start = 0  # where the line ends, and where the column begins
        for column, size, cell in zip(part.columns, part.sizes, drawn, strict=True):
            # Below a formula is what it comes to, so the value stands beside its last line.
            place = number - (height - len(cell) if above and column.numeric else 0)
            spans = cell[place] if 0 <= place < len(cell) else []
            length = sum([cells(text) for text, _ in spans])
            begin = start + (size - length if column.numeric else 0)
            if length:
                own = f"{style} bold" if start == 0 else style
                line.append((" " * (begin - at), ""))
                line += [(text, f"{own} {look}") for text, look in spans]
                at = begin + length
            start += size + GAP
        yield line


def _cell(
    row: Record, column: Column, size: int, bars: Mapping[str, float], above: Above
) -> list[Line]:
    """The lines of a value, with a bar where its column has bars."""
    if column.key not in row:
        return []
    value = row[column.key]
    text = show(value, column.kind)
    if column.kind == "prose":
        formula = above.get(column.key)
        told = [*wrap(str(row[formula.key]), size)] if formula else []
        return [[(line, "")] for line in (*told, *wrap(text, size))]
    if column.kind == "stack":
        return [[(line, "")] for line in _stack(text)]
    if column.kind == "share":
        text = f"{text:>{PERCENT}}"
    full = bars.get(column.key)
    if isinstance(value, float) and value and full and (length := size - PERCENT - 1) > 0:
        return [[(f"{text} ", ""), (bar(value / full, length), "cyan")]]
    if column.kind == "text":
        text = shortened(text, size)
    return [[(text, "dim" if value in (0, None) else "")]]


def _stack(text: str) -> Iterator[str]:
    """The lines of a stack, in brackets as tall as they are."""
    for lines, times in stacked(text):
        if not times:
            yield lines[0]
            continue
        width, height = max(map(len, lines)), len(lines)
        left = ["⎡", *"⎢" * (height - 2), "⎣"] if height > 1 else ["["]
        right = ["⎤", *"⎥" * (height - 2), "⎦"] if height > 1 else ["]"]
        for at, line in enumerate(lines):
            tail = f" x {times}" if at == (height - 1) // 2 else ""
            yield f"{left[at]}{line:{width}}{right[at]}{tail}"
