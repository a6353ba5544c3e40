"""What edges cross on their way: which are straight links, and which pass something.

Where no way is free (an edge into the middle of branches that run side by side, say) the group that
is in the way is arranged by its edges, as interwoven ones are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

from resnet_inspect.pictures.diagrams.lengths import ASIDE
from resnet_inspect.pictures.diagrams.measure import lines_size
from resnet_inspect.pictures.diagrams.scene import Box, Edge
from resnet_inspect.pictures.diagrams.spots import Spot

Kind = Literal["link", "lane", "arc", "turn", "inner"]


@dataclass(eq=False)
class Leg:
    """A piece of an edge inside of a free group, between two of its parts or ports.

    into: the box that it leads to, in its head. The group's arrangement sets its curve, tip and
    words (their middle), as `u` and `v` in the group.
    """

    group: Spot
    tail: Spot
    head: Spot
    into: Spot
    curve: list[tuple[float, float]] = field(default_factory=list)
    tip: tuple[float, float] | None = None
    words: tuple[float, float] | None = None

    def move(self, v: float) -> None:
        """Move it along."""
        self.curve = [(at_u, at_v + v) for at_u, at_v in self.curve]
        self.tip = (self.tip[0], self.tip[1] + v) if self.tip else None
        self.words = (self.words[0], self.words[1] + v) if self.words else None


@dataclass(eq=False)
class Way:
    """An edge and the group that it crosses: from its part `start` to its part `stop`.

    kind: a 'link' goes from one part on the main path to the next; a 'lane' edge leads to or from
    a box beside it; an 'arc' passes parts on the main path; a 'turn' leads to the next column; an
    'inner' one is of a free group. side: of an arc, 1 where lanes are. track: the `u` at which it
    runs in its group. words: the size of its label, along u and v. at_tail: where they stand.
    aside: whether its ends stand beside the main path. first, last: what of it is inside of free
    groups, up to and from ports at their borders, which are then its tail and head. boxes: what it
    joins.
    """

    edge: Edge
    tail: Spot
    head: Spot
    group: Spot
    start: Spot
    stop: Spot
    kind: Kind = "arc"
    side: int = 1
    track: float = 0.0
    words: tuple[float, float] = (0.0, 0.0)
    at_tail: bool = False
    aside: tuple[bool, bool] = (False, False)
    first: Leg | None = None
    last: Leg | None = None

    def __post_init__(self) -> None:
        self.boxes = (self.tail, self.head)


class Ways:
    """The edges of a drawing by what they cross. legs: their pieces in free groups, by group."""

    def __init__(self, edges: Sequence[Edge], boxes: dict[str, Spot], down: bool) -> None:
        self.down = down
        while True:
            self.legs: dict[int, list[Leg]] = {}
            self.ports: dict[tuple[int, int, bool], Spot] = {}
            self.all = [self._way(edge, boxes[edge.tail], boxes[edge.head]) for edge in edges]
            hindered = [spot for way in self.all for spot in self._hindrance(way)]
            for spot in hindered:
                spot.arrangement = "free"
            parted = [] if hindered else [spot for way in self.all for spot in _parted(way)]
            for spot in parted:
                spot.whole = False
            if not hindered and not parted:
                break
        self._make_room()

    def ports_of(self, group: Spot) -> list[Spot]:
        """Where edges enter and leave a free group."""
        return [port for port in self.ports.values() if port.parent is group]

    def _way(self, edge: Edge, tail: Spot, head: Spot) -> Way:
        group, start, stop = _meeting(tail, head)
        wide, high = lines_size(edge.lines)
        words = (wide, high) if self.down else (high, wide)
        way = Way(edge, tail, head, group, start, stop, words=words)
        inside = _free_around(group)
        if inside is not None:
            way.kind, way.first = "inner", self._leg(inside, tail, head)
            return way
        for spot, leaves in ((tail, True), (head, False)):
            free = _outermost_free(spot, group)
            if free is not None:
                self._enter(way, free, tail if leaves else head, tail, leaves)
        way.aside = (_aside(way.tail, group), _aside(way.head, group))
        way.side = 1 if edge.way in ("shortcut", "gate") else -1
        in_lane = any(spot.aside for spot in group.above())
        if any(way.aside):
            way.kind = "lane"
        elif _at_edge(way.tail, group, -1) and _at_edge(way.head, group, 0):
            if group.arrangement == "columns":
                way.kind = "turn"
            elif _next(way) and (way.side < 0 or in_lane or way.first or way.last):
                way.kind = "link"
        return way

    def _enter(self, way: Way, free: Spot, box: Spot, tail: Spot, leaves: bool) -> None:
        """Let an edge go through a port of a free group, one for each tensor that passes."""
        key = (id(free), id(tail), leaves)
        if key not in self.ports:
            self.ports[key] = Spot(Box("", look="fork"), free)
        port = self.ports[key]
        if leaves:
            way.first, way.tail = self._leg(free, box, port), port
        else:
            way.last, way.head = self._leg(free, port, box), port

    def _leg(self, group: Spot, tail: Spot, head: Spot) -> Leg:
        legs = self.legs.setdefault(id(group), [])
        start, stop = _node(tail, group), _node(head, group)
        for leg in legs if head.parent is group and not head.part.name else ():
            if leg.tail is start and leg.head is stop:
                return leg
        legs.append(Leg(group, start, stop, head))
        return legs[-1]

    def _hindrance(self, way: Way) -> Iterator[Spot]:
        """The group in which there is no way for an edge; an arc may go on the other side."""
        beside = way.group.arrangement == "parallel"
        if (way.kind == "lane" and not _next(way)) or (way.kind == "arc" and beside):
            yield way.group
        elif way.kind == "arc":
            if way.group.arrangement == "columns" or way.start.place >= way.stop.place:
                yield way.group
                return
            blocks = {side: list(self._blocking(way, side)) for side in (way.side, -way.side)}
            way.side = min(blocks, key=lambda side: len(blocks[side]))
            yield from blocks[way.side][:1]

    def _blocking(self, way: Way, side: int) -> Iterator[Spot]:
        """Groups in which boxes stand between an end of an arc and its side."""
        for end in (way.tail, way.head):
            for spot in takewhile(lambda spot: spot not in (way.start, way.stop), end.above()):
                around = spot.parent
                assert around is not None
                last = (side > 0) == self.down
                if around.arrangement == "parallel":
                    if spot is not around.children[-1 if last else 0]:
                        yield around
                elif side > 0 and any(other.aside for other in around.children):
                    yield around

    def _make_room(self) -> None:
        """Set what stands beside edges' words, and what stands beside the main path, off it."""
        into: dict[int, list[Way]] = {}
        for way in self.all:
            if way.kind in ("link", "turn"):
                into.setdefault(id(way.head), []).append(way)
            elif way.kind == "lane":
                if not way.aside[0] or way.words[0] + ASIDE > way.tail.right:
                    way.words = (0.0, 0.0)
                for end, other in ((way.tail, way.head), (way.head, way.tail)):
                    for spot in below(end, way.group):
                        if spot.aside:
                            spot.near = max(spot.near, other.right)
        told = set()
        for together in into.values():
            for way in together:
                way.at_tail = len(together) > 1
                holder = way.tail if way.at_tail else way.head
                if way.words[0]:
                    holder.left = max(holder.left, way.words[0] + ASIDE)
                if id(holder) in told:  # what several edges pass is said once
                    way.words = (0.0, 0.0)
                told.add(id(holder))


