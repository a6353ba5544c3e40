"""How a diagram looks, as its caller chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from resnet_inspect.errors import unknown
from resnet_inspect.networks.alignment import Pair
from resnet_inspect.networks.naming import NAMINGS
from resnet_inspect.pictures.themes import THEMES, Theme

LEVELS = ("stage", "block", "conv", "layer")
DIRECTIONS = ("TB", "LR")
LABELS = ("numbers", "paper")

SMALL = 11.0
"""Points of the smallest text."""


@dataclass(frozen=True, slots=True)
class Style:
    """How something is drawn; raises UnknownNameError.

    level: 'stage', 'block', 'conv' or 'layer'. direction: 'TB' (down) or 'LR' (to the right).
    color_by: 'stage', 'op', or a heat map of 'macs', 'params' or 'activations' (one sample).
    Identical blocks in a row are drawn once with their count, unless `expand`. alone: one block by
    itself, whose weights are written out as products. labels: 'paper' for the words of He et al.
    2015, Figure 2. names: 'paper' for conv2_x instead of layer1. pairs: which layers of two
    networks correspond, where their differences are drawn.
    """

    level: str = "block"
    direction: str = "TB"
    theme: Theme = THEMES["light"]
    color_by: str = "stage"
    expand: bool = False
    alone: bool = False
    labels: str = "numbers"
    names: str = "modules"
    pairs: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        for kind, word, known in (
            ("level", self.level, LEVELS),
            ("direction", self.direction, DIRECTIONS),
            ("naming", self.names, NAMINGS),
            ("labels", self.labels, LABELS),
        ):
            if word not in known:
                raise unknown(kind, word, known)

    @property
    def cut(self) -> str:
        """The level of the boxes: which layers share one."""
        return "weights" if self.labels == "paper" else self.level

    @property
    def down(self) -> bool:
        return self.direction == "TB"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a box, of the words in alignment.py, and what of it in words."""

    word: str = "same"
    what: tuple[str, ...] = ()


Changes = Mapping[str, Change]
"""What became of a network's boxes, by their names."""
