"""resnet-inspect device"""

from __future__ import annotations

from typing import Annotated

import typer

from resnet_inspect.cli.bench_options import Device, Threads, note_of_device, progress
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
    from resnet_inspect.measuring.records import append, existing
    from resnet_inspect.pytorch.bench.ceilings import ceilings
    from resnet_inspect.pytorch.bench.machine import device_named
    from resnet_inspect.tables.measurements import ceilings as table

    if record is not None:
        existing(record)
    chosen = device_named(device)
    note_of_device(device, chosen.type)
    with progress(1, "measuring") as (say, done):
        made = ceilings(chosen, threads=threads, refresh=refresh, progress=say)
        done()
    if record is not None:
        append(record, made)
    emit(table(made), format, output)
