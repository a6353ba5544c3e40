"""What torch.export made of a model, recorded as a run of it is.

The program runs on meta tensors, operator by operator, with the module calls that its nodes name;
then all values are put for one sample, whatever batch it was exported with.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.utils._pytree import tree_map_only

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.ops import Shape
from resnet_inspect.networks.structure import Frame
from resnet_inspect.pytorch.trace.audit import Seen
from resnet_inspect.pytorch.trace.calls import Held, Recorded, tensors_of
from resnet_inspect.pytorch.trace.recorder import Recorder, tensors


def record(program: ExportedProgram, name: str) -> tuple[Recorded, Shape]:
    """The program's graph as recorder.py puts it, with its state, and its input's shape.

    Raises InspectError for a program of several inputs, or of sizes that are not known.
    """
    signature = program.graph_signature
    if len(signature.user_inputs) != 1:
        raise InspectError(
            f"{name} takes {len(signature.user_inputs)} inputs; only networks of one can be read"
        )
    return _ProgramRun(program, name).run()


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

    def run(self) -> tuple[Recorded, Shape]:
        """What the program does with one sample, and the sample's shape."""
        signature = self.program.graph_signature
        graph = self.program.graph
        first = next(node for node in graph.nodes if node.name == signature.user_inputs[0])
        entering = _empty_like(first.meta["val"], self.name)
        self.marked(entering, self.graph.placeholder(first.name))
        self.given[first.name] = entering
        values: dict[fx.Node, Any] = {}
        for node in graph.nodes:
            if node.op == "placeholder":
                known = self.given.get(node.name)
                values[node] = _empty_like(node.meta["val"], self.name) if known is None else known
        with torch.no_grad(), torch.device("meta"), self.audit:
            results = self._run(self.program.graph_module, values)
        own = [spec.kind.name == "USER_OUTPUT" for spec in signature.output_specs]
        outputs = [result for result, shown in zip(results, own, strict=True) if shown]
        self.graph.output(tuple(map(self.node_of, tensors(outputs))))
        batch, *shape = entering.shape
        self._put_for_one(batch)
        return Recorded(self.graph, self.held, tensors_of(self.state.values())), tuple(shape)

    def _run(self, module: fx.GraphModule, values: dict[fx.Node, Any]) -> Any:
        """What a graph gives for the values of its placeholders."""
        for node in module.graph.nodes:
            args, kwargs = fx.map_arg((node.args, node.kwargs), values.__getitem__)
            if node.op == "get_attr":
                held = getattr(module, str(node.target))
                values[node] = self._empty(held) if isinstance(held, torch.Tensor) else held
            elif node.op == "call_function":
                self.frames = self._frames(node)
                values[node] = self._called(node, args, kwargs)
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
        given = [each for each in (args, kwargs) if each]
        value = tree_map_only(torch.Tensor, lambda t: _empty_like(t, self.name), node.meta["val"])
        return self._recorded(node.target, tuple(tensors(given)), {}, value, seen)

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
