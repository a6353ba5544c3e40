"""Parts in a row, side by side or interwoven, and which of them follow one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from resnet_inspect.networks import branches
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Add, Flatten
from resnet_inspect.networks.wiring import Wiring
from resnet_inspect.pictures.diagrams.scene import Box, Group, Part

FEW = 3
"""Branches beside one another that are drawn one by one, though some do the same, and as wide as
others: more would leave no room on a page."""


@dataclass(frozen=True, slots=True)
class Item:
    """A part of a picture, and the layers that it shows. joins: whether it is a sum of them."""

    part: Part
    layers: Sequence[Layer]
    joins: bool = False


def arranged(items: Sequence[Item]) -> tuple[Part, ...]:
    """Parts one after another, with those that run side by side grouped."""
    if len(items) < 2:
        return tuple(item.part for item in items)
    standing = _standing(items)
    parts = {item.part.name: item.part for item in items}
    if _follow(standing):
        return tuple(parts.values())
    return tuple(_parts(branches.in_series(standing), parts))


def twins(items: Sequence[Item], likes: Mapping[str, object]) -> Iterator[list[tuple[Item, ...]]]:
    """Branches, of many side by side, that do the same between the same ends.

    All additions of the sum in which they meet are one end. likes: equal for parts that do the
    same, by name; parts that it lacks are like no other.
    """
    standing = _standing(items)
    readers = Wiring(standing).readers
    by_name = {item.part.name: item for item in items}
    for part in _parallels(branches.in_series(standing)):
        alike: dict[object, list[tuple[Item, ...]]] = defaultdict(list)
        sums = {each.name for each in part.after if isinstance(each.op, Add)}
        for run in part.runs if len(part.runs) > FEW else ():
            layers = [layer for layer in run if isinstance(layer, Layer) and layer.name in likes]
            if len(layers) != len(run):
                continue
            inside = {layer.name for layer in layers}
            ends = [{*each.inputs, *readers.get(each.name, ())} - inside for each in layers]
            ends = [{"+" if name in sums else name for name in names} for names in ends]
            does = [likes[each.name] for each in layers]
            key = tuple(zip(does, map(frozenset, ends), strict=True))
            alike[key].append(tuple(by_name[layer.name] for layer in layers))
        yield from (runs for key, runs in alike.items() if key and len(runs) > 1)


def _parallels(series: Iterable[branches.Part]) -> Iterator[branches.Parallel]:
    for part in series:
        if isinstance(part, branches.Parallel):
            yield part
            for run in part.runs:
                yield from _parallels(run)


def _standing(items: Sequence[Item]) -> list[Layer]:
    """A layer that stands for each item, as far as their wiring goes."""
    holder = {layer.name: item.part.name for item in items for layer in item.layers}
    return [
        Layer(
            item.part.name,
            "",
            Add() if item.joins else Flatten(),
            tuple(dict.fromkeys(_taken(item, holder))),
            (),
            (),
        )
        for item in items
    ]


def _taken(item: Item, holder: dict[str, str]) -> Iterator[str]:
    """What an item takes from outside: parts among its neighbours, and tensors from elsewhere."""
    own = {layer.name for layer in item.layers}
    for layer in item.layers:
        for name in layer.inputs:
            if name not in own:
                yield holder.get(name, name)


def _follow(layers: Sequence[Layer]) -> bool:
    """Whether each reads the one before, whatever else it reads."""
    return all(before.name in layer.inputs for before, layer in pairwise(layers))


def _parts(series: Iterable[branches.Part], parts: dict[str, Part]) -> Iterator[Part]:
    for part in series:
        if isinstance(part, Layer):
            yield parts[part.name]
            continue
        columns = [tuple(_parts(run, parts)) for run in part.runs if run]
        name = part.layers[0].name
        if len(columns) == 1:
            yield from columns[0]
        elif columns:
            sides = (_column(column, f"{name}/{at}") for at, column in enumerate(columns))
            yield Group(f"{name}/beside", tuple(sides), "parallel")
        elif _follow(part.layers):
            yield from (parts[layer.name] for layer in part.layers)
            continue
        elif not part.runs:
            members = tuple(parts[layer.name] for layer in part.layers)
            yield Group(f"{name}/woven", members, "free")
            continue
        yield from (parts[layer.name] for layer in part.after)


def _column(parts: tuple[Part, ...], name: str) -> Part:
    return parts[0] if len(parts) == 1 else Group(name, parts)


def within(part: Part) -> Iterator[Part]:
    """A part and all parts in it."""
    yield part
    for inner in part.parts:
        yield from within(inner)


def boxes(part: Part) -> Iterator[Box]:
    """All boxes of a part."""
    return (each for each in within(part) if isinstance(each, Box))


def neighbours(part: Part) -> set[tuple[str, str]]:
    """Boxes by name of which the second stands next after the first on a path through a part."""
    found: set[tuple[str, str]] = set()
    _ends(part, found)
    return found


_Ends = tuple[frozenset[str], frozenset[str]]


def _ends(part: Part, found: set[tuple[str, str]]) -> _Ends:
    """The boxes at which a part is entered and left; adds to the neighbours that are found."""
    if isinstance(part, Box):
        own = frozenset((part.name,))
        return own, own
    ends = [(each, _ends(each, found)) for each in part.parts]
    main = [own for each, own in ends if each.lane == "main" and own[0]]
    if not main:
        return frozenset(), frozenset()
    firsts = frozenset().union(*(first for first, _ in main))
    lasts = frozenset().union(*(last for _, last in main))
    if part.arrangement == "series":
        for (_, last), (first, _) in pairwise(main):
            found.update((tail, head) for tail in last for head in first)
        return main[0][0], main[-1][1]
    if part.arrangement == "free":
        found.update((tail, head) for tail in lasts for head in firsts if tail != head)
    return firsts, lasts
