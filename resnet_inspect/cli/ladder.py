"""resnet-inspect ladder"""

from __future__ import annotations

from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import (
    plots_option,
    record_options,
    sampling_options,
    watched,
    write_plots,
)
from resnet_inspect.cli.network_options import Network, batch_option, network_options
from resnet_inspect.cli.output import emit, output_options
from resnet_inspect.cli.parameters import command


@command("ladder")
@network_options
@batch_option
@plots_option
@output_options
@record_options
@sampling_options
def ladder(
    network: Network,
    plots: str | None,
    format: str | None,
    output: str | None,
    record: str,
    **settings: Any,
) -> None:
    """Measure a network step by step, from naive to fastest.

    fp32 eager, TF32, channels_last, bf16, fp16, batch norm folded into convolutions, torch.compile,
    CUDA graphs; each step's outputs are checked against those of fp32.

    \b
    resnet-inspect ladder resnet50 --batch 256
    resnet-inspect ladder resnet50 --batch 256 --resume
    resnet-inspect ladder resnet18 --device cpu --budget 3 --plots figures
    """
    graph = network.graph
    with watched("measuring", record) as progress:
        measurements = ri.ladder(graph, record=record, progress=progress, **settings)
    emit(measurements.view(), format, output)
    if plots is not None:
        write_plots(plots, measurements.plots())
