"""LayerGraphs -> DOT: networks as their stages, their blocks, or their layers.

The main path runs straight; whatever runs beside it (shortcuts, gates) leaves it at a point and is
drawn at its side. Every level draws the same units (units.py), with more or less inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from resnet_inspect.counting.costs import cost, graph_cost, total
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks.graph import HEAD, STEM, LayerGraph
from resnet_inspect.networks.op_labels import show_dims
from resnet_inspect.pictures.diagrams.blocks import draw_block, draw_stage, stage_frame, stage_kind
from resnet_inspect.pictures.diagrams.dot import (
    FONT,
    SMALL,
    Canvas,
    Style,
    identifier,
    quoted,
    sized,
    table,
)
from resnet_inspect.pictures.diagrams.fills import BoxContent, fills_for
from resnet_inspect.pictures.diagrams.heading import heading, legend
from resnet_inspect.pictures.diagrams.layers import draw_layers
from resnet_inspect.pictures.diagrams.units import DrawnStage, stages

if TYPE_CHECKING:
    import graphviz

LEVELS = ("stage", "block", "layer")
DIRECTIONS = ("TB", "LR")

CROWDED = 5000
"""Layers that edges may pass, all together, before dot is told to stop improving early: a densely
connected network would keep it busy for minutes."""

Rows = list[tuple[str, list[str]]]
"""A network's stages by name, each with its boxes from start to end."""


def draw(graphs: Sequence[LayerGraph], style: Style) -> str:
    """DOT of one network, or of several side by side with their stages aligned.

    Raises UnknownNameError for the colouring.
    """
    import graphviz  # 40 ms that only drawing pays

    marks = style.marks or ({},) * len(graphs)
    drawn = [stages(graph, style.expand, own) for graph, own in zip(graphs, marks, strict=True)]
    every_stage = [stage for parts in drawn for stage in parts]
    contents = (content for stage in every_stage for content in _contents(stage, style.level))
    fills = fills_for(style.color_by, style.theme, contents)
    shortcuts = {
        cut.kind for stage in every_stage for unit in stage.units for cut in unit.shortcuts
    }
    names = " and ".join(graph.name for graph in graphs)
    dot = graphviz.Digraph(identifier(names), **_defaults(style))
    canvases = [
        Canvas(
            dot,
            style,
            fills,
            graph,
            graph_cost(graph),
            receptive_fields(graph),
            {layer.name: at for at, layer in enumerate(graph.layers)},
            prefix=f"{number}/" if len(graphs) > 1 else "",
            marks=own,
        )
        for number, (graph, own) in enumerate(zip(graphs, marks, strict=True), start=1)
    ]
    caption = legend(style, fills, shortcuts)
    if len(graphs) == 1:
        caption = [*heading(graphs[0], canvases[0].whole, style), *caption]
    if caption:
        dot.attr(label=f"<{table(caption, align='LEFT')}>")
    # What comes first is on the left, or, in a picture that runs to the right, at the bottom.
    order = slice(None) if style.down else slice(None, None, -1)
    networks = list(zip(canvases, drawn, strict=True))[order]
    rows = [_framed(canvas, parts) for canvas, parts in networks]
    if len(graphs) > 1:
        _align(dot, rows)
    if style.level == "layer" and max(map(_span, graphs)) > CROWDED:
        dot.attr(nslimit="1", mclimit="0.2")
    return str(dot.source)


def _framed(canvas: Canvas, parts: Sequence[DrawnStage]) -> Rows:
    """Draw a network, among others in a frame of its own; returns its stages' boxes."""
    if canvas.prefix:
        label = table(heading(canvas.graph, canvas.whole, canvas.style), align="LEFT")
        with canvas.cluster("network", label, peripheries="0", margin="16") as inside:
            rows = _network(inside, parts)
    else:
        rows = _network(canvas, parts)
    canvas.dot.body.extend(canvas.later)
    return rows


def _span(graph: LayerGraph) -> int:
    """How many layers a network's edges pass on their way."""
    place = {layer.name: at for at, layer in enumerate(graph.layers)}
    passed = (
        place[layer.name] - place.get(source, 0) - 1
        for layer in graph.layers
        for source in layer.inputs
    )
    return sum(passed)


