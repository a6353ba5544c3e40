"""Which layer feeds which: shortcuts, gates, and where a run of layers can be cut."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resnet_inspect.networks.graph import Block, Layer, LayerGraph
from resnet_inspect.networks.ops import Add, ZeroPad

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
        """identity, padding (with zeros: option A) or projection (anything else that it runs)."""
        if not self.layers:
            return IDENTITY
        pads = any(isinstance(layer.op, ZeroPad) for layer in self.layers)
        learns = any(layer.op.params for layer in self.layers)
        return PADDING if pads and not learns else PROJECTION


def unread(graph: LayerGraph) -> tuple[str, ...]:
    """The layers whose result no output of the network depends on, in running order."""
    needed = set(graph.outputs)
    for layer in reversed(graph.layers):
        if layer.name in needed:
            needed.update(layer.inputs)
    return tuple(layer.name for layer in graph.layers if layer.name not in needed)


class Wiring:
    """Which layers read which, of a graph or a block, and their places in running order."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.by_name = {layer.name: layer for layer in layers}
        self.place = {layer.name: at for at, layer in enumerate(layers)}
        self.readers: dict[str, list[str]] = {}
        for layer in layers:
            for source in layer.inputs:
                self.readers.setdefault(source, []).append(layer.name)

    def branches(self, join: Layer) -> tuple[tuple[Layer, ...], ...]:
        """For each input of a layer the layers that lead only to that input, in running order.

        Walks back from the join, latest layer first, and stops where all inputs share what is left.
        """
        every = (1 << len(join.inputs)) - 1
        reached: dict[str, int] = {}
        queue: list[tuple[int, str]] = []

        def reach(name: str, inputs: int) -> None:
            if name not in reached:
                heapq.heappush(queue, (-self.place.get(name, -1), name))
            reached[name] = reached.get(name, 0) | inputs

        for number, name in enumerate(join.inputs):
            reach(name, 1 << number)
        own: list[list[Layer]] = [[] for _ in join.inputs]
        while any(reached[name] != every for _, name in queue):
            _, name = heapq.heappop(queue)
            layer = self.by_name.get(name)
            if layer is None:
                continue
            if reached[name].bit_count() == 1:
                own[reached[name].bit_length() - 1].append(layer)
            for source in layer.inputs:
                reach(source, reached[name])
        return tuple(tuple(reversed(layers)) for layers in own)

    def shortcuts(self, addition: Layer) -> tuple[Shortcut, ...]:
        """The shortcuts that end in an addition.

        The residual is the input with the most layers to itself, the first among equals; every
        other input is a shortcut.
        """
        branches = self.branches(addition)
        residual = max(range(len(branches)), key=lambda at: (len(branches[at]), -at))
        cuts = []
        for at, layers in enumerate(branches):
            if at != residual:
                end = addition.inputs[at]
                inside = {layer.name for layer in layers}
                sources = [name for layer in layers for name in layer.inputs if name not in inside]
                cuts.append(Shortcut(addition, sources[0] if sources else end, end, layers))
        return tuple(cuts)

    def gate(self, gating: Layer) -> tuple[Layer, ...]:
        """The layers that make a gating's gate: squeeze-and-excitation."""
        return self.branches(gating)[1]


def shortcut(block: Block) -> tuple[Layer, ...] | None:
    """The layers of a block's shortcut: () for an identity, None for a block that adds nothing.

    Of several additions the last counts.
    """
    additions = [layer for layer in block.layers if isinstance(layer.op, Add)]
    return Wiring(block.layers).shortcuts(additions[-1])[0].layers if additions else None


def sources(layers: Iterable[Layer]) -> tuple[str, ...]:
    """What a run of layers takes from outside, in the order of first use."""
    inside: set[str] = set()
    outside: dict[str, None] = {}
    for layer in layers:
        outside.update((name, None) for name in layer.inputs if name not in inside)
        inside.add(layer.name)
    return tuple(outside)


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
