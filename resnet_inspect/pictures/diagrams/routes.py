"""The curves of edges: straight lines with round corners between the places that boxes have."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import dist

from resnet_inspect.pictures.diagrams.free import leads_inside
from resnet_inspect.pictures.diagrams.lengths import ARROW, ASIDE, BEND, GUTTER, ROUND, WIDE
from resnet_inspect.pictures.diagrams.sheet import Path, Point, Rect
from resnet_inspect.pictures.diagrams.spots import Spot
from resnet_inspect.pictures.diagrams.ways import Leg, Way

_KAPPA = 0.5523
"""How far the control points of a quarter of a circle are along its tangents."""

Places = dict[int, tuple[float, float]]
"""The origin of each spot in its drawing, as `u` and `v`."""


def route(way: Way, at: Places, page: Callable[[float, float], Point]) -> Path:
    """The curve of an edge on the page."""
    (before, inner), (after, tip) = (_inside(way, leg, at, page) for leg in (way.first, way.last))
    words = _words(way, at, page) if way.words[0] else None
    if way.kind == "inner":
        return Path(way.edge, before, inner, words)
    corners = _CORNERS[way.kind](way, at)
    radius = WIDE if way.edge.way in ("shortcut", "gate") else ROUND
    points = [page(u, v) for u, v in corners]
    if way.edge.arrow and not after:
        tip = points[-1]
        points[-1] = _towards(tip, points[-2], ARROW)
    between = tuple(_rounded(points, radius))
    return Path(way.edge, _joined(_joined(before, between), after), tip, words)


def _inside(
    way: Way, leg: Leg | None, at: Places, page: Callable[[float, float], Point]
) -> tuple[tuple[Point, ...], Point | None]:
    """What of an edge is inside of a free group, on the page, and the arrow's tip there."""
    if leg is None:
        return (), None
    u, v = at[id(leg.group)]
    points = tuple(page(u + x, v + y) for x, y in leg.curve)
    tip = page(u + leg.tip[0], v + leg.tip[1]) if leg.tip else None
    tail, head = way.boxes
    if leg.tail.children:
        points = _joined((page(*_foot(tail, at)),), points)
    if leads_inside(leg):
        end = page(*at[id(head)])
        tip = end if way.edge.arrow else None
        stop = _towards(end, points[-1], ARROW) if tip else end
        points = _joined(points, (stop,))
    return points, tip


def _joined(first: tuple[Point, ...], second: tuple[Point, ...]) -> tuple[Point, ...]:
    """Two curves as one; where they do not quite meet, a straight line between."""
    if not first or not second:
        return first or second
    return (*first, *_straight(first[-1], second[0]), *second[1:])


def _link(way: Way, at: Places) -> list[tuple[float, float]]:
    (tail, start), (head, stop) = _foot(way.tail, at), at[id(way.head)]
    if abs(tail - head) < 0.5:
        return [(head, start), (head, stop)]
    begin, end = at[id(way.start)][1] + way.start.long, at[id(way.stop)][1]
    bend = end - 9 - BEND / 2 if way.at_tail else begin + BEND / 2
    return [(tail, start), (tail, bend), (head, bend), (head, stop)]


def _lane(way: Way, at: Places) -> list[tuple[float, float]]:
    (tail, start), (head, stop) = at[id(way.tail)], at[id(way.head)]
    from_lane, to_lane = way.aside
    if from_lane and to_lane:
        start += way.tail.long
        bend = (start + stop) / 2
        return [(tail, start), (tail, bend), (head, bend), (head, stop)]
    if to_lane:
        middle = start + way.tail.long / 2
        return [(tail + way.tail.right, middle), (head, middle), (head, stop)]
    middle = stop + way.head.long / 2
    return [(tail, start + way.tail.long), (tail, middle), (head + way.head.right, middle)]


def _arc(way: Way, at: Places) -> list[tuple[float, float]]:
    (tail, start), (head, stop) = at[id(way.tail)], at[id(way.head)]
    track = at[id(way.group)][0] + way.track
    start, stop = start + way.tail.long / 2, stop + way.head.long / 2
    out = tail + way.side * way.tail.right
    into = head + way.side * way.head.right
    return [(out, start), (track, start), (track, stop), (into, stop)]


def _turn(way: Way, at: Places) -> list[tuple[float, float]]:
    (tail, start), (head, stop) = _foot(way.tail, at), at[id(way.head)]
    high = at[id(way.group)][1] + 6
    low = at[id(way.start)][1] + way.start.long + 6
    forth = 1 if head > tail else -1
    column, _ = at[id(way.stop)]
    side = way.stop.left if forth > 0 else way.stop.right
    gutter = column - forth * (side + GUTTER / 2)
    return [(tail, start), (tail, low), (gutter, low), (gutter, high), (head, high), (head, stop)]


