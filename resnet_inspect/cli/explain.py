"""resnet-inspect explain"""

from __future__ import annotations

from typing import Annotated

import typer

from resnet_inspect.cli.network_options import Network, takes_network
from resnet_inspect.cli.output import Format, Output, emit


@takes_network
def command(
    network: Network,
    part: Annotated[
        str, typer.Argument(metavar="LAYER", help="A layer or block, such as layer2.0.conv2.")
    ],
    format: Format = None,
    output: Output = None,
) -> None:
    """Write a layer's or block's arithmetic out, formula by formula, with numbers put in.

    \b
    resnet-inspect explain resnet50 layer2.0.conv2
    resnet-inspect explain resnet18 layer3.0
    """
    from resnet_inspect.tables.explanation import arithmetic

    emit(arithmetic(network.graph, part), format, output)
