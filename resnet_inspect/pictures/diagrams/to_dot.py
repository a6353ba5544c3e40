"""A sheet as DOT with positions: Graphviz draws it as it is (nop2), or lays it out anew (dot).

Text that a caller can choose (names of networks, stages, layers) reaches DOT through `escape` or
`tip`, so markup in it stays text. Statements are written here rather than by graphviz.Digraph:
its quoting and copying takes longer than all else that a drawing of every layer needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape as _escape

from resnet_inspect.pictures.diagrams.lengths import BRACKET, COLUMN, GAP, PANEL, WORDS
from resnet_inspect.pictures.diagrams.measure import sample, times
from resnet_inspect.pictures.diagrams.scene import (
    Box,
    Brackets,
    Columns,
    Edge,
    Line,
    Panel,
    Part,
    Text,
)
from resnet_inspect.pictures.diagrams.sheet import Path, Placed, Point, Rect, Sheet
from resnet_inspect.pictures.diagrams.strokes import STROKES, edge_look, stroke_width
from resnet_inspect.pictures.themes import Theme, text_on
from resnet_inspect.tables.characters import visible_lines

FONT = "Arimo,Arial,Helvetica,Liberation Sans,sans-serif"
"""Arimo comes with this package; the next three have the same widths, and one is everywhere."""

POINTS = Text("").size
"""Points of a box's text where nothing else is said."""


def write_dot(sheet: Sheet) -> str:
    """DOT in which everything has its position."""
    scene, theme = sheet.scene, sheet.scene.theme
    lines = [f"digraph {quoted(identifier(scene.name))} {{"]
    lines += _defaults(theme, scene.down)
    lines.append(f"\tgraph [{attributes(_graph(sheet))}]")
    for number, placed in enumerate(sheet.placed, start=1):
        alone = len(sheet.placed) == 1
        writer = _Writer(sheet, placed, "" if alone else f"{number}/")
        lines += writer.drawing(alone)
    for at, (words, rect) in enumerate(sheet.sides):
        look = _PLAIN | {"label": html(words, theme, "LEFT"), "class": "side"}
        lines.append(f"\t{quoted(f'side/{at}')} [{attributes(look | _place(sheet, rect))}]")
    return "\n".join([*lines, "}\n"])


_PLAIN = {"shape": "plaintext", "style": ""}


def _graph(sheet: Sheet) -> dict[str, str]:
    """Size, heading and legend of a picture."""
    scene = sheet.scene
    # A ground of the picture's size keeps it from being cut to what is on it.
    x, y = f"{sheet.width:.2f}", f"{sheet.height:.2f}"
    ink = f"7 -{scene.theme.page}"
    look = {
        "pad": "0",
        "margin": "0",
        "_background": f"c {ink} C {ink} P 4 0 0 {x} 0 {x} {y} 0 {y}",
    }
    if sheet.shown:
        look["size"] = f"{sheet.shown.width / 72:.4f},{sheet.shown.height / 72:.4f}"
    rect, lines = sheet.legend, scene.legend
    if len(sheet.placed) == 1:
        own = sheet.placed[0]
        lines = (*own.drawing.heading, *lines)
        if lines:
            right = max(rect.right, own.heading.right)
            bottom = rect.bottom if scene.legend else own.heading.bottom
            rect = Rect(own.heading.left, own.heading.top, right, bottom)
    return {**look, **_titled(sheet, lines, rect)} if lines else look


def _titled(sheet: Sheet, lines: Sequence[Line], rect: Rect) -> dict[str, str]:
    return {"label": html(lines, sheet.scene.theme, "LEFT"), "lp": _point(sheet, rect.centre)}


def _defaults(theme: Theme, down: bool) -> Iterator[str]:
    """What holds for all boxes and edges that say nothing else."""
    yield (
        f'\tgraph [rankdir="{"TB" if down else "LR"}" bgcolor="{theme.page}" fontname="{FONT}" '
        f'fontsize="12" fontcolor="{theme.ink}" labelloc="t" labeljust="l"]'
    )
    yield (
        f'\tnode [shape="box" style="rounded,filled" fontname="{FONT}" fontsize="{POINTS:g}" '
        f'fontcolor="{text_on(theme.page)}" fillcolor="{theme.page}" color="{theme.line}" '
        'penwidth="1.1" margin="0"]'
    )
    yield (
        f'\tedge [fontname="{FONT}" fontsize="{WORDS:g}" fontcolor="{theme.muted}" '
        f'color="{theme.line}" penwidth="1.4" arrowsize="0.7"]'
    )


