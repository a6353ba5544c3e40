"""What a picture needs to know of a graph's wiring: shortcuts, units, repeats.

Everything is read off which layer feeds which. Names are never parsed, and no block is assumed to
look like a residual block: it may hold any number of additions, or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from types import MappingProxyType

from resnet_inspect.counting.costs import cost
from resnet_inspect.networks.graph import HEAD, STEM, Block, Layer, LayerGraph, Stage
from resnet_inspect.networks.ops import Activation, Add, BatchNorm2d, Scale, ZeroPad
from resnet_inspect.networks.torch_ops import Dropout
from resnet_inspect.networks.wiring import Shortcut, Wiring, pieces, sources


def light(layer: Layer) -> bool:
    """Whether a layer is drawn small: it passes a tensor on without adding any up."""
    if isinstance(layer.op, (Add, Scale, ZeroPad)) or len(layer.inputs) != 1:
        return False
    spent = cost(layer)
    return not (spent.macs or spent.pooling or spent.uncounted)


@dataclass(frozen=True)
class Unit:
    """Layers that are drawn as one: a block, with one residual function at most.

    additions: of the sum that ends it, the last first, where it has shortcuts around all else.
    gates: the layers that scale by a gate, each with those that only make its gate.
    """

    name: str
    kind: str
    layers: tuple[Layer, ...]
    shortcuts: tuple[Shortcut, ...] = ()
    additions: tuple[Layer, ...] = ()
    gates: tuple[tuple[Layer, tuple[Layer, ...]], ...] = ()

    @property
    def output(self) -> Layer:
        return self.layers[-1]

    @property
    def acting(self) -> tuple[Layer, ...]:
        """Its layers but for those that do nothing in an inference pass."""
        return tuple(layer for layer in self.layers if not isinstance(layer.op, Dropout))

    @cached_property
    def inside(self) -> frozenset[str]:
        return frozenset(layer.name for layer in self.layers)

    @property
    def sources(self) -> tuple[str, ...]:
        """What feeds it from outside, in order of use."""
        return sources(self.layers)

    @cached_property
    def beside(self) -> frozenset[str]:
        """Its layers that run beside the main path: those of shortcuts and gates."""
        runs = (*(cut.layers for cut in self.shortcuts), *(gate for _, gate in self.gates))
        return frozenset(layer.name for run in runs for layer in run)

    @cached_property
    def body(self) -> tuple[Layer, ...]:
        """Its layers but for shortcuts and gates, and for the sum that ends it and what follows."""
        aside = self.beside.union(layer.name for layer in self.additions)
        end = self.layers.index(self.additions[0]) if self.additions else len(self.layers)
        return tuple(layer for layer in self.layers[:end] if layer.name not in aside)


@dataclass(frozen=True, slots=True)
class Run:
    """Units that repeat in a row: one, or a few in turn. Drawn once, with the count."""

    repeats: tuple[tuple[Unit, ...], ...]

    @property
    def drawn(self) -> tuple[Unit, ...]:
        return self.repeats[0]

    @property
    def count(self) -> int:
        return len(self.repeats)

    @property
    def pairs(self) -> Iterator[tuple[Unit, Layer, Layer]]:
        """Every layer of every repeat, after the unit and the layer that are drawn for it.

        A dropout, which not all repeats need have, is drawn as what feeds it.
        """
        for repeat in self.repeats:
            for drawn, unit in zip(self.drawn, repeat, strict=True):
                shown, at = iter(drawn.acting), drawn.layers[0]
                for layer in unit.layers:
                    at = at if isinstance(layer.op, Dropout) else next(shown)
                    yield drawn, layer if unit is drawn else at, layer


@dataclass(frozen=True, slots=True)
class DrawnStage:
    """A stage as runs of units."""

    stage: Stage
    runs: tuple[Run, ...]

    @property
    def units(self) -> Iterator[Unit]:
        return (unit for run in self.runs for units in run.repeats for unit in units)

    @property
    def kind(self) -> str:
        """The kinds of its blocks in a word."""
        return "/".join(dict.fromkeys(unit.kind for unit in self.units))

    @property
    def holds_blocks(self) -> bool:
        """Whether it is neither stem nor head."""
        return any(unit.kind not in (STEM, HEAD) for unit in self.units)


def stages(
    graph: LayerGraph, expand: bool = False, marks: Mapping[str, object] = MappingProxyType({})
) -> tuple[DrawnStage, ...]:
    """A graph's stages as units, with repeats joined unless `expand`.

    marks: what sets layers apart that are otherwise the same, by name.
    """
    wiring = Wiring(graph.layers)
    parts = [
        [unit for block in stage.blocks for unit in units_of(block, wiring)]
        for stage in graph.stages
    ]
    if expand:
        runs = [[Run(((unit,),)) for unit in units] for units in parts]
    else:
        alike = _likenesses([*chain(*parts)], wiring, graph, marks)
        runs = [_runs(units, alike) for units in parts]
    return tuple(map(DrawnStage, graph.stages, map(tuple, runs)))


LONGEST = 6
"""Units in turn that a repeat may have; a transformer's layer has two."""


