"""Costs by stage and through depth, and every plot by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from resnet_inspect.counting import conventions
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.parts import depths
from resnet_inspect.pictures.page_size import page_size
from resnet_inspect.pictures.plots.blocks import blocks
from resnet_inspect.pictures.plots.field import receptive_field
from resnet_inspect.pictures.plots.labels import End, label_ends
from resnet_inspect.pictures.plots.memory import memory
from resnet_inspect.pictures.plots.pareto import pareto
from resnet_inspect.pictures.plots.paths import paths
from resnet_inspect.pictures.plots.plot import (
    MOST,
    SMALLEST,
    Plot,
    called,
    counted,
    dash,
    is_narrow,
    marked,
    names_of,
    panels,
    side_by_side,
)
from resnet_inspect.pictures.plots.signal import theory as signal
from resnet_inspect.pictures.plots.zoo import zoo
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables import network as network_table
from resnet_inspect.tables.accuracy import EVERYTHING, Wanted
from resnet_inspect.tables.columns import compact

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALONE = ("zoo", "pareto", "blocks")
"""Plots that take no networks."""


def plot(
    kind: str,
    graphs: Sequence[LayerGraph] = (),
    *,
    theme: str = "light",
    size: str | None = None,
    convention: str = "macs",
    train: bool = False,
    batch: int = 1,
    wanted: Wanted = EVERYTHING,
) -> Plot:
    """A plot of one of KINDS; those of ALONE need no networks.

    size: on a page, as page_size has it. convention: what 'stages' and 'cumulative' show besides
    parameters. train, batch: of 'memory'. wanted: what 'pareto' shows. Raises UnknownNameError for
    the kind, theme or convention, InspectError for another size, for too few or too many networks,
    or for what another kind does not take.
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
    return replace(drawn, theme=theme, page=page_size(size) if size else None)


MOST_NAMES = 30
"""The most names of stages that an axis has room for."""


def _label(graph: LayerGraph) -> str:
    """A network's name; what no rule counts is said to be missing."""
    name = called(graph.name)
    return f"{name} (at least)" if graph_cost(graph).uncounted else name


class Measure(NamedTuple):
    """What a panel shows: a column of a network's table, and what it counts."""

    key: str
    counted: str

    @property
    def title(self) -> str:
        return self.counted[0].upper() + self.counted[1:]


def _measures(convention: str) -> tuple[Measure, Measure]:
    """What a convention counts, and parameters."""
    if convention == "macs":
        return Measure("macs", "MACs"), Measure("params", "parameters")
    label = conventions.convention(convention).label
    return Measure(network_table.COUNTED, label), Measure("params", "parameters")


def stages(graphs: Sequence[LayerGraph], convention: str = "macs") -> Plot:
    """The share of every stage in MACs (or what a convention counts) and in parameters."""
    rows: list[Sequence[Any]] = [
        network_table.table(graph, "stage", convention=convention).rows for graph in graphs
    ]
    measures = _measures(convention)
    counts = {measure: [_counts(stages, measure.key) for stages in rows] for measure in measures}
    top = max(_share(each, stage) for of in counts.values() for each in of for stage in each)

    def paint(figure: Figure, theme: Theme) -> None:
        columns = panels(figure, len(measures), len(graphs), sharey=True)
        for column, (measure, of_networks) in zip(columns, counts.items(), strict=True):
            for number, axes in enumerate(column):
                each = of_networks[number]
                _bars(axes, theme.series[number], each)
                total = f"{compact(sum(each.values()))} {measure.counted}"
                axes.set(title=f"{_label(graphs[number])}: {total}", ylim=(0, 1.25 * top or 1))
                marks = range(0, 101, 25 if top > 0.5 else 10)
                axes.set_yticks([mark / 100 for mark in marks if mark <= 125 * top or not mark])
                axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
                if column is columns[0] or is_narrow(figure):
                    axes.set_ylabel("share")

    return Plot(
        "stages",
        f"Bar charts of the share of each stage in the {measures[0].counted} and parameters of "
        f"{names_of(graphs)}.",
        (8.4, 0.6 + 1.5 * len(graphs)),
        paint,
        columns=len(measures),
    )


def _counts(rows: Sequence[Any], key: str) -> dict[str, int]:
    """A count by stage."""
    return {str(row["name"]): row[key] or 0 for row in rows}


def _share(counts: Mapping[str, int], stage: str) -> float:
    return counts[stage] / (sum(counts.values()) or 1)


MOST_LABELS = 9
"""The most bars that each have room for their number."""


def _bars(axes: Axes, colour: str, counts: Mapping[str, int]) -> None:
    """A bar for each stage, as high as its share, with its count."""
    bars = axes.bar(range(len(counts)), [_share(counts, name) for name in counts], color=colour)
    if len(counts) <= MOST_LABELS:
        axes.bar_label(bars, [compact(count) for count in counts.values()], fontsize=SMALLEST)
    shown = [called(name, 20) for name in counts]
    crowded = sum(map(len, shown)) > 45
    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    step = -(-len(shown) // MOST_NAMES)
    places = range(0, len(shown), step)
    axes.set_xticks(places, shown[::step], **(slant if crowded else {}))
    axes.set_xlim(-0.6, max(len(counts), 4) - 0.4)
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)


def cumulative(graphs: Sequence[LayerGraph], convention: str = "macs") -> Plot:
    """MACs (or what a convention counts) and parameters added up through depth."""
    measures = _measures(convention)
    summed = [_summed(graph, [measure.key for measure in measures], convention) for graph in graphs]
    marks = [_stage_ends(graph) for graph in graphs]

    def paint(figure: Figure, theme: Theme) -> None:
        for axes, measure in zip(side_by_side(figure, 2), measures, strict=True):
            ends = []
            for number, graph in enumerate(graphs):
                heights = summed[number][measure.key]
                axes.plot(
                    range(len(heights)),
                    heights,
                    **marked(theme, number),
                    linestyle=dash(theme, number),
                    markevery=marks[number],
                )
                ends.append(End(len(heights) - 1, heights[-1], _label(graph)))
            axes.set(
                title=f"{measure.title} through depth",
                xlabel="depth in layers with weights (marks end a stage)",
                ylabel=f"{measure.counted} so far",
                ylim=(0, max(axes.get_ylim()[1], 1)),
            )
            label_ends(axes, theme, ends)
            counted(axes.yaxis)

    return Plot(
        "cumulative",
        f"{measures[0].title} and parameters of {names_of(graphs)} added up from the input on.",
        (8.4, 3.6),
        paint,
        columns=2,
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


KINDS: dict[str, Callable[..., Plot]] = {
    "stages": stages,
    "cumulative": cumulative,
    "memory": memory,
    "field": receptive_field,
    "paths": paths,
    "signal": signal,
    "zoo": zoo,
    "pareto": pareto,
    "blocks": blocks,
}
"""Every plot by name."""
