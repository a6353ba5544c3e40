"""LayerGraph -> the kernels that a framework runs for it, each with what its time depends on.

Eager PyTorch runs every layer as a kernel of its own. Inductor (torch.compile) fuses chains of
elementwise layers, batch norm among them, but not into the convolution before them (PyTorch 2,
Ansel et al. 2024, section 4.3). A training step adds, for each product, the gradients of its input
and of its weights; for each other layer its backward kernel; and the optimizer's step.

Autocast keeps norms over groups in fp32: their outputs move twice the bytes, until a product copies
them to 16 bits. Weights that are standardized are so in each pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from resnet_inspect.counting.autocast import HALF, IN_FULL, Precision
from resnet_inspect.counting.costs import Cost, cost
from resnet_inspect.errors import unknown
from resnet_inspect.forecasting.groups import filled, has_kernel
from resnet_inspect.forecasting.inductor import ORDERS, kept_first
from resnet_inspect.forecasting.relaying import choices, copied
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer, LayerGraph, once
from resnet_inspect.networks.ops import STANDARDIZING, Scale, SiLU
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.torch_ops import GroupNorm, LayerNorm, View

MODES = ("eager", "compile")

PRODUCTS = ("window", "matrix", "grouped", "tiled")
"""Kinds of kernel that multiply: windows of several positions, 1x1 and linear layers, groups, and
groups that run as tiles wider than they are."""

TURNED = 1.5
"""How often activations of products move in a compiled network whose channels come first: cuDNN
turns part of them to channels last, and back."""

RECOMPUTED = 3
"""How often a pool that Inductor compiled reads what SiLU gives: it is not kept, but computed again
in the pool, channel by channel."""

COMPOSED = {"first": 18, "last": 11}
"""Tensors that torch reads and writes besides one for a norm that it has no kernel for: times a
vector, sigmoid, times that, over the deviation, scaled and shifted; in each order."""


class Kernel(NamedTuple):
    """A kernel, for one sample of the batch.

    kind: one of PRODUCTS, 'elementwise', 'pool' or 'statistics' (of a norm). macs:
    multiply-accumulates. depth: those of one output element (what a matrix unit sums over). width:
    output channels that share their input; of statistics, channels that share them. moved:
    activation elements read and written (of fp32 under autocast: twice). weights: entries read
    whatever the batch is.
    """

    kind: str
    macs: int
    depth: int
    width: int
    moved: int
    weights: int


def _moving(moved: int, weights: int = 0) -> Kernel:
    return Kernel("elementwise", 0, 0, 0, moved, weights)


class Work(NamedTuple):
    """A kernel with the layers that it runs; name: the layer that it is about."""

    name: str
    layers: tuple[str, ...]
    kernel: Kernel


def works(
    graph: LayerGraph,
    mode: str = "eager",
    train: bool = False,
    autocast: bool = False,
    order: str = "first",
) -> tuple[Work, ...]:
    """The kernels of a pass or of a training step; raises UnknownNameError for a mode or order."""
    for what, name, known in (("mode", mode, MODES), ("order", order, ORDERS)):
        if name not in known:
            raise unknown(what, name, known)
    return _works(graph, mode, train, autocast, order)


@once
def _works(
    graph: LayerGraph, mode: str, train: bool, autocast: bool, order: str
) -> tuple[Work, ...]:
    fusing = mode == "compile"
    of = _Kernels(graph, fusing, train, autocast, order)
    forward = list(_fused(graph, of) if fusing else _single(graph, of))
    if not train:
        return tuple(forward)
    return (*_in_training(forward, graph), *_backward(graph, of))


@once
def kernels(
    graph: LayerGraph,
    mode: str = "eager",
    train: bool = False,
    autocast: bool = False,
    order: str = "first",
) -> Counter[Kernel]:
    """The kernels of a pass or of a training step, equal ones counted."""
    return Counter(work.kernel for work in works(graph, mode, train, autocast, order))


class _Kernels:
    """The kernel of each layer, as a network runs.

    wide: tensors that autocast keeps in fp32. turned: whether cuDNN turns some to channels last.
    """

    def __init__(
        self, graph: LayerGraph, fusing: bool, train: bool, autocast: bool, order: str
    ) -> None:
        self.fusing, self.train, self.autocast = fusing, train, autocast
        self.turned = kept_first(graph, train, order)
        self.order = "first" if order == "first" or self.turned else "last"
        recomputes = fusing and order != "first"  # on a GPU
        self.unkept = {
            layer.name for layer in graph.layers if recomputes and isinstance(layer.op, SiLU)
        }
        self.wide: frozenset[str] = frozenset()
        if autocast:
            sizes = Precision(graph, "amp-fp16").of
            self.wide = frozenset(name for name, size in sizes.items() if size > HALF)
        self.slices = {layer.name for layer in graph.layers if _slices(layer)}
        between = [] if fusing else choices(graph)
        self.sums = {layer.name for choice in between for layer in choice.sums}
        self.alone = {layer.name: self._of(layer) for layer in graph.layers}
        products = {name for name, own in self.alone.items() if own and own.kind in PRODUCTS}
        relaid = self.order == "last" and not fusing
        self.copied = copied(graph, between, products, self.size, relaid)

    def size(self, name: str) -> int:
        """How many elements of 16 bits an element of a tensor is."""
        return 2 if name in self.wide else 1

    def _of(self, layer: Layer) -> Kernel | None:
        """What a layer runs; None for a view, which runs nothing."""
        of = cost(layer)
        if of.macs:
            return self._product(layer, of)
        inputs, outputs = sum(map(prod, layer.input_shapes)), elements(layer.output_shape)
        read, written = (inputs, outputs) if of.uncounted else (of.read, of.written)
        if not read + written:
            return None
        if self.wide:
            computed = self.size(layer.name)
            # what autocast computes in full it copies first; all else converts as it reads
            least = computed if layer.op.kind in IN_FULL and not self.fusing else 1
            taken = [
                prod(shape) * max(least, self.size(name))
                for name, shape in zip(layer.inputs, layer.input_shapes, strict=True)
            ]
            read, written = read * sum(taken) // max(1, inputs), written * computed
        if self.autocast and layer.name in self.sums and layer.name not in self.wide:
            written *= 3  # of fp32, as autocast sums a stack, and read so
        if isinstance(layer.op, ActiveNorm) and not self.fusing:
            written *= COMPOSED[self.order]
        reduces = (
            of.pooling
            or layer.name in self.sums
            or outputs < max(map(prod, layer.input_shapes), default=0)
        )
        kind = "pool" if reduces else "elementwise"
        if reduces and layer.inputs[0] in self.unkept:
            read *= RECOMPUTED
        return Kernel(kind, 0, 0, 0, read + written, layer.op.params)

    def _product(self, layer: Layer, of: Cost) -> Kernel:
        op, outputs = layer.op, elements(layer.output_shape)
        groups = getattr(op, "groups", 1)
        area = prod(getattr(op, "kernel", ()))
        kind = "grouped" if groups > 1 else "window" if area > 1 else "matrix"
        width = max(1, layer.output_shape[0 if area else -1] // groups)
        depth = max(1, of.macs // outputs)
        entering = getattr(op, "in_channels", 0) // groups
        if kind == "grouped" and not has_kernel(
            groups, entering, width, self.order == "last", self.train
        ):
            kind, width = "tiled", filled(width, self.train)
        moved = of.read + of.written
        moved = round(TURNED * moved) if self.turned else moved
        return Kernel(kind, of.macs, depth, width, moved, op.params)

    def _copies(self, layer: Layer, own: Kernel) -> Iterator[Work]:
        """Inputs copied to the dtype that a layer computes in, and slices for products."""
        product = own.kind in PRODUCTS
        full = layer.op.kind in IN_FULL and self.autocast
        for name, shape in zip(layer.inputs, layer.input_shapes, strict=True):
            alone = not (self.fusing and name in self.alone)  # else its producer copies it
            if alone and (product if name in self.wide else full):
                yield Work(f"{layer.name}.cast", (), _moving(3 * prod(shape)))
            if product and name in self.slices:
                yield Work(f"{layer.name}.copy", (), _moving(2 * prod(shape)))

    def before(self, layer: Layer) -> Iterator[Work]:
        """Kernels before a layer's own: copies to its dtype, and weights made anew."""
        own = self.alone[layer.name]
        if own is None:
            return
        if layer.name in self.copied:
            yield Work(f"{layer.name}.copies", (), _moving(self.copied[layer.name]))
        if self.autocast or self.slices:
            yield from self._copies(layer, own)
        if _needs_statistics(layer):  # a reduction, as pools are
            size = self.size(layer.inputs[0] if self.fusing else layer.name)
            moved = elements(layer.input_shapes[0]) * size
            kernel = Kernel("statistics", 0, 0, _shared_by(layer), moved, 0)
            yield Work(f"{layer.name}.statistics", (), kernel)
        if isinstance(layer.op, STANDARDIZING):
            entries = 3 * layer.op.weights  # read twice and written, of 4 bytes
            entries = entries // 2 if self.autocast else entries  # which counts 8 for each
            yield Work(f"{layer.name}.standardize", (), _moving(0, entries))


