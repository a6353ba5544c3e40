"""resnet-inspect compare"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.network_options import MODELS_HELP, cost_options, models_options
from resnet_inspect.cli.output import shows_some_of
from resnet_inspect.cli.parameters import command, words_of
from resnet_inspect.networks.graph import LayerGraph


@command("compare")
@models_options(help=f"{MODELS_HELP}; ratios are to the first.")
@cost_options
@shows_some_of(words_of("tables.comparison:TABLES"))
def compare(graphs: Sequence[LayerGraph], **settings: Any) -> ri.Sheet:
    """Set networks side by side: cost, memory and every stage.

    \b
    resnet-inspect compare resnet34 resnet50
    resnet-inspect compare resnet50 'resnet50[shortcut=C]' --only cost
    resnet-inspect compare resnet50_v1 resnet50 resnet50d --only stage
    resnet-inspect compare resnet18 my_network.toml --batch 32 -o comparison.csv
    resnet-inspect compare resnet18 resnet50 --convention fvcore --only cost
    """
    return ri.compare(*graphs, **settings)
