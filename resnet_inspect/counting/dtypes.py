"""Number formats by name, their sizes, and what torch calls them."""

from __future__ import annotations

from resnet_inspect.errors import unknown

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


ARITHMETIC = ("fp32", "tf32", "fp16", "bf16")
"""The dtypes whose arithmetic is measured."""

ITEMSIZE: dict[str, int] = {dtype: DTYPES[canonical_dtype(dtype)] for dtype in ARITHMETIC}
"""Bytes of an element in memory, for every arithmetic that is measured."""
