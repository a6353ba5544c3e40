"""resnet-inspect device"""

from __future__ import annotations

from typing import Annotated

import typer

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import Device, Threads, watched
from resnet_inspect.cli.output import Format, Output, emit


def command(
    device: Device = None,
    threads: Threads = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Measure again what is stored.")
    ] = False,
    record: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="JSON Lines to add the ceilings to as well."),
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Measure what this machine can do at best: arithmetic by dtype, copies, launches.

    Ceilings are measured once for a device and a torch, stored, and used by bench, ladder and
    roofline.

    \b
    resnet-inspect device
    resnet-inspect device --device cpu --threads 1 --refresh
    """
    with watched("measuring", record) as progress:
        measurements = ri.device(
            device, threads=threads, refresh=refresh, record=record, progress=progress
        )
    emit(measurements.view(), format, output)
