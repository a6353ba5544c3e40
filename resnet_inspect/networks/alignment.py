"""Which layers of two graphs correspond, and how those that do differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from resnet_inspect.networks.graph import Block, Layer, LayerGraph, Stage
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.sequences import Key, aligned
from resnet_inspect.networks.shapes import show_shape

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


def align(before: LayerGraph, after: LayerGraph) -> tuple[Pair, ...]:
    """Every layer of two graphs, paired where they belong together; block by block as they run."""
    pairs = _by_blocks(before, after)
    if _unpaired(pairs):
        pairs = min((pairs, _throughout(before, after)), key=_unpaired)
    became = {first.name: second.name for first, second, _ in pairs if first and second}
    became |= dict(zip(before.inputs, after.inputs, strict=False))
    kept = {*became.values()}
    return tuple(_pair(first, second, place, became, kept) for first, second, place in pairs)


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
    pairs = aligned(orders[0], orders[1], _layer_key, _alike_layers)
    return [(first, second, places[id(second or first)]) for first, second in pairs]


def _wired(layers: Sequence[Layer]) -> list[Layer]:
    """A block's layers in the order of its wiring: each addition's inputs in turn, then itself."""
    inside = {layer.name: layer for layer in layers}
    sources = {layer.name: iter(layer.inputs) for layer in layers}
    order: dict[str, Layer] = {}
    for end in (layers[-1], *layers):
        waiting = [end]
        while waiting:
            layer = waiting[-1]
            if layer.name in order:
                waiting.pop()
                continue
            name = next(sources[layer.name], None)
            if name is None:
                order[layer.name] = waiting.pop()
            elif name in inside and name not in order:
                waiting.append(inside[name])
    return list(order.values())


def _by_blocks(before: LayerGraph, after: LayerGraph) -> _Aligned:
    """Stages aligned with stages, blocks with blocks inside of them, layers inside of those."""
    pairs: _Aligned = []
    for stages in aligned(before.stages, after.stages, _group_key, _alike_groups):
        old_blocks, new_blocks = (stage.blocks if stage else () for stage in stages)
        for blocks in aligned(old_blocks, new_blocks, _group_key, _alike_groups):
            place = _either(*reversed(stages)).name, _either(*reversed(blocks)).name
            old, new = (_wired(block.layers) if block else [] for block in blocks)
            alike = aligned(old, new, _layer_key, _alike_layers)
            pairs.extend((*layers, place) for layers in alike)
    return pairs


def _plain(op: Op) -> Op:
    """An op as the network has it: whether it overwrites its input makes no difference."""
    return op.replace(inplace=False) if op.inplace and "inplace" in op.settings else op


def _pair(
    before: Layer | None,
    after: Layer | None,
    place: tuple[str, str],
    became: Mapping[str, str],
    kept: Set[str],
) -> Pair:
    if before is None or after is None:
        return Pair(before, after, ADDED if before is None else REMOVED, place)
    settings = tuple(_settings(before.op, after.op))
    wiring = tuple(_wiring(before, after, became, kept))
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


def _wiring(
    before: Layer, after: Layer, became: Mapping[str, str], kept: Set[str]
) -> Iterator[str]:
    """Inputs that come from elsewhere; what was put in between or left out shows itself.

    became: what is after, by what was before; kept: its values.
    """
    for old, new in zip(before.inputs, after.inputs, strict=False):
        if old in became and new in kept and became[old] != new:
            yield f"takes {new}, not {became[old]}"
    if len(before.inputs) != len(after.inputs):
        yield f"takes {len(after.inputs)} inputs, not {len(before.inputs)}"


# --- likeness ------------------------------------------------------------------------------------

_NAME = 0.05
"""What an equal name adds to a likeness."""


def _group_key(thing: Stage | Block) -> Key:
    """The ops of a block or stage by kind, each also with its settings, and numbered if equal."""
    ops = [_plain(layer.op) for layer in thing.layers]
    counts = Counter[object](op.kind for op in ops) + Counter[object](ops)
    bag = frozenset((one, number) for one, count in counts.items() for number in range(count))
    return Key(bag, thing.name)


def _layer_key(layer: Layer) -> Key:
    return Key(_plain(layer.op), layer.name.rpartition(".")[2])


def _alike_groups(before: Any, after: Any, named: bool) -> float:
    """How alike blocks or stages are, 0 to a little over 1: Dice's coefficient of their ops."""
    like = 2 * len(before & after) / max(1, len(before) + len(after))
    return like + named * _NAME if like > 0.2 or named else 0.0


def _alike_layers(before: Any, after: Any, named: bool) -> float:
    """How alike layers are, 0 to a little over 1."""
    if before == after:
        return 1.0 + named * _NAME
    if before.kind == after.kind:
        return 0.5 + named * _NAME
    return 0.2 + named * _NAME if before.category == after.category in _ALIKE else 0.0


_ALIKE = ("convolution", "normalization", "activation", "pooling", "dropout")
"""Categories whose ops may replace one another."""