def _slices(layer: Layer) -> bool:
    """Whether a layer's output is some channels of its input, which products take as a copy."""
    return isinstance(layer.op, View) and layer.op.function == "narrow"


def _needs_statistics(layer: Layer) -> bool:
    """Whether a norm reads its input for statistics first, also when nothing is trained."""
    return isinstance(layer.op, GroupNorm | LayerNorm)


def _shared_by(layer: Layer) -> int:
    """How many neighbouring entries share a norm's statistics, where its channels come last."""
    op = layer.op
    return op.channels // op.groups if isinstance(op, GroupNorm) else layer.output_shape[-1]


def _single(graph: LayerGraph, of: _Kernels) -> Iterator[Work]:
    for layer in graph.layers:
        yield from of.before(layer)
        if kernel := of.alone[layer.name]:
            yield Work(layer.name, (layer.name,), kernel)


def _fused(graph: LayerGraph, of: _Kernels) -> Iterator[Work]:
    """Products and pools alone; each chain of elementwise layers of one shape as one kernel.

    A norm that needs statistics starts a chain.
    """
    chains: dict[str, list[Layer]] = {}  # by the last of their layers
    ends: dict[str, str] = {}
    readers: dict[str, list[Layer]] = {}
    for layer in graph.layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    for layer in graph.layers:
        own = of.alone[layer.name]
        if own is None or own.kind != "elementwise":
            continue
        joined = dict.fromkeys(
            ends[name] for name in layer.inputs if name in ends and len(readers[name]) == 1
        )
        before = [end for end in joined if chains[end][-1].output_shape == layer.output_shape]
        if _needs_statistics(layer):
            before = []
        chain = [member for end in before for member in chains.pop(end)]
        chains[layer.name] = [*chain, layer]
        ends.update(dict.fromkeys([member.name for member in chains[layer.name]], layer.name))
    for layer in graph.layers:
        yield from of.before(layer)
        own = of.alone[layer.name]
        if own and own.kind != "elementwise":
            yield Work(layer.name, (layer.name,), own)
        elif own and layer.name in chains:
            yield _chain(chains[layer.name], readers, of)


