"""index.html: a page that holds everything it needs, fonts and pictures too.

Pictures are markup of this package and of libraries that escape their input; all else is text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from resnet_inspect.pictures.page_size import page_size
from resnet_inspect.pictures.plots.plot import Plot
from resnet_inspect.pictures.web_page import resource, web_page
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
from resnet_inspect.reporting.views import Link, View, pivot, view
from resnet_inspect.tables.characters import visible
from resnet_inspect.tables.columns import show
from resnet_inspect.tables.network import COUNTED
from resnet_inspect.tables.table import Sheet

_PACKAGE = "resnet_inspect.reporting"


def html(report: Report, pictures: Mapping[str, str]) -> str:
    """The page of a report; pictures: its SVG files' text, by their paths."""
    from markupsafe import Markup

    plots, diagrams = plot_colours(), diagram_colours(report.drawings)

    def picture(path: str, plot: Plot) -> Markup:
        """A plot as it is, and as narrow pages have it; the style sheet shows one of them."""
        alt, prefix = visible(plot.alt), path.replace("/", "-")
        narrow = replace(plot, page=page_size(PHONE)).to_svg()
        whole = inline_plot(pictures[f"{path}.svg"], alt, prefix, plots, "plot")
        return Markup(whole + inline_plot(narrow, alt, f"{prefix}-n", plots, "plot narrow"))

    def drawing(path: str, alt: str, boxes: Mapping[str, Box]) -> Markup:
        svg = pictures[f"{path}.svg"]
        return Markup(inline_diagram(svg, visible(alt), path.replace("/", "-"), diagrams, boxes))

    faces = font_faces(pictures[f"{report.parts[0].slug}/diagram.svg"])
    return web_page(
        _PACKAGE,
        "index.html.jinja",
        style=f"{faces}\n{_palette(plots, diagrams)}\n{resource(_PACKAGE, 'report.css')}",
        script=resource(_PACKAGE, "report.js"),
        report=report,
        overview=_overview(report),
        blocks=list(_views(BLOCKS, report.blocks.sheet).values()) if report.blocks else [],
        parts=[_section(part) for part in report.parts],
        conventions=list(_views(CONVENTIONS, report.conventions).values()),
        picture=picture,
        drawing=drawing,
    )


PIVOTED = (
    *("macs", COUNTED, "share", "params", "params_share"),
    *("activations", "layers", "blocks", "output_shape"),
)
"""What is set side by side of all networks, by stage and by part."""


def _overview(report: Report) -> dict[str, View]:
    """The tables of a comparison; a network alone is not set beside itself stage by stage."""
    views = _views(OVERVIEW, report.overview)
    if len(report.parts) == 1:
        del views["stage"]
        return views
    for name, row in (("stage", "stage"), ("where", "role")):
        table = report.overview[name]
        shown = {column.key for column in table.visible}
        measures = [key for key in PIVOTED if key in shown]
        views[name] = pivot(f"{OVERVIEW}/{name}", table, row, "model", measures)
    return views


def _views(folder: str, sheet: Sheet) -> dict[str, View]:
    return {name: view(f"{folder}/{name}", table) for name, table in sheet.tables.items()}


def _palette(plots: Colours, diagrams: Colours) -> str:
    """The colours of pictures as variables: their own, and in the dark the other theme's."""

    def rules(dark: bool) -> str:
        lines = []
        for selector, colours in ((".plot", plots), (".diagram", diagrams)):
            pairs = ((variable(own), other if dark else own) for own, other in colours.items())
            lines.append(f"{selector}{{{';'.join(map(':'.join, pairs))}}}")
        return "".join(lines)

    return f"{rules(False)}\n@media screen and (prefers-color-scheme:dark){{{rules(True)}}}"


PHONE = "4.4in"
"""The width for which plots of narrow pages are drawn."""


class Section(NamedTuple):
    """A network's part of the page."""

    part: Part
    stages: View
    layers: View
    published: View | None
    boxes: dict[str, Box]


def _section(part: Part) -> Section:
    slug = part.slug
    nodes = nodes_of_layers(part.graph)
    boxes: dict[str, Box] = {}
    links = []
    for number, row in enumerate(part.layers.rows):
        address = f"{slug}-row-{number}"
        box = boxes.setdefault(nodes[str(row["name"])], Box(len(boxes), address)).number
        links.append(Link(address, box, f"{slug}-diagram-{BOX}{box}"))
    return Section(
        part,
        view(f"{slug}/stages", part.stages, f"Stages of {part.name}"),
        view(f"{slug}/layers", part.layers, f"Layers of {part.name}", _stage_sums(part), links),
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
