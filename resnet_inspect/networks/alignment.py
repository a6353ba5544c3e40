"""Which layers of two graphs correspond, and how those that do differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeVar

from resnet_inspect.networks.graph import Block, Layer, LayerGraph, Stage
from resnet_inspect.networks.ops import Op, show_shape

ADDED, REMOVED, CHANGED, RESIZED, SAME = "added", "removed", "changed", "resized", "same"
"""What may have become of a layer; resized is the same op and wiring on another shape."""

_T = TypeVar("_T")


class Setting(NamedTuple):
    """A setting that an op has otherwise than another; name is 'kind' for the kind of op."""

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """Stride 2 → 1."""
        words = f"{show_value(self.before)} → {show_value(self.after)}"
        return words if self.name == "kind" else f"{self.name} {words}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A layer before and after; None where the other network has none.

    change: one of the words above. place: its stage and block, after, or before if it was removed.
    settings, wiring: how the second differs, in what it is and in what it takes (in words).
    """

    before: Layer | None
    after: Layer | None
    change: str
    place: tuple[str, str]
    settings: tuple[Setting, ...] = ()
    wiring: tuple[str, ...] = ()

    @property
    def layer(self) -> Layer:
        """The layer as it is, or as it was."""
        return _either(self.after, self.before)

    @property
    def what(self) -> tuple[str, ...]:
        """How the second differs, in words."""
        return (*map(str, self.settings), *self.wiring)


_Aligned = list[tuple[Layer | None, Layer | None, tuple[str, str]]]
"""Layers before and after, with their stage and block."""


def _either(first: _T | None, second: _T | None) -> _T:
    """The first if there is one; one of them there must be."""
    chosen = second if first is None else first
    assert chosen is not None
    return chosen


MOST = 400_000
"""Comparisons of layers that are worth it: two networks of 600 layers."""


def align(before: LayerGraph, after: LayerGraph) -> tuple[Pair, ...]:
    """Every layer of two graphs, paired where they belong together; block by block as they run."""
    pairs = _by_blocks(before, after)
    if _unpaired(pairs) and len(before.layers) * len(after.layers) <= MOST:
        pairs = min((pairs, _throughout(before, after)), key=_unpaired)
    became = {first.name: second.name for first, second, _ in pairs if first and second}
    became |= dict(zip(before.inputs, after.inputs, strict=False))
    return tuple(_pair(first, second, place, became) for first, second, place in pairs)


def _unpaired(pairs: _Aligned) -> int:
    """How many layers another alignment might pair: the fewer of those added and removed."""
    added = sum(before is None for before, _, _ in pairs)
    removed = sum(after is None for _, after, _ in pairs)
    return min(added, removed)


def _throughout(before: LayerGraph, after: LayerGraph) -> _Aligned:
    """Layers aligned with layers, whatever blocks they are in."""
    places: dict[int, tuple[str, str]] = {}
    orders = []
    for graph in (before, after):
        orders.append([layer for block in graph.blocks for layer in _wired(block.layers)])
        for stage in graph.stages:
            for block in stage.blocks:
                places |= {id(layer): (stage.name, block.name) for layer in block.layers}
    pairs = _aligned(orders[0], orders[1], _Likeness().layers)
    return [(first, second, places[id(second or first)]) for first, second in pairs]


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


def _by_blocks(before: LayerGraph, after: LayerGraph) -> _Aligned:
    """Stages aligned with stages, blocks with blocks inside of them, layers inside of those."""
    pairs: _Aligned = []
    likeness = _Likeness()
    for stages in _aligned(before.stages, after.stages, likeness.contents):
        old_blocks, new_blocks = (stage.blocks if stage else () for stage in stages)
        for blocks in _aligned(old_blocks, new_blocks, likeness.contents):
            place = _either(*reversed(stages)).name, _either(*reversed(blocks)).name
            old, new = (_wired(block.layers) if block else [] for block in blocks)
            pairs.extend((*layers, place) for layers in _aligned(old, new, likeness.layers))
    return pairs


def _plain(op: Op) -> Op:
    """An op as the network has it: whether it overwrites its input makes no difference."""
    return op.replace(inplace=False) if op.inplace and "inplace" in op.settings else op


def _pair(
    before: Layer | None, after: Layer | None, place: tuple[str, str], became: dict[str, str]
) -> Pair:
    if before is None or after is None:
        return Pair(before, after, ADDED if before is None else REMOVED, place)
    settings = tuple(_settings(before.op, after.op))
    wiring = tuple(_wiring(before, after, became))
    if settings or wiring:
        return Pair(before, after, CHANGED, place, settings, wiring)
    shapes = before.input_shapes, before.output_shape
    same = shapes == (after.input_shapes, after.output_shape)
    return Pair(before, after, SAME if same else RESIZED, place)


def _settings(before: Op, after: Op) -> Iterator[Setting]:
    """How one op differs from another, setting by setting."""
    before, after = _plain(before), _plain(after)
    if before == after:
        return
    if type(before) is not type(after) or before.kind != after.kind:
        yield Setting("kind", before.kind, after.kind)
    earlier = before.settings
    for name, new in after.settings.items():
        if name in earlier and earlier[name] != new and name not in ("type", "name"):
            yield Setting(name, earlier[name], new)


def show_value(value: Any) -> str:
    """A setting's value as text: 3 for (3, 3), 3x1, yes, none."""
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

    def contents(self, before: Stage | Block, after: Stage | Block) -> float:
        like = self._ratio(self._bag(before), self._bag(after))
        named = _NAME if before.name == after.name else 0.0
        return like + named if like > 0.2 or named else 0.0

    def layers(self, before: Layer, after: Layer) -> float:
        named = _NAME if before.name.rpartition(".")[2] == after.name.rpartition(".")[2] else 0.0
        if _plain(before.op) == _plain(after.op):
            return 1.0 + named
        if before.op.kind == after.op.kind:
            return 0.5 + named
        return 0.2 + named if before.op.category == after.op.category in _ALIKE else 0.0


_ALIKE = ("convolution", "normalization", "activation", "pooling", "dropout")
"""Categories whose ops may replace one another."""


def _overlap(before: frozenset[tuple[object, int]], after: frozenset[tuple[object, int]]) -> float:
    """Dice's coefficient of two bags."""
    first, second = Counter(dict(before)), Counter(dict(after))
    return 2 * (first & second).total() / max(1, first.total() + second.total())


def marks(pairs: Sequence[Pair]) -> tuple[dict[str, str], dict[str, str]]:
    """What became of each layer of the first graph and of the second, by its name."""
    before = {pair.before.name: pair.change for pair in pairs if pair.before}
    after = {pair.after.name: pair.change for pair in pairs if pair.after}
    return before, after
