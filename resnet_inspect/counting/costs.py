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
from collections.abc import Callable, Iterable
from functools import singledispatch
from typing import NamedTuple

from resnet_inspect.networks.graph import Block, Layer, LayerGraph, once
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
    Shape,
    ZeroPad,
    elements,
)

Shapes = tuple[Shape, ...]

Counts = dict[str, int]
"""Counts by field of Cost."""


class Cost(NamedTuple):
    """What one or several layers cost; adds with +.

    params, buffers: entries, independent of the batch.
    macs and the terms: operations.
    read, written: activation elements taken in and put out (views move nothing).
    uncounted: layers whose operations no rule knows; totals with any are lower bounds.
    """

    params: int = 0
    buffers: int = 0
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
    def flops(self) -> int:
        """2 x MACs + all elementwise terms."""
        return 2 * self.macs + sum(self.terms.values())

    @property
    def terms(self) -> dict[str, int]:
        """The elementwise terms of FLOPs by name."""
        return {name: getattr(self, name) for name in TERMS}

    def traffic(self, itemsize: int) -> int:
        """Bytes moved where nothing stays in cache: inputs and parameters read, outputs written.

        Williams et al. 2009, 'Roofline', counts compulsory traffic so.
        """
        return (self.read + self.written + self.params) * itemsize

    def intensity(self, itemsize: int) -> float | None:
        """Arithmetic intensity in FLOPs for each byte of traffic; None where nothing moves."""
        moved = self.traffic(itemsize)
        return self.flops / moved if moved else None


ZERO = Cost()

TERMS = Cost._fields[Cost._fields.index("macs") + 1 : Cost._fields.index("read")]
"""The elementwise terms of FLOPs, in the order in which they are shown."""

_SCALED = ("macs", *TERMS, "read", "written")


def cost(layer: Layer, batch: int = 1) -> Cost:
    """What one layer costs for `batch` samples."""
    return total((layer,), batch)


def total(layers: Iterable[Layer], batch: int = 1) -> Cost:
    """The sum over layers. A module that is called twice holds its parameters once."""
    done = dict.fromkeys(_SCALED, 0)
    params = buffers = read = written = uncounted = 0
    rules: dict[type[Op], Callable[[Op, Shapes, Shape], Counts | None]] = {}
    holders: set[str] = set()
    for _, path, op, _, inputs, output in layers:
        kind = type(op)
        if kind not in rules:
            rules[kind] = operations.dispatch(kind)
        counts = rules[kind](op, inputs, output)
        if counts is None:
            uncounted += 1
        else:
            for name, count in counts.items():
                done[name] += count
            if "read" not in counts:
                read += elements(inputs[0]) if len(inputs) == 1 else sum(map(elements, inputs))
                written += elements(output)
        learned = op.params
        if learned:
            if path in holders:
                continue
            holders.add(path)
            params += learned
        buffers += op.buffers
    done["read"] += read
    done["written"] += written
    single = Cost(params, buffers, *done.values(), uncounted)
    return single if batch == 1 else single.for_batch(batch)


@once
def _block_cost(block: Block) -> Cost:
    return total(block.layers)


@once
def _graph_cost(graph: LayerGraph) -> Cost:
    if graph.spec is None:  # a module may be called in several blocks
        return total(graph.layers)
    parts = []
    for stage in graph.stages:
        parts.extend(map(_block_cost, stage.wired))
        if stage.repeats:
            parts.append(Cost(*[stage.repeats * count for count in parts[-1]]))
    return Cost(*map(sum, zip(*parts, strict=True)))


def graph_cost(graph: LayerGraph, batch: int = 1) -> Cost:
    """What `total` gives for all layers of a network; each block that repeats is counted once."""
    single = _graph_cost(graph)
    return single if batch == 1 else single.for_batch(batch)


@singledispatch
def operations(op: Op, inputs: Shapes, output: Shape) -> Counts | None:
    """The operations of an op for one sample of these shapes, by field of Cost; None if unknown.

    Register new ops here. Counts that are left out are 0, except `read` and `written`: a rule
    names both or neither, and where it names neither all inputs are read and the output is written.
    """
    return None


@operations.register
def _(op: Conv2d, inputs: Shapes, output: Shape) -> Counts:
    macs = op.weights * output[1] * output[2]
    return {"macs": macs, "bias": elements(output)} if op.bias else {"macs": macs}


@operations.register
def _(op: Linear, inputs: Shapes, output: Shape) -> Counts:
    macs = op.weights * elements(output[:-1])
    return {"macs": macs, "bias": elements(output) if op.bias else 0}


@operations.register
def _(op: BatchNorm2d, inputs: Shapes, output: Shape) -> Counts:
    return {"normalization": 2 * elements(output)}


@operations.register
def _(op: Activation, inputs: Shapes, output: Shape) -> Counts:
    return {"activation": elements(output)}


@operations.register
def _(op: MaxPool2d, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": (elements(op.kernel) - 1) * elements(output)}


@operations.register
def _(op: AvgPool2d, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": elements(op.kernel) * elements(output)}


@operations.register
def _(op: GlobalAvgPool2d, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": elements(inputs[0])}


@operations.register
def _(op: Add, inputs: Shapes, output: Shape) -> Counts:
    return {"addition": elements(output)}


@operations.register
def _(op: Scale, inputs: Shapes, output: Shape) -> Counts:
    return {"gating": elements(output)}


@operations.register
def _(op: ZeroPad, inputs: Shapes, output: Shape) -> Counts:
    # positions skipped by the stride are not read
    return {"read": op.in_channels * output[1] * output[2], "written": elements(output)}


VIEW = {"read": 0, "written": 0}
"""The operations of an op that moves nothing."""


@operations.register
def _(op: Flatten, inputs: Shapes, output: Shape) -> Counts:
    return VIEW
