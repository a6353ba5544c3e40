"""What a layer costs: parameters, multiply-accumulates, named elementwise terms, elements moved.

Conventions
-----------
The canonical measure is MACs: multiply-accumulates of convolution and linear layers, without their
bias additions. This is what the papers call FLOPs (He et al. 2015, Table 1).

FLOPs = 2 x MACs + the elementwise terms of `TERMS`:
    bias            1 addition for each output element of a layer with a bias
    normalization   2 for each element (a multiplication and an addition, statistics folded)
    activation      1 for each element, whatever the function
    pooling         kernel area - 1 comparisons for each output of a max pool, kernel area
                    operations for each output of an average pool
    addition        1 for each element of a residual addition
    gating          1 multiplication for each element that squeeze-and-excitation scales

All counts are exact Python ints. A layer without a rule is uncounted, never zero.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from math import prod
from types import MappingProxyType
from typing import NamedTuple

from resnet_inspect.counting.rules import by_op
from resnet_inspect.errors import InspectError, ShapeError, shown
from resnet_inspect.networks import ops
from resnet_inspect.networks.design import Part
from resnet_inspect.networks.gates import TWICE
from resnet_inspect.networks.graph import Layer, LayerGraph, once
from resnet_inspect.networks.resnet import connect, image_shape, layer_graph
from resnet_inspect.networks.shapes import Shape, elements
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.stage_layout import layout

Shapes = tuple[Shape, ...]

Counts = dict[str, int]
"""Counts by field of Cost."""


class Cost(NamedTuple):
    """What one or several layers cost; adds with +.

    params, buffers: entries, independent of the batch; frozen: parameters that get no gradient.
    macs and the terms: operations.
    read, written: activation elements taken in and put out (views move nothing).
    uncounted: layers whose operations no rule knows; totals with any are lower bounds.
    """

    params: int = 0
    buffers: int = 0
    frozen: int = 0
    macs: int = 0
    bias: int = 0
    normalization: int = 0
    activation: int = 0
    pooling: int = 0
    addition: int = 0
    gating: int = 0
    read: int = 0
    written: int = 0
    uncounted: int = 0

    def __add__(self, other: Cost) -> Cost:  # type: ignore[override]  # sums, not longer tuples
        return Cost(*map(operator.add, self, other))

    def for_batch(self, batch: int) -> Cost:
        """The cost for `batch` samples: all but parameters, buffers and `uncounted` scales."""
        return self._replace(**{name: batch * getattr(self, name) for name in _SCALED})

    @property
    def trainable(self) -> int:
        """Parameters that get a gradient."""
        return self.params - self.frozen

    @property
    def flops(self) -> int:
        """2 x MACs + all elementwise terms."""
        return 2 * self.macs + sum(self.terms.values())

    @property
    def terms(self) -> dict[str, int]:
        """The elementwise terms of FLOPs by name."""
        counts: tuple[int, ...] = self
        return dict(zip(TERMS, counts[_TERM_FIELDS], strict=True))

    def traffic(self, itemsize: int) -> int:
        """Bytes moved where nothing stays in cache: inputs and parameters read, outputs written.

        Williams et al. 2009, 'Roofline', counts compulsory traffic so.
        """
        return (self.read + self.written + self.params) * itemsize

    def intensity(self, itemsize: int) -> float | None:
        """Arithmetic intensity in FLOPs for each byte of traffic; None where nothing moves."""
        moved = self.traffic(itemsize)
        return self.flops / moved if moved else None


_TERM_FIELDS = slice(Cost._fields.index("macs") + 1, Cost._fields.index("read"))

TERMS = Cost._fields[_TERM_FIELDS]
"""The elementwise terms of FLOPs, in the order in which they are shown."""

_SCALED = ("macs", *TERMS, "read", "written")


LARGEST_BATCH = 2**63 - 1
"""What a tensor's size can be."""


def checked_batch(batch: int) -> int:
    """The batch itself; raises InspectError for none that can be."""
    if not 1 <= batch <= LARGEST_BATCH:
        most = "1 or more" if batch < 1 else f"{LARGEST_BATCH} or less"
        raise InspectError(f"batch is {shown(batch)}; give {most}")
    return batch


