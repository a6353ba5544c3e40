"""Where each part of a drawing is, worked out from the inside to the outside.

A series is a column on one centre line; what runs beside it has tracks at its sides, the shortest
nearest, so that nothing passes through a box or a word. Everything is linear in boxes and edges
but for the interwoven groups, which Graphviz arranges by themselves (free.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from resnet_inspect.pictures.diagrams.free import arrange_freely, taken
from resnet_inspect.pictures.diagrams.lengths import (
    ASIDE,
    BEND,
    BESIDE,
    GUTTER,
    PAD,
    SHORT_STEP,
    STEP,
    TITLE,
    TRACK,
)
from resnet_inspect.pictures.diagrams.measure import lines_size
from resnet_inspect.pictures.diagrams.scene import Group
from resnet_inspect.pictures.diagrams.spots import Spot
from resnet_inspect.pictures.diagrams.ways import Way, Ways, below


@dataclass(frozen=True, slots=True)
class _Run:
    """What takes a track: parts of the main path it runs along, and what it is."""

    first: int
    last: int
    side: int
    ways: tuple[Way, ...] = ()
    lane: Spot | None = None


def arrange(root: Spot, ways: Ways, down: bool) -> None:
    """Give every part of a drawing its size and its place within its group."""
    _Layout(ways, down).size(root)


class _Layout:
    def __init__(self, ways: Ways, down: bool) -> None:
        self.ways = ways
        self.down = down
        self.crossing: dict[int, list[Way]] = defaultdict(list)
        for way in ways.all:
            self.crossing[id(way.group)].append(way)
        arcs = [way for way in ways.all if way.kind == "arc" and way.side < 0]
        self.left = {id(spot) for way in arcs for spot in (way.tail, way.head)}
        self.crossed = {
            id(spot)
            for way in ways.all
            if way.kind == "arc" and way.side > 0
            for end in (way.tail, way.head)
            for spot in below(end, way.group)
        }

    def size(self, spot: Spot) -> None:
        if not isinstance(spot.part, Group):
            return
        for child in taken(spot) if spot.arrangement == "free" else spot.children:
            self.size(child)
        if spot.arrangement == "free":
            self._free(spot)
        elif spot.arrangement == "parallel":
            self._parallel(spot)
        elif spot.arrangement == "columns":
            self._columns(spot)
        else:
            self._series(spot)
        self._frame(spot)

    def _free(self, group: Spot) -> None:
        for child in taken(group):
            _centre(child)
        legs = self.ways.legs.get(id(group), [])
        arrange_freely(group, legs, self.ways.all, self.ways.ports_of(group), self.down)

    def _frame(self, spot: Spot) -> None:
        frame = spot.part.frame
        if frame is None:
            return
        title = spot.size = lines_size(frame.title)
        inner = spot.left
        spot.left += PAD
        spot.right += PAD
        spot.head, spot.foot = PAD, PAD - 1
        if frame.title and self.down:
            free = PAD + self._beginning(spot) if inner <= _widest(spot) else PAD
            if title.height + TITLE[1] > free:
                spot.head = title.height + TITLE[1] + 2
            entry = min(self._entries(spot), default=0.0)
            spot.left = max(spot.left, title.width + TITLE[0] + 8 - min(entry, 0.0))
        elif frame.title:
            spot.right += title.height - PAD / 2
            if id(spot) in self.crossed:  # lines leave upwards: keep the title off them
                spot.head = title.width + 2 * TITLE[0]
            else:
                spot.head = spot.foot = PAD + max(0.0, (title.width - spot.long) / 2)
        spot.long += spot.head + spot.foot
        self._shift(spot, spot.head)
        settle(spot)

    def _shift(self, group: Spot, v: float) -> None:
        """Move what a free group holds along."""
        if group.arrangement != "free":
            return
        for spot in (*group.children, *self.ways.ports_of(group)):
            spot.v += v
        for leg in self.ways.legs.get(id(group), ()):
            leg.move(v)

    def _beginning(self, spot: Spot) -> float:
        """The length at a part's start in which nothing is on the left of its main path."""
        if spot.arrangement != "series" or not spot.main:
            return 0.0
        first = spot.main[0]
        if isinstance(first.part, Group):
            return 0.0 if first.part.frame else self._beginning(first)
        if first.part.look != "fork" or not spot.gaps or id(first) in self.left:
            return 0.0
        return first.long + spot.gaps[0] - 3

    def _entries(self, spot: Spot) -> Iterator[float]:
        """The `u` at which edges may enter a part, seen from its origin."""
        if spot.arrangement == "free":
            yield from (port.u for port in self.ways.ports_of(spot) if port.v == 0)
        elif spot.arrangement == "series" and spot.main:
            yield from (spot.main[0].u + u for u in self._entries(spot.main[0]))
        elif spot.arrangement in ("parallel", "columns"):
            yield from (child.u + u for child in spot.children for u in self._entries(child))
        else:
            yield 0.0

    # --- one after another ---------------------------------------------------------------------

    def _series(self, group: Spot) -> None:
        main = group.main
        framed = [frame for spot in main for frame in _framed(spot)]
        left = max((spot.left for spot in framed), default=0.0)
        right = max((spot.right for spot in framed), default=0.0)
        for spot in main:
            _widen(spot, left, right)
        at = {id(spot): place for place, spot in enumerate(main)}
        crossing = self.crossing[id(group)]
        links: dict[int, list[Way]] = defaultdict(list)
        for way in crossing:
            if way.kind == "link":
                links[at[id(way.start)]].append(way)
        group.gaps = [_gap(group, links[place]) for place in range(len(main) - 1)]
        settle(group)
        lanes = [_Run(0, len(main) - 1, 1, lane=spot) for spot in group.children if spot.aside]
        longest = max((run.lane.long for run in lanes if run.lane), default=0.0)
        stretch(group, longest - group.long, beside=True)
        self._tracks(group, [*lanes, *_arcs(crossing, at)])

    def _tracks(self, group: Spot, runs: list[_Run]) -> None:
        """Set what runs beside the main path off from it, the shortest nearest."""
        main = group.main
        sides = {1: [spot.right for spot in main], -1: [spot.left for spot in main]}
        taken: dict[int, list[tuple[int, int, float]]] = {1: [], -1: []}
        reach = {side: max(reaches, default=0.0) for side, reaches in sides.items()}
        for run in sorted(runs, key=lambda run: (run.last - run.first, run.first)):
            near = sides[run.side][max(run.first, 0) : run.last + 1]
            passed = [
                far
                for first, last, far in taken[run.side]
                if max(first, run.first) < min(last, run.last)
            ]
            u = max((*near, *passed), default=0.0) + TRACK
            words = max((way.words[0] + ASIDE for way in run.ways if way.words[0]), default=0.0)
            far = u + words
            if lane := run.lane:
                lane.u = max(u + lane.left, lane.near + TRACK)
                far = lane.u + lane.right
            for way in run.ways:
                way.track = run.side * u
            taken[run.side].append((run.first, run.last, far))
            reach[run.side] = max(reach[run.side], far)
        group.left, group.right = reach[-1], reach[1]

    # --- side by side --------------------------------------------------------------------------

    def _parallel(self, group: Spot, between: float = BESIDE) -> None:
        columns = group.children if self.down else group.children[::-1]
        u = 0.0
        for spot in columns:
            u += spot.left
            spot.u = u
            u += spot.right + between
        centre = (columns[0].u + columns[-1].u) / 2
        for spot in columns:
            spot.u -= centre
        group.left, group.right = centre, u - between - centre
        group.long = max(spot.long for spot in columns)
        settle(group)

    def _columns(self, group: Spot) -> None:
        for spot in group.children:
            settle(spot)
        self._parallel(group, GUTTER)
        words = [way.words[1] for way in self.crossing[id(group)]]
        if words:
            group.head, group.foot = max(STEP, *words) + 9, 11.0
            group.long += group.head + group.foot
        settle(group)


