"""The pieces a diagram is made of, as DOT: boxes, signs, forks, edges, frames.

Text that a caller can choose (names of networks, stages, layers) reaches DOT through `escape` or
only `tip`, so markup in it stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import atan2, degrees, hypot
from typing import TYPE_CHECKING, Any

from resnet_inspect.counting.costs import Cost, part_cost
from resnet_inspect.counting.field import ReceptiveField
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.op_labels import show_dims
from resnet_inspect.networks.ops import Shape
from resnet_inspect.networks.wiring import IDENTITY, PADDING, PROJECTION
from resnet_inspect.pictures.diagrams import labels
from resnet_inspect.pictures.diagrams.fills import Fills
from resnet_inspect.pictures.diagrams.labels import escape, tip
from resnet_inspect.pictures.themes import Theme, text_on
from resnet_inspect.tables.characters import visible_lines
from resnet_inspect.tables.network import Row

if TYPE_CHECKING:
    import graphviz

FONT = "Arimo,Arial,Helvetica,Liberation Sans,sans-serif"
"""Arimo comes with this package; the next three have the same widths, and one is everywhere."""

SMALL = "11"
"""Points of the smallest text; Graphviz takes whole numbers inside of labels."""

STROKES = {IDENTITY: "solid", PROJECTION: "dashed", PADDING: "dotted"}
"""How each kind of shortcut is drawn."""

SHORTCUT_WIDTH = "2.2"


@dataclass(frozen=True, slots=True)
class Style:
    """What the caller chose. arithmetic: write a layer's weights out as a product.

    marks: for each network what became of its layers by name, where networks are told apart.
    """

    level: str
    direction: str
    theme: Theme
    color_by: str
    expand: bool = False
    arithmetic: bool = False
    marks: tuple[Mapping[str, str], ...] = ()

    @property
    def down(self) -> bool:
        return self.direction == "TB"


@dataclass
class Canvas:
    """A graphviz graph that is being filled with one network.

    prefix: sets its nodes apart from other networks'. anchors: the node that puts out what a layer
    makes, by the layer's name. place: the running order. members: nodes of the cluster at hand.
    later: edges between clusters, which must be written outside of them, or they would pull both
    nodes in. memo: what equal layers share.
    """

    dot: graphviz.Digraph
    style: Style
    fills: Fills
    graph: LayerGraph
    whole: Cost
    fields: Mapping[str, ReceptiveField | None]
    place: Mapping[str, int]
    prefix: str = ""
    anchors: dict[str, str] = field(default_factory=dict)
    later: list[str] = field(default_factory=list)
    members: set[str] = field(default_factory=set)
    indent: str = "\t"
    memo: dict[object, Any] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)

    def change(self, layers: Iterable[Layer]) -> str:
        """What became of some layers: the same of all, or that something changed."""
        found = {self.marks.get(layer.name, "same") for layer in layers} - {"resized"}
        return found.pop() if len(found) == 1 else "changed" if found else "same"

    @property
    def theme(self) -> Theme:
        return self.style.theme

    def node_id(self, name: str) -> str:
        """The node of a layer or block."""
        return self.prefix + identifier(name)

    def straight(self, lane: str = "main") -> str:
        """The group whose nodes dot keeps in a straight line."""
        return self.prefix + lane

    def row(self, name: str, kind: str, layers: Sequence[Layer]) -> Row:
        """The table's row for some layers."""
        spent = part_cost(self.graph, layers)
        seen = self.fields[layers[-1].name]
        return Row(name, layers[-1].path, kind, "", "", tuple(layers), spent, seen, self.whole, 4)

    def shape_of(self, name: str) -> Shape:
        """The shape of what a layer puts out, or of an input."""
        layer = self.graph.by_name.get(name)
        return self.graph.inputs[name] if layer is None else layer.output_shape

    def anchor(self, name: str) -> str:
        """The node that puts out what a layer makes, or an input's."""
        return self.anchors[name]

    def entering(self, names: Iterable[str]) -> dict[str, str]:
        """The nodes that put out some tensors, each with what it puts out last, the latest first.

        The first is on the main path.
        """
        found: dict[str, str] = {}
        for name in sorted(names, key=lambda name: self.place.get(name, -1), reverse=True):
            found.setdefault(self.anchor(name), name)
        return found

    def new_shape(self, name: str) -> Shape | None:
        """The shape that an edge from a layer says; the input says its own."""
        return self.shape_of(name) if name in self.graph.by_name else None

    def note(self, layer: Layer) -> str:
        """A layer's tooltip, as `tip` gives it."""
        facts = (layer.op, layer.input_shapes, layer.output_shape)
        sight = self.fields[layer.name]
        for key, columns in ((facts, labels.FACTS), (sight, labels.SIGHT)):
            if key not in self.memo:
                row = self.row(layer.name, "layer", (layer,))
                self.memo[key] = tip("".join(f"\n{line}" for line in labels.columns(row, columns)))
        return f"{tip(layer.name)}{self.memo[facts]}{self.memo[sight]}"

    def defaults(self) -> None:
        """Say once what most nodes of a network have in common."""
        look = {"class": self.style.level, "group": self.straight()}
        self._write(f"node [{attributes({**look, 'fontcolor': text_on(self.theme.page)})}]")

    def box(self, name: str, lines: Sequence[str], fill: str, note: str, **look: str) -> str:
        """A box with lines of HTML-like text, on the main path; returns its node."""
        return self.node(name, tip(note), attributes({**self.box_look(lines, fill), **look}))

    def box_look(self, lines: Sequence[str], fill: str) -> dict[str, str]:
        """Label and colours of a box."""
        label = f"<{lines[0]}>" if len(lines) == 1 else f"<{table(lines)}>"
        look = {"label": label, "fillcolor": fill}
        ink = text_on(fill)
        return look if ink == text_on(self.theme.page) else {**look, "fontcolor": ink}

    def node(self, name: str, note: str, look: str) -> str:
        """A node with a tooltip, as `tip` gives it, and attributes."""
        node = self.node_id(name)
        self.members.add(node)
        self._write(f"{quoted(node)} [tooltip={quoted(note)} {look}]")
        return node

    def _write(self, statement: str) -> None:
        self.dot.body.append(f"{self.indent}{statement}\n")

    def sign(self, name: str, sign: str, colour: str, note: str, kind: str) -> str:
        """A round node on the main path: an addition or a gating."""
        look = {"label": sign, "fillcolor": self.theme.page, "color": colour, "fontcolor": colour}
        return self.node(name, note, attributes({**look, **ROUND, "class": kind}))

    def fork(self, name: str, note: str, colour: str, *, width: str = "0.1") -> str:
        """The point on the main path at which what runs beside it leaves."""
        look = {"shape": "point", "width": width, "color": colour, "class": "fork"}
        return self.node(f"{name}/fork", tip(note), attributes(look))

    def main(
        self,
        tail: str,
        head: str,
        shape: Shape | None = None,
        *,
        fork: bool = False,
        tight: bool = False,
        straight: bool = True,
    ) -> None:
        """An edge with the shape of what passes, to a box or a fork.

        tight: the shape has to do with the gap that is there anyway. straight: whether it is of
        the main path, or bends around it.
        """
        look = {"arrowhead": "none"} if fork else {}
        if not straight:
            look["weight"] = "1"
        if shape is not None:
            look.update(self._shape_label(show_dims(shape), 0 if fork else 9 if tight else 17))
            if not (fork or tight):
                look["minlen"] = "2"
        self._edge(tail, head, look)

    def skip(self, tail: str, head: str, shape: Shape) -> None:
        """An edge from further back than the unit before, which runs beside the main path."""
        look = {"weight": "0", "tooltip": show_dims(shape), "class": "skip"}
        self._edge(tail, head, look)

    def shortcut(self, tail: str, head: str, kind: str, **look: str) -> None:
        """An edge of a shortcut; its ends may carry ports."""
        look = {"color": self.theme.shortcut, "style": STROKES[kind], **look}
        look |= {"penwidth": SHORTCUT_WIDTH, "weight": "1", "tooltip": f"{kind} shortcut"}
        self._edge(tail, head, {**look, "class": f"shortcut {kind}"})

    def gate(self, tail: str, head: str) -> None:
        """An edge of a branch that makes a gate."""
        look = {"color": self.theme.gate, "weight": "1", "tooltip": "gate", "class": "gate"}
        self._edge(tail, head, look)

    def _edge(self, tail: str, head: str, look: Mapping[str, str]) -> None:
        (start, _, _), (end, _, _) = tail.partition(":"), head.partition(":")
        statement = f"{_end(tail)} -> {_end(head)} [{attributes(look)}]"
        if start in self.members and end in self.members:
            self._write(statement)
        else:
            self.later.append(f"\t{statement}\n")

    def beside(self, node: str) -> str:
        """The port of a node on the side where shortcuts run."""
        return f"{node}:e" if self.style.down else f"{node}:n"

    def _shape_label(self, text: str, rise: int) -> dict[str, str]:
        """A shape to the left of an edge's head, or above the edge if the picture runs right.

        Downwards it is a head label, which takes no rank of its own and so no height; its place is
        given as an angle and a distance in tens of points (graphviz.org/docs/attrs/labeldistance).
        """
        if not self.style.down:
            return {"label": f"<{table([text, ''], padding=2)}>"}
        aside = len(text) * 3.06 + 9  # half the text's width, digits being 0.556 em wide
        return {
            "headlabel": text,
            "labelangle": f"{degrees(atan2(aside, rise)):.0f}",
            "labeldistance": f"{hypot(aside, rise) / 10:.2f}",
        }

    @contextmanager
    def cluster(self, name: str, label: str, **look: str) -> Iterator[Canvas]:
        """A frame around what is drawn inside, with a label of HTML-like text."""
        self._write(f"subgraph {quoted(f'cluster_{self.node_id(name)}')} {{")
        inside = replace(self, indent=f"{self.indent}\t", members=set())
        inside._write(f"graph [{attributes({'label': f'<{label}>', **look})}]")
        yield inside
        self._write("}")


