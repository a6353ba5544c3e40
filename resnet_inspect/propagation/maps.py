"""Numbers by position, and windows that slide over them.

A map is a tuple of rows. Where rows are equal they are one object, and what is worked out of them
is worked out once: away from its border most of a map is the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache, partial, reduce
from itertools import accumulate
from math import fsum, prod, sqrt
from operator import add, mul
from typing import NamedTuple

from resnet_inspect.networks.shapes import Shape

Map = tuple[tuple[float, ...], ...]

Taps = tuple[tuple[tuple[int, int], ...], ...]
"""For each output along an axis, the inputs that it takes and the tap that each is under."""


class Window(NamedTuple):
    """The taps of a sliding window along both axes."""

    down: Taps
    across: Taps

    def turned(self, shape: Shape) -> Window:
        """For each input the outputs that take it; shape: the input's."""
        return Window(_turned(self.down, shape[-2]), _turned(self.across, shape[-1]))

    @property
    def counts(self) -> Map:
        """How many inputs each output takes."""
        widths = tuple(float(len(taps)) for taps in self.across)
        rows = {n: tuple(n * width for width in widths) for n in set(map(len, self.down))}
        return tuple(rows[len(taps)] for taps in self.down)

    @property
    def unevenness(self) -> float:
        """How much two outputs differ in the taps that padding takes.

        The mean square, over all pairs of outputs, of how many taps lie on the input for both, less
        what that is in the mean for either: 0 without padding.
        """
        (square, rows, whole), (square2, rows2, whole2) = map(_shared, self)
        return max(0.0, square * square2 - 2 * rows * rows2 + (whole * whole2) ** 2)

    @property
    def together(self) -> float:
        """How much of what two outputs sum up are equal taps, if the input is the same all over."""
        return prod(_shared(taps)[2] * len(taps) / sum(map(len, taps)) for taps in self)

    @property
    def shared(self) -> float:
        """How many taps lie on the input for both of two outputs: the root mean square."""
        return sqrt(_shared(self.down)[0] * _shared(self.across)[0])


@lru_cache(maxsize=512)
def _shared(taps: Taps) -> tuple[float, float, float]:
    """Of the taps that two outputs along an axis share: mean square, of rows' means, mean."""
    used, n = Counter(frozenset(tap for _, tap in inputs) for inputs in taps), len(taps)
    counts = [[(len(a & b), like) for b, like in used.items()] for a in used]
    rows = [sum(count * like for count, like in row) / n for row in counts]
    squares = [sum(count**2 * like for count, like in row) for row in counts]
    alike = used.values()  # away from borders all outputs use all taps
    square = sum(map(mul, squares, alike)) / n**2
    return (
        square,
        sum(like * row**2 for row, like in zip(rows, alike, strict=True)) / n,
        sum(map(mul, rows, alike)) / n,
    )


def window(
    shape: Shape,
    out: Shape,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
) -> Window:
    """The window that slides over a tensor of this shape; `out`: the shape that it gives."""
    sizes = zip(shape[-2:], out[-2:], kernel, stride, padding, dilation, strict=True)
    return Window(*(_taps(*axis) for axis in sizes))


