"""Number formats by name, and their sizes."""

from __future__ import annotations

from resnet_inspect.errors import unknown

DTYPES: dict[str, int] = {"fp64": 8, "fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
"""Bytes of an element."""

_DTYPE_ALIASES = {
    "float64": "fp64",
    "double": "fp64",
    "float32": "fp32",
    "float": "fp32",
    "tf32": "fp32",
    "float16": "fp16",
    "half": "fp16",
    "bfloat16": "bf16",
}


def canonical_dtype(dtype: str) -> str:
    """fp32 for float32, and so on; raises UnknownNameError."""
    name = _DTYPE_ALIASES.get(dtype.lower(), dtype.lower())
    if name not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    return name


ITEMSIZE: dict[str, int] = {"fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2}
"""Bytes of an element in memory, for every arithmetic that is measured."""
