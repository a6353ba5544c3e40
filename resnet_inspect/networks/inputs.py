"""What enters a network, as a user gives it: one shape, several, or shapes by name."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, SupportsIndex

from resnet_inspect.errors import FormatError, ShapeError, shown, unknown
from resnet_inspect.networks.run import Input
from resnet_inspect.networks.shapes import Shape, checked_input, show_shape

Inputs = Shape | Sequence[Any] | Mapping[str, Any]
"""Shapes without the batch: (3, 224, 224) is one, a list is one for each argument, a dict is by
name. (shape, 'int64') is a shape with its dtype; lists and dicts within them are arguments that
hold several tensors."""

_ALIASES = {
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "half": "float16",
    "fp16": "float16",
    "bf16": "bfloat16",
    "float": "float32",
    "fp32": "float32",
    "double": "float64",
    "fp64": "float64",
}

DTYPES = (
    *("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8"),
    *("bool", "complex64", "complex128"),
)
"""torch's names of what an input may hold."""


def entries(given: Any) -> tuple[Input, ...]:
    """The inputs that were given; names are '' where only the position says which is meant.

    A tensor within a list or dict that is one argument has a dotted name. Raises ShapeError or
    UnknownNameError.
    """
    if isinstance(given, Mapping) and given:
        return tuple(entry for name, value in given.items() for entry in _named(str(name), value))
    if not isinstance(given, (tuple, list)):
        raise ShapeError(
            f"input_shape is {given!r}; give (channels, height, width), such as (3, 224, 224)"
        )
    if not given:
        raise ShapeError(f"input {given!r} is not a shape; give sizes such as (3, 224, 224)")
    if _is_entry(given):
        return tuple(_named("", given))
    nested = any(not _is_entry(value) for value in given)
    return tuple(
        entry
        for place, value in enumerate(given)
        for entry in _named(str(place) if nested else "", value)
    )


def _is_entry(value: Any) -> bool:
    """Whether this describes one tensor, not several."""
    if isinstance(value, Input):
        return True
    if not isinstance(value, (tuple, list)):
        return not isinstance(value, Mapping)
    with_dtype = len(value) == 2 and isinstance(value[1], str)
    return with_dtype or all(isinstance(size, (SupportsIndex, float, str)) for size in value)


def _named(name: str, value: Any) -> Iterator[Input]:
    if isinstance(value, Input):
        yield value._replace(shape=checked_input(value.shape))
    elif _is_entry(value):
        sizes, dtype = value, ""
        if isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[1], str):
            sizes, dtype = value
        yield Input(name, _shape(sizes), _dtype(dtype) if dtype else "")
    else:
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, part in parts:
            yield from _named(f"{name}.{key}", part)


def _shape(sizes: Any) -> Shape:
    try:
        shape = tuple(operator.index(size) for size in sizes)
    except TypeError:
        shape = (0,)
    if not all(size > 0 for size in shape):
        raise ShapeError(f"input {sizes!r} is not a shape; give sizes such as (3, 224, 224)")
    return checked_input(shape)


def _dtype(name: str) -> str:
    plain = name.removeprefix("torch.").lower()
    plain = _ALIASES.get(plain, plain)
    if plain not in DTYPES:
        raise unknown("dtype of an input", name, DTYPES)
    return plain


def parse_input(text: str) -> Input:
    """Input('ids', (16,), 'int64') from 'ids=16:int64'; name and dtype may be left out.

    Sizes may be left out behind a name: a number for each sample. Raises FormatError.
    """
    written = re.fullmatch(r"(?:([\w.]+)=)?([0-9x×]*)(?::([\w.]+))?", text.strip(), re.ASCII | re.I)
    name, sizes, dtype = written.groups() if written else ("", "", "")
    shape = parse_sizes(sizes or "") if sizes or not name else ()
    if written is None or not (shape or name) or (sizes and not shape):
        raise FormatError(
            f"--input is {shown(text)}; give sizes such as 3x224x224, behind an argument's name "
            "where there are several (left=3x224x224), before a dtype where they are no fractions "
            "(ids=16:int64)"
        )
    return Input(name or "", shape, _dtype(dtype) if dtype else "")


def parse_sizes(text: str) -> Shape:
    """(3, 224, 224) from '3x224x224'; () from what is not whole numbers above 0."""
    parts = re.split("[x×]", text.lower())
    if not all(re.fullmatch("[0-9]{1,18}", part) and int(part) for part in parts):
        return ()
    return tuple(map(int, parts))


def show_input(entry: Input) -> str:
    """An input as the command line takes it: ids=16:int64."""
    name = f"{entry.name}=" if entry.name else ""
    sizes = show_shape(entry.shape) if entry.shape else ""
    return name + sizes + (f":{entry.dtype}" if entry.dtype else "")
