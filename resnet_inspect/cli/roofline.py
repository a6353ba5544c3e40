"""resnet-inspect roofline"""

from __future__ import annotations

from typing import Annotated

import typer

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import Plots, write_plots
from resnet_inspect.cli.network_options import Network, takes_network
from resnet_inspect.cli.output import Format, Output, emit


@takes_network
def command(
    network: Network,
    level: Annotated[str, typer.Option(metavar="LEVEL", help="layer, block or stage.")] = "layer",
    batch: Annotated[int, typer.Option(metavar="N", help="Images in a batch.")] = 1,
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help="fp32, tf32, fp16, bf16.")] = "fp32",
    fused: Annotated[
        bool,
        typer.Option(
            "--fused", help="Batch norm, activation and addition fused into what they follow."
        ),
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="cuda or cpu.  \\[default: the latest stored]"),
    ] = None,
    ceilings: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Ceilings from this record.  \\[default: those stored by 'device']"
        ),
    ] = None,
    plots: Plots = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Show what bounds each layer on a measured device, and the least time it can take.

    \b
    resnet-inspect roofline resnet50
    resnet-inspect roofline resnet50 --batch 256 --dtype bf16 --fused --level block
    resnet-inspect roofline resnet18 --ceilings h200.jsonl
    """
    bounds = ri.roofline(
        network.graph,
        level=level,
        batch=batch,
        dtype=dtype,
        fused=fused,
        device=device,
        ceilings=ceilings,
    )
    emit(bounds.view(), format, output)
    if plots is not None:
        write_plots(plots, bounds.plots())
