"""resnet-inspect ladder"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import (
    record_options,
    sampling_options,
    shows_measured,
    watched,
)
from resnet_inspect.cli.network_options import Network, batch_option, network_options
from resnet_inspect.cli.parameters import command

if TYPE_CHECKING:
    from resnet_inspect.reporting.measurements import Measurements
    from resnet_inspect.tables.table import Printable


@command("ladder")
@network_options
@batch_option
@shows_measured
@record_options
@sampling_options
def ladder(network: Network, record: str | None, **settings: Any) -> tuple[Printable, Measurements]:
    """Measure a network step by step, from naive to fastest.

    fp32 eager, TF32, channels_last, bf16, fp16, batch norm folded into convolutions, torch.compile,
    CUDA graphs; each step's outputs are checked against those of fp32.

    \b
    resnet-inspect ladder resnet50 --batch 256
    resnet-inspect ladder resnet50 --batch 256 --record ladder.jsonl --resume
    resnet-inspect ladder resnet18 --device cpu --budget 3 --plots figures
    """
    graph = network.graph
    with watched("measuring", record, records=True) as progress:
        measurements = ri.ladder(graph, record=record, progress=progress, **settings)
    return measurements, measurements
