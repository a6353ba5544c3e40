"""Rules: what turns modules and functions into ops, and where users add theirs.

A layer rule holds for a class and for subclasses that leave its `forward` unchanged. Modules
without a rule are entered, and the functions that they call are looked up by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.ops import BatchNorm2d, Conv2d, Op
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.torch_ops import BatchNorm, Conv, Pad, Sizes
from resnet_inspect.pytorch.trace.calls import Call

Known = Op | Sequence[Op] | None
"""What a rule gives: an op, several in a row, or None for a layer that returns its input."""


def as_ops(known: Known) -> tuple[Op, ...]:
    """What a rule gives as a tuple, with Python's own numbers for numpy's."""
    ops = () if known is None else (known,) if isinstance(known, Op) else tuple(known)
    return tuple([op if _is_python(vars(op).values()) else _in_python(op) for op in ops])


def _is_python(values: Iterable[Any]) -> bool:
    return all(
        _is_python(value) if type(value) is tuple else type(value).__module__ != "numpy"
        for value in values
    )


def _in_python(op: Op) -> Op:
    def plain(value: Any) -> Any:
        if type(value) is tuple:
            return tuple(map(plain, value))
        return value.item() if type(value).__module__ == "numpy" else value

    return replace(op, **{name: plain(value) for name, value in vars(op).items()})


LayerRule = Callable[..., Known]

_L = TypeVar("_L", bound=LayerRule)

LAYER_RULES: dict[type[nn.Module] | str, LayerRule] = {}
"""Rules by class, or by 'module:class' of libraries that are not imported here."""


def register_layer(*kinds: type[nn.Module] | str) -> Callable[[_L], _L]:
    """Teach `trace` a module: decorate a function from it and its input shapes to an op.

        @resnet_inspect.register_layer(MyConv)
        def _(layer, *shapes):
            return Conv2d(layer.cin, layer.cout, (3, 3), padding=(1, 1))

    Shapes are without the batch. Return a tuple for several ops in a row, None for a layer that
    returns its input. For a layer that none of the ops describes, Opaque(type, output shape,
    params, macs=..) holds its numbers; an Op of your own needs its rules in costs.operations,
    receptive_field.rule and kept.saved_tensors. Raises InspectError for a class that has a rule.
    """

    def register(function: _L) -> _L:
        for kind in kinds:
            if kind in LAYER_RULES:
                shown = kind if isinstance(kind, str) else kind.__qualname__
                raise InspectError(f"{shown} already has a rule; register each class once")
        LAYER_RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


_CODE = ("forward", "_conv_forward", "__call__")
"""A class that defines one of these computes something else than its base."""


def layer_rule(module: nn.Module) -> LayerRule | None:
    """The rule that holds for a module, or None."""
    if "forward" in module.__dict__:
        return None  # somebody replaced it on the instance
    for kind in type(module).__mro__:
        rule = LAYER_RULES.get(kind) or LAYER_RULES.get(f"{kind.__module__}:{kind.__qualname__}")
        if rule is not None:
            return rule
        if any(name in vars(kind) for name in _CODE):
            return None
    return None


def is_builtin(rule: LayerRule) -> bool:
    """Whether a rule is part of this package."""
    return str(rule.__module__).startswith("resnet_inspect.")


def sizes(value: Any, axes: int) -> tuple[int, ...]:
    """One number for each axis, from one for all or a sequence."""
    if isinstance(value, int):
        return (value,) * axes
    numbers = tuple(int(item) for item in value)
    return numbers * axes if len(numbers) == 1 else numbers


class FunctionRule(NamedTuple):
    """A rule, and the names of the function's positional arguments in order."""

    ops: Callable[[Call], Known]
    arguments: tuple[str, ...]


_F = TypeVar("_F", bound=Callable[[Call], Known])

FUNCTION_RULES: dict[str, FunctionRule] = {}
"""Rules by function name."""


def register_function(names: str, arguments: str = "input") -> Callable[[_F], _F]:
    """Add a rule for functions of these names; `arguments` as torch names them, in order.

    Both are words in one string.
    """

    def register(function: _F) -> _F:
        for name in names.split():
            if name in FUNCTION_RULES:
                raise ValueError(f"{name} already has a rule")
            FUNCTION_RULES[name] = FunctionRule(function, tuple(arguments.split()))
        return function

    return register


def bind(target: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The call's arguments by the names that its rule uses."""
    order = FUNCTION_RULES[name].arguments if name in FUNCTION_RULES else ()
    if name == "batch_norm" and isinstance(target, torch._ops.OpOverload):
        order = ("input", "weight", "bias", "running_mean", "running_var")  # aten's own order
    return {**dict(zip(order, args, strict=False)), **kwargs}


# --- ops that rules of modules and of functions share ---------------------------------------------


def convolution(
    conv: Conv, padding: Sizes | str, shape: Shape, made_of: tuple[int, int] | None = None
) -> tuple[Op, ...]:
    """A convolution with torch's padding; 'same' that is wider behind than before is a Pad ahead.

    shape: that of its input. made_of: entries of the parameters and buffers behind its kernel and
    bias, if it is not known that these are the kernel and bias.
    """
    edges, ahead = _edges(padding, conv)
    conv = replace(conv, padding=edges)
    if made_of not in (None, (conv.params, 0)):
        return *ahead, replace(conv, made_of=made_of)
    if (len(conv.kernel), len(shape)) != (2, 3):
        return *ahead, conv
    return *ahead, Conv2d(*(getattr(conv, field.name) for field in fields(Conv2d)))


def _edges(padding: Sizes | str, conv: Conv) -> tuple[Sizes, tuple[Pad, ...]]:
    """A convolution's padding, the same on both sides, and the Pad before it if they differ."""
    if not isinstance(padding, str):
        return padding, ()
    none = (0,) * len(conv.kernel)
    if padding != "same":
        return none, ()
    totals = [reach - 1 for reach in conv.reach]
    if not any(total % 2 for total in totals):
        return tuple(total // 2 for total in totals), ()
    sides = [side for total in reversed(totals) for side in (total // 2, -(-total // 2))]
    return none, (Pad(tuple(sides)),)


def batch_norm(shape: Shape, axes: int, channels: int, params: int, buffers: int) -> Op:
    """Batch norm over so many axes of an input of this shape."""
    usual = BatchNorm2d(channels)
    if len(shape) == 3 and axes == 2 and (params, buffers) == (usual.params, usual.buffers):
        return usual
    return BatchNorm(f"BatchNorm{axes}d", channels, params, buffers)
