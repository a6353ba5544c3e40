"""Memory of a network: weights, the peak of an inference pass, what training keeps.

All figures are bytes, exact for eager PyTorch with in-place activations and additions (as the
assembled model and torchvision's run them), before the allocator's rounding and without the
workspace that a convolution library takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from resnet_inspect.counting import kept
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.dtypes import canonical_dtype, cast_size, chosen_dtype, element_bytes
from resnet_inspect.counting.strides import copied_operands
from resnet_inspect.errors import unknown
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer, LayerGraph, once
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.run import Tensor, owners
from resnet_inspect.networks.shapes import elements

OPTIMIZERS: dict[str, int] = {"sgd": 0, "momentum": 1, "adam": 2}
"""Tensors that an optimizer keeps for each parameter: none, velocity, two moments."""


class _Rule(Protocol):
    def dispatch(self, kind: type[ops.Op], /) -> Callable[..., Any]: ...


class Memory(NamedTuple):
    """Bytes.

    weights: parameters, those that do not run among them; buffers: batch norm's running statistics
        and counters; frozen: those of the weights that get no gradient; unused: those that no layer
        uses.
    inference_peak: the most activations alive together, the input among them; peak_at: the layer
        during which.
    saved: what a training forward pass keeps for the backward pass.
    gradients; optimizers: state by optimizer name; of what is not frozen. Parameters that inference
        does not run are among them: most such, like auxiliary heads, run in training.
    uncounted: layers of which not all is known; figures with any are lower bounds.
    """

    weights: int
    buffers: int
    inference_peak: int
    peak_at: str
    saved: int
    gradients: int
    optimizers: dict[str, int]
    uncounted: int
    frozen: int = 0
    unused: int = 0

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


def memory(graph: LayerGraph, batch: int = 1, dtype: str | None = None) -> Memory:
    """The memory that a network needs for `batch` samples.

    dtype: by default each tensor's own, and for activations the network's. Raises
    UnknownNameError for it.
    """
    held = held_bytes(graph, dtype)
    short, _ = _shortened(graph)  # what is alive repeats with the blocks
    timeline = live_bytes(short, batch, dtype)
    peak = max(range(len(timeline)), key=timeline.__getitem__)
    return Memory(
        weights=held.weights,
        buffers=held.buffers,
        inference_peak=timeline[peak],
        peak_at=short.layers[peak].name,
        saved=saved_for_backward(graph, batch, dtype),
        gradients=held.trained,
        optimizers={name: count * held.trained for name, count in OPTIMIZERS.items()},
        uncounted=_unknown(graph),
        frozen=held.frozen,
        unused=held.unused,
    )


def _unknown(graph: LayerGraph) -> int:
    """How many layers, and operations in none, keep or write what is not known."""
    short, times = _shortened(graph)
    gaps = graph.run.gaps if graph.run else ()
    known = by_kind(short, kept.memory_known)
    unknown = [layer.name for layer in short.layers if not known[type(layer.op)](layer.op)]
    return len(gaps) + sum([times.get(name, 1) for name in unknown])


class _Held(NamedTuple):
    """Bytes of a network's tensors. trained: of the weights that are not frozen."""

    weights: int
    buffers: int
    trained: int
    frozen: int = 0
    unused: int = 0


