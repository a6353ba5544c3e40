"""Which layers of a unit share a box, at each level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from math import prod

from resnet_inspect.networks.fusion import fold_layers
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Add, Scale
from resnet_inspect.networks.torch_ops import View
from resnet_inspect.networks.wiring import PADDING, Shortcut
from resnet_inspect.pictures.diagrams.scene import Lane
from resnet_inspect.pictures.diagrams.units import Unit, light

WEIGHTS = "weights"
"""The level at which a block by itself is drawn in the words of the paper."""

Readers = Mapping[str, Sequence[str]]
"""Which layers read a layer, by name."""


@dataclass(frozen=True)
class Cell:
    """Layers of a unit that are drawn as one.

    cut: the shortcut that they are on. gates: the gate that they make, by its gating layer.
    """

    name: str
    layers: tuple[Layer, ...]
    role: Lane = "main"
    cut: Shortcut | None = None
    gates: str = ""

    @cached_property
    def main_layer(self) -> Layer:
        """The layer that it is about: the first that is not joined to another."""
        about = (each for each in self.layers if not (folds(each) or takes_piece(each)))
        return next(about, self.layers[0])

    @property
    def sign(self) -> str:
        """+ or × where it joins two paths."""
        op = self.main_layer.op
        return "+" if isinstance(op, Add) else "×" if isinstance(op, Scale) else ""


def folds(layer: Layer) -> bool:
    """Whether a layer is part of the box of another: it acts on each element, or moves it."""
    return light(layer) and prod(layer.input_shapes[0]) == prod(layer.output_shape)


def takes_piece(layer: Layer) -> bool:
    """Whether a layer only passes a part of a tensor on: a slice, a chunk."""
    return isinstance(layer.op, View) and prod(layer.input_shapes[0]) > prod(layer.output_shape)


def cells(unit: Unit, level: str, readers: Readers) -> list[Cell]:
    """A unit's boxes: shortcuts first, then the gates, then the main path in running order.

    A shortcut whose layers are all light has none, but at the level of layers.
    """
    if level == "layer":
        return _by_layers(unit)
    if level == WEIGHTS:
        return _by_weights(unit)
    cuts = [
        Cell(f"{unit.name}/{cut.end}", cut.layers, "shortcut", cut)
        for cut in unit.shortcuts
        if runs_something(cut)
    ]
    beside = {layer.name for cut in unit.shortcuts for layer in cut.layers}
    path = [layer for layer in unit.layers if layer.name not in beside]
    if level == "block":
        return [*cuts, *_whole(unit, path)]
    gates = [
        Cell(f"{layers[0].name}/gate", layers, "gate", gates=gating.name)
        for gating, own in gated(unit)
        if not all(map(takes_piece, own))
        for layers in _summed(own)
    ]
    beside = {layer.name for cell in gates for layer in cell.layers}
    groups = [
        part
        for group in fold_layers([layer for layer in path if layer.name not in beside], folds)
        for part in _read_inside(group, readers)
    ]
    return [*cuts, *gates, *map(_named, _with_pieces(groups, readers))]


def _summed(gate: tuple[Layer, ...]) -> tuple[tuple[Layer, ...], ...]:
    """A gate's layers, the addition of what goes into it by itself."""
    adds = isinstance(gate[0].op, Add) and len(gate) > 1
    return (gate[:1], gate[1:]) if adds else (gate,)


def _by_layers(unit: Unit) -> list[Cell]:
    cut_of = {layer.name: cut for cut in unit.shortcuts for layer in cut.layers}
    gate_of = {layer.name: gating.name for gating, layers in gated(unit) for layer in layers}
    return [
        Cell(
            layer.name,
            (layer,),
            "shortcut" if layer.name in cut_of else "gate" if layer.name in gate_of else "main",
            cut_of.get(layer.name),
            gate_of.get(layer.name, ""),
        )
        for layer in unit.layers
    ]


