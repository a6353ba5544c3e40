"""A sheet as TikZ: a document by itself, or a picture that another one takes in.

Helvetica, which every LaTeX has, is as wide as the Arimo that sizes were worked out for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from resnet_inspect.networks.wiring import PADDING, PROJECTION
from resnet_inspect.pictures.diagrams.lengths import BRACKET, CELL, COLUMN, GAP, PANEL
from resnet_inspect.pictures.diagrams.measure import (
    line_size,
    lines_size,
    sample,
    text_size,
    times,
    words_width,
)
from resnet_inspect.pictures.diagrams.scene import Box, Brackets, Columns, Line, Panel, Text
from resnet_inspect.pictures.diagrams.sheet import Framed, Path, Placed, Point, Rect, Sheet
from resnet_inspect.pictures.diagrams.strokes import edge_look, stroke_width
from resnet_inspect.pictures.themes import text_on
from resnet_inspect.tables.characters import visible_lines
from resnet_inspect.tables.latex import ESCAPES, latex_spelled

_BEFORE = r"""% A picture of {name}, which compiles by itself. To put it into a paper, write there
% \usepackage[T1]{{fontenc}} \usepackage{{standalone,tikz,helvet}} \usetikzlibrary{{arrows.meta}}
% and \input this file.
\documentclass{{standalone}}
\usepackage[T1]{{fontenc}}
\usepackage{{helvet}}
\usepackage{{tikz}}
\usetikzlibrary{{arrows.meta}}
\begin{{document}}
"""

Align = Literal["left", "center"]

_DASHES = {
    PROJECTION: ", dash pattern=on {0:.2f}bp off {1:.2f}bp",
    PADDING: ", line cap=round, dash pattern=on 0bp off {2:.2f}bp",
}
"""A dash, the gap behind it, and the step of dots."""


def write_tikz(sheet: Sheet) -> str:
    """LaTeX of a picture at its size on paper."""
    return _Tikz(sheet).document()


class _Tikz:
    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.theme = sheet.scene.theme
        self.scale = sheet.shown.width / sheet.width if sheet.shown else 1.0
        self.colours: dict[str, None] = {}

    def document(self) -> str:
        body = list(self._body())
        name = visible_lines(self.sheet.scene.name).replace("\n", " ")
        unit = f"{self.scale:.5f}bp"
        hues = ((_named(hue), hue[1:].upper()) for hue in self.colours)
        lines = [
            _BEFORE.format(name=latex_spelled(name)).rstrip(),
            f"\\begin{{tikzpicture}}[x={unit}, y=-{unit}]",
            *(f"\\definecolor{{{name}}}{{HTML}}{{{value}}}" for name, value in hues),
            *body,
            r"\end{tikzpicture}",
            r"\end{document}",
        ]
        return "\n".join(lines) + "\n"

    def _body(self) -> Iterator[str]:
        sheet, theme = self.sheet, self.theme
        whole = Rect(0, 0, sheet.width, sheet.height)
        yield f"\\fill[{self.colour(theme.page)}] {_corners(whole)};"
        for placed in sheet.placed:
            yield from self._network(placed)
        yield from self.words(sheet.scene.legend, sheet.legend, theme.ink, "left")
        for lines, rect in sheet.sides:
            yield from self.words(lines, rect, theme.muted, "left")

    def _network(self, placed: Placed) -> Iterator[str]:
        yield from self.words(placed.drawing.heading, placed.heading, self.theme.ink, "left")
        for framed in placed.frames.values():
            yield from self._frame(framed)
        for path in placed.paths:
            yield self._path(path)
        for box, rect in placed.boxes.values():
            yield from self._box(box, rect)
        for path in placed.paths:
            if path.words:
                yield from self.words(path.edge.lines, path.words, self.theme.muted)

    def colour(self, hue: str) -> str:
        """A colour's name, to be defined before the picture."""
        self.colours.setdefault(hue)
        return _named(hue)

    def length(self, points: float) -> str:
        return f"{points * self.scale:.2f}bp"

    def _frame(self, framed: Framed) -> Iterator[str]:
        frame, theme = framed.frame, self.theme
        yield self._rounded(
            framed.rect, frame.fill or theme.page, frame.edge or theme.muted, 1.2, 8
        )
        yield from self.words(frame.title, framed.title, theme.ink, "left")

    def _rounded(
        self, rect: Rect, fill: str, edge: str, width: float, radius: float, dashes: str = ""
    ) -> str:
        draw = f"draw={self.colour(edge)}, " if edge else ""
        return (
            f"\\path[{draw}fill={self.colour(fill)}, line width={self.length(width)}, "
            f"rounded corners={self.length(radius)}{dashes}] {_corners(rect)};"
        )

    def _box(self, box: Box, rect: Rect) -> Iterator[str]:
        theme = self.theme
        fill, edge = box.fill or theme.page, box.edge or theme.line
        if box.look in ("fork", "sign"):
            at, radius = _at(rect.centre), self.length(rect.width / 2)
            ground = edge if box.look == "fork" else fill
            yield (
                f"\\path[draw={self.colour(edge)}, fill={self.colour(ground)}, "
                f"line width={self.length(1.8)}] {at} circle[radius={radius}];"
            )
        elif box.look != "plain":
            width = stroke_width(box)
            yield self._rounded(rect, fill, edge, width, 6, self._dashes(box.stroke))
        yield from self.words(box.lines, rect, box.ink or text_on(fill))

    def _path(self, path: Path) -> str:
        hue, width = edge_look(path.edge, self.theme)
        tip = ""
        if path.tip:
            tip = f", -{{Stealth[length={self.length(7)}, width={self.length(5.5)}]}}"
        end = f" -- {_at(path.tip)}" if path.tip else ""
        dashes = self._dashes(path.edge.stroke) if path.edge.way == "shortcut" else ""
        look = f"draw={self.colour(hue)}, line width={self.length(width)}{dashes}{tip}"
        return f"\\path[{look}] {_curve(path.points)}{end};"

    def _dashes(self, stroke: str) -> str:
        return _DASHES.get(stroke, "").format(*(x * self.scale for x in (6.0, 4.0, 5.5)))

    # --- text ------------------------------------------------------------------------------------

    def words(
        self, lines: Sequence[Line], rect: Rect, ink: str, align: Align = "center"
    ) -> Iterator[str]:
        """Lines under one another, in the middle of a place."""
        size = lines_size(lines)
        top = rect.centre.y - size.height / 2
        for line in lines:
            height = line_size(line).height
            yield from self._line(line, Rect(rect.left, top, rect.right, top + height), ink, align)
            top += height

    def _line(self, line: Line, rect: Rect, ink: str, align: Align) -> Iterator[str]:
        if isinstance(line, tuple):
            yield from self._texts(line, rect, ink, align)
            return
        wide, high = line_size(line)
        left = _left(rect, wide, align)
        inside = Rect(left, rect.centre.y - high / 2, left + wide, rect.centre.y + high / 2)
        if isinstance(line, Brackets):
            yield from self._brackets(line, inside, ink)
        elif isinstance(line, Columns):
            yield from self._columns(line, inside, ink)
        else:
            yield from self._panel(line, inside)

    def _brackets(self, line: Brackets, rect: Rect, ink: str) -> Iterator[str]:
        body = lines_size(line.lines).width + 2 * (BRACKET + CELL)
        inner = Rect(rect.left, rect.top, rect.left + body, rect.bottom)
        for x in (inner.left, inner.right):
            yield (
                f"\\draw[{self.colour(ink)}, line width={self.length(1)}] "
                f"({x:.2f},{rect.top:.2f}) -- ({x:.2f},{rect.bottom:.2f});"
            )
        yield from self.words(line.lines, inner, ink)
        beside = Rect(inner.right, rect.top, rect.right, rect.bottom)
        yield from self.words(((times(line),),), beside, ink)

    def _columns(self, line: Columns, rect: Rect, ink: str) -> Iterator[str]:
        left = rect.left + GAP
        for column in line.columns:
            wide = lines_size(column).width + 2 * (CELL + COLUMN)
            inner = Rect(left, rect.top + GAP, left + wide, rect.bottom - GAP)
            yield f"\\draw[{self.colour(ink)}, line width={self.length(0.8)}] {_corners(inner)};"
            yield from self.words(column, inner, ink)
            left += wide + GAP

    def _panel(self, line: Panel, rect: Rect) -> Iterator[str]:
        yield self._rounded(rect, self.theme.page, "", 0, 4)
        top = rect.top + PANEL
        for row in line.lines:
            high = line_size(row).height
            inner = Rect(rect.left + PANEL, top, rect.right - PANEL, top + high)
            yield from self._line(row, inner, self.theme.ink, "left")
            top += high + PANEL

    def _texts(self, texts: Sequence[Text], rect: Rect, ink: str, align: Align) -> Iterator[str]:
        x = _left(rect, sum(text_size(text).width for text in texts), align)
        largest = max((text.size for text in texts), default=0.0)
        base = rect.centre.y + 0.36 * largest  # half of a capital's height below the middle
        for text in texts:
            own = text_size(text).width
            hue = sample(text, self.theme).colour or ink
            if text.stroke:
                middle = base - 0.3 * largest
                look = f"{self.colour(hue)}, line width={self.length(2.2)}"
                yield (
                    f"\\draw[{look}{self._dashes(text.stroke)}] "
                    f"({x:.2f},{middle:.2f}) -- ({x + own:.2f},{middle:.2f});"
                )
            elif text.words.strip():
                lead = len(text.words) - len(text.words.lstrip())
                at = x + words_width(text.words[:lead], text.size, text.heavy)
                yield self._text(text, at, base, hue)
            x += own

    def _text(self, text: Text, x: float, y: float, hue: str) -> str:
        size = text.size * self.scale
        series = "b" if text.heavy else "m"
        font = rf"\fontsize{{{size:.2f}bp}}{{0bp}}\usefont{{T1}}{{phv}}{{{series}}}{{n}}"
        return (
            f"\\node[anchor=base west, inner sep=0pt, text={self.colour(hue)}, font={font}] "
            f"at ({x:.2f},{y:.2f}) {{{escaped(text.words.strip())}}};"
        )


