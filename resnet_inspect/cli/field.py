"""resnet-inspect field"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.network_options import Network, network_options
from resnet_inspect.cli.output import shows, telling
from resnet_inspect.cli.parameters import command, option


@command("field")
@network_options
@option("--layers NAME,..", "Whose units.", unset="the outputs of all stages")
@option("--measure", "Beside it as autograd finds it.")
@option("--seeds N", "Seeds of --measure.", default=100)
@shows
def field(network: Network, layers: tuple[str, ...] | None, measure: bool, seeds: int) -> ri.Table:
    """Show how much of the input a unit really sees.

    In closed form, at initialisation: the effective receptive field.

    \b
    resnet-inspect field resnet50
    resnet-inspect field resnet20_cifar --measure --seeds 500
    resnet-inspect plot field resnet18 resnet50 -o field.svg
    """
    graph = network.graph
    with telling(f"measuring the gradient of {seeds} seeds" if measure else "following gradients"):
        return ri.effective_fields(graph, layers or (), measure=measure, seeds=seeds)
