"""The tensors of an ONNX graph: their shapes by ONNX's own inference, their axes, what they are.

A tensor either comes from the network's input, and then a layer makes it, or is constant: a weight,
something made of weights, or arithmetic of shapes, which is worked out where it is small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference
from onnx.checker import ValidationError
from onnx.reference import ReferenceEvaluator

from resnet_inspect.networks.shapes import Shape
from resnet_inspect.reading.onnx_file import SMALL, Dims, words

Data = np.ndarray[Any, Any]


class Source(Protocol):
    """What makes a tensor: a layer to be, or an input."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor. dims: as the file has them, the batch among them; None if nobody knows.

    order: which axis of ours each of the file's axes is; ours are batch, channels, height, width.
    A transposition to another layout changes only this, until a layer needs the axes as they stand.
    source: None for
    constants; weights: the names of tensors that a constant is made of; data: its values, if few.
    """

    dims: Dims | None
    type: int
    source: Source | None = None
    order: Dims = ()
    weights: tuple[str, ...] = ()
    data: Data | None = field(default=None, repr=False)

    @property
    def axes(self) -> Dims:
        """`order`, written out."""
        return self.order or tuple(range(len(self.dims or ())))

    @property
    def plain(self) -> bool:
        """Whether the axes are in our order."""
        return not self.order or self.order == tuple(range(len(self.order)))

    @property
    def laid_out(self) -> bool:
        """Whether its order is a layout: channels last, or the batch elsewhere."""
        axes = self.axes
        return (
            self.plain or axes[0] != 0 or (len(axes) > 3 and axes == (0, *range(2, len(axes)), 1))
        )

    def sample(self, batch: int) -> Shape:
        """The shape of one of `batch` samples, in our order; all of it where the batch is folded
        into it, and () where it is not known."""
        if not self.dims:
            return ()
        sizes = [size for _, size in sorted(zip(self.axes, self.dims, strict=True))]
        first = sizes[0] // batch if sizes[0] % batch == 0 else sizes[0]
        return tuple(sizes[1:]) if first == 1 else (first, *sizes[1:])


def ordered(value: Value, perm: Sequence[int]) -> Value:
    """A value with the file's axes permuted."""
    assert value.dims is not None
    dims = tuple(value.dims[axis] for axis in perm)
    return replace(value, dims=dims, order=tuple(value.axes[axis] for axis in perm))


def without(axes: Dims, dropped: Sequence[int]) -> Dims:
    """The order that is left of `axes` without some of the file's axes."""
    left = [ours for at, ours in enumerate(axes) if at not in dropped]
    return tuple(sorted(left).index(ours) for ours in left)


# --- inference ---------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _schema(op_type: str, domain: str, version: int) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return None


def standard(domain: str) -> str:
    """The name of ONNX's own domain is left out, or written."""
    return "" if domain == "ai.onnx" else domain


Known = tuple[Dims | None, int]
"""What is known of a tensor before it is made: its dims and type."""


def infer(
    node: onnx.NodeProto, values: Mapping[str, Value], opsets: Mapping[str, int]
) -> dict[str, Known]:
    """The shapes and types of a node's outputs, of those that ONNX can tell."""
    domain = standard(node.domain)
    version = opsets.get(node.domain, opsets.get(domain, onnx.defs.onnx_opset_version()))
    schema = _schema(node.op_type, domain, version)
    if schema is None or any(attribute.HasField("g") for attribute in node.attribute):
        return {}
    given = {name: values[name] for name in node.input if name}
    types = {
        name: onnx.helper.make_tensor_type_proto(value.type, value.dims)
        for name, value in given.items()
    }
    data = {
        name: numpy_helper.from_array(value.data, name)
        for name, value in given.items()
        if value.data is not None and value.data.dtype.kind in "iufb"
    }
    ids = [onnx.helper.make_opsetid(name, number) for name, number in opsets.items()]
    try:
        found = shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=ids)
    except (shape_inference.InferenceError, ValidationError, LookupError, RuntimeError, ValueError):
        return {}
    return {name: known(proto) for name, proto in found.items()}


def known(proto: onnx.TypeProto, batch: int = -1) -> Known:
    """What a type says; nothing where sizes are open but the first, which is then the batch."""
    tensor = proto.tensor_type
    if not tensor.HasField("shape"):
        return None, tensor.elem_type
    sizes = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
    sizes[:1] = [batch if size < 0 else size for size in sizes[:1]]
    return (None if any(size < 0 for size in sizes) else tuple(sizes)), tensor.elem_type


_FOLDED = words(
    "Add And Cast Ceil Concat ConstantOfShape Div Equal Expand Flatten Floor Gather Greater "
    "GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Range ReduceMax ReduceMin "
    "ReduceProd ReduceSum Reshape Round Slice Split Sqrt Squeeze Sub Tile Transpose Unsqueeze "
    "Where"
)
"""Operators of shape arithmetic."""


def folded(
    node: onnx.NodeProto, values: Mapping[str, Value], found: Mapping[str, Known], version: int
) -> dict[str, Data]:
    """The values of a node's outputs, where it is shape arithmetic on few numbers."""
    if node.op_type == "Shape" and node.input[0] in values:
        dims = values[node.input[0]].dims
        limits = {a.name: a.i for a in node.attribute}
        cut = slice(limits.get("start"), limits.get("end"))
        return {} if dims is None else {node.output[0]: np.array(dims[cut], dtype=np.int64)}
    if node.op_type == "Size" and (dims := values[node.input[0]].dims) is not None:
        return {node.output[0]: np.array(int(np.prod(dims)), dtype=np.int64)}
    if node.op_type not in _FOLDED or standard(node.domain):
        return {}
    sizes = [found.get(name, (None, 0))[0] for name in node.output]
    if any(dims is None or np.prod(dims, dtype=float) > SMALL for dims in sizes):
        return {}
    feeds = {name: values[name].data for name in node.input if name}
    if any(data is None for data in feeds.values()):
        return {}
    try:
        with np.errstate(all="ignore"):
            made = ReferenceEvaluator(node, opsets={"": version}).run(None, feeds)
    except Exception:  # numbers that do not fit together: nothing is known of the result
        return {}
    return {name: np.asarray(data) for name, data in zip(node.output, made, strict=False) if name}
