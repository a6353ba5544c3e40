"""resnet-inspect device"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import device_options, watched
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import command, option

if TYPE_CHECKING:
    from resnet_inspect.reporting.measurements import Measurements


@command("device")
@device_options
@option("--refresh", "Measure again what is stored.")
@option("--record FILE", "JSON Lines to add the ceilings to as well.")
@shows
def device(device: str | None, **settings: Any) -> Measurements:
    """Measure what a device can do at best: arithmetic, copies.

    Arithmetic by dtype, copies and launches: these ceilings are measured once for a device and a
    torch, stored, and used by bench, ladder and roofline.

    \b
    resnet-inspect device
    resnet-inspect device --device cpu --threads 1 --refresh
    """
    with watched("measuring") as progress:
        return ri.device(device, progress=progress, **settings)
