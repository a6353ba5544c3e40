"""Which layer feeds which: shortcuts, gates, and where a run of layers can be cut."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from resnet_inspect.networks.graph import Block, Layer, LayerGraph
from resnet_inspect.networks.ops import Add, Op, Scale, ZeroPad
from resnet_inspect.networks.shapes import is_gate
from resnet_inspect.networks.torch_ops import Arithmetic, Attention, Concat, MatMul, Opaque, Pad

IDENTITY, PROJECTION, PADDING = "identity", "projection", "padding"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A way around a residual function.

    addition: where it joins the residual. source: the layer (or input) at which it leaves the main
    path. end: what it hands to the addition. layers: what only it runs, in running order.
    """

    addition: Layer
    source: str
    end: str
    layers: tuple[Layer, ...]

    @property
    def kind(self) -> str:
        """projection (by weights), padding (with zeros: option A) or identity.

        A norm, a pool or a slice on the way makes no projection of an identity.
        """
        if self.weighted:
            return PROJECTION
        scaled = {layer.name for layer in self.layers if isinstance(layer.op, Arithmetic)}
        return PADDING if any(_pads(layer, scaled) for layer in self.layers) else IDENTITY

    @property
    def weighted(self) -> int:
        """How many of its layers project."""
        return sum(weighs(layer.op) for layer in self.layers)


def weighs(op: Op) -> bool:
    """Whether a layer has weights, or learns what nobody knows."""
    return hasattr(op, "weights") or (isinstance(op, Opaque) and op.params > 0)


def is_gating(layer: Layer) -> bool:
    """Whether a layer scales its first input by a number a channel, or adds one: attention."""
    shapes = layer.input_shapes
    added = len(shapes) == 2 and shapes[0] != shapes[1] and is_gate(shapes[1], shapes[0])
    return added or isinstance(layer.op, Scale)


def led(layer: Layer) -> tuple[str, ...]:
    """The inputs through which paths lead to a layer: a gate is none itself, nor are the weights
    that attention gives to its values, the last of what it takes."""
    if isinstance(layer.op, (MatMul, Attention)):
        return layer.inputs[1:2] if isinstance(layer.op, MatMul) else layer.inputs[2:3]
    return layer.inputs[:1] if is_gating(layer) else layer.inputs


def _pads(layer: Layer, scaled: Set[str]) -> bool:
    """Whether a layer adds channels of zeros: option A, or padding or concatenation by hand.

    scaled: tensors that are another times a number, as zeros are made of x * 0.
    """
    if isinstance(layer.op, ZeroPad):
        return True
    joins = isinstance(layer.op, Concat) or getattr(layer.op, "function", "") in ("cat", "concat")
    if not (joins or isinstance(layer.op, Pad)) or not layer.inputs:
        return False
    entering, leaving = layer.input_shapes[0], layer.output_shape
    zeros = len(layer.inputs) == 1 or not scaled.isdisjoint(layer.inputs)
    return zeros and len(entering) == len(leaving) > 0 and leaving[0] > entering[0]