def held_bytes(graph: LayerGraph, dtype: str | None) -> _Held:
    """Every tensor once, in its own dtype or in the one that it is cast to."""
    dtype = dtype and canonical_dtype(dtype)
    if graph.run is None:
        size = element_bytes(chosen_dtype(graph, dtype))
        weights = graph_cost(graph).params * size
        return _Held(weights, _buffer_bytes(graph, size), weights)
    unused = graph.run.unused

    def size_of(wanted: Callable[[str, Tensor], bool]) -> int:
        tensors = graph.run.tensors.items() if graph.run else ()
        return sum(t.entries * cast_size(t.dtype, dtype) for name, t in tensors if wanted(name, t))

    return _Held(
        weights=size_of(lambda name, tensor: tensor.learned),
        buffers=size_of(lambda name, tensor: not tensor.learned),
        trained=size_of(lambda name, tensor: tensor.trainable),
        frozen=size_of(lambda name, tensor: tensor.learned and not tensor.trainable),
        unused=size_of(lambda name, tensor: name in unused),
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


def by_kind(graph: LayerGraph, rule: _Rule) -> dict[type[ops.Op], Callable[..., Any]]:
    """The cases of a rule that a network needs, so that none is looked up twice."""
    return {kind: rule.dispatch(kind) for kind in {type(layer.op) for layer in graph.layers}}


def _buffer_bytes(graph: LayerGraph, itemsize: int) -> int:
    """Running statistics in the network's dtype, and a counter of int64 for each batch norm."""
    short, times = _shortened(graph)
    held = {layer.path: layer for layer in short.layers if layer.op.buffers}
    return sum(
        kept.buffer_bytes(layer.op, itemsize) * times.get(layer.name, 1) for layer in held.values()
    )


@once
def storages(graph: LayerGraph, training: bool = False) -> Mapping[str, str]:
    """For every layer the one whose memory its output lies in: itself, or what it overwrites."""
    owner = {name: name for name in graph.inputs}
    for name, _, op, inputs, _, _ in graph.layers:
        owner[name] = owner[inputs[0]] if inputs and op.aliases_input(training) else name
    return MappingProxyType(owner)


def live_bytes(graph: LayerGraph, batch: int = 1, dtype: str | None = None) -> tuple[int, ...]:
    """Bytes of activations alive while each layer of an inference pass runs, in running order.

    A tensor lives from the layer that makes it to the last that reads it, and as long as a run
    showed it to be held; what the network returns, to the end. Where no run tells, what is handed
    to a container (a stage, a block, a projection) lives until that container returns, since its
    caller holds on to it. The network's inputs live throughout.
    """
    size = element_bytes(chosen_dtype(graph, dtype))
    owner, until = storages(graph), last_uses(graph)
    auxiliary = by_kind(graph, kept.auxiliary_bytes)
    change = [0] * (len(graph.layers) + 1)
    during = []
    for step, layer in enumerate(graph.layers):
        if owner[layer.name] == layer.name:
            made = _made_bytes(layer, size)
            change[step] += made
            change[until[layer.name] + 1] -= made
        during.append(auxiliary[type(layer.op)](layer.op, layer, size))
        if graph.run and _unpools(layer):  # by indices that a pool gave
            pool = graph.layer(layer.inputs[1])
            for at in range(graph.layers.index(pool) + 1, step + 1):
                during[at] += auxiliary[type(pool.op)](pool.op, pool, size)
    entering = sum(input_bytes(graph, dtype).values())
    levels = list(accumulate(change, initial=entering))[1:]
    return tuple([(level + extra) * batch for level, extra in zip(levels, during, strict=False)])


def _unpools(layer: Layer) -> bool:
    from resnet_inspect.networks.torch_ops import Unpool  # only for what was traced

    return isinstance(layer.op, Unpool) and len(layer.inputs) > 1


def input_bytes(graph: LayerGraph, dtype: str | None) -> dict[str, int]:
    """Bytes of each input of one sample."""
    size = element_bytes(chosen_dtype(graph, dtype))
    own = {entry.name: cast_size(entry.dtype, dtype) for entry in graph.entering if entry.dtype}
    return {name: elements(shape) * own.get(name, size) for name, shape in graph.inputs.items()}


@once
def last_uses(graph: LayerGraph, training: bool = False) -> Mapping[str, int]:
    """The step until which the code that runs holds each storage."""
    owner = storages(graph, training)
    made = dict.fromkeys(graph.inputs, -1)
    made |= {layer.name: step for step, layer in enumerate(graph.layers)}
    until = {name: made[name] for name in owner}

    def hold(name: str, step: int) -> None:
        until[owner[name]] = max(until[owner[name]], step)

    for step, layer in enumerate(graph.layers):
        for source in layer.inputs:
            hold(source, step)
    seen = graph.run.lasts if graph.run else None
    for name, last in (_until_containers_return(graph) if seen is None else seen).items():
        hold(name, made[last])
    for name in graph.outputs:
        hold(name, len(graph.layers) - 1)
    return MappingProxyType(until)


def _until_containers_return(graph: LayerGraph) -> Mapping[str, str]:
    """The last layer of the outermost container that each layer's output is handed to."""
    made = {layer.name: step for step, layer in enumerate(graph.layers)}
    containers = {layer.path: tuple(owners(layer.path)) for layer in graph.layers}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for step, layer in enumerate(graph.layers):
        for container in containers[layer.path]:
            first.setdefault(container, step)
            last[container] = step
    held: dict[str, int] = {}
    for layer in graph.layers:
        for source in layer.inputs:
            for container in containers[layer.path]:
                if made.get(source, -1) < first[container]:  # handed in from outside
                    held[source] = max(held.get(source, 0), last[container])
                    break  # the containers inside return before it does
    return {source: graph.layers[step].name for source, step in held.items()}


def saved_for_backward(
    graph: LayerGraph, batch: int = 1, dtype: str | None = None, training: bool = True
) -> int:
    """Bytes that the forward pass keeps for the backward pass, parameters left out.

    Equal to the unique storages that torch.autograd.graph.saved_tensors_hooks sees. Batch norm in
    train mode also keeps each channel's mean and inverse deviation. Layers whose output gets no
    gradient, such as those of a frozen backbone, keep nothing.
    """
    return sum(_saved(*_shortened(graph), batch, dtype, training))


def saved_by_layer(graph: LayerGraph, batch: int = 1, dtype: str | None = None) -> tuple[int, ...]:
    """What each layer adds to what the layers before it keep; in all `saved_for_backward`."""
    return tuple(_saved(graph, {}, batch, dtype, True))


def _saved(
    graph: LayerGraph, times: Mapping[str, int], batch: int, dtype: str | None, training: bool
) -> Iterator[int]:
    """Bytes that each layer is the first to keep; times: how many layers one counts for."""
    size = element_bytes(chosen_dtype(graph, dtype))
    owner, graded = storages(graph, training), with_gradient(graph)
    tensors, auxiliary, copies, moments = (by_kind(graph, rule) for rule in kept.RULES)
    entering = input_bytes(graph, dtype)
    saved: set[str] = set()
    for layer in graph.layers:
        if layer.name not in graded:
            yield 0
            continue
        op, kind = layer.op, type(layer.op)
        own = auxiliary[kind](op, layer, size) * batch + copies[kind](op, layer, size, batch)
        if training:
            own += moments[kind](op, layer, size, batch)
        own *= times.get(layer.name, 1)
        named = needed(layer, tensors[kind](op, layer), graded)
        named = () if needs_no_input(graph, layer) else named
        moved = copied_operands(graph, layer, batch)
        own += sum([moved.get(name, 0) for name in named]) * size * times.get(layer.name, 1)
        for name in {owner[name] for name in named if name not in moved} - saved:
            saved.add(name)
            if name in entering:
                own += entering[name] * batch
            else:
                own += _made_bytes(graph.layer(name), size) * times.get(name, 1) * batch
        yield own


def _made_bytes(layer: Layer, itemsize: int) -> int:
    return elements(layer.output_shape) * kept.output_bytes(layer.op, itemsize)


_PRODUCTS = ("Mul", "Scale", "MatMul", "Div")
"""Ops that keep an operand for the sake of the other's gradient."""


def needed(layer: Layer, saved: tuple[str, ...], graded: frozenset[str]) -> tuple[str, ...]:
    """Of the tensors that a layer keeps those that its gradients need."""
    if layer.op.kind not in _PRODUCTS or len(set(layer.inputs)) != 2:
        return saved
    others = dict(zip(layer.inputs, reversed(layer.inputs), strict=True))
    divisor = layer.inputs[1] if layer.op.kind == "Div" else None
    return tuple(name for name in saved if name == divisor or others[name] in graded)


@once
def with_gradient(graph: LayerGraph) -> frozenset[str]:
    """The layers whose output gets a gradient: it depends on a parameter that is trained."""
    run = graph.run
    graded: set[str] = set()
    for layer in graph.layers:
        trained = bool(layer.op.params)
        if run is not None:
            trained = any(run.tensors[name].trainable for name in run.uses.get(layer.name, ()))
        derived = trained or not graded.isdisjoint(layer.inputs)
        if derived and kept.output_bytes(layer.op, 0) == 0:  # of the network's dtype: no comparison
            graded.add(layer.name)
    return frozenset(graded)


def needs_no_input(graph: LayerGraph, layer: Layer) -> bool:
    """Whether it is a product that needs no gradient of its weight, and so not its input.

    torch saves a convolution's and a normalization's input all the same.
    """
    if graph.run is None:
        return False
    from resnet_inspect.networks.torch_ops import Product  # only for what was traced

    alone = isinstance(layer.op, Product) and len(layer.inputs) == 1
    if not (alone or isinstance(layer.op, ops.Linear)):
        return False
    used = [graph.run.tensors[name] for name in graph.run.uses.get(layer.name, ())]
    weights = getattr(layer.op, "weights", None)  # of a product any
    return not any(t.trainable and weights in (None, t.entries) for t in used)
