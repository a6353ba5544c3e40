"""Some networks -> a report in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence

from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.reporting.contents import contents
from resnet_inspect.reporting.documents import documents, pictures
from resnet_inspect.reporting.folder import write_folder
from resnet_inspect.reporting.page import html

PAGE = "index.html"


def write(
    graphs: Sequence[LayerGraph],
    folder: str | os.PathLike[str],
    *,
    batch: int = 1,
    dtype: str = "fp32",
    convention: str = "macs",
    command: str = "",
    force: bool = False,
) -> None:
    """Write a report on networks to a folder; command says on it how it was made.

    Raises InspectError, and then leaves the folder as it was.
    """
    made = files(graphs, batch=batch, dtype=dtype, convention=convention, command=command)
    write_folder(folder, made, force=force)


def files(
    graphs: Sequence[LayerGraph],
    *,
    batch: int = 1,
    dtype: str = "fp32",
    convention: str = "macs",
    command: str = "",
) -> dict[str, bytes]:
    """The files of a report by their paths; equal bytes from equal versions of everything."""
    report = contents(graphs, batch=batch, dtype=dtype, convention=convention, command=command)
    drawn = pictures(report)
    texts = {PAGE: html(report, drawn), **documents(report), **drawn}
    return {path: text.encode("utf-8") for path, text in texts.items()}