def _centre(spot: Spot) -> None:
    """Set what runs beside no main path in the middle: among interwoven boxes none passes it."""
    if spot.children and not spot.main:
        start = min(x.u - x.left for x in spot.children)
        stop = max(x.u + x.right for x in spot.children)
        for lane in spot.children:
            lane.u -= (start + stop) / 2
        spot.left = spot.right = (stop - start) / 2


def _framed(spot: Spot) -> Iterator[Spot]:
    """The frames along a main path."""
    if spot.part.frame:
        yield spot
    elif spot.arrangement == "series":
        for child in spot.main:
            yield from _framed(child)


def _widen(spot: Spot, left: float, right: float) -> None:
    """Let frames along a main path be equally wide."""
    framed = list(_framed(spot))
    if framed:
        spot.left, spot.right = max(spot.left, left), max(spot.right, right)
        for child in spot.main if framed != [spot] else ():
            _widen(child, left, right)


def settle(group: Spot) -> None:
    """Set the parts of a group along its length, by its gaps and what its frame takes."""
    if group.arrangement == "series":
        v = group.head + group.spare[0]
        gaps = iter([*group.gaps, 0.0])
        main = group.main
        for spot in main:
            spot.v = v
            v += spot.long + next(gaps)
        v += group.spare[1]
        group.long = v + group.foot
        for spot in group.children:
            if spot.aside:
                spot.v = group.head + (v - group.head - spot.long) / 2
    elif group.arrangement == "parallel":
        room = group.long - group.head - group.foot
        for spot in group.children:
            spot.v = group.head + (room - spot.long) / 2
    elif group.arrangement == "columns":
        for spot in group.children:
            spot.v = group.head


