"""resnet-inspect ladder"""

from __future__ import annotations

from typing import Annotated

import typer

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import (
    Budget,
    Device,
    HalfWidth,
    Plots,
    Threads,
    watched,
    write_plots,
)
from resnet_inspect.cli.network_options import Network, takes_network
from resnet_inspect.cli.output import Format, Output, emit


@takes_network
def command(
    network: Network,
    batch: Annotated[int, typer.Option(metavar="N", help="Images in a batch.")] = 1,
    device: Device = None,
    threads: Threads = None,
    budget: Budget = 10.0,
    half_width: HalfWidth = 0.01,
    record: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="JSON Lines, to which each step is added as soon as it is measured.",
        ),
    ] = "bench.jsonl",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on behind the steps that the record holds already."),
    ] = False,
    plots: Plots = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Climb from the naive baseline to the fastest, and show what each step gives.

    fp32 eager, TF32, channels_last, bf16, fp16, batch norm folded into convolutions, torch.compile,
    CUDA graphs; each step's outputs are checked against those of fp32.

    \b
    resnet-inspect ladder resnet50 --batch 256
    resnet-inspect ladder resnet50 --batch 256 --resume
    resnet-inspect ladder resnet18 --device cpu --budget 3 --plots figures
    """
    with watched("climbing", record) as progress:
        measurements = ri.ladder(
            network.graph,
            batch=batch,
            device=device,
            threads=threads,
            budget=budget,
            half_width=half_width,
            record=record,
            resume=resume,
            progress=progress,
        )
    emit(measurements.view(), format, output)
    if plots is not None:
        write_plots(plots, measurements.plots())
