"""Words at edges that other edges would run through are left out; tooltips still have them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from resnet_inspect.pictures.diagrams.sheet import Path, Point


def cleared(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Paths without the words that lines run through which bend on their way."""
    bent = [path.points for path in paths if len(path.points) > 4 and path.edge.way in _LOOSE]
    points = sorted((at.y, at.x) for curve in bent for at in samples(curve))
    return tuple(_cleared(path, points) for path in paths) if points else tuple(paths)


_LOOSE = ("main", "skip")
"""Edges whose way is not known before they are laid out; lanes have their room."""


def _cleared(path: Path, points: Sequence[tuple[float, float]]) -> Path:
    if not path.words:
        return path
    left, top, right, bottom = path.words
    near = points[bisect_left(points, (top,)) : bisect_right(points, (bottom,))]
    return replace(path, words=None) if any(left < x < right for _, x in near) else path


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
