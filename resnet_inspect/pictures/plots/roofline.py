"""The roofline as a picture: a device's roof, and a network's layers under it.

A plot_style.Plot of what roofline_table holds; matplotlib is loaded when it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from resnet_inspect.counting.roofline import Roofline
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.op_labels import FAMILIES, family_of_words
from resnet_inspect.pictures.plots.plot import DASHES, MARKERS, Plot
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.columns import show_rate, show_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def roofline_plot(found: Roofline) -> Plot:
    """The roof, and every layer under it at its intensity: the bound, and what was measured.

    Raises InspectError for a network of which nothing is counted.
    """
    rows = [row for row in found.rows if row["bytes"] and row["flops"]]
    if not rows:
        raise InspectError(f"no layer of {found.model} is counted, so none has a place to be drawn")
    timed = bool(rows) and "measured" in rows[0]

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        lowest = min(row["flops"] / row["bytes"] for row in rows) / 5
        highest = max(found.rate / found.bandwidth * 4,
                      max(row["flops"] / row["bytes"] for row in rows) * 1.6)  # fmt: skip
        _roof(axes, theme, found, lowest, highest)
        by_family = sorted(rows, key=lambda row: FAMILIES.index(family_of_words(row["operation"])))
        for name, part in groupby(by_family, key=lambda row: family_of_words(row["operation"])):
            _points(axes, theme, name, list(part), timed)
        axes.set_xlim(lowest, highest)
        axes.set_xlabel("arithmetic intensity: FLOPs for each byte of traffic")
        axes.set_ylabel("GFLOP/s (2 x MACs + elementwise terms)")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.set_title(
            f"Roofline of {found.model}, batch {found.batch}, {found.dtype}, {found.device}"
        )
        axes.legend(
            loc="lower right", fontsize=9, title_fontsize=9, alignment="left",
            title="filled: measured, hollow: bound" if timed else "bound",
            bbox_to_anchor=(0.94, 0),  # room for viewers whose letters are wider
        )  # fmt: skip

    floors = f"{show_seconds(found.floor)}, fused {show_seconds(found.fused_floor)}"
    return Plot(
        f"roofline-{found.model}-{found.batch}-{found.dtype}",
        f"Roofline of {found.device} with the layers of {found.model} at batch {found.batch}, "
        f"{found.dtype}; the network's floor is {floors}.",
        (8.4, 5.2),
        paint,
    )


def _roof(axes: Axes, theme: Theme, found: Roofline, lowest: float, highest: float) -> None:
    left: dict[str, Any] = {"xytext": (-6, 2), "ha": "right", "va": "bottom"}
    right: dict[str, Any] = {"xytext": (6, -2), "ha": "left", "va": "top"}
    for speed, where, dash, side in (
        (found.cache_bandwidth, "in a cache", DASHES[1], left),
        (found.bandwidth, "in memory", DASHES[0], right),
    ):
        ridge = min(max(found.rate / speed, lowest), highest)
        points = [lowest, ridge, highest]
        roof = [min(found.rate, speed * x) / 1e9 for x in points]
        axes.plot(points, roof, color=theme.ink, linewidth=1.8, linestyle=dash, zorder=1)
        beside = (ridge / 3, speed * ridge / 3e9)
        axes.annotate(
            f"{show_rate(speed)}B/s {where}", beside, textcoords="offset points", fontsize=9, **side
        )
    axes.annotate(
        f"{show_rate(found.rate)}FLOP/s", (highest, found.rate / 1e9), (-4, 5),
        textcoords="offset points", ha="right", va="bottom", fontsize=9,
    )  # fmt: skip


def _points(
    axes: Axes, theme: Theme, name: str, rows: Sequence[Mapping[str, Any]], timed: bool
) -> None:
    number = FAMILIES.index(name)
    colour = theme.series[number % len(theme.series)]
    marker = MARKERS[number % len(MARKERS)]
    at = [row["flops"] / row["bytes"] for row in rows]
    bound = [row["flops"] / row["least"] / 1e9 for row in rows]
    axes.plot(
        at, bound, linestyle="none", marker=marker, markersize=6, markerfacecolor="none",
        markeredgecolor=colour, label=None if timed else name,
    )  # fmt: skip
    if not timed:
        return
    reached = [row["flops"] / row["measured"] / 1e9 for row in rows]
    axes.vlines(at, reached, bound, color=colour, linewidth=0.8, alpha=0.5)
    axes.plot(at, reached, linestyle="none", marker=marker, markersize=6, color=colour, label=name)
