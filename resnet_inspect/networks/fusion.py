"""Which layers form one row of a table, and which one kernel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from resnet_inspect.networks.graph import Block, Layer, LayerGraph
from resnet_inspect.networks.ops import Activation, Add, BatchNorm2d, Conv2d, Flatten, Multiply

_LIGHT = (BatchNorm2d, Activation, Flatten, Multiply)
"""Ops that share the row of another where rows are folded."""


def main_layer(layers: Sequence[Layer]) -> Layer:
    """The layer that a row is about: the first that is not folded into another's row."""
    return next((layer for layer in layers if not isinstance(layer.op, _LIGHT)), layers[0])


def fold(block: Block) -> list[tuple[Layer, ...]]:
    """A block's layers with those that are light joined to the op that they belong to.

    That is the op before them; where a block begins with them (pre-activation), the one after. A
    norm that begins a shortcut is not what the block begins with.
    """
    return fold_layers(block.layers, lambda layer: isinstance(layer.op, _LIGHT))


def fold_layers(layers: Sequence[Layer], light: Callable[[Layer], bool]) -> list[tuple[Layer, ...]]:
    """Layers with those that are light joined to the one that they belong to."""
    before = len(layers) > 1 and light(layers[0]) and layers[0].name in layers[1].inputs
    groups: list[list[Layer]] = []
    for layer in layers:
        last = groups[-1] if groups else None
        joins = last is not None and layer.inputs == (last[-1].name,)
        if before and last is not None and not isinstance(layer.op, Flatten):
            joins = joins and all(map(light, last))
        else:
            joins = joins and light(layer)
        if joins and last is not None:
            last.append(layer)
        else:
            groups.append([layer])
    return [tuple(group) for group in groups]


def fuse(graph: LayerGraph) -> tuple[tuple[Layer, ...], ...]:
    """The layers of each fused kernel, in the order in which the kernels' first layers run."""
    readers = Counter(source for layer in graph.layers for source in layer.inputs)
    groups: list[list[Layer]] = []
    ending: dict[str, list[Layer]] = {}  # the kernel that ends with the layer of this name
    for layer in graph.layers:
        joined = None
        if isinstance(layer.op, (BatchNorm2d, Activation, Add)):
            # The residual before the shortcut: the addition belongs to the main path.
            joined = next(
                (
                    ending[name]
                    for name in layer.inputs
                    if name in ending and readers[name] == 1 and _weighted(ending[name])
                ),
                None,
            )
        if joined is None:
            groups.append(joined := [])
        else:
            del ending[joined[-1].name]
        joined.append(layer)
        ending[layer.name] = joined
    return tuple(tuple(group) for group in groups)


def _weighted(group: Sequence[Layer]) -> bool:
    return isinstance(group[0].op, (Conv2d, BatchNorm2d, Add))