_UNSAFE = str.maketrans({":": "∶", "\\": "∖", "<": "‹", ">": "›"})
_SAFE = re.compile(r"[\w./ -]*", re.ASCII).fullmatch


def identifier(name: str) -> str:
    """A name as DOT's ID: a colon would start a port, <> enclose markup, a backslash escape."""
    return name if _SAFE(name) else visible_lines(name).translate(_UNSAFE)


# Statements are written here rather than by Digraph.node, edge and subgraph: their quoting and
# copying takes longer than all else that a drawing of every layer needs.


def quoted(text: str) -> str:
    """Text as DOT takes it: markup in <> as it is, all else in quotes."""
    if text.startswith("<") and text.endswith(">"):
        return text
    return '"' + text.replace('"', '\\"') + '"'


def attributes(look: Mapping[str, str]) -> str:
    """An attribute list."""
    return " ".join([f"{key}={quoted(value)}" for key, value in look.items()])


def _end(end: str) -> str:
    node, colon, port = end.partition(":")
    return f"{quoted(node)}{colon}{port}"


ROUND = {
    "shape": "circle",
    "fixedsize": "true",
    "width": "0.3",
    "height": "0.3",
    "fontsize": "18",
    "penwidth": "1.8",
}


def table(lines: Sequence[str], padding: int = 1, align: str = "CENTER") -> str:
    """Lines of HTML-like text under one another."""
    rows = "".join(f'<TR><TD ALIGN="{align}">{line}</TD></TR>' for line in lines)
    return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="{padding}">{rows}</TABLE>'


def words(lines: Sequence[labels.Line]) -> list[str]:
    """What a box says in bold, as HTML-like text."""
    return [bold(line) if isinstance(line, str) else _side_by_side(line) for line in lines]


def _side_by_side(line: labels.Columns) -> str:
    cells = "".join(f"<TD>{table(words(column))}</TD>" for column in line.columns)
    return f'<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="3"><TR>{cells}</TR></TABLE>'


_SAMPLES = {IDENTITY: "———", PROJECTION: "– – –", PADDING: "· · · · ·"}


def stroke_sample(kind: str, colour: str) -> str:
    """A piece of a shortcut's line, made of dashes, to stand before its name."""
    return sized(_SAMPLES[kind], "13", colour, heavy=True)


def bold(text: str) -> str:
    return f"<B>{escape(text)}</B>"


def sized(text: str, points: str, colour: str = "", *, heavy: bool = False) -> str:
    """Escaped text of a size."""
    tint = f' COLOR="{colour}"' if colour else ""
    inner = bold(text) if heavy else escape(text)
    return f'<FONT POINT-SIZE="{points}"{tint}>{inner}</FONT>'
