"""What torch.autocast computes in which dtype, and the copies that it makes for that.

The lists are those of torch's autocast_mode.h for CUDA: products in 16 bits, norms over groups,
exponentials and sums in fp32, everything else in the widest dtype that it takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from resnet_inspect.counting import dtypes
from resnet_inspect.counting.kept import output_bytes
from resnet_inspect.counting.memory import input_bytes
from resnet_inspect.errors import UnknownNameError, unknown
from resnet_inspect.networks import ops, torch_ops
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.shapes import elements

AUTOCAST = {"amp-bf16": "bf16", "amp-fp16": "fp16"}
"""What autocast computes in; weights are of fp32."""

DTYPES = (*dtypes.DTYPES, *AUTOCAST)
"""What a step may be run in."""


def step_dtype(dtype: str | None) -> str | None:
    """amp-bf16 for bf16-amp, fp32 for float32; raises UnknownNameError."""
    if dtype is None:
        return None
    name = re.sub(r"(.+)-amp", r"amp-\1", dtype.lower())
    try:
        return name if name in AUTOCAST else dtypes.canonical_dtype(name)
    except UnknownNameError:
        raise unknown("dtype", dtype, DTYPES) from None


HALF, FULL = 2, 4
"""Bytes of an element in 16 bits and in fp32."""

_PRODUCTS = (ops.Convolution, ops.Linear, torch_ops.MatMul, torch_ops.Attention)

IN_FULL = {
    *("GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"),
    *("Softmax", "Softmax2d", "Softmin", "LogSoftmax", "Softplus"),
    *("Exp", "Expm1", "Log", "Pow", "Rsqrt", "Reciprocal"),
    *("Cumprod", "Cumsum", "Norm", "Prod", "Sum"),
}
"""By the kinds of ops."""


class Weight(NamedTuple):
    """A learned tensor that a layer computes with, or all of a layer that is no product."""

    name: str
    entries: int
    itemsize: int
    trained: bool


class Precision:
    """Bytes of an element of each tensor of a network.

    of: of the inputs and of each layer's output, by name. computed: of what each layer computes in.
    autocast: whether it runs under autocast; cast: the dtype that modules are cast to, or None.
    """

    def __init__(self, graph: LayerGraph, dtype: str | None) -> None:
        self.graph = graph
        self.autocast = dtype in AUTOCAST
        self.cast = "fp32" if self.autocast else dtype
        own = dtypes.element_bytes(dtypes.chosen_dtype(graph, self.cast))
        entering = input_bytes(graph, self.cast)
        self.of = {
            name: entering[name] // max(1, elements(shape)) for name, shape in graph.inputs.items()
        }
        self._own = own
        self._weights: dict[str, list[Weight]] = {}
        for layer in graph.layers:
            taken = [self.of[name] for name in layer.inputs]
            computed = self._computed(layer.op, taken) if self.autocast else own
            self.of[layer.name] = output_bytes(layer.op, computed)

    def _computed(self, op: ops.Op, taken: list[int]) -> int:
        if isinstance(op, _PRODUCTS):
            return HALF
        return FULL if op.kind in IN_FULL else max(taken, default=FULL)

    def copied(self, layer: Layer) -> Mapping[str, int]:
        """The inputs that are copied to the dtype that a layer computes in, with bytes."""
        op, itemsize = layer.op, self.of[layer.name]
        if not self.autocast or not (isinstance(op, _PRODUCTS) or op.kind in IN_FULL):
            return {}
        sources = zip(layer.inputs, layer.input_shapes, strict=True)
        return {
            name: elements(shape) * itemsize for name, shape in sources if self.of[name] != itemsize
        }

    def casts(self, layer: Layer) -> bool:
        """Whether autocast copies a layer's weights to 16 bits."""
        return self.autocast and isinstance(layer.op, _PRODUCTS)

    def weights(self, layer: Layer) -> list[Weight]:
        """The learned tensors that a layer computes with."""
        if layer.name not in self._weights:
            self._weights[layer.name] = list(self._learned(layer))
        return self._weights[layer.name]

    def _learned(self, layer: Layer) -> Iterator[Weight]:
        op, run = layer.op, self.graph.run
        if run is not None:
            for name in dict.fromkeys(run.uses.get(layer.name, ())):
                entries, dtype, learned, trainable = run.tensors[name]
                if learned:
                    yield Weight(name, entries, dtypes.cast_size(dtype, self.cast), trainable)
        elif params := op.params:
            whole = getattr(op, "weights", params)
            yield Weight(f"{layer.path}.weight", whole, self._own, True)
            if params > whole:
                yield Weight(f"{layer.path}.bias", params - whole, self._own, True)
