"""Any nn.Module -> LayerGraph.

    graph = resnet_inspect.trace(torchvision.models.densenet121(), (3, 224, 224))

A copy of the model (meta_copy.py) runs once on a meta tensor (module_run.py), what it calls is
recorded as a torch.fx graph (recorder.py), and rules turn its modules and functions into ops
(module_rules.py, function_rules.py, product_rules.py, shape_rules.py, lower.py). What they say is
held against what ran (audit.py). Blocks and stages come from networks.structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from resnet_inspect.counting import torch_op_rules as _costs  # noqa: F401  (registers rules)
from resnet_inspect.errors import InspectError, ShapeError, unknown
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Shape, checked_input, show_shape
from resnet_inspect.pytorch.trace import function_rules as _functions  # noqa: F401  (registers)
from resnet_inspect.pytorch.trace import module_rules as _modules  # noqa: F401  (registers rules)
from resnet_inspect.pytorch.trace import product_rules as _products  # noqa: F401  (registers)
from resnet_inspect.pytorch.trace.exported import record
from resnet_inspect.pytorch.trace.lower import lower
from resnet_inspect.pytorch.trace.meta_copy import meta_copy, unwrapped
from resnet_inspect.pytorch.trace.module_run import ModuleRun
from resnet_inspect.pytorch.trace.rules import register_layer

__all__ = ["register_layer", "trace"]


def trace(
    module: nn.Module | ExportedProgram,
    input_shape: Shape | None = None,
    *,
    name: str | None = None,
    leaves: Sequence[str] = (),
) -> LayerGraph:
    """The LayerGraph of a module for inputs of (channels, height, width), in eval mode.

    The module is not touched: a copy without memory, hooks or data runs. input_shape: any shape
    without the batch; by default what the module says (assembled and timm's models do). name: what
    to call the network, by default as its class. leaves: names of module classes to be taken
    as one Opaque layer each, such as one whose control flow depends on the data. What a program of
    torch.export does is in it already, for the shape that it was exported with.

    Raises InspectError in one line: DataDependentError for control flow that depends on values,
    ShapeError where the input does not fit or the model fails on it.
    """
    if isinstance(module, ExportedProgram):
        return _exported(module, input_shape, name or "exported", leaves)
    module = unwrapped(module)
    shape = _input_shape(module, input_shape)
    copied = meta_copy(module)
    recorded = ModuleRun(copied, module, _leaves(copied, leaves)).run(shape, _dtype(module))
    return lower(recorded, name or _name(module), shape)


def _exported(
    program: ExportedProgram, given: Shape | None, name: str, leaves: Sequence[str]
) -> LayerGraph:
    recorded, shape = record(program, name)
    if leaves:
        raise InspectError(f"{name} is an exported program, which calls no modules; drop --leaf")
    if given is not None and tuple(given) != shape:
        raise ShapeError(
            f"{name} was exported for {show_shape(shape)}, not {show_shape(tuple(given))}; "
            "export it again for another input"
        )
    return lower(recorded, name, shape)


def _input_shape(module: nn.Module, given: Shape | None) -> Shape:
    shape: Any = given
    if shape is None:
        config = getattr(module, "pretrained_cfg", None) or {}  # timm's
        shape = getattr(module, "input_shape", None) or dict(config).get("input_size")
    if not isinstance(shape, (tuple, list)):
        raise InspectError(
            f"{type(module).__name__} does not say what it takes; give the input's shape without "
            "the batch, such as 3x224x224"
        )
    if not shape or not all(type(size) is int and size > 0 for size in shape):
        raise ShapeError(f"input {shape!r} is not a shape; give sizes such as (3, 224, 224)")
    return checked_input(tuple(shape))


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
