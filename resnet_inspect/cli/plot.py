"""resnet-inspect plot"""

from __future__ import annotations

from typing import Annotated

import typer

from resnet_inspect.cli.network_options import (
    INPUT,
    MODELS_HELP,
    Args,
    Convention,
    Leaf,
    complete_model,
    load_all,
)


def _complete_kind(incomplete: str) -> list[str]:
    from resnet_inspect.pictures.plots.costs import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def command(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="stages, cumulative, memory, field, zoo or blocks.",
            autocompletion=_complete_kind,
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The picture: svg, png or pdf.")
    ],
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help=f"{MODELS_HELP}; none for zoo and blocks.",
            autocompletion=complete_model,
        ),
    ] = None,
    input: Annotated[str | None, INPUT] = None,
    args: Args = None,
    leaf: Leaf = None,
    convention: Convention = "macs",
    theme: Annotated[str, typer.Option(metavar="THEME", help="light or dark.")] = "light",
    format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="svg, png or pdf.  \\[default: by the suffix of -o]"),
    ] = None,
    dpi: Annotated[int, typer.Option(metavar="N", min=10, max=1200, help="Of a png.")] = 144,
) -> None:
    """Draw where the cost sits: by stage, through depth, in memory, over the zoo.

    \b
    resnet-inspect plot stages resnet34 resnet50 -o stages.svg
    resnet-inspect plot memory resnet50 -o memory.png
    resnet-inspect plot field resnet18 resnet50 resnet152 -o field.pdf
    resnet-inspect plot zoo -o zoo.svg
    """
    from resnet_inspect.pictures.plots.costs import plot

    graphs = load_all(models or (), input, args, leaf)
    plot(kind, graphs, theme=theme, convention=convention).write(output, format, dpi=dpi)
