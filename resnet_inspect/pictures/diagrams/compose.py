"""LayerGraphs -> Scene: networks as their stages, blocks, convolutions or layers.

The main path runs straight; whatever runs beside it (shortcuts, gates) leaves it at a point and
stands at its side. Every level draws the same units (units.py), with more or less in a box.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from resnet_inspect.counting.costs import Cost, graph_cost, total
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.naming import paper_names
from resnet_inspect.networks.op_labels import show_dims
from resnet_inspect.networks.wiring import Wiring
from resnet_inspect.pictures.diagrams.align import by_size, grid, size
from resnet_inspect.pictures.diagrams.arrange import Item, arranged
from resnet_inspect.pictures.diagrams.cells import Readers, cells
from resnet_inspect.pictures.diagrams.changes import changes_of, likenesses
from resnet_inspect.pictures.diagrams.fills import fills_for
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
    held = (
        content
        for parts, own in zip(drawn, readers, strict=True)
        for stage in parts
        for content in _contents(stage, style.cut, own)
    )
    lined_up = grid(graphs, style)
    numbers = _numbers(drawn, lined_up.by_size)
    most = max((number for own in numbers for number in own.values()), default=0) + 1
    fills = fills_for(style.color_by, style.theme, held, most)
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
        _drawing(sketch, parts, own, keys, lined_up.by_size)
        for sketch, parts, own, keys in zip(sketches, drawn, numbers, lined_up.stages, strict=True)
    ]
    sides = dict(lined_up.sides or {})
    if lined_up.by_size:
        keys = (part.align for each in drawings for part in each.root.parts)
        sides = {key: key for key in keys if "×" in key}
    return Scene(
        " and ".join(graph.name for graph in graphs),
        tuple(drawings),
        style.theme,
        legend(style, fills, sketches),
        style.down,
        {key: ((Text(words, SMALL, colour=style.theme.muted),),) for key, words in sides.items()},
    )


def _drawing(
    sketch: Sketch,
    parts: Sequence[DrawnStage],
    numbers: Mapping[str, int],
    keys: Mapping[str, str],
    sized: bool,
) -> Drawing:
    """A network from its inputs to its outputs."""
    graph = sketch.graph
    inputs = [_input(sketch, name) for name in graph.inputs]
    items = []
    for stage in parts:
        name = stage.stage.name
        part = _with_key(stage_part(sketch, stage, numbers.get(name)), keys.get(name, ""))
        items.append(Item(part, tuple(stage.stage.layers)))
    body = arranged(items)
    if sized:
        body = tuple(by_size(body, _sizes(sketch)))
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


def _sizes(sketch: Sketch) -> dict[str, str]:
    """The size that each box puts out: the layer that it is called after, or else its last."""
    sizes = {box: size(sketch.shape_of(name)) for name, box in sketch.gives.items()}
    layers = sketch.graph.by_name
    return {
        box: size(layers[box].output_shape) if box in layers else words
        for box, words in sizes.items()
    }


def _drawn_layers(parts: Sequence[DrawnStage], level: str) -> Iterator[Layer]:
    """The layers whose inputs have edges: of repeats the first."""
    for stage in parts:
        if level == "stage":
            yield from stage.stage.layers
        else:
            yield from (layer for run in stage.runs for u in run.drawn for layer in u.layers)


def _with_key(part: Part, key: str) -> Part:
    """A part that stands where those of other networks with this key do."""
    if isinstance(part, Group):
        return replace(part, align=key)
    return Group(f"{part.name}/at", (part,), align=key) if key else part


def _side_by_side(name: str, found: Sequence[Part]) -> tuple[Part, ...]:
    return (Group(name, tuple(found), "parallel"),) if len(found) > 1 else tuple(found)


def _input(sketch: Sketch, name: str) -> Box:
    words = name if len(sketch.graph.inputs) == 1 else f"input {name}"
    box = _end(sketch, words, name, "input")
    sketch.gives[name] = box.name
    return box


def _end(sketch: Sketch, words: str, tensor: str, kind: str) -> Box:
    """An input or output with its shape; a module that is called like it keeps its name."""
    taken = words in sketch.graph.by_name or words in sketch.takes.values()
    name = f"{words}/end" if taken else words
    said = f"{words} {show_dims(sketch.shape_of(tensor))}"
    return Box(name, ((Text(said),),), "end", fill=sketch.theme.quiet, kind=kind, note=said)


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


def _numbers(drawn: Sequence[Sequence[DrawnStage]], by_size: bool) -> list[dict[str, int]]:
    """The places of each network's stages among those that hold blocks, by name.

    by_size: stages of one size have one place, in whatever network.
    """
    inner = [[part.stage for part in parts if part.holds_blocks] for parts in drawn]
    if not by_size:
        return [{stage.name: at for at, stage in enumerate(own)} for own in inner]
    areas = {stage: prod(stage.output.output_shape[1:]) for own in inner for stage in own}
    order = sorted({*areas.values()}, reverse=True)
    return [{stage.name: order.index(areas[stage]) for stage in own} for own in inner]


def _contents(stage: DrawnStage, level: str, readers: Readers) -> Iterator[tuple[str, Cost]]:
    """The categories and costs of the boxes that are filled."""
    if level == "stage":
        yield stage.kind, total(stage.stage.layers)
        return
    for unit in (unit for run in stage.runs for unit in run.drawn):
        if level == "block":
            yield unit.kind, total(unit.layers)
            continue
        for cell in cells(unit, level, readers):
            if not cell.sign and (cell.role == "main" or level != "conv"):
                yield cell.main_layer.op.category, total(cell.layers)
