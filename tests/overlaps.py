"""What runs into what in a drawn diagram: boxes, words, lines and frames of its SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from resnet_inspect.pictures.diagrams.measure import words_width

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


class Area(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area, slack: float) -> bool:
        """Whether they overlap by more than some points."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > slack
            and min(self.bottom, other.bottom) - max(self.top, other.top) > slack
        )

    def holds(self, other: Area, slack: float) -> bool:
        return (
            other.left >= self.left - slack
            and other.right <= self.right + slack
            and other.top >= self.top - slack
            and other.bottom <= self.bottom + slack
        )

    def has(self, x: float, y: float, within: float) -> bool:
        """Whether a point is inside, at least so many points from the border."""
        return (
            self.left + within < x < self.right - within
            and self.top + within < y < self.bottom - within
        )


@dataclass(frozen=True)
class Thing:
    """A box, a frame, words or a line, and what it belongs to."""

    name: str
    kind: str
    area: Area
    points: tuple[tuple[float, float], ...] = ()


def things(svg: bytes) -> Iterator[Thing]:
    """All that a picture shows."""
    root = ET.fromstring(svg)
    graph = root.find(f"{SVG}g")
    assert graph is not None
    for group in graph.iter(f"{SVG}g"):
        kind = next(iter((group.get("class") or "").split()), "")
        if kind not in ("graph", "node", "edge", "cluster"):
            continue
        name = (group.findtext(f"{SVG}title") or "").strip()
        inside = [each for each in _own(group) if each.tag != f"{SVG}g"]
        if kind in ("node", "cluster"):
            shapes = [each for each in inside if _is_shape(each)]
            if shapes and shapes[0].get("stroke") != "none":
                yield Thing(name, "box" if kind == "node" else "frame", _area(shapes[0]))
        elif kind == "edge":
            path = next(each for each in inside if each.tag == f"{SVG}path")
            points = tuple(_samples(_numbers(path.get("d", ""))))
            yield Thing(name, "line", _around(points), points)
        for text in inside:
            if text.tag == f"{SVG}text" and "".join(text.itertext()).strip():
                yield Thing(f"{name}: {''.join(text.itertext())}", "words", _text(text))


def _own(group: ET.Element) -> Iterator[ET.Element]:
    """What stands in a group, links and nested tables' groups included, but no other node."""
    for each in group:
        yield each
        marks = (each.get("class") or "").split()
        if each.tag in (f"{SVG}g", f"{SVG}a") and not {"node", "edge", "cluster"} & {*marks}:
            yield from _own(each)


def _is_shape(each: ET.Element) -> bool:
    return each.tag in (f"{SVG}polygon", f"{SVG}path", f"{SVG}ellipse")


def _numbers(text: str) -> list[tuple[float, float]]:
    found = [float(word) for word in NUMBER.findall(text)]
    return list(zip(found[::2], found[1::2], strict=True))


def _area(shape: ET.Element) -> Area:
    if shape.tag == f"{SVG}ellipse":
        x, y, a, b = (float(shape.get(key, 0)) for key in ("cx", "cy", "rx", "ry"))
        return Area(x - a, y - b, x + a, y + b)
    return _around(tuple(_numbers(shape.get("points") or shape.get("d") or "")))


def _around(points: tuple[tuple[float, float], ...]) -> Area:
    xs, ys = zip(*points, strict=True)
    return Area(min(xs), min(ys), max(xs), max(ys))