def cost(layer: Layer, batch: int = 1) -> Cost:
    """What one layer costs for `batch` samples."""
    single = _summed([(layer.op, layer.input_shapes, layer.output_shape)])
    return single if batch == 1 else single.for_batch(batch)


def total(layers: Iterable[Layer], batch: int = 1) -> Cost:
    """The sum over layers. A module that is called twice holds its parameters once.

    Layers by themselves do not tell which tensors they share; `part_cost` knows their network.
    """
    layers = tuple(layers)
    single = _summed([(op, inputs, output) for _, _, op, _, inputs, output in layers])
    holders: set[str] = set()
    for layer in layers:
        if params := layer.op.params:  # several layers of one path need not all hold parameters
            if layer.path in holders:
                buffers = single.buffers - layer.op.buffers
                single = single._replace(params=single.params - params, buffers=buffers)
            holders.add(layer.path)
    return single if batch == 1 else single.for_batch(batch)


Call = tuple[ops.Op, Shapes, Shape]
"""An op with the shapes that enter it and the one that leaves it."""


def _summed(calls: Sequence[Call]) -> Cost:
    """What calls cost for one sample."""
    counts, uncounted = dict.fromkeys(_SCALED, 0), 0
    rules = {kind: operations.dispatch(kind) for kind in {type(op) for op, _, _ in calls}}
    for op, inputs, output in calls:
        own = rules[type(op)](op, inputs, output)
        if own is None:
            uncounted += 1
            continue
        for name, count in own.items():
            counts[name] += count
        if "read" not in own:
            counts["read"] += prod(inputs[0]) if len(inputs) == 1 else sum(map(prod, inputs))
            counts["written"] += prod(output)
    params = sum([op.params for op, _, _ in calls])
    buffers = sum([op.buffers for op, _, _ in calls])
    return Cost(params, buffers, uncounted=uncounted, **counts)


@once
def _first_used(graph: LayerGraph) -> Mapping[str, tuple[int, int, int]]:
    """Parameters, buffers and frozen parameters that each layer is the first to use.

    A run tells tensors apart. Without one, modules are told apart by their paths.
    """
    found: dict[str, tuple[int, int, int]] = {}
    seen: set[str] = set()
    for layer in graph.layers:
        if graph.run:
            names = dict.fromkeys(graph.run.uses.get(layer.name, ()))
            own = [graph.run.tensors[name] for name in names if name not in seen]
            learned = [tensor for tensor in own if tensor.learned]
            params = sum(tensor.entries for tensor in learned)
            buffers = sum(tensor.entries for tensor in own) - params
            frozen = sum(tensor.entries for tensor in learned if not tensor.trainable)
            found[layer.name] = params, buffers, frozen
            seen.update(names)
        elif layer.path not in seen and layer.op.params:
            found[layer.name] = layer.op.params, layer.op.buffers, 0
            seen.add(layer.path)
        elif not layer.op.params:
            found[layer.name] = 0, layer.op.buffers, 0
    return MappingProxyType(found)


def owned(graph: LayerGraph, layers: Iterable[Layer], cost: Cost) -> Cost:
    """What some layers of a network cost, with the parameters that they are the first to use.

    A tensor that several layers use belongs to the first, so parts add up to the whole.
    """
    if graph.spec is not None and graph.spec.attention not in TWICE:
        return cost  # nothing is shared
    first = _first_used(graph)
    own = [first[layer.name] for layer in layers if layer.name in first]
    params, buffers, frozen = (sum(counts) for counts in zip((0, 0, 0), *own, strict=True))
    return cost._replace(params=params, buffers=buffers, frozen=frozen)


def part_cost(graph: LayerGraph, layers: Iterable[Layer]) -> Cost:
    """What some layers of a network cost; parts that leave nothing out add up to the whole."""
    layers = tuple(layers)
    return owned(graph, layers, total(layers))


class _Calls(list[Call]):
    """A `resnet.Builder` that lists calls and no layers: outputs are their shapes.

    again: parameters of modules that are called once more, whose path is given beside the name.
    """

    again = 0

    def add(self, op: ops.Op, *inputs: Shape, name: str, path: str | None = None) -> Shape:
        output = op.output_shape(*inputs)
        if path is not None:
            self.again += op.params
        self.append((op, inputs, output))
        return output

    def shape(self, shape: Shape) -> Shape:
        """The shape of an output."""
        return shape


