"""Labels at the points of a crowded scatter plot: none on another label or a point.

Greedy and without chance, so that the same points always give the same picture: labels are put one
after another, each at the first free place of a list that has the best first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Spot = tuple[float, float]
"""A place on the page, in points."""

FONT_SIZE = 8.0

_HEIGHT = FONT_SIZE * 1.16

_MARKER = 4.0
"""Half the side of what a marker takes, in points."""


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


class Place(NamedTuple):
    """Where a label may be: the middle of its lower edge, from its point.

    across: in widths of the label; right, up: in points, added to that.
    """

    across: float
    right: float
    up: float


ABOVE = tuple(
    sorted(
        (
            Place(across, 0.0, _MARKER + up)
            for across in (0.0, 0.25, -0.25, 0.5, -0.5)
            for up in range(100)
        ),
        key=lambda place: place.up + 20 * abs(place.across),
    )
)
"""Places above a point."""

AROUND = tuple(
    Place(side / 2, side * reach, up)
    for reach in range(5, 65, 3)
    for side, up in (
        (1, -_HEIGHT / 2),
        (-1, -_HEIGHT / 2),
        (0, reach),
        (0, -_HEIGHT - reach),
        (1, reach - _HEIGHT / 2),
        (-1, reach - _HEIGHT / 2),
        (1, -_HEIGHT / 2 - reach),
        (-1, -_HEIGHT / 2 - reach),
    )
)
"""Places on all sides of a point, those at its right and left first."""


def placed(
    spots: Mapping[str, Spot], marks: Iterable[Spot], places: Sequence[Place], frame: Box
) -> dict[str, Box]:
    """A box for the label of every spot, in their order; the last place where none is free."""
    taken = [Box(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in marks]
    boxes = {}
    for text, (x, y) in spots.items():
        width = measured(text)
        for place in places:
            middle, bottom = x + place.right + place.across * width, y + place.up
            box = Box(middle - width / 2, bottom, middle + width / 2, bottom + _HEIGHT)
            if box.inside(frame) and not any(box.meets(other) for other in taken):
                break
        taken.append(box)
        boxes[text] = box
    return boxes


def label_around(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Label points by name, each at a side of its own, inside axes whose layout is done."""
    edges = (float(edge) * _scale(axes) for edge in axes.get_window_extent().extents)
    ordered = dict(sorted(points.items(), key=lambda named: named[1], reverse=True))
    _annotate(axes, ordered, points.values(), AROUND, Box(*edges))


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
    ordered = dict(sorted(points.items(), key=lambda named: named[1][1]))
    _annotate(axes, ordered, marks, ABOVE, _ANYWHERE, backing)


_ANYWHERE = Box(-inf, -inf, inf, inf)


def _annotate(
    axes: Axes,
    points: Mapping[str, tuple[float, float]],
    marks: Iterable[tuple[float, float]],
    places: Sequence[Place],
    frame: Box,
    backing: dict[str, Any] | None = None,
) -> None:
    spots = {text: _spot(axes, point) for text, point in points.items()}
    boxes = placed(spots, [_spot(axes, mark) for mark in marks], places, frame)
    for text, box in boxes.items():
        axes.annotate(
            text,
            points[text],
            ((box.left + box.right) / 2 - spots[text][0], box.bottom - spots[text][1]),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=FONT_SIZE,
            bbox=backing,
            annotation_clip=False,
        )


def _scale(axes: Axes) -> float:
    """Points of the page for each pixel."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return 72 / figure.dpi


def _spot(axes: Axes, point: tuple[float, float]) -> Spot:
    """Where a point of the data is on the page."""
    across, up = axes.transData.transform(point) * _scale(axes)
    return float(across), float(up)


@lru_cache(maxsize=512)
def measured(text: str) -> float:
    """The width of a label in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=FONT_SIZE).get_extents().width) + 2
