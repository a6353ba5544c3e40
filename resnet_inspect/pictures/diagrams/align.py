"""What starts at the same height in networks side by side, and the sizes at their side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from operator import itemgetter

from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.op_labels import show_dims
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.pictures.diagrams.arrange import boxes
from resnet_inspect.pictures.diagrams.scene import Box, Group, Part
from resnet_inspect.pictures.diagrams.style import Style


@dataclass(frozen=True, slots=True)
class Grid:
    """How networks are aligned: by their stages, or by the size of what is put out.

    stages: for each network the keys of its stages; sides: what is written beside a key.
    """

    stages: tuple[Mapping[str, str], ...]
    by_size: bool = False
    sides: Mapping[str, str] | None = None


def grid(graphs: Sequence[LayerGraph], style: Style) -> Grid:
    """How some networks are aligned.

    Stages that belong together are the first, second, .. of each, or those of equal name where
    some have more. Where names do not match, and where single convolutions are drawn, networks of
    one input size are aligned by the size of what their layers put out.
    """
    if style.alone or len(graphs) == 1:
        return Grid(({},) * len(graphs))
    shapes = [graph.input_shape for graph in graphs]
    comparable = len({shape[1:] for shape in shapes}) == 1 and {*map(len, shapes)} == {3}
    names = [[stage.name for stage in graph.stages] for graph in graphs]
    alike = len({*map(len, names)}) == 1
    if alike:
        keys = tuple({name: f"stage {at}" for at, name in enumerate(own)} for own in names)
    else:
        shared = set(names[0]).intersection(*names[1:])
        keys = tuple({name: name for name in own if name in shared} for own in names)
    if comparable and (style.level == "conv" or not alike):
        return Grid(keys if alike else ({},) * len(graphs), by_size=True)
    return Grid(keys, sides=_stage_sides(graphs, keys))


def _stage_sides(
    graphs: Sequence[LayerGraph], keys: Sequence[Mapping[str, str]]
) -> dict[str, str] | None:
    """The size that each stage puts out, if it is the same in all networks."""
    found: dict[str, set[str]] = {}
    for graph, own in zip(graphs, keys, strict=True):
        for stage in graph.stages:
            if stage.name in own:
                found.setdefault(own[stage.name], set()).add(size(stage.output.output_shape))
    told = {key: words for key, (words, *others) in found.items() if words and not others}
    return told if len(told) == len(found) else None


def size(shape: Shape) -> str:
    """The height and width of a shape, in words; of a vector 1×1; '' if it is of another kind."""
    if len(shape) == 1:
        return "1×1"
    return show_dims(shape[1:]) if len(shape) == 3 else ""


def by_size(parts: Sequence[Part], sizes: Mapping[str, str]) -> Iterator[Part]:
    """Parts in a row, each that puts out a size first with that as its key.

    sizes: what boxes put out. What has no frame is cut where the size changes.
    """
    seen = {""}
    flat = [each for part in parts for each in _flat(part)]
    for words, run in groupby(_sized(flat, sizes), key=itemgetter(0)):
        inside = [part for _, part in run]
        if words not in seen:
            first, *_ = inside
            seen.add(words)
            if isinstance(first, Group) and first.frame:
                inside[0] = replace(first, align=words)
            else:
                own = tuple(takewhile(lambda part: part.frame is None, inside))
                inside[: len(own)] = [Group(f"{first.name}/{words}", own, align=words)]
        yield from inside


def _flat(part: Part) -> Iterator[Part]:
    """The parts of a row without a frame, unless shortcuts or gates run beside them."""
    if isinstance(part, Box) or part.frame or part.arrangement != "series" or _has_lanes(part):
        yield part
    else:
        for each in part.parts:
            yield from _flat(each)


def _has_lanes(part: Group) -> bool:
    return any(box.lane != "main" or box.look == "fork" for box in boxes(part))


def _sized(parts: Sequence[Part], sizes: Mapping[str, str]) -> list[tuple[str, Part]]:
    """Parts with the size that most boxes of each put out, or else the part after it."""
    found: list[tuple[str, Part]] = []
    after = ""
    for part in reversed(parts):
        own = Counter(sizes[box.name] for box in boxes(part) if box.name in sizes)
        after = max(own, key=own.__getitem__, default=after)
        found.append((after, part))
    return found[::-1]
