"""Programs of torch.export from .pt2 files, which are data: reading one runs nothing that is in it.

torch.export.load never sees the file. It reads a copy in memory, into which go only entries that
torch.export.save is known to write, each under its known name and after a check of its content
(pt2_program.py). So it cannot matter how torch would read the archive otherwise: names in another
case, entries that stand twice, lengths that differ.
"""

from __future__ import annotations

import io
import logging
import os
import pickletools
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch
from torch.export import ExportedProgram

from resnet_inspect.errors import FormatError, shown
from resnet_inspect.files import reason
from resnet_inspect.pytorch.trace.pt2_program import checked_payloads, checked_program


def read(path: str | Path) -> ExportedProgram:
    """The program in a .pt2 file that torch.export.save wrote.

    Its example inputs and guards are left out. Raises FormatError where the file cannot be read, or
    holds anything else than such a program: pickled objects, compiled libraries, code.
    """
    try:
        copy = _copy(path)
        with _quiet():
            return torch.export.load(copy)
    except (OSError, FormatError) as error:
        why = error if isinstance(error, FormatError) else reason(error)
        raise FormatError(f"cannot read {os.fspath(path)!r}: {why}") from None
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FormatError(
            f"cannot read {os.fspath(path)!r}: torch.export.load says: {first}"
        ) from error


_PLAIN = re.compile(
    r"archive_format|archive_version|version|byteorder|\.data/(version|serialization_id)"
    r"|data/(weights/weight|constants/tensor)_\d+"
)
"""Entries that are numbers or a word."""

_PROGRAM = ("models/model.json", "serialized_exported_program.json")

_PAYLOADS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")

_TENSORS = (
    *("data/weights/model.pt", "data/constants/model.pt"),
    *("serialized_state_dict.pt", "serialized_constants.pt"),
)
"""Pickled tensors; torch 2.9 and later write none."""

_INPUTS = ("data/sample_inputs/model.pt", "serialized_example_inputs.pt")

_EXTRA = ("extra/", "extra_files/")
"""Where a user's own notes lie, which are not read."""


def _copy(path: str | Path) -> IO[bytes]:
    """The file's program as an archive in memory; raises FormatError for all that is unexpected."""
    copy = io.BytesIO()
    with open(path, "rb", opener=_open_file) as file, zipfile.ZipFile(copy, "w") as target:
        for name, data in _entries(file):
            # Every name has the archive's own name in front; torch 2.7 and earlier wrote none.
            folder, slash, inner = name.partition("/")
            old = folder == name or folder == "extra_files"
            content = _checked(name if old else inner, data)
            if content is not None:
                target.writestr(name if old else f"archive{slash}{inner}", content)
    copy.seek(0)
    return copy


def _open_file(path: str, flags: int) -> int:
    """Open a regular file, and wait for nothing: a pipe may never give a byte."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FormatError("it is not a regular file")
    return descriptor


def _entries(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an archive as torch writes one, where nothing is packed or shared."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            names = {entry.filename.lower() for entry in entries}
            if len(names) < len(entries):
                raise FormatError("entries in it have the same name; refused")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise FormatError("entries in it are compressed, as torch writes none; refused")
            if sum(entry.file_size for entry in entries) > file.seek(0, os.SEEK_END):
                raise FormatError("entries in it overlap; refused")
            for entry in entries:
                yield entry.filename, archive.read(entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        raise FormatError("it is not what torch.export.save writes (.pt2)") from None


def _checked(name: str, data: bytes) -> bytes | None:
    """What torch may read of an entry; None for nothing of it."""
    if _PLAIN.fullmatch(name):
        return data
    if name in _PROGRAM:
        return checked_program(name, data)
    if name in _PAYLOADS:
        return checked_payloads(name, data)
    if name in _TENSORS:
        return _tensors(name, data)
    if name in _INPUTS:
        _check_pickle(name, data)
        return b""
    if name.startswith(_EXTRA):
        return None
    raise FormatError(
        f"{shown(name)} in it is no part of a plain network, and might run code when it is loaded; "
        "refused"
    )


_HARMLESS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(parameter|tensor_v[23])|torch \w+Storage"
    r"|torch\._utils _rebuild_meta_tensor_no_storage|torch\.storage (Untyped|Typed)Storage"
    r"|torch (Size|device|u?int\d+|b?float\d+\w*|complex\d+|bool)|torch\.serialization _get_layout"
    r"|torch\._export\.serde\.serialize _reconstruct_fake_tensor"
)
"""What a pickled tensor is made with, as 'module name'."""

_PICKLED = re.compile(r"[^/]+/(data\.pkl|data/\d+|version|byteorder|\.\w+|\.data/\w+)")
"""Entries of what torch.save writes."""


def _check_pickle(name: str, data: bytes) -> None:
    """Refuse pickled objects that are not tensors and plain containers, without unpickling them."""
    for inner, content in _entries(io.BytesIO(data)) if data else ():
        if not _PICKLED.fullmatch(inner):
            raise FormatError(f"{shown(inner)} in {name} is not torch.save's; refused")
        if inner.endswith("/data.pkl") and not _is_of_tensors(content):
            raise FormatError(
                f"{name} in it is pickled and more than tensors, so loading it would run code; "
                "refused"
            )


def _is_of_tensors(pickled: bytes) -> bool:
    """Whether tensors and plain containers are all that a pickle makes."""
    makers = ("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4")
    return not any(
        code.name in makers or (code.name == "GLOBAL" and not _HARMLESS.fullmatch(str(value)))
        for code, value, _ in pickletools.genops(pickled)
    )


def _tensors(name: str, data: bytes) -> bytes:
    """Pickled tensors, pickled again by ourselves."""
    _check_pickle(name, data)
    copy = io.BytesIO()
    torch.save(torch.load(io.BytesIO(data), weights_only=True, map_location="cpu"), copy)
    return copy.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines of torch on stderr: what goes wrong is said in one line."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
