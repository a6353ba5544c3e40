"""What enters an ONNX network: shapes without the batch, channels first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import onnx

from resnet_inspect.errors import FormatError, ShapeError, unknown
from resnet_inspect.networks.run import Input
from resnet_inspect.networks.shapes import Shape, show_shape
from resnet_inspect.reading.onnx_file import LARGEST, Dims, File, printable, words
from resnet_inspect.reading.onnx_ops import ELEMENTWISE
from resnet_inspect.reading.onnx_products import RECURRENT

_BATCH = re.compile(r"(?i)n|b|bs|.*batch.*")
"""Names that exporters have for the size of a batch."""


_WINDOWS = words("Conv MaxPool AveragePool BatchNormalization Transpose Unsqueeze")
"""Operators that have the batch first."""


class Entry(NamedTuple):
    """An input. dims: as the file has them, for `batch` samples; order: as Value has it."""

    name: str
    dims: Dims
    order: Dims
    batch: int
    type: int


def entries(file: File, given: Sequence[Input]) -> list[Entry]:
    """The inputs of a network; `given`, by name or in order, replaces what the file says of them.

    Raises ShapeError where sizes are open, or do not fit.
    """
    if not file.inputs:
        raise FormatError(f"{file.path} holds no network: nothing enters it")
    names = [value.name for value in file.inputs]
    unnamed = iter(entry.shape for entry in given if not entry.name)
    shapes = {entry.name: entry.shape for entry in given if entry.name}
    for name in shapes:
        if name not in names:
            raise unknown(f"input of {file.path}", name, names)
    for name in names:
        if name not in shapes and (shape := next(unnamed, None)) is not None:
            shapes[name] = shape
    if len(shapes) < len(given):
        raise ShapeError(
            f"{file.path} takes {len(names)} inputs ({printable(', '.join(names))}), and "
            f"{len(given)} shapes are given"
        )
    return [_entry(file, value, shapes.get(value.name)) for value in file.inputs]


def _entry(file: File, value: onnx.ValueInfoProto, given: Shape | None) -> Entry:
    if not value.type.HasField("tensor_type"):
        raise FormatError(f"{file.path}: input {value.name!r} is no tensor")
    tensor = value.type.tensor_type
    dims = list(tensor.shape.dim)
    if not tensor.HasField("shape"):
        if given is None:
            raise ShapeError(
                f"{file.path} does not say what shape its input {value.name!r} has; give --input, "
                "such as 3x224x224"
            )
        dims = [onnx.TensorShapeProto.Dimension() for _ in (1, *given)]
    sizes = [dim.dim_value if dim.dim_value > 0 else 0 for dim in dims]
    batched = next(
        (at for at, dim in enumerate(dims) if _BATCH.fullmatch(dim.dim_param)),
        _batched(file, value.name, sizes),
    )
    order = _order(file, value.name, len(dims), batched)
    batch = (sizes[batched] or 1) if sizes else 1
    places = [order.index(axis) for axis in range(len(dims))]
    ours = [sizes[at] for at in places]
    shown = [printable(dims[at].dim_param) or "?" for at in places]
    sample = _sample(file, value.name, ours[1:], given, shown[1:])
    full = (batch, *sample)
    if max(full) > LARGEST:
        raise ShapeError(f"{file.path}: input {show_shape(full)} is larger than any tensor")
    file_dims = tuple(full[axis] for axis in order) if dims else ()
    return Entry(value.name, file_dims, order, batch, tensor.elem_type)


def _sample(
    file: File, name: str, sizes: Sequence[int], given: Shape | None, shown: Sequence[str]
) -> Shape:
    """The sizes behind the batch: those given, or else the file's."""
    if given is not None:
        if min(given, default=1) < 1:
            raise ShapeError(f"input {show_shape(given)} is not a shape; give sizes from 1 up")
        if len(given) != len(sizes):
            batched = given[0] == 1 and len(given) == len(sizes) + 1
            hint = "leave the batch out" if batched else f"give {len(sizes)} sizes"
            raise ShapeError(
                f"{file.path} takes an input of {len(sizes)} axes, not {show_shape(given)}; {hint}"
            )
        return given
    if not all(sizes):
        wanted = "x".join(str(size or text) for size, text in zip(sizes, shown, strict=True))
        example = "x".join(str(size or 224) for size in sizes)
        raise ShapeError(
            f"{file.path} leaves sizes of its input {name!r} open ({wanted}); give --input, such "
            f"as {example}"
        )
    return tuple(sizes)


def _batched(file: File, name: str, sizes: Sequence[int]) -> int:
    """Which axis is the batch where no name says so: the second of a sequence for a recurrent
    layer, and of a sequence of single samples."""
    if len(sizes) != 3:
        return 0
    met = {node.op_type for node in file.nodes if name in node.input}
    return int(bool(met & RECURRENT) or (sizes[1] == 1 != sizes[0] and not met & _WINDOWS))


def _order(file: File, name: str, rank: int, batched: int) -> Dims:
    """Which axis of ours each axis of an input is: a file of TensorFlow has channels last, and
    says so by the transposition that they meet before they meet anything else."""
    last_to_first = (0, rank - 1, *range(1, rank - 1))
    if rank > 3 and batched == 0 and set(_met(file, name)) == {last_to_first}:
        return (0, *range(2, rank), 1)
    return tuple(0 if axis == batched else axis + (axis < batched) for axis in range(rank))


def _met(file: File, name: str) -> list[Dims]:
    """The transpositions that an input meets by way of elementwise operators; () for others."""
    reached, found = {name}, list[Dims]()
    for node in file.nodes:
        if not reached.intersection(node.input):
            continue
        if node.op_type == "Transpose":
            found.append(next((tuple(a.ints) for a in node.attribute if a.name == "perm"), ()))
        elif node.op_type in ELEMENTWISE or node.op_type == "Pad":
            reached.update(node.output)
        elif node.op_type != "Shape":
            found.append(())
    return found
