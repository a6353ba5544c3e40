"""A ladder as a picture: how long each step took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from resnet_inspect.measuring.records import LadderStep
from resnet_inspect.pictures.plots.plot import (
    Plot,
    called,
    headed,
    is_narrow,
    plain_numbers,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.columns import show, show_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def ladder_plot(steps: Sequence[LadderStep]) -> Plot:
    """Each step's median time with its p10 and p90, on a logarithmic axis, in the table's order.

    All numbers are the table's: times as measured, and a step's gain over the best before it, the
    two run in turns. What was not kept is hollow and off the line that joins the others.
    """
    timed = [step for step in steps if step.summary is not None]
    case, device = steps[0].case, steps[0].device.name

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        kept = [(_median(step), place) for place, step in enumerate(timed) if step.kept]
        axes.plot(*zip(*kept, strict=True), color=theme.series[0], linewidth=1.2, alpha=0.6)
        for place, step in enumerate(timed):
            _step(axes, theme, place, step)
        _scale(axes, [_median(step) for step in timed], is_narrow(figure))
        axes.set_ylim(len(timed) - 0.5, -0.5)
        words = axes.secondary_yaxis("right")
        words.spines["right"].set_visible(False)
        names = [called(step.step) for step in timed]
        for axis, said in ((axes.yaxis, names), (words.yaxis, list(map(_words, timed)))):
            axis.set_ticks(range(len(timed)), said)
            axis.set_tick_params(length=0)
        axes.set_xlabel("median of a run, bar: p10 to p90; ×: gain on the best before")
        headed(figure, f"Ladder of {called(case.model)}, batch {case.batch}, {device}")

    return Plot(
        f"ladder-{case.model}-{case.batch}",
        f"Time of {case.model} at batch {case.batch} on {device}, step by step: "
        f"{'; '.join(f'{step.step} {_words(step)}' for step in timed)}.",
        (8.4, 1.3 + 0.48 * len(timed)),
        paint,
    )


def _median(step: LadderStep) -> float:
    assert step.summary is not None
    return step.summary.median


def _step(axes: Axes, theme: Theme, place: int, step: LadderStep) -> None:
    """A step's time, filled where it was kept."""
    assert step.summary is not None
    colour = theme.series[0 if step.kept else 1]
    axes.hlines(place, step.summary.p10, step.summary.p90, color=colour, linewidth=3, alpha=0.4)
    face = colour if step.kept else theme.page
    look: dict[str, Any] = {"color": colour, "markerfacecolor": face, "markersize": 7}
    axes.plot([_median(step)], [place], marker="o" if step.kept else "s", **look)


def _words(step: LadderStep) -> str:
    """Its time and its gain as the table has them."""
    gain = [f"{show(step.gain, 'ratio')} ×"] if step.gain else []
    return ", ".join([show_seconds(_median(step)), *gain, *([] if step.kept else ["not kept"])])


def _scale(axes: Axes, times: Sequence[float], narrow: bool) -> None:
    """Times as 200 ms, 1 s on the axis, with room at both ends."""
    room = max(1.3, (max(times) / min(times)) ** 0.08)
    axes.set_xlim(min(times) / room, max(times) * room)
    plain_numbers(axes.xaxis, (1, 4) if narrow else (1, 2, 5), _round_time)


def _round_time(seconds: float) -> str:
    number, unit = show_seconds(seconds).split()
    return f"{float(number):g} {unit}"
