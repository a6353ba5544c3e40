"""One residual block by itself: the two of He et al. 2015, Figure 5, and their variants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from resnet_inspect.errors import SpecError, unknown
from resnet_inspect.networks.graph import INPUT, LayerGraph, Stage
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Pair
from resnet_inspect.networks.spec import ResNetSpec

FIGURE_5: Mapping[str, int] = {"basic": 64, "bottleneck": 256}
"""Channels that the paper pairs: the two blocks cost about the same."""


def block_graph(
    kind: str = "bottleneck",
    channels: int | None = None,
    size: int | Pair = 56,
    *,
    entering: int | None = None,
    stride: int = 1,
    **changes: Any,
) -> LayerGraph:
    """A residual block as a graph of its own.

    kind: 'basic' or 'bottleneck'. channels: of its output, by default those of Figure 5 (64 and
    256). size: height and width of its input. entering: channels of its input, by default as many
    as of its output, or half of them if it strides, as between stages. changes: fields of
    ResNetSpec, such as order="pre", shortcut="D" or se_reduction=16. Raises UnknownNameError or
    SpecError.
    """
    if kind not in FIGURE_5:
        raise unknown("block", kind, FIGURE_5)
    channels = FIGURE_5[kind] if channels is None else channels
    width, rest = divmod(channels, 4 if kind == "bottleneck" else 1)
    if rest:
        raise SpecError(
            f"channels is {channels}, and a bottleneck has a quarter of them inside; give a "
            f"multiple of 4, such as {max(4, round(channels / 4) * 4)}"
        )
    if entering is None:
        entering = channels if stride == 1 else channels // 2
    spec = ResNetSpec(
        block=kind,
        blocks=(1,),
        widths=(width,),
        strides=(stride,),
        stem="3x3",
        stem_width=entering,
        input_size=(size, size) if isinstance(size, int) else size,
    ).with_changes(changes)
    whole = layer_graph(spec)
    block = whole.block("layer1.0")
    before = whole.stages[0].output
    # Names lose the path that they share, and the stem's output becomes the input.
    names = {layer.name: layer.name.removeprefix(f"{block.path}.") for layer in block.layers}
    names[before.name] = INPUT
    layers = tuple(
        layer._replace(name=names[layer.name], inputs=tuple(names[name] for name in layer.inputs))
        for layer in block.layers
    )
    renamed = replace(block, name=block.kind, layers=layers)
    name = spec.name if "name" in changes else f"{block.kind}, {channels} channels"
    return LayerGraph(name, before.output_shape, (Stage("block", "", (renamed,)),))
