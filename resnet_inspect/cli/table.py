"""resnet-inspect table"""

from __future__ import annotations

from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.network_options import Network, cost_options, network_options
from resnet_inspect.cli.output import TERMINAL, chosen_format, emit, output_options
from resnet_inspect.cli.parameters import command, option, split, words_of
from resnet_inspect.networks import zoo
from resnet_inspect.networks.naming import show_fields

ALL = "all"


@command("table")
@network_options
@option("--level LEVEL", "Rows", default="layer", words=words_of("tables.network:LEVELS"))
@cost_options
@option(
    "--columns KEY,..",
    "Columns to show; 'all' for every one that --format json has.",
    words=lambda: (ALL, *words_of("tables.network:METRICS")()),
    several=True,
)
@option("--all-ops", "Give batch norm and activation rows of their own.")
@output_options
def table(
    network: Network, columns: str | None, format: str | None, output: str | None, **settings: Any
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
    wanted = None if columns in (None, ALL) else split(str(columns), "--columns")
    table = ri.table(network.graph, columns=wanted, **settings)
    if columns == ALL:
        table = table.select(column.key for column in table.columns)
    if network.depth is not None and chosen_format(format, output) == TERMINAL:
        table = table.noted(_of_depth(network.depth, network.fields))
    emit(table, format, output)


def _of_depth(depth: int, changes: dict[str, Any]) -> str:
    """What network has this depth; the rule that it follows only where nothing was changed."""
    published, rule = zoo.by_depth(depth)
    if not changes:
        return rule
    return f"depth {depth} is {published.name}, here with {show_fields(changes)}"
