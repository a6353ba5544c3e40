"""resnet-inspect explain"""

from __future__ import annotations

import click

import resnet_inspect as ri
from resnet_inspect.cli.network_options import Network, network_options
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import argument, command
from resnet_inspect.errors import InspectError
from resnet_inspect.networks import zoo


def _complete_part(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Blocks and layers of a network of the zoo."""
    model = context.params.get("model")
    if model not in zoo.ZOO:
        return []
    graph = ri.graph(model)
    parts = [*(block.name for block in graph.blocks), *graph.by_name]
    return [part for part in dict.fromkeys(parts) if part.startswith(incomplete)]


@command("explain")
@network_options
@argument(
    "part LAYER",
    "A layer or block, such as layer2.0.conv2.",
    required=False,
    shell_complete=_complete_part,
)
@shows
def explain(network: Network, part: str | None) -> ri.Table:
    """Write out the arithmetic of a layer or block, with numbers.

    \b
    resnet-inspect explain resnet50 layer2.0.conv2
    resnet-inspect explain resnet18 layer3.0
    resnet-inspect explain --depth 18 layer3.0
    """
    if part is None and network.described:  # the only word is the layer
        network, part = network._replace(model=None), network.model
    if part is None:
        raise InspectError("no layer; name a layer or block after the network, such as layer2.0")
    return ri.explain(network.graph, part)
