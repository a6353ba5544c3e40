"""Pictures of measurements: the ladder, latency against batch, throughput against MACs.

Each is a plot_style.Plot of what the tables hold; matplotlib is loaded when one is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from resnet_inspect.measuring.records import Case, Measurement, climbs, measured, of_kind
from resnet_inspect.networks.ops import show_shape
from resnet_inspect.pictures.plots.labels import label_above
from resnet_inspect.pictures.plots.plot import DASHES, MARKERS, Plot, backed
from resnet_inspect.pictures.plots.roofline import roofline_plot
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.columns import show_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MACS = "2 x MACs of convolution and linear layers"


def plots_of(measurements: Sequence[Measurement]) -> list[Plot]:
    """Every plot that some measurements allow, each under a name of its own."""
    made: list[Plot] = []
    latencies = [one for one in of_kind(measurements, "latency") if one.summary is not None]
    for variants in _split(latencies):
        found = [one for group in variants.values() for one in group]
        if len({one.case.batch for one in found}) > 1:
            made.append(batch_plot(variants))
        if len({one.case.model for one in found if one.fields["macs"]}) > 1:
            made.append(zoo_plot(variants))
    made += [ladder_plot(steps) for steps in climbs(measurements) if steps[0].summary]
    made += [
        roofline_plot(measured(one))
        for one in of_kind(measurements, "layers")
        if one.summary and one.fields["macs"]
    ]
    return _named(made)


def _named(plots: Sequence[Plot]) -> list[Plot]:
    """Plots of one name numbered from the second on."""
    seen: dict[str, int] = {}
    found = []
    for plot in plots:
        seen[plot.name] = seen.get(plot.name, 0) + 1
        number = seen[plot.name]
        name = plot.name if number == 1 else f"{plot.name}-{number}"
        found.append(Plot(name, plot.alt, plot.size, plot.paint, plot.theme))
    return found


def _device(made: Measurement) -> str:
    return str(made.fields["device"]["name"])


Variants = Mapping[str, Sequence[Measurement]]
"""Measurements by what else than the network and the batch tells them apart, in words."""

_VARY = ("mode", "dtype", "memory_format", "step", "folded")


def _split(latencies: Sequence[Measurement]) -> list[Variants]:
    """The measurements of each plot.

    What varies most is compared within a plot; each combination of the rest has plots of its own,
    and so has each input, device and torch.
    """
    if not latencies:
        return []
    counts = {key: len({getattr(one.case, key) for one in latencies}) for key in _VARY}
    within = max(_VARY, key=lambda key: counts[key])
    plots: dict[tuple[Any, ...], dict[str, list[Measurement]]] = {}
    for one in latencies:
        others = (
            one.case.input, one.fields["device"]["name"], one.fields["settings"]["threads"],
            one.fields["software"]["torch"],
            *(getattr(one.case, key) for key in _VARY if key != within),
        )  # fmt: skip
        variants = plots.setdefault(others, {})
        variants.setdefault(str(getattr(one.case, within)), []).append(one)
    return list(plots.values())


def _same(variants: Variants) -> tuple[str, str]:
    """What all measurements of a plot share: as words for a title, and as part of a name."""
    first, *rest = (one.case for group in variants.values() for one in group)
    shared = [
        str(getattr(first, key))
        for key in _VARY
        if key != "folded" and all(getattr(one, key) == getattr(first, key) for one in rest)
    ]
    usual = {Case._field_defaults[key] for key in _VARY}
    name = "".join(f"-{word}" for word in shared if word not in usual)
    return ", ".join((show_shape(first.input), *shared)), name


def batch_plot(variants: Variants) -> Plot:
    """Latency (median, p10 to p90 shaded) and throughput against the batch; a column a variant."""
    found = [one for group in variants.values() for one in group]
    models = list(dict.fromkeys(one.case.model for one in found))
    batches = sorted({one.case.batch for one in found})
    words, name = _same(variants)
    alone = len(variants) == 1

    def paint(figure: Figure, theme: Theme) -> None:
        shape = (1, 2) if alone else (2, len(variants))
        grid = figure.subplots(*shape, squeeze=False, sharex=True, sharey=False if alone else "row")
        above, below = ([grid[0, 0]], [grid[0, 1]]) if alone else grid
        for latency, throughput, (variant, group) in zip(
            above, below, variants.items(), strict=True
        ):
            _batch_lines(latency, throughput, theme, models, group)
            latency.set_title("Latency: median, p10 to p90 shaded" if alone else variant)
            for axes in (latency, throughput):
                _log(axes, batches)
        above[0].set_ylabel("milliseconds")
        below[0].set_ylabel("images per second")
        if alone:
            below[0].set_title("Throughput")
        for axes in grid[-1]:
            axes.set_xlabel("batch")
        handles, labels = above[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(models)))
        if not alone:
            figure.suptitle(
                "Latency (median, p10 to p90 shaded) and throughput\n"
                f"{_device(found[0])}, {words}",
                fontsize=11, fontweight="bold", x=0.01, ha="left",
            )  # fmt: skip

    return Plot(
        f"batch{name}",
        f"Latency and throughput against batch on {_device(found[0])}, {words}: "
        + ", ".join(models)
        + ("." if alone else f"; beside one another {', '.join(variants)}."),
        (9.6, 4.2) if alone else (min(12.0, 1.4 + 4.0 * len(variants)), 7.4),
        paint,
    )


def _batch_lines(
    latency: Axes, throughput: Axes, theme: Theme, models: Sequence[str],
    group: Sequence[Measurement],
) -> None:  # fmt: skip
    """A line for each network, with a colour and a marker that are its own in every column."""
    for number, model in enumerate(models):
        latest = {one.case.batch: one for one in group if one.case.model == model}
        batches = sorted(latest)
        sums = [made for batch in batches if (made := latest[batch].summary)]
        colour = theme.series[number % len(theme.series)]
        style: dict[str, Any] = {
            "color": colour,
            "linestyle": DASHES[number // len(theme.series) % len(DASHES)],
            "marker": MARKERS[number % len(MARKERS)],
        }
        latency.plot(batches, [one.median * 1e3 for one in sums], label=model, **style)
        latency.fill_between(
            batches, [one.p10 * 1e3 for one in sums], [one.p90 * 1e3 for one in sums],
            color=colour, alpha=0.2, linewidth=0,
        )  # fmt: skip
        speeds = [batch / one.median for batch, one in zip(batches, sums, strict=True)]
        throughput.plot(batches, speeds, **style)


def _log(axes: Axes, batches: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(batches, [str(batch) for batch in batches])
    axes.minorticks_off()
    _plain_numbers(axes.yaxis)


def _plain_numbers(axis: Any) -> None:
    """1, 2, 5, 10 rather than powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


