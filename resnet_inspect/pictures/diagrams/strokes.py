"""What lines look like: edges by their way, borders by the kind of shortcut."""

from __future__ import annotations

from resnet_inspect.networks.wiring import IDENTITY, PADDING, PROJECTION
from resnet_inspect.pictures.diagrams.scene import Box, Edge
from resnet_inspect.pictures.themes import Theme

STROKES = {IDENTITY: "solid", PROJECTION: "dashed", PADDING: "dotted"}
"""How each kind of shortcut is drawn."""

_HEAVIER = {PADDING: 3.0}
"""Points of dots, so that they are as strong as the other lines."""


def edge_look(edge: Edge, theme: Theme) -> tuple[str, float]:
    """The colour of an edge, and how many points it is wide."""
    if edge.way == "shortcut":
        return theme.shortcut, _HEAVIER.get(edge.stroke, 2.2)
    return (theme.gate if edge.way == "gate" else theme.line), 1.4


def stroke_width(box: Box) -> float:
    """How many points a border is wide."""
    return (2.2 if box.stroke in _HEAVIER else 1.6) if box.stroke else 1.1
