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
from resnet_inspect.cli.output import Shown
from resnet_inspect.cli.parameters import command, option, split, whole_numbers
from resnet_inspect.errors import check_name
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.tables.roofline import LEVELS

if TYPE_CHECKING:
    from resnet_inspect.reporting.measurements import Measurements

FORMATS = ("nchw", "nhwc", "channels_last")

MODES = ("eager", "compile", "cudagraph", "compile+cudagraph")


@command("bench")
@models_options()
@option("--batch N,..", "Images in a batch.", default="1")
@dtypes_option(several=True)
@option("--memory-format LAYOUT,..", "Layout", default="nchw", words=FORMATS, several=True)
@option("--mode MODE,..", "Mode", default="eager", words=MODES, several=True)
@option("--train", "A training step: forward, backward, SGD; half precision by autocast.")
@option("--per-layer", "Every layer where it is, against the least time that the roofline allows.")
@level_option("Rows of --per-layer")
@shows_measured
@record_options
@sampling_options
def bench(
    graphs: Sequence[LayerGraph],
    batch: str,
    dtype: str,
    memory_format: str,
    mode: str,
    level: str,
    record: str | None,
    **settings: Any,
) -> tuple[Shown, Measurements]:
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
        measurements = ri.bench(
            *graphs,
            batch=whole_numbers(batch, "--batch"),
            dtype=split(dtype, "--dtype"),
            memory_format=split(memory_format, "--memory-format"),
            mode=split(mode, "--mode"),
            record=record,
            progress=progress,
            **settings,
        )
    return measurements.view(level), measurements
