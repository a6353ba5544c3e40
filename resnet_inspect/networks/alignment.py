"""Which layers of two graphs correspond, and how those that do differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar

from resnet_inspect.networks.graph import INPUT, Block, Layer, LayerGraph, Stage
from resnet_inspect.networks.ops import Activation, Op, show_shape

ADDED, REMOVED, CHANGED, RESIZED, SAME = "added", "removed", "changed", "resized", "same"
"""What may have become of a layer; resized is the same op and wiring on another shape."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pair:
    """A layer before and after; None where the other network has none.

    what: how the second differs, in words. change: one of the words above. place: the stage and
    block where it stands, after, or before where it was removed.
    """

    before: Layer | None
    after: Layer | None
    change: str
    what: tuple[str, ...]
    place: tuple[str, str]

    @property
    def layer(self) -> Layer:
        """The layer as it is, or as it was."""
        found = self.after or self.before
        assert found is not None
        return found


_Found = list[tuple[Layer | None, Layer | None, tuple[str, str]]]

MOST = 400_000
"""Comparisons of layers that are worth it: two networks of 600 layers."""


def align(before: LayerGraph, after: LayerGraph) -> tuple[Pair, ...]:
    """Every layer of two graphs, paired where they belong together; block by block as they run."""
    found = _by_blocks(before, after)
    if _alone(found) and len(before.layers) * len(after.layers) <= MOST:
        found = min((found, _throughout(before, after)), key=_alone)
    became = {first.name: second.name for first, second, _ in found if first and second}
    became[INPUT] = INPUT
    return tuple(_pair(first, second, place, became) for first, second, place in found)


def _alone(found: _Found) -> int:
    """How many layers could be paired with more luck: the fewer of those added and removed."""
    added = sum(before is None for before, _, _ in found)
    removed = sum(after is None for _, after, _ in found)
    return min(added, removed)


def _throughout(before: LayerGraph, after: LayerGraph) -> _Found:
    """Layers aligned with layers, whatever blocks they stand in."""
    places: dict[int, tuple[str, str]] = {}
    orders = []
    for graph in (before, after):
        orders.append([layer for block in graph.blocks for layer in _wired(block.layers)])
        for stage in graph.stages:
            for block in stage.blocks:
                places |= {id(layer): (stage.name, block.name) for layer in block.layers}
    found = _aligned(orders[0], orders[1], _Likeness().layers)
    return [(first, second, places[id(second or first)]) for first, second in found]


def _wired(layers: Sequence[Layer]) -> list[Layer]:
    """A block's layers in the order of its wiring: each addition's inputs in turn, then itself."""
    inside = {layer.name: layer for layer in layers}
    order: dict[str, Layer] = {}
    for end in (layers[-1], *layers):
        waiting = [end]
        while waiting:
            layer = waiting[-1]
            if layer.name in order:
                waiting.pop()
                continue
            sources = [inside[name] for name in layer.inputs if name in inside]
            open_sources = [source for source in sources if source.name not in order]
            if open_sources:
                waiting.append(open_sources[0])
            else:
                order[layer.name] = waiting.pop()
    return list(order.values())


def _by_blocks(before: LayerGraph, after: LayerGraph) -> _Found:
    """Stages aligned with stages, blocks with blocks inside of them, layers inside of those."""
    found: _Found = []
    likeness = _Likeness()
    for old_stage, new_stage in _aligned(before.stages, after.stages, likeness.stages):
        old_blocks = old_stage.blocks if old_stage else ()
        new_blocks = new_stage.blocks if new_stage else ()
        stage = (new_stage or old_stage).name  # type: ignore[union-attr]
        for old, new in _aligned(old_blocks, new_blocks, likeness.blocks):
            block = (new or old).name  # type: ignore[union-attr]
            old_layers = _wired(old.layers) if old else []
            new_layers = _wired(new.layers) if new else []
            found.extend(
                (first, second, (stage, block))
                for first, second in _aligned(old_layers, new_layers, likeness.layers)
            )
    return found


def _plain(op: Op) -> Op:
    """An op without what is no part of the network: whether it overwrites its input."""
    return replace(op, inplace=False) if op.inplace and is_dataclass(op) else op  # type: ignore[call-arg]


def _pair(
    before: Layer | None, after: Layer | None, place: tuple[str, str], became: dict[str, str]
) -> Pair:
    if before is None or after is None:
        return Pair(before, after, ADDED if before is None else REMOVED, (), place)
    what = (*_settings(before.op, after.op), *_wiring(before, after, became))
    if what:
        return Pair(before, after, CHANGED, what, place)
    shapes = before.input_shapes, before.output_shape
    same = shapes == (after.input_shapes, after.output_shape)
    return Pair(before, after, SAME if same else RESIZED, (), place)


