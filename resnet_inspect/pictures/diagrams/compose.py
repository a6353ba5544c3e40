"""LayerGraphs -> Scene: networks as their stages, blocks, convolutions or layers.

The main path runs straight; whatever runs beside it (shortcuts, gates) leaves it at a point and
stands at its side. Every level draws the same units (units.py), with more or less in a box.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from resnet_inspect.counting.costs import graph_cost, total
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks.graph import HEAD, STEM, Layer, LayerGraph
from resnet_inspect.networks.naming import paper_names
from resnet_inspect.networks.wiring import Wiring
from resnet_inspect.pictures.diagrams.align import by_size, grid, lines, size
from resnet_inspect.pictures.diagrams.arrange import Item, arranged
from resnet_inspect.pictures.diagrams.boxes import end_box, stage_kind
from resnet_inspect.pictures.diagrams.cells import Readers, cells
from resnet_inspect.pictures.diagrams.changes import changes_of, likenesses
from resnet_inspect.pictures.diagrams.fills import BoxContent, fills_for
from resnet_inspect.pictures.diagrams.heading import heading, legend
from resnet_inspect.pictures.diagrams.parts import stage_part
from resnet_inspect.pictures.diagrams.scene import Box, Drawing, Group, Part, Scene, Text
from resnet_inspect.pictures.diagrams.sketch import Sketch
from resnet_inspect.pictures.diagrams.style import SMALL, Style
from resnet_inspect.pictures.diagrams.units import DrawnStage, stages
from resnet_inspect.pictures.diagrams.wires import edges


def scene(graphs: Sequence[LayerGraph], style: Style) -> Scene:
    """A picture of one network, or of several side by side.

    Raises UnknownNameError for the colouring.
    """
    likes = likenesses(style.pairs) if style.pairs else ({},) * len(graphs)
    drawn = [stages(graph, style.expand, own) for graph, own in zip(graphs, likes, strict=True)]
    readers = [Wiring(graph.layers).readers for graph in graphs]
    changes = changes_of(style, drawn, readers)
    contents = (
        content
        for parts, own in zip(drawn, readers, strict=True)
        for stage in parts
        for content in _contents(stage, style.cut, own)
    )
    most = max(sum(number is not None for number, _ in _numbered(parts)) for parts in drawn)
    fills = fills_for(style.color_by, style.theme, contents, most)
    lined_up = grid(graphs, style)
    sketches = [
        Sketch(
            graph,
            style,
            fills,
            graph_cost(graph),
            receptive_fields(graph),
            own,
            became,
            paper_names(graph) if style.names == "paper" else {},
            edge_labels=not (lined_up.by_size or lined_up.sides),
        )
        for graph, own, became in zip(graphs, readers, changes, strict=True)
    ]
    drawings = [
        _drawing(sketch, parts, own, lined_up.by_size)
        for sketch, parts, own in zip(sketches, drawn, lined_up.stages, strict=True)
    ]
    sides = dict(lined_up.sides or {})
    if lined_up.by_size:
        groups = (part for each in drawings for part in each.root.parts)
        sides = {
            part.align: part.align for part in groups if isinstance(part, Group) and part.align
        }
    return Scene(
        " and ".join(graph.name for graph in graphs),
        tuple(drawings),
        style.theme,
        legend(style, fills, sketches),
        style.down,
        lines(sides, style.theme.muted),
    )


def _drawing(
    sketch: Sketch, parts: Sequence[DrawnStage], keys: Mapping[str, str], sized: bool
) -> Drawing:
    """A network from its inputs to its outputs."""
    graph = sketch.graph
    inputs = [_input(sketch, name) for name in graph.inputs]
    items = [
        Item(
            _with_key(stage_part(sketch, stage, number), keys.get(stage.stage.name, "")),
            tuple(stage.stage.layers),
        )
        for number, stage in _numbered(parts)
    ]
    body = arranged(items)
    if sized:
        sizes = {box: size(sketch.shape_of(name)) for name, box in sketch.gives.items()}
        body = tuple(by_size(body, sizes))
    outputs = dict.fromkeys(graph.outputs)
    ends = {
        name: _end(sketch, "output" if len(outputs) == 1 else f"output {number}", name, "output")
        for number, name in enumerate(outputs, start=1)
    }
    unread = {name: _unused(sketch, name) for name in _dead_ends(sketch)}
    around = (*_side_by_side("inputs", inputs), *body)
    closing = _side_by_side("outputs", [*ends.values(), *unread.values()])
    root = Group("network", (*around, *closing))
    drawn = _drawn_layers(parts, sketch.style.level)
    into = [(name, box.name) for name, box in (*ends.items(), *unread.items())]
    return Drawing(graph.name, heading(sketch), root, edges(sketch, drawn, into, root))


def _drawn_layers(parts: Sequence[DrawnStage], level: str) -> Iterator[Layer]:
    """The layers whose inputs have edges: of repeats the first."""
    for stage in parts:
        if level == "stage":
            yield from stage.stage.layers
        else:
            yield from (layer for run in stage.runs for u in run.drawn for layer in u.layers)


def _with_key(part: Part, key: str) -> Part:
    """A part that stands where those of other networks with this key do."""
    if not key:
        return part
    return (
        Group(f"{part.name}/at", (part,), align=key)
        if isinstance(part, Box)
        else replace(part, align=key)
    )


def _side_by_side(name: str, found: Sequence[Part]) -> tuple[Part, ...]:
    return (Group(name, tuple(found), "parallel"),) if len(found) > 1 else tuple(found)


def _input(sketch: Sketch, name: str) -> Box:
    words = name if len(sketch.graph.inputs) == 1 else f"input {name}"
    box = _end(sketch, words, name, "input")
    sketch.gives[name] = box.name
    return box


def _end(sketch: Sketch, words: str, tensor: str, kind: str) -> Box:
    """An input or output; a module that is called like it keeps its name."""
    taken = words in sketch.graph.by_name or words in sketch.takes.values()
    return end_box(sketch, f"{words}/end" if taken else words, words, tensor, kind)


def _dead_ends(sketch: Sketch) -> Iterator[str]:
    """What nothing reads and the network does not return: one result of each box."""
    graph, told = sketch.graph, set[str]()
    for layer in reversed(graph.layers):
        if not sketch.readers.get(layer.name) and layer.name not in graph.outputs:
            box = sketch.gives[sketch.origin(layer.name)]
            if box not in told:
                told.add(box)
                yield layer.name


def _unused(sketch: Sketch, name: str) -> Box:
    line = (Text("unused", SMALL, colour=sketch.theme.muted),)
    note = f"the result of {sketch.called(name)} is not used"
    return Box(f"{name}/unused", (line,), "plain", kind="unused", note=note)


def _numbered(parts: Sequence[DrawnStage]) -> Iterator[tuple[int | None, DrawnStage]]:
    """Stages with their number among those that hold blocks; None for stem and head."""
    number = 0
    for stage in parts:
        ends = all(unit.kind in (STEM, HEAD) for unit in stage.units)
        yield (None if ends else number), stage
        number += not ends


def _contents(stage: DrawnStage, level: str, readers: Readers) -> Iterator[BoxContent]:
    """What the boxes of a level hold."""
    if level == "stage":
        yield BoxContent(None, stage_kind(stage), total(stage.stage.layers))
        return
    for unit in (unit for run in stage.runs for unit in run.drawn):
        if level == "block":
            yield BoxContent(None, unit.kind, total(unit.layers))
            continue
        for cell in cells(unit, level, readers):
            yield BoxContent(None, cell.main_layer.op.category, total(cell.layers))