@lru_cache(maxsize=4096)
def _part_cost(part: Part, shape: Shape) -> tuple[Cost, Shape]:
    """What a part costs for one sample, and the shape that leaves it."""
    output = connect(calls := _Calls(), part, "", shape)
    cost = _summed(calls)
    return cost._replace(params=cost.params - calls.again), output


def spec_cost(spec: ResNetSpec, input_shape: Shape | None = None, batch: int = 1) -> Cost:
    """What `graph_cost` gives for the network of a spec, without listing its layers.

    Raises ShapeError where the input does not fit the network.
    """
    shape = image_shape(spec, input_shape)
    parts = []
    try:
        for _, different, repeats in layout(spec):
            for part in different:
                single, shape = _part_cost(part, shape)
                parts.append(single)
            if repeats:
                parts.append(Cost(*[repeats * count for count in parts[-1]]))
    except ShapeError:
        layer_graph(spec, input_shape)  # raises the same, naming network, input and layer
        raise
    single = Cost(*map(sum, zip(*parts, strict=True)))
    return single if batch == 1 else single.for_batch(batch)


@once
def _graph_cost(graph: LayerGraph) -> Cost:
    if graph.spec is not None:
        return spec_cost(graph.spec, graph.input_shape)
    cost = part_cost(graph, graph.layers)
    if graph.run is None:
        return cost
    buffers = sum(each.entries for each in graph.run.tensors.values() if not each.learned)
    return cost._replace(buffers=buffers, uncounted=cost.uncounted + len(graph.run.gaps))


def graph_cost(graph: LayerGraph, batch: int = 1) -> Cost:
    """What a network's layers cost; of a spec, parts that repeat are counted once.

    Parameters that no layer uses are left out (`Run.unused`), buffers are not: few compute with
    batch norm's counter. What ran in no layer is uncounted.
    """
    single = _graph_cost(graph)
    return single if batch == 1 else single.for_batch(batch)


@by_op
def operations(op: ops.Op, inputs: Shapes, output: Shape) -> Counts | None:
    """The operations of an op for one sample of these shapes, by field of Cost; None if unknown.

    Register new ops here. Counts that are left out are 0, except `read` and `written`: a rule
    names both or neither, and where it names neither all inputs are read and the output is written.
    """
    return None


@operations.register
def _(op: ops.Conv2d, inputs: Shapes, output: Shape) -> Counts:
    macs = op.weights * output[1] * output[2]
    return {"macs": macs, "bias": elements(output)} if op.bias else {"macs": macs}


@operations.register
def _(op: ops.Linear, inputs: Shapes, output: Shape) -> Counts:
    macs = op.weights * elements(output[:-1])
    return {"macs": macs, "bias": elements(output) if op.bias else 0}


def of_output(term: str, each: int = 1) -> Callable[[ops.Op, Shapes, Shape], Counts]:
    """A rule: so many operations for each element of the output."""
    return lambda op, inputs, output: {term: each * elements(output)}


VIEW = {"read": 0, "written": 0}
"""The operations of an op that moves nothing."""

operations.register(ops.Flatten, lambda op, inputs, output: VIEW)
operations.register(ops.BatchNorm2d, of_output("normalization", 2))
operations.register(ops.Activation, of_output("activation"))
operations.register(ops.Add, of_output("addition"))
operations.register(ops.Multiply | ops.Scale, of_output("gating"))
operations.register(
    ops.GlobalAvgPool2d, lambda op, inputs, output: {"pooling": elements(inputs[0])}
)


@operations.register
def _(op: ops.MaxPool2d, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": (elements(op.kernel) - 1) * elements(output)}


@operations.register
def _(op: ops.AvgPool2d, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": elements(op.kernel) * elements(output)}


@operations.register
def _(op: ops.ZeroPad, inputs: Shapes, output: Shape) -> Counts:
    # positions skipped by the stride are not read
    return {"read": op.in_channels * output[1] * output[2], "written": elements(output)}
