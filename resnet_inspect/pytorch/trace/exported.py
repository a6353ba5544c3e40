"""What torch.export made of a model, recorded as a run of it is.

The program runs on meta tensors, operator by operator, with the module calls that its nodes name;
then all values are put for one sample, whatever batch it was exported with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.utils._pytree import tree_flatten_with_path, tree_map_only, tree_unflatten

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.run import Input
from resnet_inspect.networks.structure import Frame
from resnet_inspect.pytorch.trace.audit import Seen
from resnet_inspect.pytorch.trace.calls import Held, Recorded, tensors_of
from resnet_inspect.pytorch.trace.diagnosis import named
from resnet_inspect.pytorch.trace.recorder import Recorder, tensors


def record(program: ExportedProgram, name: str) -> tuple[Recorded, tuple[Input, ...]]:
    """The program's graph as recorder.py puts it, with its state, and its inputs.

    Raises InspectError for sizes that are not known, and for what contradicts itself.
    """
    try:
        return _ProgramRun(program, name).run()
    except InspectError:
        raise
    except Exception as error:
        raise InspectError(f"{name} does not run as a program: {named(error)}") from error


def _inputs(program: ExportedProgram, name: str) -> dict[str, tuple[Input, torch.Tensor]]:
    """The tensors that a program takes, by its names for them: as which arguments, and copies."""
    taken = [str(node) for node in program.graph_signature.user_inputs]
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    own = next((t.dtype for t in program.parameters() if t.is_floating_point()), torch.float32)
    inputs = {}
    for node, argument in zip(taken, _arguments(program, taken), strict=True):
        if isinstance(values.get(node), torch.Tensor):
            value = _empty_like(values[node], name)
            dtype = "" if value.dtype == own else str(value.dtype).removeprefix("torch.")
            inputs[node] = Input(argument, tuple(value.shape[1:]), dtype), value
    if not inputs:
        raise InspectError(f"{name} takes no tensor, so it is no network")
    return inputs


def _arguments(program: ExportedProgram, taken: Sequence[str]) -> Sequence[str]:
    """The arguments, or parts of them, that a program's inputs were before they were flattened."""
    spec, signature = program.call_spec.in_spec, program.module_call_graph[0].signature
    if spec is None or spec.num_leaves != len(taken):
        return taken
    names = (signature.forward_arg_names if signature else None) or ()
    arguments = []
    for path, _ in tree_flatten_with_path(tree_unflatten(range(len(taken)), spec))[0]:
        keys = [getattr(key, "idx", getattr(key, "key", "")) for key in path]  # (args, kwargs)
        kind, first, *parts = keys
        by_position = kind == 0 and int(first) < len(names)
        arguments.append(".".join(map(str, (names[int(first)] if by_position else first, *parts))))
    return arguments


