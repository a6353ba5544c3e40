"""Copies of activations that eager PyTorch makes between the kernels of layers.

Branches that softmax chooses between are stacked first, and summed as one tensor (so are timm's
selective kernels and split attention). With channels last, torch has no kernel in that order for
some layers: it lays their input out with the channels first, and the next product's input back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from typing import NamedTuple

from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.ops import STANDARDIZING, Scale
from resnet_inspect.networks.torch_ops import GroupNorm, Pad, View

STRIDED = 5
"""How many times as long a copy takes that reads in one order and writes in another."""


class Choice(NamedTuple):
    """Branches that softmax chooses between.

    scales: the layers that weigh them; sums: those that add them, weighed or not. stacked: whether
    they are tensors of their own, and not parts of one.
    """

    scales: tuple[Layer, ...]
    sums: tuple[Layer, ...]
    stacked: bool


def choices(graph: LayerGraph) -> list[Choice]:
    """Every choice between branches in a network."""
    weighed: dict[str, list[Layer]] = {}
    for layer in graph.layers:
        if isinstance(layer.op, Scale):
            gate = graph.by_name.get(layer.inputs[-1])
            while gate is not None and isinstance(gate.op, View):
                gate = graph.by_name.get(gate.inputs[0])
            if gate is not None and gate.op.kind == "Softmax":
                weighed.setdefault(gate.name, []).append(layer)
    return [_choice(graph, scales) for scales in weighed.values()]


def _choice(graph: LayerGraph, scales: Sequence[Layer]) -> Choice:
    names = {layer.name for layer in scales}
    branches = {layer.inputs[0] for layer in scales}
    sums = [
        layer
        for layer in graph.layers
        if layer.op.kind == "Add" and (names & {*layer.inputs} or branches >= {*layer.inputs})
    ]
    parts = [name for name in branches if isinstance(graph.by_name[name].op, View)]
    return Choice(tuple(scales), tuple(sums), not parts)


def copied(
    graph: LayerGraph,
    between: Sequence[Choice],
    products: Collection[str],
    size: Callable[[str], int],
    channels_last: bool,
) -> Mapping[str, int]:
    """Elements of 16 bits that are moved before a layer runs; strided copies count as more.

    products: the layers that multiply. size: how many such elements one of a tensor is.
    """
    pace = 2 * STRIDED if channels_last else 2
    moved = Counter(
        {
            choice.scales[0].name: pace * sum(prod(layer.output_shape) for layer in choice.scales)
            for choice in between
            if choice.stacked
        }
    )
    if not channels_last:
        return moved
    stacked = {layer.name for choice in between if choice.stacked for layer in choice.scales}
    parted = {choice.sums[-1].name for choice in between if not choice.stacked and choice.sums}
    first: set[str] = set()  # tensors whose channels come first
    for layer in graph.layers:
        maps = {
            name: pace * prod(shape)
            for name, shape in zip(layer.inputs, layer.input_shapes, strict=True)
            if len(shape) == 3 and shape[1:] != (1, 1)
        }
        turned = {name: count for name, count in maps.items() if name in first}
        if layer.name in products and not _lies_first(layer):
            moved[layer.name] += sum(turned.values())
            continue
        if turned and isinstance(layer.op, STANDARDIZING):  # cuDNN passes over both once more
            moved[layer.name] += prod(layer.input_shapes[0]) + prod(layer.output_shape)
        elif layer.name in parted:
            moved[layer.name] += size(layer.name) * max(maps.values())
        elif isinstance(layer.op, Pad) and layer.op.mode != "constant":
            moved[layer.name] += sum(maps.values()) - sum(turned.values())
        elif not (turned or layer.name in stacked or isinstance(layer.op, GroupNorm)):
            continue  # what a norm over groups lays out is within what its statistics take
        first.add(layer.name)
    return +moved


def _lies_first(layer: Layer) -> bool:
    """Whether its weights lie channels first, made in each pass or fixed, and it runs like them."""
    return isinstance(layer.op, STANDARDIZING) or bool(getattr(layer.op, "made_of", ()))