_CORNERS: dict[str, Callable[[Way, Places], list[tuple[float, float]]]] = {
    "link": _link,
    "lane": _lane,
    "arc": _arc,
    "turn": _turn,
}


def _foot(spot: Spot, at: Places) -> tuple[float, float]:
    u, v = at[id(spot)]
    return u, v + spot.long


def _words(way: Way, at: Places, page: Callable[[float, float], Point]) -> Rect:
    """Where an edge's words are: beside the main path near a box, or outside of an arc's middle."""
    across, along = way.words
    if way.kind == "inner":
        leg = way.first
        assert leg is not None
        assert leg.words is not None
        u, middle = (a + b for a, b in zip(at[id(leg.group)], leg.words, strict=True))
        near, far = u - across / 2, u + across / 2
    elif way.kind == "lane":  # beside the last part of the lane
        u, v = _foot(way.tail, at)
        _, stop = at[id(way.head)]
        middle = (v + stop + way.head.long / 2) / 2
        near, far = u + ASIDE, u + ASIDE + across
    elif way.kind == "arc":
        (_, start), (_, stop) = at[id(way.tail)], at[id(way.head)]
        middle = (start + way.tail.long / 2 + stop + way.head.long / 2) / 2
        near = at[id(way.group)][0] + way.track + way.side * ASIDE
        far = near + way.side * across
    else:
        u, _ = at[id(way.tail if way.at_tail else way.head)]
        after = at[id(way.start)][1] + way.start.long + 1 + along / 2
        middle = after if way.at_tail else at[id(way.stop)][1] - 2 - along / 2
        near, far = u - ASIDE - across, u - ASIDE
    a, b = page(near, middle - along / 2), page(far, middle + along / 2)
    return Rect(min(a.x, b.x), min(a.y, b.y), max(a.x, b.x), max(a.y, b.y))


def _towards(start: Point, end: Point, distance: float) -> Point:
    share = distance / (dist(start, end) or 1.0)
    return Point(start.x + (end.x - start.x) * share, start.y + (end.y - start.y) * share)


def _rounded(points: Sequence[Point], radius: float) -> Iterator[Point]:
    """Straight lines with round corners, as a curve of cubic pieces."""
    at = points[0]
    yield at
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        sides = (dist(before, corner), dist(corner, after))
        # The first and the last side are a corner's own, the others are shared by two.
        own = [
            side if end in (points[0], points[-1]) else side / 2
            for side, end in zip(sides, (before, after), strict=True)
        ]
        r = min(radius, *own)
        start, stop = _towards(corner, before, r), _towards(corner, after, r)
        yield from _straight(at, start)
        yield _towards(start, corner, r * _KAPPA)
        yield _towards(stop, corner, r * _KAPPA)
        yield stop
        at = stop
    yield from _straight(at, points[-1])


def _straight(start: Point, end: Point) -> Iterator[Point]:
    if dist(start, end) > 0.01:
        third = dist(start, end) / 3
        yield _towards(start, end, third)
        yield _towards(end, start, third)
        yield end


# --- words beside edges --------------------------------------------------------------------------


def cleared(paths: Sequence[Path], frames: Sequence[Rect]) -> tuple[Path, ...]:
    """Paths without the words that lines or frames run through, if any bends on its way.

    Tooltips still have them.
    """
    loose = [path.points for path in paths if path.edge.way in ("main", "skip")]
    if all(len(points) <= 4 for points in loose):  # curves of one piece
        return tuple(paths)
    points = sorted((at.y, at.x) for curve in loose for at in samples(curve))
    return tuple(
        replace(path, words=None)
        if path.words and (_met(path.words, points) or any(_cut(path.words, at) for at in frames))
        else path
        for path in paths
    )


def _met(words: Rect, points: Sequence[tuple[float, float]]) -> bool:
    left, top, right, bottom = words
    near = points[bisect_left(points, (top,)) : bisect_right(points, (bottom,))]
    return any(left < x < right for _, x in near)


def _cut(words: Rect, frame: Rect) -> bool:
    """Whether words are neither inside nor outside of a frame."""
    left, top, right, bottom = frame
    meets = left < words.right and words.left < right and top < words.bottom and words.top < bottom
    across = left <= words.left and words.right <= right
    return meets and not (across and top <= words.top and words.bottom <= bottom)


def samples(curve: Sequence[Point]) -> Iterator[Point]:
    """Points of a curve of cubic pieces, a few points apart."""
    for at in range(0, len(curve) - 3, 3):
        a, b, c, d = curve[at : at + 4]
        steps = max(2, int(abs(d[0] - a[0]) + abs(d[1] - a[1])) // 3)
        for step in range(steps + 1):
            t = step / steps
            s = 1 - t
            w = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
            x, y = (w[0] * a[i] + w[1] * b[i] + w[2] * c[i] + w[3] * d[i] for i in (0, 1))
            yield Point(x, y)
