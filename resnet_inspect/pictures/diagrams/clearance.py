"""Words at edges of interwoven layers that other edges would run through are left out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from resnet_inspect.pictures.diagrams.ways import Leg, Way

Pair = tuple[float, float]


def keep_clear(ways: Iterable[Way], legs: Sequence[Leg]) -> None:
    """Leave out the words of edges in a free group that its edges run through."""
    points = sorted((v, u) for leg in legs for u, v in samples(leg.curve))
    for way in ways:
        if way.first and way.first.words:
            (u, v), (across, along) = way.first.words, way.words
            start = bisect_left(points, (v - along / 2,))
            stop = bisect_right(points, (v + along / 2,))
            if any(abs(at - u) < across / 2 for _, at in points[start:stop]):
                way.words = (0.0, 0.0)


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
