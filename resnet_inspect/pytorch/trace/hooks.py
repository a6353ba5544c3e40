"""A model's forward hooks for its copy: the same code, with all that it holds copied too.

Hooks make weights (weight norm, pruning) and change results (adapters), so without them a model is
another one. They hold modules and tensors in closures, arguments, attributes and globals.
"""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

FORWARD = ("_forward_pre_hooks", "_forward_hooks")
"""Where a module keeps its hooks of forward passes; all others are of the backward pass, or of
state dicts."""

Copy = Callable[[Any], Any]
"""Gives the copy of anything that a model holds."""

_HELD = (nn.Module, torch.Tensor, list, dict, set)
"""What code may change or run, and so must not share with the model's."""


def followed(name: str, hooks: Any, of: Copy) -> Any:
    """Hooks that a module keeps under this name, as its copy keeps them."""
    copied = type(hooks)()
    if name.startswith(FORWARD):
        plain = name not in FORWARD  # which of them take keywords, or are always called
        made: dict[int, Any] = {}
        copied.update(
            (key, hook if plain else _hook(hook, of, made)) for key, hook in hooks.items()
        )
    return copied


def _hook(hook: Any, of: Copy, made: dict[int, Any]) -> Any:
    if id(hook) in made:
        return made[id(hook)]
    if isinstance(hook, types.FunctionType):
        return _function(hook, of, made)
    if isinstance(hook, types.MethodType):
        owner = hook.__self__
        return types.MethodType(
            hook.__func__, owner if isinstance(owner, type) else _held(owner, of)
        )
    if isinstance(hook, functools.partial):
        arguments = (_held(argument, of) for argument in hook.args)
        keywords = {key: _held(value, of) for key, value in hook.keywords.items()}
        return functools.partial(_hook(hook.func, of, made), *arguments, **keywords)
    return _held(hook, of)


def _held(value: Any, of: Copy) -> Any:
    """The copy of what a hook holds; of an object, with copies of its attributes."""
    copied = of(value)
    if copied is value and type(value).__module__ != "builtins" and hasattr(value, "__dict__"):
        if isinstance(value, (type, types.ModuleType, types.FunctionType)):
            return value
        copied = copy.copy(value)
        copied.__dict__.update((name, of(held)) for name, held in vars(value).items())
    return copied


def _function(function: types.FunctionType, of: Copy, made: dict[int, Any]) -> Any:
    """A function that holds copies of what it closes over, defaults to, and finds in globals."""
    used = {
        name: of(function.__globals__[name])
        for name in _names(function.__code__)
        if isinstance(function.__globals__.get(name), _HELD)
    }
    space = {**function.__globals__, **used} if used else function.__globals__
    cells = tuple(types.CellType() for _ in function.__closure__ or ())
    copied = types.FunctionType(function.__code__, space, function.__name__, None, cells or None)
    made[id(function)] = copied  # before what it closes over, which may be itself
    copied.__defaults__ = of(function.__defaults__)
    copied.__kwdefaults__ = of(function.__kwdefaults__)
    for cell, original in zip(cells, function.__closure__ or (), strict=True):
        try:
            value = original.cell_contents
        except ValueError:
            continue  # not filled yet
        cell.cell_contents = (
            _hook(value, of, made)
            if callable(value) and not isinstance(value, type)
            else _held(value, of)
        )
    return copied


def _names(code: types.CodeType) -> Iterator[str]:
    """The global names in code and in functions within it."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _names(part)
