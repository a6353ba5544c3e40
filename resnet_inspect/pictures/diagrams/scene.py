"""What a picture shows, before anything has its place: boxes in groups, and the edges between them.

A graph becomes a Scene (what is drawn), a Scene is laid out (where), and that is written as DOT
with positions, which Graphviz draws, or as TikZ. Nothing here has a coordinate, and nothing in
the layout knows what a network is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from resnet_inspect.pictures.diagrams.lengths import WORDS
from resnet_inspect.pictures.themes import Theme

Lane = Literal["main", "shortcut", "gate"]
Look = Literal["box", "pill", "sign", "fork", "end", "plain"]
Arrangement = Literal["series", "parallel", "free", "columns"]
Way = Literal["main", "skip", "shortcut", "gate"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words of one look. size: in points; colour: #rrggbb, or '' for the ink of where it is.

    stroke: a sample of the line of this kind of shortcut, or of a 'gate', instead of words; a
    swatch of a colour is the character ■ in it.
    """

    words: str
    size: float = 12.5
    heavy: bool = False
    colour: str = ""
    stroke: str = ""


@dataclass(frozen=True, slots=True)
class Brackets:
    """Lines in brackets that happen `count` times, as in He et al. 2015, Table 1."""

    lines: tuple[Line, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Lines side by side, each column in a thin frame: what runs in parallel."""

    columns: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines on the colour of the page, to the left, within a box: a stage's shortcuts."""

    lines: tuple[Line, ...]


Line = tuple[Text, ...] | Brackets | Columns | Panel


@dataclass(frozen=True, slots=True)
class Box:
    """Something with a border or a point of its own.

    name: unique in its network. lines: centred. look: a rounded 'box'; a 'pill' (what a shortcut
    runs on its way); a 'sign' (a circle with + or ×); a 'fork' (a point at which paths part); an
    'end' (input, output); 'plain' words. fill, ink, edge: #rrggbb, '' for the theme's. stroke: the
    kind of shortcut whose dashes its border has. lane: the main path, or what runs beside it: such
    a part stands at the side of all other parts of its group; where there are none, the main path
    passes it on its way from the part before the group to the one after. kind: its class in SVG.
    note: its tooltip, lines of text. It has no parts, frame or `align`, as a group may.
    """

    parts: ClassVar[tuple[Part, ...]] = ()
    frame: ClassVar[Frame | None] = None
    align: ClassVar[str] = ""
    count: ClassVar[int] = 1

    name: str
    lines: tuple[Line, ...] = ()
    look: Look = "box"
    fill: str = ""
    ink: str = ""
    edge: str = ""
    stroke: str = ""
    lane: Lane = "main"
    kind: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A border around a group, with a title in its corner."""

    title: tuple[Line, ...] = ()
    fill: str = ""
    edge: str = ""
    note: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Boxes that belong together.

    arrangement: 'series' along the direction of the picture; 'parallel', each part beside the one
    before; 'free', as their edges have it (interwoven layers); 'columns', into which the layout
    wraps a series. align: what makes groups (or their first boxes) of networks side by side start
    at the same height, '' for nothing. lane: as of a box; several boxes of one shortcut or gate
    are a group. count: the branches side by side that it stands for.
    """

    name: str
    parts: tuple[Part, ...]
    arrangement: Arrangement = "series"
    frame: Frame | None = None
    align: str = ""
    lane: Lane = "main"
    count: int = 1


Part = Box | Group


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge between two boxes, by name.

    way: 'main' runs straight where it can; 'skip' passes beside what lies between; 'shortcut' and
    'gate' leave and reach boxes at their side. stroke: the kind of shortcut. label: what passes
    (a shape), near its head; caption: words at the middle of a shortcut ('identity').
    """

    tail: str
    head: str
    way: Way = "main"
    stroke: str = ""
    label: str = ""
    caption: str = ""
    arrow: bool = True
    note: str = ""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The words at it."""
        words = self.label or self.caption
        return ((Text(words, WORDS),),) if words else ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """One network of a picture. heading: its name and totals, above it."""

    name: str
    heading: tuple[Line, ...]
    root: Group
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture: one network, or several side by side. sides: by `align` key, words that stand at
    the far side of what is aligned by it (output sizes), once for all networks."""

    name: str
    drawings: tuple[Drawing, ...]
    theme: Theme
    legend: tuple[Line, ...] = ()
    down: bool = True
    sides: dict[str, tuple[Line, ...]] = field(default_factory=dict)
