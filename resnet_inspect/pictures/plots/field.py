"""What units can see and what they really see, through depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import GlobalAvgPool2d
from resnet_inspect.networks.parts import depths, roles
from resnet_inspect.pictures.plots.labels import End, label_ends
from resnet_inspect.pictures.plots.plot import Plot, called, dash, marked, note
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.propagation.effective import stage_fields
from resnet_inspect.tables.characters import visible
from resnet_inspect.tables.network_notes import field_note

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def receptive_field(graphs: Sequence[LayerGraph]) -> Plot:
    """How many input pixels a position can see, through depth, against the input's size.

    Marked at each stage: the side of what it really sees at initialisation (propagation.effective).
    """
    fields = [_fields(graph) for graph in graphs]
    seen = [_seen(graph) for graph in graphs]

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        ends = []
        for number, (graph, sizes) in enumerate(zip(graphs, fields, strict=True)):
            look = marked(theme, number)
            axes.plot(sizes, color=look["color"], linestyle=dash(theme, number))
            sees = ""
            if seen[number]:
                axes.plot(*zip(*seen[number], strict=True), **look, linewidth=0.9, markersize=4)
                sees = f", sees {seen[number][-1][1]}"
            ends.append(End(len(sizes) - 1, sizes[-1], f"{called(graph.name)} {sizes[-1]}{sees}"))
        inputs = sorted({max(graph.input_shape[1:]) for graph in graphs if graph.input_shape[1:]})
        axes.set_ylim(0, max(axes.get_ylim()[1], *inputs, 1))
        for side in inputs:
            axes.axhline(side, color=theme.ink, linewidth=1.2, linestyle=(0, (5, 3)))
        label_ends(axes, theme, ends)
        for side in inputs:
            look = {"xycoords": axes.get_yaxis_transform(), "ha": "right", "va": "bottom"}
            note(axes, f"the input's {side} pixels", (1, side), (0, 3), **look)
        axes.set(
            title="Receptive field through depth; marked, what 95% of the gradient comes from",
            xlabel="depth in layers with weights",
            ylabel="input pixels",
        )

    return Plot(
        "field",
        "Receptive field through depth, before global pooling: "
        + ", ".join(
            f"{visible(graph.name)} {f[-1]}" for graph, f in zip(graphs, fields, strict=True)
        )
        + " pixels; at initialisation 95% of the squared gradient comes from "
        + ", ".join(str(marks[-1][1]) if marks else "what is unknown" for marks in seen)
        + "."
        + "".join(f" {visible(note)}" for graph in graphs for note in field_note(graph)),
        (8.4, 3.6),
        paint,
    )


def _seen(graph: LayerGraph) -> list[tuple[int, int]]:
    """The depth of each stage's end, and the side of its effective field."""
    reached = depths(graph)
    return sorted((reached[name], field.side) for name, field in stage_fields(graph).items())


def _fields(graph: LayerGraph) -> list[int]:
    """The largest field at every depth up to the last global pooling; 1 pixel at the input."""
    fields, reached, playing = receptive_fields(graph), depths(graph), roles(graph)
    pools = [at for at, layer in enumerate(graph.layers) if isinstance(layer.op, GlobalAvgPool2d)]
    sizes = [1]
    for layer in graph.layers[: pools[-1] if pools else None]:
        field = fields[layer.name]
        if field is None:
            break
        if playing[layer.name] == "squeeze and excitation" or not field.axes:
            continue
        sizes += [sizes[-1]] * (reached[layer.name] + 1 - len(sizes))
        sizes[reached[layer.name]] = max(sizes[reached[layer.name]], *field.size)
    return sizes
