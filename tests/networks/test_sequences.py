"""Pairing two sequences: the best pairs of short ones, in a time that grows with the length."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet_inspect.networks import sequences
from resnet_inspect.networks.sequences import ENOUGH, Key, Pairs, aligned

Items = Sequence[str]


def alike(before: Hashable, after: Hashable, named: bool) -> float:
    """Equal letters are alike, so are letters of one case."""
    if before == after:
        return 1.0 + named / 32
    same_case = str(before).isupper() == str(after).isupper()
    return 0.5 + named / 32 if same_case else 0.0


def key(item: str) -> Key:
    """An item such as 'a.name' or 'a', without a name."""
    content, _, name = item.partition(".")
    return Key(content, name)


def pair(before: Items, after: Items) -> Pairs[str]:
    """The pairs, of which every item is in one, in order."""
    pairs = aligned(before, after, key, alike)
    assert [first for first, _ in pairs if first is not None] == list(before)
    assert [second for _, second in pairs if second is not None] == list(after)
    return pairs


def worth(pairs: Pairs[str]) -> float:
    keys = [(key(first), key(second)) for first, second in pairs if first and second]
    return sum(alike(a.content, b.content, a.name == b.name) for a, b in keys)


def best(before: Items, after: Items) -> float:
    """What the best pairing comes to, by the textbook's table."""
    table = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, first in enumerate(before, 1):
        for j, second in enumerate(after, 1):
            paired = table[i - 1][j - 1] + worth([(first, second)])
            table[i][j] = max(table[i - 1][j], table[i][j - 1], paired)
    return table[-1][-1]


items = st.lists(
    st.builds("{}{}".format, st.sampled_from("abAB"), st.sampled_from(["", ".x", ".y"])),
    max_size=9,
)


@given(items, items)
def test_short_sequences_are_paired_best(before: Items, after: Items) -> None:
    assert worth(pair(before, after)) == best(before, after)


def test_what_repeats_is_paired_first_to_first() -> None:
    assert pair(["a", "a"], ["a", "a", "a"]) == [("a", "a"), ("a", "a"), (None, "a")]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequences of more than ten items are long."""
    monkeypatch.setattr(sequences, "ENOUGH", 100)


def letters(count: int) -> list[str]:
    """Items of different contents."""
    return [f"a{number}" for number in range(count)]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("left_out", "most"),
    [
        (range(25), 75),
        (range(75, 100), 75),
        (range(0, 100, 2), 50),
        ([*range(25), *range(70, 90)], 55),
    ],
)
def test_long_sequences_lose_nothing_that_stands_once(left_out: Items, most: int) -> None:
    whole = letters(100)
    left = [item for number, item in enumerate(whole) if number not in set(left_out)]
    for pairs in (pair(whole, left), pair(left, whole)):
        assert sum(first == second for first, second in pairs) == most


@pytest.mark.usefixtures("few")
def test_long_sequences_with_nothing_in_common_are_paired_side_by_side() -> None:
    pairs = pair([f"a{n}.{n}" for n in range(300)], [f"b{n}.{n}" for n in range(300)])
    assert all(key(first).name == key(second).name for first, second in pairs if first and second)
    assert len(pairs) == 300
    assert pair(["a"] * 300, ["A"] * 200) == [*[("a", None)] * 300, *[(None, "A")] * 200]


@given(items, items)
def test_any_long_sequences_are_paired_in_order(before: Items, after: Items) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "ENOUGH", 4)
        assert worth(pair(before, after)) <= best(before, after)


@pytest.mark.parametrize("count", [1_000, 4_000])
def test_comparisons_grow_with_the_length(count: int) -> None:
    compared = 0

    def counted(before: Hashable, after: Hashable, named: bool) -> float:
        nonlocal compared
        compared += 1
        return 0.5 + named / 32

    before, after = ([f"{kind}{n}.{n}" for n in range(count)] for kind in "ab")
    assert len(aligned(before, after, key, counted)) == count
    assert compared <= ENOUGH + 100 * count
