"""resnet-inspect bench"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from resnet_inspect.measuring.records import Case, Measurement
    from resnet_inspect.measuring.sweep import Task
    from resnet_inspect.networks.graph import LayerGraph
    from resnet_inspect.pytorch.bench.sweep import Sweep

_WHAT = "What to measure"


_FILES = "Files of measurements"


_HOW = "How to measure"


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
    cross_check: Annotated[
        bool,
        typer.Option(
            "--cross-check",
            help="Time with torch.utils.benchmark too (and triton's do_bench on a GPU).",
            rich_help_panel=_HOW,
        ),
    ] = False,
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
        raise InspectError("two records are compared in a table alone; leave out --plots")
    if show is not None:
        found = _shown(show, models)
        if against is not None:
            from resnet_inspect.tables.measurements import comparison

            emit(comparison(found, _shown(against, models), (show, against)), format, output)
        else:
            _report(found, level, plots, format, output)
        return
    if against is not None:
        raise InspectError("--against needs --show FILE, the record to compare with")
    if not models:
        raise InspectError("no network; name one or more (such as resnet50), or --show a record")
    from resnet_inspect.measuring.sweep import grid

    tasks = grid(
        load_all(models, input, args, leaf),
        parse_ints(batch, "--batch"),
        words(dtype, "--dtype"),
        words(memory_format, "--memory-format"),
        words(mode, "--mode"),
        "training" if train else "inference",
    )
    from resnet_inspect.measuring.records import existing
    from resnet_inspect.pytorch.bench.sweep import Sweep

    sweep = Sweep.of(
        device,
        threads=threads,
        budget=budget,
        half_width=half_width,
        per_layer=per_layer,
        cross_check=cross_check,
    )
    note_of_device(device, sweep.bench.device.type)
    if not per_layer:
        note_of_ceilings(sweep.ceilings)
    sweep.check(tasks)
    known = existing(record)
    if per_layer:
        with progress(1, "measuring the device") as (say, _):
            sweep = sweep.with_ceilings(say)
    left = sweep.left(tasks, known) if resume else tasks
    if len(left) < len(tasks):
        note(f"{len(tasks) - len(left)} of {len(tasks)} are done already")
    found = []
    try:
        for made in _measure(sweep, left, record):
            found.append(made)
    except KeyboardInterrupt:
        note(f"{len(found)} finished and kept in {record!r}; --resume goes on")
        raise
    if resume:  # what was done before belongs to the report
        found = sweep.of_these(tasks, [*known, *found])
    _report(found, level, plots, format, output)


def _shown(path: str, models: Sequence[str] | None) -> list[Measurement]:
    """The measurements of a file, of these models alone if any are named."""
    from resnet_inspect.measuring.records import read

    found = read(path)
    if not models:
        return list(found)
    known = {made.case.model for made in found if made.kind != "ceilings"}
    for model in models:
        if model not in known:
            raise unknown(f"network in {path!r}", model, sorted(known))
    return [made for made in found if made.kind != "ceilings" and made.case.model in models]


def _measure(sweep: Sweep, tasks: Sequence[Task], record: str) -> Iterator[Measurement]:
    """Measure one after another, with a progress bar."""
    from resnet_inspect.measuring.sweep import run

    with progress(len(tasks), "measuring") as (say, done_with_one):

        def measure(graph: LayerGraph, case: Case) -> Measurement:
            say(str(case))
            return sweep.measure(graph, case)

        for made in run(tasks, measure, record):
            yield made
            done_with_one()


def _report(
    found: Sequence[Measurement],
    level: str,
    plots: str | None,
    format: str | None,
    output: str | None,
) -> None:
    from resnet_inspect.tables.measurements import everything

    sheet = everything(found, level)
    tables = list(sheet.tables.values())
    emit(tables[0] if len(tables) == 1 else sheet, format, output)
    if plots is not None:
        from resnet_inspect.pictures.plots.latency import plots_of

        write_plots(plots, plots_of(found))