def _by_weights(unit: Unit) -> list[Cell]:
    """Layers with the norm that follows each joined to it, as He et al. 2015, Figure 2, has them.

    Where norms come first they have boxes of their own.
    """
    single = _by_layers(unit)
    if unit.body and unit.body[0].op.category == "normalization":
        return single
    found: list[Cell] = []
    for cell in single:
        (layer,) = cell.layers
        last = found[-1].layers[-1].name if found else ""
        if layer.op.category == "normalization" and layer.inputs == (last,):
            found[-1] = replace(found[-1], layers=(*found[-1].layers, layer))
        else:
            found.append(cell)
    return found


def _whole(unit: Unit, path: Sequence[Layer]) -> list[Cell]:
    """A unit as one box, before it what its shortcuts leave behind, after it its addition."""
    if not unit.shortcuts:
        return [Cell(unit.name, tuple(path))]
    last, *_ = unit.additions
    ending = {layer.name for layer in (*unit.additions, *path[path.index(last) :])}
    end = tuple(layer for layer in path if layer.name in ending)
    rest = [layer for layer in path if layer.name not in ending]
    lead = _lead(unit, rest)
    cell = [Cell(f"{unit.name}/lead", lead)] if lead else []
    return [*cell, Cell(unit.name, tuple(rest[len(lead) :])), Cell(last.name, end)]


def _lead(unit: Unit, path: Sequence[Layer]) -> tuple[Layer, ...]:
    """The norm and activation that a pre-activation block's shortcut leaves behind."""
    (left, *others) = {cut.source for cut in unit.shortcuts}
    if others or left not in unit.inside:
        return ()
    first = tuple(takewhile(folds, path))
    names = [layer.name for layer in first]
    if left not in names:
        return ()
    lead = first[: names.index(left) + 1]
    return lead if len(lead) < len(path) else ()


def _read_inside(group: tuple[Layer, ...], readers: Readers) -> list[tuple[Layer, ...]]:
    """A group cut behind each layer that is read from outside of it, so that arrows leave there."""
    names = {layer.name for layer in group}
    parts: list[list[Layer]] = [[]]
    for layer in group:
        parts[-1].append(layer)
        if not names.issuperset(readers.get(layer.name, ())) and layer is not group[-1]:
            parts.append([])
    return [tuple(part) for part in parts]


def _with_pieces(
    groups: Sequence[tuple[Layer, ...]], readers: Readers
) -> Iterator[tuple[Layer, ...]]:
    """Groups, each with the piece of a tensor that only it takes, if it takes no other of it."""
    holder = {layer.name: at for at, group in enumerate(groups) for layer in group}
    taking: dict[tuple[int, str], list[int]] = defaultdict(list)
    for at, group in enumerate(groups):
        heads = [holder.get(name, at) for name in readers.get(group[0].name, ())]
        joins = len(group) == 1 and takes_piece(group[0]) and len(heads) == 1
        head = heads[0] if joins and not takes_piece(groups[heads[0]][0]) else at
        for name in {source for layer in group for source in layer.inputs}:
            taking[head, name].append(at)
    pieces: dict[int, list[Layer]] = defaultdict(list)
    for (head, _), (at, *others) in taking.items():
        if at != head and not others:
            pieces[head] += groups[at]
    joined = {layer.name for own in pieces.values() for layer in own}
    for at, group in enumerate(groups):
        if group[0].name not in joined:
            yield (*pieces[at], *group)


def _named(layers: tuple[Layer, ...]) -> Cell:
    cell = Cell("", layers)
    return Cell(cell.main_layer.name, layers)


def gated(unit: Unit) -> list[tuple[Layer, tuple[Layer, ...]]]:
    """A unit's gating layers, each with the layers that make its gate, and no gate before it."""
    found: list[tuple[Layer, tuple[Layer, ...]]] = []
    taken: set[str] = set()
    for scale, gate in unit.gates:
        own = tuple(layer for layer in gate if layer.name not in taken)
        taken.update(layer.name for layer in own)
        if own:
            found.append((scale, own))
    return found


def runs_something(cut: Shortcut) -> bool:
    """Whether a shortcut does more than to pass on, norm or cut out what it takes."""
    return cut.kind == PADDING or not all(map(light, cut.layers))
