"""A network as the set of paths that lead through it (Veit et al. 2016, arXiv 1605.06431).

A path goes from an input to an output and picks one term of each sum that it meets: a residual
function or a shortcut. n residual blocks in a row are 2^n paths. All counts are
whole numbers, found by one pass over the layers.

A distribution is held in one integer while it is counted: the number of paths of length k stands
k digits up, where a digit is wide enough for all paths. Adding distributions is then adding
integers, and a step along a path is a shift.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import NamedTuple

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import Layer, LayerGraph, once
from resnet_inspect.networks.wiring import PADDING, PROJECTION, Wiring, led, weighs

RESIDUAL, JOINED = "residual", "joined"
"""Besides the kinds of shortcuts: a term that a shortcut leads around, and all other edges."""

MOST = 1_000
"""Sums on the way through a network whose paths are still counted in seconds."""


class Edge(NamedTuple):
    """A layer's output as one of the inputs of another; kind: what it is in a sum."""

    source: str
    kind: str


class Deletion(NamedTuple):
    """A residual block, its shortcuts' kinds, and the paths that are left without its residual."""

    name: str
    shortcut: str
    left: int


@dataclass(frozen=True)
class Paths:
    """How many paths lead through a network.

    by_blocks, by_layers: at place k, those that pass k residual functions, or k layers with
    weights. projected, padded: those of by_blocks that take a projection, or a shortcut that pads
    with zeros. deletions: one for each residual block, in running order.
    """

    name: str
    by_blocks: tuple[int, ...]
    by_layers: tuple[int, ...]
    projected: tuple[int, ...]
    padded: tuple[int, ...]
    deletions: tuple[Deletion, ...]

    @property
    def total(self) -> int:
        return sum(self.by_blocks)

    @property
    def blocks(self) -> int:
        """Residual blocks."""
        return len(self.deletions)

    def through(self, least: int, most: int) -> int:
        """Paths that pass `least` to `most` blocks."""
        return sum(self.by_blocks[max(0, least) : most + 1])

    def narrowest(self, share: float = 0.95) -> tuple[int, int]:
        """The shortest range of blocks that holds this share of the paths, the first of equals."""
        sums, whole = [0, *accumulate(self.by_blocks)], self.total
        for width in range(1, len(sums)):
            best = max(range(len(sums) - width), key=lambda at: sums[at + width] - sums[at])
            if sums[best + width] - sums[best] >= share * whole:
                break
        return best, best + width - 1


Edges = dict[str, tuple[Edge, ...]]


@once
def paths(graph: LayerGraph) -> Paths:
    """The paths of a network; raises InspectError where it has more than MOST sums."""
    edges, cuts = _edges(graph)
    if len(cuts) > MOST:
        raise InspectError(
            f"{graph.name} has {len(cuts):,} residual additions; paths are counted through at "
            f"most {MOST:,}"
        )
    behind, ahead = _behind(graph, edges), _ahead(graph, edges)
    total = sum(behind[name] for name in graph.outputs)
    digit = total.bit_length() // 8 + 1

    def counted(step: Callable[[Layer, Edge], int | None]) -> tuple[int, ...]:
        return _digits(_distribution(graph, edges, digit, step), digit)

    def by_blocks(without: str = "") -> tuple[int, ...]:
        return counted(
            lambda layer, edge: None if edge.kind == without else int(edge.kind == RESIDUAL)
        )

    def taking(kind: str) -> tuple[int, ...]:
        without = by_blocks(kind)
        return tuple(a - b for a, b in zip_longest(blocks, without, fillvalue=0))

    blocks = by_blocks()
    return Paths(
        graph.name,
        blocks,
        counted(lambda layer, edge: int(weighs(layer.op))),
        taking(PROJECTION),
        taking(PADDING),
        tuple(
            Deletion(
                _called(graph)[additions[-1]],
                " and ".join(dict.fromkeys(kinds)),
                total
                - sum(
                    behind[edge.source] * ahead[name]
                    for name in additions
                    for edge in edges[name]
                    if edge.kind == RESIDUAL
                ),
            )
            for additions, kinds in cuts
        ),
    )


def _edges(graph: LayerGraph) -> tuple[Edges, list[tuple[tuple[str, ...], list[str]]]]:
    """What leads into each layer; and of each residual sum its additions and shortcuts' kinds.

    A gate scales the path through its layer, or is added to it, and is none itself; nor are the
    weights of attention.
    """
    wiring, cuts = Wiring(graph.layers), []
    kinds: dict[tuple[str, str], list[str]] = {}
    for last in reversed(wiring.sums()):
        around = list(wiring.shortcuts(last))
        if around:
            cuts.append(
                (tuple(a.name for a in reversed(wiring.additions(last))), [c.kind for c in around])
            )
        residual = RESIDUAL if around else JOINED
        for term in wiring.terms(last):
            kind = residual
            if term in around:
                around.remove(term)  # of two equal terms one is the residual
                kind = term.kind
            kinds.setdefault((term.addition.name, term.end), []).append(kind)
    edges: Edges = {}
    for layer in graph.layers:
        edges[layer.name] = tuple(
            Edge(name, (kinds.get((layer.name, name)) or [JOINED]).pop()) for name in led(layer)
        )
    return edges, cuts


def _behind(graph: LayerGraph, edges: Edges) -> dict[str, int]:
    """Ways from the inputs to each layer."""
    ways = dict.fromkeys(graph.inputs, 1)
    for name, entering in edges.items():
        ways[name] = sum(ways[edge.source] for edge in entering)
    return ways


def _ahead(graph: LayerGraph, edges: Edges) -> dict[str, int]:
    """Ways from each layer to the outputs."""
    ways: Counter[str] = Counter(graph.outputs)
    for name, entering in reversed(edges.items()):
        for edge in entering:
            ways[edge.source] += ways[name]
    return ways


def _distribution(
    graph: LayerGraph, edges: Edges, digit: int, step: Callable[[Layer, Edge], int | None]
) -> int:
    """Paths by the steps along them, in digits of so many bytes.

    step: how far an edge into a layer leads; None for one that no path takes.
    """
    reads = Counter(edge.source for entering in edges.values() for edge in entering)
    reads.update(graph.outputs)
    ways = dict.fromkeys(graph.inputs, 1)
    for layer in graph.layers:
        here = 0
        for edge in edges[layer.name]:
            length = step(layer, edge)
            if length is not None:
                here += ways[edge.source] << (8 * digit * length)
            reads[edge.source] -= 1
            if not reads[edge.source]:
                del ways[edge.source]  # each is as long as all paths are deep
        ways[layer.name] = here
    return sum(ways[name] for name in graph.outputs)


def _digits(number: int, digit: int) -> tuple[int, ...]:
    """The digits of a number, the lowest first; (0,) of none."""
    data = number.to_bytes(number.bit_length() // 8 + 1, "little")
    found = [int.from_bytes(data[at : at + digit], "little") for at in range(0, len(data), digit)]
    while len(found) > 1 and not found[-1]:
        found.pop()
    return tuple(found)


@once
def _called(graph: LayerGraph) -> dict[str, str]:
    """What to call a sum, by its last addition: its block, where that ends in it alone."""
    called: dict[str, str] = {}
    for block in graph.blocks:
        sums = [last.name for last in Wiring(block.layers).sums()]
        called |= dict.fromkeys(sums, block.name) if len(sums) == 1 else {n: n for n in sums}
    return called
