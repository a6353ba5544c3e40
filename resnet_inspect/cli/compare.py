"""resnet-inspect compare"""

from __future__ import annotations

from collections.abc import Sequence

import resnet_inspect as ri
from resnet_inspect.cli.network_options import (
    MODELS_HELP,
    batch_option,
    convention_option,
    dtype_option,
    models_options,
)
from resnet_inspect.cli.output import emit, only_option, output_options, picked
from resnet_inspect.cli.parameters import command, words_of
from resnet_inspect.networks.graph import LayerGraph


@command("compare")
@models_options(help=f"{MODELS_HELP}; ratios are to the first.")
@batch_option
@dtype_option
@convention_option
@only_option(words_of("tables.comparison:TABLES"))
@output_options
def compare(
    graphs: Sequence[LayerGraph],
    batch: int,
    dtype: str,
    convention: str,
    only: str | None,
    format: str | None,
    output: str | None,
) -> None:
    """Set networks side by side: cost, memory and every stage.

    \b
    resnet-inspect compare resnet34 resnet50
    resnet-inspect compare resnet50 'resnet50[shortcut=C]' --only cost
    resnet-inspect compare resnet50_v1 resnet50 resnet50d --only stage
    resnet-inspect compare resnet18 my_network.toml --batch 32 -o comparison.csv
    resnet-inspect compare resnet18 resnet50 --convention fvcore --only cost
    """
    sheet = ri.compare(*graphs, batch=batch, dtype=dtype, convention=convention)
    emit(picked(sheet, only), format, output)
