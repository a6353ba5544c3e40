"""Labels beside the points of a crowded scatter plot: none on another, on a point or on a line.

Greedy and without chance, so that the same points always give the same picture. Points in the thick
of it choose first; each takes the nearest place around it that is free. A label that had to go far
gets a thin line back to its point, and lines keep clear of the labels that are there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import cos, hypot, pi, sin
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Spot = tuple[float, float]
"""A place on the page, in points."""

FONT_SIZE = 8.0


_LINE_HEIGHT = 1.16


_MARKER = 3.6


_STEP = 4.0


_STEPS = 60


_TURNS = 32


_CROWD = 40.0
"""Points that are nearer than this stand in each other's way."""

_LEADER_FROM = 10.0
"""Labels that lie further than this from their point get a line."""


class Box(NamedTuple):
    """A rectangle on the page, in points."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def inside(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.bottom >= other.bottom
            and self.right <= other.right
            and self.top <= other.top
        )

    def nearest(self, spot: Spot) -> Spot:
        """The point of the rectangle that lies closest to a spot."""
        return (
            min(max(spot[0], self.left), self.right),
            min(max(spot[1], self.bottom), self.top),
        )


class Line(NamedTuple):
    """A straight line from a point to its label."""

    start: Spot
    end: Spot

    def meets(self, box: Box) -> bool:
        """Whether it passes through a box: clipped to it, something is left (Liang and Barsky)."""
        enter, leave = 0.0, 1.0
        for at, way, low, high in (
            (self.start[0], self.end[0] - self.start[0], box.left, box.right),
            (self.start[1], self.end[1] - self.start[1], box.bottom, box.top),
        ):
            if way == 0:
                if not low < at < high:
                    return False
                continue
            first, second = sorted(((low - at) / way, (high - at) / way))
            enter, leave = max(enter, first), min(leave, second)
        return enter < leave


class Place(NamedTuple):
    """Where a label goes, and the line back to its point where it lies far off."""

    box: Box
    line: Line | None


def place_labels(axes: Axes, points: Sequence[tuple[float, float, str]], colour: str) -> None:
    """Label points (x, y, text) of axes whose layout is done, in their data's coordinates."""
    scale = _scale(axes)
    spots = [_spot(axes, x, y) for x, y, _ in points]
    frame = Box(*(float(edge) * scale for edge in axes.get_window_extent().extents))
    texts = [text for _, _, text in points]
    for (x, y, text), spot, place in zip(points, spots, places(spots, texts, frame), strict=True):
        box = place.box
        offset = ((box.left + box.right) / 2 - spot[0], (box.bottom + box.top) / 2 - spot[1])
        leader = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
        axes.annotate(
            text,
            (x, y),
            offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=FONT_SIZE,
            arrowprops={**leader, "relpos": _side(spot, box)} if place.line else None,
            annotation_clip=False,
        )


def label_above(
    axes: Axes,
    points: Mapping[str, tuple[float, float]],
    marks: Iterable[tuple[float, float]],
    backing: dict[str, Any],
) -> None:
    """Label points by name, each above its own, clear of all marks and other labels.

    points, marks: in the data's coordinates of axes whose layout is done. backing: the patch behind
    a label, which may lie on lines.
    """
    taken = [_around(_spot(axes, *mark), _MARKER_ABOVE, _MARKER_ABOVE) for mark in marks]
    for text, point in sorted(points.items(), key=lambda named: named[1][1]):
        spot, (wide, high) = _spot(axes, *point), measured(text)
        for aside, up in _ABOVE:
            centre = (spot[0] + aside * wide, spot[1] + up + high / 2)
            box = _around(centre, wide / 2, high / 2)
            if not any(box.meets(other) for other in taken):
                break
        taken.append(box)
        axes.annotate(
            text, point, (aside * wide, up), textcoords="offset points", ha="center", va="bottom",
            fontsize=FONT_SIZE, bbox=backing, annotation_clip=False,
        )  # fmt: skip


_MARKER_ABOVE = 4.0

_ABOVE = sorted(
    ((aside, _MARKER_ABOVE + up) for aside in (0.0, 0.25, -0.25, 0.5, -0.5) for up in range(100)),
    key=lambda place: place[1] + 20 * abs(place[0]),
)
"""Where a label may stand, best first: parts of its width to the right, points of the page up."""


