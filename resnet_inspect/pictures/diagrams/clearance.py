"""Words that lines would run through: titles of frames move aside, shapes at edges are left out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from resnet_inspect.pictures.diagrams.sheet import Rect
from resnet_inspect.pictures.diagrams.ways import Leg, Way

APART = 4.0
"""Points between a title and a line."""

Pair = tuple[float, float]


def keep_clear(ways: Iterable[Way], legs: Sequence[Leg]) -> None:
    """Leave out the words of edges in a free group that its edges run through."""
    met = Crossings((v, u) for leg in legs for u, v in samples(leg.curve))
    for way in ways:
        if way.first and way.first.words:
            (u, v), (across, along) = way.first.words, way.words
            lines = met.between(v - along / 2, v + along / 2)
            if any(abs(at - u) < across / 2 for at in lines):
                way.words = (0.0, 0.0)


class Crossings:
    """Points of lines, found by their first coordinate."""

    def __init__(self, points: Iterable[Pair]) -> None:
        self.points = sorted(points)

    def between(self, low: float, high: float) -> Iterator[float]:
        """The second coordinates of points whose first is between two."""
        start, stop = bisect_left(self.points, (low,)), bisect_right(self.points, (high,))
        return (at for _, at in self.points[start:stop])


def title_place(corner: Rect, frame: Rect, met: Crossings) -> Rect:
    """The place for a frame's title along its upper border that no line runs through."""
    xs = sorted(x for x in met.between(corner.top - 1, corner.bottom + 1) if x > corner.left)
    xs = [x for x in xs if x < frame.right]
    starts = [corner.left, *(x + APART for x in xs)]
    ends = [*(x - APART for x in xs), frame.right]
    for start, end in zip(starts, ends, strict=True):
        if end - start >= corner.width:
            return corner.moved(start - corner.left, 0.0)
    return corner


def samples(curve: Sequence[Pair]) -> Iterator[Pair]:
    """Points of a curve of cubic pieces, a few points apart."""
    for at in range(0, len(curve) - 3, 3):
        a, b, c, d = curve[at : at + 4]
        steps = max(2, int(abs(d[0] - a[0]) + abs(d[1] - a[1])) // 3)
        for step in range(steps + 1):
            t = step / steps
            s = 1 - t
            w = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
            x, y = (w[0] * a[i] + w[1] * b[i] + w[2] * c[i] + w[3] * d[i] for i in (0, 1))
            yield x, y