class Wiring:
    """Which layers read which, of a graph or a part of it, and their places in running order.

    place: running order of the whole graph, where these layers are a part of it.
    """

    def __init__(self, layers: Sequence[Layer], place: Mapping[str, int] | None = None) -> None:
        self.by_name = {layer.name: layer for layer in layers}
        self.place = place or {layer.name: at for at, layer in enumerate(layers)}
        self.readers: dict[str, list[str]] = {}
        for layer in layers:
            for source in layer.inputs:
                self.readers.setdefault(source, []).append(layer.name)

    def branches(self, join: Layer) -> tuple[tuple[Layer, ...], ...]:
        """For each input of a layer the layers that lead only to that input, in running order."""
        return self._apart(join.inputs)

    def _apart(self, ends: Sequence[str]) -> tuple[tuple[Layer, ...], ...]:
        """For each tensor the layers that lead only to it, among those that lead to any.

        Walks back, latest layer first, and stops where all share what is left.
        """
        every = (1 << len(ends)) - 1
        reached: dict[str, int] = {}
        queue: list[tuple[int, str]] = []
        apart = 0  # how many in the queue do not lead to all

        def reach(name: str, which: int) -> None:
            nonlocal apart
            before = reached.get(name)
            if before is None:
                heapq.heappush(queue, (-self._order(name), name))
            reached[name] = after = (before or 0) | which
            apart += (after != every) - (before is not None and before != every)

        for number, name in enumerate(ends):
            reach(name, 1 << number)
        own: list[list[Layer]] = [[] for _ in ends]
        while apart:
            _, name = heapq.heappop(queue)
            apart -= reached[name] != every
            layer = self.by_name.get(name)
            if layer is None:
                continue
            if reached[name].bit_count() == 1:
                own[reached[name].bit_length() - 1].append(layer)
            for source in layer.inputs:
                reach(source, reached[name])
        return tuple(tuple(reversed(layers)) for layers in own)

    def additions(self, last: Layer) -> tuple[Layer, ...]:
        """An addition with those before it that only it reads: one sum."""
        summed = [last]
        for addition in summed:
            for name in addition.inputs:
                before = self.by_name.get(name)
                if before and isinstance(before.op, Add) and len(self.readers[name]) == 1:
                    summed.append(before)
        return tuple(summed)

    def sums(self) -> list[Layer]:
        """The additions that end sums."""
        last: list[Layer] = []
        summed: set[str] = set()
        for layer in reversed(self.by_name.values()):
            if isinstance(layer.op, Add) and layer.name not in summed:
                last.append(layer)
                summed.update(addition.name for addition in self.additions(layer))
        return last

    def terms(self, last: Layer) -> tuple[Shortcut, ...]:
        """All terms of the sum that an addition ends, as if each were a shortcut."""
        summed = self.additions(last)
        inside = {addition.name for addition in summed}
        ends = [
            (addition, name)
            for addition in reversed(summed)
            for name in addition.inputs
            if name not in inside
        ]
        branches = self._apart([name for _, name in ends])
        return tuple(
            Shortcut(addition, (*sources(layers), end)[0], end, layers)
            for (addition, end), layers in zip(ends, branches, strict=True)
        )

    def shortcuts(self, last: Layer) -> tuple[Shortcut, ...]:
        """The shortcuts among the terms of the sum that an addition ends.

        Terms without weights lead around the others. Where all have some, the one with fewest is a
        projection; where none has, the one with most layers is the residual, the first among
        equals. A shortcut leaves no later than the residual begins, and where all that goes into
        it comes from; other terms are just added, such as branches that gates weigh.
        """
        terms = self.terms(last)
        weights = [term.weighted for term in terms]
        least = min(weights)
        cuts = [term for term in terms if term.weighted == least]
        if not any(weights):
            cuts.remove(max(terms, key=lambda term: len(term.layers)))
        elif least and len(cuts) > 1:
            return ()
        residuals = [term for term in terms if term not in cuts]
        begins = max((self._order(term.source) for term in residuals), default=-1)
        return tuple(
            cut
            for cut in cuts
            if len(sources(cut.layers)) < 2  # not the product of two tensors, as in attention
            and self._order(cut.source) <= begins
            and any(self._goes_around(cut, r) for r in residuals)
        )

    def _goes_around(self, cut: Shortcut, residual: Shortcut) -> bool:
        """Whether what a residual takes from these layers comes from where a shortcut leaves."""
        taken = (name for name in sources(residual.layers) if name in self.by_name)
        return all(self.comes_from(name, cut.source) for name in taken)

    def comes_from(self, name: str, source: str) -> bool:
        """Whether a tensor is another one, or computed from it by these layers."""
        first, seen, stack = self._order(source), {name}, [name]
        while stack and source not in seen:
            layer = self.by_name.get(stack.pop())
            before = set(layer.inputs if layer else ()) - seen
            stack += [each for each in before if self._order(each) >= first]
            seen |= before
        return source in seen

    def _order(self, name: str) -> int:
        return self.place.get(name, -1)

    def gate(self, gating: Layer) -> tuple[Layer, ...]:
        """The layers that make a gating's gate, out of what it gates: squeeze-and-excitation.

        Where other branches go into it too, they are not the gate's (selective kernels).
        """
        makers = self.branches(gating)[1]
        after = {gating.inputs[0]}
        for layer in makers:
            if not after.isdisjoint(layer.inputs):
                after.add(layer.name)
        return tuple(layer for layer in makers if layer.name in after) or makers


def shortcut(block: Block) -> tuple[Layer, ...] | None:
    """The layers of a block's shortcut: () for an identity, None for a block without one.

    Of several additions the last counts.
    """
    additions = [layer for layer in block.layers if isinstance(layer.op, Add)]
    cuts = Wiring(block.layers).shortcuts(additions[-1]) if additions else ()
    return cuts[0].layers if cuts else None


def sources(layers: Iterable[Layer]) -> tuple[str, ...]:
    """What a run of layers takes from outside, in the order of first use."""
    inside: set[str] = set()
    outside: dict[str, None] = {}
    for layer in layers:
        outside.update((name, None) for name in layer.inputs if name not in inside)
        inside.add(layer.name)
    return tuple(outside)


def residual_ends(graph: LayerGraph) -> tuple[Layer, ...]:
    """The last layer with weights on each block's residual branch, behind any gate."""
    sums = ([x for x in block.layers if isinstance(x.op, Add)] for block in graph.blocks)
    ends = (graph.by_name[found[-1].inputs[0]] for found in sums if found)
    return tuple(_last_weighted(graph, layer) for layer in ends)


def _last_weighted(graph: LayerGraph, layer: Layer) -> Layer:
    while not (layer.op.params or layer.op.category == "normalization"):
        layer = graph.by_name[layer.inputs[0]]
    return layer


def is_chain(runs: Sequence[Sequence[Layer]]) -> bool:
    """Whether each run of layers takes one tensor: the last output of the run before."""
    taken = [sources(run) for run in runs]
    outputs = [(run[-1].name,) for run in runs]
    return len(taken[0]) == 1 and taken[1:] == outputs[:-1]


def pieces(layers: Sequence[Layer]) -> list[tuple[Layer, ...]]:
    """The shortest runs of layers such that only one tensor passes from each to the next.

    Tensors that are read after the last of these layers do not count.
    """
    last_read = {name: at for at, layer in enumerate(layers) for name in layer.inputs}
    cut: list[tuple[Layer, ...]] = []
    piece: list[Layer] = []
    needed = -1  # the last reader of any tensor so far, except the newest
    for at, layer in enumerate(layers):
        before = [layers[at - 1].name] if at else []
        needed = max([needed, *(last_read.get(name, -1) for name in (*before, *layer.inputs))])
        piece.append(layer)
        if needed <= at:
            cut.append(tuple(piece))
            piece = []
    return [*cut, tuple(piece)] if piece else cut
