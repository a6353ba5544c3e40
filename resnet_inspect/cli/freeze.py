"""resnet-inspect freeze"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.network_options import Network, batch_option, network_options
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import command, option


@command("freeze")
@network_options
@option("--until NAME", "The last stage or block that does not learn.", unset="all but the head")
@batch_option
@shows
def freeze(network: Network, until: str | None, batch: int) -> ri.Table:
    """Show what freezing the first layers saves of a training step.

    \b
    resnet-inspect freeze resnet50 --batch 32
    resnet-inspect freeze resnet18 --until layer2
    """
    return ri.freeze(network.graph, until, batch=batch)
