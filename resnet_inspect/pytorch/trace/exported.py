"""What torch.export made of a model -> the recorded graph that lower.py takes.

The program's own graph has values and module calls on every node; they are put as recorder.py puts
them, for one sample, whatever batch it was exported with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.utils._pytree import tree_flatten_with_path, tree_unflatten

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.run import Input
from resnet_inspect.networks.structure import Frame
from resnet_inspect.pytorch.trace.calls import Constant, Held


def recorded(program: ExportedProgram, name: str) -> tuple[fx.Graph, Held, tuple[Input, ...]]:
    """The program's graph with val, frames and constant on its nodes, its state, and its inputs.

    Raises InspectError for sizes that are not known.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    graph.output(graph.graph_copy(program.graph, copies))
    signature = program.graph_signature
    learned, buffers = signature.inputs_to_parameters, signature.inputs_to_buffers
    inputs = {copies[node]: entry for node, entry in _inputs(program, name).items()}
    if not inputs:
        raise InspectError(f"{name} takes no tensor")
    batch = _sizes(next(iter(inputs)).meta["val"], name)[0]
    calls: dict[str, int] = {}
    computed = set(inputs)
    for original, node in copies.items():
        computed.update([node] if computed.intersection(node.all_input_nodes) else [])
        if "val" in node.meta:
            by = batch if node in computed else 1
            node.meta["val"] = _of_one(node.meta["val"], by, name)
        node.meta["frames"] = _frames(node, name, calls)
        if node in inputs:
            node.meta["input"] = inputs[node]
        elif node.op == "placeholder" and isinstance(node.meta.get("val"), torch.Tensor):
            own = (learned[original.name],) if original.name in learned else ()
            kept = (buffers[original.name],) if original.name in buffers else ()
            node.meta["constant"] = Constant(tuple(node.meta["val"].shape), own, kept)
    held = Held.of(program.named_parameters(), program.named_buffers())
    return graph, held, tuple(inputs.values())


def _inputs(program: ExportedProgram, name: str) -> dict[fx.Node, Input]:
    """The tensors that the program takes, under the names of the arguments that hold them."""
    taken = program.graph_signature.user_inputs
    by_name = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    own = next((t.dtype for t in program.parameters() if t.is_floating_point()), torch.float32)
    spec = program.call_spec.in_spec
    if spec is None or spec.num_leaves != len(taken):
        names = [str(node) for node in taken]
    else:
        signature = program.module_call_graph[0].signature
        arguments = (signature.forward_arg_names if signature else None) or ()
        tree = tree_unflatten(range(len(taken)), spec)
        names = [_argument(path, arguments) for path, _ in tree_flatten_with_path(tree)[0]]
    inputs = {}
    for node_name, argument in zip(taken, names, strict=True):
        node = by_name.get(str(node_name))
        value = node.meta.get("val") if node is not None else None
        if node is not None and isinstance(value, torch.Tensor):
            dtype = "" if value.dtype == own else str(value.dtype).removeprefix("torch.")
            inputs[node] = Input(argument, tuple(_sizes(value, name)[1:]), dtype)
    return inputs


def _argument(path: Sequence[Any], names: Sequence[str]) -> str:
    """The name of an argument, or of a part of one, by its path in (args, kwargs)."""
    kind, first, *parts = [getattr(key, "idx", getattr(key, "key", "")) for key in path]
    if kind == 0 and int(first) < len(names):
        first = names[int(first)]
    return ".".join(map(str, (first, *parts)))


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
