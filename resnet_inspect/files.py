"""Files are written whole or not at all; a file's suffix names its format."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from resnet_inspect.errors import FormatError, InspectError

STDOUT = "-"
"""Standard output, wherever a file is written."""


class OutputError(InspectError):
    """A file that cannot be written."""


def format_of(path: str | os.PathLike[str], known: Mapping[str, str]) -> str:
    """The format of a file by its suffix; known: formats by suffix. Raises FormatError."""
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise FormatError(
            f"{os.fspath(path)!r} has no suffix of a known format; "
            f"use {', '.join(known)}, or give a format"
        )
    return known[suffix]


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace a file by this text in UTF-8; raises OutputError."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file whole: written under a temporary name in its folder, then renamed.

    Symbolic links stay, and what they point to is replaced. Pipes and devices, among them
    /dev/stdout and '-', are written through. Raises OutputError, and then leaves a file as it was.
    """
    if os.fspath(path) == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        target = _followed(Path(path))
        if target.is_dir():
            raise IsADirectoryError(21, "is a directory")
        if _is_below_dev(target) or (target.exists() and not target.is_file()):
            _write_through(target, data)
        else:
            _replace(target, data)
    except OSError as error:
        raise cannot_write(path, error) from None


def _followed(path: Path) -> Path:
    """Where symbolic links lead, but not past /dev or /proc: /dev/stdout may be a plain file."""
    for _ in range(40):  # as many as Linux follows
        path = path.parent.resolve() / path.name
        if _is_below_dev(path) or not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(40, "too many levels of symbolic links")


def _is_below_dev(path: Path) -> bool:
    return path.is_relative_to("/dev") or path.is_relative_to("/proc")


def _write_through(target: Path, data: bytes) -> None:
    """Write to a pipe or a device; to a descriptor of this process from where it has got to."""
    while target.is_symlink() and target.parent != Path(f"/proc/{os.getpid()}/fd"):
        target = target.parent / target.readlink()
        target = target.parent.resolve() / target.name
    # Opening /proc/self/fd/1 would begin a file that stdout has been writing to from its start.
    place = os.dup(int(target.name)) if target.is_symlink() else target
    sys.stdout.flush()
    with open(place, "wb") as stream:
        stream.write(data)


def _replace(target: Path, data: bytes) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(data)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def cannot_write(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """The error for a file that cannot be written, with the reason and what to do."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        f"cannot write {os.fspath(path)!r}: {reason}; name a file in an existing folder that can "
        "be written"
    )
