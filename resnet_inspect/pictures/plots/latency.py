"""Plots of latencies: against the batch, and throughput against MACs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from resnet_inspect.measuring.measurement import Environment
from resnet_inspect.measuring.records import Case, Latency
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.pictures.plots.labels import label_above
from resnet_inspect.pictures.plots.plot import (
    DASHES,
    MARKERS,
    Plot,
    backed,
    called,
    fitted,
    fitted_legend,
    headed,
    is_narrow,
    marked,
    note,
    panels,
    plain_numbers,
    shared_legend,
    side_by_side,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.columns import show_round

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MACS = "2 x MACs of convolution and linear layers"


def latency_plots(records: Sequence[Latency]) -> list[Plot]:
    """Latency against batch, and throughput against MACs, where there is more than one of them."""
    plots: list[Plot] = []
    for variants in _split([record for record in records if record.sample is not None]):
        group = _all(variants)
        if len({record.case.batch for record in group}) > 1:
            plots.append(batch_plot(variants))
        if len({record.case.model for record in group if record.macs}) > 1:
            plots.append(throughput_plot(variants))
    return plots


Variants = Mapping[str, Sequence[Latency]]
"""Latencys by what else than the network and the batch tells them apart, in words."""

_VARY = ("mode", "dtype", "memory_format", "step", "folded")

_USUAL = Case("", ())


def _split(latencies: Sequence[Latency]) -> list[Variants]:
    """The measurements of each plot.

    What varies most is compared within a plot; each combination of the rest has plots of its own,
    and so has each input, device and torch.
    """
    counts = {key: len({getattr(one.case, key) for one in latencies}) for key in _VARY}
    within = max(_VARY, key=lambda key: counts[key])
    plots: dict[tuple[Any, ...], dict[str, list[Latency]]] = {}
    for one in latencies:
        others = (
            one.case.input,
            Environment.of(one),
            *(getattr(one.case, key) for key in _VARY if key != within),
        )
        variants = plots.setdefault(others, {})
        variants.setdefault(str(getattr(one.case, within)), []).append(one)
    return list(plots.values())


def _all(variants: Variants) -> list[Latency]:
    return [record for group in variants.values() for record in group]


def _same(variants: Variants) -> tuple[str, str, str]:
    """What a plot's measurements share: device, and case as words and as part of a name."""
    records = _all(variants)
    first, *rest = (record.case for record in records)
    shared = [
        str(getattr(first, key))
        for key in _VARY
        if key != "folded" and all(getattr(one, key) == getattr(first, key) for one in rest)
    ]
    usual = {getattr(_USUAL, key) for key in _VARY}
    name = "".join(f"-{word}" for word in shared if word not in usual)
    return records[0].device.name, ", ".join((show_shape(first.input), *shared)), name


def batch_plot(variants: Variants) -> Plot:
    """Latency (median, p10 to p90 shaded) and throughput against the batch; a column a variant."""
    records = _all(variants)
    models = list(dict.fromkeys(one.case.model for one in records))
    batches = sorted({one.case.batch for one in records})
    device, words, name = _same(variants)
    single = len(variants) == 1

    def paint(figure: Figure, theme: Theme) -> None:
        if single:
            grid = [side_by_side(figure, 2, sharex=True)]
        else:
            grid = panels(figure, len(variants), 2, sharex=True, sharey="row")
        for (latency, throughput), (variant, group) in zip(grid, variants.items(), strict=True):
            _batch_lines(latency, throughput, theme, models, group)
            latency.set_title("Latency: median, p10 to p90 shaded" if single else variant)
            for axes in (latency, throughput):
                axes.set(xscale="log", yscale="log")
                axes.set_xticks(batches, [str(batch) for batch in batches])
                axes.minorticks_off()
                plain_numbers(axes.yaxis)
            latency.set_ylabel("milliseconds")
            throughput.set_ylabel("images per second")
            if single or is_narrow(figure):
                throughput.set_title("Throughput" if single else f"{variant}, throughput")
            for axes in (latency, throughput):
                axes.set_xlabel("batch")
                if not single or is_narrow(figure):
                    axes.label_outer()
        figure.align_ylabels()
        look = {"loc": "outside lower center", "ncols": min(5, len(models))}
        shared_legend(figure, grid[0][0], **look)
        if not single:
            headed(figure, f"Latency (median, p10 to p90 shaded) and throughput\n{device}, {words}")

    return Plot(
        f"batch{name}",
        f"Latency and throughput against batch on {device}, {words}: "
        + ", ".join(models)
        + ("." if single else f"; side by side {', '.join(variants)}."),
        (9.3, 4.2) if single else (min(12.0, 1.3 + 4.0 * len(variants)), 7.4),
        paint,
        columns=2 if single else len(variants),
    )


