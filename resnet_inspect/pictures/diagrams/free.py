"""Interwoven boxes: Graphviz's dot arranges them and bends their edges, by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from resnet_inspect.pictures.diagrams.measure import lines_size
from resnet_inspect.pictures.diagrams.scene import Group
from resnet_inspect.pictures.diagrams.spots import Spot, Way

STEP = 10.0
"""Points at both ends of a group, in which edges from outside may run."""

CROWDED = 400
"""Edges above which dot is told to stop improving early."""


def arrange_freely(group: Spot, ways: Sequence[Way], down: bool) -> None:
    """Set all that is in a group, and the curves of its edges. ways: those that end in it."""
    if not ways:
        _row(group)
        return
    numbers: dict[int, str] = {}
    names = map(str, count())
    lines = list(_statements(group, numbers, names, down))
    for way in ways:
        tail, head = _ends(way, group)
        lines.append(f"{_node(tail, numbers, names)} -> {_node(head, numbers, names)} [{_label(way)}]")
    for rank, ports in (("source", group.entries), ("sink", group.exits)):
        nodes = [_node(port, numbers, names) for port in ports.values()]
        lines += [f"{node} [shape=point width=0.02]" for node in nodes]
        if nodes:
            lines.append(f"{{rank={rank} {' '.join(nodes)}}}")
    crowded = "nslimit=1 mclimit=0.2" if len(ways) > CROWDED else ""
    direction = "TB" if down else "LR"
    head = f"graph [rankdir={direction} ranksep=0.22 nodesep=0.22 {crowded}]"
    _take(group, ways, numbers, _by_dot("\n".join(["digraph {", head, *lines, "}"])), down)


def _row(group: Spot) -> None:
    """Parts that nothing joins, one after another."""
    v = 0.0
    for spot in group.children:
        spot.v = v
        v += spot.long + STEP
    group.left = max((spot.left for spot in group.children), default=0.0)
    group.right = max((spot.right for spot in group.children), default=0.0)
    group.long = v


def _ends(way: Way, group: Spot) -> tuple[Spot, Spot]:
    """The ends of an edge within a group, ports for those outside."""
    tail = way.from_inside if way.from_inside and way.tail.parent is group else way.tail
    head = way.to_inside if way.to_inside and way.head.parent is group else way.head
    if way.kind == "inner":
        return tail, head
    if way.tail.parent is group and way.from_inside:
        return way.from_inside, way.tail
    return way.head, head


def _node(spot: Spot, numbers: dict[int, str], names: Iterator[str]) -> str:
    return numbers.setdefault(id(spot), "") or numbers.setdefault(id(spot), "") or _new(
        spot, numbers, names
    )


def _new(spot: Spot, numbers: dict[int, str], names: Iterator[str]) -> str:
    numbers[id(spot)] = next(names)
    return numbers[id(spot)]
