"""Pictures of measurements: the roofline, the ladder, latency against batch, throughput and MACs.

Each is a plot_style.Plot of what the tables hold; matplotlib is loaded when one is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from resnet_inspect.measurements import Measurement, climbs, of_kind
from resnet_inspect.plot_style import DASHES, MARKERS, Plot, Theme, backed
from resnet_inspect.roofline_table import Roofline, measured
from resnet_inspect.table import show_rate, show_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MACS = "2 x MACs of convolution and linear layers"

FAMILIES = (
    "3x3 convolution",
    "1x1 convolution",
    "other convolution, linear",
    "batch norm",
    "activation, addition",
    "pooling",
)
"""Kinds of layer that the roofline tells apart."""


def plots_of(measurements: Sequence[Measurement]) -> list[Plot]:
    """Every plot that some measurements allow, each under a name of its own."""
    made: list[Plot] = []
    latencies = [one for one in of_kind(measurements, "latency") if one.summary is not None]
    if latencies:
        if len({one.case.batch for one in latencies}) > 1:
            made.append(batch_plot(latencies))
        if len({one.case.model for one in latencies}) > 1:
            made.append(zoo_plot(latencies))
    made += [ladder_plot(steps) for steps in climbs(measurements) if steps[0].summary]
    made += [roofline_plot(measured(one)) for one in of_kind(measurements, "layers") if one.summary]
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


def _series(measurements: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Lines of a plot: what differs beside the batch, in words."""
    keys = ("model", "dtype", "memory_format", "mode", "step", "folded")
    cases = [made.case._asdict() for made in measurements]
    told = [key for key in keys if key == "model" or len({str(c[key]) for c in cases}) > 1]
    found: dict[str, list[Measurement]] = {}
    for made, case in zip(measurements, cases, strict=True):
        name = " ".join(str(case[key]) for key in told if case[key] not in (False,))
        found.setdefault(name, []).append(made)
    return found


