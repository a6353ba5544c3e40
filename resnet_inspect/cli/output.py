"""Where a command's result goes: the terminal, a pipe, or a file in some format."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from resnet_inspect.cli.parameters import Function, Words, option, split
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.files import STDOUT, format_of, write_text

if TYPE_CHECKING:
    from rich.console import Console

    from resnet_inspect.pictures.diagrams.diagram import Diagram
    from resnet_inspect.tables.table import Sheet

TERMINAL = "terminal"

PIPED_WIDTH = 100
"""Columns where there is no terminal to ask and COLUMNS does not say."""


class Shown(Protocol):
    """What can be printed by rich, and written in a format: a table, or several."""

    def to_text(self, format: str) -> str: ...


def formats() -> tuple[str, ...]:
    """What --format takes where a command gives tables."""
    from resnet_inspect.tables.writers import FORMATS

    return TERMINAL, *FORMATS


def format_option(function: Function) -> Function:
    """--format of a command that gives tables."""
    return option(
        "--format",
        metavar="FORMAT",
        words=formats,
        unset=f"by the suffix of -o, else {TERMINAL}",
        help="Format",
    )(function)


def output_option(
    help: str = "Write to a file, replacing it whole.",
) -> Callable[[Function], Function]:
    """-o; '-' is stdout."""
    return option("--output", "-o", metavar="FILE", help=help)


def output_options(function: Function) -> Function:
    """--format and -o of a command that gives tables."""
    return format_option(output_option()(function))


def only_option(tables: Words) -> Callable[[Function], Function]:
    """--only of a command that gives several tables, of these names."""
    return option(
        "--only",
        metavar="TABLE,..",
        words=tables,
        several=True,
        unset="all",
        help="Tables to show",
    )


def picked(sheet: Sheet, tables: str | None) -> Sheet:
    """The sheet with the tables that --only names; raises UnknownNameError."""
    return sheet if tables is None else sheet.only(split(tables, "--only"))


def chosen_format(format: str | None, output: str | None) -> str:
    """The format asked for, or that of the file's suffix; raises InspectError."""
    if format is not None:
        if format not in formats():
            raise unknown("format", format, formats())
        return format
    if output in (None, STDOUT) or Path(str(output)).suffix.lower() == ".txt":
        return TERMINAL
    from resnet_inspect.tables.writers import SUFFIXES

    return format_of(str(output), SUFFIXES)


def emit(shown: Shown, format: str | None, output: str | None) -> None:
    """Print a table or several, or write them to a file; raises InspectError."""
    kind = chosen_format(format, output)
    if output in (None, STDOUT):
        if kind == TERMINAL:
            console().print(shown)
        else:
            sys.stdout.write(shown.to_text(kind))
        return
    write_text(str(output), _as_text(shown) if kind == TERMINAL else shown.to_text(kind))


def emit_drawing(
    drawing: Diagram, output: str | None, format: str | None, renderer: str = "pygraphviz"
) -> None:
    """Write a drawing to a file, or DOT to a pipe; raises InspectError."""
    if output is None and sys.stdout.isatty():
        if format is None:
            raise InspectError("name a file, such as -o FILE.svg, or print DOT by --format dot")
        if format in ("png", "pdf"):
            raise InspectError(f"{format} cannot be shown in a terminal; name a file with -o")
    if output in (None, STDOUT):
        output, format = STDOUT, format or "dot"
    drawing.write(output, format, renderer)


def console(file: IO[str] | None = None) -> Console:
    """A console for stdout (or `file`) that keeps to 100 columns where there is no terminal."""
    from rich.console import Console

    console = Console(file=file, highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console


def _as_text(shown: Shown) -> str:
    import io

    buffer = io.StringIO()
    console(buffer).print(shown)
    return buffer.getvalue()
