"""Parameters against MACs for the whole zoo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from resnet_inspect.pictures.plots.labels import label_around
from resnet_inspect.pictures.plots.plot import MARKERS, SUPTITLE, Plot, log_log, plain_numbers
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables import zoo as zoo_table
from resnet_inspect.tables.network import MACS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Original, wide and plain", ("resnet", "resnet-v1", "wide", "plain", "notes")),
    ("ResNeXt", ("resnext",)),
    ("Stems and shortcuts", ("tweaks",)),
    ("Squeeze and excitation", ("se",)),
    ("Pre-activation", ("preact",)),
)
"""Families of 224 x 224 that share a panel; those of small images share one more."""


def zoo() -> Plot:
    """Parameters against MACs for the whole zoo, a panel for each kind, every network labelled."""
    rows: Sequence[Any] = zoo_table.models().rows
    small = [row for row in rows if max(row["input"][1:]) <= 64]
    large = [row for row in rows if row not in small]
    groups = [
        (title, [row for row in large if row["family"] in families]) for title, families in PANELS
    ]
    groups.append(("Small images, 32x32 and 28x28", small))
    assert sum(len(group) for _, group in groups) == len(rows), "a family without a panel"

    def paint(figure: Figure, theme: Theme) -> None:
        panels = list(figure.subplots(3, 2).flat)
        for number, (axes, (title, group)) in enumerate(zip(panels, groups, strict=True)):
            _scatter(axes, group, theme.series[number])
            axes.set_title(title)
        for axes in panels[4:]:
            axes.set_xlabel("GMACs")
        figure.suptitle(f"Parameters against {MACS}", **SUPTITLE, fontsize=12)
        # Labels are put where the axes and their points are known.
        figure.draw_without_rendering()
        for axes, (_, group) in zip(panels, groups, strict=True):
            label_around(axes, {str(row["name"]): _point(row) for row in group})

    return Plot(
        "zoo",
        f"Parameters against MACs of the {len(rows)} networks of the zoo, by family.",
        (9.6, 11.0),
        paint,
    )


def _point(row: Any) -> tuple[float, float]:
    """GMACs and million parameters."""
    return row["macs"] / 1e9, row["params"] / 1e6


def _scatter(axes: Axes, rows: Sequence[Any], colour: str) -> None:
    """Networks on logarithmic axes, a marker for each family."""
    families = dict.fromkeys(row["family"] for row in rows)
    for marker, family in zip(MARKERS, families, strict=False):
        points = [_point(row) for row in rows if row["family"] == family]
        axes.plot(*zip(*points, strict=True), linestyle="none", marker=marker, color=colour)
    log_log(axes)
    axes.margins(x=0.36, y=0.14)
    axes.set_ylabel("million parameters")
    for axis in (axes.xaxis, axes.yaxis):
        plain_numbers(axis)