def _chain(
    chain: Sequence[Layer],
    readers: Mapping[str, Sequence[Layer]],
    of: _Kernels,
) -> Work:
    """One kernel for a chain: what it takes from outside is read, what others read is written."""
    names = tuple([layer.name for layer in chain])
    inside = set(names)
    read = {
        name: prod(shape) * of.size(name)
        for layer in chain
        for name, shape in zip(layer.inputs, layer.input_shapes, strict=True)
        if name not in inside
    }
    written = 0
    for layer in chain:
        outside = [reader for reader in readers.get(layer.name, ()) if reader.name not in inside]
        sizes = {_read_as(reader, layer.name, of) for reader in outside}
        if not readers.get(layer.name):
            sizes = {of.size(layer.name)}
        written += prod(layer.output_shape) * sum(sizes)
    weights = sum([layer.op.params for layer in chain])
    return Work(names[0], names, _moving(sum(read.values()) + written, weights))


def _read_as(reader: Layer, name: str, of: _Kernels) -> int:
    """How many elements of 16 bits an element is in the copy that a layer reads."""
    own = of.alone[reader.name]
    return 1 if own and own.kind in PRODUCTS else of.size(name)


def _in_training(works: Iterable[Work], graph: LayerGraph) -> Iterator[Work]:
    """Forward kernels in train mode: batch norm reads its input once more, for its statistics."""
    for work in works:
        norms = [
            layer
            for layer in map(graph.layer, work.layers)
            if _normalizes(layer) and not _needs_statistics(layer)
        ]
        more = sum([elements(layer.output_shape) for layer in norms])
        yield work._replace(kernel=work.kernel._replace(moved=work.kernel.moved + more))


