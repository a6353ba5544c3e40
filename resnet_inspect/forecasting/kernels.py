"""LayerGraph -> the kernels that a framework runs for it, each with what its time depends on.

Eager PyTorch runs every layer as a kernel of its own. Inductor (torch.compile) fuses chains of
elementwise layers, batch norm among them, but not into the convolution before them (PyTorch 2,
Ansel et al. 2024, section 4.3). A training step adds, for each product, the gradients of its input
and of its weights; for each other layer its backward kernel; and the optimizer's step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from resnet_inspect.counting.costs import cost
from resnet_inspect.errors import unknown
from resnet_inspect.networks.graph import Layer, LayerGraph, once
from resnet_inspect.networks.shapes import elements

MODES = ("eager", "compile")

PRODUCTS = ("window", "matrix", "grouped")
"""Kinds of kernel that multiply: windows of several positions, 1x1 and linear layers, groups."""


class Kernel(NamedTuple):
    """A kernel, for one sample of the batch.

    kind: one of PRODUCTS, 'elementwise' or 'pool'. macs: multiply-accumulates. depth: those of one
    output element (what a matrix unit sums over). width: output channels that share their input.
    moved: activation elements read and written. weights: entries read whatever the batch is.
    """

    kind: str
    macs: int
    depth: int
    width: int
    moved: int
    weights: int


class Work(NamedTuple):
    """A kernel with the layers that it runs; name: the layer that it is about."""

    name: str
    layers: tuple[str, ...]
    kernel: Kernel


def works(graph: LayerGraph, mode: str = "eager", train: bool = False) -> tuple[Work, ...]:
    """The kernels of a pass or of a training step; raises UnknownNameError for a mode."""
    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    return _works(graph, mode, train)


@once
def _works(graph: LayerGraph, mode: str, train: bool) -> tuple[Work, ...]:
    fusing = mode == "compile"
    forward = list(_fused(graph) if fusing else _single(graph.layers))
    if not train:
        return tuple(forward)
    return (*_in_training(forward, graph), *_backward(graph, fusing))


@once
def kernels(graph: LayerGraph, mode: str = "eager", train: bool = False) -> Counter[Kernel]:
    """The kernels of a pass or of a training step, equal ones counted."""
    return Counter(work.kernel for work in works(graph, mode, train))


def _single(layers: Iterable[Layer]) -> Iterator[Work]:
    for layer in layers:
        kernel = _kernel(layer)
        if kernel:
            yield Work(layer.name, (layer.name,), kernel)


def _kernel(layer: Layer) -> Kernel | None:
    """What a layer runs; None for a view, which runs nothing."""
    of = cost(layer)
    outputs = elements(layer.output_shape)
    if of.macs:
        groups = getattr(layer.op, "groups", 1)
        area = prod(getattr(layer.op, "kernel", ()))
        kind = "grouped" if groups > 1 else "window" if area > 1 else "matrix"
        width = layer.output_shape[0 if area else -1] // groups
        depth = max(1, of.macs // outputs)
        return Kernel(kind, of.macs, depth, max(1, width), of.read + of.written, layer.op.params)
    inputs = sum(map(prod, layer.input_shapes))
    moved = inputs + outputs if of.uncounted else of.read + of.written
    if not moved:
        return None
    kind = "pool" if of.pooling or outputs < max(map(prod, layer.input_shapes), default=0) else ""
    return Kernel(kind or "elementwise", 0, 0, 0, moved, layer.op.params)


def _fused(graph: LayerGraph) -> Iterator[Work]:
    """Products and pools alone; each chain of elementwise layers of one shape as one kernel."""
    alone = {layer.name: _kernel(layer) for layer in graph.layers}
    chains: dict[str, list[Layer]] = {}  # by the last of their layers
    ends: dict[str, str] = {}
    readers: dict[str, list[str]] = {}
    for layer in graph.layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer.name)
    for layer in graph.layers:
        own = alone[layer.name]
        if own is None or own.kind != "elementwise":
            continue
        joined = dict.fromkeys(
            ends[name] for name in layer.inputs if name in ends and len(readers[name]) == 1
        )
        before = [end for end in joined if chains[end][-1].output_shape == layer.output_shape]
        chain = [member for end in before for member in chains.pop(end)]
        chains[layer.name] = [*chain, layer]
        ends.update(dict.fromkeys([member.name for member in chains[layer.name]], layer.name))
    for layer in graph.layers:
        own = alone[layer.name]
        if own and own.kind != "elementwise":
            yield Work(layer.name, (layer.name,), own)
        elif own and layer.name in chains:
            yield _chain(chains[layer.name], readers)


def _chain(chain: Sequence[Layer], readers: Mapping[str, Sequence[str]]) -> Work:
    """One kernel for a chain: what it takes from outside is read, what others read is written."""
    names = tuple([layer.name for layer in chain])
    inside = set(names)
    read = {
        name: prod(shape)
        for layer in chain
        for name, shape in zip(layer.inputs, layer.input_shapes, strict=True)
        if name not in inside
    }
    written = [
        prod(layer.output_shape)
        for layer in chain
        if not inside.issuperset(readers.get(layer.name, ("",)))
    ]
    weights = sum([layer.op.params for layer in chain])
    moved = sum(read.values()) + sum(written)
    return Work(names[0], names, Kernel("elementwise", 0, 0, 0, moved, weights))


def _in_training(works: Iterable[Work], graph: LayerGraph) -> Iterator[Work]:
    """Forward kernels in train mode: batch norm reads its input once more, for its statistics."""
    for work in works:
        norms = [layer for layer in map(graph.layer, work.layers) if _normalizes(layer)]
        more = sum([elements(layer.output_shape) for layer in norms])
        yield work._replace(kernel=work.kernel._replace(moved=work.kernel.moved + more))


def _normalizes(layer: Layer) -> bool:
    return layer.op.category == "normalization"


def _backward(graph: LayerGraph, fusing: bool) -> Iterator[Work]:
    """The kernels of the backward pass, and of the optimizer (SGD with momentum).

    A product's input gradient sums over output channels, its weight gradient over positions. Batch
    norm reads its input and the gradient twice and writes one; other layers read their saved
    tensor and the gradient. Where two branches part, their gradients are added.
    """
    parted = Counter(name for layer in graph.layers for name in layer.inputs)
    for layer in reversed(graph.layers):
        own = _kernel(layer)
        if own is None:
            continue
        name, size = f"{layer.name}.backward", elements(layer.output_shape)
        if own.kind in PRODUCTS:
            taken = elements(layer.input_shapes[0])
            depth = max(1, own.macs // taken)
            width = max(1, own.depth * own.width // depth)
            if layer.inputs[0] in graph.by_name:
                yield Work(f"{name}.input", (layer.name,), own._replace(depth=depth, width=width))
            positions = max(1, own.macs // max(1, own.weights))
            yield Work(f"{name}.weight", (layer.name,), own._replace(depth=positions))
        elif _normalizes(layer):
            moved = (3 if fusing else 5) * size
            yield Work(name, (layer.name,), Kernel("elementwise", 0, 0, 0, moved, 0))
        elif layer.op.kind != "Add" and not (fusing and own.kind == "elementwise"):
            moved = own.moved + (0 if own.kind == "pool" else size)
            yield Work(name, (layer.name,), own._replace(moved=moved, weights=0))
        if parted[layer.name] > 1:
            moved = 3 * size * (parted[layer.name] - 1)
            yield Work(f"{name}.sum", (layer.name,), Kernel("elementwise", 0, 0, 0, moved, 0))
    learned = sum([layer.op.params for layer in graph.layers])
    # gradient and momentum and weight read, momentum and weight written
    yield Work("optimizer", (), Kernel("elementwise", 0, 0, 0, 0, 5 * learned))
