"""Layers as what runs in a row and what runs side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Add
from resnet_inspect.networks.wiring import Wiring, pieces

DEEPEST = 8
"""Branches within branches that are told apart; what is deeper is taken as interwoven."""


@dataclass(frozen=True, slots=True)
class Parallel:
    """Layers that do not run one after another.

    runs: side by side; () where the layers are interwoven, and () for a run that passes its input
    on. join: the layer in which the runs meet, if they do.
    """

    layers: tuple[Layer, ...]
    runs: tuple[tuple[Part, ...], ...] = ()
    join: Layer | None = None

    @property
    def after(self) -> tuple[Layer, ...]:
        """What is in no run: the layer in which they meet, behind other additions of its sum."""
        inside = {layer.name for run in self.runs for layer in layers_of(run)}
        return tuple(layer for layer in self.layers if layer.name not in inside)


Part = Layer | Parallel


def layers_of(parts: Iterable[Part]) -> Iterator[Layer]:
    """The layers of some parts."""
    for part in parts:
        yield from (part,) if isinstance(part, Layer) else part.layers


def is_chain(layers: Sequence[Layer]) -> bool:
    """Whether each layer reads the one before, and no other among them."""
    return all(isinstance(part, Layer) for part in in_series(layers))


def in_series(layers: Sequence[Layer], depth: int = 0) -> tuple[Part, ...]:
    """Layers as parts of which each reads the one before, and no other part among them."""
    apart = _components(layers)
    if len(apart) > 1:
        runs = tuple(in_series(part, depth + 1) for part in apart) if depth < DEEPEST else ()
        return (Parallel(tuple(layers), runs),)
    return tuple(
        run[0] if len(run) == 1 else _side_by_side(run, depth + 1) for run in pieces(layers)
    )


def _side_by_side(run: tuple[Layer, ...], depth: int) -> Parallel:
    """A run of layers that cannot be cut, as what leads to its end side by side."""
    apart = _components(run)
    if len(apart) > 1:
        return Parallel(run, tuple(in_series(part, depth) for part in apart))
    wiring, join = Wiring(run), run[-1]
    joins: tuple[Layer, ...] = (join,)
    branches = wiring.branches(join)
    if isinstance(join.op, Add):
        joins = wiring.additions(join)
        branches = tuple(term.layers for term in wiring.terms(join))
    if depth > DEEPEST or sum(map(len, branches)) + len(joins) < len(run):
        return Parallel(run)
    return Parallel(run, tuple(in_series(branch, depth) for branch in branches), join)


def _components(layers: Sequence[Layer]) -> list[list[Layer]]:
    """Layers by which of them are connected, in running order."""
    leader = {layer.name: layer.name for layer in layers}

    def first(name: str) -> str:
        while leader[name] != name:
            leader[name] = name = leader[leader[name]]
        return name

    for layer in layers:
        for source in layer.inputs:
            if source in leader:
                leader[first(layer.name)] = first(source)
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        found.setdefault(first(layer.name), []).append(layer)
    return list(found.values())
