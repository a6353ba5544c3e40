"""The edges of a network's picture: one for every layer that reads what a box puts out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.op_labels import show_dims
from resnet_inspect.networks.wiring import IDENTITY, PADDING, PROJECTION
from resnet_inspect.pictures.diagrams.arrange import neighbours
from resnet_inspect.pictures.diagrams.scene import Edge, Group
from resnet_inspect.pictures.diagrams.sketch import Sketch


def edges(
    sketch: Sketch, drawn: Iterable[Layer], ends: Iterable[tuple[str, str]], root: Group
) -> tuple[Edge, ...]:
    """All edges, each once. drawn: layers that have boxes; ends: tensors, and boxes they end in."""
    found: dict[tuple[str, str], Edge] = {}
    into = (Edge(sketch.gives[name], box, note=_dims(sketch, name)) for name, box in ends)
    for edge in (*_between(sketch, drawn), *into):
        found.setdefault((edge.tail, edge.head), edge)
    near = neighbours(root)
    for pair, edge in found.items():
        if edge.way == "main" and pair not in near:
            found[pair] = replace(edge, way="skip", label="")
    return tuple(_spoken(sketch, edge) if sketch.style.alone else edge for edge in found.values())


def _between(sketch: Sketch, drawn: Iterable[Layer]) -> Iterator[Edge]:
    for layer in drawn:
        head = sketch.takes.get(layer.name)
        if head is None:  # the line of a shortcut stands for it
            continue
        for source in layer.inputs:
            name = sketch.origin(source)
            tail, shape = sketch.gives[name], _shape(sketch, layer, name)
            fork = sketch.forks.get((sketch.unit_of.get(layer.name, ""), name))
            if tail == head:
                continue
            if fork:
                said = shape if sketch.edge_labels else ""
                yield Edge(tail, fork, label=said, arrow=False, note=_dims(sketch, name))
            yield _edge(sketch, layer, source, replace(_PLAIN, tail=fork or tail, head=head), shape)


_PLAIN = Edge("", "")


def _edge(sketch: Sketch, layer: Layer, source: str, plain: Edge, shape: str) -> Edge:
    """The edge by which a layer reads what feeds it, drawn as what it is part of."""
    wire = source, layer.name
    if kind := sketch.strokes.get(wire):
        return replace(plain, way="shortcut", stroke=kind, note=f"{kind} shortcut")
    if wire in sketch.gates:
        return replace(plain, way="gate", note="gate")
    forked = plain.tail in sketch.forks.values()
    said = shape if sketch.edge_labels and not forked else ""
    part = f"{show_dims(layer.output_shape)} of " if sketch.piece(layer) else ""
    return replace(plain, label=said, note=f"{part}{_dims(sketch, source)}")


def _dims(sketch: Sketch, name: str) -> str:
    return show_dims(sketch.shape_of(name))


def _shape(sketch: Sketch, layer: Layer, name: str) -> str:
    """The shape of what a layer takes, where it is worth saying: it enters a unit, or is new.

    The input says its own.
    """
    source = sketch.graph.by_name.get(name)
    if source is None or name in sketch.kept:
        return ""
    inside = sketch.unit_of.get(name) is not None
    inside = inside and sketch.unit_of[name] == sketch.unit_of.get(layer.name)
    if inside and (sketch.style.level != "layer" or source.output_shape in source.input_shapes[:1]):
        return ""
    return show_dims(source.output_shape)


def _spoken(sketch: Sketch, edge: Edge) -> Edge:
    """An edge of a block by itself in the words of He et al. 2015, Figure 2 and equation 2."""
    kinds = {cut.kind for cut in sketch.cuts}
    inputs = {sketch.gives[name] for name in sketch.graph.inputs}
    if edge.tail in inputs and edge.way == "main":
        return replace(edge, label="x")
    outside = all(cut.source in sketch.graph.inputs for cut in sketch.cuts)
    sums = {sketch.gives[cut.addition.name] for cut in sketch.cuts if outside}
    term = "Wx" if PROJECTION in kinds else "x"
    if edge.head in sums and edge.way == "main":
        return replace(edge, label="F(x)")
    if edge.head in sums and edge.way == "shortcut" and edge.stroke != PADDING:
        return replace(edge, caption="identity" if edge.stroke == IDENTITY else term)
    if edge.tail in sums:
        return replace(edge, label=f"F(x) + {term}")
    return edge
