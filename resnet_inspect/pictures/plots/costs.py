"""Pictures of costs: by stage, through depth, over the zoo; memory, receptive fields, blocks.

Every number comes from the tables and functions that the command line prints. A plot is a value
(plot.Plot) that draws itself when it is written; matplotlib is loaded then, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from resnet_inspect.counting import conventions
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.memory import live_bytes, memory
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.parts import depths
from resnet_inspect.pictures.plots.blocks import blocks
from resnet_inspect.pictures.plots.field import receptive_field
from resnet_inspect.pictures.plots.labels import End, label_ends
from resnet_inspect.pictures.plots.pareto import pareto
from resnet_inspect.pictures.plots.paths import paths
from resnet_inspect.pictures.plots.plot import (
    DASHES,
    HATCHES,
    MARKERS,
    Plot,
    backed,
    called,
    note,
    shared_legend,
)
from resnet_inspect.pictures.plots.signal import theory as signal
from resnet_inspect.pictures.plots.training_memory import training
from resnet_inspect.pictures.plots.zoo import zoo
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables import network as network_table
from resnet_inspect.tables.accuracy import EVERYTHING, Wanted
from resnet_inspect.tables.characters import visible
from resnet_inspect.tables.columns import show_bytes
from resnet_inspect.tables.comparison import merged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALONE = ("zoo", "pareto", "blocks")
"""Plots that take no networks."""

MOST = 6
"""The most networks in one plot: that many colours can be told apart."""


def plot(
    kind: str,
    graphs: Sequence[LayerGraph] = (),
    *,
    theme: str = "light",
    convention: str = "macs",
    train: bool = False,
    batch: int = 1,
    wanted: Wanted = EVERYTHING,
) -> Plot:
    """A plot of one of KINDS; those of ALONE need no networks.

    convention: what 'stages' and 'cumulative' show besides parameters. train, batch: of 'memory'.
    wanted: what 'pareto' shows. Raises UnknownNameError for the kind, theme or convention,
    InspectError for too few or too many networks, or for what another kind does not take.
    """
    if kind not in KINDS:
        raise unknown("plot", kind, KINDS)
    if kind != "pareto" and wanted != EVERYTHING:
        raise InspectError(
            f"x, device, under and data are for the plot 'pareto'; {kind!r} takes none of them"
        )
    if kind != "memory" and (train or batch != 1):
        raise InspectError(f"train and batch are for the plot 'memory'; {kind!r} takes neither")
    if kind in ALONE:
        if graphs:
            raise InspectError(f"the plot {kind!r} takes no network; leave out {graphs[0].name!r}")
        drawn = pareto(wanted) if kind == "pareto" else KINDS[kind]()
    else:
        if not 1 <= len(graphs) <= MOST:
            raise InspectError(f"{len(graphs)} networks; the plot {kind!r} takes 1 to {MOST}")
        given: dict[str, Any] = {"train": train, "batch": batch} if kind == "memory" else {}
        if kind in ("stages", "cumulative"):
            given = {"convention": convention}
        drawn = KINDS[kind](graphs, **given)
    return replace(drawn, theme=theme)


MOST_NAMES = 30
"""The most names of stages that an axis has room for."""


def _names(graphs: Sequence[LayerGraph]) -> str:
    return ", ".join(visible(graph.name) for graph in graphs)


def _label(graph: LayerGraph) -> str:
    """A network's name; what no rule counts is said to be missing."""
    name = called(graph.name)
    return f"{name} (at least)" if graph_cost(graph).uncounted else name


class Measure(NamedTuple):
    """What a panel shows: a column of a network's table, and its axis with '{}' for the unit."""

    key: str
    title: str
    axis: str

    def scaled(self, greatest: float) -> tuple[float, str]:
        """The largest unit that is not above the greatest number, and the axis with it."""
        for unit, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
            if greatest >= unit:
                return unit, self.axis.format(word).replace("billion MACs", "GMACs")
        return 1.0, self.axis.format("").strip(", ")


