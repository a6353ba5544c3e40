"""resnet-inspect device"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import device_options, watched
from resnet_inspect.cli.output import emit, output_options
from resnet_inspect.cli.parameters import command, option


@command("device")
@device_options
@option("--refresh", is_flag=True, help="Measure again what is stored.")
@option("--record", metavar="FILE", help="JSON Lines to add the ceilings to as well.")
@output_options
def device(
    device: str | None,
    threads: int | None,
    refresh: bool,
    record: str | None,
    format: str | None,
    output: str | None,
) -> None:
    """Measure what a device can do at best: arithmetic, copies.

    Arithmetic by dtype, copies and launches: these ceilings are measured once for a device and a
    torch, stored, and used by bench, ladder and roofline.

    \b
    resnet-inspect device
    resnet-inspect device --device cpu --threads 1 --refresh
    """
    with watched("measuring") as progress:
        measurements = ri.device(
            device, threads=threads, refresh=refresh, record=record, progress=progress
        )
    emit(measurements.view(), format, output)
