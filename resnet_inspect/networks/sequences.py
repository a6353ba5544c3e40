"""Pairs the items of two sequences, in order, so that what is paired is most alike.

A global alignment (Needleman & Wunsch 1970) takes as many comparisons as the product of the
lengths, so it is kept to what is short: equal starts and ends are paired first, long sequences are
cut where something stands once in both (a patience diff), and in a piece that is still long an
item is compared with those about as far along as itself. Time grows with the lengths.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, TypeVar

_T = TypeVar("_T")

Pairs = list[tuple[_T | None, _T | None]]

ENOUGH = 100_000
"""Comparisons that are worth it: all of two sequences of some 300 items."""

_NEAR = 8
"""How far an item is compared in the longest sequences."""


class Key(NamedTuple):
    """What likeness depends on: what an item is, and what it is called."""

    content: Hashable
    name: str


Likeness = Callable[[Hashable, Hashable, bool], float]
"""How alike two contents are, and whether they have one name; equal ones of one name are most."""


def aligned(
    before: Sequence[_T], after: Sequence[_T], key: Callable[[_T], Key], likeness: Likeness
) -> Pairs[_T]:
    """The pairing whose likenesses add up to the most; a likeness of 0 never pairs.

    Of long sequences a good one, not always the best.
    """
    matching = _Matching([*map(key, before)], [*map(key, after)], likeness)
    pairs: Pairs[_T] = []
    i = j = 0
    for at, to in [*matching.pairs(0, len(before), 0, len(after)), (len(before), len(after))]:
        pairs += [(item, None) for item in before[i:at]]
        pairs += [(None, item) for item in after[j:to]]
        pairs += zip(before[at : at + 1], after[to : to + 1], strict=True)
        i, j = at + 1, to + 1
    return pairs


class _Matching:
    """Finds positions to pair; a span of both sequences is i to i_end and j to j_end."""

    def __init__(self, before: Sequence[Key], after: Sequence[Key], likeness: Likeness) -> None:
        numbers: dict[Hashable, int] = {}
        for key in (*before, *after):
            numbers.setdefault(key.content, len(numbers))
        contents = list(numbers)
        self._before = [(numbers[key.content], key.name) for key in before]
        self._after = [(numbers[key.content], key.name) for key in after]
        self._weight = cache(lambda a, b, named: likeness(contents[a], contents[b], named))
        self._most_before = self._most(self._before, self._after)
        self._most_after = self._most(self._after, self._before)

    def _most(
        self, items: Sequence[tuple[int, str]], others: Sequence[tuple[int, str]]
    ) -> Callable[[int], float]:
        """The most that an item can be like any in the other sequence, or a bound of it."""
        kinds, names = {kind for kind, _ in others}, {name for _, name in others}
        few = len({kind for kind, _ in items}) * len(kinds) <= ENOUGH // 10

        @cache
        def most(a: int, named: bool) -> float:
            return max((self._weight(a, b, named) for b in (kinds if few else (a,))), default=0.0)

        return lambda at: most(items[at][0], items[at][1] in names)

    def _like(self, i: int, j: int) -> float:
        (a, name), (b, other) = self._before[i], self._after[j]
        return self._weight(a, b, name == other)

    def _best(self, i: int, j: int) -> bool:
        """Whether neither can be more like any other: then no pairing is better with them apart."""
        like = self._like(i, j)
        return like > 0 and like >= self._most_before(i) and like >= self._most_after(j)

    def pairs(
        self, i: int, i_end: int, j: int, j_end: int, cut: bool = True
    ) -> Iterator[tuple[int, int]]:
        """The pairs of a span. cut: whether it may be cut where something stands once in both."""
        while i < i_end and j < j_end and self._best(i, j):
            yield i, j
            i, j = i + 1, j + 1
        end = i_end
        while self._long(i, i_end, j, j_end) and self._best(i_end - 1, j_end - 1):
            i_end, j_end = i_end - 1, j_end - 1
        if cut and self._long(i, i_end, j, j_end):
            for at, to in self._in_both_once(i, i_end, j, j_end):
                yield from self.pairs(i, at, j, to, cut=False)
                yield at, to
                i, j = at + 1, to + 1
            yield from self.pairs(i, i_end, j, j_end, cut=False)
        else:
            yield from self._compared(i, i_end, j, j_end)
        yield from ((i_end + at, j_end + at) for at in range(end - i_end))

    def _long(self, i: int, i_end: int, j: int, j_end: int) -> bool:
        return (i_end - i) * (j_end - j) > ENOUGH

    def _in_both_once(self, i: int, i_end: int, j: int, j_end: int) -> list[tuple[int, int]]:
        """The longest chain, in the order of both, of contents that stand once in each."""
        here = _once([kind for kind, _ in self._before[i:i_end]])
        there = _once([kind for kind, _ in self._after[j:j_end]])
        ends: list[int] = []  # the least end of a chain of each length
        chains: list[tuple[int, int, int]] = []  # positions, and the pair before in the chain
        last: list[int] = []
        for kind, at in here.items():
            if kind in there:
                length = bisect_left(ends, there[kind])
                chains.append((i + at, j + there[kind], last[length - 1] if length else -1))
                ends[length : length + 1] = [there[kind]]
                last[length : length + 1] = [len(chains) - 1]
        found = []
        link = last[-1] if last else -1
        while link >= 0:
            *pair, link = chains[link]
            found.append((pair[0], pair[1]))
        return found[::-1]

    def _compared(self, i: int, i_end: int, j: int, j_end: int) -> Iterator[tuple[int, int]]:
        """The best pairs of a span; in a long one of those about as far along as one another."""
        rows, columns = i_end - i, j_end - j
        if not rows or not columns:
            return
        near = columns if rows * columns <= ENOUGH else max(_NEAR, ENOUGH // (2 * rows))
        starts = [max(0, row * columns // rows - near) for row in range(rows)]
        stops = [min(columns, -(-(row + 1) * columns // rows) + near) for row in range(rows)]
        best: list[list[float]] = [[] for _ in range(rows)]  # what the rest of both comes to

        def rest(row: int, column: int) -> float:
            if row == rows or not starts[row] <= column < stops[row]:
                return 0.0
            return best[row][column - starts[row]]

        for row in range(rows - 1, -1, -1):
            (a, name), right, values = self._before[i + row], 0.0, []
            for column in range(stops[row] - 1, starts[row] - 1, -1):
                b, other = self._after[j + column]
                like = self._weight(a, b, name == other)
                paired = rest(row + 1, column + 1) + like if like else 0.0
                right = max(rest(row + 1, column), right, paired)
                values.append(right)
            best[row] = values[::-1]
        row = column = 0
        while row < rows and column < columns and (value := rest(row, column)):
            like = self._like(i + row, j + column)
            if like and value == rest(row + 1, column + 1) + like:
                yield i + row, j + column
                row, column = row + 1, column + 1
            elif value == rest(row + 1, column):
                row += 1
            else:
                column += 1


def _once(kinds: Sequence[int]) -> dict[int, int]:
    """Where those stand that stand once."""
    count = Counter(kinds)
    return {kind: at for at, kind in enumerate(kinds) if count[kind] == 1}
