"""A network cut into columns: where it may be, and where the longest is as short as it can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from resnet_inspect.pictures.diagrams.scene import Group, Part
from resnet_inspect.pictures.diagrams.spots import Spot
from resnet_inspect.pictures.diagrams.ways import Ways, below


@dataclass(frozen=True, slots=True)
class Cell:
    """What stays in one piece: a part of a network, or of a frame around several.

    end: where it ends along the network; broken: whether the network may go on elsewhere after it.
    """

    part: Part
    frame: Group | None
    end: float
    broken: bool


def cells(root: Spot, ways: Ways, inside: bool) -> tuple[Cell, ...]:
    """A network's pieces in a row; inside: whether its frames may be cut as well."""
    if root.arrangement != "series" or any(spot.aside for spot in root.children):
        return ()
    spots = list(_spots(root, inside))
    place = {id(spot): at for at, spot in enumerate(spots)}
    broken = [True] * len(spots)
    for way in ways.all:
        start, stop = (_place(box, root, place) for box in way.boxes)
        if way.kind != "link" or stop - start > 1:
            broken[start:stop] = [False] * (stop - start)
    return tuple(
        Cell(spot.part, _frame(spot, root), spot.within(root)[1] + spot.long, free)
        for spot, free in zip(spots, broken, strict=True)
    )


def _spots(root: Spot, inside: bool) -> Iterator[Spot]:
    for spot in root.children:
        opens = spot.part.frame and spot.arrangement == "series"
        if inside and opens and not any(child.aside for child in spot.children):
            yield from spot.children
        else:
            yield spot


def _place(box: Spot, root: Spot, place: dict[int, int]) -> int:
    return next(place[id(spot)] for spot in below(box, root) if id(spot) in place)


def _frame(spot: Spot, root: Spot) -> Group | None:
    around = spot.parent
    return around.part if around and around is not root and isinstance(around.part, Group) else None


def wrapped(root: Group, found: Sequence[Cell], count: int) -> Group:
    """A network as so many columns, the longest as short as it can be."""
    breaks = [at for at, cell in enumerate(found[:-1]) if cell.broken]
    ends = [*(found[at].end for at in breaks), found[-1].end]
    cuts = [0, *(breaks[at] + 1 for at in _cuts(ends, count)), len(found)]
    told: dict[str, int] = {}
    columns = [
        Group(f"{root.name}/column {number}", tuple(_joined(found[start:stop], told)))
        for number, (start, stop) in enumerate(pairwise(cuts), start=1)
    ]
    return Group(root.name, tuple(columns), "columns")


def _joined(column: Sequence[Cell], told: dict[str, int]) -> Iterator[Part]:
    """Pieces with the frames around them; one that goes on in another column has two."""
    for _, run in groupby(column, key=lambda cell: id(cell.frame)):
        pieces = list(run)
        frame = pieces[0].frame
        if frame is None:
            yield from (cell.part for cell in pieces)
            continue
        told[frame.name] = told.get(frame.name, 0) + 1
        number = told[frame.name]
        name = frame.name if number == 1 else f"{frame.name}/{number}"
        yield replace(frame, name=name, parts=tuple(cell.part for cell in pieces))


def _cuts(ends: Sequence[float], count: int) -> list[int]:
    """Which of the ends to cut at for `count` columns, the longest as short as it can be."""
    # best[k][i]: the longest column up to the i-th end in k + 1 columns, and the cut before.
    best: list[list[tuple[float, int]]] = [[(end, -1) for end in ends]]
    for _ in range(count - 1):
        best.append(
            [
                min(
                    ((max(best[-1][at][0], end - ends[at]), at) for at in range(place)),
                    default=(float("inf"), -1),
                )
                for place, end in enumerate(ends)
            ]
        )
    cuts, at = [], len(ends) - 1
    for row in best[:0:-1]:
        at = row[at][1]
        cuts.append(at)
    return cuts[::-1]
