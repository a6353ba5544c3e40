"""A ladder as a picture: the speed-up that each change adds to those kept before.

A plot.Plot of what the table holds; matplotlib is loaded when it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resnet_inspect.measuring.records import LadderStep
from resnet_inspect.pictures.plots.plot import Plot, called, note
from resnet_inspect.pictures.themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 0.62


def ladder_plot(steps: Sequence[LadderStep]) -> Plot:
    """Bars of the speed-up over the first step; what a kept step adds is set apart.

    Steps that were not kept are hatched, at the speed-up that they would have had. All numbers are
    the table's: medians of ratios of interleaved runs, multiplied over the kept steps.
    """
    timed = [step for step in steps if step.speedup is not None]
    case, device = steps[0].case, steps[0].device.name

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        level = 0.0
        for place, step in enumerate(timed):
            level = _bar(axes, theme, place, step, level)
        axes.set_xticks(range(len(timed)), [step.step.replace(" ", "\n", 1) for step in timed])
        axes.set_ylim(0, 1.2 * max(step.speedup or 0.0 for step in timed))
        axes.tick_params(axis="x", length=0)
        axes.grid(False, axis="x")
        axes.set_ylabel("speed-up over the first step")
        axes.set_title(f"Ladder of {called(case.model)}, batch {case.batch}, {device}")

    labels = [f"{step.step} {_label(step)}".replace("\n", ", ") for step in timed]
    return Plot(
        f"ladder-{case.model}-{case.batch}",
        f"Speed-up of {case.model} at batch {case.batch} on {device}, step by step: "
        f"{'; '.join(labels)}.",
        (2.0 + 1.15 * len(timed), 4.4),
        paint,
    )


def _bar(axes: Axes, theme: Theme, place: int, step: LadderStep, level: float) -> float:
    """Draw a step above `level`, the speed-up before it; gives the speed-up after it."""
    height = step.speedup or 0.0
    if step.kept:
        axes.bar(place, level, _WIDTH, color=theme.series[0])
        axes.bar(place, height - level, _WIDTH, bottom=level, color=theme.series[2 if place else 0])
    else:
        axes.bar(place, height, _WIDTH, color=theme.page, edgecolor=theme.series[1], hatch="///")
    look = {"ha": "center", "va": "bottom", "fontsize": 8.5}
    note(axes, _label(step), (place, height), (0, 4), **look)
    return height if step.kept else level


def _label(step: LadderStep) -> str:
    """The speed-up so far, and the step's own gain."""
    gain = f"step {step.gain:.2f}x" if step.gain else ""
    words = [f"{step.speedup:.2f}x", gain] if step.kept else [gain, "not kept"]
    return "\n".join(filter(None, words))
