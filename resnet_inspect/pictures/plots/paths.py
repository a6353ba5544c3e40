"""How long the paths through networks are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pictures.plots.plot import (
    DASHES,
    Plot,
    called,
    marked,
    note,
    shared_legend,
    side_by_side,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.propagation.paths import paths as paths_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def paths(graphs: Sequence[LayerGraph]) -> Plot:
    """The share of the paths by the residual blocks, and by the layers with weights, they pass."""
    found = [paths_of(graph) for graph in graphs]
    # One path is 100%: where others spread, its line goes off the top.
    top = max((max(p.by_blocks) / p.total for p in found if p.total > 1), default=1.0)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = side_by_side(figure, 2)
        for axes, passed in zip(panels, ("residual blocks", "layers with weights"), strict=True):
            axes.set_ylim(0, 1.4 * top)
            for number, each in enumerate(found):
                counts = each.by_blocks if axes is panels[0] else each.by_layers
                _draw(axes, theme, number, counts, called(each.name))
            axes.set_xlabel(f"{passed} that a path passes")
            axes.locator_params(axis="x", integer=True)
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
        panels[0].set_ylabel("share of a network's paths")
        shared_legend(figure, panels[0], loc="outside upper center", ncols=3)

    return Plot(
        "paths",
        "Share of the paths through each network by how much they pass: "
        + "; ".join(
            f"{each.name} {'one path' if each.total == 1 else f'2^{each.total.bit_length() - 1}'}"
            if each.total.bit_count() == 1
            else f"{each.name} {each.total} paths"
            for each in found
        )
        + ".",
        (8.4, 3.6),
        paint,
        columns=2,
    )


def _draw(axes: Axes, theme: Theme, number: int, counts: Sequence[int], label: str) -> None:
    """A network's distribution: a stem where all paths are alike."""
    whole = sum(counts) or 1
    held = [(k, count / whole) for k, count in enumerate(counts) if count]
    look = {**marked(theme, number), "label": label, "markersize": 3.5}
    if len(held) != 1:
        axes.plot(*zip(*held, strict=True), **look, linestyle=DASHES[number])
        return
    ((at, share),) = held
    top = axes.get_ylim()[1]
    axes.vlines([at], 0, share, color=look["color"], linewidth=1.4)
    axes.plot([at], [min(1.0, 0.93 * top)], **look)
    note(axes, "one path" if whole == 1 else "all paths", (at, 0.93 * top), (6, -3))