def _free_around(group: Spot) -> Spot | None:
    """The free group that sets the edges of a group: itself, or one that does not take it whole."""
    found = None
    for around in group.above():
        found = around if around.arrangement == "free" else found
        if around.whole:
            break
    return found


def _outermost_free(spot: Spot, group: Spot) -> Spot | None:
    """The outermost free group that holds a box within a group."""
    return _last(x for x in below(spot, group) if x.arrangement == "free")


def _node(spot: Spot, group: Spot) -> Spot:
    """What a free group takes as one: a box of it, or a group that holds it."""
    return _last(x for x in below(spot, group) if x.arrangement and x.whole) or spot


def _last(spots: Iterable[Spot]) -> Spot | None:
    return next(iter(deque(spots, 1)), None)


def _parted(way: Way) -> Iterator[Spot]:
    """Groups that cannot be taken whole: an edge ends where their main path does not."""
    tail, head = way.boxes
    for leg in (way.first, way.last):
        if leg is None:
            continue
        for node, box, end in ((leg.tail, tail, -1), (leg.head, head, 0)):
            if node.arrangement is not None and not _on_main_path(box, node, end):
                yield node


def _on_main_path(box: Spot, group: Spot, end: int) -> bool:
    series = (spot.arrangement in (None, "series") for spot in (*below(box, group), group))
    return group.parent is not None and all(series) and _at_edge(box, group.parent, end)


def _next(way: Way) -> bool:
    """Whether the main path meets nothing between the two parts that an edge joins."""
    between = way.group.children[way.start.place + 1 : way.stop.place]
    return (
        way.group.arrangement == "series"
        and way.start.place < way.stop.place
        and all(spot.empty for spot in between)
    )


def _meeting(tail: Spot, head: Spot) -> tuple[Spot, Spot, Spot]:
    """The innermost group that holds two boxes, and its parts that hold each."""
    below = {id(spot.parent): spot for spot in tail.above()}
    for spot in head.above():
        if spot.parent and id(spot.parent) in below:
            return spot.parent, below[id(spot.parent)], spot
    raise ValueError(f"no group holds both {tail.part.name} and {head.part.name}")


def _aside(box: Spot, group: Spot) -> bool:
    """Whether a box of a group stands beside the main path."""
    return any(spot.aside for spot in below(box, group))


def below(box: Spot, group: Spot) -> Iterator[Spot]:
    """A box and the groups around it within a group."""
    return takewhile(lambda spot: spot is not group, box.above())


def _at_edge(box: Spot, group: Spot, end: int) -> bool:
    """Whether nothing of its part of a group comes before (0) or behind (-1) a box."""
    for spot in box.above():
        around = spot.parent
        if around is group or around is None:
            return True
        if around.arrangement == "series":
            parts = reversed(around.children) if end else iter(around.children)
            if next((other for other in parts if not other.empty), spot) is not spot:
                return False
    return False
