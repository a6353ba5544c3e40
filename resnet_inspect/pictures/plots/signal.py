"""The signal and the gradient through depth: the signal propagation plot.

After Brock et al. 2021, arXiv 2101.08692, with theory as a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.parts import depths
from resnet_inspect.pictures.plots.plot import (
    DASHES,
    Plot,
    called,
    marked,
    plain_numbers,
    shared_legend,
    side_by_side,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.propagation.signal import Signal
from resnet_inspect.propagation.signal import signal as signal_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def theory(graphs: Sequence[LayerGraph]) -> Plot:
    """The signal propagation plot of some networks, by theory alone."""
    return signal([signal_of(graph) for graph in graphs])


def signal(signals: Sequence[Signal]) -> Plot:
    """Variance forth and mean square of the gradient back, at each block's output."""

    def paint(figure: Figure, theme: Theme) -> None:
        panels = side_by_side(figure, 2)
        titles = {"variance": "Variance of the signal", "gradient": "Mean square of the gradient"}
        for axes, (key, title) in zip(panels, titles.items(), strict=True):
            axes.set_yscale("log")
            for number, each in enumerate(signals):
                _draw(axes, theme, number, each, key)
            for depth in _stages(signals[0].graph):
                axes.axvline(depth, color=theme.muted, linewidth=0.8, linestyle=(0, (1, 2)))
            _plain(axes)
            axes.set(title=title, xlabel="depth in layers with weights")
            axes.locator_params(axis="x", integer=True)
        panels[1].set_ylabel("where the output's is 1")
        shared_legend(
            figure,
            panels[0],
            loc="outside upper center",
            ncols=2 if any(each.measured for each in signals) else 3,
        )

    ends = [
        " and ".join([f"{each.name} {each.by_name[end].gradient or 0:.3g}" for end in each.ends])
        for each in signals
    ]
    return Plot(
        "signal",
        "Variance of the signal and mean square of the gradient through depth at initialisation, "
        "theory as lines and measurements as points; the gradient at the first and last block: "
        f"{'; '.join(ends)}.",
        (9.3, 3.9),
        paint,
        columns=2,
    )


def _stages(graph: LayerGraph) -> list[int]:
    """The depths at which stages end, the head left out."""
    reached = depths(graph)
    return sorted({reached[stage.output.name] for stage in graph.stages[:-1]})


def _plain(axes: Axes) -> None:
    """1, 2, 5, 10 where a few powers of ten are shown, else these alone."""
    low, high = axes.get_ylim()
    few = high < 1000 * low
    plain_numbers(axes.yaxis, (1, 2, 5) if few else (1,), "{:g}".format)


def _draw(axes: Axes, theme: Theme, number: int, told: Signal, key: str) -> None:
    reached, by_name = depths(told.graph), told.by_name
    outputs = [block.output.name for block in told.graph.blocks if not block.is_head]
    look, name = marked(theme, number), called(told.name)
    known = [(reached[x], y) for x in outputs if (y := getattr(by_name[x], key))]
    if known:
        line = {"color": look["color"], "linestyle": DASHES[number], "label": name}
        axes.plot(*zip(*known, strict=True), **line)
    found = [(reached[x], getattr(told.measured[x], key)) for x in outputs if x in told.measured]
    if found:
        places, spreads = zip(*found, strict=True)
        means, errors = zip(*spreads, strict=True)
        axes.errorbar(
            places,
            means,
            yerr=errors,
            **look,
            markersize=4,
            linestyle="none",
            elinewidth=1,
            label=f"{name}, measured",
        )
