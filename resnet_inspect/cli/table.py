"""resnet-inspect table"""

from __future__ import annotations

from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.network_options import (
    Network,
    complete_model,
    cost_options,
    load_all,
    network_options,
)
from resnet_inspect.cli.output import TERMINAL, check_output, chosen_format, emit, output_options
from resnet_inspect.cli.parameters import argument, command, option, words_of
from resnet_inspect.errors import InspectError, check_name
from resnet_inspect.networks import zoo
from resnet_inspect.networks.naming import show_fields

ALL = "all"


STYLES = ("rows", "paper")


@command("table")
@network_options
@argument(
    "others [MODEL...]",
    "With --style paper: more networks, a column each.",
    nargs=-1,
    shell_complete=complete_model,
)
@option(
    "--style STYLE",
    "A row for each layer, or Table 1 of He et al. 2015",
    default=STYLES[0],
    words=STYLES,
)
@option(
    "--names NAMES",
    "Call parts by their modules, or conv2_x as the paper does",
    default="modules",
    words=words_of("networks.naming:NAMINGS"),
)
@option("--level LEVEL", "Rows", default="layer", words=words_of("tables.network:LEVELS"))
@cost_options
@option(
    "--columns KEY,..",
    "Columns to show; 'all' for every one that --format json has.",
    words=lambda: (ALL, *words_of("tables.network:METRICS")()),
)
@option("--all-ops", "Give batch norm and activation rows of their own.")
@output_options
def table(
    network: Network,
    others: tuple[str, ...],
    style: str,
    columns: tuple[str, ...] | None,
    format: str | None,
    output: str | None,
    **settings: Any,
) -> None:
    """Print a network's layers: shapes, parameters, MACs, and more.

    \b
    resnet-inspect table resnet50
    resnet-inspect table --depth 34 --level stage
    resnet-inspect table 'resnet50[shortcut=C,stem=deep]' --level stage
    resnet-inspect table resnet18 --classes 10 --input 3x64x64 -o r18.csv
    resnet-inspect table --blocks 2,2,2 --widths 16,32,64 --input 3x32x32
    resnet-inspect table resnet50 --convention fvcore --level stage
    resnet-inspect table --style paper resnet18 resnet34 resnet50 -o table1.tex
    resnet-inspect table my_network.toml --format json
    """
    check_name("style", style, STYLES)
    check_output(format, output)
    if style == "paper":
        graphs = [network.graph, *load_all(others, network.input)]
        return emit(ri.paper_table(graphs), format, output)
    if others:
        raise InspectError(
            f"a table is about one network, and {others[0]!r} is a second; compare sets several "
            "side by side, and --style paper gives each a column"
        )
    every = columns == (ALL,)
    table = ri.table(network.graph, columns=None if every else columns, **settings)
    if every:
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
