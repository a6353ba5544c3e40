"""Files are written whole or not at all; a file's suffix names its format."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

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


def read_bytes(path: str | os.PathLike[str], largest: int, instead: str = "") -> bytes:
    """What a file or a pipe holds; raises FormatError, also for more than `largest` bytes.

    instead: what the user may give if it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "is a device")
            data = file.read(largest + 1)
        if len(data) > largest:
            raise OSError(errno.EFBIG, f"is larger than {largest} bytes")
    except (OSError, ValueError) as error:
        hint = f"; {instead}" if instead else ""
        raise FormatError(f"cannot read {os.fspath(path)!r}: {reason(error)}{hint}") from None
    return data


LARGEST_TOML = 1 << 20
"""Bytes of a TOML file; what is described in one takes some hundred."""


def read_toml(path: str | os.PathLike[str], instead: str = "") -> tuple[str, dict[str, Any]]:
    """The text and the fields of a TOML file; raises FormatError with the file and the line.

    instead: what the user may give if it cannot be read.
    """
    import tomllib

    data, name = read_bytes(path, LARGEST_TOML, instead), os.fspath(path)
    try:
        text = data.decode("utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{name}: not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{name}{_place(str(error))}") from None
    except ValueError:  # Python reads no numbers of more than 4300 digits
        raise FormatError(f"{name}: a number in it has too many digits") from None
    except RecursionError:
        raise FormatError(f"{name}: lists or tables in it are nested too deeply") from None


def _place(message: str) -> str:
    """', line 3, column 8: expected ..' from tomllib's '.. (at line 3, column 8)'."""
    match = re.fullmatch(r"(.*) \(at (line \d+, column \d+|end of document)\)", message, re.S)
    if match is None:
        return f": {message}"
    return f", {match[2]}: {match[1][0].lower()}{match[1][1:]}"


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace a file by this text in UTF-8; raises OutputError."""
    write_bytes(path, text.encode("utf-8", "replace"))  # a file's name may hold what UTF-8 lacks


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file whole: written under a temporary name in its folder, then renamed.

    Symbolic links stay, and what they point to is replaced; its mode is kept. Pipes and devices,
    among them /dev/stdout and '-', are written through. Raises OutputError, and then leaves a file
    as it was.
    """
    if os.fspath(path) == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        target = _target(path)
        if _is_replaced(target):
            _replace(target, data)
        else:
            _write_through(target, data)
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from None


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise OutputError where a file could not be written; none is."""
    try:
        target = _target(path)
        if _is_replaced(target):
            _try_beside(target)
        elif not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from None


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Raise OutputError where a folder, which need not be there, cannot be written to."""
    try:
        place = Path(folder).absolute()
        with suppress(FileNotFoundError):
            place.stat()  # as in _partial
        while not place.exists():
            place = place.parent
        _try_beside(place / "any")
    except (OSError, ValueError) as error:
        raise cannot_make(folder, error) from None


def _target(path: str | os.PathLike[str]) -> Path:
    target = _followed(Path(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory")
    return target


def _is_replaced(target: Path) -> bool:
    """Whether it is a regular file, or none yet."""
    return not _is_below_dev(target) and (target.is_file() or not target.exists())


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
    partial, file = _partial(target)
    try:
        with file:
            with suppress(FileNotFoundError):
                _keep_rights(file.fileno(), target.stat())
            file.write(data)
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _partial(target: Path) -> tuple[Path, IO[bytes]]:
    """A new file beside this one, under a name that nobody can have taken or guessed."""
    with suppress(FileNotFoundError):
        target.stat()  # raises OSError for a name that is too long, ValueError for none
    path = target.with_name(f".{os.urandom(8).hex()}.part")
    return path, path.open("xb")


def _try_beside(target: Path) -> None:
    """Make a new file beside this one and remove it; raises OSError where that cannot be."""
    partial, file = _partial(target)
    file.close()
    partial.unlink()


def _keep_rights(descriptor: int, was: os.stat_result) -> None:
    """Give a new file the owner, where that is allowed, and the mode of the one it replaces."""
    if hasattr(os, "fchown"):
        with suppress(OSError):
            os.fchown(descriptor, was.st_uid, was.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(was.st_mode))


def cannot_write(path: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    """The error for a file that cannot be written, with the reason and what to do."""
    return OutputError(
        f"cannot write {os.fspath(path)!r}: {reason(error)}; name a file in an existing folder "
        "that can be written"
    )


def cannot_make(folder: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    """The error for a folder that cannot be made or written to."""
    return OutputError(
        f"cannot make the folder {os.fspath(folder)!r}: {reason(error)}; name one in an existing "
        "folder that can be written"
    )


def reason(error: OSError | ValueError) -> str:
    """What the system says of an error, in small letters."""
    return (getattr(error, "strerror", None) or str(error)).lower()
