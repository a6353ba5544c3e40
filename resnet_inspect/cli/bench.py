"""resnet-inspect bench"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import (
    dtypes_option,
    level_option,
    record_options,
    sampling_options,
    shows_measured,
    watched,
)
from resnet_inspect.cli.network_options import models_options
from resnet_inspect.cli.parameters import command, option, whole_numbers
from resnet_inspect.errors import check_name
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.tables.roofline import LEVELS

if TYPE_CHECKING:
    from resnet_inspect.reporting.measurements import Measurements
    from resnet_inspect.tables.table import Printable

FORMATS = ("nchw", "nhwc", "channels_last")

MODES = ("eager", "compile", "cudagraph", "compile+cudagraph")


@command("bench")
@models_options()
@option("--batch N,..", "Images in a batch.", default="1", callback=whole_numbers)
@dtypes_option(several=True)
@option("--memory-format LAYOUT,..", "Layout", default="nchw", words=FORMATS)
@option("--mode MODE,..", "Mode", default="eager", words=MODES)
@option("--train", "A training step: forward, backward, SGD; half precision by autocast.")
@option("--per-layer", "Every layer where it is, against the least time that the roofline allows.")
@level_option("Rows of --per-layer")
@shows_measured
@record_options
@sampling_options
def bench(
    graphs: Sequence[LayerGraph], level: str, record: str | None, **settings: Any
) -> tuple[Printable, Measurements]:
    """Measure latency, how sure it is, throughput, memory, energy.

    'resnet-inspect results' shows what was measured before.

    \b
    resnet-inspect bench resnet18 resnet50 --batch 1,8 --mode eager,compile
    resnet-inspect bench resnet50 --batch 256 --dtype bf16 --memory-format nhwc
    resnet-inspect bench resnet50 --train --batch 32 --record bench.jsonl --resume
    resnet-inspect bench resnet50 --per-layer --level block
    """
    check_name("level", level, LEVELS)  # before anything is measured
    with watched("measuring", record, records=True) as progress:
        measurements = ri.bench(*graphs, record=record, progress=progress, **settings)
    return measurements.view(level), measurements
