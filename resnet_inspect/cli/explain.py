"""resnet-inspect explain"""

from __future__ import annotations

import click

import resnet_inspect as ri
from resnet_inspect.cli.network_options import Network, network_options
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import argument, command
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

    'explain residual' says why residual functions are easier to learn.

    \b
    resnet-inspect explain resnet50 layer2.0.conv2
    resnet-inspect explain resnet18 layer3.0
    resnet-inspect explain --depth 18 layer3.0
    resnet-inspect explain residual
    """
    if part is None and network.described:  # the only word is the layer
        network, part = network._replace(model=None), network.model
    if part is None:
        return ri.explain(network.model or "")
    return ri.explain(network.graph, part)
