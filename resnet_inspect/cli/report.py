"""resnet-inspect report"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import click

import resnet_inspect as ri
from resnet_inspect.cli.network_options import MODELS_HELP, cost_options, models_options
from resnet_inspect.cli.output import DRAWING, telling
from resnet_inspect.cli.parameters import command, option
from resnet_inspect.networks.graph import LayerGraph


@command("report")
@models_options(help=f"{MODELS_HELP}; the five classics if none.", required=False)
@option("--output -o DIR", "The folder to write.", required=True, to="folder")
@cost_options
@option("--force", "Write into a folder that holds other files, over them.")
@click.pass_context
def report(
    context: click.Context, /, graphs: Sequence[LayerGraph], folder: str, **settings: Any
) -> None:
    """Write a page about networks, with Markdown, CSV and pictures.

    \b
    resnet-inspect report -o report
    resnet-inspect report resnet50 my_network.toml --batch 32 -o comparison
    """
    with telling("drawing the pictures and writing the pages", patience=DRAWING):
        ri.report(*graphs, folder=folder, command=_command(context), **settings)


def _command(context: click.Context) -> str:
    """The command line that makes the report again, without the folder."""
    words = ["resnet-inspect", "report", *context.params["models"]]
    for param in context.command.params:
        value = context.params[str(param.name)]
        if param.name in ("models", "folder", "force"):
            continue
        if value in (None, (), param.get_default(context)):
            continue
        for text in value if isinstance(value, tuple) else (value,):
            words += [param.opts[0], str(text)]
    return f"{shlex.join(words)} -o DIR"
