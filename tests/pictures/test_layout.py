"""Where things are in diagrams: straight main paths, even steps, arcs that stay in their frames."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import hypot

import pytest
from traced_networks import traced

from resnet_inspect import diagram
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pictures.diagrams.arrange import boxes
from resnet_inspect.pictures.diagrams.diagram import block_diagram
from resnet_inspect.pictures.diagrams.scene import Box, Part
from resnet_inspect.pictures.diagrams.sheet import Path, Placed, Point, Rect, Sheet
from resnet_inspect.pictures.diagrams.style import DIRECTIONS, LEVELS

NEAR = pytest.approx

NAMES = ["resnet50", "plain34", "resnet20_cifar", "seresnet18", "resnet50d", "resnetv2_50"]


def sheet(name: str | LayerGraph, **look: object) -> Sheet:
    return diagram(name, **look).sheet  # type: ignore[arg-type]


def on_main_path(part: Part) -> Iterator[Box]:
    """The boxes of a part that do not stand beside its main path."""
    if part.lane != "main":
        return
    if isinstance(part, Box):
        yield part
    else:
        for inner in part.parts:
            yield from on_main_path(inner)


def along(rect: Rect, down: bool) -> tuple[float, float]:
    return (rect.top, rect.bottom) if down else (rect.left, rect.right)


def across(rect: Rect, down: bool) -> float:
    return rect.centre.x if down else rect.centre.y


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_the_main_path_is_straight(name: str, level: str, direction: str) -> None:
    made = sheet(name, level=level, direction=direction)
    (placed,) = made.placed
    names = [box.name for box in on_main_path(placed.drawing.root)]
    rects = [placed.boxes[name][1] for name in names]
    down = made.scene.down
    assert {round(across(rect, down), 3) for rect in rects} == {round(across(rects[0], down), 3)}
    for before, after in pairwise(rects):
        assert along(before, down)[1] < along(after, down)[0]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["skresnet18", "resnest14d", "res2net50_14w_8s", "gcresnet50t"])
def test_arrows_end_at_their_boxes(name: str, level: str, direction: str) -> None:
    (placed,) = diagram(name, level=level, direction=direction).sheet.placed
    for path in placed.paths:
        if tip := path.tip:
            box = placed.boxes[path.edge.head][1]
            assert box.left - 1 <= tip.x <= box.right + 1, path.edge
            assert box.top - 1 <= tip.y <= box.bottom + 1, path.edge


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_steps_within_a_block_are_even(direction: str) -> None:
    made = sheet("resnet50", level="conv", direction=direction)
    (placed,) = made.placed
    for block in ("layer1.0", "layer3.1"):
        names = [*(f"{block}.conv{number}" for number in (1, 2, 3)), f"{block}.add"]
        ends = [along(placed.boxes[name][1], made.scene.down) for name in names]
        steps = [start - end for (_, end), (start, _) in pairwise(ends)]
        assert steps == NEAR([steps[0]] * 3)


def frames_around(placed: Placed, box: str) -> list[Rect]:
    """The frames that hold a box, the outermost first."""

    def walk(part: Part, around: list[Rect]) -> list[Rect] | None:
        if isinstance(part, Box):
            return around if part.name == box else None
        framed = placed.frames.get(part.name)
        inside = [*around, framed.rect] if framed else around
        return next(
            (found for each in part.parts if (found := walk(each, inside)) is not None), None
        )

    return walk(placed.drawing.root, []) or []


def shortcuts(placed: Placed) -> Iterator[Path]:
    return (path for path in placed.paths if path.edge.way in ("shortcut", "gate"))


def tangents(path: Path) -> Iterator[tuple[Point, Point, Point]]:
    """At each joint of a curve, the points before and after it."""
    return zip(path.points[2::3], path.points[3::3], path.points[4::3], strict=False)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("level", ["block", "conv", "layer"])
@pytest.mark.parametrize("names", [*((name,) for name in NAMES), ("plain34", "resnet34")])
def test_arcs_are_smooth_and_stay_in_their_frames(
    names: tuple[str, ...], level: str, direction: str
) -> None:
    found = 0
    for placed in diagram(*names, level=level, direction=direction).sheet.placed:
        for path in shortcuts(placed):
            found += 1
            tail, head = (frames_around(placed, end) for end in (path.edge.tail, path.edge.head))
            shared = [frame for frame in tail if frame in head]
            for frame in shared[-1:]:
                for point in path.points:
                    assert frame.left < point.x < frame.right
                    assert frame.top < point.y < frame.bottom
            for before, at, after in tangents(path):
                assert turn(before, at, after) == NEAR(0, abs=0.01)
    assert bool(found) == any(not name.startswith("plain") for name in names)


def turn(before: Point, at: Point, after: Point) -> float:
    """The sine of the angle in which a curve turns at a point."""
    (ax, ay), (bx, by) = (at.x - before.x, at.y - before.y), (after.x - at.x, after.y - at.y)
    return (ax * by - ay * bx) / (hypot(ax, ay) * hypot(bx, by))


@pytest.mark.parametrize("shortcut", ["A", "B", "C", "D"])
def test_a_block_alone_has_one_smooth_arc(shortcut: str) -> None:
    made = block_diagram("bottleneck", stride=2, shortcut=shortcut).sheet
    for path in shortcuts(made.placed[0]):
        directions = [
            (round(b.x - a.x, 3), round(b.y - a.y, 3)) for a, b in pairwise(path.points[::3])
        ]
        rights = [x > 0 for x, _ in directions if x]
        assert len([1 for a, b in pairwise(rights) if a != b]) <= 1  # out, and back in once
        assert all(y >= 0 for _, y in directions)  # never up


@pytest.mark.parametrize("name", ["resnet50", "resnet34", "resnet20_cifar"])
def test_frames_of_stages_are_equally_wide(name: str) -> None:
    for direction in DIRECTIONS:
        made = sheet(name, direction=direction)
        (placed,) = made.placed
        rects = [f.rect for n, f in placed.frames.items() if n.endswith("/stage")]
        sides = [rect.width if made.scene.down else rect.height for rect in rects]
        assert len(sides) >= 3
        assert sides == NEAR([sides[0]] * len(sides))


def test_no_word_is_at_the_height_of_an_addition() -> None:
    """A shape beside the main path stands above or below the circle, never at its side."""
    for name in NAMES:
        made = sheet(name, level="layer")
        (placed,) = made.placed
        signs = [rect for box, rect in placed.boxes.values() if box.look == "sign"]
        for path in placed.paths:
            for sign in signs if path.words else ():
                assert path.words is not None
                assert path.words.bottom <= sign.top or path.words.top >= sign.bottom


def test_zero_padding_is_as_strong_as_the_other_shortcuts() -> None:
    drawn = diagram("resnet20_cifar").render("svg").decode()
    assert 'stroke-dasharray="0,5.5" stroke-linecap="round"' in drawn
    assert 'stroke-dasharray="1,5"' not in drawn


def test_skips_have_tracks_of_their_own() -> None:
    """Of a U-Net, nested as its levels are, and each on one vertical line left of all boxes."""
    made = sheet(traced("unet"), level="conv")
    (placed,) = made.placed
    skips = [path for path in placed.paths if path.edge.way == "skip"]
    lanes = sorted(min(point.x for point in path.points) for path in skips)
    assert len(lanes) == 3
    assert all(after - before > 5 for before, after in pairwise(lanes))
    assert lanes[-1] < min(rect.left for _, rect in placed.boxes.values())


def test_branches_stand_side_by_side() -> None:
    made = sheet(traced("fork"), level="conv")
    (placed,) = made.placed
    one, two, three = (placed.boxes[name][1] for name in ("one.0", "two.0.0", "two.1.0"))
    assert one.right < two.left
    assert two.bottom < three.top
    assert two.centre.x == NEAR(three.centre.x)
    assert placed.boxes["stem.0"][1].centre.x == NEAR((one.centre.x + two.centre.x) / 2)


def test_parts_of_a_scene_are_all_placed() -> None:
    made = sheet(traced("pyramid"), level="layer")
    (placed,) = made.placed
    assert {box.name for box in boxes(placed.drawing.root)} == placed.boxes.keys()
    assert [path.edge for path in placed.paths] == list(placed.drawing.edges)
