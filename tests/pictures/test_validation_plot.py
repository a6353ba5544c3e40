"""The plot of forecasts against measurements: every row is in it, under a family's series."""

from __future__ import annotations

from matplotlib.figure import Figure

from resnet_inspect.forecasting.measured import public_timings
from resnet_inspect.forecasting.validation import Checked, Validation
from resnet_inspect.networks import zoo
from resnet_inspect.pictures.plots.forecast import SERIES, series_of, validation_plot
from resnet_inspect.pictures.themes import theme_named


def test_every_row_that_was_held_out_is_a_point() -> None:
    rows = {
        name: [Checked(name, t.model, t.side, t.batch, t.seconds, t.seconds) for t in timings[:40]]
        for name, timings in public_timings().items()
    }
    plot = validation_plot(Validation(rows, {}, {}, {}))
    figure = Figure(plot.size)
    plot.paint(figure, theme_named("light"))
    lines = [line for axes in figure.axes for line in axes.lines]
    points = sum(len(line.get_xdata()) for line in lines if line.get_linestyle() == "None")
    assert points == sum(map(len, rows.values()))
    assert f"of {points} rows" in plot.alt


def test_series_are_of_families_of_the_zoo_and_lose_none() -> None:
    named = [family for families in SERIES.values() for family in families]
    assert len(named) == len(set(named))
    assert set(named) <= set(zoo.FAMILIES)
    assert {series_of(name) for name in zoo.ZOO} == set(SERIES)
    measured = {t.model for timings in public_timings().values() for t in timings}
    assert {series_of(name) for name in measured} == set(SERIES) - {"others"}
