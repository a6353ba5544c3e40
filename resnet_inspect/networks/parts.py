"""What each layer of a network is there for, and how deep the network is.

Read off the wiring and the kinds of op and block; names are never parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from resnet_inspect.networks.fusion import fold, main_layer
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.op_labels import convolution_size
from resnet_inspect.networks.ops import Conv2d, Linear, Op
from resnet_inspect.networks.wiring import Wiring, is_gating, led

ROLES = (
    "stem",
    "3x3 convolutions",
    "1x1 convolutions",
    "other convolutions",
    "linear layers",
    "squeeze and excitation",
    "shortcuts",
    "head",
    "all else",
)
"""What a layer is there for, in reading order. Roles are disjoint and leave nothing out."""


def roles(graph: LayerGraph) -> Mapping[str, str]:
    """Every layer's name with one of ROLES.

    Batch norm and activation play the role of the convolution that they belong to.
    """
    bypass, gating = _shortcuts(graph), gates(graph)
    playing: dict[str, str] = {}
    for block in graph.blocks:
        for group in fold(block):
            main = main_layer(group)
            if block.is_stem or block.is_head:
                role = block.kind.lower()
            elif main.name in bypass:
                role = "shortcuts"
            elif main.name in gating or is_gating(main):
                role = "squeeze and excitation"
            else:
                role = _role(main.op)
            playing.update((layer.name, role) for layer in group)
    return {layer.name: playing[layer.name] for layer in graph.layers}


def _role(op: Op) -> str:
    """The role of an op on the main path."""
    if isinstance(op, Conv2d):
        return f"{convolution_size(op)} convolutions"
    return "linear layers" if isinstance(op, Linear) else "all else"


def _shortcuts(graph: LayerGraph) -> set[str]:
    """The layers that only a shortcut runs."""
    return {
        layer.name
        for wiring in _wirings(graph)
        for last in wiring.sums()
        for cut in wiring.shortcuts(last)
        for layer in cut.layers
    }


def gates(graph: LayerGraph) -> set[str]:
    """The layers that only make gates."""
    return {
        layer.name
        for wiring in _wirings(graph)
        for scale in wiring.by_name.values()
        if is_gating(scale)
        for layer in wiring.gate(scale)
    }


def _wirings(graph: LayerGraph) -> Iterator[Wiring]:
    """The wiring of each block: what leads around or gates anything stands in its block."""
    place = {layer.name: at for at, layer in enumerate(graph.layers)}
    return (Wiring(block.layers, place) for block in graph.blocks)


def depth(graph: LayerGraph) -> int:
    """Layers with weights on the longest way through: convolutions and the classifier.

    So the papers count (He et al. 2015, Table 1). The stem counts once, as in ResNet-50-D; gates
    do not count, nor more than one of the convolutions that a block has in place of one.
    """
    if graph.spec is not None:
        return graph.spec.depth
    reached = depths(graph)
    return max(reached.get(name, 0) for name in graph.outputs)  # an input may be handed on


def depths(graph: LayerGraph) -> Mapping[str, int]:
    """Layers with weights on the longest way to each layer, itself among them.

    A gate lies as deep as what it is made of.
    """
    gating = gates(graph)
    reached = dict.fromkeys(graph.inputs, 0)
    for block in graph.blocks:
        for layer in block.layers:
            before = max((reached[name] for name in led(layer)), default=0)
            weighted = isinstance(layer.op, (Conv2d, Linear)) and layer.name not in gating
            here = before + weighted
            reached[layer.name] = min(here, 1) if block.is_stem else here
    return {name: depth for name, depth in reached.items() if name not in graph.inputs}
