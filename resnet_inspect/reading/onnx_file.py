"""An .onnx file -> its nodes, its inputs and outputs, and its tensors without their values.

The file is data from anywhere: nothing in it is run, tensors that it keeps in other files are never
looked for, and what would take more than its own size to read is refused. Values are kept of small
tensors alone, which say shapes and axes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx import helper, numpy_helper

from resnet_inspect.errors import FormatError

MOST_BYTES = 2**31
"""What protobuf can hold in one message."""

MOST_NODES = 1_000_000
"""What functions that call functions may become."""

DEEPEST = 100
"""Functions that call functions that call functions."""

SMALL = 4096
"""Entries of tensors whose values are looked at."""

LARGEST = 2**40
"""Entries of a tensor, and sizes along an axis, that are refused as mistakes."""

Dims = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that the file holds, or says to be elsewhere.

    dtype: torch's name. data: its values, where they are few and here. kind: what its exporter
    says of it: 'parameter', 'buffer', 'fixed' (a number in the code, or a buffer that is not
    saved), or 'made' of what the network computes; '' if nothing.
    """

    dims: Dims
    type: int
    data: np.ndarray[Any, Any] | None
    kind: str = ""

    @property
    def entries(self) -> int:
        return math.prod(self.dims)

    @property
    def dtype(self) -> str:
        return dtype_name(self.type)


@dataclass(frozen=True, slots=True)
class File:
    """What a file says. inputs: those that no tensor of its own gives a value; types by name are
    those that the file notes down for tensors on their way; constants: the kind of what Constant
    nodes hold."""

    path: str
    nodes: tuple[onnx.NodeProto, ...]
    inputs: tuple[onnx.ValueInfoProto, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, Weight]
    types: Mapping[str, onnx.TypeProto]
    opsets: Mapping[str, int]
    constants: str

    @property
    def name(self) -> str:
        return Path(self.path).stem


def read(path: str) -> File:
    """What a file says; raises FormatError in one line for all that is no sound ONNX file."""
    model = _parsed(path)
    kinds = _signature(model.graph)
    holders = [model.graph, *_subgraphs(model.graph.node)]
    for function in model.functions:
        holders += _subgraphs(function.node)
    weights: dict[str, Weight] = {}
    for graph in holders:
        for tensor in graph.initializer:
            kind = kinds.get(tensor.name, _kind(model, tensor) if not kinds else "made")
            weights[tensor.name] = taken(tensor, path, kind)
        for sparse in graph.sparse_initializer:
            weights[sparse.values.name] = taken(sparse.values, path, "")
    graph = _inlined(model, path).graph
    if not graph.node:
        raise FormatError(f"{path} holds no network: it has no nodes")
    known = [*graph.value_info, *graph.output]
    return File(
        path,
        tuple(graph.node),
        tuple(value for value in graph.input if value.name not in weights),
        tuple(value.name for value in graph.output),
        weights,
        {value.name: value.type for value in known},
        {opset.domain: opset.version for opset in model.opset_import},
        # torch's older exporter has parameters among the initializers, without exception.
        "fixed" if model.producer_name == "pytorch" and not kinds else "made",
    )


def _parsed(path: str) -> onnx.ModelProto:
    file, model = Path(path), onnx.ModelProto()
    try:
        if not file.is_file():
            what = "is not a file" if file.exists() else "does not exist"
            raise FormatError(f"{path} {what}; name an .onnx file")
        if file.stat().st_size >= MOST_BYTES:
            raise FormatError(
                f"{path} is larger than an ONNX file can be (2 GiB); save the weights beside it "
                "(save_as_external_data=True)"
            )
        model.ParseFromString(file.read_bytes())
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
    except (DecodeError, RecursionError):
        raise FormatError(f"{path} is not an ONNX file, or a damaged one") from None
    if not model.ir_version or not model.HasField("graph"):
        raise FormatError(f"{path} is not an ONNX file: it holds no graph")
    return model


def _signature(graph: onnx.GraphProto) -> dict[str, str]:
    """What torch.export says of the tensors, by name; {} for files of others."""
    text = next(
        (p.value for p in graph.metadata_props if p.key.endswith(".graph_signature")),
        "",
    )
    found = re.findall(r": (PARAMETER|BUFFER|CONSTANT_TENSOR) target='([^']*)'", text)
    return {name: "parameter" if kind == "PARAMETER" else "buffer" for kind, name in found}


def _kind(model: onnx.ModelProto, tensor: onnx.TensorProto) -> str:
    """torch's older exporter keeps the names of a module's tensors, and gives others to its own."""
    named = model.producer_name == "pytorch" and not tensor.name.startswith("onnx::")
    return "parameter" if named and is_float(tensor.data_type) else ""


