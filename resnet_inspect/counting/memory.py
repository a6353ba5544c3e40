"""Memory of a network: weights, the peak of an inference pass, what training keeps.

All figures are bytes, exact for eager PyTorch with in-place activations and additions (as the
assembled model and torchvision's run them), before the allocator's rounding and without the
workspace that a convolution library takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import singledispatch
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.dtypes import DTYPES, canonical_dtype
from resnet_inspect.errors import unknown
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph, once
from resnet_inspect.networks.ops import elements
from resnet_inspect.networks.resnet import layer_graph

OPTIMIZERS: dict[str, int] = {"sgd": 0, "momentum": 1, "adam": 2}
"""Tensors that an optimizer keeps for each parameter: none, velocity, two moments."""

INDEX = 8
"""Bytes of an int64: max pooling writes where each maximum was."""

STATISTIC = 4
"""Least bytes of a batch statistic: GPUs keep those of half precision in fp32 (CPUs in half)."""


class _Rule(Protocol):
    def dispatch(self, kind: type[ops.Op], /) -> Callable[..., Any]: ...


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
    cost = graph_cost(graph)
    weights = cost.params * itemsize
    short, _ = _shortened(graph)  # what is alive repeats with the blocks
    timeline = live_bytes(short, batch, dtype)
    peak = max(range(len(timeline)), key=timeline.__getitem__)
    return Memory(
        weights=weights,
        buffers=_buffer_bytes(graph, itemsize),
        inference_peak=timeline[peak],
        peak_at=short.layers[peak].name,
        saved=saved_for_backward(graph, batch, dtype),
        gradients=weights,
        optimizers={name: count * weights for name, count in OPTIMIZERS.items()},
        uncounted=cost.uncounted,
    )


@once
def _shortened(graph: LayerGraph) -> tuple[LayerGraph, Mapping[str, int]]:
    """The network with one repeat in each stage, and how many layers a layer of it counts for.

    The block that repeats is followed by an equal one, as are all but the last of its repeats, so
    its layers count for theirs too. All other layers count only for themselves.
    """
    if graph.spec is None or all(stage.repeats <= 1 for stage in graph.stages):
        return graph, {}
    blocks = tuple([min(count, 3) for count in graph.spec.blocks])
    short = layer_graph(replace(graph.spec, blocks=blocks), graph.input_shape)
    times: dict[str, int] = {}
    for stage, whole in zip(short.stages, graph.stages, strict=True):
        if whole.repeats > 1:
            times |= dict.fromkeys([x.name for x in stage.wired[-1].layers], whole.repeats)
    return short, MappingProxyType(times)


def _by_kind(graph: LayerGraph, rule: _Rule) -> dict[type[ops.Op], Callable[..., Any]]:
    """The cases of a rule that a network needs, so that none is looked up twice."""
    return {kind: rule.dispatch(kind) for kind in {type(layer.op) for layer in graph.layers}}


def _buffer_bytes(graph: LayerGraph, itemsize: int) -> int:
    """Running statistics in the network's dtype, and a counter of int64 for each batch norm."""
    short, times = _shortened(graph)
    held = {layer.path: layer for layer in short.layers if layer.op.buffers}
    return sum(
        buffer_bytes(layer.op, itemsize) * times.get(layer.name, 1) for layer in held.values()
    )


@singledispatch
def buffer_bytes(op: ops.Op, itemsize: int) -> int:
    """Bytes of the buffers that an op holds."""
    return op.buffers * itemsize


@buffer_bytes.register(ops.BatchNorm2d)
def _(op: ops.BatchNorm2d, itemsize: int) -> int:
    return (op.buffers - 1) * itemsize + INDEX


@once
def storages(graph: LayerGraph, training: bool = False) -> Mapping[str, str]:
    """For every layer the one whose memory its output lies in: itself, or what it overwrites."""
    owner = {INPUT: INPUT}
    for name, _, op, inputs, _, _ in graph.layers:
        owner[name] = owner[inputs[0]] if op.aliases_input(training) else name
    return MappingProxyType(owner)


def live_bytes(graph: LayerGraph, batch: int = 1, dtype: str = "fp32") -> tuple[int, ...]:
    """Bytes of activations alive while each layer of an inference pass runs, in running order.

    A tensor lives from the layer that makes it to the last that reads it, and what is handed to a
    container (a stage, a block, a projection) until that container returns, since its caller
    holds on to it; the network's input therefore lives throughout.
    """
    itemsize = DTYPES[canonical_dtype(dtype)]
    owner, until = storages(graph), _last_uses(graph)
    auxiliary = _by_kind(graph, auxiliary_bytes)
    change = [0] * (len(graph.layers) + 1)
    during = []
    for step, layer in enumerate(graph.layers):
        if owner[layer.name] == layer.name:
            size = elements(layer.output_shape) * itemsize
            change[step] += size
            change[until[layer.name] + 1] -= size
        during.append(auxiliary[type(layer.op)](layer.op, layer))
    levels = list(accumulate(change, initial=elements(graph.input_shape) * itemsize))[1:]
    return tuple([(level + extra) * batch for level, extra in zip(levels, during, strict=False)])


