"""What each layer of a network is there for, and how deep the network is.

Read off the wiring and the kinds of op and block; names are never parsed.
"""

from __future__ import annotations

from collections.abc import Mapping

from resnet_inspect.networks.fusion import fold, main_layer
from resnet_inspect.networks.graph import INPUT, LayerGraph
from resnet_inspect.networks.op_labels import convolution_size
from resnet_inspect.networks.ops import Add, Conv2d, Linear, Op, Scale
from resnet_inspect.networks.wiring import Wiring

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
    bypass, gating = _shortcuts(graph, Wiring(graph.layers)), gates(graph)
    playing: dict[str, str] = {}
    for block in graph.blocks:
        for group in fold(block):
            main = main_layer(group)
            if block.is_stem or block.is_head:
                role = block.kind.lower()
            elif main.name in bypass:
                role = "shortcuts"
            elif main.name in gating or isinstance(main.op, Scale):
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


def _shortcuts(graph: LayerGraph, wiring: Wiring) -> set[str]:
    """The layers that only a shortcut runs."""
    additions = [layer for layer in graph.layers if isinstance(layer.op, Add)]
    cuts = (cut for addition in additions for cut in wiring.shortcuts(addition))
    return {layer.name for cut in cuts for layer in cut.layers}


def gates(graph: LayerGraph) -> set[str]:
    """The layers that only make gates."""
    gatings = [layer for layer in graph.layers if isinstance(layer.op, Scale)]
    wiring = Wiring(graph.layers) if gatings else None
    return {layer.name for gating in gatings if wiring for layer in wiring.gate(gating)}


def depth(graph: LayerGraph) -> int:
    """Layers with weights on the longest way through: convolutions and the classifier.

    So the papers count (He et al. 2015, Table 1). The stem counts once, as in ResNet-50-D; gates
    do not count.
    """
    return depths(graph)[graph.output.name]


def depths(graph: LayerGraph) -> Mapping[str, int]:
    """Layers with weights on the longest way to each layer, itself among them.

    A gate lies as deep as what it is made of.
    """
    gating = gates(graph)
    reached: dict[str, int] = {INPUT: 0}
    for block in graph.blocks:
        for layer in block.layers:
            # A gate scales the main path and is none itself.
            inputs = layer.inputs[:1] if isinstance(layer.op, Scale) else layer.inputs
            before = max((reached[name] for name in inputs), default=0)
            weighted = isinstance(layer.op, (Conv2d, Linear)) and layer.name not in gating
            here = before + weighted
            reached[layer.name] = min(here, 1) if block.is_stem else here
    del reached[INPUT]
    return reached


def residual_blocks(graph: LayerGraph) -> int:
    """Blocks that are neither stem nor head."""
    return sum(not (block.is_stem or block.is_head) for block in graph.blocks)
