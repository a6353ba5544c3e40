"""Diagrams in which shortcuts and repeats can be seen.

    diagram(graph)                            # a Diagram, which a notebook shows
    diagram(graph).write("resnet34.svg")      # svg, png, pdf or dot, by the suffix
    diagram(graph).write("resnet34.html")     # a page that folds and unfolds
    diagram(plain34, resnet34)                # side by side, stages aligned
    block_diagram("bottleneck", channels=256) # one block with its arithmetic
    diff_diagram(resnet50, resnet50d)         # side by side, differences coloured

Drawn with the graphviz package and rendered in process by pygraphviz; both load when they are
needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.files import format_of, write_bytes
from resnet_inspect.networks.alignment import align, marks
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Pair
from resnet_inspect.networks.single_block import block_graph
from resnet_inspect.pictures.diagrams.dot import Style
from resnet_inspect.pictures.diagrams.draw import DIRECTIONS, LEVELS, draw
from resnet_inspect.pictures.diagrams.fills import CHANGE, COLOR_BY
from resnet_inspect.pictures.diagrams.render import FORMATS as PICTURES
from resnet_inspect.pictures.diagrams.render import RENDERERS, RenderError, render
from resnet_inspect.pictures.themes import THEMES, theme_named

__all__ = [
    "COLOR_BY",
    "DIRECTIONS",
    "FORMATS",
    "LEVELS",
    "MOST",
    "RENDERERS",
    "THEMES",
    "Diagram",
    "RenderError",
    "block_diagram",
    "block_graph",
    "diagram",
    "diff_diagram",
]

PAGE = "html"
FORMATS = (*PICTURES, PAGE)
SUFFIXES = {f".{name}": name for name in FORMATS}

MOST = 3
"""Networks that fit side by side."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A drawing: its DOT source, and what it is of."""

    of: str
    dot: str = field(repr=False)
    graphs: tuple[LayerGraph, ...] = field(repr=False)
    style: Style = field(repr=False)

    def render(self, format: str = "svg", renderer: str = "pygraphviz") -> bytes:
        """The picture in one of FORMATS, drawn in process or by an installed 'dot'.

        'html' is a page that holds all levels and opens at this one. Raises UnknownNameError, and
        RenderError where Graphviz is missing or fails.
        """
        if format == PAGE:
            return self._page().encode("utf-8", "replace")
        if format not in FORMATS:
            raise unknown("format", format, FORMATS)
        return render(self.dot, format, renderer)

    def _page(self) -> str:
        from resnet_inspect.pictures.diagrams.interactive.page import html

        style = self.style
        if not style.down:
            raise InspectError("a page runs down; leave --direction out, or draw a picture")
        return html(
            self.graphs,
            level=style.level,
            expand=style.expand,
            color_by=style.color_by,
            theme=style.theme.name,
            marks=style.marks,
        )

    def write(
        self, path: str | os.PathLike[str], format: str | None = None, renderer: str = "pygraphviz"
    ) -> None:
        """Write the picture in the format of the file's suffix; replaces it whole.

        Raises UnknownNameError for the format, FormatError for the suffix, RenderError, and
        OutputError where the file cannot be written.
        """
        write_bytes(path, self.render(format or format_of(path, SUFFIXES), renderer))

    def _repr_svg_(self) -> str:
        drawn = self.render("svg").decode("utf-8")
        return drawn[drawn.index("<svg") :]

    def _repr_html_(self) -> str:
        """The picture in its size: a notebook would cut what is wider than a cell."""
        return f'<div style="overflow-x: auto">{self._repr_svg_()}</div>'


def diagram(
    *graphs: LayerGraph,
    level: str = "block",
    expand: bool = False,
    color_by: str = "stage",
    direction: str = "TB",
    theme: str = "light",
) -> Diagram:
    """Draw a network, or two or three side by side with their stages aligned.

    level: 'stage', 'block' or 'layer'. Identical blocks in a row are drawn once with their count,
    unless `expand`. color_by: 'stage', 'op', or a heat map of 'macs', 'params' or 'activations'
    (one sample). direction: 'TB' (down) or 'LR' (to the right). theme: 'light', 'dark', or 'print',
    which reads in grey. Raises UnknownNameError, and InspectError for no or too many networks.
    """
    return _drawn(graphs, _style(level, direction, theme, color_by, expand))


def diff_diagram(
    before: LayerGraph,
    after: LayerGraph,
    level: str = "block",
    expand: bool = False,
    direction: str = "TB",
    theme: str = "light",
) -> Diagram:
    """Draw two networks side by side, filled by what was added, removed and changed (graph_diff).

    Settings are as diagram has them. Raises UnknownNameError.
    """
    style = _style(level, direction, theme, CHANGE, expand)
    graphs = (before, after)
    return _drawn(graphs, replace(style, marks=marks(align(before, after))))


def block_diagram(
    *kinds: str,
    channels: int | None = None,
    size: int | Pair = 56,
    entering: int | None = None,
    stride: int = 1,
    direction: str = "TB",
    theme: str = "light",
    color_by: str = "stage",
    **changes: Any,
) -> Diagram:
    """Draw residual blocks, 'basic', 'bottleneck' or both, with the arithmetic of their weights.

    channels: those that leave the block (default: 64 and 256, as in He et al. 2015, Figure 5).
    size: height and width of its input; entering: channels of it (default: as many as leave, or
    half of them if it strides). changes: fields of ResNetSpec. Raises InspectError.
    """
    graphs = [
        block_graph(kind, channels, size, entering=entering, stride=stride, **changes)
        for kind in kinds
    ]
    style = _style("layer", direction, theme, color_by, expand=True, arithmetic=True)
    return _drawn(graphs, style)


def _style(
    level: str, direction: str, theme: str, color_by: str, expand: bool, arithmetic: bool = False
) -> Style:
    if level not in LEVELS:
        raise unknown("level", level, LEVELS)
    if direction not in DIRECTIONS:
        raise unknown("direction", direction, DIRECTIONS)
    return Style(level, direction, theme_named(theme), color_by, expand, arithmetic)


def _drawn(graphs: Sequence[LayerGraph], style: Style) -> Diagram:
    if not 1 <= len(graphs) <= MOST:
        raise InspectError(f"{len(graphs)} networks in one diagram; give 1 to {MOST}")
    name = ", ".join(graph.name for graph in graphs)
    return Diagram(name, draw(graphs, style), tuple(graphs), style)
