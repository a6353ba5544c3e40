"""Memory of a network: weights, the peak of an inference pass, what training keeps.

All figures are bytes, exact for eager PyTorch with in-place activations and additions (as the
assembled model and torchvision's run them), before the allocator's rounding and without the
workspace that a convolution library takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch
from itertools import accumulate
from typing import NamedTuple

from resnet_inspect.counting.costs import total
from resnet_inspect.counting.dtypes import DTYPES, canonical_dtype
from resnet_inspect.errors import unknown
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph
from resnet_inspect.networks.ops import (
    Activation,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    Op,
    Scale,
    ZeroPad,
    elements,
)

OPTIMIZERS: dict[str, int] = {"sgd": 0, "momentum": 1, "adam": 2}
"""Tensors that an optimizer keeps for each parameter: none, velocity, two moments."""

INDEX = 8
"""Bytes of an int64: max pooling writes where each maximum stood."""

STATISTIC = 4
"""Least bytes of a batch statistic: GPUs keep those of half precision in fp32 (CPUs in half)."""


class Memory(NamedTuple):
    """Bytes.

    weights: parameters; buffers: batch norm's running statistics and counters.
    inference_peak: the most activations alive together, the input among them; peak_at: the layer
        during which.
    saved: what a training forward pass keeps for the backward pass.
    gradients; optimizers: state by optimizer name.
    uncounted: layers without a rule; figures with any are lower bounds.
    """

    weights: int
    buffers: int
    inference_peak: int
    peak_at: str
    saved: int
    gradients: int
    optimizers: dict[str, int]
    uncounted: int

    def training(self, optimizer: str = "momentum") -> int:
        """Weights, buffers, gradients, optimizer state and what the backward pass needs."""
        if optimizer not in self.optimizers:
            raise unknown("optimizer", optimizer, self.optimizers)
        state = self.optimizers[optimizer]
        return self.weights + self.buffers + self.gradients + state + self.saved

    @property
    def inference(self) -> int:
        """Weights, buffers and the peak of the activations."""
        return self.weights + self.buffers + self.inference_peak


def memory(graph: LayerGraph, batch: int = 1, dtype: str = "fp32") -> Memory:
    """The memory that a network needs for `batch` samples; raises UnknownNameError for dtypes."""
    itemsize = DTYPES[canonical_dtype(dtype)]
    summed = total(graph.layers)
    weights = summed.params * itemsize
    timeline = alive(graph, batch, dtype)
    peak = max(range(len(timeline)), key=timeline.__getitem__)
    return Memory(
        weights=weights,
        buffers=_buffer_bytes(graph, itemsize),
        inference_peak=timeline[peak],
        peak_at=graph.layers[peak].name,
        saved=saved_for_backward(graph, batch, dtype),
        gradients=weights,
        optimizers={name: count * weights for name, count in OPTIMIZERS.items()},
        uncounted=summed.uncounted,
    )


def _buffer_bytes(graph: LayerGraph, itemsize: int) -> int:
    """Running statistics in the network's dtype, and a counter of int64 for each batch norm."""
    held = {layer.path: layer.op for layer in graph.layers if layer.op.buffers}
    return sum(buffer_bytes(op, itemsize) for op in held.values())


@singledispatch
def buffer_bytes(op: Op, itemsize: int) -> int:
    """Bytes of the buffers that an op holds."""
    return op.buffers * itemsize


@buffer_bytes.register
def _(op: BatchNorm2d, itemsize: int) -> int:
    return (op.buffers - 1) * itemsize + INDEX


def storages(graph: LayerGraph, training: bool = False) -> dict[str, str]:
    """For every layer the one whose memory its output lies in: itself, or what it overwrites."""
    owner = {INPUT: INPUT}
    for layer in graph.layers:
        owner[layer.name] = owner[layer.inputs[0]] if layer.op.shares(training) else layer.name
    return owner


def alive(graph: LayerGraph, batch: int = 1, dtype: str = "fp32") -> tuple[int, ...]:
    """Bytes of activations alive while each layer of an inference pass runs, in running order.

    A tensor lives from the layer that makes it to the last that reads it, and what is handed to a
    container (a stage, a block, a projection) until that container returns, since its caller
    holds on to it; the network's input therefore lives throughout.
    """
    itemsize = DTYPES[canonical_dtype(dtype)]
    owner, until = storages(graph), _last_uses(graph)
    size = {INPUT: elements(graph.input_shape)}
    steps = len(graph.layers)
    change = [0] * (steps + 1)
    passing = [0] * steps
    for step, layer in enumerate(graph.layers):
        if owner[layer.name] == layer.name:
            size[layer.name] = elements(layer.output_shape)
            change[step] += size[layer.name] * itemsize
            change[until[layer.name] + 1] -= size[layer.name] * itemsize
        passing[step] = aside(layer.op, layer)
    held = size[INPUT] * itemsize
    levels = list(accumulate(change, initial=held))[1:]
    return tuple((level + extra) * batch for level, extra in zip(levels, passing, strict=False))


