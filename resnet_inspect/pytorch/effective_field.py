"""The effective receptive field as autograd finds it."""

from __future__ import annotations

import torch

from resnet_inspect.networks.graph import INPUT, LayerGraph
from resnet_inspect.propagation.effective import EffectiveField
from resnet_inspect.propagation.maps import Map
from resnet_inspect.pytorch import assemble
from resnet_inspect.pytorch.signal import run_layers

BATCH = 16
"""Samples that each seed takes the gradient of; batch norm spreads a part of one by their number
over all positions."""


def measure(graph: LayerGraph, field: EffectiveField, *, seeds: int = 100, first: int = 0) -> Map:
    """The mean square of a unit's gradient at each input pixel, over so many seeds; their sum is 1.

    Weights and inputs of noise are new for each; the unit is any channel, in train mode. first:
    what the numbers drawn begin with.
    """
    last = graph.by_name[field.layer]
    until = graph.layers[: graph.layers.index(last) + 1]
    total = torch.zeros(graph.input_shape[1:], dtype=torch.float64)
    with torch.random.fork_rng():
        torch.manual_seed(first)
        model = assemble.build(graph)
        for _ in range(seeds):
            if graph.maker is None:
                assemble.initialise(model, graph)
            else:
                model = assemble.build(graph)
            values = run_layers(graph, model, torch.randn(BATCH, *graph.input_shape), until)
            out = values[last.name]
            unit = torch.zeros_like(out)
            row, column = field.position
            unit[:, :, row, column] = torch.randn(out.shape[:2])
            (slope,) = torch.autograd.grad(out, values[INPUT], unit)
            total += slope.double().square().sum((0, 1))
    return tuple(map(tuple, (total / total.sum()).tolist()))
