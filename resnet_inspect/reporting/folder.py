"""A report's folder: replaced file by file, and never at the cost of what somebody else put there.

The folder holds a list of what was written, with a digest of each file. What is not in it, or was
changed since, is not ours to replace.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from resnet_inspect.errors import InspectError
from resnet_inspect.files import OutputError, write_bytes

MANIFEST = "manifest.json"
"""The list of what was written."""

_MADE_BY = "resnet-inspect report"


class ForeignFilesError(InspectError):
    """A folder that holds something the report did not write."""


def write_folder(
    folder: str | os.PathLike[str], files: Mapping[str, bytes], *, force: bool = False
) -> None:
    """Write files, by their paths inside the folder, and remove those of an earlier report.

    Each file is whole or as it was; the list of files comes last. Raises ForeignFilesError where
    the folder holds something else (with `force`, files in the way are replaced and all others
    left alone), OutputError where it cannot be written.
    """
    target = Path(folder)
    before = _written(target)
    foreign = sorted(_foreign(target, before))
    if foreign and not force:
        shown = ", ".join(foreign[:3]) + (" and others" if len(foreign) > 3 else "")
        raise ForeignFilesError(
            f"{os.fspath(folder)!r} holds {shown}, which no report wrote; name a new folder, or "
            "give --force to write beside it and over files of the same name"
        )
    try:
        for name in sorted(files):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(
            f"cannot make the folder {os.fspath(folder)!r}: {reason}; name one in a folder that "
            "is there and can be written"
        ) from None
    for name, data in files.items():
        write_bytes(target / name, data)
    write_bytes(target / MANIFEST, _manifest(files))
    for name in before.keys() - files.keys() - set(foreign):
        _remove(target, name)


def _manifest(files: Mapping[str, bytes]) -> bytes:
    digests = {name: _digest(files[name]) for name in sorted(files)}
    return (json.dumps({"made_by": _MADE_BY, "files": digests}, indent=1) + "\n").encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _written(target: Path) -> dict[str, str]:
    """What the last report in a folder wrote, with the digests; nothing where there was none."""
    try:
        data = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict) or data.get("made_by") != _MADE_BY:
        return {}
    files = data.get("files")
    if not isinstance(files, dict):
        return {}
    return {
        name: digest
        for name, digest in files.items()
        if isinstance(digest, str) and _is_inside(name)
    }


def _is_inside(name: str) -> bool:
    """Whether a path stays in its folder: nothing else is removed on a manifest's word."""
    path = Path(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _foreign(target: Path, before: Mapping[str, str]) -> Iterator[str]:
    """The files of a folder that are not as a report left them."""
    if target.is_file():
        yield target.name
        return
    for path in target.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(target).as_posix()
        if name == MANIFEST and before:
            continue
        if path.is_symlink() or name not in before or _digest(path.read_bytes()) != before[name]:
            yield name


def _remove(target: Path, name: str) -> None:
    """Take a file of an earlier report away, and its folder if that is empty now."""
    path = target / name
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == target or any(parent.iterdir()):
            return
        parent.rmdir()
