"""resnet-inspect results"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import level_option, plots_option, write_plots
from resnet_inspect.cli.network_options import models_argument
from resnet_inspect.cli.output import emit, output_options
from resnet_inspect.cli.parameters import argument, command, option
from resnet_inspect.errors import InspectError


@command("results")
@argument("record", metavar="FILE", help="What bench, ladder or device recorded (JSON Lines).")
@models_argument(required=False, help="Only these networks.")
@option("--against", metavar="FILE", help="Compare with this record, case by case.")
@level_option("Rows of bench --per-layer")
@plots_option
@output_options
def results(
    record: str,
    models: tuple[str, ...],
    against: str | None,
    level: str,
    plots: str | None,
    format: str | None,
    output: str | None,
) -> None:
    """Show what was measured before: tables and plots.

    \b
    resnet-inspect results bench.jsonl
    resnet-inspect results bench.jsonl resnet50 --plots figures
    resnet-inspect results bench.jsonl --against other.jsonl
    """
    if against is not None and plots is not None:
        raise InspectError("--plots cannot be combined with --against; leave out --plots")
    measurements = ri.read_bench(record, models)
    if against is not None:
        emit(measurements.against(ri.read_bench(against, models)), format, output)
        return
    emit(measurements.view(level), format, output)
    if plots is not None:
        write_plots(plots, measurements.plots())
