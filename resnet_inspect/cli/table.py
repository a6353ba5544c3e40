"""resnet-inspect table"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import resnet_inspect as ri
from resnet_inspect.cli.network_options import (
    Network,
    batch_option,
    convention_option,
    dtype_option,
    network_options,
)
from resnet_inspect.cli.output import TERMINAL, chosen_format, emit, output_options
from resnet_inspect.cli.parameters import command, option, split, words_of

ALL = "all"


def _columns() -> Iterable[str]:
    from resnet_inspect.tables.network import METRICS

    return ALL, *METRICS


@command("table")
@network_options
@option(
    "--level",
    default="layer",
    metavar="LEVEL",
    words=words_of("tables.network:LEVELS"),
    help="Rows",
)
@batch_option
@dtype_option
@convention_option
@option(
    "--columns",
    metavar="KEY,..",
    words=_columns,
    several=True,
    help="Columns to show; 'all' for every one that --format json has.",
)
@option("--all-ops", is_flag=True, help="Give batch norm and activation rows of their own.")
@output_options
def table(
    network: Network,
    level: str,
    batch: int,
    dtype: str,
    convention: str,
    columns: str | None,
    all_ops: bool,
    format: str | None,
    output: str | None,
) -> None:
    """Print a network's layers: shapes, parameters, MACs, and more.

    \b
    resnet-inspect table resnet50
    resnet-inspect table --depth 34 --level stage
    resnet-inspect table 'resnet50[shortcut=C,stem=deep]' --level stage
    resnet-inspect table resnet18 --classes 10 --input 3x64x64 -o r18.csv
    resnet-inspect table --blocks 2,2,2 --widths 16,32,64 --input 3x32x32
    resnet-inspect table resnet50 --convention fvcore --level stage
    resnet-inspect table my_network.toml --format json
    """
    kind = chosen_format(format, output)
    everything = columns == ALL
    table = ri.table(
        network.graph,
        level,
        batch=batch,
        dtype=dtype,
        all_ops=all_ops,
        columns=None if columns is None or everything else split(columns, "--columns"),
        convention=convention,
    )
    if everything:
        table = replace(table, shown=())
    if network.rule and kind == TERMINAL:
        table = table.noted(network.rule)
    emit(table, kind, output)