class _Writer:
    """One network's statements. prefix: sets its nodes apart from other networks'."""

    def __init__(self, sheet: Sheet, placed: Placed, prefix: str) -> None:
        self.sheet = sheet
        self.placed = placed
        self.prefix = prefix
        self.theme = sheet.scene.theme

    def node(self, name: str) -> str:
        return quoted(self.prefix + identifier(name))

    def drawing(self, alone: bool) -> Iterator[str]:
        """Its boxes and frames, among others in a cluster of its own with its heading."""
        root = self.placed.drawing.root
        if alone:
            yield from self._part(root, "\t")
        else:
            look = self._bounds(self.placed.rect) | {"peripheries": "0"}
            lines, rect = self.placed.drawing.heading, self.placed.heading
            look |= _titled(self.sheet, lines, rect) if lines else {"label": ""}
            yield f"\tsubgraph {quoted(f'cluster_{self.prefix}network')} {{"
            yield f"\t\tgraph [{attributes(look)}]"
            yield from self._part(root, "\t\t")
            yield "\t}"
        for path in self.placed.paths:
            yield self._edge(path)

    def _part(self, part: Part, indent: str) -> Iterator[str]:
        if isinstance(part, Box):
            rect = self.placed.boxes[part.name][1]
            look = _look(part, self.theme) | _place(self.sheet, rect)
            yield f"{indent}{self.node(part.name)} [{attributes(look)}]"
            return
        framed = self.placed.frames.get(part.name)
        inside = indent
        if framed is not None:
            frame, inside = framed.frame, f"{indent}\t"
            look = self._bounds(framed.rect) | {
                "style": "rounded,filled",
                "color": frame.edge or self.theme.muted,
                "fillcolor": frame.fill or self.theme.page,
                "tooltip": tip(frame.note),
                "penwidth": "1.2",
                "peripheries": "1",
                "margin": "8",
                "class": frame.kind,
                "label": "",
            }
            if frame.title:
                look |= _titled(self.sheet, frame.title, framed.title)
            name = quoted(f"cluster_{self.prefix}{identifier(part.name)}")
            yield f"{indent}subgraph {name} {{"
            yield f"{inside}graph [{attributes(look)}]"
        for inner in part.parts:
            yield from self._part(inner, inside)
        if framed is not None:
            yield f"{indent}}}"

    def _edge(self, path: Path) -> str:
        edge = path.edge
        look = _stroke(edge, self.theme)
        if not edge.arrow:
            look["arrowhead"] = "none"
        if path.words:
            look["label"] = html(edge.lines, self.theme, points=WORDS)
            look["lp"] = _point(self.sheet, path.words.centre)
        points = " ".join(_point(self.sheet, at) for at in path.points)
        look["pos"] = f"e,{_point(self.sheet, path.tip)} {points}" if path.tip else points
        return f"\t{self.node(edge.tail)} -> {self.node(edge.head)} [{attributes(look)}]"

    def _bounds(self, rect: Rect) -> dict[str, str]:
        low = _point(self.sheet, Point(rect.left, rect.bottom))
        return {"bb": f"{low},{_point(self.sheet, Point(rect.right, rect.top))}"}


def _point(sheet: Sheet, at: Point) -> str:
    return f"{at.x:.2f},{sheet.height - at.y:.2f}"


def _place(sheet: Sheet, rect: Rect) -> dict[str, str]:
    size = {"width": f"{rect.width / 72:.4f}", "height": f"{rect.height / 72:.4f}"}
    return {"pos": _point(sheet, rect.centre), **size}


def _look(box: Box, theme: Theme) -> dict[str, str]:
    """What a box looks like, as far as it differs from others."""
    look = {"class": box.kind} if box.kind else {}
    look["tooltip"] = tip(box.note)
    fill = box.fill or theme.page
    if box.look == "fork":
        hue = box.edge or theme.line
        return {**look, "shape": "point", "color": hue, "fillcolor": hue}
    look["label"] = html(box.lines, theme)
    if box.look == "plain":
        return look | _PLAIN | ({"fontcolor": box.ink} if box.ink else {})
    if box.fill:
        look["fillcolor"] = fill
    ink = box.ink or text_on(fill)
    if ink != text_on(theme.page):
        look["fontcolor"] = ink
    if box.edge:
        look["color"] = box.edge
    if box.look == "sign":
        look |= {"shape": "circle", "fixedsize": "true", "penwidth": "1.8"}
    if box.stroke:
        look["style"] = f"rounded,filled,{STROKES[box.stroke]}"
        look["penwidth"] = f"{stroke_width(box):g}"
    return look


