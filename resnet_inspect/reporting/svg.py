"""SVG fit for a page: colours that follow the reader's theme, names of its own, boxes with rows.

Pictures are drawn for a light page. Inside the page every colour becomes a variable of the style
sheet, which holds two values of it: the picture's own, and the one that the same picture has in
the dark theme.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.wiring import Wiring
from resnet_inspect.pictures.diagrams.cells import cells
from resnet_inspect.pictures.diagrams.to_dot import identifier
from resnet_inspect.pictures.diagrams.units import stages
from resnet_inspect.pictures.themes import THEMES
from resnet_inspect.reporting.contents import Drawing

_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"

Colours = dict[str, str]
"""A colour of the light theme -> its counterpart in the dark theme."""


BOX = "box-"
"""What the name of a box's element begins with, behind its picture's."""


class Box(NamedTuple):
    """A box of a diagram: its number, and the address of the first of its rows."""

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


def diagram_colours(drawings: Iterable[Drawing]) -> Colours:
    """The colours of diagrams; of several dark ones for a light one, the first is taken."""
    colours: Colours = {}
    for drawing in drawings:
        light, dark = (_COLOUR.findall(diagram.dot) for diagram in drawing)
        for bright, dim in zip(light, dark, strict=True):
            colours.setdefault(bright, dim)
    return colours


def inline_plot(svg: str, alt: str, prefix: str, colours: Mapping[str, str], kind: str) -> str:
    """A plot as an element of a page; alt says what it shows, kind which classes it has."""
    root = ET.fromstring(svg)
    root.attrib = {"class": kind, "role": "img", "aria-label": alt, **root.attrib}
    _remove(root, f"{_SVG}metadata")
    _remove(root, f"{_SVG}style")  # the page's style sheet says the same of plots
    return _inline(root, prefix, colours)


def inline_diagram(
    svg: str, alt: str, prefix: str, colours: Mapping[str, str], boxes: Mapping[str, Box]
) -> str:
    """A diagram as an element of a page.

    boxes: by the name of a node, the box that it is and the row that it links to.
    """
    root = ET.fromstring(svg)
    root.attrib = {"class": "diagram", "role": "group", "aria-label": alt, **root.attrib}
    _remove(root, f"{_SVG}style")  # font faces, which the page has once
    for name, node in _nodes(root).items():
        link = node.find(f"{_SVG}g/{_SVG}a")
        title = node.find(f"{_SVG}title")
        if link is None or title is None:
            continue
        title.text = link.get(f"{_XLINK}title", title.text)
        if box := boxes.get(name):
            node.attrib |= {"id": f"{BOX}{box.number}", "data-box": str(box.number)}
            link.set("href", f"#{box.row}")
    return _inline(root, prefix, colours)


def font_faces(svg: str) -> str:
    """The style sheet with the fonts that a diagram carries; '' where it carries none."""
    return ET.fromstring(svg).findtext(f"{_SVG}style", "")


def _remove(root: ET.Element, tag: str) -> None:
    for parent in list(root.iter()):
        for child in parent.findall(tag):
            parent.remove(child)


def _nodes(root: ET.Element) -> dict[str, ET.Element]:
    """The boxes of a diagram by the names of their nodes."""
    return {
        group.findtext(f"{_SVG}title", ""): group
        for group in root.iter(f"{_SVG}g")
        if group.get("class", "").startswith("node ")
    }


def _inline(root: ET.Element, prefix: str, colours: Mapping[str, str]) -> str:
    """The element as text, with ids that no other picture has and with the page's colours."""

    def variable_of(match: re.Match[str]) -> str:
        return f"var({variable(match[0])})" if match[0] in colours else match[0]

    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)  # HTML knows that an <svg> is SVG
        attributes, element.attrib = element.attrib, {}
        for key, value in attributes.items():
            if key == "id":
                value = f"{prefix}-{value}"
            elif key == f"{_XLINK}href":
                key, value = "href", f"#{prefix}-{value[1:]}"
            elif key not in ("href", "aria-label", f"{_XLINK}title"):
                value = _COLOUR.sub(variable_of, value.replace("url(#", f"url(#{prefix}-"))
            element.set(key.replace(_XLINK, "xlink:"), value)
    return ET.tostring(root, encoding="unicode")


def nodes_of_layers(graph: LayerGraph) -> dict[str, str]:
    """For every layer the node of its box in a diagram of its network's blocks.

    Blocks that are drawn once have the boxes of all their repeats.
    """
    readers = Wiring(graph.layers).readers
    found: dict[str, str] = {}
    for run in (run for stage in stages(graph) for run in stage.runs):
        drawn = (cell for unit in run.drawn for cell in cells(unit, "block", readers))
        holder = {layer.name: cell.name for cell in drawn for layer in cell.layers}
        for unit, layer, repeat in run.pairs:
            found[repeat.name] = identifier(holder.get(layer.name, unit.name))
    return found
