"""The parts of a drawing as a tree in which each gets its place.

Places are relative: `v` runs along the main path (down, or to the right), `u` across it, and lanes
for what runs beside the main path are on the side of larger `u`. A part's origin is where the main
path enters it. In a picture that runs to the right larger `u` is higher up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

from resnet_inspect.pictures.diagrams.measure import Size, lines_size
from resnet_inspect.pictures.diagrams.scene import Box, Edge, Group, Part, Text

STEP = 15.0
"""Points between boxes in a row, with an arrow between them."""

SIGN, FORK = 21.6, 7.0
"""Points across a circle and a point."""

MARGINS = {"box": (8.0, 3.0), "pill": (6.0, 2.0), "end": (8.0, 3.0), "plain": (2.0, 0.0)}
"""Points beside and above the text of a box."""

LOWEST = 17.0
"""Points that a box is high at least."""

WORDS = 11.0
"""Points of the words at an edge."""


_NONE = Size(0.0, 0.0)


@dataclass
class Spot:
    """A part and its place.

    left, right: how far it reaches on both sides of its origin's `u`; long: along `v`. u, v: its
    origin in its parent's. head, foot: what of its length a frame takes before and after what is
    inside. gaps: after each of its parts on the main path; spare: before the first and
    after the last. size: of a box, or of a frame's title.
    near: how far from the main path it stands at least, beside it.
    """

    part: Part
    parent: Spot | None = None
    place: int = 0
    children: list[Spot] = field(default_factory=list)
    left: float = 0.0
    right: float = 0.0
    long: float = 0.0
    u: float = 0.0
    v: float = 0.0
    head: float = 0.0
    foot: float = 0.0
    gaps: list[float] = field(default_factory=list)
    spare: float = 0.0
    size: Size = _NONE
    near: float = 0.0

    @property
    def main(self) -> list[Spot]:
        """What of a group stands on the main path, or lets it pass."""
        return [spot for spot in self.children if not spot.aside]

    @property
    def aside(self) -> bool:
        """Whether it stands beside the main path."""
        return self.part.lane != "main"

    @property
    def empty(self) -> bool:
        """Whether the main path passes it without meeting anything."""
        return self.aside or (
            isinstance(self.part, Group) and all(spot.empty for spot in self.children)
        )

    @property
    def arrangement(self) -> str:
        return self.part.arrangement if isinstance(self.part, Group) else ""

    @property
    def end(self) -> float:
        return self.v + self.long

    def above(self) -> Iterator[Spot]:
        """Itself and the groups around it, the nearest first."""
        at: Spot | None = self
        while at is not None:
            yield at
            at = at.parent

    def within(self, group: Spot) -> tuple[float, float]:
        """Its origin in a group that holds it."""
        u = v = 0.0
        for spot in self.above():
            if spot is group:
                break
            u, v = u + spot.u, v + spot.v
        return u, v


Kind = Literal["link", "lane", "arc", "turn", "inner"]


@dataclass
class Way:
    """An edge and the group that it crosses: from its part `start` to its part `stop`.

    kind: a 'link' goes from one part on the main path to the next; a 'lane' edge leads to or from
    a box beside it; an 'arc' passes parts on the main path; a 'turn' leads to the next column; an
    'inner' one is of a free group. side: of an arc, 1 where lanes are. track: the `u` at which it
    runs in its group. words: the size of its label, along u and v. at_tail: where they stand.
    aside: whether its ends stand beside the main path.
    """

    edge: Edge
    tail: Spot
    head: Spot
    group: Spot
    start: Spot
    stop: Spot
    kind: Kind
    side: int = 1
    track: float = 0.0
    words: tuple[float, float] = (0.0, 0.0)
    at_tail: bool = False
    aside: tuple[bool, bool] = (False, False)


def box_size(box: Box) -> Size:
    """The size of a box as it is drawn."""
    if box.look == "sign":
        return Size(SIGN, SIGN)
    if box.look == "fork":
        return Size(FORK, FORK)
    beside, above = MARGINS[box.look]
    width, height = lines_size(box.lines)
    least = 0.0 if box.look == "plain" else LOWEST
    return Size(max(width + 2 * beside, least), max(height + 2 * above, least))


def words_at(edge: Edge) -> str:
    """What an edge says."""
    return edge.label or edge.caption


def tree(root: Group, down: bool, sizes: dict[int, Size]) -> tuple[Spot, dict[str, Spot]]:
    """A drawing's parts as spots, and those of its boxes by name. sizes: measured boxes by id."""
    boxes: dict[str, Spot] = {}

    def grow(part: Part, parent: Spot | None, place: int) -> Spot:
        spot = Spot(part, parent, place)
        if isinstance(part, Group):
            spot.children = [grow(inner, spot, at) for at, inner in enumerate(part.parts)]
        else:
            if id(part) not in sizes:
                sizes[id(part)] = box_size(part)
            spot.size = sizes[id(part)]
            across, spot.long = spot.size if down else spot.size[::-1]
            spot.left = spot.right = across / 2
            boxes[part.name] = spot
        return spot

    return grow(root, None, 0), boxes