def _settings(before: Op, after: Op) -> Iterator[str]:
    """How one op differs from another, setting by setting."""
    before, after = _plain(before), _plain(after)
    if before == after:
        return
    if type(before) is not type(after) or before.kind != after.kind:
        yield f"{before.kind} → {after.kind}"
    shared = {field.name for field in fields(before)} & {field.name for field in fields(after)}
    for field in fields(after):
        old, new = getattr(before, field.name, None), getattr(after, field.name, None)
        if field.name in shared and old != new and field.name not in ("type", "name"):
            yield f"{field.name} {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return str(value[0]) if len(set(value)) == 1 else show_shape(value)
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "none"}[value]
    return str(value)


def _wiring(before: Layer, after: Layer, became: dict[str, str]) -> Iterator[str]:
    """Inputs that come from elsewhere; what was put in between or left out shows itself."""
    kept = set(became.values())
    for old, new in zip(before.inputs, after.inputs, strict=False):
        if old in became and new in kept and became[old] != new:
            yield f"takes {new}, not {became[old]}"
    if len(before.inputs) != len(after.inputs):
        yield f"takes {len(after.inputs)} inputs, not {len(before.inputs)}"


# --- alignment -----------------------------------------------------------------------------------


def _aligned(
    before: Sequence[_T], after: Sequence[_T], likeness: Callable[[_T, _T], float]
) -> list[tuple[_T | None, _T | None]]:
    """The pairing in order whose likenesses add up to the most; a likeness of 0 never pairs."""
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i in range(len(before) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        for j in range(len(after) - 1, -1, -1):
            like = likeness(before[i], after[j])
            row[j] = max(below[j], row[j + 1], below[j + 1] + like if like else 0.0)
    pairs: list[tuple[_T | None, _T | None]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        like = likeness(before[i], after[j])
        if like and best[i][j] == best[i + 1][j + 1] + like:
            pairs.append((before[i], after[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            pairs.append((before[i], None))
            i += 1
        else:
            pairs.append((None, after[j]))
            j += 1
    return [*pairs, *((item, None) for item in before[i:]), *((None, item) for item in after[j:])]


_NAME = 0.05
"""What an equal name adds to a likeness."""


class _Likeness:
    """How alike things are, 0 to a little over 1; equal blocks are compared once."""

    def __init__(self) -> None:
        self._bags: dict[int, frozenset[tuple[object, int]]] = {}
        self._ratio = cache(_overlap)

    def _bag(self, thing: Stage | Block) -> frozenset[tuple[object, int]]:
        """The ops of a block or stage by kind, each also with its settings, and how often."""
        if id(thing) not in self._bags:
            ops = [_plain(layer.op) for layer in thing.layers]
            counts = Counter[object](op.kind for op in ops) + Counter[object](ops)
            self._bags[id(thing)] = frozenset(counts.items())
        return self._bags[id(thing)]

    def _contents(self, before: Stage | Block, after: Stage | Block) -> float:
        like = self._ratio(self._bag(before), self._bag(after))
        named = _NAME if before.name == after.name else 0.0
        return like + named if like > 0.2 or named else 0.0

    def stages(self, before: Stage, after: Stage) -> float:
        return self._contents(before, after)

    def blocks(self, before: Block, after: Block) -> float:
        return self._contents(before, after)

    def layers(self, before: Layer, after: Layer) -> float:
        named = _NAME if before.name.rpartition(".")[2] == after.name.rpartition(".")[2] else 0.0
        if _plain(before.op) == _plain(after.op):
            return 1.0 + named
        if before.op.kind == after.op.kind:
            return 0.5 + named
        return 0.2 + named if _family(before.op) == _family(after.op) != "" else 0.0


def _overlap(before: frozenset[tuple[object, int]], after: frozenset[tuple[object, int]]) -> float:
    """Dice's coefficient of two bags."""
    first, second = Counter(dict(before)), Counter(dict(after))
    return 2 * (first & second).total() / max(1, first.total() + second.total())


def _family(op: Op) -> str:
    """Kinds of layer that stand in for one another."""
    if isinstance(op, Activation):
        return "activation"
    for family in ("Norm", "Pool", "Conv", "Dropout"):
        if family in op.kind:
            return family
    return ""


def marks(pairs: Sequence[Pair]) -> tuple[dict[str, str], dict[str, str]]:
    """What became of each layer of the first graph and of the second, by its name."""
    before = {pair.before.name: pair.change for pair in pairs if pair.before}
    after = {pair.after.name: pair.change for pair in pairs if pair.after}
    return before, after
