"""resnet-inspect report"""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from resnet_inspect.cli.network_options import (
    INPUT,
    MODELS_HELP,
    Args,
    Convention,
    Leaf,
    complete_model,
    load_all,
)


def command(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")
    ],
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help=f"{MODELS_HELP}.  \\[default: the five classics]",
            autocompletion=complete_model,
        ),
    ] = None,
    input: Annotated[str | None, INPUT] = None,
    args: Args = None,
    leaf: Leaf = None,
    batch: Annotated[int, typer.Option(metavar="N", help="Samples in a batch.")] = 1,
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help="fp32, fp16, bf16, fp64.")] = "fp32",
    convention: Convention = "macs",
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder that holds other files, over them.")
    ] = False,
) -> None:
    """Write a report: a page that needs nothing but itself, with Markdown, CSV and pictures.

    \b
    resnet-inspect report -o report
    resnet-inspect report resnet50 my_network.toml --batch 32 -o comparison
    """
    from resnet_inspect.networks.zoo import CLASSICS
    from resnet_inspect.reporting.write import write

    graphs = load_all(models or CLASSICS, input, args, leaf)
    settings = {"--input": input, "--batch": batch, "--dtype": dtype, "--convention": convention}
    usual = {"--input": None, "--batch": 1, "--dtype": "fp32", "--convention": "macs"}
    asked = [
        str(word)
        for option, value in settings.items()
        if value != usual[option]
        for word in (option, value)
    ]
    asked += [word for text in args or () for word in ("--args", text)]
    asked += [word for kind in leaf or () for word in ("--leaf", kind)]
    write(
        graphs,
        output,
        batch=batch,
        dtype=dtype,
        convention=convention,
        command=f"{shlex.join(['resnet-inspect', 'report', *(models or ()), *asked])} -o DIR",
        force=force,
    )
