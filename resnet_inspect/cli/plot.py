"""resnet-inspect plot"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

import resnet_inspect as ri
from resnet_inspect.cli.models import accuracy_options
from resnet_inspect.cli.network_options import (
    MODELS_HELP,
    batch_option,
    convention_option,
    models_options,
    size_option,
    theme_option,
)
from resnet_inspect.cli.output import DRAWING, note, output_option, telling
from resnet_inspect.cli.parameters import argument, command, option, words_of
from resnet_inspect.errors import InspectError
from resnet_inspect.files import STDOUT
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pictures.page_size import LEAST_TEXT


@command("plot")
@argument("kind KIND", "What to draw", words=words_of("pictures.plots.costs:KINDS"))
@models_options(help=f"{MODELS_HELP}; none for zoo, pareto and blocks.", required=False)
@output_option("The picture: svg, png or pdf by its suffix.")
@convention_option
@option("--train", "Of memory: that of a training step, SGD with momentum.")
@batch_option
@theme_option()
@option(
    "--x AXIS",
    "What pareto sets accuracy against",
    default="macs",
    words=words_of("tables.accuracy:AXES"),
    panel="With pareto",
)
@accuracy_options("With pareto")
@option(
    "--format FORMAT", "Format, whatever the suffix", words=words_of("pictures.plots.plot:FORMATS")
)
@size_option()
@option("--dpi N", "Dots per inch of a png.", type=click.IntRange(10, 1200), default=144)
def plot(
    kind: str,
    graphs: Sequence[LayerGraph],
    output: str | None,
    format: str | None,
    dpi: int,
    **settings: Any,
) -> None:
    """Plot where the cost is: by stage or depth, in memory, in the zoo, beside accuracy.

    \b
    resnet-inspect plot stages resnet34 resnet50 -o stages.svg
    resnet-inspect plot memory resnet50 -o memory.png
    resnet-inspect plot memory resnet50 --train --batch 32 -o training.svg
    resnet-inspect plot field resnet18 resnet50 resnet152 -o field.pdf
    resnet-inspect plot stages resnet50 --size 3.3in --theme print -o column.pdf
    resnet-inspect plot pareto --x throughput --device rtx4090 -o front.svg
    """
    if output is None:
        raise InspectError("name a file, such as -o FILE.svg (-o - with --format is stdout)")
    with telling("drawing the plot", patience=DRAWING):
        plotted = ri.plot(kind, *graphs, **settings)
        if plotted.least_text < LEAST_TEXT:
            note(f"letters are down to {plotted.least_text:.1f} pt at this size; give a larger one")
        plotted.write(output, "svg" if (output, format) == (STDOUT, None) else format, dpi=dpi)