def stretch(group: Spot, extra: float, beside: bool = False) -> None:
    """Make a group longer: its frames, or the steps between its parts, evenly.

    What has no frame keeps its start, unless it is `beside` something that is as long.
    """
    if extra <= 0.01 or not isinstance(group.part, Group):
        return
    frames = [spot for spot in group.main if next(_framed(spot), None)]
    if group.arrangement == "series" and frames and not group.part.frame:
        for spot in frames:
            stretch(spot, extra / len(frames))
    elif group.arrangement == "series":
        ends = bool(group.part.frame) or beside
        slots = len(group.gaps) + 1 + ends
        group.spare = (group.spare[0] + ends * extra / slots, group.spare[1] + extra / slots)
        group.gaps = [gap + extra / slots for gap in group.gaps]
    else:
        group.long += extra
    settle(group)


def _gap(group: Spot, links: Sequence[Way]) -> float:
    """The length between two parts: arrows, words beside edges, and a bend where columns part."""
    arrow = any(way.edge.arrow or way.stop is not way.head for way in links)
    bends = any(abs(way.tail.within(group)[0] - way.head.within(group)[0]) > 0.5 for way in links)
    before = max((way.words[1] + 2 for way in links if way.words[1] and way.at_tail), default=0.0)
    words = (way.words[1] for way in links if way.words[1] and not way.at_tail)
    after = max((high + 3 for high in words), default=0.0)
    if bends:
        return before + BEND + max(after, 9.0 if arrow else 4.0)
    return max(before + after, STEP if arrow else SHORT_STEP)


def _arcs(crossing: Sequence[Way], at: dict[int, int]) -> Iterator[_Run]:
    """Edges that pass parts of the main path; those that carry the same share a track."""
    shared: dict[tuple[int, int, str], list[Way]] = defaultdict(list)
    for way in crossing:
        if way.kind == "arc" and id(way.start) in at and id(way.stop) in at:
            shared[id(way.tail), way.side, way.edge.stroke].append(way)
    for together in shared.values():
        first = min(at[id(way.start)] for way in together)
        last = max(at[id(way.stop)] for way in together)
        yield _Run(first, last, together[0].side, tuple(together))


def _widest(spot: Spot) -> float:
    """How far a part's boxes reach to the left of its main path."""
    if not spot.children:
        return spot.left
    return max((_widest(child) - child.u for child in spot.main), default=0.0)
