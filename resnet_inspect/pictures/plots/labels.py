"""Labels at the points of a crowded scatter plot: none on another label, its line or a point; and
at lines.

Greedy and without chance, so that the same points always give the same picture: labels are put one
after another, each at the first free place of a list that has the best first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, product
from math import hypot, inf
from typing import TYPE_CHECKING, Any, NamedTuple

from resnet_inspect.pictures.plots.plot import SMALLEST, backed, note
from resnet_inspect.pictures.themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Spot = tuple[float, float]
"""A place: on the page in points, or in the data's coordinates."""

FONT_SIZE = SMALLEST
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
        across = self.left < other.right and other.left < self.right
        return across and self.bottom < other.top and other.bottom < self.top

    def inside(self, other: Box) -> bool:
        across = other.left <= self.left and self.right <= other.right
        return across and other.bottom <= self.bottom and self.top <= other.top


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
    marked = [Box(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in marks]
    drawn: list[Box] = []  # labels, and the lines to their points
    boxes = {}
    for text, spot in spots.items():
        boxes[text], line = _free(spot, measured(text), places, frame, marked, drawn)
        drawn += [boxes[text], *line]
    return boxes


def _free(
    spot: Spot,
    width: float,
    places: Sequence[Place],
    frame: Box,
    marked: Sequence[Box],
    drawn: Sequence[Box],
) -> tuple[Box, list[Box]]:
    """The first box for a label that is free, and its line is; else the first that is, or the last.

    With what the line takes.
    """
    second: tuple[Box, list[Box]] | None = None
    for place in places:
        middle, bottom = spot[0] + place.right + place.across * width, spot[1] + place.up
        box = Box(middle - width / 2, bottom, middle + width / 2, bottom + _HEIGHT)
        if not box.inside(frame) or any(box.meets(other) for other in chain(marked, drawn)):
            continue
        line = _dots(spot, box)
        if not any(dot.meets(other) for dot in line for other in drawn):
            return box, line
        second = second or (box, line)
    return second or (box, _dots(spot, box))


def _led_from(spot: Spot, box: Box) -> Spot | None:
    """Where a line leads from a label to its point; None where it stands right beside it."""
    near = min(max(spot[0], box.left), box.right), min(max(spot[1], box.bottom), box.top)
    return near if hypot(near[0] - spot[0], near[1] - spot[1]) > 2 * _MARKER else None


def _dots(spot: Spot, box: Box) -> list[Box]:
    """Small boxes along a label's line, but for its end at the point."""
    if (near := _led_from(spot, box)) is None:
        return []
    across, up = near[0] - spot[0], near[1] - spot[1]
    steps = int(hypot(across, up) / 3)
    shares = [step / steps for step in range(2, steps)]
    dots = [(spot[0] + across * share, spot[1] + up * share) for share in shares]
    return [Box(x - 1, y - 1, x + 1, y + 1) for x, y in dots]


def label_around(axes: Axes, points: Mapping[str, Spot]) -> None:
    """Label points by name, each at a side of its own, inside axes whose layout is done."""
    ordered = dict(sorted(points.items(), key=lambda named: named[1], reverse=True))
    _annotate(axes, ordered, points.values(), AROUND, _frame(axes))


def label_beyond(axes: Axes, points: Mapping[str, Spot], marks: Iterable[Spot], side: int) -> None:
    """Label points by name, each up and to the left of its own (side -1) or to the right (1).

    Or above it, where that is much nearer. Clear of all marks, with a thin line to its point, as
    label_above has them.
    """
    outward = [
        (hypot(reach, up), Place(side / 2, side * reach, up - _HEIGHT / 2))
        for reach, up in product(range(6, 240, 6), range(0, 200, 4))
    ]
    over = [  # away: by how many points more than it is away
        (up + away, Place(across, 0.0, up))
        for across, away in ((0.0, 20.0), (-side / 2, 60.0))
        for up in range(8, 200, 4)
    ]
    places = [place for _, place in sorted(outward + over)]
    ordered = dict(sorted(points.items(), key=lambda named: named[1][1]))
    _annotate(axes, ordered, marks, places, _frame(axes))


def label_above(
    axes: Axes, points: Mapping[str, Spot], marks: Iterable[Spot], backing: dict[str, Any]
) -> None:
    """Label points by name, each above its own, clear of all marks and other labels.

    points, marks: in the data's coordinates of axes whose layout is done. backing: the patch behind
    a label, which may lie on lines.
    """
    ordered = dict(sorted(points.items(), key=lambda named: named[1][1]))
    _annotate(axes, ordered, marks, ABOVE, Box(-inf, -inf, inf, inf), bbox=backing)


def _annotate(
    axes: Axes,
    points: Mapping[str, Spot],
    marks: Iterable[Spot],
    places: Sequence[Place],
    frame: Box,
    **look: Any,
) -> None:
    def on_page(point: Spot) -> Spot:
        across, up = axes.transData.transform(point) * _scale(axes)
        return float(across), float(up)

    spots = {text: on_page(point) for text, point in points.items()}
    for text, box in placed(spots, map(on_page, marks), places, frame).items():
        offset = (box.left + box.right) / 2 - spots[text][0], box.bottom - spots[text][1]
        place = {"ha": "center", "va": "bottom", "annotation_clip": False}
        line = _line(spots[text], box)
        note(axes, text, points[text], offset, fontsize=FONT_SIZE, **place, **line, **look)


def _line(spot: Spot, box: Box) -> dict[str, Any]:
    """A thin line from a label to its point, unless it stands right beside it."""
    from matplotlib import rcParams

    if (near := _led_from(spot, box)) is None:
        return {}
    look = {"arrowstyle": "-", "linewidth": 0.5, "alpha": 0.6, "color": rcParams["text.color"]}
    share = (near[0] - box.left) / (box.right - box.left), (near[1] - box.bottom) / _HEIGHT
    return {"arrowprops": {**look, "shrinkA": 0, "shrinkB": 2, "relpos": share}}


def _frame(axes: Axes) -> Box:
    """What axes take of the page."""
    return Box(*(float(edge) * _scale(axes) for edge in axes.get_window_extent().extents))


def _scale(axes: Axes) -> float:
    """Points of the page for each pixel."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return 72 / figure.dpi


@lru_cache(maxsize=512)
def measured(text: str) -> float:
    """The width of a label in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=FONT_SIZE).get_extents().width) + 2


