"""The signal and the gradient of a network at initialisation, as torch finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, stdev

import torch
from torch import nn

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph
from resnet_inspect.propagation.signal import Measured, MeasuredLayer, Spread
from resnet_inspect.pytorch import assemble

BATCH = 32


def measure(
    graph: LayerGraph,
    init: str = "published",
    *,
    seeds: int = 3,
    batch: int = BATCH,
    inputs: torch.Tensor | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Measured:
    """The signal at every layer over so many seeds, in train mode, on torch's default device.

    inputs: by default noise of the network's shape, new for each seed. The gradient is that of
    the output times noise of mean square 1. Raises InspectError for a layer that does not run by
    itself.
    """
    if seeds < 1 or batch < 2:
        raise InspectError(f"{seeds} seeds of a batch of {batch}; give at least 1 of at least 2")
    found: dict[str, list[tuple[float, float, float]]] = {x.name: [] for x in graph.layers}
    for seed in range(seeds):
        say(f"{graph.name}, seed {seed + 1} of {seeds}")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = _initialised(graph, init)
            given = torch.randn(batch, *graph.input_shape) if inputs is None else inputs
            for name, values in _run(graph, model, given):
                found[name].append(values)
    return {
        name: MeasuredLayer(*map(_spread, zip(*values, strict=True)))
        for name, values in found.items()
        if values
    }


def _spread(values: Sequence[float]) -> Spread:
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Spread(fmean(values), error)


def _initialised(graph: LayerGraph, init: str) -> nn.Module:
    return assemble.assemble(graph) if init == "torch" else assemble.build(graph)


def run_layers(
    graph: LayerGraph,
    model: nn.Module,
    given: torch.Tensor,
    layers: Sequence[Layer] | None = None,
) -> dict[str, torch.Tensor]:
    """The outputs of all layers (or of the first ones) for some inputs, none of them overwritten.

    Each keeps its gradient.
    """
    values = {INPUT: given.detach().clone().requires_grad_()}
    for layer in graph.layers if layers is None else layers:
        taken = [values[name] for name in layer.inputs]
        values[layer.name] = _called(graph, layer, model)(*taken)
        values[layer.name].retain_grad()
    return values


def _called(graph: LayerGraph, layer: Layer, model: nn.Module) -> Callable[..., torch.Tensor]:
    """What computes a layer, with the model's own weights."""
    op = layer.op.replace(inplace=False) if layer.op.inplace else layer.op
    if type(op) in assemble.FUNCTIONS:
        function, settings = assemble.FUNCTIONS[type(op)](op)
        return lambda *taken: function(*taken, *settings)
    if type(op) not in assemble.MODULES:
        raise InspectError(
            f"layer {layer.name} ({op.kind}) of {graph.name} cannot be run by itself, so its "
            "signal is not measured"
        )
    if op.params or op.buffers:
        try:
            return model.get_submodule(layer.path)
        except AttributeError:
            raise InspectError(
                f"layer {layer.name} of {graph.name} is no module, so its signal is not measured"
            ) from None
    return assemble.module(op)


def _run(
    graph: LayerGraph, model: nn.Module, given: torch.Tensor
) -> Iterator[tuple[str, tuple[float, float, float]]]:
    values = run_layers(graph, model, given)
    out = values[graph.output.name]
    noise = torch.randn_like(out)
    out.backward(noise / noise.square().mean().sqrt())
    for layer in graph.layers:
        value, gradient = values[layer.name].detach(), values[layer.name].grad
        channels = value.transpose(0, 1).flatten(1).double()
        variance = channels.var(dim=1, correction=0).mean().item()
        slope = 0.0 if gradient is None else gradient.double().square().mean().item()
        yield layer.name, (channels.square().mean().item(), variance, slope)
