"""Columns and rows -> text in a format.

CSV and JSON hold exact values for programs; Markdown and LaTeX (booktabs), written by tabulate, and
HTML hold what people read: cells of text under columns, with a title and notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from resnet_inspect.networks.ops import show_shape
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
        return show_shape(value) if isinstance(value, tuple) else value

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([flat(row[key]) for key in keys] for row in rows)
    return text.getvalue()


def json_text(data: Any) -> str:
    """Data as indented JSON."""
    import json

    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


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


def _markdown(page: Page) -> str:
    def escape(text: str) -> str:
        return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")

    rows = [[escape(cell) for cell in row] for row in (*page.rows, *page.totals)]
    headed = [column._replace(title=escape(column.title)) for column in page.columns]
    below = "".join(f"\n{escape(note)}\n" for note in page.notes)
    return f"**{escape(page.title)}**\n\n{_tabulated(headed, rows, 'github')}\n{below}"


def _latex(page: Page) -> str:
    lines = [line for text in (page.title, *page.notes) for line in text.splitlines()]
    rows = [*page.rows, *page.totals]
    comments = "".join(f"% {line}\n" for line in lines)
    return f"{comments}{_tabulated(page.columns, rows, 'latex_booktabs')}\n"


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
