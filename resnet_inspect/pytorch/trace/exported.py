"""What torch.export made of a model -> the recorded graph that lower.py takes.

The program's own graph has values and module calls on every node; they are put as record.py puts
them, for one sample, whatever batch it was exported with.
"""

from __future__ import annotations

import ast
import io
import json
import logging
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.ops import Shape
from resnet_inspect.pytorch.trace.calls import Constant
from resnet_inspect.pytorch.trace.lower import Held
from resnet_inspect.structure import Frame


def read(path: str | Path) -> ExportedProgram:
    """The program in a .pt2 file that torch.export.save wrote.

    Raises FormatError where the file cannot be read, or holds anything that would run code when it
    is loaded: pickled objects and compiled libraries.
    """
    try:
        _check(Path(path))
        with _quiet():
            return torch.export.load(str(path))
    except (OSError, FormatError) as error:
        reason = error if isinstance(error, FormatError) else error.strerror
        raise FormatError(f"cannot read {path}: {reason}") from None
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FormatError(f"cannot read {path}: torch.export.load says: {first}") from error


_CODE = ("data/aotinductor/", "/custom_obj", "/opaque_obj", ".pkl")
"""Parts of an archive's names that stand for compiled libraries and pickled objects."""

_IN_A_SIZE = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.BinOp, ast.UnaryOp,
    ast.operator, ast.unaryop, ast.Compare, ast.cmpop,
)  # fmt: skip
"""What a symbolic size is written with; torch.export.load has sympy evaluate it as Python."""


def _check(path: Path) -> None:
    """Refuse what torch.export.load would run code for (it falls back to unpickling anything)."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise FormatError("it is not what torch.export.save writes (.pt2)") from None
    with archive:
        for name in archive.namelist():
            if any(part in name for part in _CODE):
                raise FormatError(f"{name} in it would run code when it is loaded; refused")
            if name.endswith(".pt"):
                _check_pickle(name, archive.read(name))
            elif name.endswith(".json"):
                _check_json(name, archive.read(name))


def _check_pickle(name: str, data: bytes) -> None:
    try:
        torch.load(io.BytesIO(data), weights_only=True, map_location="meta")
    except Exception:
        if data:
            raise FormatError(
                f"{name} in it is pickled and more than tensors, so loading it would run code; "
                "refused"
            ) from None


def _check_json(name: str, data: bytes) -> None:
    for key, value in _entries(json.loads(data)):
        if key == "use_pickle" and value:
            raise FormatError(
                f"{name} in it names pickled tensors, whose loading runs code; refused"
            )
        if key == "expr_str" and not _is_size(value):
            raise FormatError(f"{name} in it has {value!r} for a size; refused")


def _is_size(text: str) -> bool:
    """Whether it is arithmetic of numbers, symbols and sympy's classes (in capitals) alone."""
    try:
        parts = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError):
        return False
    called = [part.func for part in parts if isinstance(part, ast.Call)]
    words = [part.value for part in parts if isinstance(part, ast.Constant)]
    return (
        all(isinstance(part, _IN_A_SIZE) for part in parts)
        and all(isinstance(part, ast.Name) and part.id[0].isupper() for part in called)
        and all(word.isidentifier() for word in words if isinstance(word, str))
    )


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from _entries(item)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item)


class _quiet:
    """No log lines of torch.export.load on stderr: what goes wrong is said in one line."""

    def __enter__(self) -> None:
        self.level = logging.getLogger("torch.export").level
        logging.getLogger("torch.export").setLevel(logging.CRITICAL)

    def __exit__(self, *error: object) -> None:
        logging.getLogger("torch.export").setLevel(self.level)


def recorded(program: ExportedProgram, name: str) -> tuple[fx.Graph, Held, Shape]:
    """The program's graph with val, frames and constant on its nodes, its state, and its input.

    Raises InspectError for a program of several inputs, or of sizes that are not known.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    graph.output(graph.graph_copy(program.graph, copies))
    signature = program.graph_signature
    if len(signature.user_inputs) != 1:
        raise InspectError(
            f"{name} takes {len(signature.user_inputs)} inputs; only networks of one can be read"
        )
    learned, buffers = signature.inputs_to_parameters, signature.inputs_to_buffers
    entering = next(node for node in copies if node.name == signature.user_inputs[0])
    batch, *shape = _sizes(entering.meta["val"], name)
    calls: dict[str, int] = {}
    computed = {copies[entering]}
    for original, node in copies.items():
        computed.update([node] if computed.intersection(node.all_input_nodes) else [])
        if "val" in node.meta:
            by = batch if node in computed else 1
            node.meta["val"] = _of_one(node.meta["val"], by, name)
        node.meta["frames"] = _frames(node, name, calls)
        if node.op == "placeholder" and original is not entering:
            own = (learned[original.name],) if original.name in learned else ()
            kept = (buffers[original.name],) if original.name in buffers else ()
            node.meta["constant"] = Constant(tuple(node.meta["val"].shape), own, kept)
    return graph, _held(program), tuple(shape)


def _sizes(tensor: torch.Tensor, name: str) -> list[int]:
    """A tensor's sizes; dynamic ones as they were in the example that it was exported with."""
    sizes = []
    for size in tensor.shape:
        known = size if isinstance(size, int) else size.node.hint
        if known is None:
            raise InspectError(f"{name} was exported for sizes that are not known: {size}")
        sizes.append(int(known))
    return sizes


def _of_one(value: Any, batch: int, name: str) -> Any:
    """Tensors of a batch as those of one sample, also where the first axis holds more than it."""
    if isinstance(value, torch.Tensor):
        sizes = _sizes(value, name)
        if sizes and sizes[0] % batch == 0:
            sizes[0] //= batch
        return torch.empty(sizes, dtype=value.dtype, device="meta")
    if isinstance(value, (tuple, list)):
        return tuple(_of_one(item, batch, name) for item in value)
    return value


def _frames(node: fx.Node, name: str, calls: dict[str, int]) -> tuple[Frame, ...]:
    """The module calls around a node; a call's key tells it from others of the same module."""
    stack: Mapping[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
    frames = [Frame("", name, 0)]
    for key, (path, kind) in stack.items():
        if path:
            shown = kind if isinstance(kind, str) else kind.__name__
            call = calls.setdefault(key, len(calls) + 1)
            frames.append(Frame(path, shown.rpartition(".")[2], call))
    return tuple(frames)


def _held(program: ExportedProgram) -> Held:
    params = {name: tensor.numel() for name, tensor in program.named_parameters()}
    buffers = {name: tensor.numel() for name, tensor in program.named_buffers()}
    by_module: dict[str, int] = {}
    for name, count in buffers.items():
        owner = name.rpartition(".")[0]
        by_module[owner] = by_module.get(owner, 0) + count
    return Held(params, buffers, by_module)
