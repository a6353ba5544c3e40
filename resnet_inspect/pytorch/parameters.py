"""Which block of a network each parameter belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from resnet_inspect.networks.graph import Block, Layer, LayerGraph


def layers_of(graph: LayerGraph, model: nn.Module) -> dict[str, tuple[Block, Layer]]:
    """The block and layer that compute with each parameter first, by the parameter's name.

    Parameters that no layer computes with are left out. model: a module of the graph.
    """
    owned: dict[str, list[str]] = {}
    for name, _ in model.named_parameters():
        owned.setdefault(name.rpartition(".")[0], []).append(name)
    found: dict[str, tuple[Block, Layer]] = {}
    for block, layer in _running(graph):
        uses = owned.get(layer.path, ()) if graph.run is None else graph.run.uses.get(layer.name)
        for name in uses or ():
            found.setdefault(name, (block, layer))
    return {name: found[name] for name, _ in model.named_parameters() if name in found}


def _running(graph: LayerGraph) -> Iterator[tuple[Block, Layer]]:
    return ((block, layer) for block in graph.blocks for layer in block.layers)
