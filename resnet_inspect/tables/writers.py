"""Columns and rows -> text in a format.

CSV and JSON hold exact values for programs; Markdown and LaTeX (booktabs), written by tabulate, and
HTML hold what people read: cells of text under columns, with a title and notes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from resnet_inspect.networks.ops import show_shape
from resnet_inspect.tables.characters import STEERING, visible, visible_lines
from resnet_inspect.tables.columns import Column, Record, Value, show

Cells = Sequence[Sequence[str]]


class Page(NamedTuple):
    """What people read: the text of a table."""

    title: str
    columns: Sequence[Column]
    rows: Cells
    totals: Cells
    notes: Sequence[str]


def cells(columns: Sequence[Column], rows: Iterable[Record]) -> list[list[str]]:
    """Rows as text; '' where a row has no value for a column, '?' where it has an unknown one."""
    return [[show(row[c.key], c.kind) if c.key in row else "" for c in columns] for row in rows]


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


def _tabulated(columns: Sequence[Column], body: Cells, style: str) -> str:
    from tabulate import tabulate

    text = tabulate(
        body,
        headers=[column.title for column in columns],
        tablefmt=style,
        disable_numparse=True,
        colalign=["right" if column.numeric else "left" for column in columns] if body else None,
    )
    return str(text)


def markdown_escaped(text: str) -> str:
    """Text that Markdown takes for nothing but text: no link, image, mark-up or address."""
    return _MARKS.sub(r"\\\g<0>", visible(text))


_MARKS = re.compile(
    r"[\\`*\[\]<>#|&!$]|~(?=\S)|(?<=\S)~|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.|@",
    re.IGNORECASE,
)
"""What Markdown has meanings for, as GitHub reads it; an underscore inside a word has none."""


def _markdown(page: Page) -> str:
    escape = markdown_escaped
    rows = [[escape(cell) for cell in row] for row in (*page.rows, *page.totals)]
    headed = [column._replace(title=escape(column.title)) for column in page.columns]
    below = "".join(f"\n{escape(note)}\n" for note in page.notes)
    return f"**{escape(page.title)}**\n\n{_tabulated(headed, rows, 'github')}\n{below}"


def _latex(page: Page) -> str:
    # A bracket or star behind the end of a row would belong to it.
    rows = [
        [f"{_APART}{first}" if first[:1] in ("[", "*") else first, *others]
        for first, *others in (*page.rows, *page.totals)
    ]
    comments = "".join(f"% {line}\n" for line in (page.title, *page.notes))
    return latex_spelled(f"{comments}{_tabulated(page.columns, rows, 'latex_booktabs')}\n")


_APART = "\ue000"

_LATEX = {
    _APART: "{}",
    **{sign: f"$\\{command}$" for sign, command in {
        "×": "times", "·": "cdot", "±": "pm", "→": "rightarrow", "≠": "neq", "≤": "leq",
        "≥": "geq", "≈": "approx", "∞": "infty", "∥": "parallel",
        "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil",
    }.items()},
    "²": "$^2$", "³": "$^3$", "−": "$-$", "–": "--", "—": "---", "…": "\\dots{}",
}  # fmt: skip
_MARKS_ABOVE = "\u0300\u0301\u0302\u0303\u0304\u0307\u0308\u030a\u030c\u0327"
_ACCENTS = dict(zip(_MARKS_ABOVE, "`'^~=.\"rvc", strict=True))


def latex_spelled(text: str) -> str:
    """LaTeX in ASCII, which every engine takes: signs and accents as commands."""
    return text if text.isascii() else _BEYOND.sub(lambda match: _in_latex(match[0]), text)


_BEYOND = re.compile(r"[^\x00-\x7f]")


def _in_latex(char: str) -> str:
    if char in _LATEX:
        return _LATEX[char]
    parts = unicodedata.normalize("NFD", char)
    if parts[0].isascii() and parts[1:] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1:]]}{{{parts[0]}}}"
    return f"[U+{ord(char):04X}]"


def _html(page: Page) -> str:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_HTML).render(page._asdict())


_HTML = """\
{% macro row(cells, columns) %}
<tr>
{%- for cell in cells -%}
<td{% if columns[loop.index0].numeric %} style="text-align: right"{% endif %}>{{ cell }}</td>
{%- endfor -%}
</tr>
{% endmacro %}
<table>
<caption>{{ title }}</caption>
<thead>
<tr>{% for column in columns %}<th scope="col">{{ column.title }}</th>{% endfor %}</tr>
</thead>
<tbody>
{% for cells in rows %}{{ row(cells, columns) }}{% endfor %}
</tbody>
{% if totals %}
<tfoot>
{% for cells in totals %}{{ row(cells, columns) }}{% endfor %}
</tfoot>
{% endif %}
</table>
{% for note in notes %}
<p>{{ note }}</p>
{% endfor %}
"""


PROSE = {"markdown": _markdown, "latex": _latex, "html": _html}
"""Formats for people."""

EXACT = ("csv", "json")
"""Formats for programs, which take every layer and every column."""

FORMATS = (*EXACT, *PROSE)
"""Formats of files and pipes; terminal.py has the terminal's own."""

SUFFIXES: dict[str, str] = {
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".tex": "latex",
    ".html": "html",
    ".htm": "html",
}
