"""Where the rules of torch functions stand, by the function's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from resnet_inspect.pytorch.trace.calls import Call
from resnet_inspect.pytorch.trace.modules import Known

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
