"""Weights and statistics at random, for models that are compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class Undrawn(TorchFunctionMode):
    """Where modules are made without drawing their weights, for tests that give them others."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        settings = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return settings["tensor"] if "tensor" in settings else args[0]
        return func(*args, **settings)


def randomise(model: nn.Module) -> None:
    """Weights and statistics at random, such that values stay finite through many layers."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.dim() > 1:
            bound = math.sqrt(3 / value[0].numel())
            value.uniform_(-bound, bound, generator=generator)
        elif name.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.uniform_(-0.2, 0.2, generator=generator)
        else:
            value.zero_()