def _scale(axes: Axes) -> float:
    """Points of the page for each pixel."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return 72 / figure.dpi


def _spot(axes: Axes, x: float, y: float) -> Spot:
    """Where a point of the data stands on the page."""
    across, up = axes.transData.transform((x, y)) * _scale(axes)
    return float(across), float(up)


def places(spots: Sequence[Spot], texts: Sequence[str], frame: Box) -> list[Place]:
    """A place for the label of every spot, inside the frame as long as there is room."""
    crowds = [[other for other in spots if _apart(spot, other) < _CROWD] for spot in spots]
    found: dict[int, Place] = {}
    room = _Room(frame, [_around(spot, _MARKER, _MARKER) for spot in spots], [], [])
    for index in sorted(range(len(spots)), key=lambda i: (-len(crowds[i]), texts[i])):
        crowd = crowds[index]
        # Of points side by side the left one has its label on the left.
        leftward = spots[index][0] < sum(x for x, _ in crowd) / len(crowd) - 0.01
        place = room.free(spots[index], *measured(texts[index]), leftward)
        found[index] = place
        room.labels.append(place.box)
        if place.line:
            room.lines.append(place.line)
    return [found[index] for index in range(len(spots))]


class _Room(NamedTuple):
    """What stands on the page so far."""

    frame: Box
    markers: list[Box]
    labels: list[Box]
    lines: list[Line]

    def free(self, spot: Spot, width: float, height: float, leftward: bool) -> Place:
        """The nearest free place of a label: if it can be, one that no line crosses."""
        second: Place | None = None
        for centre in _centres(spot, width, height, leftward):
            box = _around(centre, width / 2, height / 2)
            if not box.inside(self.frame) or self._meets(box):
                continue
            far = _apart(spot, box.nearest(spot)) > _LEADER_FROM
            place = Place(box, Line(spot, box.nearest(spot)) if far else None)
            if not self._crosses(place):
                return place
            second = second or place
        return second or Place(_around(spot, width / 2, height / 2), None)

    def _meets(self, box: Box) -> bool:
        return any(box.meets(label) for label in self.labels) or any(
            box.meets(marker) for marker in self.markers
        )

    def _crosses(self, place: Place) -> bool:
        if any(line.meets(place.box) for line in self.lines):
            return True
        return place.line is not None and any(place.line.meets(label) for label in self.labels)


def _apart(one: Spot, other: Spot) -> float:
    return hypot(one[0] - other[0], one[1] - other[1])


def _centres(spot: Spot, width: float, height: float, leftward: bool) -> Iterator[Spot]:
    """Centres of a label around its point, nearest first, beside it before above and below."""
    for ring in range(_STEPS):
        reach = _MARKER + 1.5 + ring * _STEP
        for right, up in _directions():
            across = -right if leftward else right
            yield (
                spot[0] + across * (reach + width / 2),
                spot[1] + up * (reach + height / 2),
            )


@lru_cache(maxsize=1)
def _directions() -> tuple[Spot, ...]:
    turns = (2 * pi * turn / _TURNS for turn in range(_TURNS))
    ways = ((round(cos(angle), 6), round(sin(angle), 6)) for angle in turns)
    return tuple(sorted(ways, key=lambda way: (abs(way[1]), -way[0], -way[1])))


def _side(spot: Spot, box: Box) -> Spot:
    """Where on the label (0 to 1 each way) its line ends."""
    x, y = box.nearest(spot)
    return (x - box.left) / (box.right - box.left), (y - box.bottom) / (box.top - box.bottom)


def _around(spot: Spot, wide: float, high: float) -> Box:
    return Box(spot[0] - wide, spot[1] - high, spot[0] + wide, spot[1] + high)


@lru_cache(maxsize=512)
def measured(text: str) -> tuple[float, float]:
    """Width and height of a label in points."""
    from matplotlib.textpath import TextPath

    return (
        float(TextPath((0, 0), text, size=FONT_SIZE).get_extents().width) + 2,
        FONT_SIZE * _LINE_HEIGHT,
    )
