"""Every plot that some measurements allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from resnet_inspect.measuring.learning import Epoch
from resnet_inspect.measuring.records import Latency, Layers, Measurement, ladders, select
from resnet_inspect.pictures.plots.ladder import ladder_plot
from resnet_inspect.pictures.plots.latency import latency_plots
from resnet_inspect.pictures.plots.learning import learning_plots
from resnet_inspect.pictures.plots.plot import Plot
from resnet_inspect.pictures.plots.roofline import roofline_plot


def measurement_plots(records: Sequence[Measurement]) -> list[Plot]:
    """Every plot that some measurements allow, each under a name of its own."""
    plots = latency_plots(select(records, Latency))
    plots += [ladder_plot(steps) for steps in ladders(records) if steps[0].sample]
    plots += [
        roofline_plot(record.roofline)
        for record in select(records, Layers)
        if record.sample and record.macs
    ]
    plots += learning_plots(select(records, Epoch))
    return _named(plots)


def _named(plots: Sequence[Plot]) -> list[Plot]:
    """Plots of one name numbered from the second on."""
    seen: dict[str, int] = {}
    named = []
    for plot in plots:
        number = seen[plot.name] = seen.get(plot.name, 0) + 1
        named.append(plot if number == 1 else replace(plot, name=f"{plot.name}-{number}"))
    return named
