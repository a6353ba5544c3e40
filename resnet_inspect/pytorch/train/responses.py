"""How strongly the layers of a trained network respond (He et al. 2015, section 4.2, Figure 7)."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.parts import roles
from resnet_inspect.pytorch.inputs import results

IMAGES = 512
"""Images whose responses are taken together."""


def responses(
    graph: LayerGraph, model: nn.Module, images: torch.Tensor, device: torch.device
) -> dict[str, float]:
    """The standard deviation of each convolution's output in eval mode, by the layer's name.

    Behind its batch norm and before what follows; convolutions of shortcuts and gates are left out.
    """
    found: dict[str, float] = {}
    hooks, observed = [], _observed(graph)
    for name, path in observed.items():
        try:
            part = model.get_submodule(path)
        except AttributeError:  # a function computes it
            continue
        hooks.append(part.register_forward_hook(partial(_note, found, name)))
    try:
        with torch.no_grad():
            model.eval()(images[:IMAGES].to(device))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: found[name] for name in observed if name in found}


def _note(found: dict[str, float], name: str, part: nn.Module, given: Any, output: Any) -> None:
    """At once: what follows may write over the output."""
    deviation = float(next(results(output)).std())
    if deviation < float("inf"):  # and a number
        found[name] = round(deviation, 6)


def _observed(graph: LayerGraph) -> dict[str, str]:
    """The module to watch for each convolution on the main path, by the convolution's name."""
    playing = roles(graph)
    norms = {
        layer.inputs[0]: layer for layer in graph.layers if layer.op.category == "normalization"
    }
    return {
        layer.name: norms.get(layer.name, layer).path
        for layer in graph.layers
        if layer.op.category == "convolution"
        and (playing[layer.name] == "stem" or playing[layer.name].endswith("convolutions"))
    }
