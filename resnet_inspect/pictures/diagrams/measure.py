"""How large text is: the widths are Arimo's own, read from the font that the pictures carry.

What Graphviz makes of HTML-like tables (to_dot.py writes them) follows from the widths of words, so
sizes are known before anything is drawn, and without Graphviz.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from resnet_inspect.networks.wiring import IDENTITY, PADDING, PROJECTION
from resnet_inspect.pictures.diagrams.lengths import BRACKET, CELL, COLUMN, GAP, PANEL, TIMES
from resnet_inspect.pictures.diagrams.scene import Brackets, Columns, Line, Panel, Text
from resnet_inspect.pictures.themes import Theme

SPACING = 1.2
"""A line's height in its largest text, as Graphviz sets it."""


class Size(NamedTuple):
    """Points."""

    width: float
    height: float


@cache
def _advances(heavy: bool) -> dict[int, float]:
    """What a font advances by for each character, in ems."""
    name = f"Arimo-{'Bold' if heavy else 'Regular'}.ttf"
    font = (files("resnet_inspect.pictures") / "fonts" / name).read_bytes()
    tables = {
        tag: at
        for tag, _, at, _ in struct.iter_unpack(
            ">4sIII", font[12 : 12 + 16 * int.from_bytes(font[4:6])]
        )
    }
    (em,) = struct.unpack_from(">H", font, tables[b"head"] + 18)
    (count,) = struct.unpack_from(">H", font, tables[b"hhea"] + 34)
    steps = struct.unpack_from(">" + "Hh" * count, font, tables[b"hmtx"])[::2]
    return {
        code: steps[min(glyph, count - 1)] / em for code, glyph in _glyphs(font, tables[b"cmap"])
    }


def _glyphs(font: bytes, cmap: int) -> Iterator[tuple[int, int]]:
    """Characters with their glyphs (cmap format 4, OpenType specification)."""
    (count,) = struct.unpack_from(">H", font, cmap + 2)
    offsets = (struct.unpack_from(">HHI", font, cmap + 4 + 8 * n)[2] for n in range(count))
    at = next(cmap + x for x in offsets if struct.unpack_from(">H", font, cmap + x) == (4,))
    (twice,) = struct.unpack_from(">H", font, at + 6)
    number = twice // 2
    row = f">{number}H"
    ends = struct.unpack_from(row, font, at + 14)
    starts = struct.unpack_from(row, font, at + 16 + twice)
    deltas = struct.unpack_from(row, font, at + 16 + 2 * twice)
    ranges = at + 16 + 3 * twice
    leaps = struct.unpack_from(row, font, ranges)
    for n, (start, end, delta, leap) in enumerate(zip(starts, ends, deltas, leaps, strict=True)):
        for code in range(start, min(end, 0xFFFE) + 1):
            glyph = code
            if leap:
                where = ranges + 2 * n + leap + 2 * (code - start)
                (glyph,) = struct.unpack_from(">H", font, where)
            yield code, (glyph + delta) & 0xFFFF


def words_width(words: str, size: float, heavy: bool = False) -> float:
    """Points that words take; a character that Arimo lacks counts as a full em."""
    advances = _advances(heavy)
    return size * sum([advances.get(ord(character), 1.0) for character in words])


SAMPLES = {IDENTITY: "———", PROJECTION: "– – –", PADDING: "• • • •", "gate": "———"}
"""Pieces of a shortcut's line, made of glyphs, to stand before its name."""


def sample(text: Text, theme: Theme) -> Text:
    """A text as what is written: a piece of a line as its glyphs."""
    if not text.stroke:
        return text
    colour = text.colour or (theme.gate if text.stroke == "gate" else theme.shortcut)
    return Text(SAMPLES[text.stroke], _sample_size(text), True, colour)


def _sample_size(text: Text) -> float:
    return 9.0 if text.stroke == PADDING else 13.0


def text_size(text: Text) -> Size:
    """The size of some words."""
    if text.stroke:
        points = _sample_size(text)
        return Size(words_width(SAMPLES[text.stroke], points, heavy=True), SPACING * points)
    return Size(words_width(text.words, text.size, text.heavy), SPACING * text.size)


def line_size(line: Line) -> Size:
    """The size of words in a row, or of what else a line is."""
    if isinstance(line, Brackets):
        body = lines_size(line.lines)
        count = text_size(times(line))
        width = body.width + count.width + 4 * BRACKET + 2 * CELL
        return Size(width, max(body.height + 2 * CELL, count.height) + 2 * BRACKET)
    if isinstance(line, Columns):
        wide, high = zip(*map(lines_size, line.columns), strict=True)
        around = 2 * CELL + 2 * COLUMN
        return Size(sum(wide) + len(wide) * (around + GAP) + GAP, max(high) + around + 2 * GAP)
    if isinstance(line, Panel):
        width, height = lines_size(line.lines)
        return Size(width + 2 * PANEL, height + (len(line.lines) + 1) * PANEL)
    sizes = [text_size(text) for text in line]
    return Size(
        sum(size.width for size in sizes), max((size.height for size in sizes), default=0.0)
    )


def times(line: Brackets) -> Text:
    """What stands beside brackets."""
    return Text(f"× {line.count}", TIMES, heavy=True)


def lines_size(lines: Sequence[Line]) -> Size:
    """The size of lines under one another."""
    sizes = [line_size(line) for line in lines]
    return Size(
        max((size.width for size in sizes), default=0.0), sum(size.height for size in sizes)
    )
