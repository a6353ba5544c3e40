"""SVG fit for a page: colours that follow the reader's theme, names of its own, boxes with rows.

Pictures are drawn for a light page. Inside the page every colour becomes a variable of the style
sheet, which holds two values of it: the picture's own, and the one that the same picture has in
the dark theme.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape, unescape
from typing import NamedTuple

from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pictures.diagrams.diagram import Diagram
from resnet_inspect.pictures.diagrams.dot import identifier
from resnet_inspect.pictures.diagrams.units import Unit, stages
from resnet_inspect.pictures.themes import THEMES

_COLOUR = re.compile(r"#[0-9a-f]{6}\b")


_NODE = re.compile(
    r'<g id="(?P<id>[^"]*)" class="node (?P<kind>[^"]*)">\s*<title>(?P<title>[^<]*)</title>\s*'
    r'(?P<inner><g id="[^"]*"><a xlink:title="(?P<note>[^"]*)">)?'
)

font_faces = re.compile(r"<style>(@font-face.*?)</style>", re.DOTALL)
"""The fonts that a diagram carries; a page carries them once for all."""

Colours = dict[str, str]
"""A colour of the light theme -> the one that stands for it in the dark theme."""


BOX = "box-"
"""What the name of a box's element begins with, behind its picture's."""


class Box(NamedTuple):
    """A box of a diagram: its number, and the address of the first row that it stands for."""

    number: int
    row: str


def variable(colour: str) -> str:
    """The style sheet's name for a colour: #0072b2 is --p0072b2."""
    return f"--p{colour[1:]}"


def plot_colours() -> Colours:
    """The colours of all plots."""
    light, dark = (
        (theme.page, theme.ink, theme.muted, theme.grid, theme.band, *theme.series)
        for theme in (THEMES["light"], THEMES["dark"])
    )
    return dict(zip(light, dark, strict=True))


def diagram_colours(light: Sequence[Diagram], dark: Sequence[Diagram]) -> Colours:
    """The colours of diagrams, from the same drawings in both themes.

    Where one light colour stands for several dark ones, the first of them is taken.
    """
    found: Colours = {}
    for one, other in zip(light, dark, strict=True):
        pairs = zip(_COLOUR.findall(one.dot), _COLOUR.findall(other.dot), strict=True)
        for bright, dim in pairs:
            found.setdefault(bright, dim)
    return found


def inline_plot(svg: str, alt: str, prefix: str, colours: Mapping[str, str]) -> str:
    """A plot as an element of a page; alt says what it shows."""
    svg = _element(svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # What this style sheet says of every element, the page's says of plots.
    svg = re.sub(r"<style type=.text/css.>.*?</style>", "", svg, flags=re.DOTALL)
    label = f'role="img" aria-label="{escape(alt)}"'
    return _finished(svg, f'class="plot" {label}', prefix, colours)


def inline_diagram(
    svg: str, alt: str, prefix: str, colours: Mapping[str, str], boxes: Mapping[str, Box]
) -> str:
    """A diagram as an element of a page.

    boxes: by the name of a node, the box that it is and the row that it stands for.
    """
    svg = _NODE.sub(_linked(boxes), font_faces.sub("", _element(svg), count=1))
    label = f'role="group" aria-label="{escape(alt)}"'
    return _finished(svg, f'class="diagram" {label}', prefix, colours)


def _finished(svg: str, attributes: str, prefix: str, colours: Mapping[str, str]) -> str:
    """With names that no other picture on the page has, and the page's colours."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    svg = re.sub(r'\bxlink:href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    svg = _COLOUR.sub(
        lambda match: f"var({variable(match[0])})" if match[0] in colours else match[0], svg
    )
    return svg.replace("<svg ", f"<svg {attributes} ", 1)


def _element(svg: str) -> str:
    """An SVG file's element alone, without comments."""
    return re.sub(r"<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL).strip()


def _linked(boxes: Mapping[str, Box]) -> Callable[[re.Match[str]], str]:
    def replaced(match: re.Match[str]) -> str:
        note = match["note"] or match["title"]
        opening = match["inner"] or ""
        box = boxes.get(unescape(match["title"]))
        name, data = match["id"], ""
        if box is not None and opening:
            name, data = f"{BOX}{box.number}", f' data-box="{box.number}"'
            opening = opening.replace("<a ", f'<a href="#{box.row}" ', 1)
        return f'<g id="{name}" class="node {match["kind"]}"{data}><title>{note}</title>{opening}'

    return replaced


def nodes_of_layers(graph: LayerGraph, svg: str) -> dict[str, str]:
    """For every layer the node that stands for it in a diagram of its network.

    Blocks that are drawn once stand for all of their repeats.
    """
    there = {unescape(match["title"]) for match in _NODE.finditer(svg)}
    return {
        layer.name: _node_of(drawn, shown.name, there)
        for stage in stages(graph)
        for run in stage.runs
        for repeat in run.repeats
        for unit, drawn in zip(repeat, run.drawn, strict=True)
        for layer, shown in zip(unit.layers, drawn.layers, strict=True)
    }


def _node_of(unit: Unit, layer: str, there: set[str]) -> str:
    """A layer's own node, that of the shortcut it lies on, or its block's."""
    if identifier(layer) in there:
        return identifier(layer)
    for cut in unit.shortcuts:
        node = identifier(f"{unit.name}/{cut.end}")
        if node in there and any(member.name == layer for member in cut.layers):
            return node
    return identifier(unit.name)