def _runs(units: Sequence[Unit], alike: Mapping[str, object]) -> list[Run]:
    """Units cut into repeats, each the one that goes on for longest."""
    keys = [alike[unit.name] for unit in units]
    runs: list[Run] = []
    at = 0
    while at < len(units):
        period, most = 1, 1
        for turn in range(1, LONGEST + 1):
            times, head = 1, keys[at : at + turn]
            while keys[at + times * turn : at + (times + 1) * turn] == head:
                times += 1
            if times > 1 and times * turn > period * most:
                period, most = turn, times
        starts = range(at, at + period * most, period)
        runs.append(Run(tuple(tuple(units[start : start + period]) for start in starts)))
        at += period * most
    return runs


def units_of(block: Block, wiring: Wiring) -> list[Unit]:
    """A block as units: itself, unless it holds several residual functions one after another.

    A traced network in which nobody marked blocks is one block of many; it is cut before each.
    wiring: the network's.
    """
    runs = pieces(block.layers)
    closing = {id(run) for run in runs if isinstance(run[-1].op, Add)}
    if len(closing) < 2:
        return [_unit(block.name, block.kind, block.layers, wiring.place)]
    groups: list[list[Layer]] = [[]]
    added = heavy = False  # what the group at hand has: a residual function, layers of weight
    for run in runs:
        adds = id(run) in closing
        small = all(isinstance(layer.op, (Activation, BatchNorm2d)) for layer in run)
        if (adds and (added or heavy)) or (added and not small):
            groups.append([])
            added = heavy = False
        added, heavy = added or adds, heavy or not small
        groups[-1].extend(run)
    return [
        _unit(f"{block.name} ({number})", block.kind, tuple(layers), wiring.place)
        for number, layers in enumerate(groups, start=1)
    ]


def _unit(name: str, kind: str, layers: tuple[Layer, ...], place: Mapping[str, int]) -> Unit:
    wiring = Wiring(layers, place)
    gates = ((layer, wiring.gate(layer)) for layer in layers if isinstance(layer.op, Scale))
    unit = Unit(name, kind, layers, gates=tuple(gates))
    last = next((layer for layer in reversed(layers) if not light(layer)), layers[-1])
    cuts = wiring.shortcuts(last) if isinstance(last.op, Add) else ()
    whole = replace(unit, shortcuts=cuts, additions=wiring.additions(last))
    reached = {layer.name for term in wiring.terms(last) for layer in term.layers} if cuts else {}
    around = all(
        layer.name in reached or light(layer) or _follows(wiring, layer, cuts)
        for layer in whole.body
    )
    return whole if cuts and whole.body and around else unit


def _follows(wiring: Wiring, layer: Layer, cuts: Sequence[Shortcut]) -> bool:
    """Whether a layer that several terms share runs behind where the shortcuts leave."""
    return all(
        layer.name != cut.source and wiring.comes_from(layer.name, cut.source) for cut in cuts
    )


def _likenesses(
    units: Sequence[Unit], wiring: Wiring, graph: LayerGraph, marks: Mapping[str, object]
) -> dict[str, object]:
    """Equal values for units of the same ops and shapes, wired alike.

    Dropouts do not count. A source counts from the start of its unit, or is the unit before. A unit
    that does not read the unit before, or is read past the unit after, is told apart by names; so
    is one with a result of the network.
    """
    found: dict[str, object] = {}
    returned = frozenset(graph.outputs) - {graph.output.name}
    entering = next(iter(graph.inputs))
    around = (None, *units, None)
    for before, unit, after in zip(around, units, around[2:], strict=False):
        at = {before.output.name if before else entering: -1}
        numbers = count()
        for layer in unit.layers:
            skips = isinstance(layer.op, Dropout)
            at[layer.name] = at.get(layer.inputs[0], -1) if skips else next(numbers)
        wires = tuple(
            (layer.op, layer.input_shapes, tuple([at.get(name, name) for name in layer.inputs]))
            for layer in unit.acting
        )
        own = tuple(marks.get(layer.name) for layer in unit.acting) if marks else ()
        near = unit.inside if after is None else unit.inside | after.inside
        ends = ("",) if after else ()  # nothing reads it
        far = tuple(
            (at[layer.name], reader)
            for layer in unit.layers
            for reader in wiring.readers.get(layer.name, ends)
            if reader not in (near if layer is unit.output else unit.inside)
        )
        alone = not any(-1 in sources for _, _, sources in wires)
        alone |= not returned.isdisjoint(unit.inside)
        found[unit.name] = (unit.kind, wires, far, own, alone and unit.name)
    return found