def _stroke(edge: Edge, theme: Theme) -> dict[str, str]:
    """What an edge looks like, as far as it differs from one of the main path."""
    look = {"tooltip": tip(edge.note)} if edge.note else {}
    if edge.way != "main":
        look["class"] = f"{edge.way} {edge.stroke}".strip()
    hue, width = edge_look(edge, theme)
    if hue != theme.line:
        look |= {"color": hue, "penwidth": f"{width:g}"}
    if edge.stroke:
        look["style"] = STROKES[edge.stroke]
    return look


# --- text ----------------------------------------------------------------------------------------


def html(lines: Sequence[Line], theme: Theme, align: str = "CENTER", points: float = POINTS) -> str:
    """Lines as a label of HTML-like text. points: of text where nothing else is said."""
    if len(lines) == 1 and isinstance(lines[0], tuple):
        return f"<{_row(lines[0], theme, points)}>"
    return f"<{_table(lines, theme, align, points)}>"


def _table(lines: Sequence[Line], theme: Theme, align: str, points: float) -> str:
    cells = [_line(line, theme, points) for line in lines]
    rows = "".join(f'<TR><TD ALIGN="{align}">{cell}</TD></TR>' for cell in cells)
    return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>'


def _line(line: Line, theme: Theme, points: float) -> str:
    if isinstance(line, Brackets):
        return (
            f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="{BRACKET}"><TR>'
            f'<TD BORDER="1" SIDES="LR">{_table(line.lines, theme, "CENTER", points)}</TD>'
            f"<TD>{_row((times(line),), theme, points)}</TD></TR></TABLE>"
        )
    if isinstance(line, Columns):
        tables = (_table(column, theme, "CENTER", points) for column in line.columns)
        cells = "".join(f"<TD>{table}</TD>" for table in tables)
        look = f'BORDER="0" CELLBORDER="1" CELLSPACING="{GAP}" CELLPADDING="{COLUMN}"'
        return f"<TABLE {look}><TR>{cells}</TR></TABLE>"
    if isinstance(line, Panel):
        cells = "".join(
            f'<TR><TD ALIGN="LEFT">{_line(row, theme, points)}</TD></TR>' for row in line.lines
        )
        look = f'BORDER="0" CELLSPACING="{PANEL}" CELLPADDING="0" STYLE="rounded"'
        return f'<TABLE {look} BGCOLOR="{theme.page}">{cells}</TABLE>'
    return _row(line, theme, points)


def _row(texts: Sequence[Text], theme: Theme, points: float) -> str:
    return "".join(_words(sample(text, theme), points) for text in texts)


def _words(text: Text, points: float) -> str:
    """Words in their look; Graphviz takes whole points inside of labels."""
    inner = f"<B>{escape(text.words)}</B>" if text.heavy else escape(text.words)
    look = f' POINT-SIZE="{round(text.size)}"' if text.size != points else ""
    look += f' COLOR="{text.colour}"' if text.colour else ""
    return f"<FONT{look}>{inner}</FONT>" if look else inner


# Graphviz takes \N, \G and others in labels and tooltips for names of nodes and graphs to put in,
# and has no way to say in all of them that they are not; a space without width behind the
# backslash keeps them apart.
_BACKSLASH = "\\\u200b"


def escape(text: str) -> str:
    """Text that stays text in an HTML-like label, whatever markup it holds."""
    line = visible_lines(text).replace("\n", " ").replace("\t", " ")
    return _escape(line.replace("\\", _BACKSLASH))


def tip(text: str) -> str:
    """Text that stays text in a tooltip: DOT's escString, in which line breaks are escapes."""
    kept = visible_lines(text).replace("\\", f"\\{_BACKSLASH}").replace("&", "&amp;")
    return kept.replace("\n", "\\n")


_UNSAFE = str.maketrans({":": "∶", "\\": "∖", "<": "‹", ">": "›"})
_SAFE = re.compile(r"[\w./ -]*", re.ASCII).fullmatch


def identifier(name: str) -> str:
    """A name as DOT's ID: a colon would start a port, <> enclose markup, a backslash escape."""
    return name if _SAFE(name) else visible_lines(name).translate(_UNSAFE)


def quoted(text: str) -> str:
    """Text as DOT takes it: markup in <> as it is, all else in quotes."""
    if text.startswith("<") and text.endswith(">"):
        return text
    return '"' + text.replace('"', '\\"') + '"'


def attributes(look: Mapping[str, str]) -> str:
    """An attribute list."""
    return " ".join([f"{key}={quoted(value)}" for key, value in look.items()])