_BESIDE = 1.035
"""Factor between the places of two variants of one network, which cost equally many MACs."""


def zoo_plot(variants: Variants) -> Plot:
    """Throughput against MACs of one image, with lines of equal speed of arithmetic.

    A colour for each variant, a marker for each batch; the batches of a network are joined.
    """
    variants = {  # a network of which nothing is counted has no place here
        name: [one for one in group if one.fields["macs"]] for name, group in variants.items()
    }
    found = [one for group in variants.values() for one in group]
    batches = sorted({one.case.batch for one in found})
    words, name = _same(variants)

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        places = [place for place, _ in map(_point, found)]
        room = max(1.3, (max(places) / min(places)) ** 0.14)  # also where all cost equally much
        axes.set_xlim(min(places) / room, max(places) * room)
        best: dict[str, tuple[float, float]] = {}
        points = []
        for number, group in enumerate(variants.values()):
            shift = _BESIDE ** (number - (len(variants) - 1) / 2)
            colour = theme.series[number % len(theme.series)]
            points.append(_zoo_points(axes, colour, batches, group, shift))
            for one in group:
                point = _point(one)
                known = best.get(one.case.model, point)
                best[one.case.model] = max(known, point, key=lambda at: at[1])
        axes.margins(y=0.14)
        _speed_lines(axes, theme)
        for axis in (axes.xaxis, axes.yaxis):
            _plain_numbers(axis)
        axes.set_xlabel("GMACs of an image")
        axes.set_ylabel("images per second")
        axes.set_title(f"Throughput against MACs\n{_device(found[0])}, {words}")
        _zoo_legend(figure, theme, list(variants), batches)
        # Names are put where the points are known to stand.
        figure.draw_without_rendering()
        label_above(axes, best, [at for one in points for at in one], backed(theme))

    return Plot(
        f"throughput{name}",
        f"Images per second against GMACs of an image on {_device(found[0])}, {words}, "
        f"with lines of equal FLOP/s ({MACS}).",
        (7.6, 5.2),
        paint,
    )


def _zoo_points(
    axes: Axes, colour: str, batches: Sequence[int], group: Sequence[Measurement], shift: float
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


def _zoo_legend(
    figure: Figure, theme: Theme, variants: Sequence[str], batches: Sequence[int]
) -> None:
    """What colours say, if there are several, above what markers say."""
    from matplotlib.lines import Line2D

    colours = [
        Line2D([], [], color=theme.series[number % len(theme.series)], linewidth=5, label=variant)
        for number, variant in enumerate(variants)
    ]
    markers = [
        Line2D([], [], color=theme.muted, marker=MARKERS[number % len(MARKERS)], linestyle="none",
               markersize=6, label=f"batch {batch}")
        for number, batch in enumerate(batches)
    ]  # fmt: skip
    rows = [row for row in (colours, markers) if len(row) > 1]
    nothing = Line2D([], [], linestyle="none", label=" ")
    # A legend is filled column by column.
    columns = list(zip_longest(*rows, fillvalue=nothing))
    if columns:
        handles = [handle for column in columns for handle in column]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(columns))


