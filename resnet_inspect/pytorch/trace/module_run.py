"""Run a model's meta copy once and record it: modules that have a rule are one node, others are
entered, and what they call is recorded."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn

from resnet_inspect.errors import InspectError, ShapeError
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.run import Gap, Input
from resnet_inspect.networks.structure import Frame
from resnet_inspect.networks.torch_ops import Opaque, Product
from resnet_inspect.pytorch.inputs import Arguments, results
from resnet_inspect.pytorch.trace.audit import Seen
from resnet_inspect.pytorch.trace.calls import (
    Held,
    Recorded,
    first_tensor,
    sample_shape,
    tensors_of,
)
from resnet_inspect.pytorch.trace.diagnosis import explained, line_of
from resnet_inspect.pytorch.trace.hooks import FORWARD
from resnet_inspect.pytorch.trace.meta_copy import Copies
from resnet_inspect.pytorch.trace.recorder import Lasting, Recorder, replaced, tensors
from resnet_inspect.pytorch.trace.rules import LayerRule, as_ops, is_builtin, layer_rule
from resnet_inspect.pytorch.trace.values import Surroundings, uncompiled


@dataclass
class _Part(Lasting):
    """One of the copy's modules: its forward method before it was watched.

    misfit: what its op has against the last input that it was given.
    """

    module: nn.Module
    path: str
    forward: Callable[..., Any]
    rule: LayerRule | None
    misfit: ShapeError | None = None

    @property
    def kind(self) -> str:
        return type(self.module).__name__

    @cached_property
    def state(self) -> list[torch.Tensor]:
        return [*self.module.parameters(), *self.module.buffers()]

    @cached_property
    def params(self) -> int:
        return sum(tensor.numel() for tensor in self.module.parameters())

    @property
    def taught(self) -> bool:
        """Whether its rule is a user's."""
        return self.rule is not None and not is_builtin(self.rule)

    def contradicted(self, ops: Sequence[Op]) -> InspectError:
        """What to say where a user's rule gives ops of other parameters than the module holds."""
        return InspectError(
            f"the rule of {self.kind} gives {sum(op.params for op in ops)} parameters and "
            f"{self.path} holds {self.params}; give ops that hold as many, such as "
            f"Opaque({self.kind!r}, shape, params={self.params}, macs=..)"
        )

    def known(
        self, inputs: Sequence[torch.Tensor]
    ) -> tuple[tuple[Op, ...] | None, torch.Tensor | None]:
        """The ops of a module with a rule, and what it gives if they tell."""
        if self.rule is None:
            return None, None
        shapes = [sample_shape(tensor) for tensor in inputs]
        try:
            ops = as_ops(self.rule(self.module, *shapes))
        except (ValueError, IndexError, TypeError):
            if self.taught:
                raise
            return None, None  # a way of calling it that the rule does not know
        try:
            outputs = shapes
            for op in ops:
                outputs = [op.output_shape(*outputs)]
        except ShapeError as error:
            self.misfit = error  # or unusual, such as a batch folded into it: torch is to say
            return None, None
        if any(isinstance(op, (Opaque, Product)) for op in ops):
            return ops, None  # it may give more than one tensor
        if len(ops) == 1 and getattr(ops[0], "inplace", False):
            return ops, inputs[0]
        batch = (1,) if inputs[0].dim() > len(shapes[0]) else ()
        value = torch.empty((*batch, *outputs[0]), dtype=inputs[0].dtype, device="meta")
        return ops, value


