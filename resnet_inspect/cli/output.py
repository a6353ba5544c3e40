"""Where a command's table goes: the terminal, a pipe, or a file in some format."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from resnet_inspect.errors import unknown
from resnet_inspect.files import STDOUT, format_of, write_text
from resnet_inspect.tables.table import Sheet, Table
from resnet_inspect.tables.writers import FORMATS, SUFFIXES

if TYPE_CHECKING:
    from rich.console import Console

TERMINAL = "terminal"


PIPED_WIDTH = 100
"""Columns where there is no terminal to ask and COLUMNS does not say."""


def _complete_format(incomplete: str) -> list[str]:
    return [name for name in (TERMINAL, *FORMATS) if name.startswith(incomplete)]


Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"{TERMINAL}, {', '.join(FORMATS)}.  "
        f"\\[default: by the suffix of -o, else {TERMINAL}]",
        autocompletion=_complete_format,
    ),
]


Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to a file, replacing it whole."),
]


def chosen_format(format: str | None, output: str | None) -> str:
    """The format asked for, or that of the file's suffix; raises InspectError."""
    if format is not None:
        if format not in (TERMINAL, *FORMATS):
            raise unknown("format", format, (TERMINAL, *FORMATS))
        return format
    if output is None or output == STDOUT or Path(output).suffix.lower() == ".txt":
        return TERMINAL
    return format_of(output, SUFFIXES)


def emit(table: Table | Sheet, format: str | None, output: str | None) -> None:
    """Print a table or a sheet of them, or write it to a file."""
    kind = chosen_format(format, output)
    if output is None:
        if kind == TERMINAL:
            console().print(table)
        else:
            sys.stdout.write(table.to_text(kind))
        return
    write_text(output, _as_text(table) if kind == TERMINAL else table.to_text(kind))


def console(file: IO[str] | None = None) -> Console:
    """A console for stdout (or `file`) that keeps to 100 columns where there is no terminal."""
    from rich.console import Console

    made = Console(file=file, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPED_WIDTH
    return made


def _as_text(table: Table | Sheet) -> str:
    import io

    buffer = io.StringIO()
    console(buffer).print(table)
    return buffer.getvalue()
