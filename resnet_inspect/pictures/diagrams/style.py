"""What the caller of a diagram chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from resnet_inspect.networks.alignment import Pair
from resnet_inspect.pictures.themes import Theme

LEVELS = ("stage", "block", "conv", "layer")
DIRECTIONS = ("TB", "LR")
LABELS = ("numbers", "paper")

SMALL = 11.0
"""Points of the smallest text."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the caller chose.

    alone: one block by itself, whose weights are written out as products. labels: 'paper' for the
    words of He et al. 2015, Figure 2. names: what parts are called by, of naming.NAMINGS. pairs:
    which layers of two networks correspond, where their differences are drawn.
    """

    level: str
    direction: str
    theme: Theme
    color_by: str
    expand: bool = False
    alone: bool = False
    labels: str = "numbers"
    names: str = "modules"
    pairs: tuple[Pair, ...] = ()

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