def batch_plot(measurements: Sequence[Measurement]) -> Plot:
    """Latency (median, p10 to p90 shaded) and throughput against the batch."""
    series = _series(measurements)

    def paint(figure: Figure, theme: Theme) -> None:
        left, right = figure.subplots(1, 2)
        for number, (name, found) in enumerate(series.items()):
            latest = {made.case.batch: made for made in found}
            batches = sorted(latest)
            sums = [made for batch in batches if (made := latest[batch].summary)]
            colour = theme.series[number % len(theme.series)]
            style: dict[str, Any] = {
                "color": colour,
                "linestyle": DASHES[number // len(theme.series) % len(DASHES)],
                "marker": MARKERS[number % len(MARKERS)],
            }
            left.plot(batches, [one.median * 1e3 for one in sums], label=name, **style)
            left.fill_between(
                batches, [one.p10 * 1e3 for one in sums], [one.p90 * 1e3 for one in sums],
                color=colour, alpha=0.2, linewidth=0,
            )  # fmt: skip
            speeds = [batch / one.median for batch, one in zip(batches, sums, strict=True)]
            right.plot(batches, speeds, **style)
        for axes, title, unit in (
            (left, "Latency (median; shaded p10 to p90)", "milliseconds"),
            (right, "Throughput", "images per second"),
        ):
            axes.set_title(title)
            axes.set_ylabel(unit)
            axes.set_xlabel("batch")
            _log(axes, sorted({made.case.batch for made in measurements}))
        figure.legend(loc="outside upper center", ncols=min(5, len(series)))

    return Plot(
        "batch",
        f"Latency and throughput against batch on {_device(measurements[0])}: "
        + ", ".join(series)
        + ".",
        (9.6, 4.2),
        paint,
    )


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


def zoo_plot(measurements: Sequence[Measurement]) -> Plot:
    """Throughput against MACs of one image, with lines of equal speed of arithmetic."""
    series: dict[str, list[Measurement]] = {}
    keys = ("batch", "dtype", "memory_format", "mode", "step")
    cases = [made.case._asdict() for made in measurements]
    told = [key for key in keys if key == "batch" or len({str(c[key]) for c in cases}) > 1]
    for made, case in zip(measurements, cases, strict=True):
        words = [f"batch {case[key]}" if key == "batch" else str(case[key]) for key in told]
        series.setdefault(" ".join(words), []).append(made)

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        for number, (name, found) in enumerate(series.items()):
            points = {made.case.model: _point(made) for made in found}
            axes.plot(
                *zip(*points.values(), strict=True),
                linestyle="none",
                marker=MARKERS[number % len(MARKERS)],
                markersize=8,
                color=theme.series[number % len(theme.series)],
                label=name,
            )
        best: dict[str, tuple[float, float]] = {}
        for made in measurements:
            point = _point(made)
            best[made.case.model] = max(best.get(made.case.model, point), point)
        for model, point in best.items():
            axes.annotate(
                model, point, (0, 8), textcoords="offset points", ha="center", fontsize=9,
                bbox=backed(theme),
            )  # fmt: skip
        axes.margins(0.14)
        _speed_lines(axes, theme)
        for axis in (axes.xaxis, axes.yaxis):
            _plain_numbers(axis)
        axes.set_xlabel("GMACs of an image")
        axes.set_ylabel("images per second")
        axes.set_title(f"Throughput against MACs, {_device(measurements[0])}")
        axes.legend(loc="lower left")

    return Plot(
        "throughput",
        f"Images per second against GMACs of an image on {_device(measurements[0])}, with lines "
        f"of equal FLOP/s ({MACS}).",
        (7.2, 4.8),
        paint,
    )


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
    """A waterfall: what each step takes off the latency, what was in vain, and what is left."""
    found = [made for made in steps if made.summary is not None]
    case = steps[0].case

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        level, top = 0.0, 1.15e3 * max(_median(made) for made in found if made.fields["kept"])
        for place, made in enumerate(found):
            value = _median(made) * 1e3
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
                text += f"\n{fields['gain']:.2f}x" + ("" if fields["kept"] else " not kept")
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
        axes.set_ylabel("milliseconds (median)")
        axes.set_title(f"Ladder of {case.model}, batch {case.batch}, {_device(steps[0])}")

    return Plot(
        f"ladder-{case.model}-{case.batch}",
        f"Waterfall of the latency of {case.model} at batch {case.batch} on {_device(steps[0])}: "
        + "; ".join(f"{made.fields['step']} {show_seconds(_median(made))}" for made in found)
        + ".",
        (1.6 + 1.15 * (len(found) + 1), 4.4),
        paint,
    )


def _median(made: Measurement) -> float:
    assert made.summary is not None
    return made.summary.median


def family(operation: str) -> str:
    """The kind of layer, of FAMILIES, by the operation that a roofline's row names."""
    word = operation.split()[0]
    if word in _WORDS:
        return _WORDS[word]
    kernel = word.split("/")[0]
    if "x" in kernel and kernel.replace("x", "").isdigit():
        return f"{kernel} convolution" if kernel in ("3x3", "1x1") else FAMILIES[2]
    return "activation, addition"


_WORDS = {"BN": "batch norm", "max": "pooling", "avg": "pooling", "Linear": FAMILIES[2]}


def roofline_plot(found: Roofline) -> Plot:
    """The roof, and every layer under it at its intensity: the bound, and what was measured."""
    rows = [row for row in found.rows if row["bytes"] and row["flops"]]
    timed = bool(rows) and "measured" in rows[0]

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        lowest = min(row["flops"] / row["bytes"] for row in rows) / 5
        highest = max(found.rate / found.bandwidth * 4,
                      max(row["flops"] / row["bytes"] for row in rows) * 1.6)  # fmt: skip
        _roof(axes, theme, found, lowest, highest)
        by_family = sorted(rows, key=lambda row: FAMILIES.index(family(row["operation"])))
        for name, part in groupby(by_family, key=lambda row: family(row["operation"])):
            _points(axes, theme, name, list(part), timed)
        axes.set_xlim(lowest, highest)
        axes.set_xlabel("arithmetic intensity: FLOPs for each byte of traffic")
        axes.set_ylabel("GFLOP/s (2 x MACs + elementwise terms)")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.set_title(
            f"Roofline of {found.model}, batch {found.batch}, {found.dtype}, {found.device}"
        )
        axes.legend(loc="lower right", fontsize=9, title="filled: measured, hollow: bound"
                    if timed else "bound", title_fontsize=9)  # fmt: skip

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
