"""The memory of a training step as a plot: what it is for, kernel by kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from resnet_inspect.counting.timeline import Timeline
from resnet_inspect.counting.training_memory import training_memory
from resnet_inspect.counting.training_step import Settings
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import show_shape
from resnet_inspect.pictures.plots.plot import HATCHES, Plot, backed, note, shared_legend
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.columns import show_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LAYERS = {
    "weights, optimizer": ("weights", "buffers", "optimizer"),
    "input": ("input",),
    "gradients": ("gradients",),
    "activations": ("activations", "casts"),
    "temporaries": ("temporaries",),
}
"""What is drawn, from the axis up, and the kinds in it."""


def training(graphs: Sequence[LayerGraph], batch: int) -> Plot:
    """What a step of SGD with momentum holds while each kernel runs, with the peak marked."""
    settings = Settings()
    timelines = [training_memory(graph, settings) for graph in graphs]

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(graphs), 1, squeeze=False)[:, 0]
        for axes, graph, timeline in zip(panels, graphs, timelines, strict=True):
            _panel(axes, theme, timeline, batch)
            shape = show_shape(graph.input_shape)
            axes.set_title(f"{graph.name}: a training step, batch {batch}, input {shape}")
        panels[-1].set_xlabel("kernels in the order in which they run")
        shared_legend(figure, panels[0], loc="outside upper center", ncols=len(_LAYERS))

    peaks = "; ".join(map(_peak_words, graphs, timelines, [batch] * len(graphs)))
    return Plot(
        "memory",
        f"Memory of a training step, kernel by kernel; the peak is {peaks}.",
        (8.4, 1.6 + 2.2 * len(graphs)),
        paint,
    )


def _peak_words(graph: LayerGraph, timeline: Timeline, batch: int) -> str:
    point = timeline.peak_at(batch)
    bound = "at least " if timeline.uncounted else ""
    where = f"{point.phase} {point.layer}".strip()
    return f"{bound}{show_bytes(timeline.total(batch))} in {graph.name}, {where}"


def _panel(axes: Axes, theme: Theme, timeline: Timeline, batch: int) -> None:
    held = [point.held(batch) for point in timeline.points]
    heights = [
        [sum(at[kind] for kind in kinds) / 2**20 for at in held] for kinds in _LAYERS.values()
    ]
    look: dict[str, Any] = {"colors": theme.series[: len(_LAYERS)], "alpha": 0.75, "linewidth": 0}
    areas = axes.stackplot(range(len(held)), *heights, labels=list(_LAYERS), step="mid", **look)
    for area, hatch in zip(areas, HATCHES, strict=False):
        area.set_hatch(hatch)
        area.set_edgecolor(theme.page)
    curve = timeline.curve(batch)
    peak = curve.index(max(curve))
    right = peak < 0.5 * len(curve)
    words = f"peak {show_bytes(curve[peak])}, {timeline.points[peak].layer}"
    axes.plot([peak], [curve[peak] / 2**20], marker="v", color=theme.ink, clip_on=False)
    place = {"ha": "left" if right else "right", "va": "bottom", "bbox": backed(theme)}
    note(axes, words, (peak, curve[peak] / 2**20), (-4 if right else 4, 6), **place)
    phases = [point.phase for point in timeline.points]
    begins = [phases.index(phase) for phase in dict.fromkeys(phases)]
    for begin in begins[1:]:
        axes.axvline(begin - 0.5, color=theme.ink, linewidth=1, linestyle=(0, (5, 3)))
    axes.set_xticks(begins[:2], ["forward", "backward"], ha="left")
    axes.set_ylabel("MiB")
    axes.set_ylim(0, max(curve) / 2**20 * 1.2)
    axes.set_xlim(-0.5, len(curve) - 0.5)
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)
