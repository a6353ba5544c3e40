"""Diagrams in which shortcuts and repeats can be seen.

Laid out here, rendered in process by pygraphviz or by an installed Graphviz through the graphviz
package; both load when they are needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.files import format_of, write_bytes
from resnet_inspect.networks.alignment import align
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.shapes import Pair
from resnet_inspect.networks.single_block import block_graph
from resnet_inspect.pictures.diagrams.compose import scene
from resnet_inspect.pictures.diagrams.fills import CHANGE
from resnet_inspect.pictures.diagrams.page import lay_out
from resnet_inspect.pictures.diagrams.render import FORMATS as PICTURES
from resnet_inspect.pictures.diagrams.render import render
from resnet_inspect.pictures.diagrams.sheet import Sheet
from resnet_inspect.pictures.diagrams.style import Style
from resnet_inspect.pictures.diagrams.to_dot import write_dot
from resnet_inspect.pictures.page_size import page_size
from resnet_inspect.pictures.themes import theme_named

PAGE = "html"
FORMATS = (*PICTURES, PAGE)
SUFFIXES = {f".{name}": name for name in FORMATS}

MOST = 6
"""Networks that fit side by side."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A drawing: what it is of, and the sheet on which all has its place."""

    of: str
    sheet: Sheet = field(repr=False)
    graphs: tuple[LayerGraph, ...] = field(repr=False)
    style: Style = field(repr=False)

    @property
    def dot(self) -> str:
        """Its DOT source, with positions."""
        return write_dot(self.sheet)

    def render(
        self, format: str = "svg", renderer: str = "pygraphviz", dpi: int | None = None
    ) -> bytes:
        """The picture in one of FORMATS, drawn in process or by an installed Graphviz.

        'html' is a page that holds all levels and opens at this one. dpi: dots to an inch of a
        bitmap. Raises UnknownNameError, and RenderError where Graphviz is missing or fails.
        """
        if format == PAGE:
            from resnet_inspect.pictures.diagrams.interactive.page import html

            return html(self.graphs, self.style).encode("utf-8", "replace")
        if format not in FORMATS:
            raise unknown("format", format, FORMATS)
        return render(self.sheet, format, renderer, dpi)

    def write(
        self,
        path: str | os.PathLike[str],
        format: str | None = None,
        renderer: str = "pygraphviz",
        dpi: int | None = None,
    ) -> None:
        """Write the picture in the format of the file's suffix; replaces it whole.

        Raises UnknownNameError for the format, FormatError for the suffix, RenderError, and
        OutputError where the file cannot be written.
        """
        write_bytes(path, self.render(format or format_of(path, SUFFIXES), renderer, dpi))

    def _repr_svg_(self) -> str:
        drawn = self.render("svg").decode("utf-8")
        return drawn[drawn.index("<svg") :]

    def _repr_html_(self) -> str:
        """The picture in its size: a notebook would cut what is wider than a cell."""
        return f'<div style="overflow-x: auto">{self._repr_svg_()}</div>'


def diagram(
    *graphs: LayerGraph, size: str | None = None, columns: int | None = None, **look: Any
) -> Diagram:
    """Draw a network, or up to MOST side by side, aligned by stages or by resolution.

    look: as Style has it, the theme by its name. size: the room for it on paper, a width or width
    and height, such as '3.3in' or '7inx9in'. columns: how many its stages wrap into; by default as
    many as let its text be largest in that room. Raises UnknownNameError, and InspectError for no
    or too many networks.
    """
    return _drawn(graphs, _style(**look), size, columns)


def diff_diagram(
    before: LayerGraph, after: LayerGraph, *, size: str | None = None, **look: Any
) -> Diagram:
    """Draw two networks side by side, filled by what was added, removed and changed.

    size and look are as diagram has them. Raises UnknownNameError.
    """
    chosen = replace(_style(**look), color_by=CHANGE, pairs=align(before, after))
    return _drawn((before, after), chosen, size, None)


def block_diagram(
    *kinds: str,
    channels: int | None = None,
    side: int | Pair = 56,
    entering: int | None = None,
    stride: int = 1,
    direction: str = "TB",
    theme: str = "light",
    color_by: str = "stage",
    labels: str = "numbers",
    size: str | None = None,
    **changes: Any,
) -> Diagram:
    """Draw residual blocks, 'basic', 'bottleneck' or both, with the arithmetic of their weights.

    channels: those that leave the block (default: 64 and 256, as in He et al. 2015, Figure 5).
    side: height and width of its input; entering: channels of it (default: as many as leave, or
    half of them if it strides). labels: 'paper' for the words of the paper's Figure 2 instead.
    size: the room for it on paper, such as '3.3in'. changes: fields of ResNetSpec. Raises
    InspectError.
    """
    graphs = [
        block_graph(kind, channels, side, entering=entering, stride=stride, **changes)
        for kind in kinds
    ]
    look = {"theme": theme, "color_by": color_by, "direction": direction, "labels": labels}
    return _drawn(graphs, _style(level="layer", expand=True, alone=True, **look), size, None)


def _style(theme: str = "light", **look: Any) -> Style:
    return Style(theme=theme_named(theme), **look)


def _drawn(
    graphs: Sequence[LayerGraph], style: Style, size: str | None, columns: int | None
) -> Diagram:
    if not 1 <= len(graphs) <= MOST:
        raise InspectError(f"{len(graphs)} networks in one diagram; give 1 to {MOST}")
    room = page_size(str(size)) if size else None
    sheet = lay_out(scene(graphs, style), room, columns)
    return Diagram(", ".join(graph.name for graph in graphs), sheet, tuple(graphs), style)
