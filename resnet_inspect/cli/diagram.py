"""resnet-inspect diagram"""

from __future__ import annotations

from typing import Any

import click

import resnet_inspect as ri
from resnet_inspect.cli.network_options import (
    Network,
    complete_model,
    diagram_options,
    instead_of,
    load_all,
    network_options,
)
from resnet_inspect.cli.output import emit_drawing, output_option
from resnet_inspect.cli.parameters import argument, command, option, words_of
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.single_block import FIGURE_5
from resnet_inspect.networks.spec import FIELDS
from resnet_inspect.pictures.diagrams.fills import COLOR_BY
from resnet_inspect.pictures.diagrams.render import RENDERERS

BLOCK = "block"
"""What is written for a network's name to draw blocks."""

_BLOCK = "One block (diagram block KIND)"

_WHOLE = {"level": "block", "expand": False, "names": "modules", "columns": None}
"""Settings that only whole networks have, as they are unless given."""


def _complete_other(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    if context.params.get("model") == BLOCK:
        return [kind for kind in FIGURE_5 if kind.startswith(incomplete)]
    return complete_model(context, parameter, incomplete)


@command("diagram")
@network_options
@argument(
    "others [MODEL...]",
    "More to set next to it, six in all; kinds of block after 'block'.",
    nargs=-1,
    shell_complete=_complete_other,
)
@output_option("The picture: its suffix says the format (.html folds); without one, DOT to a pipe.")
@option("--compare", "Nothing: several networks are compared.", hidden=True)
@diagram_options()
@option("--columns N", "Columns that stages wrap into.", type=int, unset="as --size has room")
@option("--color-by KEY", "What fills mean", default="stage", words=COLOR_BY)
@option(
    "--render TOOL",
    "In process, or by an installed Graphviz",
    default="pygraphviz",
    words=RENDERERS,
    to="renderer",
)
@option(
    "--format FORMAT",
    "Format, whatever the suffix",
    words=words_of("pictures.diagrams.diagram:FORMATS"),
)
@option("--channels N", "Channels that leave it.", type=int, panel=_BLOCK, unset="64 or 256")
@option("--side N", "Height and width of its input.", type=int, panel=_BLOCK, unset="56")
@option("--stride N", "Its stride; above 1 it projects.", type=int, panel=_BLOCK)
@option(
    "--labels WHAT",
    "Its arithmetic, or the words of the paper's Figure 2",
    unset="numbers",
    words=words_of("pictures.diagrams.style:LABELS"),
    panel=_BLOCK,
)
def diagram(
    network: Network,
    others: tuple[str, ...],
    output: str | None,
    compare: bool,
    renderer: str,
    format: str | None,
    dpi: int | None,
    **settings: Any,
) -> None:
    """Draw networks or a residual block, with every shortcut in sight.

    \b
    resnet-inspect diagram resnet34 -o resnet34.svg
    resnet-inspect diagram resnet152 --level stage --color-by macs -o heat.png
    resnet-inspect diagram plain34 resnet34 --level conv -o figure3.pdf
    resnet-inspect diagram my_package.nets:Net --input 3x224x224 -o net.html
    resnet-inspect diagram block bottleneck --channels 256 -o bottleneck.svg
    resnet-inspect diagram block basic --stride 2 --shortcut D -o projection.svg
    """
    given = {name: settings.pop(name) for name in ("channels", "side", "stride", "labels")}
    own = {name: value for name, value in given.items() if value is not None}
    if network.model == BLOCK:
        for name, default in _WHOLE.items():
            if settings.pop(name) != default:
                raise InspectError(f"--{name} is about whole networks; leave it out for a block")
        drawing = ri.block_diagram(*others, **_block(network, others), **own, **settings)
    else:
        if own:
            raise InspectError(
                f"--{next(iter(own))} is for a block; write diagram block basic or bottleneck"
            )
        if compare and not others:
            raise InspectError("one network to compare; name another, as in plain34 resnet34")
        drawing = ri.diagram(*_graphs(network, others), **settings)
    emit_drawing(drawing, output, format, renderer, dpi)


def _graphs(network: Network, others: tuple[str, ...]) -> list[LayerGraph]:
    """The networks to draw; raises InspectError for options that are for one, if there are more."""
    if not others:
        return [network.graph]
    options = ["--depth"] if network.depth is not None else []
    options += ["--folded"] if network.folded else []
    options += [FIELDS[name].option for name in network.changes]
    if options:
        raise InspectError(str(instead_of(options[0])))
    models = [*filter(None, [network.model]), *others]
    return load_all(models, network.input, network.args, network.leaf)


def _block(network: Network, kinds: tuple[str, ...]) -> dict[str, Any]:
    """The changes to a block's spec; raises InspectError for what is not about a block."""
    if not kinds:
        raise InspectError("no kind of block; give 'block basic', 'block bottleneck' or both")
    if network.depth is not None or network.input or network.folded:
        raise InspectError(
            "a block has no --depth, --input or --folded; give --channels and --side"
        )
    for name in network.changes:
        if not FIELDS[name].of_block:
            raise InspectError(
                f"{FIELDS[name].option} is about whole networks; leave it out for a block"
            )
    fields = network.fields
    return {"entering": fields.pop("in_channels", None), **fields}
