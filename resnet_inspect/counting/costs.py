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
from collections.abc import Iterable
from functools import lru_cache, singledispatch
from typing import NamedTuple

from resnet_inspect.networks.graph import Layer
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

TERMS = ("bias", "normalization", "activation", "pooling", "addition", "gating")
"""The elementwise terms of FLOPs, in the order in which they are shown."""


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
        return Cost(
            self.params,
            self.buffers,
            self.macs * batch,
            self.bias * batch,
            self.normalization * batch,
            self.activation * batch,
            self.pooling * batch,
            self.addition * batch,
            self.gating * batch,
            self.read * batch,
            self.written * batch,
            self.uncounted,
        )

    @property
    def flops(self) -> int:
        """2 x MACs + all elementwise terms."""
        return 2 * self.macs + sum(self.terms.values())

    @property
    def terms(self) -> dict[str, int]:
        """The elementwise terms of FLOPs by name."""
        return {
            "bias": self.bias,
            "normalization": self.normalization,
            "activation": self.activation,
            "pooling": self.pooling,
            "addition": self.addition,
            "gating": self.gating,
        }

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


def cost(layer: Layer, batch: int = 1) -> Cost:
    """What one layer costs for `batch` samples."""
    single = _cached(layer.op, layer.input_shapes, layer.output_shape)
    return single if batch == 1 else single.for_batch(batch)


def total(layers: Iterable[Layer], batch: int = 1) -> Cost:
    """The sum over layers. A module that is called twice holds its parameters once."""
    parts: list[Cost] = []
    seen: set[str] = set()
    for layer in layers:
        parts.append(cost(layer))
        if layer.op.params:
            if layer.path in seen:
                parts.append(Cost(params=-parts[-1].params, buffers=-parts[-1].buffers))
            seen.add(layer.path)
    result = Cost(*map(sum, zip(*parts, strict=True)))
    return result if batch == 1 else result.for_batch(batch)


@lru_cache(maxsize=8192)
def _cached(op: Op, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    return rule(op, inputs, output)


@singledispatch
def rule(op: Op, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    """The cost of an op for one sample of the given shapes; register new ops here.

    The base case is the explicit 'unknown'.
    """
    return Cost(params=op.params, buffers=op.buffers, uncounted=1)


def _moved(inputs: tuple[Shape, ...], output: Shape) -> tuple[int, int]:
    return sum(map(elements, inputs)), elements(output)


@rule.register(Conv2d)
def _(op: Conv2d, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    macs = op.weights * output[1] * output[2]
    bias = written if op.bias else 0
    return Cost(params=op.params, macs=macs, bias=bias, read=read, written=written)


@rule.register(Linear)
def _(op: Linear, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    bias = written if op.bias else 0
    macs = op.weights * elements(output[:-1])
    return Cost(params=op.params, macs=macs, bias=bias, read=read, written=written)


@rule.register(BatchNorm2d)
def _(op: BatchNorm2d, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    return Cost(
        params=op.params,
        buffers=op.buffers,
        normalization=2 * written,
        read=read,
        written=written,
    )


@rule.register(Activation)
def _(op: Activation, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    return Cost(activation=written, read=read, written=written)


@rule.register(MaxPool2d)
def _(op: MaxPool2d, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    return Cost(pooling=(elements(op.kernel) - 1) * written, read=read, written=written)


@rule.register(AvgPool2d)
def _(op: AvgPool2d, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    return Cost(pooling=elements(op.kernel) * written, read=read, written=written)


@rule.register(GlobalAvgPool2d)
def _(op: GlobalAvgPool2d, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    return Cost(pooling=read, read=read, written=written)


@rule.register(Add)
def _(op: Add, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    return Cost(addition=written, read=read, written=written)


@rule.register(Scale)
def _(op: Scale, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    read, written = _moved(inputs, output)
    return Cost(gating=written, read=read, written=written)


@rule.register(ZeroPad)
def _(op: ZeroPad, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    kept = op.in_channels * output[1] * output[2]  # positions skipped by the stride are not read
    return Cost(read=kept, written=elements(output))


@rule.register(Flatten)
def _(op: Flatten, inputs: tuple[Shape, ...], output: Shape) -> Cost:
    return ZERO  # a view
