"""Run a model's meta copy once on a meta tensor and record what it does as a torch.fx graph.

The input is a real tensor without memory, of a subclass that hands every torch function to the
recorder. Shapes, dtypes and isinstance are therefore what they are in an ordinary run, control flow
that depends on shapes is simply followed, and nothing of torch is patched (fx's own tracer hands
out proxies, and patches nn.Module for everybody while it runs). Modules that have a rule are one
node; others are entered.

Every node carries in `meta`: val (the meta tensors that it gives), frames (the module calls it ran
in); for a module, ops (what it computes); for a parameter, buffer or constant, constant.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from resnet_inspect.errors import InspectError, ShapeError
from resnet_inspect.networks.ops import Op, Shape
from resnet_inspect.networks.structure import Frame
from resnet_inspect.networks.torch_ops import Opaque, Product
from resnet_inspect.pytorch.trace.calls import Constant, first_tensor, sample_shape
from resnet_inspect.pytorch.trace.diagnosis import explained
from resnet_inspect.pytorch.trace.rules import LayerRule, as_ops, is_builtin, layer_rule


class Traced(torch.Tensor):
    """A meta tensor that knows the node that made it; of parameters and buffers None until used."""

    node: fx.Node | None
    recorder: Recorder

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return _traced((args, kwargs))[0].recorder.call(func, args, kwargs)


def _tensors(value: Any) -> list[torch.Tensor]:
    """The tensors in nested arguments, in order."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


_replaced = partial(tree_map_only, torch.Tensor)
"""Nested tuples, lists and dicts with each tensor changed by a function."""


def _traced(value: Any) -> list[Traced]:
    return [tensor for tensor in tree_leaves(value) if isinstance(tensor, Traced)]


@dataclass
class _Part:
    """One of the copy's modules: its forward method before it was watched, and what it holds.

    misfit: what its op has against the last input that it was given.
    """

    module: nn.Module
    path: str
    forward: Callable[..., Any]
    rule: LayerRule | None
    params: int
    buffers: int
    misfit: ShapeError | None = None

    @property
    def kind(self) -> str:
        return type(self.module).__name__

    def contradicted(self, ops: Sequence[Op]) -> InspectError:
        """What to say where a user's rule gives ops of other parameters than the module holds."""
        return InspectError(
            f"the rule of {self.kind} gives {sum(op.params for op in ops)} parameters and "
            f"{self.path} holds {self.params}; give ops that hold as many, such as "
            f"Opaque({self.kind!r}, shape, params={self.params}, macs=..)"
        )

    def known(self, inputs: Sequence[Traced]) -> tuple[tuple[Op, ...] | None, torch.Tensor | None]:
        """The ops of a module with a rule, and what it gives if they tell."""
        if self.rule is None:
            return None, None
        shapes = [sample_shape(tensor) for tensor in inputs]
        ops = as_ops(self.rule(self.module, *shapes))
        try:
            outputs = shapes
            for op in ops:
                outputs = [op.output_shape(*outputs)]
        except ShapeError as error:
            self.misfit = error  # or unusual, such as a batch folded into it: torch is to say
            return None, None
        if any(isinstance(op, (Opaque, Product)) for op in ops):
            return ops, None  # it may give more than one tensor
        batch = (1,) if inputs[0].dim() > len(shapes[0]) else ()
        value = torch.empty((*batch, *outputs[0]), dtype=inputs[0].dtype, device="meta")
        return ops, value