ASIDE = 5.0
"""Points between an edge and the words beside it."""


def ways(edges: Sequence[Edge], boxes: dict[str, Spot], down: bool) -> list[Way]:
    """Edges by what they cross, those of the main path with room for their words."""
    found = [_way(edge, boxes, down) for edge in edges]
    into: dict[int, list[Way]] = {}
    for way in found:
        if way.kind in ("link", "turn"):
            into.setdefault(id(way.head), []).append(way)
        if way.kind == "lane":
            for end, other in ((way.tail, way.head), (way.head, way.tail)):
                for spot in end.above():
                    if spot.aside and spot is not way.group:
                        spot.near = max(spot.near, other.right)
    for together in into.values():
        for way in together:
            way.at_tail = len(together) > 1
            if way.edge.label:
                holder = way.tail if way.at_tail else way.head
                holder.left = max(holder.left, way.words[0] + ASIDE)
    return found


def _way(edge: Edge, boxes: dict[str, Spot], down: bool) -> Way:
    tail, head = boxes[edge.tail], boxes[edge.head]
    group, start, stop = _meeting(tail, head)
    size = lines_size(((Text(words_at(edge), WORDS),),)) if words_at(edge) else Size(0.0, 0.0)
    words = (size.width, size.height) if down else (size.height, size.width)
    side = 1 if edge.way in ("shortcut", "gate") else -1
    way = Way(edge, tail, head, group, start, stop, "arc", side, words=words)
    way.aside = (_aside(tail, group), _aside(head, group))
    around = list(group.above())
    if any(spot.arrangement == "free" for spot in around):
        way.kind = "inner"
    elif any(way.aside):
        way.kind = "lane"
    elif _at_edge(tail, group, -1) and _at_edge(head, group, 0):
        if group.arrangement == "columns":
            way.kind = "turn"
        elif _next(group, start, stop) and (side < 0 or any(spot.aside for spot in around)):
            way.kind = "link"
    return way


def _next(group: Spot, start: Spot, stop: Spot) -> bool:
    between = group.children[start.place + 1 : stop.place]
    return (
        group.arrangement == "series"
        and start.place < stop.place
        and all(spot.empty for spot in between)
    )


def _meeting(tail: Spot, head: Spot) -> tuple[Spot, Spot, Spot]:
    """The innermost group that holds two boxes, and its parts that hold each."""
    below: dict[int, Spot] = {}
    at = tail
    for group in tail.above():
        below[id(group)] = at
        at = group
    at = head
    for group in head.above():
        if id(group) in below and group is not head:
            return group, below[id(group)], at
        at = group
    raise ValueError(f"no group holds both {tail.part.name} and {head.part.name}")


def _aside(box: Spot, group: Spot) -> bool:
    """Whether a box of a group stands beside the main path."""
    return any(spot.aside for spot in takewhile(lambda spot: spot is not group, box.above()))


def _at_edge(box: Spot, group: Spot, end: int) -> bool:
    """Whether nothing of its part of a group comes before (0) or behind (-1) a box."""
    for spot in box.above():
        around = spot.parent
        if around is group or around is None:
            return True
        if around.arrangement == "series":
            met = [other for other in around.main if not other.empty]
            if met[end] is not spot:
                return False
    return False
