"""A model's meta copy: the same module tree on meta tensors, so that running it touches nothing.

The copy shares no module, parameter, buffer or container with the model. What its forward methods
do to it (count calls, fill caches, keep activations) stays in it, tensors take no memory, and its
hooks are copies too (hooks.py). It is in eval mode, since inference is what is described.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from resnet_inspect.errors import InspectError
from resnet_inspect.pytorch.trace.aliases import storage_of
from resnet_inspect.pytorch.trace.hooks import followed


class Copies:
    """Copies by the identity of their originals, which the model keeps alive.

    made: all copies, by the id of what they were made of. tensors: the model's tensors, by the
    storages of their copies.
    """

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}
        self.tensors: dict[int, torch.Tensor] = {}
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
            copied = _tensor(value)
            self.tensors[storage_of(copied)] = value
            return copied
        if type(value) is tuple or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return tuple.__new__(type(value), map(self.of, value))
        for kind, fill in _CONTAINERS.items():
            if isinstance(value, kind):
                return self._container(value, kind, fill)
        if isinstance(value, types.MethodType):
            return types.MethodType(value.__func__, self.of(value.__self__))
        if type(value) is functools.partial:
            arguments = (self.of(argument) for argument in value.args)
            return functools.partial(self.of(value.func), *arguments, **self.of(value.keywords))
        if type(value) is weakref.ref and value() is not None:
            return weakref.ref(self.of(value()))
        return self._object(value) if _is_plain(type(value)) else value

    def _container(self, value: Any, kind: Any, fill: Callable[[Any, Any], None]) -> Any:
        """A container of the same type with copies of its items.

        It is filled as its built-in type is: a class of its own may watch what is put in.
        """
        copied = kind.__new__(type(value), **({"maxlen": None} if kind is deque else {}))
        if kind is deque:
            deque.__init__(copied, maxlen=value.maxlen)
        elif kind is defaultdict:
            copied.default_factory = self.of(value.default_factory)
        self.made[id(value)] = copied  # before what it holds, which may hold it
        self._attributes(value, copied)
        if isinstance(value, dict):
            fill(copied, {key: self.of(item) for key, item in dict.items(value)})
        else:
            fill(copied, [self.of(item) for item in kind.__iter__(value)])
        return copied

    def _object(self, value: Any) -> Any:
        """An object that is its attributes and nothing else; others are shared."""
        slots, state = _slots(type(value)), getattr(value, "__dict__", {})
        if not (slots or state) or not _by_attributes(value):
            return value
        copied = object.__new__(type(value))
        self.made[id(value)] = copied
        self._attributes(value, copied)
        return copied

    def _attributes(self, value: Any, copied: Any) -> None:
        """What an object holds besides its items, past any `__setattr__` of its class."""
        self._slots(value, copied)
        for name, held in getattr(value, "__dict__", {}).items():
            copied.__dict__[name] = self.of(held)

    def _slots(self, value: Any, copied: Any) -> None:
        for name in _slots(type(value)):
            held = getattr(value, name, _UNSET)
            if held is not _UNSET:
                object.__setattr__(copied, name, self.of(held))

    def _module(self, module: nn.Module) -> nn.Module:
        if isinstance(module, torch.jit.ScriptModule):
            raise InspectError(
                f"{module.original_name} is TorchScript, whose code cannot be followed; "
                "trace the nn.Module that it was made from"
            )
        if "quantized" in type(module).__module__.split("."):
            raise InspectError(f"{type(module).__name__} {_QUANTIZED}")
        if type(module).__name__ in _WRAPPED:
            wrapped: nn.Module = self.of(unwrapped(module))
            return wrapped
        copied: nn.Module = object.__new__(type(module))
        self.made[id(module)] = copied
        self._slots(module, copied)
        state = copied.__dict__
        for name, value in module.__dict__.items():
            hooks = name.startswith("_") and "_hooks" in name
            state[name] = followed(name, value, self.of) if hooks else self.of(value)
        state["training"] = False
        state["_compiled_call_impl"] = None  # what Module.compile leaves
        return copied


_CONTAINERS: dict[Any, Callable[[Any, Any], None]] = {
    OrderedDict: OrderedDict.update,
    defaultdict: defaultdict.update,
    dict: dict.update,
    list: list.extend,
    set: set.update,
    deque: deque.extend,
}
"""Built-in containers, and how they are filled."""

_UNSET = object()

_QUANTIZED = "is quantized, and its integers are not followed; describe it before it is quantized"


def _slots(kind: type) -> tuple[str, ...]:
    """The names in the `__slots__` of a class and its bases."""
    named = (vars(base).get("__slots__", ()) for base in kind.__mro__)
    names = (name for slots in named for name in ((slots,) if isinstance(slots, str) else slots))
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _is_plain(kind: type) -> bool:
    """Whether a class leaves making and copying of its objects to Python."""
    own = ("__reduce_ex__", "__reduce__", "__deepcopy__", "__copy__", "__getstate__", "__new__")
    usual = all(getattr(kind, name, None) is getattr(object, name, None) for name in own)
    return usual and not issubclass(kind, type)


def _by_attributes(value: Any) -> bool:
    """Whether Python sees nothing in an object but its attributes, as in a lock or a module."""
    try:
        object.__reduce_ex__(value, 2)
    except TypeError:
        return False
    return True


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
    if tensor.is_quantized:
        raise InspectError(f"a tensor of {tensor.dtype} {_QUANTIZED}")
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
