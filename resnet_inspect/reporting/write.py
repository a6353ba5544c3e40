"""Some networks -> a report in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resnet_inspect.errors import InspectError
from resnet_inspect.files import STDOUT, cannot_make, write_bytes
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.reporting.contents import contents
from resnet_inspect.reporting.documents import documents, pictures
from resnet_inspect.reporting.page import html

PAGE = "index.html"

_MARKS = {
    PAGE: b'<meta name="generator" content="resnet-inspect ',
    "README.md": b"Made by `resnet-inspect ",
}
"""What the page of every report holds."""


class ForeignFilesError(InspectError):
    """A folder that holds files, and not a report."""


def write(
    graphs: Sequence[LayerGraph],
    folder: str | os.PathLike[str],
    *,
    force: bool = False,
    **settings: Any,
) -> None:
    """Write a report on networks to a folder; settings are as `contents` has them.

    An earlier report in the folder is replaced file by file; other files in it are kept.
    Raises InspectError for networks that cannot be reported and for a folder that holds files and
    not a report, unless `force` (and then leaves the folder as it was); OutputError where it cannot
    be written.
    """
    check_folder(folder, force=force)  # refused before anything is drawn
    write_folder(folder, files(graphs, **settings), force=force)


def files(graphs: Sequence[LayerGraph], **settings: Any) -> dict[str, bytes]:
    """The files of a report by their paths; equal bytes from equal versions of everything.

    settings: as `contents` has them.
    """
    report = contents(graphs, **settings)
    drawn = pictures(report)
    texts = {PAGE: html(report, drawn), **documents(report), **drawn}
    return {path: text.encode("utf-8") for path, text in texts.items()}


def write_folder(
    folder: str | os.PathLike[str], files: Mapping[str, bytes], *, force: bool = False
) -> None:
    """Write files by their paths inside a folder, each whole; nothing is ever removed.

    Raises ForeignFilesError for a folder that holds files and not a report, unless `force`;
    OutputError where it cannot be written.
    """
    check_folder(folder, force=force)
    target = Path(folder)
    try:
        for name in sorted(files):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise cannot_make(folder, error) from None
    for name, data in files.items():
        write_bytes(target / name, data)


def check_folder(folder: str | os.PathLike[str], *, force: bool = False) -> None:
    """Raise what `write_folder` raises of a folder that it does not write into."""
    if os.fspath(folder) == STDOUT:
        raise InspectError("'-' is stdout, and a report is a folder; name one")
    try:
        target = Path(folder)
        free = force or _is_free(target) or _is_report(target)
    except (OSError, ValueError) as error:
        raise cannot_make(folder, error) from None
    if not free:
        raise ForeignFilesError(
            f"{os.fspath(folder)!r} holds files and not a report; name a new folder, or give "
            "--force to write into it, over files of the same name"
        )


def _is_free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _is_report(folder: Path) -> bool:
    return any(
        (folder / page).is_file() and mark in (folder / page).read_bytes()
        for page, mark in _MARKS.items()
    )
