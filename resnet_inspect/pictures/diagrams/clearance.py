"""Words at edges that something runs through are left out; tooltips still have them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from resnet_inspect.pictures.diagrams.sheet import Path, Point, Rect


def cleared(paths: Sequence[Path], frames: Sequence[Rect]) -> tuple[Path, ...]:
    """Paths without the words that lines or frames run through, if any bends on its way."""
    loose = [path.points for path in paths if path.edge.way in ("main", "skip")]
    if all(len(points) <= STRAIGHT for points in loose):
        return tuple(paths)
    points = sorted((at.y, at.x) for curve in loose for at in samples(curve))
    return tuple(
        replace(path, words=None)
        if path.words and (_met(path.words, points) or any(_cut(path.words, at) for at in frames))
        else path
        for path in paths
    )


STRAIGHT = 4
"""The points of a curve of one piece."""


def _met(words: Rect, points: Sequence[tuple[float, float]]) -> bool:
    left, top, right, bottom = words
    near = points[bisect_left(points, (top,)) : bisect_right(points, (bottom,))]
    return any(left < x < right for _, x in near)


def _cut(words: Rect, frame: Rect) -> bool:
    """Whether words are neither inside nor outside of a frame."""
    left, top, right, bottom = frame
    outside = (
        words.right <= left or words.left >= right or words.bottom <= top or words.top >= bottom
    )
    inside = (
        words.left >= left and words.right <= right and words.top >= top and words.bottom <= bottom
    )
    return not (outside or inside)


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
