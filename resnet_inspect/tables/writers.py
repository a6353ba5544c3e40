"""Table -> text in a format; text or bytes -> a file that is whole or not there.

CSV and JSON hold exact values for programs; Markdown and LaTeX (booktabs), written by tabulate, and
HTML hold what people read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from resnet_inspect.errors import FormatError, unknown
from resnet_inspect.files import write_text
from resnet_inspect.networks.ops import show_shape
from resnet_inspect.tables.columns import Record, Value, show
from resnet_inspect.tables.table import Table


def _plain(value: Value) -> Value:
    return show_shape(value) if isinstance(value, tuple) else value


def _csv(table: Table) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.key for column in table.columns)
    writer.writerows([_plain(value) for value in row.values()] for row in table.records())
    return text.getvalue()


def _json(table: Table) -> str:
    import json

    # A table that has nothing to say about itself is a list of its rows.
    bare = not table.meta and table.total is None
    data = table.records() if bare else table.to_dict()
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def cells(table: Table) -> list[list[str]]:
    """The rows, the total and the references as text."""
    total = () if table.total is None else (table.total,)
    return [_texts(table, row) for row in (*table.rows, *total, *table.references)]


def _texts(table: Table, row: Record) -> list[str]:
    # A total has nothing to say in some columns; a row that has no value there does not know it.
    return [show(row[c.key], c.kind) if c.key in row else "" for c in table.visible]


def _tabulated(table: Table, style: str, escape: Callable[[str], str]) -> str:
    from tabulate import tabulate

    text = tabulate(
        [[escape(cell) for cell in row] for row in cells(table)],
        headers=[escape(column.title) for column in table.visible],
        tablefmt=style,
        disable_numparse=True,
        colalign=["right" if column.numeric else "left" for column in table.visible]
        if table.rows
        else None,
    )
    return str(text)


def _caveat(table: Table) -> tuple[str, ...]:
    if not table.partial:
        return ()
    return (f"At least: not counted are {', '.join(table.partial)}.",)


def _markdown(table: Table) -> str:
    def escape(text: str) -> str:
        return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")

    body = _tabulated(table, "github", escape)
    notes = "".join(f"\n{escape(note)}\n" for note in (*table.notes, *_caveat(table)))
    return f"**{escape(table.title)}**\n\n{body}\n{notes}"


def _latex(table: Table) -> str:
    body = _tabulated(table, "latex_booktabs", str)
    notes = "".join(
        f"% {line}\n"
        for note in (table.title, *table.notes, *_caveat(table))
        for line in note.splitlines()
    )
    return f"{notes}{body}\n"


def _html(table: Table) -> str:
    from jinja2 import Environment

    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    below = len(table.rows)
    return page.from_string(_HTML).render(
        title=table.title,
        columns=table.visible,
        rows=cells(table)[:below],
        totals=cells(table)[below:],
        notes=(*table.notes, *_caveat(table)),
    )


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


FORMATS: dict[str, Callable[[Table], str]] = {
    "csv": _csv,
    "json": _json,
    "markdown": _markdown,
    "latex": _latex,
    "html": _html,
}
"""Formats of files and pipes; the terminal's own is terminal.py's."""

SUFFIXES: dict[str, str] = {
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".tex": "latex",
    ".html": "html",
    ".htm": "html",
}

EXACT = ("csv", "json")
"""Formats for programs, which take every layer and every column."""


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's suffix means; raises FormatError."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise FormatError(
            f"{os.fspath(path)!r} has no suffix of a format that is known; "
            f"use {', '.join(SUFFIXES)}, or give a format"
        )
    return SUFFIXES[suffix]


def to_text(table: Table, format: str) -> str:
    """The table in a format; raises UnknownNameError."""
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    return FORMATS[format](table)


def write(table: Table, path: str | os.PathLike[str], format: str | None = None) -> None:
    """Write a table to a file, in the format of its suffix if none is given."""
    write_text(path, to_text(table, format or format_of(path)))
