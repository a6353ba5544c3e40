"""Any nn.Module -> LayerGraph.

    graph = resnet_inspect.trace(torchvision.models.densenet121(), (3, 224, 224))

A copy of the model (meta_copy.py) runs once on a meta tensor (module_run.py), what it calls is
recorded as a torch.fx graph (recorder.py), and rules turn its modules and functions into ops
(module_rules.py, function_rules.py, product_rules.py, shape_rules.py, lower.py). What they say is
held against what ran (audit.py). Blocks and stages come from networks.structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from resnet_inspect.counting import torch_op_rules as _costs  # noqa: F401  (registers rules)
from resnet_inspect.errors import InspectError, ShapeError, unknown
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.inputs import Inputs, entries, show_input
from resnet_inspect.networks.run import Input
from resnet_inspect.networks.shapes import Shape, show_shape
from resnet_inspect.pytorch.inputs import Arguments, arguments, named
from resnet_inspect.pytorch.trace import function_rules as _functions  # noqa: F401  (registers)
from resnet_inspect.pytorch.trace import module_rules as _modules  # noqa: F401  (registers rules)
from resnet_inspect.pytorch.trace import product_rules as _products  # noqa: F401  (registers)
from resnet_inspect.pytorch.trace.deep import deeply
from resnet_inspect.pytorch.trace.diagnosis import DataDependentError, said
from resnet_inspect.pytorch.trace.exported import record
from resnet_inspect.pytorch.trace.lazy import initialised
from resnet_inspect.pytorch.trace.lower import lower
from resnet_inspect.pytorch.trace.meta_copy import Copies, unwrapped
from resnet_inspect.pytorch.trace.module_run import ModuleRun
from resnet_inspect.pytorch.trace.rules import register_layer

__all__ = ["register_layer", "trace"]


def trace(
    module: nn.Module | ExportedProgram,
    input_shape: Inputs | None = None,
    *,
    name: str | None = None,
    leaves: Sequence[str] = (),
) -> LayerGraph:
    """The LayerGraph of a module for inputs of (channels, height, width), in eval mode.

    The module is not touched: a copy without memory, hooks or data runs. input_shape: any shape
    without the batch, or several as `networks.inputs` has them; by default what the module says
    (assembled and timm's models do). name: what to call the network, by default as its class.
    leaves: names of module classes to be taken as one Opaque layer each, such as one whose control
    flow depends on the data. What a program of torch.export does is in it already, for the shape
    that it was exported with.

    Raises InspectError in one line: DataDependentError for control flow that depends on values,
    ShapeError where the input does not fit or the model fails on it.
    """
    if isinstance(module, ExportedProgram):
        return _exported(module, input_shape, name or "exported", leaves)
    model = unwrapped(module)
    given = entries(_said(model) if input_shape is None else input_shape)

    def traced() -> LayerGraph:
        return _traced(model, given, name or _name(model), leaves)

    return deeply(traced, type(model).__name__)


def _traced(
    model: nn.Module, given: tuple[Input, ...], name: str, leaves: Sequence[str]
) -> LayerGraph:
    try:
        return _once(model, given, name, leaves)
    except DataDependentError:
        raise
    except InspectError as error:
        first = error
    if len(given) == 1 and not given[0].name and _wants_a_dict(first.__cause__):
        keys = AnyKey()
        with suppress(InspectError):
            return _once(model, given, name, leaves, keys)
        if len(keys) > 1:
            options = " ".join(f"--input {show_input(given[0]._replace(name=k))}" for k in keys)
            raise ShapeError(
                f"{name} takes a dict; give the shape of each of its entries: {options}"
            ) from first
    cut = tuple(entry._replace(shape=entry.shape[1:]) for entry in given)
    if all(len(entry.shape) > 1 for entry in given) and _fits(model, cut, leaves):
        options = " ".join(f"--input {show_input(entry)}" for entry in cut)
        raise ShapeError(
            f"{name} takes no batch in front of its input's shape; give {options}, and the batch "
            "as --batch"
        ) from first
    raise first


def _fits(model: nn.Module, given: tuple[Input, ...], leaves: Sequence[str]) -> bool:
    try:
        _once(model, given, "", leaves)
    except InspectError:
        return False
    return True


def _wants_a_dict(error: BaseException | None) -> bool:
    """Whether this may be what a tensor raises where a dict was expected."""
    kinds = (TypeError, IndexError, KeyError, AttributeError)
    return error is not None and (isinstance(error, kinds) or "__contains__" in said(error))


def _once(
    model: nn.Module,
    given: tuple[Input, ...],
    name: str,
    leaves: Sequence[str],
    keys: AnyKey | None = None,
) -> LayerGraph:
    """The graph of one run. keys: the dict of the model's only argument, whatever key it asks."""
    model = initialised(model, given)
    inputs = named(model, given)
    copies = Copies()
    copied = copies.of(model)
    run = ModuleRun(copied, model, copies, _leaves(copied, leaves))

    def call(tensors: Sequence[torch.Tensor]) -> Arguments:
        if keys is None:
            return arguments(model, [entry.name for entry in inputs], tensors)
        return arguments(model, [inputs[0].name], [keys.filled(tensors[0])])

    recorded = run.run(inputs, call, _dtype(model))
    names = keys.names(inputs[0].name) if keys is not None else [entry.name for entry in inputs]
    return replace(lower(recorded, name, inputs), arguments=tuple(names))


class AnyKey(dict[Any, Any]):
    """A batch as data loaders make it, that has one tensor under whatever key is asked for."""

    def filled(self, tensor: torch.Tensor) -> Any:
        self.tensor = tensor
        return self

    def names(self, argument: str) -> list[str]:
        """The arguments that took the tensor."""
        return [f"{argument}.{key}" for key in self]

    def __missing__(self, key: Any) -> torch.Tensor:
        if not isinstance(key, str):
            raise KeyError(key)
        self[key] = self.tensor
        return self.tensor

    def get(self, key: Any, default: Any = None) -> Any:
        """The tensor for the first key; what else is asked for may be missing."""
        return self[key] if key in self or not self else default


def _exported(
    program: ExportedProgram, given: Inputs | None, name: str, leaves: Sequence[str]
) -> LayerGraph:
    recorded, inputs = record(program, name)
    if leaves:
        raise InspectError(f"{name} is an exported program, which calls no modules; drop --leaf")
    if given is not None:
        wanted = [entry.shape for entry in entries(given)]
        taken = [entry.shape for entry in inputs]
        if wanted != taken:
            raise ShapeError(
                f"{name} was exported for {_listed(taken)}, not {_listed(wanted)}; "
                "export it again for another input"
            )
    names = tuple(entry.name for entry in inputs)
    graph = lower(recorded, name, inputs)
    run = graph.run and replace(graph.run, lasts=None)  # its code, which held tensors, did not run
    return replace(graph, run=run, arguments=names)


def _listed(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(show_shape, shapes))


def _said(module: nn.Module) -> Any:
    """The input's shape by what the module says itself."""
    config = getattr(module, "pretrained_cfg", None) or {}  # timm's
    shape = getattr(module, "input_shape", None) or dict(config).get("input_size")
    if not isinstance(shape, (tuple, list)):
        raise InspectError(
            f"{type(module).__name__} does not say what it takes; give the input's shape without "
            "the batch: --input 3x224x224, in Python input_shape=(3, 224, 224)"
        )
    return shape


def _name(module: nn.Module) -> str:
    """The network's name, which assembled models carry, or the class's."""
    own = getattr(module, "network", None)
    return own if isinstance(own, str) else type(module).__name__


def _dtype(module: nn.Module) -> torch.dtype:
    tensors = (tensor.dtype for tensor in module.parameters())
    return next((dtype for dtype in tensors if dtype.is_floating_point), torch.get_default_dtype())


def _leaves(copied: nn.Module, names: Sequence[str]) -> frozenset[nn.Module]:
    """The modules of these classes; raises UnknownNameError for a class that it does not have."""
    by_name: dict[str, list[nn.Module]] = {}
    for part in copied.modules():
        kind = type(part)
        for known in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}"):
            by_name.setdefault(known, []).append(part)
    for name in names:
        if name not in by_name:
            short = sorted(known for known in by_name if "." not in known)
            raise unknown("kind of module", name, short)
    return frozenset(part for name in names for part in by_name[name])
