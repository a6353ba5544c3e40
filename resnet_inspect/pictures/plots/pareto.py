"""Accuracy against cost: published top-1, and the front of what no other weights beat."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from resnet_inspect.counting.accuracy import ALONE
from resnet_inspect.errors import InspectError
from resnet_inspect.pictures.plots.labels import Spot, label_beyond
from resnet_inspect.pictures.plots.plot import (
    SMALLEST,
    Plot,
    fitted_legend,
    is_narrow,
    plain_numbers,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.accuracy import AXES, Wanted, accuracy_rows
from resnet_inspect.tables.columns import show_round

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COUNTED = {"macs": "MACs", "params": "parameters", "throughput": "images/s"}


def pareto(wanted: Wanted) -> Plot:
    """Top-1 against the axis of the front; raises InspectError where no row is left."""
    rows = accuracy_rows(wanted)
    if not rows:
        raise InspectError("no weights are under all limits; raise one")
    axis = _COUNTED[wanted.front]
    if wanted.device is not None and wanted.front == "throughput":
        axis = f"images/s, forecast on {wanted.device.name} at batch {wanted.batch}"
    points = [(row[AXES[wanted.front]], row["top1"]) for row in rows]
    side = 1 if wanted.front == "throughput" else -1
    front = {_label(row): point for row, point in zip(rows, points, strict=True) if row["front"]}

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        ends = sorted(front.values())
        axes.plot(*zip(*ends, strict=True), color=theme.series[0], linewidth=1.2, zorder=1)
        for alone in (True, False):
            chosen = [
                (point, row["front"])
                for row, point in zip(rows, points, strict=True)
                if (row["data"] == ALONE) is alone
            ]
            _scatter(axes, theme, chosen, alone)
        _make_room(axes, points, side)
        axes.set(
            xlabel=axis,
            ylabel="top-1 on ImageNet, %",
            title=f"Published accuracy, with the front against {axis.partition(',')[0]}",
        )
        axes.legend(fontsize=SMALLEST, loc="lower left" if side > 0 else "lower right")
        plain_numbers(axes.xaxis, shown=show_round)
        labels = _numbered(figure, front) if is_narrow(figure) else front
        figure.draw_without_rendering()  # labels are put where the axes and their points are known
        label_beyond(axes, labels, [*points, *_along(ends)], side)

    return Plot(
        "pareto",
        f"Top-1 against {axis} of {len(rows)} published weights; on the front: {', '.join(front)}.",
        (9.3, 6.4),
        paint,
    )


def _numbered(figure: Figure, front: Mapping[str, Spot]) -> dict[str, Spot]:
    """Numbers for labels, with what they stand for below the axes: names are too long for them."""
    from matplotlib.lines import Line2D

    ordered = sorted(front.items(), key=lambda named: named[1])
    names = [f"{number} {name}" for number, (name, _) in enumerate(ordered, 1)]
    handles = [Line2D([], [], linestyle="none") for _ in names]
    look = {"loc": "outside lower left", "ncols": 2, "handlelength": 0, "handletextpad": 0}
    fitted_legend(figure, handles, names, **look)
    return {str(number): point for number, (_, point) in enumerate(ordered, 1)}


def _make_room(axes: Axes, points: list[Spot], side: int) -> None:
    """Room for labels beyond the front: above, and at the side that is better."""
    across, up = zip(*points, strict=True)
    left, right = min(across), max(across)
    room = max(3.0, (right / left) ** 0.4)
    axes.set_xlim((left / room, right * 1.3) if side < 0 else (left / 1.3, right * room))
    span = max(up) - min(up)
    axes.set_ylim(min(up) - 0.05 * span, max(up) + 0.3 * span + 0.5)


def _along(ends: list[Spot]) -> list[Spot]:
    """Places on the line through some points, on a logarithmic axis."""
    return [
        (left * (right / left) ** (step / 20), low + (high - low) * step / 20)
        for (left, low), (right, high) in pairwise(ends)
        for step in range(20)
    ]


def _label(row: Any) -> str:
    """Model, weights in short, and the side of the images."""
    weights = row["weights"].replace("_ft_in1k", "").removesuffix("_in1k")
    return f"{row['model']} {weights} {row['side']}"


def _scatter(axes: Axes, theme: Theme, chosen: list[tuple[Any, bool]], alone: bool) -> None:
    """Weights that saw the same data: those on the front in colour."""
    marker, title = ("o", ALONE) if alone else ("D", "more images than that")
    for front, colour in ((False, theme.muted), (True, theme.series[0])):
        points = [point for point, is_front in chosen if is_front is front]
        if points:
            axes.plot(
                *zip(*points, strict=True),
                linestyle="none",
                marker=marker,
                markersize=5 if front else 3.5,
                color=colour,
                alpha=1.0 if front else 0.6,
                label=f"{title}, on the front" if front else title,
            )
