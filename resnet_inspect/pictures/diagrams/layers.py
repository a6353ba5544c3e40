"""Networks as layers: every layer a box, blocks as frames around them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from resnet_inspect.counting.costs import cost
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.op_labels import caption
from resnet_inspect.networks.ops import Add, Scale
from resnet_inspect.pictures.diagrams import labels
from resnet_inspect.pictures.diagrams.blocks import repeat_frame, share_anchors
from resnet_inspect.pictures.diagrams.dot import (
    SMALL,
    STROKES,
    Canvas,
    attributes,
    bold,
    sized,
    table,
)
from resnet_inspect.pictures.diagrams.fills import BoxContent
from resnet_inspect.pictures.diagrams.units import Run, Unit, light
from resnet_inspect.pictures.themes import mix


def draw_layers(canvas: Canvas, run: Run, number: int | None) -> list[str]:
    """Units' layers in frames, and how often they repeat; returns each unit's first node."""
    if number is None:
        return [_unit(canvas, unit, number) for unit in run.drawn]
    times = [sized(f"× {run.count}", "17", heavy=True)] if run.count > 1 else []
    if len(run.drawn) == 1:
        first = [_framed(canvas, run.drawn[0], run, number, times)]
    else:
        with repeat_frame(canvas, run, table(times, align="RIGHT")) as inside:
            first = [_framed(inside, unit, Run(((unit,),)), number, []) for unit in run.drawn]
    share_anchors(canvas, run)
    return first


def _framed(canvas: Canvas, unit: Unit, run: Run, number: int | None, times: list[str]) -> str:
    kind = [sized(unit.kind, SMALL, canvas.theme.muted)] if unit.kind != unit.name else []
    words = [*times, sized(labels.short(unit.name), "12", heavy=True), *kind]
    with repeat_frame(canvas, run, table(words, align="RIGHT")) as inside:
        return _unit(inside, unit, number)


class _Roles:
    """What each layer of a unit is in the drawing: on the main path, a shortcut's, or a gate's."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.strokes = {layer.name: cut.kind for cut in unit.shortcuts for layer in cut.layers}
        self.ends = {(cut.end, cut.addition.name): cut.kind for cut in unit.shortcuts}
        self.gates = {layer.name for gate in unit.gates for layer in gate}
        path = unit.spine[::-1]
        self.spine = frozenset(path)
        self.steps = frozenset(pairwise(path))
        self.first = path[0]

    def lane(self, canvas: Canvas, name: str) -> str:
        """The group of nodes beside the main path that a layer stands in a line with."""
        if name in self.strokes:
            return canvas.straight(f"{self.unit.name}/shortcut")
        return canvas.straight(f"{self.unit.name}/gate") if name in self.gates else ""


def _unit(canvas: Canvas, unit: Unit, number: int | None) -> str:
    """A unit's layers with their edges; returns the first layer's node."""
    roles = _Roles(unit)
    forks = _forks(canvas, unit)
    for layer in unit.layers:
        node = _layer(canvas, layer, number, roles)
        for source in layer.inputs:
            _edge(canvas, roles, source, layer, forks.get(source) or canvas.anchor(source), node)
        canvas.anchors[layer.name] = node
    return canvas.anchors[unit.layers[0].name]


def _edge(canvas: Canvas, roles: _Roles, source: str, layer: Layer, tail: str, node: str) -> None:
    """The edge from what a layer reads, drawn as what it is part of."""
    name = layer.name
    joins = isinstance(layer.op, (Add, Scale))
    head = canvas.beside(node) if joins else node
    stroke = roles.strokes.get(name) or roles.ends.get((source, name))
    if stroke:
        leaves = source not in roles.strokes
        canvas.shortcut(canvas.beside(tail) if leaves else tail, head, stroke)
    elif name in roles.gates or (joins and source in roles.gates):
        canvas.gate(tail, head)
    else:
        forked = tail.endswith("/fork")
        new = not forked and _is_new(canvas, roles.unit, source)
        canvas.main(
            tail,
            node,
            canvas.new_shape(source) if new else None,
            tight=source in roles.unit.inside,
            straight=name == roles.first or (source, name) in roles.steps,
        )


def _forks(canvas: Canvas, unit: Unit) -> dict[str, str]:
    """A point for each source from outside that the unit reads more than once."""
    reads = Counter(name for layer in unit.layers for name in layer.inputs)
    leaving = {cut.source for cut in unit.shortcuts}
    forks: dict[str, str] = {}
    for source in unit.sources:
        if reads[source] > 1:
            name = f"{unit.name}/{source}" if forks else unit.name
            colour = canvas.theme.shortcut if source in leaving else canvas.theme.line
            fork = canvas.fork(name, f"input of {unit.name}", colour)
            canvas.main(canvas.anchor(source), fork, canvas.new_shape(source), fork=True)
            forks[source] = fork
    return forks


def _is_new(canvas: Canvas, unit: Unit, source: str) -> bool:
    """Whether a tensor's shape is worth saying: it enters the unit, or a layer changed it."""
    if source not in unit.inside:
        return True
    layer = canvas.graph.by_name[source]
    return layer.output_shape not in layer.input_shapes[:1]


def _layer(canvas: Canvas, layer: Layer, number: int | None, roles: _Roles) -> str:
    theme, name = canvas.theme, layer.name
    note = canvas.note(layer)
    if isinstance(layer.op, Add):
        return canvas.sign(name, "+", theme.shortcut, note, "addition")
    if isinstance(layer.op, Scale):
        return canvas.sign(name, "×", theme.gate, note, "gating")
    change = canvas.change((layer,))
    key = ("look", layer.op, layer.input_shapes, layer.output_shape, number, change)
    if key not in canvas.memo:
        canvas.memo[key] = attributes(_look(canvas, layer, number, change))
    look = canvas.memo[key]
    if name not in roles.spine:
        look = f"{look} {attributes(_beside(canvas, roles, name))}"
    return canvas.node(name, note, look)


def _beside(canvas: Canvas, roles: _Roles, name: str) -> dict[str, str]:
    """How a layer that is not on the main path differs from one that is."""
    look = {"group": roles.lane(canvas, name)}
    stroke = roles.strokes.get(name)
    if stroke:
        look |= {"color": canvas.theme.shortcut, "style": f"rounded,filled,{STROKES[stroke]}"}
        look["penwidth"] = "1.7"
    elif name in roles.gates:
        look["color"] = canvas.theme.gate
    return look


def _look(canvas: Canvas, layer: Layer, number: int | None, change: str) -> dict[str, str]:
    op, spent = layer.op, cost(layer)
    fill = canvas.fills.of(BoxContent(number, op.category, spent, change))
    if light(layer):
        if canvas.fills.by == "stage":
            fill = mix(fill, canvas.theme.page, 0.6)
        return canvas.box_look([sized(caption(op), "11")], fill)
    product = labels.product(op) if canvas.style.arithmetic else ""
    figures = labels.numbers(0 if product else spent.params, spent.macs, spent.uncounted)
    small = [sized(text, SMALL) for text in (product, figures) if text]
    return canvas.box_look([bold(caption(op)), *small], fill)