class _ProgramRun(Recorder):
    """Records a program."""

    def __init__(self, program: ExportedProgram, name: str) -> None:
        self.program, self.name = program, name
        self.copies: dict[object, torch.Tensor] = {}
        params = [(name, self._empty(tensor)) for name, tensor in program.named_parameters()]
        buffers = [(name, self._empty(tensor)) for name, tensor in program.named_buffers()]
        super().__init__(params, buffers)
        self.held = Held.of(params, buffers)
        signature = program.graph_signature
        by_name = dict(params + buffers)
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.given = {node: by_name[name] for node, name in names.items() if name in by_name}
        self.calls: dict[str, int] = {}

    def _empty(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor of the program without memory; one for all names of the same tensor."""
        whole = tensor.untyped_storage()
        place = tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
        key = (whole.data_ptr(), place) if whole.data_ptr() else id(tensor)
        if key not in self.copies:
            copied = torch.empty_like(tensor, device="meta")
            self.copies[key] = copied.requires_grad_(tensor.requires_grad)
        return self.copies[key]

    def run(self) -> tuple[Recorded, tuple[Input, ...]]:
        """What the program does with one sample, and the sample's inputs."""
        signature, graph = self.program.graph_signature, self.program.graph
        inputs = _inputs(self.program, self.name)
        for node, (entry, value) in inputs.items():
            placed = self.graph.placeholder(node)
            placed.meta["input"] = entry
            self.given[node] = self.marked(value, placed)
        values: dict[fx.Node, Any] = {}
        for node in graph.nodes:
            if node.op == "placeholder":
                known, value = self.given.get(node.name), node.meta.get("val")
                if known is None and isinstance(value, torch.Tensor):
                    known = _empty_like(value, self.name)
                values[node] = value if known is None else known
        with torch.no_grad(), torch.device("meta"), self.audit:
            results = self._run(self.program.graph_module, values)
        own = [spec.kind.name == "USER_OUTPUT" for spec in signature.output_specs]
        outputs = [result for result, shown in zip(results, own, strict=True) if shown]
        self.graph.output(tuple(map(self.node_of, tensors(outputs))))
        batch = next((len(value) for _, value in inputs.values() if value.dim()), 1)
        self._put_for_one(batch)
        recorded = Recorded(self.graph, self.held, tensors_of(self.state.values()))
        return recorded, tuple(entry for entry, _ in inputs.values())

    def _run(self, module: fx.GraphModule, values: dict[fx.Node, Any]) -> Any:
        """What a graph gives for the values of its placeholders."""
        for node in module.graph.nodes:
            args, kwargs = fx.map_arg((node.args, node.kwargs), values.__getitem__)
            if node.op == "get_attr":
                held = getattr(module, str(node.target))
                values[node] = self._empty(held) if isinstance(held, torch.Tensor) else held
            elif node.op == "call_function":
                self.frames = self._frames(node)
                here = tree_map_only(torch.device, lambda _: torch.device("meta"), (args, kwargs))
                values[node] = self._called(node, *here)
            elif node.op == "output":
                return args[0]
        return None

    def _called(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        """What a node gives; parts that run under a setting of autograd's are entered."""
        inner = [at for at, each in enumerate(args) if isinstance(each, fx.GraphModule)]
        if inner and str(node.target).startswith("wrap_with"):
            graph = args[inner[0]]
            inputs = (each for each in graph.graph.nodes if each.op == "placeholder")
            return self._run(graph, dict(zip(inputs, args[inner[0] + 1 :], strict=False)))
        if not isinstance(node.target, torch._ops.OpOverload):
            if not inner:
                return node.target(*args, **kwargs)  # type: ignore[operator]  # of sizes, parts
        else:
            try:
                return self.call(node.target, args, kwargs)
            except (RuntimeError, NotImplementedError):
                pass  # it has no rule for tensors without memory
        seen = Seen()
        seen.macs = None
        value = tree_map_only(torch.Tensor, lambda t: _empty_like(t, self.name), node.meta["val"])
        return self._recorded(node.target, tuple(tensors((args, kwargs))), {}, value, seen)

    def _frames(self, node: fx.Node) -> tuple[Frame, ...]:
        """The module calls around a node; a call's key tells it from others of its module."""
        stack: Mapping[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
        frames = [Frame("", self.name, 0)]
        for key, (path, kind) in stack.items():
            if path:
                shown = kind if isinstance(kind, str) else kind.__name__
                call = self.calls.setdefault(key, len(self.calls) + 1)
                frames.append(Frame(path, shown.rpartition(".")[2], call))
        return tuple(frames)

    def _put_for_one(self, batch: int) -> None:
        """Put what is recorded for one sample."""
        computed: set[fx.Node] = set()
        for node in self.graph.nodes:
            fed = node.op == "placeholder" or not computed.isdisjoint(node.all_input_nodes)
            if fed and batch > 1 and "val" in node.meta:
                computed.add(node)
                node.meta["val"] = tree_map_only(
                    torch.Tensor, partial(_of_one, batch), node.meta["val"]
                )
                node.meta["macs"] = node.meta["macs"] and node.meta["macs"] // batch


def _empty_like(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """A tensor of its sizes; dynamic ones as they were in the example that it was exported with."""
    sizes = []
    for size in tensor.shape:
        known = size if isinstance(size, int) else size.node.hint
        if known is None:
            raise InspectError(f"{name} was exported for sizes that are not known: {size}")
        sizes.append(int(known))
    return torch.empty(sizes, dtype=tensor.dtype, device="meta")


def _of_one(batch: int, tensor: torch.Tensor) -> torch.Tensor:
    """A batch as one sample, also where the first axis holds more than the batch."""
    sizes = list(tensor.shape)
    if sizes and sizes[0] % batch == 0:
        sizes[0] //= batch
    return torch.empty(sizes, dtype=tensor.dtype, device="meta")