def _measures(convention: str) -> tuple[Measure, Measure]:
    """What a convention counts, and parameters."""
    params = Measure("params", "Parameters", "{} parameters")
    if convention == "macs":
        return Measure("macs", "MACs", "{} MACs"), params
    label = conventions.convention(convention).label
    return Measure(network_table.COUNTED, label, f"{{}}, {label}"), params


def stages(graphs: Sequence[LayerGraph], convention: str = "macs") -> Plot:
    """MACs (or what a convention counts) and parameters of every stage."""
    rows: list[Sequence[Any]] = [
        network_table.table(graph, "stage", convention=convention).rows for graph in graphs
    ]
    names = merged([str(row["name"]) for row in stages] for stages in rows)
    named = list(zip(map(_label, graphs), rows, strict=True))
    measures = _measures(convention)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(1, 2)
        for axes, measure in zip(panels, measures, strict=True):
            counts = [row[measure.key] or 0 for stages in rows for row in stages]
            unit, axis = measure.scaled(max(counts))
            _bars(axes, theme, named, names, measure.key, unit)
            axes.set_title(f"{measure.title} by stage")
            axes.set_ylabel(axis)
        if len(graphs) > 1:
            look = {"ncols": min(5, len(graphs)), "handlelength": 1.4, "columnspacing": 1.4}
            shared_legend(figure, panels[0], loc="outside upper center", **look)

    return Plot(
        "stages",
        f"Bar chart of the {measures[0].title} and parameters of each stage of {_names(graphs)}.",
        (8.4, 3.6),
        paint,
    )


def _bars(
    axes: Axes,
    theme: Theme,
    networks: Sequence[tuple[str, Sequence[Any]]],
    stages: Sequence[str],
    key: str,
    unit: float,
) -> None:
    """A group of bars for each stage; networks: their labels and rows; key: the column."""
    width = 0.86 / len(networks)
    places = {name: place for place, name in enumerate(stages)}
    for number, (label, rows) in enumerate(networks):
        counts = {row["name"]: row[key] for row in rows}
        at = [places[name] + (number + 0.5) * width - 0.43 for name in counts]
        heights = [(count or 0) / unit for count in counts.values()]
        look: dict[str, Any] = {"color": theme.series[number], "hatch": HATCHES[number]}
        axes.bar(at, heights, width * 0.92, label=label, edgecolor=theme.page, linewidth=0, **look)
    shown = {called(name, 20): place for name, place in places.items()}
    crowded = sum(map(len, shown)) > 45
    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    few = list(shown)[:: -(-len(shown) // MOST_NAMES)]
    axes.set_xticks([shown[name] for name in few], few, **(slant if crowded else {}))
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)


def cumulative(graphs: Sequence[LayerGraph], convention: str = "macs") -> Plot:
    """MACs (or what a convention counts) and parameters added up from the input on."""
    measures = _measures(convention)
    keys = [measure.key for measure in measures]
    summed = [_summed(graph, keys, convention) for graph in graphs]
    marks = [_stage_ends(graph) for graph in graphs]

    def paint(figure: Figure, theme: Theme) -> None:
        for axes, measure in zip(figure.subplots(1, 2), measures, strict=True):
            ends = []
            unit, axis = measure.scaled(max(sums[measure.key][-1] for sums in summed))
            for number, graph in enumerate(graphs):
                heights = [count / unit for count in summed[number][measure.key]]
                axes.plot(
                    range(len(heights)),
                    heights,
                    color=theme.series[number],
                    linestyle=DASHES[number],
                    marker=MARKERS[number],
                    markevery=marks[number],
                )
                ends.append(End(len(heights) - 1, heights[-1], _label(graph)))
            axes.set_title(f"{measure.title} through depth")
            axes.set_xlabel("depth in layers with weights (marks end a stage)")
            axes.set_ylabel(f"{axis} so far")
            axes.set_ylim(bottom=0)
            label_ends(axes, theme, ends, 3.5)

    return Plot(
        "cumulative",
        f"{measures[0].title} and parameters of {_names(graphs)} added up from the input on.",
        (8.4, 3.6),
        paint,
    )


def _summed(graph: LayerGraph, keys: Sequence[str], convention: str) -> dict[str, list[int]]:
    """Columns of a network's table added up by depth; 0 is the input."""
    table = network_table.table(graph, "layer", columns=("name", *keys), convention=convention)
    reached = depths(graph)
    at = {key: [0] * (max(reached.values(), default=0) + 1) for key in keys}
    for row in table.rows:
        for key in keys:
            count = row[key]
            at[key][reached[str(row["name"])]] += count if isinstance(count, int) else 0
    return {key: list(accumulate(counts)) for key, counts in at.items()}


def _stage_ends(graph: LayerGraph) -> list[int]:
    """The depths at which stages end."""
    reached = depths(graph)
    return sorted({reached[stage.output.name] for stage in graph.stages})


def memory_through_depth(graphs: Sequence[LayerGraph], train: bool = False, batch: int = 1) -> Plot:
    """Activations alive while each layer of a pass runs, or all that a training step holds."""
    if train:
        return training(graphs, batch)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(graphs), 1, squeeze=False)[:, 0]
        top = max(max(live_bytes(graph, batch)) for graph in graphs) / 2**20
        for number, (axes, graph) in enumerate(zip(panels, graphs, strict=True)):
            _memory_panel(axes, theme, graph, theme.series[number], top, batch)
        panels[-1].set_xlabel("layers in the order in which they run")

    return Plot(
        "memory",
        f"Activation memory of an inference pass of {_names(graphs)} through depth; the peak is "
        + "; ".join(_peak_words(graph, batch) for graph in graphs)
        + ".",
        (8.4, 1.2 + 1.9 * len(graphs)),
        paint,
    )