def _defaults(style: Style) -> dict[str, dict[str, str]]:
    theme = style.theme
    return {
        "graph_attr": {
            "rankdir": style.direction,
            "bgcolor": theme.page,
            "fontname": FONT,
            "fontsize": "12",
            "fontcolor": theme.ink,
            "labelloc": "t",
            "labeljust": "l",
            "ranksep": "0.22" if style.down else "0.3",
            "nodesep": "0.25",
            "pad": "0.2",
        },
        "node_attr": {
            "shape": "box",
            "style": "rounded,filled",
            "fontname": FONT,
            "fontsize": "12.5",
            "color": theme.line,
            "penwidth": "1.1",
            "margin": "0.11,0.04",
            "height": "0.24",
        },
        "edge_attr": {
            "fontname": FONT,
            "fontsize": SMALL,
            "fontcolor": theme.muted,
            "color": theme.line,
            "penwidth": "1.4",
            "arrowsize": "0.7",
            "weight": "100",
        },
    }


def _network(canvas: Canvas, parts: Sequence[DrawnStage]) -> Rows:
    """Draw a network; returns the name of each of its stages with its boxes."""
    canvas.defaults()
    graph = canvas.graph
    for name, shape in graph.inputs.items():
        words = name if len(graph.inputs) == 1 else f"input {name}"
        canvas.anchors[name] = _end(canvas, words, shape, "input")
    rows = [("input", list(canvas.anchors.values()))]
    for number, stage in _numbered(parts):
        if canvas.style.level == "stage":
            rows.append((stage.stage.name, [draw_stage(canvas, stage, number)]))
            continue
        draw_run = draw_block if canvas.style.level == "block" else draw_layers
        with stage_frame(canvas, stage, number) as inside:
            boxes = [box for run in stage.runs for box in draw_run(inside, run, number)]
        rows.append((stage.stage.name, boxes))
    outputs = dict.fromkeys(graph.outputs)
    for number, name in enumerate(outputs, start=1):
        words = "output" if len(outputs) == 1 else f"output {number}"
        canvas.main(canvas.anchor(name), _end(canvas, words, canvas.shape_of(name), "output"))
    _dead_ends(canvas)
    return rows


def _end(canvas: Canvas, name: str, shape: tuple[int, ...], kind: str) -> str:
    words = f"{name} {show_dims(shape)}"
    taken = canvas.node_id(name) in canvas.members or name in canvas.graph.by_name
    node = f"{name}/end" if taken else name
    return canvas.box(node, [words], canvas.theme.quiet, words, **{"class": kind})


def _dead_ends(canvas: Canvas) -> None:
    """Where a result goes that nothing reads and the network does not return."""
    graph = canvas.graph
    read = {name for layer in graph.layers for name in layer.inputs}.union(graph.outputs)
    unread = [layer.name for layer in graph.layers if layer.name not in read]
    for tail, name in canvas.entering(unread).items():
        note = f"the result of {name} is not used"
        look = {"shape": "plaintext", "fontcolor": canvas.theme.muted, "class": "unused"}
        node = canvas.box(
            f"{name}/unused", [sized("unused", SMALL)], canvas.theme.page, note, **look
        )
        canvas.skip(tail, node, canvas.shape_of(name))


def _numbered(parts: Sequence[DrawnStage]) -> Iterator[tuple[int | None, DrawnStage]]:
    """Stages with their number among those that hold blocks; None for stem and head."""
    number = 0
    for stage in parts:
        ends = all(unit.kind in (STEM, HEAD) for unit in stage.units)
        yield (None if ends else number), stage
        number += not ends


def _contents(stage: DrawnStage, level: str) -> Iterator[BoxContent]:
    """What the boxes of a level hold."""
    if level == "stage":
        yield BoxContent(None, stage_kind(stage), total(stage.stage.layers))
        return
    for unit in (unit for run in stage.runs for unit in run.drawn):
        if level == "block":
            yield BoxContent(None, unit.kind, total(unit.layers))
        else:
            yield from (BoxContent(None, layer.op.category, cost(layer)) for layer in unit.layers)


def _align(dot: graphviz.Digraph, networks: Sequence[Rows]) -> None:
    """Give boxes of stages that belong together the same rank, one by one.

    Those are the first, second, .. stages of each network, or those of equal name where some
    networks have more.
    """
    if all(len(rows) <= 2 for rows in networks):  # an input and a stage need no help
        return
    dot.attr(newrank="true")  # ranks across clusters
    if len({len(rows) for rows in networks}) == 1:
        stages = [[boxes for _, boxes in level] for level in zip(*networks, strict=True)]
    else:
        shared = [name for name, _ in networks[0] if all(name in dict(rows) for rows in networks)]
        stages = [[dict(rows)[name] for rows in networks] for name in shared]
    for columns in stages:
        for level in zip(*columns, strict=False):
            with dot.subgraph() as same:
                same.attr(rank="same")
                same.body.extend(f"\t\t{quoted(node)}\n" for node in level)
