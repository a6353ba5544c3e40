"""Interwoven boxes: Graphviz's dot arranges them and bends their edges, by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from resnet_inspect.errors import InspectError
from resnet_inspect.pictures.diagrams.engine import run_graphviz
from resnet_inspect.pictures.diagrams.lengths import ASIDE, BORDER, PAD
from resnet_inspect.pictures.diagrams.measure import lines_size
from resnet_inspect.pictures.diagrams.scene import Group
from resnet_inspect.pictures.diagrams.spots import Spot
from resnet_inspect.pictures.diagrams.ways import Leg, Way

CROWDED = 300
"""Edges above which dot is told to stop improving early."""

MOST = 6000
"""Edges that dot lays out in minutes: time grows as the square."""


@dataclass
class _Sketch:
    """A group as DOT. names: of its spots by id."""

    down: bool
    names: dict[int, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def name(self, spot: Spot) -> str:
        return self.names.setdefault(id(spot), f"n{len(self.names)}")

    def part(self, spot: Spot) -> None:
        """A box or a whole group; of another what it holds, in a cluster if it has a frame."""
        if spot.whole or not isinstance(spot.part, Group):
            across = 2 * max(spot.left, spot.right)
            wide, high = (across, spot.long) if self.down else (spot.long, across)
            look = f"width={wide / 72:.4f} height={high / 72:.4f}"
            self.lines.append(f"{self.name(spot)} [{look}]")
            return
        frame = spot.part.frame
        if frame:
            self.lines.append(f"subgraph cluster_{self.name(spot)} {{ margin={PAD:g}")
        if frame and frame.title:  # a node, so that edges keep off it
            wide, high = spot.size = lines_size(frame.title)
            look = f"width={(wide + 4) / 72:.4f} height={high / 72:.4f}"
            first = next(taken(spot))
            edge = f"{self.title(spot)} -> {self.name(first)} [style=invis minlen=0]"
            self.lines += [f"{self.title(spot)} [{look}]", edge]
        for child in spot.children:
            self.part(child)
        if frame:
            self.lines.append("}")

    def port(self, port: Spot) -> str:
        """A port, as wide as the words beside its edge need."""
        room = max(0.01, 2 * port.left / 72)
        wide, high = (room, 0.01) if self.down else (0.01, room)
        return f"{self.name(port)} [width={wide:.4f} height={high:.4f}]"

    def title(self, spot: Spot) -> str:
        return f"{self.name(spot)}_title"


def taken(group: Spot) -> Iterator[Spot]:
    """The boxes and groups that a free group takes as one."""
    for spot in group.children:
        if spot.whole or not spot.children:
            yield spot
        else:
            yield from taken(spot)


def _room(size: tuple[float, float]) -> str:
    """A label that takes as much room as some words."""
    if not size[0]:
        return '""'
    table = f'BORDER="0" FIXEDSIZE="TRUE" WIDTH="{size[0]:.0f}" HEIGHT="{size[1]:.0f}"'
    return f"<<TABLE {table}><TR><TD></TD></TR></TABLE>>"


def arrange_freely(
    group: Spot, legs: Sequence[Leg], ways: Sequence[Way], ports: Sequence[Spot], down: bool
) -> None:
    """Set all that is in a group, and the curves of its edges.

    legs: the pieces of edges within it; ways: the edges that they are of; ports: where edges from
    outside enter and leave. Raises InspectError where there are too many edges.
    """
    if len(legs) > MOST:
        raise InspectError(
            f"this picture has {len(legs):,} edges between interwoven layers, which would take "
            "many minutes; draw blocks or stages (--level)"
        )
    sketch = _Sketch(down)
    for spot in group.children:
        sketch.part(spot)
    own = {id(port) for port in ports}
    told = {id(way.first): way for way in ways if way.kind == "inner"}
    arrows = {id(way.last or way.first): way.edge.arrow for way in ways}
    for number, leg in enumerate(legs):
        tail, head = sketch.name(leg.tail), sketch.name(leg.head)
        plain = id(leg.head) in own or leads_inside(leg) or not arrows.get(id(leg), True)
        look = f"id={number}" + (" dir=none" if plain else "")
        look += f" tailport={'s' if down else 'e'}" if leg.tail.children else ""
        look += f" headport={'n' if down else 'w'}" if leg.head.children else ""
        if id(leg) in told and told[id(leg)].words[0]:
            way = told[id(leg)]
            wide, high = way.words if down else way.words[::-1]
            look += f" label={_room((wide + 2 * ASIDE, high))}"
        sketch.lines.append(f"{tail} -> {head} [{look}]")
    entries = {id(leg.tail) for leg in legs} & own
    for rank, inside in (("source", True), ("sink", False)):
        points = [sketch.port(port) for port in ports if (id(port) in entries) is inside]
        if points:
            sketch.lines.append(f"{{ rank={rank}; {'; '.join(points)} }}")
    crowded = "nslimit=1 mclimit=0.2" if len(legs) > CROWDED else ""
    loose = f"rankdir={'TB' if down else 'LR'} ranksep=0.2 nodesep=0.2 {crowded}"
    head = (
        f'digraph {{ graph [{loose}] node [shape=box fixedsize=true label=""] edge [arrowsize=0.7]'
    )
    drawn = _by_dot("\n".join([head, *sketch.lines, "}"]))
    _take(group, legs, ports, sketch, drawn)


def leads_inside(leg: Leg) -> bool:
    """Whether an edge goes on within the group that it leads to."""
    return bool(leg.head.children) and leg.into.within(leg.head)[1] > 1.0


def _by_dot(dot: str) -> dict[str, Any]:
    """What dot makes of a graph."""
    drawn = run_graphviz(dot, "dot", "json0")
    if drawn is None:
        raise InspectError("Graphviz could not lay interwoven layers out")
    found: dict[str, Any] = json.loads(drawn)
    return found


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.replace(",", " ").split()]


def _take(
    group: Spot, legs: Sequence[Leg], ports: Sequence[Spot], sketch: _Sketch, drawn: dict[str, Any]
) -> None:
    """Set spots and legs as they were drawn."""
    down = sketch.down
    _, _, width, height = _numbers(drawn["bb"])
    objects = {each["name"]: each for each in drawn.get("objects", ())}
    across = width if down else height
    points = {id(port): _numbers(objects[sketch.name(port)]["pos"]) for port in ports}
    entries = {id(leg.tail) for leg in legs}
    middle = [at[0 if down else 1] for key, at in points.items() if key in entries]
    centre = sum(middle) / len(middle) if middle else across / 2

    def place(x: float, y: float) -> tuple[float, float]:
        return (x - centre, BORDER + height - y) if down else (y - centre, BORDER + x)

    def visit(spot: Spot, u: float, v: float) -> None:
        name = sketch.names.get(id(spot), "")
        spot.u = spot.v = 0.0
        if spot.whole or not spot.children:
            at_u, at_v = place(*_numbers(objects[name]["pos"]))
            spot.u, spot.v = at_u - u, at_v - spot.long / 2 - v
            return
        if name:
            x, y, far_x, far_y = _numbers(objects[f"cluster_{name}"]["bb"])
            (low, start), (high, stop) = sorted((place(x, y), place(far_x, far_y)))
            spot.left = spot.right = (high - low) / 2
            spot.long = abs(stop - start)
            spot.u, spot.v = (low + high) / 2 - u, min(start, stop) - v
            u, v = u + spot.u, v + spot.v
            if title := objects.get(sketch.title(spot)):
                at_u, at_v = place(*_numbers(title["pos"]))
                spot.title = (at_u - u, at_v - v)
        for child in spot.children:
            visit(child, u, v)

    for child in group.children:
        visit(child, 0.0, 0.0)
    group.left, group.right = centre, across - centre
    group.long = (height if down else width) + 2 * BORDER
    for port in ports:
        port.u, _ = place(*points[id(port)])
        port.v = 0.0 if id(port) in entries else group.long
        group.left = max(group.left, port.left - port.u)
    for edge in drawn.get("edges", ()):
        if "id" not in edge:
            continue
        leg = legs[int(edge["id"])]
        curve = list(_curve(edge["pos"]))
        tips = [at for end, at in curve if end == "e"]
        leg.curve = [place(*at) for end, at in curve if not end]
        leg.tip = place(*tips[0]) if tips else None
        leg.words = place(*_numbers(edge["lp"])) if "lp" in edge else None


def _curve(text: str) -> Iterator[tuple[str, tuple[float, float]]]:
    """The points of a curve, its arrow's tip first with an e before it."""
    for word in text.split():
        parts = word.split(",")
        end = parts[0] if parts[0] in ("e", "s") else ""
        x, y = map(float, parts[1:] if end else parts)
        yield end, (x, y)
