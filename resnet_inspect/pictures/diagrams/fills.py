"""Which fill a box gets: by its stage, by what it is, or by how much it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle

from resnet_inspect.counting.costs import Cost
from resnet_inspect.errors import unknown
from resnet_inspect.networks.op_labels import CATEGORIES, OTHER
from resnet_inspect.pictures.themes import Theme, on_ramp

AMOUNTS: dict[str, tuple[str, Callable[[Cost], int]]] = {
    "macs": ("MACs", lambda cost: cost.macs),
    "params": ("parameters", lambda cost: cost.params),
    "activations": ("activations", lambda cost: cost.written),
}
"""What a heat map may show: its name in a legend, and where a cost has it."""

COLOR_BY = ("stage", "op", *AMOUNTS)

CHANGE = "change"
"""Fills by what became of a box; only for two networks whose differences are drawn."""


@dataclass(frozen=True, slots=True)
class Fills:
    """The fills of one picture.

    categories: the fill of each kind. highest: what the end of the ramp stands for. stages: how
    many there are between stem and head.
    """

    by: str
    theme: Theme
    categories: Mapping[str, str]
    highest: int
    stages: int

    def of(self, stage: int | None, category: str, cost: Cost, change: str) -> str:
        """The fill of a box as #rrggbb.

        stage: its stage's place among those that hold blocks, None for stem and head. category: the
        kind of op or block. cost: its own, once. change: what became of it, where networks are told
        apart.
        """
        if self.by in AMOUNTS:
            amount = AMOUNTS[self.by][1](cost)
            return on_ramp(self.theme.ramp, amount / self.highest if self.highest else 0.0)
        if self.by == "op":
            return self.categories[category]
        if self.by == CHANGE:
            return self.theme.changes.get(change, self.theme.quiet)
        return self.stage(stage)

    def stage(self, number: int | None) -> str:
        """The fill of a stage: the deeper in the network, the deeper."""
        if number is None:
            return self.theme.quiet
        return on_ramp(self.theme.stages, number / max(self.stages - 1, 3))


def fills_for(by: str, theme: Theme, held: Iterable[tuple[str, Cost]], stages: int) -> Fills:
    """The fills of a picture with boxes of these categories and costs.

    Raises UnknownNameError for `by`.
    """
    if by not in (*COLOR_BY, CHANGE):
        raise unknown("colouring", by, COLOR_BY)
    if by in AMOUNTS:
        amounts = (AMOUNTS[by][1](cost) for _, cost in held)
        return Fills(by, theme, {}, max(amounts, default=0), stages)
    if by in ("stage", CHANGE):
        return Fills(by, theme, {}, 0, stages)
    kinds = dict.fromkeys(category for category, _ in held)
    # A kind of op has its fill in every picture; kinds of block take theirs as they come.
    known = [] if kinds.keys().isdisjoint(CATEGORIES) else CATEGORIES[:-1]
    order = dict.fromkeys([*known, *kinds])
    fills = {kind: fill for kind, fill in zip(order, cycle(theme.fills)) if kind in kinds}
    other = {OTHER: theme.quiet} if OTHER in kinds else {}
    return Fills(by, theme, fills | other, 0, stages)
