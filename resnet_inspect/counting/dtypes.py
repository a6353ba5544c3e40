"""Number formats by name, their sizes, and what torch calls them."""

from __future__ import annotations

import re

from resnet_inspect.errors import unknown
from resnet_inspect.networks.graph import LayerGraph

DTYPES: dict[str, int] = {"fp64": 8, "fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
"""Bytes of an element."""

TORCH_NAMES = {
    "fp64": "float64",
    "fp32": "float32",
    "fp16": "float16",
    "bf16": "bfloat16",
    "int8": "int8",
}

_ALIASES = {
    **{name: dtype for dtype, name in TORCH_NAMES.items()},
    "double": "fp64",
    "float": "fp32",
    "half": "fp16",
    "tf32": "fp32",  # another arithmetic, on elements of fp32
}


def canonical_dtype(dtype: str) -> str:
    """fp32 for float32, and so on; raises UnknownNameError."""
    name = _ALIASES.get(dtype.lower(), dtype.lower())
    if name not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    return name


def chosen_dtype(graph: LayerGraph, dtype: str | None) -> str:
    """The dtype that somebody asks for, or a network's own: its first parameter's, else fp32.

    Raises UnknownNameError.
    """
    if dtype is not None:
        return canonical_dtype(dtype)
    held = graph.run.tensors.values() if graph.run else ()
    own = next((each.dtype for each in held if each.learned and _floats(each.dtype)), "float32")
    return _ALIASES.get(own, own)


def element_bytes(dtype: str) -> int:
    """Bytes of an element, by our name of a dtype or torch's."""
    bits = re.search(r"\d+", dtype)
    return DTYPES.get(dtype) or (max(1, int(bits[0]) // 8) if bits else 1)  # a bool is a byte


def cast_size(own: str, dtype: str | None) -> int:
    """Bytes of an element of a tensor of its own dtype (torch's name), in a network that is cast.

    As torch casts modules: whole numbers stay what they are. None: nothing is cast.
    """
    return element_bytes(dtype if dtype is not None and _floats(own) else own)


def _floats(dtype: str) -> bool:
    return "float" in dtype


ARITHMETIC = ("fp32", "tf32", "fp16", "bf16")
"""The dtypes whose arithmetic is measured."""

ITEMSIZE: dict[str, int] = {dtype: DTYPES[canonical_dtype(dtype)] for dtype in ARITHMETIC}
"""Bytes of an element in memory, for every arithmetic that is measured."""
