"""resnet-inspect conventions"""

from __future__ import annotations

from typing import Annotated

import typer

from resnet_inspect.cli.network_options import complete_model, load
from resnet_inspect.cli.output import Format, Output, emit


def command(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Networks to give totals of.",
            autocompletion=complete_model,
        ),
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """List the conventions by which tools and papers count, and what each comes to.

    \b
    resnet-inspect conventions
    resnet-inspect conventions resnet18 resnet50
    """
    from resnet_inspect.tables.conventions import conventions

    emit(conventions([load(model).graph for model in models or ()]), format, output)
