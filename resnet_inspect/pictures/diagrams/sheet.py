"""A scene that has its places: what to_dot.py and to_tikz.py write down.

Points, y downwards, from the upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from resnet_inspect.pictures.diagrams.measure import Size
from resnet_inspect.pictures.diagrams.scene import Box, Drawing, Edge, Frame, Line, Scene


class Point(NamedTuple):
    x: float
    y: float


class Rect(NamedTuple):
    """From its upper left to its lower right corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def centre(self) -> Point:
        return Point((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def moved(self, x: float, y: float) -> Rect:
        return Rect(self.left + x, self.top + y, self.right + x, self.bottom + y)


@dataclass(frozen=True, slots=True)
class Path:
    """An edge: a curve of cubic pieces (a start, then three points for each), and its words.

    tip: where its arrow ends; the curve ends at the arrow's start.
    """

    edge: Edge
    points: tuple[Point, ...]
    tip: Point | None = None
    words: Rect | None = None


@dataclass(frozen=True, slots=True)
class Framed:
    """A frame with the place of its title."""

    frame: Frame
    rect: Rect
    title: Rect


@dataclass(frozen=True, slots=True)
class Placed:
    """One network: its boxes and its frames by name, its edges, and its heading."""

    drawing: Drawing
    rect: Rect
    heading: Rect
    boxes: dict[str, tuple[Box, Rect]]
    frames: dict[str, Framed]
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture that has its places.

    width, height: points as it is laid out. shown: the points that it takes on paper, where they
    were asked for. sides: words at the side. notes: what could not be had.
    """

    scene: Scene
    width: float
    height: float
    placed: tuple[Placed, ...]
    legend: Rect
    sides: tuple[tuple[tuple[Line, ...], Rect], ...] = ()
    shown: Size | None = None
    notes: tuple[str, ...] = ()
