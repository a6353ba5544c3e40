"""Forecast against measured throughput, for every row that validation held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resnet_inspect.forecasting.measured import public_runs
from resnet_inspect.forecasting.validation import Validation
from resnet_inspect.networks import zoo
from resnet_inspect.pictures.plots.plot import (
    Plot,
    headed,
    marked,
    plain_numbers,
    shared_legend,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.validation import POOLS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES = {
    "ResNet": ("resnet", "wide", "clip"),
    "stems, shortcuts and blurs": ("tweaks", "anti-aliased"),
    "ResNeXt": ("resnext",),
    "SE, ECA and ResNet-RS": ("se", "eca", "rs", "legacy", "ts"),
    "pre-activation, other norms": ("preact", "bit", "group-norm", "evonorm", "frn"),
    "RegNet": ("regnet", "regnetv", "regnetz"),
    "Res2Net": ("res2net",),
    "SK and ResNeSt": ("sk", "resnest"),
    "others": (),
}
"""The families of the zoo by the series that show them; the last has all that no other names."""

_SERIES_OF = {family: title for title, families in SERIES.items() for family in families}


def validation_plot(validation: Validation) -> Plot:
    """Panels of what is pooled; a point a row, coloured by family; on the diagonal is right."""
    panels = {
        name: [
            row
            for run in public_runs().values()
            if belongs(run)
            for row in validation.networks[run.name]
        ]
        for name, belongs in POOLS.items()
    }

    every = {series_of(row.model) for rows in panels.values() for row in rows}
    shown = [title for title in SERIES if title in every]

    def paint(figure: Figure, theme: Theme) -> None:
        grid = list(figure.subplots(2, 3).flat)
        for axes, (name, rows) in zip(grid, panels.items(), strict=False):
            axes.set(xscale="log", yscale="log")
            ends = [_rate(row.batch, row.seconds) for row in rows]
            reach = (0.7 * min(ends), 1.4 * max(ends))
            axes.plot(reach, reach, color=theme.muted, linewidth=0.8)
            points: dict[str, list[tuple[float, float]]] = {title: [] for title in shown}
            for row in rows:
                point = _rate(row.batch, row.seconds), _rate(row.batch, row.forecast)
                points[series_of(row.model)].append(point)
            for number, (title, pairs) in enumerate(points.items()):
                axes.plot(
                    *(zip(*pairs, strict=True) if pairs else ((), ())),
                    linestyle="none",
                    **marked(theme, number),
                    markersize=3.5,
                    alpha=0.7,
                    label=title,
                )
            axes.set(title=name, xlabel="images/s, measured", ylabel="images/s, forecast")
            plain_numbers(axes.yaxis)
            plain_numbers(axes.xaxis, (1,))
        grid[-1].set_axis_off()
        shared_legend(figure, grid[0], loc="lower right", bbox_to_anchor=(0.97, 0.1))
        headed(figure, "Forecast against measured, rows that were held out", 12.0)

    rows = sum(map(len, panels.values()))
    return Plot(
        "forecast",
        f"Forecast against measured throughput of {rows} rows that were held out, by family.",
        (11.0, 7.4),
        paint,
    )


def series_of(model: str) -> str:
    """Which series a network of the zoo is in."""
    return _SERIES_OF.get(zoo.ZOO[model].family, "others")


def _rate(batch: int, seconds: float) -> float:
    return batch / seconds