class Recorder:
    """Runs the meta copy of a model; its modules in `leaves` are one opaque layer each."""

    def __init__(
        self, copied: nn.Module, model: nn.Module, leaves: frozenset[nn.Module] = frozenset()
    ) -> None:
        self.copied, self.model, self.leaves = copied, model, leaves
        self.graph = fx.Graph()
        self.frames: tuple[Frame, ...] = ()
        self.failed_in: tuple[Frame, ...] = ()
        self.calls = 0
        self.in_leaf = False
        self.constants: dict[int, fx.Node] = {}
        # Of tensors with several names the first counts.
        buffers = [(id(tensor), (name, False)) for name, tensor in copied.named_buffers()]
        learned = [(id(tensor), (name, True)) for name, tensor in copied.named_parameters()]
        self.state = dict(buffers + learned)
        self.traced_state: dict[int, Traced] = {}

    def run(self, shape: Shape, dtype: torch.dtype) -> fx.Graph:
        """The graph of one inference pass; raises InspectError where it cannot be followed."""
        for path, module in self.copied.named_modules():
            self._watch(module, path)
        value = torch.empty((1, *shape), dtype=dtype, device="meta")
        entering = self._wrapped(value, self._noted(self.graph.placeholder("input"), value))
        try:
            with torch.no_grad(), torch.device("meta"):
                result = self.copied.forward(entering)
        except Exception as error:
            raise explained(error, self.failed_in, type(self.model).__name__) from error
        if isinstance(result, dict):
            result = dict(result)  # of a class that pytree does not know, too
        elif not isinstance(result, (torch.Tensor, tuple, list)):
            result = vars(result) if hasattr(result, "__dict__") else ()
        outputs = tuple(self._node_of(tensor) for tensor in _traced(result))
        if not outputs:
            raise InspectError(
                f"{type(self.model).__name__} gives nothing that torch functions made of its input"
            )
        self.graph.output(outputs)
        return self.graph

    def _watch(self, module: nn.Module, path: str) -> None:
        """Have calls of one of the copy's modules, and of functions of its tensors, come here."""
        part = _Part(
            module,
            path,
            module.forward,
            None if module in self.leaves else layer_rule(module),
            params=sum(tensor.numel() for tensor in module.parameters()),
            buffers=sum(tensor.numel() for tensor in module.buffers()),
        )
        state: Any = (module._parameters, module._buffers)
        for own in state:
            own.update({name: self._stateful(t) for name, t in own.items() if t is not None})
        one = part.rule is not None or module in self.leaves
        # The network itself is entered even where it is a single layer.
        module.__dict__["forward"] = partial(self._leaf if one and path else self._enter, part)

    def _enter(self, part: _Part, *args: Any, **kwargs: Any) -> Any:
        """A call of a module whose parts are recorded."""
        if self.in_leaf:
            return part.forward(*args, **kwargs)
        with self._framed(part):
            return part.forward(*args, **kwargs)

    def _leaf(self, part: _Part, *args: Any, **kwargs: Any) -> Any:
        """A call of a module that is one layer."""
        inputs = _traced((args, kwargs))
        if self.in_leaf or not inputs:
            return part.forward(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            ops, value = part.known(inputs)
        if ops == ():
            return inputs[0]
        if ops is not None and sum(op.params for op in ops) != part.params:
            if part.rule is not None and not is_builtin(part.rule):
                raise part.contradicted(ops)
            return self._enter(part, *args, **kwargs)  # its weight is made of other parameters
        if value is None:
            with self._framed(part):
                value = self._ran(part, args, kwargs)
        if ops is None:
            output = sample_shape(first_tensor(value))
            ops = (Opaque(part.kind, output, part.params, part.buffers),)
        node = self.graph.call_module(part.path, tuple(map(self._node_of, inputs)))
        node.meta["ops"] = ops
        return self._wrapped(value, self._noted(node, value))

    @contextmanager
    def _framed(self, part: _Part) -> Iterator[None]:
        self.calls += 1
        outer = self.frames
        self.frames = (*outer, Frame(part.path, part.kind, self.calls))
        try:
            yield
        except Exception:
            self.failed_in = self.failed_in or self.frames
            raise
        finally:
            self.frames = outer

    def _ran(self, part: _Part, args: Any, kwargs: Any) -> Any:
        """What a module gives, found by running it unrecorded."""
        self.in_leaf = True
        args, kwargs = _replaced(lambda tensor: tensor.as_subclass(torch.Tensor), (args, kwargs))
        try:
            return part.forward(*args, **kwargs)
        except Exception:
            if part.module in self.leaves:
                return _on_zeros(self.model.get_submodule(part.path), args, kwargs)
            if part.misfit is not None:
                raise part.misfit from None  # what our rule says against the input is clearer
            raise
        finally:
            self.in_leaf = False

    def call(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A torch function that was given a traced tensor."""
        with torch._C.DisableTorchFunctionSubclass():
            value = func(*args, **kwargs)
        if self.in_leaf or not _tensors(value):
            return value  # nobody asks, or a shape, a dtype, ..
        nodes = _replaced(self._node_of, (args, kwargs))
        node = self.graph.create_node("call_function", func, *nodes)
        return self._wrapped(value, self._noted(node, value))

    def _node_of(self, tensor: torch.Tensor) -> fx.Node:
        if isinstance(tensor, Traced) and tensor.node is not None:
            return tensor.node
        if id(tensor) not in self.constants:
            name, learned = self.state.get(id(tensor), ("", False))
            node = self.graph.get_attr(name or f"constant{len(self.constants)}")
            node.meta["constant"] = Constant(
                tuple(tensor.shape),
                (name,) if learned else (),
                () if learned or not name else (name,),
            )
            # Holding the tensor as val keeps its identity from being used again.
            self.constants[id(tensor)] = self._noted(node, tensor)
        return self.constants[id(tensor)]

    def _noted(self, node: fx.Node, value: Any) -> fx.Node:
        node.meta["val"], node.meta["frames"] = value, self.frames
        return node

    def _wrapped(self, value: Any, node: fx.Node) -> Any:
        """The value with its tensors traced; parts of a tuple have nodes of their own."""
        if isinstance(value, torch.Tensor):
            return self._tensor(value, node)
        places = count()

        def part(tensor: torch.Tensor) -> Traced:
            pick = self.graph.call_function(operator.getitem, (node, next(places)))
            return self._tensor(tensor, self._noted(pick, tensor))

        return _replaced(part, value)

    def _stateful(self, tensor: torch.Tensor) -> Traced:
        """A parameter or buffer, traced, so that what is made of it is known to be."""
        if id(tensor) not in self.traced_state:
            traced = tensor.as_subclass(Traced)
            traced.node, traced.recorder = None, self
            self.traced_state[id(tensor)] = self.traced_state[id(traced)] = traced
            self.state[id(traced)] = self.state[id(tensor)]
        return self.traced_state[id(tensor)]

    def _tensor(self, value: torch.Tensor, node: fx.Node) -> Traced:
        # A function in place gives its argument back, which from now on is what the node made.
        traced = value if isinstance(value, Traced) else value.as_subclass(Traced)
        traced.node, traced.recorder = node, self
        return traced


def _on_zeros(module: nn.Module, args: Any, kwargs: Any) -> Any:
    """What a module that looks at values gives: a copy of it runs on zeros, for the shape alone."""
    own = copy.deepcopy(module).eval().to("cpu")
    for part in own.modules():
        for name, hooks in vars(part).items():
            if name.startswith("_") and "_hooks" in name:
                hooks.clear()

    def zeros(tensor: torch.Tensor) -> torch.Tensor:
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu")

    args, kwargs = _replaced(zeros, (args, kwargs))
    with torch.device("cpu"):
        value = own(*args, **kwargs)
    return _replaced(lambda tensor: tensor.to("meta"), value)
