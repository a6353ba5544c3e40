"""index.html: a page that holds everything it needs, and asks nothing of any network.

Styles, script, fonts and pictures are inside. Text is escaped by jinja2; pictures are markup of
this package and of libraries that escape their input. A content security policy lets the page run
its own script and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
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
from resnet_inspect.tables.columns import Column, Record, Value, show
from resnet_inspect.tables.network import COUNTED
from resnet_inspect.tables.table import Table


class Cell(NamedTuple):
    """A value as people read it; as it is sorted, where the text does not say; and as a bar.

    bar: of a share, how long it is, 1 for the column's greatest.
    """

    text: str
    value: str | None = None
    bar: float | None = None


class Row(NamedTuple):
    """A row of a table. box, link: its box in the diagram, and the box's address."""

    cells: tuple[Cell, ...]
    id: str = ""
    box: int | None = None
    link: str = ""


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
    )
    script, style = _resource("report.js"), _resource("report.css")
    plots, diagrams = plot_colours(), _diagram_colours(report)

    def picture(path: str, alt: str) -> Markup:
        return Markup(inline_plot(pictures[f"{path}.svg"], alt, path.replace("/", "-"), plots))

    def drawing(path: str, alt: str, boxes: Mapping[str, Box]) -> Markup:
        svg = pictures[f"{path}.svg"]
        return Markup(inline_diagram(svg, alt, path.replace("/", "-"), diagrams, boxes))

    faces = font_faces(pictures[f"{BLOCKS}/diagram.svg"])
    return environment.get_template("index.html.jinja").render(
        report=report,
        version=version("resnet-inspect"),
        style=Markup(f"{faces}\n{_palette(plots, diagrams)}\n{style}"),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        overview={
            name: view(f"{OVERVIEW}/{name}", table)
            for name, table in report.overview.tables.items()
        },
        blocks=[view(f"{BLOCKS}/{name}", table) for name, table in report.blocks.tables.items()],
        parts=[_section(part, pictures) for part in report.parts],
        conventions=[
            view(f"{CONVENTIONS}/{name}", table)
            for name, table in report.conventions.tables.items()
        ],
        picture=picture,
        drawing=drawing,
    )


def _resource(name: str) -> str:
    return (files("resnet_inspect.reporting") / "templates" / name).read_text(encoding="utf-8")


def _diagram_colours(report: Report) -> Colours:
    light = [*(part.diagram for part in report.parts), report.block_diagram]
    dark = [*(part.diagram_in_the_dark for part in report.parts), report.block_diagram_in_the_dark]
    return diagram_colours(light, dark)


def _palette(plots: Colours, diagrams: Colours) -> str:
    """The colours of pictures as variables: their own, and in the dark the other theme's."""

    def rule(selector: str, pairs: Iterator[tuple[str, str]]) -> str:
        body = ";".join(f"{variable(name)}:{colour}" for name, colour in pairs)
        return f"{selector}{{{body}}}"

    def both(selector: str, colours: Colours) -> tuple[str, str]:
        return (
            rule(selector, ((name, name) for name in colours)),
            rule(selector, iter(colours.items())),
        )

    light, dark = zip(both(".plot", plots), both(".diagram", diagrams), strict=True)
    return f"{''.join(light)}\n@media screen and (prefers-color-scheme:dark){{{''.join(dark)}}}"


class Section(NamedTuple):
    """A network's part of the page."""

    part: Part
    stages: View
    layers: View
    published: View | None
    boxes: dict[str, Box]


def _section(part: Part, pictures: Mapping[str, str]) -> Section:
    nodes = nodes_of_layers(part.graph, pictures[f"{part.slug}/diagram.svg"])
    boxes: dict[str, Box] = {}
    of_row: list[int] = []
    for number, row in enumerate(part.layers.rows):
        node = nodes[str(row["name"])]
        box = boxes.setdefault(node, Box(len(boxes), row_address(part.slug, number)))
        of_row.append(box.number)
    return Section(
        part,
        view(f"{part.slug}/stages", part.stages),
        view(
            f"{part.slug}/layers", part.layers, _stage_sums(part), Linked(part.slug, tuple(of_row))
        ),
        view(f"{part.slug}/published", part.published) if part.published is not None else None,
        boxes,
    )


def _stage_sums(part: Part) -> dict[str, str]:
    """What a stage's name is followed by above its rows, from the table of stages."""
    columns = {column.key: column for column in part.stages.columns}
    return {
        str(row["name"]): ", ".join(
            f"{show(row[key], columns[key].kind)} {words}"
            for key, words in (("params", "parameters"), *_counts(columns))
        )
        for row in part.stages.rows
    }


def _counts(columns: Mapping[str, Column]) -> list[tuple[str, str]]:
    """The column of what is counted, and what that is called."""
    return [(key, columns[key].title) for key in ("macs", COUNTED) if key in columns]


class Linked(NamedTuple):
    """What ties a table to a diagram: the network's slug, and for every row the box's number."""

    slug: str
    boxes: tuple[int, ...]

    def row(self, number: int, cells: tuple[Cell, ...]) -> Row:
        box = self.boxes[number]
        return Row(cells, row_address(self.slug, number), box, box_address(self.slug, box))


def row_address(slug: str, number: int) -> str:
    return f"{slug}-row-{number}"


def box_address(slug: str, number: int) -> str:
    return f"{slug}-diagram-{BOX}{number}"


def view(
    key: str, table: Table, sums: Mapping[str, str] | None = None, linked: Linked | None = None
) -> View:
    """A table for the page.

    sums: makes its groups fold, and follows each one's name. linked: ties its rows to boxes.
    """
    columns, greatest = table.visible, _greatest(table)
    groups: list[tuple[str, list[Row]]] = []
    for number, record in enumerate(table.rows):
        name = str(record.get(table.group)) if table.group else ""
        if not groups or groups[-1][0] != name:
            groups.append((name, []))
        cells = _cells(record, columns, greatest)
        groups[-1][1].append(linked.row(number, cells) if linked else Row(cells))
    return View(
        key=key,
        title=table.title,
        columns=columns,
        groups=tuple(
            Group(name, sums.get(name, "") if sums else "", tuple(rows)) for name, rows in groups
        ),
        totals=tuple(_cells(record, columns) for record in table.below),
        notes=(*([table.caveat] if table.partial else []), *table.notes),
        folds=sums is not None,
    )


def _cells(
    record: Record, columns: Sequence[Column], greatest: Mapping[str, float] | None = None
) -> tuple[Cell, ...]:
    made = []
    for column in columns:
        if column.key not in record:
            made.append(Cell(""))
            continue
        value, bar = record[column.key], None
        if greatest and column.key in greatest and isinstance(value, float):
            bar = round(value / greatest[column.key], 4)
        made.append(Cell(show(value, column.kind), _sorted_by(value, column.kind), bar))
    return tuple(made)


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
