"""index.html: a page that holds everything it needs, and asks nothing of any network.

Styles, script, fonts and pictures are inside. Text is escaped by jinja2; pictures are markup of
this package and of libraries that escape their input. A content security policy lets the page run
its own script and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from resnet_inspect.networks.ops import elements
from resnet_inspect.reporting.contents import BLOCKS, CONVENTIONS, OVERVIEW, Part, Report
from resnet_inspect.reporting.svg import (
    BOX,
    Box,
    Colours,
    diagram_colours,
    font_faces,
    inline_diagram,
    inline_plot,
    nodes_of_layers,
    plot_colours,
    variable,
)
from resnet_inspect.tables.characters import visible
from resnet_inspect.tables.columns import Column, Record, Value, show
from resnet_inspect.tables.network import COUNTED
from resnet_inspect.tables.table import Sheet, Table


class Cell(NamedTuple):
    """A value as people read it; as it is sorted, where the text does not say; and as a bar.

    bar: of a share, how long it is, 1 for the column's greatest.
    """

    text: str
    value: str | None = None
    bar: float | None = None


class Link(NamedTuple):
    """What ties a row to a diagram: its address, its box's number, and the box's address."""

    id: str = ""
    box: int | None = None
    link: str = ""


class Row(NamedTuple):
    """A row of a table, and what ties it to a diagram."""

    cells: tuple[Cell, ...]
    tie: Link = Link()


class Group(NamedTuple):
    """Rows that are set apart; name and sums of those that can be folded away."""

    name: str
    sums: str
    rows: tuple[Row, ...]


class View(NamedTuple):
    """A table, ready for the page. key: what it is called there."""

    key: str
    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    totals: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]
    folds: bool


def html(report: Report, pictures: Mapping[str, str]) -> str:
    """The page of a report; pictures: its SVG files' text, by their paths."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("resnet_inspect.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda said: visible(said) if type(said) is str else said,
    )
    script, style = _resource("report.js"), _resource("report.css")
    plots, diagrams = plot_colours(), diagram_colours(report.drawings)

    def picture(path: str, alt: str) -> Markup:
        return Markup(
            inline_plot(pictures[f"{path}.svg"], visible(alt), path.replace("/", "-"), plots)
        )

    def drawing(path: str, alt: str, boxes: Mapping[str, Box]) -> Markup:
        svg = pictures[f"{path}.svg"]
        return Markup(inline_diagram(svg, visible(alt), path.replace("/", "-"), diagrams, boxes))

    faces = font_faces(pictures[f"{BLOCKS}/diagram.svg"])
    return environment.get_template("index.html.jinja").render(
        report=report,
        version=version("resnet-inspect"),
        style=Markup(f"{faces}\n{_palette(plots, diagrams)}\n{style}"),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        overview=_views(OVERVIEW, report.overview),
        blocks=list(_views(BLOCKS, report.blocks).values()),
        parts=[_section(part, pictures) for part in report.parts],
        conventions=list(_views(CONVENTIONS, report.conventions).values()),
        picture=picture,
        drawing=drawing,
    )


def _views(folder: str, sheet: Sheet) -> dict[str, View]:
    return {name: view(f"{folder}/{name}", table) for name, table in sheet.tables.items()}


def _resource(name: str) -> str:
    return (files("resnet_inspect.reporting") / "templates" / name).read_text(encoding="utf-8")


def _palette(plots: Colours, diagrams: Colours) -> str:
    """The colours of pictures as variables: their own, and in the dark the other theme's."""

    def rules(dark: bool) -> str:
        lines = []
        for selector, colours in ((".plot", plots), (".diagram", diagrams)):
            pairs = ((variable(own), other if dark else own) for own, other in colours.items())
            lines.append(f"{selector}{{{';'.join(map(':'.join, pairs))}}}")
        return "".join(lines)

    return f"{rules(False)}\n@media screen and (prefers-color-scheme:dark){{{rules(True)}}}"


class Section(NamedTuple):
    """A network's part of the page."""

    part: Part
    stages: View
    layers: View
    published: View | None
    boxes: dict[str, Box]


def _section(part: Part, pictures: Mapping[str, str]) -> Section:
    slug = part.slug
    nodes = nodes_of_layers(part.graph, pictures[f"{slug}/diagram.svg"])
    boxes: dict[str, Box] = {}
    links = []
    for number, row in enumerate(part.layers.rows):
        address = f"{slug}-row-{number}"
        box = boxes.setdefault(nodes[str(row["name"])], Box(len(boxes), address)).number
        links.append(Link(address, box, f"{slug}-diagram-{BOX}{box}"))
    return Section(
        part,
        view(f"{slug}/stages", part.stages),
        view(f"{slug}/layers", part.layers, _stage_sums(part), links),
        view(f"{slug}/published", part.published) if part.published else None,
        boxes,
    )


def _stage_sums(part: Part) -> dict[str, str]:
    """What a stage's name is followed by above its rows, from the table of stages."""
    columns = {column.key: column for column in part.stages.columns}
    counts = [(key, columns[key].title) for key in ("macs", COUNTED) if key in columns]
    return {
        str(row["name"]): ", ".join(
            f"{show(row[key], columns[key].kind)} {words}"
            for key, words in (("params", "parameters"), *counts)
        )
        for row in part.stages.rows
    }


def view(
    key: str, table: Table, sums: Mapping[str, str] | None = None, links: Sequence[Link] = ()
) -> View:
    """A table for the page.

    sums: makes its groups fold, and follows each one's name. links: of its rows, to boxes.
    """
    columns, greatest = table.visible, _greatest(table)
    cells = [_cells(record, columns, greatest) for record in table.rows]
    rows = list(map(Row, cells, links) if links else map(Row, cells))
    names = [str(record.get(table.group)) if table.group else "" for record in table.rows]
    together = groupby(zip(names, rows, strict=True), key=itemgetter(0))
    return View(
        key=key,
        title=table.title,
        columns=columns,
        groups=tuple(
            Group(name, sums.get(name, "") if sums else "", tuple(row for _, row in group))
            for name, group in together
        ),
        totals=tuple(_cells(record, columns, {}) for record in table.below),
        notes=(*([table.caveat] if table.partial else []), *table.notes),
        folds=sums is not None,
    )


def _cells(
    record: Record, columns: Sequence[Column], greatest: Mapping[str, float]
) -> tuple[Cell, ...]:
    def cell(key: str, kind: str) -> Cell:
        if key not in record:
            return Cell("")
        value, most = record[key], greatest.get(key)
        bar = round(value / most, 4) if most and isinstance(value, float) else None
        return Cell(show(value, kind), _sorted_by(value, kind), bar)

    return tuple(cell(column.key, column.kind) for column in columns)


def _greatest(table: Table) -> dict[str, float]:
    """The greatest of each column of shares, where there is one above 0."""
    found = {}
    for column in table.visible:
        values = [row.get(column.key) for row in table.rows]
        shares = [value for value in values if isinstance(value, float)]
        if column.kind == "share" and max(shares, default=0.0) > 0:
            found[column.key] = max(shares)
    return found


def _sorted_by(value: Value, kind: str) -> str | None:
    """The exact value where the text rounds it or puts it in words."""
    if kind in ("bytes", "share", "ratio", "number") and isinstance(value, int | float):
        return repr(value)
    if kind in ("shape", "pair") and isinstance(value, tuple):
        return str(elements(value)) if all(isinstance(n, int) for n in value) else str(value[0])
    return None
