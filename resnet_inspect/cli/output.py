"""Where a command's result goes: the terminal, a pipe, or a file in some format."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import starmap
from typing import TYPE_CHECKING, Any, TextIO

import click

from resnet_inspect.cli.parameters import Function, Words, option, together
from resnet_inspect.cli.streams import unguarded
from resnet_inspect.errors import InspectError, check_name
from resnet_inspect.tables.characters import visible

if TYPE_CHECKING:
    from resnet_inspect.pictures.diagrams.diagram import Diagram
    from resnet_inspect.tables.table import Printable, Sheet

TERMINAL = "terminal"


def formats() -> tuple[str, ...]:
    """What --format takes where a command gives tables."""
    from resnet_inspect.tables.writers import FORMATS

    return TERMINAL, *FORMATS


def output_option(
    help: str = "Write to a file, replacing it whole.",
) -> Callable[[Function], Function]:
    """-o; '-' is stdout."""
    return option("--output -o FILE", help)


output_options = together(
    option(
        "--format FORMAT", "Format", words=formats, unset=f"by the suffix of -o, else {TERMINAL}"
    ),
    output_option(),
)
"""--format and -o of a command that gives tables."""


def only_option(tables: Words) -> Callable[[Function], Function]:
    """--only of a command that gives several tables, of these names."""
    return option("--only TABLE,..", "Tables to show", words=tables, unset="all")


def shows(function: Callable[..., Printable]) -> Callable[..., None]:
    """Give a command that returns a table, or several, --format and -o to say where they go."""

    @output_options
    @wraps(function)
    def command(*, format: str | None, output: str | None, **values: Any) -> None:
        check_output(format, output)  # refused before anything runs
        emit(function(**values), format, output)

    return command


def shows_some_of(tables: Words) -> Callable[[Callable[..., Sheet]], Callable[..., None]]:
    """As `shows`, for a command that returns a Sheet of these tables: with --only."""

    def decorate(function: Callable[..., Sheet]) -> Callable[..., None]:
        @wraps(function)
        def command(*, only: tuple[str, ...] | None, **values: Any) -> Sheet:
            sheet = function(**values)
            return sheet if only is None else sheet.only(only)

        return only_option(tables)(shows(command))

    return decorate


def chosen_format(format: str | None, output: str | None) -> str:
    """The format asked for, or that of the file's suffix; raises InspectError."""
    if format is not None:
        check_name("format", format, formats())
        return format
    if _is_stdout(output) or str(output).lower().endswith(".txt"):
        return TERMINAL
    from resnet_inspect.files import format_of
    from resnet_inspect.tables.writers import SUFFIXES

    return format_of(str(output), SUFFIXES)


def check_output(format: str | None, output: str | None) -> None:
    """Raise InspectError for a format that there is not, or a file that cannot be written."""
    chosen_format(format, output)
    if not _is_stdout(output):
        from resnet_inspect.files import check_writable

        check_writable(str(output))


def _is_stdout(output: str | None) -> bool:
    if output is None:
        return True
    from resnet_inspect.files import STDOUT  # loads pathlib, which `table` does without

    return output == STDOUT


def emit(shown: Printable, format: str | None, output: str | None) -> None:
    """Print a table or several, or write them to a file; raises InspectError."""
    kind = chosen_format(format, output)
    if kind == "csv" and len(names := list(getattr(shown, "tables", ()))) > 1:
        note(f"several tables in one CSV, which its first column tells apart: {', '.join(names)}")
    if _is_stdout(output):
        if kind == TERMINAL:
            _print(shown)
        else:
            from resnet_inspect.tables.writers import ascii_text

            text = shown.to_text(kind)
            sys.stdout.write(ascii_text(text, kind) if sys.stdout.encoding == "ascii" else text)
        return
    from resnet_inspect.files import write_text

    if kind == TERMINAL:
        from resnet_inspect.tables.terminal import plain

        write_text(str(output), plain(shown.lines(_columns())))
    else:
        write_text(str(output), shown.to_text(kind))


def emit_drawing(
    drawing: Diagram,
    output: str | None,
    format: str | None,
    renderer: str = "pygraphviz",
    dpi: int | None = None,
) -> None:
    """Write a drawing to a file, or DOT to a pipe, and on stderr what it could not have.

    Raises InspectError.
    """
    if output is None and sys.stdout.isatty():
        if format is None:
            raise InspectError("name a file, such as -o FILE.svg, or print DOT by --format dot")
        if format in ("png", "pdf"):
            raise InspectError(f"{format} cannot be shown in a terminal; name a file with -o")
    if _is_stdout(output):
        output, format = "-", format or "dot"
    with telling("laying the picture out", patience=DRAWING):
        drawing.write(str(output), format, renderer, dpi)
    for words in drawing.sheet.notes:
        note(words)


def note(words: str) -> None:
    """A line on stderr."""
    print(f"resnet-inspect: {visible(words)}", file=sys.stderr)


SLOW = 2.0
"""Seconds after which somebody who waits is told what for."""

DRAWING = 3.0
"""How many times longer a picture or a report may take, which ends soon or not at all."""


@contextmanager
def telling(
    words: str, after: float | None = None, patience: float = 1.0
) -> Iterator[threading.Event]:
    """Say on stderr what is being done, once it takes long; the event is set when it is said.

    after: seconds, by default SLOW; patience: how many times that.
    """
    said = threading.Event()

    def say() -> None:
        note(f"{words} ..")
        said.set()

    timer = threading.Timer(SLOW * patience if after is None else after, say)
    timer.daemon = True
    timer.start()
    try:
        yield said
    finally:
        timer.cancel()


def _print(shown: Printable) -> None:
    """Print to stdout: in a terminal as wide as it is and with styles, else as wide as it takes."""
    stream = sys.stdout
    ascii = not stream.encoding.lower().startswith("utf")
    lines = shown.lines(_columns(stream), ascii=ascii)
    if not _has_styles(stream):
        from resnet_inspect.tables.terminal import plain

        stream.write(plain(lines))
        return
    text = "".join("".join(starmap(_styled, line)) + "\n" for line in lines)
    click.echo(text, unguarded(stream), nl=False, color=True)


def _columns(stream: TextIO | None = None) -> int | None:
    """What COLUMNS says, or how wide the terminal is; None where there is none."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None if stream else None
    except OSError:  # a pipe, or no file at all
        return None


def _has_styles(stream: TextIO) -> bool:
    """Whether text has colours: in a terminal that has some, unless NO_COLOR; or by FORCE_COLOR."""
    if os.environ.get("NO_COLOR"):
        return False
    terminal = stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return terminal or bool(os.environ.get("FORCE_COLOR"))


def _styled(text: str, style: str) -> str:
    looks = style.split()
    colour = next((look for look in looks if look not in ("bold", "dim")), None)
    bold, dim = ("bold" in looks) or None, ("dim" in looks) or None
    return click.style(text, colour, bold=bold, dim=dim) if looks else text