class End(NamedTuple):
    """Where a line ends, and what it is called."""

    x: float
    y: float
    text: str


def label_ends(axes: Axes, theme: Theme, ends: Sequence[End]) -> None:
    """Names above the ends of lines, where costs that only grow leave room."""
    axes.locator_params(axis="x", integer=True)
    right, top = max(1, *(end.x for end in ends)), axes.get_ylim()[1] * 1.06
    axes.set_xlim(0, right * 1.09)
    axes.set_ylim(0, top)
    figure, spec = axes.get_figure(root=True), axes.get_subplotspec()
    assert figure is not None
    columns = spec.get_gridspec().ncols if spec else 1
    # The axis on the left takes some 50 points of a column; what remains says how wide a name is.
    unit = right * 1.09 / (72 * figure.get_figwidth() / columns - 50)
    placed: list[tuple[float, float, float]] = []
    for end in sorted(ends, key=lambda end: end.y):
        half = (2.6 * len(end.text) + 4) * unit
        at = min(max(end.x - half / 2, half), right * 1.09 - half)
        height = end.y + top * 0.022
        for left, far, level in placed:
            if at - half < far and at + half > left:
                height = max(height, level + top * 0.066)
        placed.append((at - half, at + half, height))
        look: dict[str, Any] = {"fontsize": 9, "fontweight": "bold", "bbox": backed(theme)}
        axes.text(at, height, end.text, ha="center", va="bottom", **look)
