"""resnet-inspect bench"""

from __future__ import annotations

from typing import Annotated, Any

import typer

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import (
    Budget,
    Device,
    HalfWidth,
    Plots,
    Threads,
    watched,
    words,
    write_plots,
)
from resnet_inspect.cli.network_options import (
    INPUT,
    MODELS_HELP,
    Args,
    Leaf,
    complete_model,
    load_all,
    parse_ints,
)
from resnet_inspect.cli.output import Format, Output, emit
from resnet_inspect.errors import InspectError, unknown

_WHAT = "What to measure"


_FILES = "Files of measurements"


def _what(metavar: str, help: str) -> Any:
    return typer.Option(metavar=metavar, help=help, rich_help_panel=_WHAT)


def command(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help=f"{MODELS_HELP}.",
            autocompletion=complete_model,
        ),
    ] = None,
    batch: Annotated[str, _what("N,..", "Images in a batch.")] = "1",
    dtype: Annotated[str, _what("DTYPE,..", "fp32, tf32, fp16, bf16.")] = "fp32",
    memory_format: Annotated[str, _what("LAYOUT,..", "nchw, nhwc (channels_last).")] = "nchw",
    mode: Annotated[
        str, _what("MODE,..", "eager, compile, cudagraph, compile+cudagraph.")
    ] = "eager",
    input: Annotated[str | None, INPUT] = None,
    args: Args = None,
    leaf: Leaf = None,
    train: Annotated[
        bool,
        typer.Option(
            "--train",
            help="A training step: forward, backward, SGD; half precision by autocast.",
            rich_help_panel=_WHAT,
        ),
    ] = False,
    per_layer: Annotated[
        bool,
        typer.Option(
            "--per-layer",
            help="Every layer where it stands, against the least time that the roofline allows.",
            rich_help_panel=_WHAT,
        ),
    ] = False,
    level: Annotated[
        str, typer.Option(metavar="LEVEL", help="Rows of --per-layer: layer, block or stage.")
    ] = "layer",
    device: Device = None,
    threads: Threads = None,
    budget: Budget = 10.0,
    half_width: HalfWidth = 0.01,
    record: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="JSON Lines, to which each measurement is added as soon as it is finished.",
            rich_help_panel=_FILES,
        ),
    ] = "bench.jsonl",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Leave out what the record holds already.",
            rich_help_panel=_FILES,
        ),
    ] = False,
    show: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Measure nothing; show this record.", rich_help_panel=_FILES
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="With --show: compare with this record, case by case.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    plots: Plots = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Measure latency: percentiles, how sure the median is, throughput, memory, energy.

    \b
    resnet-inspect bench resnet18 resnet50 --batch 1,8 --mode eager,compile
    resnet-inspect bench resnet50 --device cuda --batch 256 --dtype bf16 --memory-format nhwc
    resnet-inspect bench resnet50 --train --batch 32 --resume
    resnet-inspect bench resnet50 --per-layer --level block
    resnet-inspect bench --show bench.jsonl --against other.jsonl
    """
    from resnet_inspect.tables.roofline import LEVELS

    if level not in LEVELS:
        raise unknown("level", level, LEVELS)
    if against is not None and plots is not None:
        raise InspectError("--plots cannot be combined with --against; leave out --plots")
    if against is not None and show is None:
        raise InspectError("--against needs --show FILE, the record to compare with")
    if show is not None:
        measurements = ri.read_bench(show, models)
        if against is not None:
            emit(measurements.against(ri.read_bench(against, models)), format, output)
            return
    elif models:
        with watched("measuring", record) as progress:
            measurements = ri.bench(
                *load_all(models, input, args, leaf),
                batch=parse_ints(batch, "--batch"),
                dtype=words(dtype, "--dtype"),
                memory_format=words(memory_format, "--memory-format"),
                mode=words(mode, "--mode"),
                train=train,
                per_layer=per_layer,
                device=device,
                threads=threads,
                budget=budget,
                half_width=half_width,
                record=record,
                resume=resume,
                progress=progress,
            )
    else:
        raise InspectError(
            "name at least one network (such as resnet50), or use --show FILE for a record"
        )
    emit(measurements.view(level), format, output)
    if plots is not None:
        write_plots(plots, measurements.plots())
