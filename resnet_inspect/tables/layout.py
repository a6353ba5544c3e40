"""How wide the columns of a table are where there is only so much room, and which are left out.

A number is never cut. Where columns do not fit, headings wrap and bars get shorter, then the
columns that matter least are left out, then words are shortened and prose wraps; what still does
not fit stands below, beside the first column once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from resnet_inspect.tables.characters import beginning, cells
from resnet_inspect.tables.columns import Column

GAP = 2
"""Cells between columns."""

PERCENT, BAR, LEAST_BAR = len("100.0%"), 7, 4
"""Cells of a share, and of its bar with all room and with little."""

PROSE, MOST_PROSE = 36, 80
"""Cells that prose has before other columns are left out, and at most."""

WORDS, LEAST = 40, 14
"""Cells that a name has before other columns are left out, and words at least."""


class Size(NamedTuple):
    """Cells of a column: at least, before others are left out, and where there is room."""

    least: int
    fair: int
    most: int


class Part(NamedTuple):
    """Columns that stand side by side, and the cells of each."""

    columns: Sequence[Column]
    sizes: Sequence[int]


def size_of(column: Column, widest: int) -> Size:
    """The size of a column whose widest text has so many cells."""
    heading = max(map(cells, column.title.split(" ")))
    whole = max(widest, cells(column.title))
    if column.kind == "share":
        bars = (PERCENT + 1 + LEAST_BAR, PERCENT + 1 + BAR)
        return Size(max(PERCENT, heading), *(max(heading, bar) for bar in bars))
    if column.kind not in ("text", "prose"):
        return Size(least := max(widest, heading), least, whole)
    fair = min(widest, PROSE if column.kind == "prose" else WORDS)
    most = min(widest, MOST_PROSE) if column.kind == "prose" else whole
    return Size(*(max(cut, heading) for cut in (min(widest, LEAST), fair, most)))


def parts(
    columns: Sequence[Column], sizes: Callable[[Sequence[Column]], list[Size]], width: int | None
) -> list[Part]:
    """The columns that are shown in so many cells; one part unless even the last ones do not fit.

    sizes: those of some of the columns, which may depend on which there are.
    """
    kept = list(columns)
    while True:
        wanted = sizes(kept)
        if width is None:
            return [Part(kept, [size.most for size in wanted])]
        room = width - GAP * (len(kept) - 1)
        least, fair, most = ([size[at] for size in wanted] for at in range(3))
        if (left_out := _left_out(kept, sum(least) <= room, sum(fair) <= room)) is None:
            break
        kept.remove(left_out)
    if sum(fair) <= room:
        return [Part(kept, _spread(fair, most, room))]
    if sum(least) <= room:
        return [Part(kept, _spread(least, fair, room))]
    return _one_below_another(kept, wanted, width)


def _left_out(columns: Sequence[Column], can_fit: bool, fit: bool) -> Column | None:
    """The column to leave out next; None where all fit, or none may be left out."""
    first = max(columns, key=lambda column: column.rank)
    if not fit and first.rank > 0:
        return first
    last = min(columns, key=lambda column: column.rank)
    return last if not can_fit and last.rank < 0 else None


def _spread(sizes: Sequence[int], limits: Sequence[int], room: int) -> list[int]:
    """Sizes that grow to their limits as far as there is room, those that lack least first."""
    grown, spare = list(sizes), room - sum(sizes)
    for at in sorted(range(len(sizes)), key=lambda at: limits[at] - sizes[at]):
        grown[at] += min(spare, limits[at] - sizes[at])
        spare -= grown[at] - sizes[at]
    return grown


def _one_below_another(columns: Sequence[Column], sizes: Sequence[Size], width: int) -> list[Part]:
    """The columns in as many parts as it takes, each with those that name the rows."""
    widest = max((size.least for size in sizes[1:]), default=0)
    own = [min(sizes[0].fair, max(sizes[0].least, width - GAP - widest))]
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        if column.numeric or sum(own) + size.least > width // 3 - GAP * len(own):
            break
        own.append(size.least)
    heads = Part(columns[: len(own)], own)
    start = sum(own) + GAP * len(own)
    made: list[Part] = []
    at = width
    for column, size in zip(columns[len(own) :], sizes[len(own) :], strict=True):
        most = max(size.least, min(size.fair, width - start))
        if at + most > width:
            made.append(heads)
            at = start
        made[-1] = Part([*made[-1].columns, column], [*made[-1].sizes, most])
        at += most + GAP
    return made or [heads]


_UNIT = re.compile(r"(?<=\d) (?=[^\W\d_]|%)")


def wrapped(text: str, most: int | None) -> list[str]:
    """The lines of a text; none ends between a number and its unit, or the word behind it."""
    if most is None or cells(text) <= most:
        return [text]
    lines: list[str] = []
    for word in _UNIT.sub("\xa0", text).split(" "):
        if lines and cells(lines[-1]) + 1 + cells(word) <= most:
            lines[-1] += f" {word}"
        elif cells(word) <= most:
            lines.append(word)
        else:  # what has no space to wrap at
            for part in word.split("\xa0"):
                while part:
                    lines.append(beginning(part, most) or part)
                    part = part[len(lines[-1]) :]
    return [line.replace("\xa0", " ") for line in lines]