def _peak_words(graph: LayerGraph, batch: int) -> str:
    need = memory(graph, batch)
    bound = "at least " if need.uncounted else ""
    return f"{bound}{show_bytes(need.inference_peak)} at {called(need.peak_at)}"


def _memory_panel(
    axes: Axes, theme: Theme, graph: LayerGraph, colour: str, top: float, batch: int
) -> None:
    levels = [level / 2**20 for level in live_bytes(graph, batch)]
    edges = [step - 0.5 for step in range(len(levels) + 1)]
    axes.stairs(levels, edges, fill=True, color=colour, alpha=0.35, linewidth=0)
    axes.stairs(levels, edges, color=colour, linewidth=1.4)
    peak = max(range(len(levels)), key=levels.__getitem__)
    axes.plot([peak], [levels[peak]], marker="v", color=theme.ink, markersize=7, clip_on=False)
    right = peak < 0.5 * len(levels)
    look = {"ha": "left" if right else "right", "va": "bottom", "bbox": backed(theme)}
    words = f"peak {_peak_words(graph, batch)}"
    note(axes, words, (peak, levels[peak]), (-4 if right else 4, 6), **look)
    title = f"{called(graph.name)}: activations alive, input {graph.shown_inputs}"
    axes.set_title(f"{title}, {f'batch {batch}, ' if batch > 1 else ''}fp32")
    axes.set_ylabel("MiB")
    axes.set_ylim(0, top * 1.24)
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.grid(False, axis="x")
    _stage_bands(axes, theme, graph)


def _stage_bands(axes: Axes, theme: Theme, graph: LayerGraph) -> None:
    """Every other stage on a band, with its name on the axis."""
    start, middles, names = 0, [], []
    for number, stage in enumerate(graph.stages):
        count = len(tuple(stage.layers))
        if number % 2:
            axes.axvspan(start - 0.5, start + count - 0.5, color=theme.band, zorder=0, linewidth=0)
        # A stage of a few layers among many is too narrow for its name: some 550 points wide is
        # the whole, and 5 a letter.
        if 550 * count / len(graph.layers) > 5 * len(stage.name):
            middles.append(start + (count - 1) / 2)
            names.append(visible(stage.name))
        start += count
    axes.set_xticks(middles, names)
    axes.tick_params(axis="x", length=0)


KINDS: dict[str, Callable[..., Plot]] = {
    "stages": stages,
    "cumulative": cumulative,
    "memory": memory_through_depth,
    "field": receptive_field,
    "paths": paths,
    "signal": signal,
    "zoo": zoo,
    "pareto": pareto,
    "blocks": blocks,
}
"""Every plot by name."""
