"""The signal and the gradient of a network at initialisation, as torch finds them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from torch import nn

from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.files import read_bytes
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.propagation.signal import Measured, MeasuredLayer, Spread
from resnet_inspect.pytorch import assemble
from resnet_inspect.pytorch.trace.diagnosis import first_line
from resnet_inspect.pytorch.trace.load import called

BATCH = 32

LEAST = 2
"""Inputs of a batch: batch norm needs more than one."""

LARGEST = 1 << 32
"""Bytes of a file of inputs."""


def measure(
    graph: LayerGraph,
    init: str = "published",
    *,
    seeds: int = 3,
    batch: int = BATCH,
    inputs: object = None,
    say: Callable[[str], None] = lambda words: None,
) -> Measured:
    """The signal at every layer over so many seeds, in train mode, on torch's default device.

    inputs: by default noise of the network's shape, new for each seed; else an array, a .npy file
    or 'package.module:callable' that gives one, of which the first `batch` are taken. The gradient
    is that of the output times noise of mean square 1. Raises InspectError, also for a layer that
    does not run by itself.
    """
    if seeds < 1 or batch < LEAST:
        raise InspectError(
            f"{seeds} seeds of a batch of {batch}; give at least 1 of at least {LEAST}"
        )
    own = None if inputs is None else _own(inputs, graph, batch)
    found: dict[str, list[tuple[float, float, float]]] = {x.name: [] for x in graph.layers}
    for seed in range(seeds):
        say(f"{graph.name}, seed {seed + 1} of {seeds}")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = assemble.assemble(graph) if init == "torch" else assemble.build(graph)
            given = torch.randn(batch, *graph.input_shape) if own is None else own
            for name, values in _run(graph, model, given):
                found[name].append(values)
    return {
        name: MeasuredLayer(*map(_spread, zip(*values, strict=True)))
        for name, values in found.items()
        if values
    }


def _own(inputs: object, graph: LayerGraph, batch: int) -> torch.Tensor:
    """The first of a user's inputs, checked; raises InspectError."""
    name = inputs if isinstance(inputs, str) else "the array of inputs"
    array = _array(inputs) if isinstance(inputs, str) else inputs
    try:
        whole = array if isinstance(array, torch.Tensor) else torch.as_tensor(np.asarray(array))
        tensor = whole[:batch].detach().to(torch.get_default_device(), torch.get_default_dtype())
    except (IndexError, TypeError, ValueError, RuntimeError):
        raise InspectError(f"{name} holds a {type(array).__name__}, no array of numbers") from None
    if tuple(tensor.shape[1:]) != graph.input_shape or len(tensor) < LEAST:
        raise InspectError(
            f"{name} is {show_shape(whole.shape)}; {graph.name} takes at least {LEAST} "
            f"inputs of {show_shape(graph.input_shape)}"
        )
    if not bool(tensor.isfinite().all()):
        raise InspectError(f"{name} holds numbers that are not finite")
    return tensor


def _array(name: str) -> Any:
    """What a .npy file holds, which is no code, or what a callable gives."""
    if not name.endswith(".npy"):
        if ":" not in name:
            raise FormatError(f"no inputs in {name!r}; name a .npy file or package.module:callable")
        return called(name, {}, "an array")
    held = read_bytes(name, LARGEST)
    try:
        return np.load(io.BytesIO(held), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FormatError(f"cannot read {name!r}: {first_line(error)}") from None


def _spread(values: Sequence[float]) -> Spread:
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Spread(fmean(values), error)


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
