"""Memory as a plot: of an inference pass through depth, of a training step by kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from resnet_inspect.counting.memory import live_bytes
from resnet_inspect.counting.memory import memory as memory_of
from resnet_inspect.counting.timeline import Timeline
from resnet_inspect.counting.training_memory import training_memory
from resnet_inspect.counting.training_step import Settings
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.pictures.plots.labels import FONT_SIZE, measured
from resnet_inspect.pictures.plots.plot import (
    HATCHES,
    Plot,
    backed,
    byte_unit,
    called,
    names_of,
    note,
    shared_legend,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.characters import visible
from resnet_inspect.tables.columns import show_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICKS = 10.0
"""The size of names on an axis, in points."""


def memory(graphs: Sequence[LayerGraph], train: bool = False, batch: int = 1) -> Plot:
    """Activations alive while each layer of a pass runs, or all that a training step holds."""
    if train:
        return _training(graphs, batch)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(graphs), 1, squeeze=False)[:, 0]
        top = max(max(live_bytes(graph, batch)) for graph in graphs)
        for number, (axes, graph) in enumerate(zip(panels, graphs, strict=True)):
            _pass_panel(axes, theme, graph, theme.series[number], top, batch)
        panels[-1].set_xlabel("layers in the order in which they run")

    return Plot(
        "memory",
        f"Activation memory of an inference pass of {names_of(graphs)} through depth; the peak is "
        + "; ".join(_peak_of_pass(graph, batch) for graph in graphs)
        + ".",
        (8.4, 1.2 + 1.9 * len(graphs)),
        paint,
    )


def _peak_of_pass(graph: LayerGraph, batch: int) -> str:
    need = memory_of(graph, batch)
    bound = "at least " if need.uncounted else ""
    return f"{bound}{show_bytes(need.inference_peak)} at {called(need.peak_at)}"


def _pass_panel(
    axes: Axes, theme: Theme, graph: LayerGraph, colour: str, top: int, batch: int
) -> None:
    unit, name = byte_unit(top)
    levels = [level / unit for level in live_bytes(graph, batch)]
    edges = [step - 0.5 for step in range(len(levels) + 1)]
    axes.stairs(levels, edges, fill=True, color=colour, alpha=0.35, linewidth=0)
    axes.stairs(levels, edges, color=colour, linewidth=1.4)
    _mark_peak(axes, theme, levels, _peak_of_pass(graph, batch), size=7)
    title = f"{called(graph.name)}: activations alive, input {graph.shown_inputs}"
    axes.set_title(f"{title}, {f'batch {batch}, ' if batch > 1 else ''}fp32")
    _frame(axes, len(levels), top / unit * 1.24 or 1, name)
    _stage_bands(axes, theme, graph)


def _mark_peak(
    axes: Axes, theme: Theme, levels: Sequence[float], words: str, size: int, **look: Any
) -> None:
    """A mark at the highest level, and words on the side where there is more room."""
    top = max(levels)
    peak = levels.index(top)
    axes.plot([peak], [top], marker="v", color=theme.ink, markersize=size, clip_on=False)
    align, shift = ("left", -4) if peak < 0.5 * len(levels) else ("right", 4)
    note(axes, f"peak {words}", (peak, top), (shift, 6), ha=align, va="bottom", **look)


def _frame(axes: Axes, steps: int, top: float, unit: str) -> None:
    axes.set(ylabel=unit, ylim=(0, top), xlim=(-0.5, steps - 0.5))
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)


def _stage_bands(axes: Axes, theme: Theme, graph: LayerGraph) -> None:
    """Every other stage on a band, with its name on the axis."""
    start, middles = 0, {}
    for number, stage in enumerate(graph.stages):
        count = len(tuple(stage.layers))
        if number % 2:
            axes.axvspan(start - 0.5, start + count - 0.5, color=theme.band, zorder=0, linewidth=0)
        middles[visible(stage.name)] = start + (count - 1) / 2
        start += count
    names = _in_lines(axes, middles)
    axes.set_xticks([middles[name] for name in names], list(names.values()))


_LINES = 3
"""The most lines on which the names of stages stand."""


def _in_lines(axes: Axes, middles: Mapping[str, float]) -> dict[str, str]:
    """Names with empty lines above, where those beside them leave no room on one."""
    figure, (left, right) = axes.get_figure(root=True), axes.get_xlim()
    assert figure is not None
    unit = (72 * figure.get_figwidth() - 45) / (right - left)
    ends, lines = [-inf] * _LINES, {}
    for name, middle in middles.items():
        half = 0.5 * measured(name) * TICKS / FONT_SIZE + 2
        for line in range(_LINES):
            if middle * unit - half > ends[line]:
                ends[line], lines[name] = middle * unit + half, "\n" * line + name
                break
    return lines


_LAYERS = {
    "weights, optimizer": ("weights", "buffers", "optimizer"),
    "input": ("input",),
    "gradients": ("gradients",),
    "activations": ("activations", "casts"),
    "temporaries": ("temporaries",),
}
"""What is drawn, from the axis up, and the kinds in it."""


def _training(graphs: Sequence[LayerGraph], batch: int) -> Plot:
    """What a step of SGD with momentum holds while each kernel runs, with the peak marked."""
    settings = Settings()
    timelines = [training_memory(graph, settings) for graph in graphs]

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(graphs), 1, squeeze=False)[:, 0]
        for axes, graph, timeline in zip(panels, graphs, timelines, strict=True):
            _step_panel(axes, theme, timeline, batch)
            shape = show_shape(graph.input_shape)
            axes.set_title(f"{called(graph.name)}: a training step, batch {batch}, input {shape}")
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


def _step_panel(axes: Axes, theme: Theme, timeline: Timeline, batch: int) -> None:
    curve = timeline.curve(batch)
    most = max(curve)
    unit, name = byte_unit(most)
    held = [point.held(batch) for point in timeline.points]
    heights = [
        [sum(at[kind] for kind in kinds) / unit for at in held] for kinds in _LAYERS.values()
    ]
    look: dict[str, Any] = {"colors": theme.series[: len(_LAYERS)], "alpha": 0.75, "linewidth": 0}
    areas = axes.stackplot(range(len(held)), *heights, labels=list(_LAYERS), step="mid", **look)
    for area, hatch in zip(areas, HATCHES, strict=False):
        area.set_hatch(hatch)
        area.set_edgecolor(theme.page)
    words = f"{show_bytes(most)}, {timeline.points[curve.index(most)].layer}"
    levels = [level / unit for level in curve]
    _mark_peak(axes, theme, levels, words, size=5, bbox=backed(theme))
    phases = [point.phase for point in timeline.points]
    begins = [phases.index(phase) for phase in dict.fromkeys(phases)]
    for begin in begins[1:]:
        axes.axvline(begin - 0.5, color=theme.ink, linewidth=1, linestyle=(0, (5, 3)))
    axes.set_xticks(begins[:2], ["forward", "backward"], ha="left")
    _frame(axes, len(curve), most / unit * 1.2, name)
