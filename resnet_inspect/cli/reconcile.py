"""resnet-inspect reconcile"""

from __future__ import annotations

from contextlib import nullcontext

import click

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import watched
from resnet_inspect.cli.network_options import Network, batch_option, network_options
from resnet_inspect.cli.output import emit, note, only_option, output_options
from resnet_inspect.cli.parameters import command, option
from resnet_inspect.errors import check_name
from resnet_inspect.measuring.progress import SILENT
from resnet_inspect.tables.reconciliation import TABLES, WITH_MEASURED


@command("reconcile")
@network_options
@batch_option
@option(
    "--measure/--no-measure",
    "Run the counters that are installed, or only apply their formulas.",
    default=True,
)
@option("--total NUMBER", "Say who gets this total, and of which variant: 4.12G, 25.6M, 25557032.")
@only_option(TABLES)
@output_options
def reconcile(
    network: Network,
    batch: int,
    measure: bool,
    total: str | None,
    only: tuple[str, ...] | None,
    format: str | None,
    output: str | None,
) -> None:
    """Say why tools disagree about a network: who counts what.

    Runs the counters that are installed, each on a model of its own, and takes every total apart
    into named terms. Exits with status 1 if a counter reports what its formula does not give.

    \b
    resnet-inspect reconcile resnet50
    resnet-inspect reconcile resnet50 --no-measure --only counters,why
    resnet-inspect reconcile resnext50_32x4d --batch 8 --format json
    resnet-inspect reconcile resnet50 --total 4.12G
    """
    graph = network.graph
    if total is not None:
        if only or batch != 1:
            raise click.UsageError(
                "--total searches totals of one image; leave out --only, --batch"
            )
        emit(ri.find_total(graph, total), format, output)
        return
    tables = only or TABLES
    for name in tables:  # before anything runs
        check_name("table", name, TABLES)
    measure = measure and not {*tables}.isdisjoint(WITH_MEASURED)
    with watched("counting") if measure else nullcontext(SILENT) as progress:
        sheet = ri.reconcile(graph, batch=batch, measure=measure, progress=progress)
    emit(sheet.only(tables), format, output)
    for line in sheet.meta["discrepancies"]:
        note(line)
    if sheet.meta["discrepancies"]:
        raise click.exceptions.Exit(1)