def _samples(points: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Points along a curve of cubic pieces, close to one another."""
    for at in range(0, len(points) - 3, 3):
        a, b, c, d = points[at : at + 4]
        steps = max(2, int((abs(d[0] - a[0]) + abs(d[1] - a[1])) / 5))
        for step in range(steps + 1):
            t = step / steps
            s = 1 - t
            weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
            yield (
                sum(w * p[0] for w, p in zip(weights, (a, b, c, d), strict=True)),
                sum(w * p[1] for w, p in zip(weights, (a, b, c, d), strict=True)),
            )


def _text(text: ET.Element) -> Area:
    """Where the letters of a text are: from the height of capitals to below the line."""
    size, x, y = (float(text.get(key, 0)) for key in ("font-size", "x", "y"))
    words, heavy = "".join(text.itertext()).replace("\xa0", " "), text.get("font-weight") == "bold"
    width = words_width(words, size, heavy)
    left = {"middle": x - width / 2, "end": x - width}.get(text.get("text-anchor", ""), x)
    left += words_width(words[: len(words) - len(words.lstrip())], size, heavy)
    width = words_width(words.strip(), size, heavy)
    return Area(left, y - 0.72 * size, left + width, y + 0.1 * size)


def collisions(svg: bytes) -> list[str]:
    """What overlaps and should not, in words."""
    found = list(things(svg))
    by_kind: dict[str, list[Thing]] = {"box": [], "frame": [], "words": [], "line": []}
    for thing in found:
        by_kind[thing.kind].append(thing)
    return [
        *_pairs(by_kind["box"], 0.5, "box on box"),
        *_pairs(by_kind["words"], 1.0, "words on words"),
        *_words_in_boxes(by_kind),
        *_lines(by_kind),
        *_frames(by_kind),
    ]


def _near(some: list[Thing]) -> Iterator[tuple[Thing, Thing]]:
    """Pairs that are close to one another, each once."""
    cells: dict[tuple[int, int], list[Thing]] = {}
    met = set()
    for thing in some:
        left, top, right, bottom = (int(at // CELL) for at in thing.area)
        for cell in product(range(left, right + 1), range(top, bottom + 1)):
            for other in cells.setdefault(cell, []):
                if (id(thing), id(other)) not in met:
                    met.add((id(thing), id(other)))
                    yield other, thing
            cells[cell].append(thing)


def _pairs(some: list[Thing], slack: float, what: str) -> Iterator[str]:
    for thing, other in _near(some):
        if thing.area.meets(other.area, slack):
            yield f"{what}: {thing.name!r} and {other.name!r}"


def _words_in_boxes(by_kind: dict[str, list[Thing]]) -> Iterator[str]:
    own = {thing.name: thing for thing in by_kind["box"]}
    for thing, other in _near([*by_kind["words"], *by_kind["box"]]):
        if {thing.kind, other.kind} != {"words", "box"}:
            continue
        words, box = (thing, other) if thing.kind == "words" else (other, thing)
        node = words.name.partition(": ")[0]
        if own.get(node) is box:
            if not box.area.holds(words.area, 1.0):
                yield f"words out of their box: {words.name!r}"
        elif words.area.meets(box.area, 0.5):
            yield f"words on a box: {words.name!r} on {box.name!r}"


def _lines(by_kind: dict[str, list[Thing]]) -> Iterator[str]:
    """Lines that run through something."""
    cells: dict[tuple[int, int], list[Thing]] = {}
    for thing in (*by_kind["box"], *by_kind["words"]):
        left, top, right, bottom = (int(at // CELL) for at in thing.area)
        for cell in product(range(left, right + 1), range(top, bottom + 1)):
            cells.setdefault(cell, []).append(thing)
    for line in by_kind["line"]:
        hit = set()
        for x, y in line.points:
            for thing in cells.get((int(x // CELL), int(y // CELL)), ()):
                inside = 1.0 if thing.kind == "box" else 0.3
                own = thing.area.right - thing.area.left < 9 and thing.name in line.name
                if thing.name not in hit and not own and thing.area.has(x, y, inside):
                    hit.add(thing.name)
                    yield f"line through {thing.kind}: {line.name!r} through {thing.name!r}"


CELL = 50
"""Points of the squares in which things are looked up."""


def _frames(by_kind: dict[str, list[Thing]]) -> Iterator[str]:
    """Frames' borders cut nothing."""
    for frame in by_kind["frame"]:
        for thing in (*by_kind["box"], *by_kind["words"], *by_kind["frame"]):
            if thing is frame or not frame.area.meets(thing.area, 0.5):
                continue
            if not (frame.area.holds(thing.area, 0.5) or thing.area.holds(frame.area, 0.5)):
                yield f"frame {frame.name!r} cuts {thing.kind} {thing.name!r}"
