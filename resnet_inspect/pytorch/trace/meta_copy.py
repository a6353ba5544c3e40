"""A model's meta copy: the same module tree on meta tensors, so that running it touches nothing.

The copy shares no module, parameter, buffer or container with the model. What its forward methods
do to it (count calls, fill caches, keep activations) stays in it, tensors take no memory, and it
has no hooks, so none of the user's run. It is in eval mode, since inference is what is described.
"""

from __future__ import annotations

import copy
import functools
import types
from collections import deque
from typing import Any

import torch
from torch import nn

from resnet_inspect.errors import InspectError


class _Copies:
    """Copies by the identity of their originals, which the model keeps alive."""

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}
        self.kept: list[Any] = []  # keeps temporary objects alive, so that no identity is reused

    def of(self, value: Any) -> Any:
        if type(value) in _PLAIN:
            return value
        if id(value) in self.made:
            return self.made[id(value)]
        copied = self._make(value)
        self.made[id(value)] = copied
        self.kept.append(value)
        return copied

    def _make(self, value: Any) -> Any:
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, torch.Tensor):
            return _tensor(value)
        if type(value) is tuple:
            return tuple(map(self.of, value))
        if isinstance(value, (list, deque)):
            return self._filled(value, lambda copied: copied.extend(map(self.of, value)))
        if isinstance(value, set):
            return self._filled(value, lambda copied: copied.update(map(self.of, value)))
        if isinstance(value, dict):
            return self._filled(
                value, lambda copied: copied.update((k, self.of(v)) for k, v in value.items())
            )
        if isinstance(value, types.MethodType) and isinstance(value.__self__, nn.Module):
            return types.MethodType(value.__func__, self.of(value.__self__))
        if type(value) is functools.partial:
            arguments = (self.of(argument) for argument in value.args)
            return functools.partial(self.of(value.func), *arguments, **self.of(value.keywords))
        return value

    def _filled(self, value: Any, fill: Any) -> Any:
        """A container of the same type (default factories included) with copies of its items."""
        copied = copy.copy(value)
        copied.clear()
        self.made[id(value)] = copied  # before what it holds, which may hold it
        fill(copied)
        return copied

    def _module(self, module: nn.Module) -> nn.Module:
        if isinstance(module, torch.jit.ScriptModule):
            raise InspectError(
                f"{module.original_name} is TorchScript, whose code cannot be followed; "
                "trace the nn.Module that it was made from"
            )
        if type(module).__name__ in _WRAPPED:
            wrapped: nn.Module = self.of(unwrapped(module))
            return wrapped
        copied: nn.Module = object.__new__(type(module))
        self.made[id(module)] = copied
        state = copied.__dict__
        for name, value in module.__dict__.items():
            hooks = name.startswith("_") and "_hooks" in name
            state[name] = type(value)() if hooks else self.of(value)
        state["training"] = False
        state["_compiled_call_impl"] = None  # what Module.compile leaves
        return copied


_PLAIN = (type(None), bool, int, float, str, type, types.FunctionType, torch.Size, torch.dtype)
"""Types that are shared as they are; checked first, since most attributes are of these."""


_WRAPPED = {
    "OptimizedModule": "_orig_mod",  # torch.compile's; importing it to ask would take a second
    "DataParallel": "module",
    "DistributedDataParallel": "module",
}
"""Modules that run another one, and add nothing to what it computes, with their name for it."""


def _tensor(tensor: torch.Tensor) -> torch.Tensor:
    if isinstance(tensor, (nn.UninitializedParameter, nn.UninitializedBuffer)):
        raise InspectError(
            "a lazy module has no parameters yet; run the model once on an input, then trace it"
        )
    if tensor.layout is torch.strided and tensor.device.type != "meta":
        copied = torch.empty_strided(
            tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta"
        )
    else:
        copied = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    return copied.requires_grad_(tensor.requires_grad and tensor.is_leaf)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module that torch.compile or a parallel wrapper runs."""
    while type(module).__name__ in _WRAPPED:
        module = getattr(module, _WRAPPED[type(module).__name__])
    return module


def meta_copy(model: nn.Module) -> nn.Module:
    """The model's meta copy; raises InspectError for TorchScript and lazy modules not yet run."""
    copied: nn.Module = _Copies().of(model)
    return copied
