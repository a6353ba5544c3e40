"""resnet-inspect table"""

from __future__ import annotations

from typing import Annotated

import typer

from resnet_inspect.cli.network_options import Convention, Network, takes_network
from resnet_inspect.cli.output import TERMINAL, Format, Output, chosen_format, emit


def _complete_level(incomplete: str) -> list[str]:
    from resnet_inspect.tables.network import LEVELS

    return [level for level in LEVELS if level.startswith(incomplete)]


@takes_network
def command(
    network: Network,
    level: Annotated[
        str,
        typer.Option(
            metavar="LEVEL",
            help="layer, block, stage or network.",
            autocompletion=_complete_level,
        ),
    ] = "layer",
    batch: Annotated[int, typer.Option(metavar="N", help="Samples in a batch.")] = 1,
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help="fp32, fp16, bf16, fp64.")] = "fp32",
    convention: Convention = "macs",
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="KEY,..", help="Columns to show; 'all' for every one of --format json."
        ),
    ] = None,
    all_ops: Annotated[
        bool,
        typer.Option(
            "--all-ops",
            help="Give batch norm and activation rows of their own (csv, json: always).",
        ),
    ] = False,
    format: Format = None,
    output: Output = None,
) -> None:
    """Print a network's layers with shapes, parameters, MACs and receptive fields.

    \b
    resnet-inspect table resnet50
    resnet-inspect table --depth 34 --level stage
    resnet-inspect table resnet18 --classes 10 --input 3x64x64 --batch 32 -o r18.csv
    resnet-inspect table --blocks 2,2,2 --widths 16,32,64 --stem 3x3 --input 3x32x32
    resnet-inspect table resnet50 --convention fvcore --level stage
    resnet-inspect table my_network.toml --format json
    """
    from resnet_inspect.tables.network import metrics, shown, table
    from resnet_inspect.tables.writers import EXACT

    kind = chosen_format(format, output)
    exact = kind in EXACT
    whole = exact or columns == "all"
    keys = tuple(metrics(network.graph, batch, convention)) if whole else shown(convention)
    if columns not in (None, "all"):
        keys = tuple(columns.split(","))
    made = table(
        network.graph,
        level,
        batch=batch,
        dtype=dtype,
        all_ops=all_ops or exact,
        columns=keys,
        convention=convention,
    )
    if network.rule and kind == TERMINAL:
        made = made.noted(network.rule)
    emit(made, format, output)
