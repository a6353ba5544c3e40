"""resnet-inspect report"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import click

import resnet_inspect as ri
from resnet_inspect.cli.network_options import (
    MODELS_HELP,
    batch_option,
    convention_option,
    dtype_option,
    models_options,
)
from resnet_inspect.cli.parameters import command, option
from resnet_inspect.networks.graph import LayerGraph


@command("report")
@models_options(help=f"{MODELS_HELP}; the five classics if none.", required=False)
@option("--output", "-o", "folder", required=True, metavar="DIR", help="The folder to write.")
@batch_option
@dtype_option
@convention_option
@option("--force", is_flag=True, help="Write into a folder that holds other files, over them.")
@click.pass_context
def report(
    context: click.Context, /, graphs: Sequence[LayerGraph], folder: str, **settings: Any
) -> None:
    """Write a page about networks, with Markdown, CSV and pictures.

    \b
    resnet-inspect report -o report
    resnet-inspect report resnet50 my_network.toml --batch 32 -o comparison
    """
    ri.report(*graphs, folder=folder, command=_command(context), **settings)


def _command(context: click.Context) -> str:
    """The command line that makes the report again, without the folder."""
    words = ["resnet-inspect", "report", *context.params["models"]]
    for param in context.command.params:
        value = context.params[str(param.name)]
        if param.name in ("models", "folder", "force") or value in (None, param.default):
            continue
        for text in value if isinstance(value, tuple) else (value,):
            words += [param.opts[0], str(text)]
    return f"{shlex.join(words)} -o DIR"
