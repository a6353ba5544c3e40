"""resnet-inspect reconcile"""

from __future__ import annotations

import sys

import click

import resnet_inspect as ri
from resnet_inspect.cli.network_options import Network, batch_option, network_options
from resnet_inspect.cli.output import emit, only_option, output_options, picked
from resnet_inspect.cli.parameters import command, option, words_of


@command("reconcile")
@network_options
@batch_option
@option(
    "--measure/--no-measure",
    default=True,
    help="Run the counters that are installed, or only apply their formulas.",
)
@only_option(words_of("tables.reconciliation:TABLES"))
@output_options
@click.pass_context
def reconcile(
    context: click.Context,
    network: Network,
    batch: int,
    measure: bool,
    only: str | None,
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
    """
    sheet = ri.reconcile(network.graph, batch=batch, measure=measure)
    emit(picked(sheet, only), format, output)
    for line in sheet.meta["discrepancies"]:
        print(f"resnet-inspect: {line}", file=sys.stderr)
    if sheet.meta["discrepancies"]:
        context.exit(1)