def _last_uses(graph: LayerGraph) -> dict[str, int]:
    """The step until which each storage lives."""
    owner = storages(graph)
    made = {INPUT: -1} | {layer.name: step for step, layer in enumerate(graph.layers)}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for step, layer in enumerate(graph.layers):
        for container in _containers(layer.path):
            first.setdefault(container, step)
            last[container] = step
    until = {name: made[name] for name in owner}
    for step, layer in enumerate(graph.layers):
        for source in layer.inputs:
            ends = step
            for container in _containers(layer.path):
                if made[source] < first[container]:  # handed in from outside
                    ends = max(ends, last[container])
            storage = owner[source]
            until[storage] = max(until[storage], ends)
    output = owner[graph.output.name]
    until[output] = len(graph.layers) - 1
    return until


def _containers(path: str) -> Iterator[str]:
    """layer1, layer1.0, layer1.0.downsample for layer1.0.downsample.1."""
    at = path.find(".")
    while at >= 0:
        yield path[:at]
        at = path.find(".", at + 1)


def saved_for_backward(
    graph: LayerGraph, batch: int = 1, dtype: str = "fp32", training: bool = True
) -> int:
    """Bytes that the forward pass keeps for the backward pass, parameters left out.

    Equal to the unique storages that torch.autograd.graph.saved_tensors_hooks sees. Batch norm in
    train mode also keeps each channel's mean and inverse deviation.
    """
    itemsize = DTYPES[canonical_dtype(dtype)]
    owner = storages(graph, training)
    kept: set[str] = set()
    extra = 0
    for layer in graph.layers:
        kept.update(owner[name] for name in keeps(layer.op, layer))
        extra += aside(layer.op, layer) * batch
        extra += copied(layer.op, layer, itemsize, batch)
        if training:
            extra += statistics(layer.op, layer, itemsize, batch)
    shapes = {layer.name: layer.output_shape for layer in graph.layers}
    shapes[INPUT] = graph.input_shape
    return sum(elements(shapes[name]) for name in kept) * itemsize * batch + extra


@singledispatch
def aside(op: Op, layer: Layer) -> int:
    """Bytes for each sample that an op writes beside its output, for its backward pass."""
    return 0


@aside.register
def _(op: MaxPool2d, layer: Layer) -> int:
    return elements(layer.output_shape) * INDEX


@singledispatch
def copied(op: Op, layer: Layer, itemsize: int, batch: int) -> int:
    """Bytes that an op copies before it overwrites them, since its backward pass needs them."""
    return 0


@copied.register
def _(op: Activation, layer: Layer, itemsize: int, batch: int) -> int:
    needed = op.inplace and _kept_by(op) == "input"
    return elements(layer.output_shape) * itemsize * batch if needed else 0


def _kept_by(op: Activation) -> str:
    if op.keeps == "either":
        return "output" if op.inplace else "input"
    return op.keeps


@singledispatch
def statistics(op: Op, layer: Layer, itemsize: int, batch: int) -> int:
    """Bytes that an op keeps beside that in train mode alone."""
    return 0


@statistics.register
def _(op: BatchNorm2d, layer: Layer, itemsize: int, batch: int) -> int:
    return 2 * op.channels * max(itemsize, STATISTIC)


@singledispatch
def keeps(op: Op, layer: Layer) -> tuple[str, ...]:
    """The tensors, by the layers that make them, that an op keeps for its backward pass.

    torch's derivatives.yaml says which. An op without a rule keeps nothing that is known of.
    """
    return ()


@keeps.register(Conv2d)
@keeps.register(Linear)
@keeps.register(BatchNorm2d)
@keeps.register(MaxPool2d)
@keeps.register(AvgPool2d)
@keeps.register(Scale)
def _(op: Op, layer: Layer) -> tuple[str, ...]:
    return layer.inputs


@keeps.register(Activation)
def _(op: Activation, layer: Layer) -> tuple[str, ...]:
    if _kept_by(op) == "output":
        return (layer.name,)
    return () if op.inplace else layer.inputs  # in place it keeps a copy


@keeps.register(Add)
@keeps.register(Flatten)
@keeps.register(GlobalAvgPool2d)
@keeps.register(ZeroPad)
def _(op: Op, layer: Layer) -> tuple[str, ...]:
    return ()  # their backward needs shapes alone
