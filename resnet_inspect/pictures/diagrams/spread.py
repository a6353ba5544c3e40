"""Networks of a scene set side by side on one page, with their stages aligned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from resnet_inspect.pictures.diagrams.layout import arrange, settle, stretch
from resnet_inspect.pictures.diagrams.lengths import BELOW, BETWEEN, MARGIN, TITLE
from resnet_inspect.pictures.diagrams.measure import Size, lines_size
from resnet_inspect.pictures.diagrams.routes import Places, cleared, route
from resnet_inspect.pictures.diagrams.scene import Box, Drawing, Group, Line, Scene
from resnet_inspect.pictures.diagrams.sheet import Framed, Placed, Point, Rect, Sheet
from resnet_inspect.pictures.diagrams.spots import Spot, tree
from resnet_inspect.pictures.diagrams.ways import Ways
from resnet_inspect.pictures.diagrams.wrap import Cell, cells, wrapped


class Spread:
    """The networks of a scene, each arranged by itself and then aligned with the others.

    size: what they take on a page, which is known before edges have their curves.
    """

    def __init__(self, scene: Scene, sizes: dict[int, Size]) -> None:
        self.scene = scene
        self.trees = [tree(drawing.root, scene.down, sizes) for drawing in scene.drawings]
        self.ways = [
            Ways(drawing.edges, boxes, scene.down)
            for drawing, (_, boxes) in zip(scene.drawings, self.trees, strict=True)
        ]
        for (root, _), crossing in zip(self.trees, self.ways, strict=True):
            arrange(root, crossing, scene.down)
        if len(scene.drawings) > 1:
            _align([root for root, _ in self.trees])
        self.legend = lines_size(scene.legend)
        self.headings = [lines_size(drawing.heading) for drawing in scene.drawings]
        self.words = [lines_size(lines) for lines in scene.sides.values()]
        self.spaces = list(self._spaces())
        self.low = max(space.bottom for space, _ in self.spaces) + MARGIN
        self.size = self._size()

    def cells(self, inside: bool) -> tuple[Cell, ...]:
        """The pieces that the only network may be cut into; inside: its frames as well."""
        return () if len(self.trees) > 1 else cells(self.trees[0][0], self.ways[0], inside)

    def wrapped(self, found: Sequence[Cell], count: int) -> Scene:
        """The scene with its only network cut into columns."""
        (drawing,) = self.scene.drawings
        whole = wrapped(drawing.root, found, count)
        return replace(self.scene, drawings=(replace(drawing, root=whole),))

    def _spaces(self) -> Iterator[tuple[Rect, float]]:
        """The space of each network with its heading, and where the network begins in it."""
        scene, legend, alone = self.scene, self.legend, len(self.trees) == 1
        highest = max(heading.height for heading in self.headings)
        beside = max((size.width for size in self.words), default=0.0)
        left = MARGIN + (beside + BETWEEN / 2 if scene.down and beside else 0.0)
        below = legend.height + BELOW if scene.legend else 0.0
        x, y = left, MARGIN + (0.0 if alone else below)
        for (root, _), heading in zip(self.trees, self.headings, strict=True):
            room = (highest if scene.down else heading.height) + BELOW + (below if alone else 0.0)
            across = root.left + root.right
            width, height = (across, root.long) if scene.down else (root.long, across)
            right = x + max(width, heading.width, legend.width if alone else 0.0)
            yield Rect(x, y, right, y + room + height), y + room
            x, y = (right + BETWEEN, y) if scene.down else (x, y + room + height + BETWEEN)

    def _size(self) -> Size:
        """What all of it takes; words at the side of what runs to the right are below it."""
        right = max(MARGIN + self.legend.width, *(space.right for space, _ in self.spaces))
        below = not self.scene.down and any(self._sides(0.0))
        more = max(size.height for size in self.words) + BETWEEN / 2 if below else 0.0
        return Size(right + MARGIN, self.low + more)

    def sheet(self, wide: float = 0.0) -> Sheet:
        """All of it on one page, in the middle of a width."""
        scene, legend, alone = self.scene, self.legend, len(self.trees) == 1
        more = max(0.0, (wide - self.size.width) / 2)
        placed = tuple(
            _placed(drawing, root, crossing, space.moved(more, 0.0), top, heading, scene.down)
            for drawing, (root, _), crossing, (space, top), heading in zip(
                scene.drawings, self.trees, self.ways, self.spaces, self.headings, strict=True
            )
        )
        top = placed[0].heading.bottom + BELOW if alone else MARGIN
        start = placed[0].heading.left if alone else MARGIN + more
        at_legend = Rect(start, top, start + legend.width, top + legend.height)
        width = max(self.size.width, wide)
        return Sheet(scene, width, self.size.height, placed, at_legend, tuple(self._sides(more)))

    def _sides(self, more: float) -> Iterator[tuple[tuple[Line, ...], Rect]]:
        """Words at the side of what is aligned. more: how far the networks are moved."""
        starts: dict[str, float] = {}
        for (root, _), (space, _) in zip(self.trees, self.spaces, strict=True):
            first = space.bottom - root.long if self.scene.down else space.left + more
            for spot in root.main:
                if spot.part.align:
                    starts.setdefault(spot.part.align, first + spot.v)
        for (key, lines), (wide, high) in zip(self.scene.sides.items(), self.words, strict=True):
            if key in starts:
                x, y = (MARGIN + more, starts[key]) if self.scene.down else (starts[key], self.low)
                yield lines, Rect(x, y, x + wide, y + high)


def _align(roots: Sequence[Spot]) -> None:
    """Let what belongs together start at the same height, the parts before it spread evenly."""
    aligned = [{spot.part.align: spot for spot in root.main if spot.part.align} for root in roots]
    shared = [key for key in _order(aligned) if sum(key in found for found in aligned) > 1]
    done = [0] * len(roots)
    for key in shared:
        here = [
            (number, root, root.main.index(found[key]))
            for number, (root, found) in enumerate(zip(roots, aligned, strict=True))
            if key in found
        ]
        start = max(root.main[at].v for _, root, at in here)
        for number, root, at in here:
            _lengthen(root, done[number], at, start - root.main[at].v)
            done[number] = at


def _order(aligned: Sequence[Mapping[str, Spot]]) -> Iterable[str]:
    """Keys in an order that is that of all networks; none if they contradict one another."""
    order = TopologicalSorter[str]()
    for found in aligned:
        for key in found:
            order.add(key)
        for before, key in pairwise(found):
            order.add(key, before)
    try:
        return tuple(order.static_order())
    except CycleError:
        return ()


def _lengthen(root: Spot, first: int, last: int, extra: float) -> None:
    """Make the parts of a network from one to before another longer."""
    if extra <= 0.01:
        return
    grown = [spot for spot in root.main[first:last] if isinstance(spot.part, Group)]
    for spot in grown:
        stretch(spot, extra / len(grown))
    if not grown and last > 0 and root.gaps:
        root.gaps[min(last, len(root.gaps)) - 1] += extra
    settle(root)


def _placed(
    drawing: Drawing, root: Spot, crossing: Ways, space: Rect, top: float, heading: Size, down: bool
) -> Placed:
    """A network in a space of the page, its heading above."""

    def page(u: float, v: float) -> Point:
        if down:
            return Point(space.left + root.left + u, top + v)
        return Point(space.left + v, top + root.right - u)

    at: Places = {}
    boxes: dict[str, tuple[Box, Rect]] = {}
    frames: dict[str, Framed] = {}

    def visit(spot: Spot, u: float, v: float) -> None:
        at[id(spot)] = (u, v)
        if isinstance(spot.part, Box):
            x, y = page(u, v + spot.long / 2)
            wide, high = spot.size
            placed = Rect(x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
            boxes[spot.part.name] = (spot.part, placed)
            return
        if spot.part.frame:
            a, b = page(u - spot.left, v), page(u + spot.right, v + spot.long)
            around = Rect(a.x, min(a.y, b.y), b.x, max(a.y, b.y))
            wide, high = spot.size
            left, top = around.left + TITLE[0], around.top + TITLE[1]
            if spot.title:
                x, y = page(u + spot.title[0], v + spot.title[1])
                left, top = x - wide / 2, y - high / 2
            title = Rect(left, top, left + wide, top + high)
            frames[spot.part.name] = Framed(spot.part.frame, around, title)
        for child in spot.children:
            visit(child, u + child.u, v + child.v)

    visit(root, 0.0, 0.0)
    for port in crossing.ports.values():
        u, v = at[id(port.parent)]
        at[id(port)] = (u + port.u, v + port.v)
    paths = cleared(
        [route(way, at, page) for way in crossing.all],
        [framed.rect for framed in frames.values()],
    )
    words = Rect(space.left, space.top, space.left + heading.width, space.top + heading.height)
    return Placed(drawing, space, words, boxes, frames, paths)
