"""What torch.export made of a model -> the recorded graph that lower.py takes.

The program's own graph has values and module calls on every node; they are put as recorder.py puts
them, for one sample, whatever batch it was exported with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.ops import Shape
from resnet_inspect.networks.structure import Frame
from resnet_inspect.pytorch.trace.calls import Constant, Held


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
    held = Held.of(program.named_parameters(), program.named_buffers())
    return graph, held, tuple(shape)


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
