"""The roofline as a picture: a device's roof, and a network's layers under it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from resnet_inspect.counting.roofline import Roofline, Row
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.op_labels import KERNEL_CATEGORIES, kernel_category
from resnet_inspect.pictures.plots.plot import DASHES, Plot, called, marked, note
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.columns import show_rate, show_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def roofline_plot(bounds: Roofline) -> Plot:
    """The roof, and every layer under it at its intensity: the bound, and what was measured.

    Raises InspectError for a network of which nothing is counted.
    """
    rows = [row for row in bounds.rows if row.bytes and row.flops]
    if not rows:
        raise InspectError(f"no layer of {bounds.model} is counted, so there is nothing to draw")

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log")
        intensities = [row.flops / row.bytes for row in rows]
        lowest = min(intensities) / 5
        highest = max(bounds.rate / bounds.bandwidth * 4, max(intensities) * 1.6)
        _roof(axes, theme, bounds, lowest, highest)
        by_category = sorted(rows, key=_category_number)
        for number, part in groupby(by_category, key=_category_number):
            _points(axes, theme, number, list(part))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,g}")
        about = f"batch {bounds.batch}, {bounds.dtype}, {bounds.device}"
        axes.set(
            xlim=(lowest, highest),
            xlabel="arithmetic intensity: FLOPs for each byte of traffic",
            ylabel="GFLOP/s (2 x MACs + elementwise terms)",
            title=f"Roofline of {called(bounds.model)}, {about}",
        )
        axes.legend(
            loc="lower right",
            fontsize=9,
            title_fontsize=9,
            alignment="left",
            title="filled: measured, hollow: bound" if bounds.timed else "bound",
            bbox_to_anchor=(0.94, 0),  # room for viewers whose letters are wider
        )

    floors = f"{show_seconds(bounds.floor)}, fused {show_seconds(bounds.fused_floor)}"
    return Plot(
        f"roofline-{bounds.model}-{bounds.batch}-{bounds.dtype}",
        f"Roofline of {bounds.device} with the layers of {bounds.model} at batch {bounds.batch}, "
        f"{bounds.dtype}; the network's floor is {floors}.",
        (8.4, 5.2),
        paint,
    )


def _roof(axes: Axes, theme: Theme, bounds: Roofline, lowest: float, highest: float) -> None:
    left: dict[str, Any] = {"offset": (-6, 2), "ha": "right", "va": "bottom"}
    right: dict[str, Any] = {"offset": (6, -2), "ha": "left", "va": "top"}
    for speed, where, dash, side, down in (
        (bounds.cache_bandwidth, "in a cache", DASHES[1], left, 1.6),
        (bounds.bandwidth, "in memory", DASHES[0], right, 3.0),
    ):
        ridge = min(max(bounds.rate / speed, lowest), highest)
        points = [lowest, ridge, highest]
        roof = [min(bounds.rate, speed * x) / 1e9 for x in points]
        axes.plot(points, roof, color=theme.ink, linewidth=1.8, linestyle=dash, zorder=1)
        beside = (ridge / down, speed * ridge / down / 1e9)
        note(axes, f"{show_rate(speed)}B/s {where}", beside, **side)
    top = (highest, bounds.rate / 1e9)
    note(axes, f"{show_rate(bounds.rate)}FLOP/s", top, (-4, 5), ha="right", va="bottom")


def _category_number(row: Row) -> int:
    return KERNEL_CATEGORIES.index(kernel_category(row.ops[0]))


def _points(axes: Axes, theme: Theme, number: int, rows: Sequence[Row]) -> None:
    """The rows of one category: their bounds, and what was measured below them."""
    times = [row.measured for row in rows if row.measured is not None]
    at = [row.flops / row.bytes for row in rows]
    bound = [row.flops / row.least / 1e9 for row in rows]
    label = KERNEL_CATEGORIES[number]
    look: dict[str, Any] = {**marked(theme, number), "linestyle": "none", "markersize": 6}
    axes.plot(at, bound, **look, markerfacecolor="none", label=None if times else label)
    if not times:
        return
    reached = [row.flops / seconds / 1e9 for row, seconds in zip(rows, times, strict=True)]
    axes.vlines(at, reached, bound, color=look["color"], linewidth=0.8, alpha=0.5)
    axes.plot(at, reached, **look, label=label)
