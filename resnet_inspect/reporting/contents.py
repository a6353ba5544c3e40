"""What a report holds: the tables of the command line, diagrams and plots, and where each is.

No number is made here. Every table is one that a command prints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from resnet_inspect.errors import InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.parts import depth
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.pictures.diagrams.diagram import Diagram, block_diagram, diagram
from resnet_inspect.pictures.plots.costs import plot
from resnet_inspect.pictures.plots.plot import MOST, Plot
from resnet_inspect.tables import network as network_table
from resnet_inspect.tables.block_comparison import compare_blocks
from resnet_inspect.tables.comparison import overview
from resnet_inspect.tables.conventions import conventions
from resnet_inspect.tables.reconciliation import reconcile
from resnet_inspect.tables.table import Sheet, Table

OVERVIEW, BLOCKS, CONVENTIONS = "overview", "blocks", "conventions"
"""What a report has besides networks, by the folders of their files."""


class Drawing(NamedTuple):
    """A diagram in the light theme, and the same in the dark."""

    light: Diagram
    dark: Diagram


@dataclass(frozen=True)
class Part:
    """What a report says of one network.

    slug: its name as part of file names and addresses. layers: as people read them, batch norm and
    activation with their convolution; every_layer: as programs do.
    """

    slug: str
    graph: LayerGraph
    about: str
    stages: Table
    layers: Table
    every_layer: Table
    published: Table | None
    drawing: Drawing
    memory: Plot

    @property
    def name(self) -> str:
        return self.graph.name


class BlockPart(NamedTuple):
    """What a report says of the two residual blocks."""

    sheet: Sheet
    plot: Plot
    drawing: Drawing


@dataclass(frozen=True)
class Report:
    """A report, ready to be written.

    command: what makes it again. blocks: where a network is of those blocks.
    """

    title: str
    command: str
    about: str
    overview: Sheet
    plots: Mapping[str, Plot]
    parts: tuple[Part, ...]
    blocks: BlockPart | None
    conventions: Sheet

    @property
    def drawings(self) -> list[Drawing]:
        blocks = [self.blocks.drawing] if self.blocks else []
        return [*(part.drawing for part in self.parts), *blocks]


def contents(
    graphs: Sequence[LayerGraph],
    *,
    batch: int = 1,
    dtype: str | None = None,
    convention: str = "macs",
    command: str = "",
) -> Report:
    """A report on networks; command says on it how it was made.

    Raises InspectError for no network, or two of one name.
    """
    if not graphs:
        raise InspectError("a report needs at least one network")
    names = [graph.name for graph in graphs]
    for name in names:
        if names.count(name) > 1:
            raise InspectError(f"two networks are named {name!r}; rename one")
    sheet = overview(graphs, batch=batch, dtype=dtype, convention=convention)
    # More networks than can be told apart by colour are compared in tables only.
    kinds = ("stages", "cumulative", "field") if len(graphs) <= MOST else ()
    table = partial(network_table.table, batch=batch, dtype=dtype, convention=convention)
    return Report(
        title=_title(names),
        command=command,
        about=f"Batch {batch}, {sheet.meta['dtype']}, "
        f"{network_table.heading(convention, graphs[0])}",
        overview=sheet,
        plots={kind: plot(kind, graphs, convention=convention) for kind in kinds},
        parts=tuple(
            _part(slug, graph, partial(table, graph), convention)
            for slug, graph in zip(slugs(names), graphs, strict=True)
        ),
        blocks=_blocks() if any(graph.spec for graph in graphs) else None,
        conventions=conventions(graphs),
    )


def _title(names: Sequence[str]) -> str:
    """Names in a line: two of them where there are more than three."""
    named = names if len(names) < 4 else [*names[:2], f"{len(names) - 2} more"]
    *most, last = named
    return f"{', '.join(most)} and {last}" if most else last


def _blocks() -> BlockPart:
    draw = partial(block_diagram, "basic", "bottleneck", channels=256, side=14)
    return BlockPart(compare_blocks(), plot("blocks"), _drawing(draw))


def _drawing(draw: Callable[..., Diagram]) -> Drawing:
    return Drawing(draw(theme="light"), draw(theme="dark"))


def _part(slug: str, graph: LayerGraph, table: Callable[..., Table], convention: str) -> Part:
    columns = _columns(convention)
    layers = table("layer", all_ops=False, columns=(*columns, "stage"))
    return Part(
        slug=slug,
        graph=graph,
        about=_about(graph),
        stages=table("stage", columns=columns),
        layers=replace(layers, shown=columns),
        every_layer=table("layer"),
        published=published(graph),
        drawing=_drawing(partial(diagram, graph)),
        memory=plot("memory", [graph]),
    )


def published(graph: LayerGraph) -> Table | None:
    """What was published of a network against these counts; None where nothing was."""
    table = reconcile(graph).tables.get("published")
    return table if table and table.rows else None


def _columns(convention: str) -> tuple[str, ...]:
    """The columns of a network's tables on the page: those of the terminal, and a few more.

    FLOPs are left out where another convention counts.
    """
    more = ("flops", "activations") if convention == "macs" else ("activations",)
    *shown, last = network_table.shown(convention)
    return (*shown, *more, last)


def _about(graph: LayerGraph) -> str:
    """A network in a line: what it takes, how deep it is, and where it was published."""
    counts = {"layer": depth(graph), "block": len(graph.body)}
    layers, blocks = (f"{count} {one}{'s' * (count != 1)}" for one, count in counts.items())
    size = f"Input {graph.shown_inputs}, {layers} with weights, {blocks}"
    if graph.name not in zoo.ZOO:
        return f"{size}."
    spec = zoo.spec(graph.name)
    known = graph.spec == spec or graph == layer_graph(spec, graph.input_shape)
    return f"{size}. Source: {zoo.entry(graph.name).source}." if known else f"{size}."


def slugs(names: Sequence[str]) -> list[str]:
    """Names fit for files and addresses, all different: letters, digits, dots, dashes, underscores.

    What folds case, as some file systems do, tells them apart too.
    """
    taken: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "network"
        slug, number = plain, 1
        while slug.lower() in [other.lower() for other in (OVERVIEW, BLOCKS, CONVENTIONS, *taken)]:
            number += 1
            slug = f"{plain}-{number}"
        taken.append(slug)
    return taken