_SPECIAL = {
    '"': r"\textquotedbl{}",
    "-": "{-}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "■": r"\rule{0.62em}{0.62em}",
    "█": r"\rule[-0.2em]{0.6em}{0.95em}",
    # Helvetica's own signs and Symbol's, since math's keep to a size and a width of their own
    "×": r"\texttimes{}",
    "·": r"\textperiodcentered{}",
    "−": r"\textminus{}",
    "±": r"\textpm{}",
    "²": r"\texttwosuperior{}",
    "³": r"\textthreesuperior{}",
    **{
        sign: rf"{{\usefont{{U}}{{psy}}{{m}}{{r}}\char{code}}}"
        for sign, code in {"→": 174, "≤": 163, "≥": 179, "≠": 185, "≈": 187, "∞": 165}.items()
    },
}
_SPELLED = ESCAPES | str.maketrans(_SPECIAL)


def escaped(words: str) -> str:
    """Words as LaTeX that prints them, whatever they hold."""
    line = visible_lines(words).replace("\n", " ").replace("\t", " ")
    return latex_spelled(line.translate(_SPELLED))


def _left(rect: Rect, wide: float, align: Align) -> float:
    """Where something begins in a place."""
    return rect.left if align == "left" else rect.centre.x - wide / 2


def _named(hue: str) -> str:
    return f"hue{hue[1:].lower()}"


def _at(point: Point) -> str:
    return f"({point.x:.2f},{point.y:.2f})"


def _corners(rect: Rect) -> str:
    return f"({rect.left:.2f},{rect.top:.2f}) rectangle ({rect.right:.2f},{rect.bottom:.2f})"


def _curve(points: Sequence[Point]) -> str:
    pieces = (points[at : at + 4] for at in range(0, len(points) - 3, 3))
    return _at(points[0]) + "".join(_piece(*piece) for piece in pieces)


def _piece(start: Point, first: Point, second: Point, end: Point) -> str:
    """A line or a curve to a point."""
    dx, dy = end.x - start.x, end.y - start.y
    bends = (abs(dx * (at.y - start.y) - dy * (at.x - start.x)) > 0.01 for at in (first, second))
    if any(bends):
        return f" .. controls {_at(first)} and {_at(second)} .. {_at(end)}"
    return f" -- {_at(end)}"
