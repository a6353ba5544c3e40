"""resnet-inspect results"""

from __future__ import annotations

from typing import TYPE_CHECKING

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import level_option, shows_measured
from resnet_inspect.cli.network_options import models_argument
from resnet_inspect.cli.parameters import argument, command, option

if TYPE_CHECKING:
    from resnet_inspect.reporting.measurements import Measurements
    from resnet_inspect.tables.table import Printable


@command("results")
@argument("record FILE", "What bench, ladder, device or learn recorded (JSON Lines).")
@models_argument(required=False, help="Only these networks.")
@option("--against FILE", "Compare with this record, case by case.")
@level_option("Rows: run, epoch or response of learn; of bench --per-layer")
@shows_measured
def results(
    record: str, models: tuple[str, ...], against: str | None, level: str
) -> tuple[Printable, Measurements | None]:
    """Show what was measured before: tables and plots.

    \b
    resnet-inspect results bench.jsonl
    resnet-inspect results bench.jsonl resnet50 --plots figures
    resnet-inspect results bench.jsonl --against other.jsonl
    """
    measurements = ri.read_bench(record, models)
    if against is not None:
        return measurements.against(ri.read_bench(against, models)), None
    return measurements.view(level), measurements
