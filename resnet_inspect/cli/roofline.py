"""resnet-inspect roofline"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import DEVICES, dtypes_option, level_option, shows_measured
from resnet_inspect.cli.network_options import Network, batch_option, network_options
from resnet_inspect.cli.parameters import command, option

if TYPE_CHECKING:
    from resnet_inspect.reporting.measurements import NetworkRoofline
    from resnet_inspect.tables.table import Printable


@command("roofline")
@network_options
@level_option()
@batch_option
@dtypes_option(several=False)
@option("--fused", "Batch norm, activation and addition fused into what makes their input.")
@option(
    "--device NAME",
    "cuda or cpu: what was measured here; or a device of 'resnet-inspect devices'.",
    words=DEVICES,
    unset="the latest measured",
)
@option("--ceilings FILE", "Ceilings from this record.", unset="those stored by 'device'")
@shows_measured
def roofline(network: Network, **settings: Any) -> tuple[Printable, NetworkRoofline]:
    """Show what bounds each layer on a device, and its least time.

    \b
    resnet-inspect roofline resnet50
    resnet-inspect roofline resnet50 --batch 256 --dtype bf16 --fused
    resnet-inspect roofline resnet18 --ceilings h200.jsonl --level block
    resnet-inspect roofline resnet50 --device rtx4090 --batch 64 --dtype fp16
    """
    bounds = ri.roofline(network.graph, **settings)
    return bounds, bounds
