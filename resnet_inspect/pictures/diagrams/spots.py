"""The parts of a drawing as a tree in which each gets its place.

Places are relative: `v` runs along the main path (down, or to the right), `u` across it, and lanes
for what runs beside the main path are on the side of larger `u`. A part's origin is where the main
path enters it. In a picture that runs to the right larger `u` is higher up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from resnet_inspect.pictures.diagrams.lengths import FORK, LOWEST, MARGINS, SIGN
from resnet_inspect.pictures.diagrams.measure import Size, lines_size
from resnet_inspect.pictures.diagrams.scene import Arrangement, Box, Group, Part

_NONE = Size(0.0, 0.0)


@dataclass(eq=False)
class Spot:
    """A part and its place.

    left, right: how far it reaches on both sides of its origin's `u`; long: along `v`. u, v: its
    origin in its parent's. head, foot: what of its length a frame takes before and after what is
    inside. gaps: after each of its parts on the main path; spare: before the first and
    after the last. size: of a box, or of a frame's title.
    aside: whether it stands beside the main path, and near: how far from it at least.
    arrangement: of a group's parts; None of a box. whole: whether a free group that holds it takes
    it as one. title: the middle of a frame's title in its group, if it is not in the corner.
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
    spare: tuple[float, float] = (0.0, 0.0)
    size: Size = _NONE
    near: float = 0.0
    arrangement: Arrangement | None = None
    aside: bool = False
    whole: bool = True
    title: tuple[float, float] | None = None

    @property
    def main(self) -> list[Spot]:
        """What of a group stands on the main path, or lets it pass."""
        return [spot for spot in self.children if not spot.aside]

    @property
    def empty(self) -> bool:
        """Whether the main path passes it without meeting anything."""
        return self.aside or (
            isinstance(self.part, Group) and all(spot.empty for spot in self.children)
        )

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


def tree(root: Group, down: bool, sizes: dict[int, Size]) -> tuple[Spot, dict[str, Spot]]:
    """A drawing's parts as spots, and those of its boxes by name. sizes: measured boxes by id."""
    boxes: dict[str, Spot] = {}

    def grow(part: Part, parent: Spot | None, place: int, beside: bool = False) -> Spot:
        spot = Spot(part, parent, place, aside=part.lane != "main" and not beside)
        beside |= spot.aside
        if isinstance(part, Group):
            spot.arrangement = part.arrangement
            spot.children = [grow(inner, spot, at, beside) for at, inner in enumerate(part.parts)]
        else:
            if id(part) not in sizes:
                sizes[id(part)] = box_size(part)
            spot.size = sizes[id(part)]
            across, spot.long = spot.size if down else spot.size[::-1]
            spot.left = spot.right = across / 2
            boxes[part.name] = spot
        return spot

    return grow(root, None, 0), boxes
