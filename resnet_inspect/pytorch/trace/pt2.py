"""What a .pt2 file of torch.export holds, checked before torch reads it."""

from __future__ import annotations

import ast
import io
import json
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from resnet_inspect.errors import FormatError


def read(path: str | Path) -> ExportedProgram:
    """The program in a .pt2 file that torch.export.save wrote.

    Raises FormatError where the file cannot be read, or holds anything that would run code when it
    is loaded: pickled objects and compiled libraries.
    """
    try:
        _check(Path(path))
        with _quiet():
            return torch.export.load(str(path))
    except (OSError, FormatError) as error:
        reason = error if isinstance(error, FormatError) else error.strerror
        raise FormatError(f"cannot read {path}: {reason}") from None
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FormatError(f"cannot read {path}: torch.export.load says: {first}") from error


_CODE = ("data/aotinductor/", "/custom_obj", "/opaque_obj", ".pkl")
"""Parts of an archive's names that stand for compiled libraries and pickled objects."""

_IN_A_SIZE = (
    *(ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword),
    *(ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Compare, ast.cmpop),
)
"""What a symbolic size is written with; torch.export.load has sympy evaluate it as Python."""


def _check(path: Path) -> None:
    """Refuse what torch.export.load would run code for (it falls back to unpickling anything)."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise FormatError("it is not what torch.export.save writes (.pt2)") from None
    with archive:
        for name in archive.namelist():
            if any(part in name for part in _CODE):
                raise FormatError(f"{name} in it would run code when it is loaded; refused")
            if name.endswith(".pt"):
                _check_pickle(name, archive.read(name))
            elif name.endswith(".json"):
                _check_json(name, archive.read(name))


def _check_pickle(name: str, data: bytes) -> None:
    try:
        torch.load(io.BytesIO(data), weights_only=True, map_location="meta")
    except Exception:
        if data:
            raise FormatError(
                f"{name} in it is pickled and more than tensors, so loading it would run code; "
                "refused"
            ) from None


def _check_json(name: str, data: bytes) -> None:
    for key, value in _entries(json.loads(data)):
        if key == "use_pickle" and value:
            raise FormatError(
                f"{name} in it names pickled tensors, whose loading runs code; refused"
            )
        if key == "expr_str" and not _is_size(value):
            raise FormatError(f"{name} in it has {value!r} for a size; refused")


def _is_size(text: str) -> bool:
    """Whether it is arithmetic of numbers, symbols and sympy's classes (in capitals) alone."""
    try:
        parts = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError):
        return False
    called = [part.func for part in parts if isinstance(part, ast.Call)]
    words = [part.value for part in parts if isinstance(part, ast.Constant)]
    return (
        all(isinstance(part, _IN_A_SIZE) for part in parts)
        and all(isinstance(part, ast.Name) and part.id[0].isupper() for part in called)
        and all(word.isidentifier() for word in words if isinstance(word, str))
    )


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from _entries(item)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item)


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines of torch.export.load on stderr: what goes wrong is said in one line."""
    logger = logging.getLogger("torch.export")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