def _batch_lines(
    latency: Axes, throughput: Axes, theme: Theme, models: Sequence[str], group: Sequence[Latency]
) -> None:
    """A line for each network, with a colour and a marker that are its own in every column."""
    for number, model in enumerate(models):
        latest = {one.case.batch: one for one in group if one.case.model == model}
        batches = sorted(latest)
        sums = [one for batch in batches if (one := latest[batch].summary)]
        dash = DASHES[number // len(theme.series) % len(DASHES)]
        style = {**marked(theme, number), "linestyle": dash}
        latency.plot(batches, [one.median * 1e3 for one in sums], label=called(model), **style)
        low, high = zip(*((one.p10 * 1e3, one.p90 * 1e3) for one in sums), strict=True)
        latency.fill_between(batches, low, high, color=style["color"], alpha=0.2, linewidth=0)
        speeds = [batch / one.median for batch, one in zip(batches, sums, strict=True)]
        throughput.plot(batches, speeds, **style)


_BESIDE = 1.035
"""Factor between the places of two variants of one network, which cost equally many MACs."""


def throughput_plot(variants: Variants) -> Plot:
    """Throughput against MACs of one image, with lines of equal speed of arithmetic.

    A colour for each variant, a marker for each batch; the batches of a network are joined.
    """
    variants = {  # a network of which nothing is counted has no place here
        name: [one for one in group if one.macs] for name, group in variants.items()
    }
    records = _all(variants)
    batches = sorted({one.case.batch for one in records})
    device, words, name = _same(variants)

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log")
        places = [place for place, _ in map(_point, records)]
        room = max(1.3, (max(places) / min(places)) ** 0.14)  # also where all cost equally much
        axes.set_xlim(min(places) / room, max(places) * room)
        best: dict[str, tuple[float, float]] = {}
        points: list[tuple[float, float]] = []
        for number, group in enumerate(variants.values()):
            shift = _BESIDE ** (number - (len(variants) - 1) / 2)
            colour = theme.series[number % len(theme.series)]
            points += _throughput_points(axes, colour, batches, group, shift)
        for one in records:
            point = _point(one)
            name = called(one.case.model)
            best[name] = max(best.get(name, point), point, key=itemgetter(1))
        axes.margins(y=0.14)
        _speed_lines(axes, theme)
        plain_numbers(axes.xaxis, shown=show_round)
        plain_numbers(axes.yaxis)
        beside = f"; {', '.join(variants)} drawn side by side" if len(variants) > 1 else ""
        axes.set(
            xlabel=f"MACs of an image{beside}",
            ylabel="images per second",
            title=fitted(figure, f"Throughput against MACs\n{device}, {words}"),
        )
        _throughput_legend(figure, theme, list(variants), batches)
        # Names are put where the points are known to stand.
        figure.draw_without_rendering()
        label_above(axes, best, points, backed(theme))

    return Plot(
        f"throughput{name}",
        f"Images per second against MACs of an image on {device}, {words}, "
        f"with lines of equal FLOP/s ({MACS}).",
        (7.6, 5.2),
        paint,
    )


def _throughput_points(
    axes: Axes, colour: str, batches: Sequence[int], group: Sequence[Latency], shift: float
) -> list[tuple[float, float]]:
    """Draw the points of a variant, moved aside by a factor; gives their places."""
    drawn = []
    points: dict[str, dict[int, tuple[float, float]]] = {}
    for one in group:
        points.setdefault(one.case.model, {})[one.case.batch] = _point(one)
    for of_model in points.values():
        place = next(iter(of_model.values()))[0] * shift
        speeds = [speed for _, speed in of_model.values()]
        axes.vlines(place, min(speeds), max(speeds), color=colour, linewidth=1, alpha=0.5)
        for batch, (_, speed) in of_model.items():
            marker = MARKERS[batches.index(batch) % len(MARKERS)]
            axes.plot(place, speed, linestyle="none", marker=marker, markersize=6, color=colour)
            drawn.append((place, speed))
    return drawn


def _throughput_legend(
    figure: Figure, theme: Theme, variants: Sequence[str], batches: Sequence[int]
) -> None:
    """What colours say, if there are several, above what markers say."""
    from matplotlib.lines import Line2D

    colours = [
        Line2D([], [], color=theme.series[number % len(theme.series)], linewidth=5, label=variant)
        for number, variant in enumerate(variants)
    ]
    look: dict[str, Any] = {"color": theme.muted, "linestyle": "none", "markersize": 6}
    markers = [
        Line2D([], [], marker=MARKERS[number % len(MARKERS)], label=f"batch {batch}", **look)
        for number, batch in enumerate(batches)
    ]
    rows = [row for row in (colours, markers) if len(row) > 1]
    nothing = Line2D([], [], linestyle="none", label=" ")
    # A legend is filled column by column.
    columns = list(zip_longest(*rows, fillvalue=nothing))
    if columns:
        handles = [handle for column in columns for handle in column]
        fitted_legend(
            figure,
            handles,
            [str(one.get_label()) for one in handles],
            loc="outside lower center",
            ncols=len(columns),
        )


def _point(record: Latency) -> tuple[float, float]:
    """MACs of an image, and images per second."""
    batch = record.case.batch
    assert record.summary is not None
    return record.macs / batch, batch / record.summary.median


def _speed_lines(axes: Axes, theme: Theme) -> None:
    """Where arithmetic runs equally fast: images/s x 2 MACs."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    for power in range(-6, 4):
        for step in (1, 2, 5):
            speed = step * 10.0 ** (12 + power)
            ends = [speed / 2 / macs for macs in (left, right)]
            if ends[0] < low * 1.6 or ends[1] > high:  # too short for its label, or not seen
                continue
            axes.plot((left, right), ends, color=theme.grid, linewidth=1, zorder=0)
            # Beside the plot, or at its foot, where it is out of the way of the networks' names.
            x = min(right, speed / 2 / low)
            side: dict[str, Any] = {"offset": (4, 0), "ha": "left", "va": "center"}
            foot: dict[str, Any] = {"offset": (-3, 3), "ha": "right", "va": "bottom"}
            look = {"fontsize": 8, "color": theme.muted, **(side if x == right else foot)}
            words = f"{show_round(speed)}FLOP/s"
            note(axes, words, (x, speed / 2 / x), **look)
    axes.set(xlim=(left, right), ylim=(low, high))
