"""resnet-inspect signal"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import watched
from resnet_inspect.cli.network_options import models_options, theme_option
from resnet_inspect.cli.output import shows_some_of
from resnet_inspect.cli.parameters import command, option, words_of
from resnet_inspect.measuring.progress import SILENT
from resnet_inspect.networks.graph import LayerGraph


@command("signal")
@models_options()
@option(
    "--init NAME",
    "Initialisation",
    default="published",
    words=words_of("propagation.signal:INITIALISATIONS"),
)
@option("--no-norm", "Leave normalization layers out.")
@option("--level LEVEL", "Rows", default="block", words=words_of("tables.signal:LEVELS"))
@option("--measure", "Beside it as torch finds them on noise.")
@option("--seeds N", "Seeds of --measure.", default=3)
@option("--batch N", "Samples of --measure.", default=32)
@option(
    "--data FILE",
    "Inputs of --measure, the first --batch: a .npy file, package.module:callable.",
    unset="noise",
)
@option("--plot FILE", "The picture: svg, png or pdf by its suffix.")
@theme_option()
@shows_some_of(words_of("tables.signal:TABLES"))
def signal(
    graphs: Sequence[LayerGraph], no_norm: bool, measure: bool, data: str | None, **settings: Any
) -> ri.Sheet:
    """Show how signal and gradient travel at initialisation.

    In closed form: the variance of each block's output, and the mean square of the gradient there.

    \b
    resnet-inspect signal plain56_cifar resnet56_cifar --only summary
    resnet-inspect signal resnet20_cifar --measure --seeds 5 --plot signal.svg
    resnet-inspect signal resnet20_cifar --measure --data images.npy
    resnet-inspect signal resnet18 --no-norm --init torch
    """
    with watched("measuring") if measure else nullcontext(SILENT) as progress:
        settings |= {"norm": not no_norm, "measure": measure, "inputs": data}
        return ri.signal(*graphs, progress=progress, **settings)
