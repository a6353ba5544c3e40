"""resnet-inspect reconcile"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from resnet_inspect.cli.network_options import Network, takes_network
from resnet_inspect.cli.output import Format, Output, emit
from resnet_inspect.errors import InspectError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resnet_inspect.counting.conventions import Reported
    from resnet_inspect.networks.graph import LayerGraph


def _complete_table(incomplete: str) -> list[str]:
    from resnet_inspect.tables.reconciliation import TABLES

    return [name for name in TABLES if name.startswith(incomplete)]


@takes_network
def command(
    network: Network,
    batch: Annotated[int, typer.Option(metavar="N", help="Samples in a batch.")] = 1,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure/--no-measure",
            help="Run the counters that are installed, or apply their formulas alone.",
        ),
    ] = True,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE,..",
            help="Tables to show: counters, terms, why, published, memory, parameters.  "
            "\\[default: all]",
            autocompletion=_complete_table,
        ),
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Say why two tools disagree about one network: who counts what, and what it adds up to.

    Runs the counters that are installed, each on a model of its own, and takes every total apart
    into named terms. Exits with status 1 if a counter reports what its formula does not give.

    \b
    resnet-inspect reconcile resnet50
    resnet-inspect reconcile resnet50 --no-measure --only counters,why
    resnet-inspect reconcile resnext50_32x4d --batch 8 --format json
    """
    from resnet_inspect.tables.reconciliation import WITH_MEASURED, reconcile

    # Wrong input says so before anything runs.
    sheet, names = reconcile(network.graph, batch=batch), only.split(",") if only else None
    shown = sheet.only(names or sheet.tables)
    if measure and {*shown.tables} & {*WITH_MEASURED}:
        measured = _measured(network.graph, batch)
        sheet = reconcile(network.graph, batch=batch, measured=measured)
    emit(sheet.only(shown.tables), format, output)
    news = sheet.meta["discrepancies"]
    for line in news:
        print(f"resnet-inspect: {line}", file=sys.stderr)
    if news:
        raise typer.Exit(1)


def _measured(graph: LayerGraph, batch: int) -> Mapping[str, Reported]:
    """What the installed counters report, with a bar on stderr while they run."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    try:
        from resnet_inspect.pytorch import counters
    except InspectError as error:  # no torch
        print(f"resnet-inspect: by formula alone; measuring: {error}", file=sys.stderr)
        return {}
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=len(counters.installed()))
        measured: dict[str, Reported] = {}
        for tool in counters.installed():
            progress.update(task, description=tool.title)
            measured |= counters.run(tool, graph, batch)
            progress.advance(task)
    return measured
