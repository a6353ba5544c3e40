"""Who feeds whom in a graph, and which layers are a shortcut."""

from __future__ import annotations

import heapq
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


class Wiring:
    """Who feeds whom in a graph, with the layers' places in running order."""

    def __init__(self, graph: LayerGraph) -> None:
        self.by_name = graph.by_name
        self.place = {layer.name: at for at, layer in enumerate(graph.layers)}
        self.readers: dict[str, list[str]] = {}
        for layer in graph.layers:
            for source in layer.inputs:
                self.readers.setdefault(source, []).append(layer.name)

    def branches(self, join: Layer) -> tuple[tuple[Layer, ...], ...]:
        """For each input of a layer the layers that lead to that input alone, in running order.

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
        alone: list[list[Layer]] = [[] for _ in join.inputs]
        while any(reached[name] != every for _, name in queue):
            _, name = heapq.heappop(queue)
            layer = self.by_name.get(name)
            if layer is None:
                continue
            if reached[name].bit_count() == 1:
                alone[reached[name].bit_length() - 1].append(layer)
            for source in layer.inputs:
                reach(source, reached[name])
        return tuple(tuple(reversed(layers)) for layers in alone)

    def shortcuts(self, addition: Layer) -> tuple[Shortcut, ...]:
        """The shortcuts that end in an addition.

        The residual is the input with the most layers to itself, the first among equals; every
        other input is a shortcut.
        """
        branches = self.branches(addition)
        residual = max(range(len(branches)), key=lambda at: (len(branches[at]), -at))
        found = []
        for at, layers in enumerate(branches):
            if at != residual:
                end = addition.inputs[at]
                inside = {layer.name for layer in layers}
                sources = [name for layer in layers for name in layer.inputs if name not in inside]
                found.append(Shortcut(addition, sources[0] if sources else end, end, layers))
        return tuple(found)

    def gate(self, gating: Layer) -> tuple[Layer, ...]:
        """The layers that make a gating's gate: squeeze-and-excitation."""
        return self.branches(gating)[1]


def shortcut(block: Block) -> tuple[Layer, ...] | None:
    """The layers that only the shortcut runs: () for an identity, None where nothing is added.

    Read off the wiring: what the addition's second input needs and its first does not.
    """
    additions = [layer for layer in block.layers if isinstance(layer.op, Add)]
    if not additions:
        return None
    inside = {layer.name: layer for layer in block.layers}

    def needed(name: str, seen: set[str]) -> set[str]:
        if name in inside and name not in seen:
            seen.add(name)
            for source in inside[name].inputs:
                needed(source, seen)
        return seen

    residual, bypass = (needed(name, set()) for name in additions[-1].inputs)
    return tuple(layer for layer in block.layers if layer.name in bypass - residual)
