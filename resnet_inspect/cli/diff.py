"""resnet-inspect diff"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resnet_inspect.cli.network_options import (
    INPUT,
    MODELS_HELP,
    Args,
    Leaf,
    complete_model,
    load_all,
)
from resnet_inspect.cli.output import Output, emit

PICTURES = ("svg", "png", "pdf", "dot")


_PICTURE = "Picture (-o FILE.svg, .png, .pdf or .dot)"


def command(
    before: Annotated[
        str,
        typer.Argument(metavar="A", help=f"{MODELS_HELP}.", autocompletion=complete_model),
    ],
    after: Annotated[
        str, typer.Argument(metavar="B", help="What it became.", autocompletion=complete_model)
    ],
    input: Annotated[str | None, INPUT] = None,
    args: Args = None,
    leaf: Leaf = None,
    level: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="stage, block or layer.", rich_help_panel=_PICTURE),
    ] = "block",
    expand: Annotated[
        bool,
        typer.Option(
            "--expand", help="Draw every one of identical blocks.", rich_help_panel=_PICTURE
        ),
    ] = False,
    direction: Annotated[
        str, typer.Option(metavar="WORD", help="TB (down) or LR.", rich_help_panel=_PICTURE)
    ] = "TB",
    theme: Annotated[
        str, typer.Option(metavar="WORD", help="light, dark or print.", rich_help_panel=_PICTURE)
    ] = "light",
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="As of table, or a picture's.  \\[default: by the suffix of -o]"
        ),
    ] = None,
    output: Output = None,
) -> None:
    """Tell two networks apart: what was added, removed and changed, layer by layer.

    \b
    resnet-inspect diff resnet50 resnet50d
    resnet-inspect diff resnet50 resnet50d -o differences.svg
    resnet-inspect diff resnet50 my_fork.model:resnet50 --input 3x224x224
    """
    first, second = load_all([before, after], input, args, leaf)
    suffix = Path(output).suffix.lower().removeprefix(".") if output else ""
    if (format or suffix) not in PICTURES:
        from resnet_inspect.tables.difference import diff

        emit(diff(first, second), format, output)
        return
    from resnet_inspect.cli.diagram import emit_drawing
    from resnet_inspect.pictures.diagrams.diagram import diff_diagram

    look = {"level": level, "direction": direction, "theme": theme}
    emit_drawing(diff_diagram(first, second, expand=expand, **look), output, format)