class ModuleRun(Recorder):
    """Records the meta copy of a model; its modules in `leaves` are one opaque layer each."""

    def __init__(
        self,
        copied: nn.Module,
        model: nn.Module,
        copies: Copies,
        leaves: frozenset[nn.Module] = frozenset(),
    ) -> None:
        super().__init__(copied.named_parameters(), copied.named_buffers())
        self.copied, self.model, self.copies, self.leaves = copied, model, copies, leaves
        self.frames = (Frame("", type(model).__name__, 0),)
        self.failed_in: tuple[Frame, ...] = ()
        self.calls = 0
        self.macs: dict[Hashable, int | None] = {}
        self.inert: set[type[nn.Module]] = set()

    def run(
        self,
        inputs: Sequence[Input],
        call: Callable[[Sequence[torch.Tensor]], Arguments],
        dtype: torch.dtype,
    ) -> Recorded:
        """What one inference pass does; raises InspectError where it cannot be followed.

        call: the arguments that take the inputs. dtype: of those that have none of their own.
        """
        # A buffer that two modules share is held by both.
        buffers = (
            (f"{path}.{name}" if path else name, buffer)
            for path, module in self.copied.named_modules()
            for name, buffer in module._buffers.items()
            if buffer is not None
        )
        held = Held.of(self.copied.named_parameters(), buffers)
        for path, module in self.copied.named_modules():
            self._watch(module, path)
        args, kwargs = call([self.entering(entry, dtype) for entry in inputs])
        device = next((tensor.device for tensor in self.model.parameters()), torch.device("cpu"))
        surroundings = Surroundings(device, self.copies, lambda: self.audit.layer is None)
        try:
            with uncompiled(), torch.no_grad(), self.audit, self.recording(), surroundings:
                result = self.copied(*args, **kwargs)
        except (RecursionError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise explained(error, self.failed_in, self.model) from error
        outputs = map(surroundings.here, results(result))
        self.graph.output(tuple(map(self.node_of, outputs)))
        return Recorded(self.graph, held, tensors_of(self.state.values()), tuple(self.gaps))

    def _watch(self, module: nn.Module, path: str) -> None:
        """Have calls of one of the copy's modules come here."""
        rule = None if module in self.leaves else layer_rule(module)
        part = _Part(module, path, module.forward, rule)
        one = rule is not None or module in self.leaves
        # The network itself is entered even where it is a single layer.
        module.__dict__["forward"] = partial(self._leaf if one and path else self._enter, part)
        for hooks in (vars(module)[name] for name in FORWARD):
            hooks.update({key: partial(self._hook, part, hook) for key, hook in hooks.items()})

    def _hook(self, part: _Part, hook: Any, *args: Any, **kwargs: Any) -> Any:
        """What one of the model's hooks does; one that fails without values is left out by name."""
        try:
            return hook(*args, **kwargs)
        except Exception as error:
            name = getattr(hook, "__qualname__", type(hook).__name__)
            where = f"{name}, a hook of {part.path or part.kind}"
            self.gaps.append(Gap(where, line_of(error), None))
            return None

    def _enter(self, part: _Part, *args: Any, **kwargs: Any) -> Any:
        """A call of a module whose parts are recorded."""
        if self.audit.layer is not None or not part.path:
            return part.forward(*args, **kwargs)
        with self._framed(part):
            return part.forward(*args, **kwargs)

    def _leaf(self, part: _Part, *args: Any, **kwargs: Any) -> Any:
        """A call of a module that is one layer."""
        if self.audit.layer is not None:
            return part.forward(*args, **kwargs)
        inputs = tensors((args, kwargs))
        if not inputs:
            return self._enter(part, *args, **kwargs)
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            ops, value = part.known(inputs)
        if ops == ():
            return inputs[0]
        if ops is not None and sum(op.params for op in ops) != part.params:
            if part.taught:
                raise part.contradicted(ops)
            return self._enter(part, *args, **kwargs)  # its weight is made of other parameters
        own = part.module._parameters.values()
        if any(id(tensor) not in self.state for tensor in own if tensor is not None):
            return self._enter(part, *args, **kwargs)  # functional_call gave it others
        seen, uses = Seen(), part.state
        if value is None:
            with self._framed(part):
                value, uses = self._ran(part, args, kwargs, seen)
        else:
            seen.macs = self._audited(part, ops, inputs, args, kwargs)
            seen.written = [value] if value is inputs[0] else []
        if ops is None:
            ops = (self._opaque(part, value, uses),)
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            node = self.graph.call_module(part.path, tuple(map(self.node_of, inputs)))
            names = tuple(self.state[id(t)].name for t in uses if id(t) in self.state)
            node.meta.update(ops=ops, uses=names, macs=seen.macs, taught=part.taught)
            marked = self.marked(value, node)
            self.wrote(seen.written, tensors(marked))
            return marked

    def _opaque(self, part: _Part, value: Any, uses: Sequence[torch.Tensor]) -> Opaque:
        held: dict[bool, int] = {True: 0, False: 0}
        for tensor in uses:
            held[self.state[id(tensor)].learned] += tensor.numel()
        return Opaque(part.kind, sample_shape(first_tensor(value)), held[True], held[False])

    @contextmanager
    def _framed(self, part: _Part) -> Iterator[None]:
        self.calls += 1
        outer = self.frames
        self.frames = (*outer, Frame(part.path, part.kind, self.calls))
        try:
            yield
        except BaseException:
            self.failed_in = self.failed_in or self.frames
            raise
        finally:
            self.frames = outer

    def _ran(
        self, part: _Part, args: Any, kwargs: Any, seen: Seen
    ) -> tuple[Any, list[torch.Tensor]]:
        """What a module gives, found by running it as one layer, and the state that it used."""
        self.used = set()
        try:
            with self.audit.of(seen):
                value = part.forward(*args, **kwargs)
        except Exception:
            if part.module in self.leaves:
                seen.macs = None  # it runs elsewhere
                with self.audit.of(Seen()):
                    value = _on_zeros(self.model.get_submodule(part.path), args, kwargs)
                return value, part.state
            if part.misfit is not None:
                raise part.misfit from None  # what our rule says against the input is clearer
            raise
        used = [tensor for tensor in part.state if id(tensor) in self.used]
        return value, used if part.rule is None or part.misfit else part.state

    def _audited(
        self, part: _Part, ops: tuple[Op, ...] | None, inputs: Any, args: Any, kwargs: Any
    ) -> int | None:
        """The multiply-accumulates that run in a module of which the rule says all else.

        A module of torch with the same settings and inputs as another does the same; one of a
        class that multiplies nothing multiplies nothing whatever it is given.
        """
        if type(part.module) in self.inert:
            return 0
        shapes = tuple(tensor.shape for tensor in inputs)
        settings: Hashable = (ops, shapes, part.module.extra_repr())
        key: Hashable = (part.path, shapes) if part.taught else (type(part.module), settings)
        if key not in self.macs:
            seen = Seen()
            try:
                with self.audit.of(seen):
                    part.forward(*args, **kwargs)
            except Exception:
                if not part.taught:
                    raise
                seen.macs = None
            self.macs[key] = seen.macs
            if seen.macs == 0 and not part.taught:
                self.inert.add(type(part.module))
        return self.macs[key]


def _on_zeros(module: nn.Module, args: Any, kwargs: Any) -> Any:
    """What a module that looks at values gives: a copy of it runs on zeros, for the shape alone."""
    own = copy.deepcopy(module).eval().to("cpu")
    for part in own.modules():
        for name, hooks in vars(part).items():
            if name.startswith("_") and "_hooks" in name:
                hooks.clear()

    def zeros(tensor: torch.Tensor) -> torch.Tensor:
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu")

    args, kwargs = replaced(zeros, (args, kwargs))
    with torch.device("cpu"):
        value = own(*args, **kwargs)
    return replaced(lambda tensor: tensor.to("meta"), value)