def _normalizes(layer: Layer) -> bool:
    """Whether it takes statistics in training: all norms but those of fixed numbers."""
    return layer.op.category == "normalization" and layer.op.kind != "FrozenBatchNorm2d"


def _backward(graph: LayerGraph, of: _Kernels) -> Iterator[Work]:
    """The kernels of the backward pass, and of the optimizer (SGD with momentum).

    A product's input gradient sums over output channels, its weight gradient over positions; a
    filter that is not learned has none. Batch norm reads its input and the gradient twice and
    writes one; other layers read their saved tensor and the gradient. A gate's gradient is a sum of
    products, which are written first. Where two branches part, their gradients are added. Copies
    between orders are made of gradients too.
    """
    parted = Counter(name for layer in graph.layers for name in layer.inputs)
    for layer in reversed(graph.layers):
        own = of.alone[layer.name]
        if own is None:
            continue
        if layer.name in of.copied and not isinstance(layer.op, Scale):  # a stack's are views of it
            yield Work(f"{layer.name}.copies.backward", (), _moving(of.copied[layer.name]))
        name, size = f"{layer.name}.backward", elements(layer.output_shape) * of.size(layer.name)
        if own.kind in PRODUCTS:
            depth = max(1, own.macs // elements(layer.input_shapes[0]))
            width = max(1, own.depth // prod(getattr(layer.op, "kernel", ())))
            width = filled(width, train=True) if own.kind == "tiled" else width
            if layer.inputs[0] in graph.by_name:
                yield Work(f"{name}.input", (layer.name,), own._replace(depth=depth, width=width))
            if own.weights:
                # of a batch, which makes them a multiple of what a matrix unit takes at once
                positions = 8 * -(-own.macs // (8 * own.weights))
                yield Work(f"{name}.weight", (layer.name,), own._replace(depth=positions))
        elif _normalizes(layer):
            moved = (3 if of.fusing else 5) * size
            if isinstance(layer.op, ActiveNorm) and not of.fusing:
                moved = 2 * (1 + COMPOSED["first"]) * size  # whose gradients come channels first
            yield Work(name, (layer.name,), _moving(moved))
        elif layer.op.kind != "Add" and not (of.fusing and own.kind == "elementwise"):
            moved = own.moved + (0 if own.kind == "pool" else size)
            moved += 3 * size if isinstance(layer.op, Scale) else 0
            yield Work(name, (layer.name,), own._replace(moved=moved, weights=0))
        if parted[layer.name] > 1:
            yield Work(f"{name}.sum", (layer.name,), _moving(3 * size * (parted[layer.name] - 1)))
    learned = sum([layer.op.params for layer in graph.layers])
    # gradient and momentum and weight read, momentum and weight written
    yield Work("optimizer", (), _moving(0, 5 * learned))
