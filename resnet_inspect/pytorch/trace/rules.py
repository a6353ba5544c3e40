"""nn.Module -> ops: where the rules of modules stand, and where users teach others.

A rule holds for a class and for subclasses that leave its `forward` alone; others are entered, and
what they call is recorded. torch.nn's own layers are in weighted.py and weightless.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from resnet_inspect.networks.ops import Op
from resnet_inspect.pytorch.trace.calls import Call

Known = Op | Sequence[Op] | None
"""What a rule gives: an op, several in a row, or None for a layer that hands on what it takes."""

Rule = Callable[..., Known]


_R = TypeVar("_R", bound=Rule)

_RULES: dict[type[nn.Module] | str, Rule] = {}
"""Rules by class, or by 'module:class' of libraries that are not imported here."""


def rule(*kinds: type[nn.Module] | str) -> Callable[[_R], _R]:
    """Teach `trace` a module: decorate a function from it and its input shapes to an op.

        @resnet_inspect.rule(MyConv)
        def _(layer, *shapes):
            return Conv2d(layer.cin, layer.cout, (3, 3), padding=(1, 1))

    Shapes are without the batch. Several ops in a row are a tuple, a layer that changes nothing
    None. For anything that no op stands for, Opaque(type, output shape, params, macs=..) holds its
    numbers; an Op of your own needs its rules in costs.operations, receptive_field.rule and
    memory.saved_tensors.
    """

    def register(function: _R) -> _R:
        for kind in kinds:
            _RULES[kind] = function
        return function

    return register


_CODE = ("forward", "_conv_forward", "__call__")
"""A class that defines one of these computes something else than its base."""


def rule_for(module: nn.Module) -> Rule | None:
    """The rule of a module, or None where there is none that holds for it."""
    if "forward" in module.__dict__:
        return None  # somebody replaced it on the instance
    for kind in type(module).__mro__:
        found = _RULES.get(kind) or _RULES.get(f"{kind.__module__}:{kind.__qualname__}")
        if found is not None:
            return found
        if any(name in vars(kind) for name in _CODE):
            return None
    return None


def is_ours(rule: Rule) -> bool:
    """Whether a rule is one of this package's."""
    return rule.__module__.startswith("resnet_inspect.")


def sizes(value: Any, axes: int) -> tuple[int, ...]:
    """One number for each axis, from one for all or a sequence."""
    if isinstance(value, int):
        return (value,) * axes
    given = tuple(int(item) for item in value)
    return given * axes if len(given) == 1 else given


FunctionRule = Callable[[Call], Known]

RULES: dict[str, tuple[FunctionRule, tuple[str, ...]]] = {}
"""Rules by function name, with the names of the function's arguments in order."""


def on(*names: str, arguments: str = "input") -> Callable[[FunctionRule], FunctionRule]:
    """Write down a rule; `arguments` names the functions' positional ones as torch's do."""

    def register(found: FunctionRule) -> FunctionRule:
        for name in names:
            RULES[name] = (found, tuple(arguments.split()))
        return found

    return register


def bind(target: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The call's arguments by the names that its rule uses."""
    order: tuple[str, ...] = RULES[name][1] if name in RULES else ()
    if name == "batch_norm" and isinstance(target, torch._ops.OpOverload):
        order = ("input", "weight", "bias", "running_mean", "running_var")  # aten's own order
    return {**dict(zip(order, args, strict=False)), **kwargs}
