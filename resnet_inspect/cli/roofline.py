"""resnet-inspect roofline"""

from __future__ import annotations

from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import (
    DEVICES,
    dtypes_option,
    level_option,
    plots_option,
    write_plots,
)
from resnet_inspect.cli.network_options import Network, batch_option, network_options
from resnet_inspect.cli.output import emit, output_options
from resnet_inspect.cli.parameters import command, option


@command("roofline")
@network_options
@level_option()
@batch_option
@dtypes_option(several=False)
@option(
    "--fused",
    is_flag=True,
    help="Batch norm, activation and addition fused into what makes their input.",
)
@option(
    "--device",
    metavar="KIND",
    words=DEVICES,
    unset="the latest measured",
    help="Device that was measured",
)
@option(
    "--ceilings",
    metavar="FILE",
    unset="those stored by 'device'",
    help="Ceilings from this record.",
)
@plots_option
@output_options
def roofline(
    network: Network, plots: str | None, format: str | None, output: str | None, **settings: Any
) -> None:
    """Show what bounds each layer on a device, and its least time.

    \b
    resnet-inspect roofline resnet50
    resnet-inspect roofline resnet50 --batch 256 --dtype bf16 --fused
    resnet-inspect roofline resnet18 --ceilings h200.jsonl --level block
    """
    bounds = ri.roofline(network.graph, **settings)
    emit(bounds.view(), format, output)
    if plots is not None:
        write_plots(plots, bounds.plots())
