"""Which tensors of an ONNX file are parameters, which are buffers, and which layer uses which.

Parameters are what the exporter calls so; what stands where an operator has its weights; and other
floating-point tensors of more than one entry, unless the exporter made them (Constant nodes, and
what a file of torch.export does not list). Running statistics are buffers, and so is a kernel or a
matrix that torch's older exporter writes as a Constant node, since it never does so with a
parameter. All else (shapes, axes, scalars, scales of quantized numbers) belongs to the operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx

from resnet_inspect.networks.run import Run, Tensor
from resnet_inspect.reading.onnx_calls import WEIGHTS
from resnet_inspect.reading.onnx_file import File, Weight, is_float, words
from resnet_inspect.reading.onnx_values import Value

STATISTICS = {"BatchNormalization": (3, 4)}
"""Where operators have running statistics."""

INTEGER_WEIGHTS = words("ConvInteger MatMulInteger QLinearConv QLinearMatMul")
"""Operators whose weights are whole numbers."""

_SETTINGS = INTEGER_WEIGHTS | words(
    "Clip DequantizeLinear Dropout NonMaxSuppression OneHot Pad QLinearAdd "
    "QLinearGlobalAveragePool QuantizeLinear Resize RoiAlign TopK Upsample"
)
"""Operators whose other constants are limits, scales and the like."""

_FIXED = words("Conv ConvTranspose Gather Gemm MatMul")
"""Operators of which a fixed tensor can be the kernel, the matrix or the table."""

Inputs = Sequence[Value | None]


class Weights:
    """The tensors of a file by name, and what is found out about them."""

    def __init__(self, file: File) -> None:
        self.by_name: dict[str, Weight] = dict(file.weights)
        self.parameters: set[str] = set()
        self.read = {name for node in file.nodes for name in node.input}

    def entries(self, names: Iterable[str]) -> int:
        """The entries of several tensors."""
        return sum(self.by_name[name].entries for name in names)

    def learned(self, node: onnx.NodeProto, inputs: Inputs) -> tuple[str, ...]:
        """The parameters among a node's inputs."""
        places, others = WEIGHTS.get(node.op_type, ()), STATISTICS.get(node.op_type, ())
        found = _unique(
            name
            for at, value, name in _constants(inputs)
            if at not in others and self._is_learned(name, value, node, at in places)
        )
        self.parameters.update(found)
        return found

    def _is_learned(self, name: str, value: Value, node: onnx.NodeProto, in_place: bool) -> bool:
        weight = self.by_name[name]
        if weight.kind in ("parameter", "buffer", "fixed"):
            return weight.kind == "parameter"
        if not is_float(value.type) and node.op_type not in INTEGER_WEIGHTS:
            return False
        plain = weight.entries > 1 and is_float(weight.type) and node.op_type not in _SETTINGS
        if in_place or not plain:
            return in_place
        return not weight.kind or (
            # torch.export made it of a parameter: its note of the call names one.
            node.op_type in ("Add", "Div", "Mul", "Sub")
            and any("%p_" in p.value for p in node.metadata_props if p.key.endswith(".fx_node"))
        )

    def buffers(self, node: onnx.NodeProto, inputs: Inputs) -> tuple[str, ...]:
        """The buffers among a node's inputs."""
        places = STATISTICS.get(node.op_type, ())
        return _unique(
            name
            for at, value, name in _constants(inputs)
            if at in places or self._is_buffer(name, value, node, at)
        )

    def _is_buffer(self, name: str, value: Value, node: onnx.NodeProto, at: int) -> bool:
        kind = self.by_name[name].kind
        in_place = node.op_type in _FIXED and at in WEIGHTS[node.op_type]
        return kind == "buffer" or (kind == "fixed" and in_place and value.weights == (name,))

    def run(self, uses: Mapping[str, tuple[str, ...]], notes: tuple[str, ...]) -> Run:
        """What there is to say of tensors: those that layers use, and parameters that none does."""
        used = {name for names in uses.values() for name in names}
        idle = {
            name
            for name, weight in self.by_name.items()
            if name not in self.read and weight.kind in ("", "parameter") and is_float(weight.type)
        }
        learned = self.parameters | idle
        told = used | learned
        tensors = {
            name: Tensor(weight.entries, weight.dtype, name in learned, name in learned)
            for name, weight in self.by_name.items()
            if name in told
        }
        return Run(tensors, uses, {}, notes=notes)


def _constants(inputs: Inputs) -> Iterable[tuple[int, Value, str]]:
    """The constants among inputs: where, what, and the names of the tensors each is made of."""
    for at, value in enumerate(inputs):
        if value and value.source is None:
            yield from ((at, value, name) for name in value.weights)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
