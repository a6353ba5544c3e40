"""Pages -> HTML: a part of a notebook, or a document of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resnet_inspect.tables.columns import Column, Record, greatest, stacked
from resnet_inspect.tables.page import Page, cell


def fragment(pages: Sequence[Page]) -> str:
    """Tables for a notebook, whose colours they take."""
    return _rendered(_FRAGMENT, pages)


def document(pages: Sequence[Page]) -> str:
    """A page that a browser opens; it asks nothing of any network."""
    return _rendered(_DOCUMENT.replace("BODY", _FRAGMENT), pages)


def _rendered(template: str, pages: Sequence[Page]) -> str:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    functions = {"cell": cell, "bar": _bar, "greatest": greatest, "look": _look, "stacked": stacked}
    return environment.from_string(template).render(pages=pages, **functions)


def _look(column: Column) -> str:
    """The class of a column's cells."""
    return "n" if column.numeric else column.kind if column.kind in ("share", "prose") else ""


def _bar(row: Record, column: Column, most: Mapping[str, float]) -> str:
    """How long the bar of a share is, in percent of the cell; '' where there is none."""
    value = row.get(column.key)
    if not value or column.key not in most or not isinstance(value, float):
        return ""
    return f"{100 * value / most[column.key]:.1f}%"


# Greys and blues that show on light and on dark: a notebook's theme is not known here.
_FRAGMENT = """\
{% macro stack(row, column) %}
{%- for part in stacked(cell(row, column)) -%}
{%- if part.times -%}
<div><span class="stack">{{ part.lines | join("\n") }}</span> x {{ part.times }}</div>
{%- else -%}
<div>{{ part.lines[0] }}</div>
{%- endif -%}
{%- endfor -%}
{% endmacro %}
{% macro line(page, row, most) %}
<tr>
{%- for column in page.columns -%}
{%- set size = bar(row, column, most) -%}
<td{% if look(column) %} class="{{ look(column) }}"{% endif %}
{%- if size %} style="background-size: {{ size }} 70%"{% endif %}>
{%- if column.kind == "stack" %}{{ stack(row, column) }}{% else %}{{ cell(row, column) }}
{%- endif -%}
</td>
{%- endfor -%}
</tr>
{% endmacro %}
<div class="resnet-inspect">
<style>
.resnet-inspect .scroll { overflow-x: auto; max-width: 100%; }
.resnet-inspect .scroll table { border-collapse: collapse; border: 0; margin: 0; color: inherit;
  table-layout: auto; font-size: .875em; font-variant-numeric: tabular-nums; }
.resnet-inspect .scroll caption { caption-side: top; padding: .4em .7em; text-align: left;
  font-weight: 600; color: inherit; }
.resnet-inspect .scroll th, .resnet-inspect .scroll td { padding: .25em .7em; border: 0;
  text-align: left; vertical-align: top; white-space: nowrap; }
.resnet-inspect .scroll .n, .resnet-inspect .scroll .share { text-align: right; }
.resnet-inspect .scroll .prose { white-space: normal; min-width: 14em; }
.resnet-inspect .scroll td.share { min-width: 8em;
  background: linear-gradient(#4a8fd955, #4a8fd955) no-repeat left / 0; }
.resnet-inspect .scroll .stack { display: inline-block; vertical-align: middle;
  white-space: pre-line; padding: 0 .35em; border: solid currentColor; border-width: 0 1px; }
.resnet-inspect .scroll thead { border-bottom: 1px solid #888c; }
.resnet-inspect .scroll tbody + tbody { border-top: 1px solid #8886; }
.resnet-inspect .scroll tfoot { border-top: 1px solid #888c; font-weight: 600; }
.resnet-inspect .scroll tfoot tr + tr { font-weight: 400; }
.resnet-inspect p { margin: .25em 0; padding: 0 .6em; font-size: .8125em; opacity: .8; }
.resnet-inspect p + .scroll, .resnet-inspect .scroll + .scroll { margin-top: 1.5em; }
</style>
{% for page in pages %}
<div class="scroll">
<table>
<caption>{{ page.title }}</caption>
<thead>
<tr>
{%- for column in page.columns -%}
<th scope="col"{% if look(column) %} class="{{ look(column) }}"{% endif %}>{{ column.title }}</th>
{%- endfor -%}
</tr>
</thead>
{% set most = greatest(page.rows, page.columns) %}
{% for rows in page.groups %}
<tbody>
{% for row in rows %}{{ line(page, row, most) }}{% endfor %}
</tbody>
{% endfor %}
{% if page.below %}
<tfoot>
{% for row in page.below %}{{ line(page, row, {}) }}{% endfor %}
</tfoot>
{% endif %}
</table>
</div>
{% for note in page.remarks %}
<p>{{ note }}</p>
{% endfor %}
{% endfor %}
</div>
"""

_DOCUMENT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ pages[0].title }}</title>
<style>
body { margin: 2rem auto; max-width: 84rem; padding: 0 1.25rem;
  color: #1a1d21; background: #fff;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
@media screen and (prefers-color-scheme: dark) { body { color: #eef1f5; background: #12161c; } }
</style>
</head>
<body>
BODY</body>
</html>
"""
