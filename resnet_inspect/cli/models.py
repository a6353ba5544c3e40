"""resnet-inspect models"""

from __future__ import annotations

from typing import Annotated

import typer

from resnet_inspect.cli.output import Format, Output, emit


def _complete_family(incomplete: str) -> list[str]:
    from resnet_inspect.networks.zoo import FAMILIES

    return [family for family in FAMILIES if family.startswith(incomplete)]


def command(
    family: Annotated[
        str | None,
        typer.Option(
            metavar="FAMILY",
            help="resnet, resnet-v1, wide, resnext, tweaks, se, preact, cifar, plain or notes.",
            autocompletion=_complete_family,
        ),
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """List the zoo: every network that is known by name, with where it was published.

    \b
    resnet-inspect models
    resnet-inspect models --family preact
    resnet-inspect models --format json
    """
    from resnet_inspect.tables.zoo import models

    emit(models(family), format, output)