def _subgraphs(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    """The graphs inside of nodes (If, Loop, Scan), and those inside of these."""
    for node in nodes:
        for attribute in node.attribute:
            inside = [attribute.g] if attribute.HasField("g") else []
            for graph in (*inside, *attribute.graphs):
                yield graph
                yield from _subgraphs(graph.node)


def taken(tensor: onnx.TensorProto, path: str, kind: str) -> Weight:
    """A tensor as a Weight; its values are taken out of the message, which gets small by that."""
    dims = tuple(tensor.dims)
    entries = math.prod(dims)
    if min(dims, default=0) < 0 or max(*dims, entries, 0) > LARGEST:
        raise FormatError(f"{path}: tensor {tensor.name!r} has the impossible shape {list(dims)}")
    width = _width(tensor.data_type)
    if tensor.HasField("raw_data") and width and len(tensor.raw_data) != entries * width:
        raise FormatError(
            f"{path}: tensor {tensor.name!r} of shape {list(dims)} has "
            f"{len(tensor.raw_data)} bytes instead of {entries * width}"
        )
    data = None
    here = tensor.data_location != onnx.TensorProto.EXTERNAL
    if here and entries <= SMALL and tensor.data_type != onnx.TensorProto.STRING:
        try:
            data = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError):
            data = None  # a skeleton without values
    for field in ("raw_data", "float_data", "double_data", "int32_data", "int64_data"):
        if entries > SMALL:
            tensor.ClearField(field)
    return Weight(dims, tensor.data_type, data, kind)


def _width(data_type: int) -> int:
    """Bytes of an entry; 0 for types that share bytes, and for unknown ones."""
    try:
        kind = helper.tensor_dtype_to_np_dtype(data_type)
    except (KeyError, TypeError, ValueError):
        return 0
    return 0 if kind.name.endswith(("4", "2")) and kind.itemsize == 1 else int(kind.itemsize)


_TORCH = {"float": "float32", "double": "float64", "float8e4m3fn": "float8_e4m3fn"}


def dtype_name(data_type: int) -> str:
    """torch's name of an ONNX type: float32 for FLOAT."""
    try:
        name = str(onnx.TensorProto.DataType.Name(data_type)).lower()
    except ValueError:
        return "unknown"
    return _TORCH.get(name, name)


def is_float(data_type: int) -> bool:
    """Whether entries of an ONNX type are floating-point numbers."""
    return dtype_name(data_type).startswith(("float", "bfloat"))


def printable(name: str) -> str:
    """A name from a file as it may be shown: in one line, not endless."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:200])


def words(text: str) -> frozenset[str]:
    """Names that stand in one text."""
    return frozenset(text.split())


# --- functions ---------------------------------------------------------------------------------


def _inlined(model: onnx.ModelProto, path: str) -> onnx.ModelProto:
    """The model with the functions that it brings along in the place of their calls."""
    if not model.functions:
        return model
    functions = {(each.domain, each.name): [*_nodes(each.node)] for each in model.functions}
    sizes = _expanded(functions)
    called = [sizes.get((node.domain, node.op_type), 1) for node in _nodes(model.graph.node)]
    if len(sizes) < len(functions) or sum(called) > MOST_NODES:
        raise FormatError(
            f"{path}: its functions call each other in a circle, more than {DEEPEST} deep, or make "
            f"more than {MOST_NODES:,} nodes"
        )
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError, DecodeError, EncodeError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise FormatError(f"{path}: its functions cannot be put in place: {first}") from None


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    yield from nodes
    for graph in _subgraphs(nodes):
        yield from graph.node


_Key = tuple[str, str]


def _expanded(functions: Mapping[_Key, Sequence[onnx.NodeProto]]) -> dict[_Key, int]:
    """How many nodes a call of each function becomes; {} where there is no end to it."""
    calls = {
        key: [call for node in nodes if (call := (node.domain, node.op_type)) in functions]
        for key, nodes in functions.items()
    }
    sizes: dict[_Key, int] = {}
    depth: dict[_Key, int] = {}
    try:
        for key in TopologicalSorter(calls).static_order():
            plain = len(functions[key]) - len(calls[key])
            sizes[key] = min(plain + sum(sizes[call] for call in calls[key]), MOST_NODES + 1)
            depth[key] = 1 + max((depth[call] for call in calls[key]), default=0)
    except CycleError:
        return {}
    return sizes if max(depth.values()) <= DEEPEST else {}