def _point(made: Measurement) -> tuple[float, float]:
    """GMACs of an image, and images per second."""
    batch = made.case.batch
    return made.fields["macs"] / batch / 1e9, batch / _median(made)


def _speed_lines(axes: Axes, theme: Theme) -> None:
    """Where arithmetic runs equally fast: images/s x 2 MACs."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    for power in range(-3, 4):
        for step in (1, 2, 5):
            teraflops = step * 10.0**power
            ends = [teraflops * 1e3 / 2 / gmacs for gmacs in (left, right)]
            if ends[0] < low * 1.6 or ends[1] > high:  # too short for its label, or not seen
                continue
            axes.plot((left, right), ends, color=theme.grid, linewidth=1, zorder=0)
            # Beside the plot, or at its foot, where it is out of the way of the networks' names.
            at = min(right, teraflops * 1e3 / 2 / low)
            side: dict[str, Any] = {"xytext": (4, 0), "ha": "left", "va": "center"}
            foot: dict[str, Any] = {"xytext": (-3, 3), "ha": "right", "va": "bottom"}
            axes.annotate(
                f"{teraflops * 1e3:g} GFLOP/s" if teraflops < 1 else f"{teraflops:g} TFLOP/s",
                (at, teraflops * 1e3 / 2 / at), textcoords="offset points",
                fontsize=8, color=theme.muted, **(side if at == right else foot),
            )  # fmt: skip
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)


def ladder_plot(steps: Sequence[Measurement]) -> Plot:
    """A waterfall: what each step takes off the latency, what was in vain, and what is left.

    Heights are the first step's median over the speed-up so far, which was found by turns: the
    medians of the steps themselves hold what the machine drifted from one to the next.
    """
    found = [made for made in steps if made.summary is not None]
    case = steps[0].case

    def height(made: Measurement) -> float:
        return _median(found[0]) / float(made.fields["speedup"])

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        level, top = 0.0, 1.15e3 * max(height(made) for made in found if made.fields["kept"])
        for place, made in enumerate(found):
            value = height(made) * 1e3
            fields = made.fields
            start = level if place else 0.0
            if place == 0:
                colour, edge = theme.series[0], theme.series[0]
            elif fields["kept"]:
                colour, edge = theme.series[2], theme.series[2]
            else:
                colour, edge = theme.page, theme.series[1]
            axes.bar(
                place, min(value, top) - start, 0.62, bottom=start, color=colour, edgecolor=edge,
                hatch="" if fields["kept"] else "///", linewidth=1.2,
            )  # fmt: skip
            text = show_seconds(value / 1e3)
            if place:
                text += f"\n{_gain(fields)}"
            axes.annotate(
                text, (place, min(top, max(value, start))), (0, 4),
                textcoords="offset points", ha="center", va="bottom", fontsize=8.5,
            )  # fmt: skip
            if fields["kept"]:
                level = value
            if place + 1 < len(found):
                axes.plot(
                    (place + 0.31, place + 0.69), (level, level), color=theme.muted, linewidth=1
                )
        axes.bar(len(found), level, 0.62, color=theme.series[0])
        axes.annotate(
            f"{show_seconds(level / 1e3)}\n{_median(found[0]) / (level / 1e3):.2f}x in all",
            (len(found), level), (0, 4), textcoords="offset points", ha="center", va="bottom",
            fontsize=8.5, fontweight="bold",
        )  # fmt: skip
        names = [str(made.fields["step"]).replace(" ", "\n", 1) for made in found]
        axes.set_xticks(range(len(found) + 1), [*names, "best"])
        axes.set_ylim(0, top * 1.12)  # a step far slower than the first is cut off there
        axes.tick_params(axis="x", length=0)
        axes.grid(False, axis="x")
        axes.set_ylabel("milliseconds: the first median / speed-up")
        axes.set_title(f"Ladder of {case.model}, batch {case.batch}, {_device(steps[0])}")

    return Plot(
        f"ladder-{case.model}-{case.batch}",
        f"Waterfall of the latency of {case.model} at batch {case.batch} on {_device(steps[0])}: "
        + "; ".join(f"{made.fields['step']} {show_seconds(height(made))}" for made in found)
        + ".",
        (1.6 + 1.15 * (len(found) + 1), 4.4),
        paint,
    )


def _gain(fields: Mapping[str, Any]) -> str:
    words = [f"{fields['gain']:.2f}x"] if fields["gain"] else []
    return " ".join(words if fields["kept"] else [*words, "not kept"])


def _median(made: Measurement) -> float:
    assert made.summary is not None
    return made.summary.median