@lru_cache(maxsize=512)
def _taps(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> Taps:
    return tuple(
        tuple(
            (at, tap)
            for tap in range(kernel)
            if 0 <= (at := place * stride - padding + tap * dilation) < size
        )
        for place in range(out)
    )


@lru_cache(maxsize=512)
def copied(size: int, out: int, before: int, mirrors: bool) -> Taps:
    """Those of an axis with so many places more before its first, which are empty or mirror it."""
    places: Iterable[int] = range(-before, out - before)
    if mirrors:
        places = [size - 1 - abs(size - 1 - abs(at)) for at in places]
    return tuple(((at, 0),) if 0 <= at < size else () for at in places)


@lru_cache(maxsize=512)
def divided(size: int, out: int) -> Taps:
    """Those of a window of its own for each output, as adaptive pools have them."""
    ends = ((n * size // out, -(-(n + 1) * size // out)) for n in range(out))
    return tuple(tuple((at, at - begin) for at in range(begin, end)) for begin, end in ends)


@lru_cache(maxsize=512)
def _turned(taps: Taps, size: int) -> Taps:
    taking: list[list[tuple[int, int]]] = [[] for _ in range(size)]
    for place, inputs in enumerate(taps):
        for at, tap in inputs:
            taking[at].append((place, tap))
    return tuple(map(tuple, taking))


@lru_cache(maxsize=512)
def _still(taps: Taps, size: int) -> bool:
    """Whether a window takes each input alone, in order."""
    return taps == tuple(((at, 0),) for at in range(size))


def uniform(shape: Shape, value: float = 1.0) -> Map:
    """A map of one number."""
    return ((value,) * shape[-1],) * shape[-2]


def single(shape: Shape, row: int, column: int) -> Map:
    """A map of one 1 among zeros."""
    zeros = (0.0,) * shape[-1]
    ones = (*zeros[:column], 1.0, *zeros[column + 1 :])
    return tuple(ones if at == row else zeros for at in range(shape[-2]))


def slid(
    given: Map, over: Window, weights: tuple[tuple[float, ...], tuple[float, ...]] | None = None
) -> Map:
    """The sum under the window at each place; weights: of the taps along each axis."""
    if _still(over.down, len(given)) and _still(over.across, len(given[0])):
        return times(given, prod(taps[0] for taps in weights)) if weights else given
    down, across = weights or (None, None)
    return _across(_along(_across(_along(given, over.down, down)), over.across, across))


def _across(given: Map) -> Map:
    """Rows as columns."""
    one: dict[tuple[float, ...], tuple[float, ...]] = {}
    return tuple(one.setdefault(row, row) for row in zip(*given, strict=True))


def _along(given: Map, taps: Taps, weights: tuple[float, ...] | None) -> Map:
    made: dict[tuple[int, ...], tuple[float, ...]] = {}
    nothing = (0.0,) * len(given[0])
    rows = []
    for inputs in taps:
        used = tuple(tap for _, tap in inputs) if weights else ()
        key = (*(id(given[at]) for at, _ in inputs), *used)
        if key not in made:
            taken: list[Iterable[float]] = [given[at] for at, _ in inputs]
            if weights:
                taken = [
                    map(weights[tap].__mul__, row) for tap, row in zip(used, taken, strict=True)
                ]
            made[key] = tuple(_total(taken)) if taken else nothing
        rows.append(made[key])
    return tuple(rows)


def _total(rows: list[Iterable[float]]) -> Iterable[float]:
    """Their sum, the first added to the last: to the bit what it is the other way round.

    So the sides of a map that mirror each other are equal, and worked out once.
    """
    half = len(rows) // 2
    pairs = [map(add, rows[at], rows[-1 - at]) for at in range(half)]
    return reduce(partial(map, add), [*pairs, *rows[half : len(rows) - half]])


def each(function: Callable[..., float], *maps: Map) -> Map:
    """A function of the numbers at each position."""
    made: dict[tuple[int, ...], tuple[float, ...]] = {}
    rows = []
    for parts in zip(*maps, strict=True):
        key = tuple(map(id, parts))
        if key not in made:
            made[key] = tuple(map(function, *parts))
        rows.append(made[key])
    return tuple(rows)


def plus(first: Map, second: Map) -> Map:
    """The sum at each position."""
    return each(add, first, second)


def times(given: Map, factor: float) -> Map:
    """Each number times a factor."""
    return given if factor == 1 else each(factor.__mul__, given)


def mean(given: Map) -> float:
    """The mean over all positions."""
    made = {id(row): sum(row) for row in given}
    return sum(made[id(row)] for row in given) / (len(given) * len(given[0]))


def deviation(given: Map) -> float:
    """The standard deviation over all positions."""
    middle = mean(given)
    return sqrt(mean(each(lambda value: (value - middle) ** 2, given)))


def window_means(given: Map, over: Window) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """For each tap along each axis, the mean over the outputs of what is under it (0 for padding).

    Along an axis, the other one is averaged over whole.
    """
    rows, columns = (
        tuple(fsum(row) / len(row) for row in lines) for lines in (given, zip(*given, strict=True))
    )
    return _under(rows, over.down), _under(columns, over.across)


def _under(values: tuple[float, ...], taps: Taps) -> tuple[float, ...]:
    return tuple(fsum(map(values.__getitem__, inputs)) / len(taps) for inputs in _by_tap(taps))


@lru_cache(maxsize=512)
def _by_tap(taps: Taps) -> tuple[tuple[int, ...], ...]:
    """For each tap the inputs that it is over."""
    under: dict[int, list[int]] = {}
    for inputs in taps:
        for at, tap in inputs:
            under.setdefault(tap, []).append(at)
    return tuple(tuple(under.get(tap, ())) for tap in range(1 + max(under, default=0)))


def radius_of(given: Map, row: int, column: int, share: float) -> int:
    """The least r such that the square of side 2r + 1 around a position holds this share."""
    sums = [(0.0, *accumulate(values)) for values in given]
    whole = sum(values[-1] for values in sums)
    height, width = len(given), len(given[0])

    def inside(radius: int) -> float:
        left, right = max(0, column - radius), min(width, column + radius + 1)
        rows = sums[max(0, row - radius) : row + radius + 1]
        return sum(values[right] - values[left] for values in rows)

    return bisect_left(range(max(height, width)), share * whole, key=inside)
