"""resnet-inspect fit"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

import resnet_inspect as ri
from resnet_inspect.cli.forecast import device_names
from resnet_inspect.cli.network_options import models_options
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import command, option, words_of
from resnet_inspect.networks.graph import LayerGraph


@command("fit")
@models_options()
@option("--memory SIZE,..", "Memory: 24GiB, 80GB, ..")
@option(
    "--device NAME,..",
    "Devices with the memory that CUDA reports of them, or TOML files",
    words=device_names,
)
@option("--batch N", "Find the largest square input at this batch.", type=click.IntRange(min=1))
@option(
    "--dtype DTYPE",
    "Type of values; amp: autocast, with weights in fp32",
    words=words_of("counting.autocast:DTYPES"),
    unset="the network's own: fp32, or its tensors'",
)
@option("--train", "A training step: forward, backward, optimizer.")
@option(
    "--optimizer NAME",
    "Optimizer",
    default="momentum",
    words=words_of("counting.training_step:OPTIMIZERS"),
)
@option(
    "--checkpoint PART",
    "What runs again in the backward pass",
    default="none",
    words=words_of("counting.training_step:CHECKPOINTS"),
)
@option(
    "--stepping HOW",
    "How the optimizer goes through the parameters",
    default="foreach",
    words=words_of("counting.training_step:STEPPING"),
)
@option("--accumulate", "Gradients of a batch before are kept.")
@option("--decay", "The optimizer decays weights.")
@option("--reserve SIZE", "Kept back for the CUDA context and libraries.", default="1GiB")
@option("--slack SHARE", "Share of the rest that the allocator loses.", default=0.05)
@option("--around", "List the batches around.")
@shows
def fit(
    graphs: Sequence[LayerGraph],
    memory: tuple[str, ...] | None,
    device: tuple[str, ...] | None,
    **settings: Any,
) -> ri.Table:
    """Find the largest batch, or the largest input, that fits into a memory.

    \b
    resnet-inspect fit resnet50 --device rtx4090,a100-80gb --train
    resnet-inspect fit resnet152 --memory 24GiB --train --checkpoint block
    resnet-inspect fit resnet50 --memory 8GiB --batch 64 --dtype fp16
    """
    return ri.fit(*graphs, memory=memory or (), device=device or (), **settings)