@once
def _last_uses(graph: LayerGraph) -> Mapping[str, int]:
    """The step until which each storage lives."""
    owner = storages(graph)
    made = {INPUT: -1} | {layer.name: step for step, layer in enumerate(graph.layers)}
    containers = {layer.path: tuple(_containers(layer.path)) for layer in graph.layers}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for step, layer in enumerate(graph.layers):
        for container in containers[layer.path]:
            first.setdefault(container, step)
            last[container] = step
    until = {name: made[name] for name in owner}
    for step, layer in enumerate(graph.layers):
        for source in layer.inputs:
            ends = step
            for container in containers[layer.path]:
                if made[source] < first[container]:  # handed in from outside
                    ends = last[container]
                    break  # the containers inside return before it does
            storage = owner[source]
            until[storage] = max(until[storage], ends)
    output = owner[graph.output.name]
    until[output] = len(graph.layers) - 1
    return MappingProxyType(until)


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
    short, times = _shortened(graph)
    owner = storages(short, training)
    tensors, auxiliary, copies, moments = (
        _by_kind(short, rule)
        for rule in (saved_tensors, auxiliary_bytes, saved_copy_bytes, statistics)
    )
    saved: set[str] = set()
    extra = 0
    for layer in short.layers:
        op, kind = layer.op, type(layer.op)
        saved.update([owner[name] for name in tensors[kind](op, layer)])
        own = auxiliary[kind](op, layer) * batch + copies[kind](op, layer, itemsize, batch)
        if training:
            own += moments[kind](op, layer, itemsize, batch)
        if own:
            extra += own * times.get(layer.name, 1)
    shapes = {name: short.layer(name).output_shape for name in saved - {INPUT}}
    shapes |= {INPUT: short.input_shape} if INPUT in saved else {}
    sizes = {name: output_bytes(short.layer(name).op, itemsize) for name in saved - {INPUT}}
    kept = sum(
        elements(shape) * times.get(name, 1) * sizes.get(name, itemsize)
        for name, shape in shapes.items()
    )
    return kept * batch + extra


@singledispatch
def output_bytes(op: ops.Op, itemsize: int) -> int:
    """Bytes of an element that an op gives."""
    return itemsize


@singledispatch
def auxiliary_bytes(op: ops.Op, layer: Layer) -> int:
    """Bytes for each sample that an op writes besides its output, for its backward pass."""
    return 0


@auxiliary_bytes.register(ops.MaxPool2d)
def _(op: ops.MaxPool2d, layer: Layer) -> int:
    return elements(layer.output_shape) * INDEX


@singledispatch
def saved_copy_bytes(op: ops.Op, layer: Layer, itemsize: int, batch: int) -> int:
    """Bytes of its input that an op copies before it overwrites them: its backward needs them."""
    return 0


@saved_copy_bytes.register(ops.Activation)
def _(op: ops.Activation, layer: Layer, itemsize: int, batch: int) -> int:
    needed = op.inplace and _kept_by(op) == "input"
    return elements(layer.output_shape) * itemsize * batch if needed else 0


def _kept_by(op: ops.Activation) -> str:
    if op.keeps == "either":
        return "output" if op.inplace else "input"
    return op.keeps


@singledispatch
def statistics(op: ops.Op, layer: Layer, itemsize: int, batch: int) -> int:
    """Bytes that an op saves only in train mode, besides all that."""
    return 0


@statistics.register(ops.BatchNorm2d)
def _(op: ops.BatchNorm2d, layer: Layer, itemsize: int, batch: int) -> int:
    return 2 * op.channels * max(itemsize, STATISTIC)


@singledispatch
def saved_tensors(op: ops.Op, layer: Layer) -> tuple[str, ...]:
    """The tensors, by the layers that make them, that an op keeps for its backward pass.

    torch's derivatives.yaml says which. Of an op without a rule nothing is known.
    """
    return ()


_kind: type[ops.Op]
for _kind in (ops.Conv2d, ops.Linear, ops.BatchNorm2d, ops.MaxPool2d, ops.AvgPool2d, ops.Scale):
    saved_tensors.register(_kind, lambda op, layer: layer.inputs)
for _kind in (
    ops.Add,
    ops.Flatten,
    ops.GlobalAvgPool2d,
    ops.ZeroPad,
):  # their backward needs only shapes
    saved_tensors.register(_kind, lambda op, layer: ())


@saved_tensors.register(ops.Activation)
def _(op: ops.Activation, layer: Layer) -> tuple[str, ...]:
    if _kept_by(op) == "output":
        return (layer.name,)
    return () if op.inplace else layer.inputs  # in place it keeps a copy
