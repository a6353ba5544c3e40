"""Columns and rows -> text in a format.

CSV and JSON hold exact values for programs; Markdown, LaTeX and HTML hold what people read, with a
title and notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from resnet_inspect.errors import unknown
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.tables.characters import STEERING, visible, visible_lines
from resnet_inspect.tables.columns import Record, Value
from resnet_inspect.tables.page import Page, cell


def csv_text(keys: Sequence[str], rows: Iterable[Record]) -> str:
    """Rows of exact values as CSV, shapes as 3x224x224."""
    import csv
    import io

    def flat(value: Value) -> Value:
        if isinstance(value, str):
            return _no_formula(visible_lines(value))
        return show_shape(value) if isinstance(value, tuple) else value

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([flat(row[key]) for key in keys] for row in rows)
    return text.getvalue()


def _no_formula(text: str) -> str:
    """Text that a spreadsheet takes for no formula: an apostrophe before what begins like one.

    OWASP, 'CSV Injection'. Numbers stay numbers.
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


_FORMULA = ("=", "+", "-", "@", "\t", "\n", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def json_text(data: Any) -> str:
    """Data as indented JSON; what steers a terminal is escaped."""
    import json

    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    return text if text.isascii() and "\x7f" not in text else _escaped(text, STEERING)


def _escaped(json: str, characters: str) -> str:
    """JSON with these characters, which only strings hold, as escapes."""

    def escape(match: re.Match[str]) -> str:
        units = match[0].encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

    return re.sub(characters, escape, json)


def ascii_text(text: str, format: str) -> str:
    """A text in a format for a stream in ASCII, where the format has escapes of its own."""
    if format == "json":
        return _escaped(text, r"[^\x00-\x7f]")
    return text.encode("ascii", "xmlcharrefreplace").decode() if format == "html" else text


def markdown_escaped(text: str) -> str:
    """Text that Markdown takes for nothing but text: no link, image, mark-up or address."""
    return _MARKS.sub(r"\\\g<0>", visible(text))


_MARKS = re.compile(
    r"[\\`*\[\]<>#|&!$]|~(?=\S)|(?<=\S)~|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.|@",
    re.IGNORECASE,
)
"""What Markdown has meanings for, as GitHub reads it; an underscore inside a word has none."""


def _markdown(pages: Sequence[Page]) -> str:
    return "\n".join(map(_markdown_page, pages))


def _markdown_page(page: Page) -> str:
    from tabulate import tabulate

    escape = markdown_escaped
    body = [
        [escape(cell(row, column)) for column in page.columns] for row in (*page.rows, *page.below)
    ]
    table = tabulate(
        body,
        headers=[escape(column.title) for column in page.columns],
        tablefmt="github",
        disable_numparse=True,
        colalign=["right" if c.numeric else "left" for c in page.columns] if body else None,
    )
    below = "".join(f"\n{escape(note)}\n" for note in page.remarks)
    return f"**{escape(page.title)}**\n\n{table}\n{below}"


def _latex(pages: Sequence[Page]) -> str:
    from resnet_inspect.tables.latex import latex

    return latex(pages)


def _html(pages: Sequence[Page]) -> str:
    from resnet_inspect.tables.html import document

    return document(pages)


PROSE = {"markdown": _markdown, "latex": _latex, "html": _html}
"""Formats for people."""

EXACT = ("csv", "json")
"""Formats for programs, which take every layer and every column."""

FORMATS = (*EXACT, *PROSE)
"""Formats of files and pipes; terminal.py has the terminal's own."""


def prose_text(pages: Sequence[Page], format: str) -> str:
    """What people read in one of PROSE; raises UnknownNameError."""
    if format not in PROSE:
        raise unknown("format", format, FORMATS)
    return PROSE[format](pages)


SUFFIXES: dict[str, str] = {
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".tex": "latex",
    ".html": "html",
    ".htm": "html",
}
