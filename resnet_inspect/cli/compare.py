"""resnet-inspect compare"""

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
from resnet_inspect.cli.output import Format, Output, emit


def _complete_table(incomplete: str) -> list[str]:
    from resnet_inspect.tables.comparison import TABLES

    return [name for name in TABLES if name.startswith(incomplete)]


def command(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help=f"{MODELS_HELP}; ratios are to the first.",
            autocompletion=complete_model,
        ),
    ],
    input: Annotated[str | None, INPUT] = None,
    args: Args = None,
    leaf: Leaf = None,
    batch: Annotated[int, typer.Option(metavar="N", help="Samples in a batch.")] = 1,
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help="fp32, fp16, bf16, fp64.")] = "fp32",
    convention: Convention = "macs",
    only: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE,..",
            help="Tables to show: cost, memory, stage, where.  \\[default: all]",
            autocompletion=_complete_table,
        ),
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Set networks side by side: cost, memory, every stage, and where the cost sits.

    \b
    resnet-inspect compare resnet34 resnet50
    resnet-inspect compare resnet50_v1 resnet50 resnet50d --only stage
    resnet-inspect compare resnet18 my_network.toml --batch 32 -o comparison.csv
    resnet-inspect compare resnet18 resnet50 --convention fvcore --only cost
    """
    from resnet_inspect.tables.comparison import compare

    graphs = load_all(models, input, args, leaf)
    sheet = compare(graphs, batch=batch, dtype=dtype, convention=convention)
    emit(sheet.only(only.split(",")) if only else sheet, format, output)
