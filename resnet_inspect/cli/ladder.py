"""resnet-inspect ladder"""

from __future__ import annotations

from typing import Annotated

import typer

from resnet_inspect.cli.bench_options import (
    Budget,
    Device,
    HalfWidth,
    Plots,
    Threads,
    note,
    note_of_ceilings,
    note_of_device,
    progress,
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
    from resnet_inspect.measuring.records import append, existing
    from resnet_inspect.pytorch.bench.sweep import Sweep
    from resnet_inspect.tables.measurements import ladder

    sweep = Sweep.of(device, threads=threads, budget=budget, half_width=half_width)
    note_of_device(device, sweep.bench.device.type)
    note_of_ceilings(sweep.ceilings)
    graph, names = network.graph, sweep.rungs
    known = existing(record)
    steps = sweep.climbed(graph, batch, known) if resume else []
    if steps:
        note(f"{len(steps)} of {len(names)} steps are done already")
    try:
        with progress(len(names) - len(steps), "climbing") as (say, done_with_one):
            for made in sweep.ladder(graph, batch, say, tuple(steps)):
                append(record, made)
                steps.append(made)
                done_with_one()
    except KeyboardInterrupt:
        note(f"{len(steps)} steps are kept in {record!r}; --resume goes on")
        raise
    emit(ladder(steps), format, output)
    if plots is not None:
        from resnet_inspect.pictures.plots.latency import plots_of

        write_plots(plots, plots_of(steps))
