"""Files whole or not at all; a suffix is a format."""

from __future__ import annotations

import os
from pathlib import Path

from resnet_inspect.errors import InspectError


class OutputError(InspectError):
    """A file that cannot be written."""


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace a file by this text; raises OutputError."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file whole: written beside it under a temporary name, then renamed.

    Raises OutputError, and then leaves what was there as it was.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "is a directory")
        if target.exists() and not target.is_file():  # /dev/stdout, a named pipe
            target.write_bytes(data)
            return
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            partial.write_bytes(data)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """The error for a file that cannot be written, with the reason and a way out."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        f"cannot write {os.fspath(path)!r}: {reason}; name a file in a folder that is there "
        "and can be written"
    )
