"""resnet-inspect diagram"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from resnet_inspect.cli.network_options import (
    Network,
    check_code,
    complete_model,
    load,
    takes_network,
)
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.spec import FIELDS
from resnet_inspect.pictures.diagrams.diagram import Diagram, block_diagram, diagram
from resnet_inspect.pictures.diagrams.draw import DIRECTIONS, LEVELS
from resnet_inspect.pictures.diagrams.fills import COLOR_BY
from resnet_inspect.pictures.diagrams.render import RENDERERS
from resnet_inspect.pictures.themes import THEMES

BLOCK = "block"
"""What stands for a network's name where blocks are to be drawn."""

_ALONE = "One block (diagram block KIND)"


def _choice(names: str, help: str, choices: Sequence[str]) -> Any:
    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    text = f"{help}: {', '.join(choices)}."
    return typer.Option(names, metavar="WORD", help=text, autocompletion=complete)


def _number(name: str, help: str) -> Any:
    return typer.Option(name, metavar="N", help=help, rich_help_panel=_ALONE)


def _described(
    network: Network,
    others: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL..]",
            help="One or two more to set beside it; kinds of block after 'block'.",
            autocompletion=complete_model,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The picture: svg, png, pdf or dot by its suffix; without one, DOT to stdout.",
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Set the networks named side by side.")
    ] = False,
    level: Annotated[str, _choice("--level", "What has a box", LEVELS)] = "block",
    expand: Annotated[
        bool, typer.Option("--expand", help="Draw every one of identical blocks in a row.")
    ] = False,
    color_by: Annotated[str, _choice("--color-by", "What fills mean", COLOR_BY)] = "stage",
    direction: Annotated[str, _choice("--direction", "Down or to the right", DIRECTIONS)] = "TB",
    theme: Annotated[str, _choice("--theme", "Colours", tuple(THEMES))] = "light",
    render: Annotated[
        str, _choice("--render", "In process, or by an installed dot", RENDERERS)
    ] = "pygraphviz",
    format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="svg, png, pdf or dot, whatever the suffix."),
    ] = None,
    channels: Annotated[
        int | None,
        _number(
            "--channels", "Channels that leave it; else 64 of a basic block, 256 of a bottleneck."
        ),
    ] = None,
    size: Annotated[int, _number("--size", "Side of its input.")] = 56,
    stride: Annotated[int, _number("--stride", "How it strides; above 1 it projects.")] = 1,
) -> None:
    """Draw a network, networks side by side, or a residual block, with every shortcut in sight.

    \b
    resnet-inspect diagram resnet34 -o resnet34.svg
    resnet-inspect diagram resnet152 --level stage --color-by macs -o heat.png
    resnet-inspect diagram --compare plain34 resnet34 --expand -o figure3.pdf
    resnet-inspect diagram block bottleneck --channels 256 -o bottleneck.svg
    resnet-inspect diagram block basic --stride 2 --shortcut D -o projection.svg
    """


_options = takes_network(_described)


_OWN = tuple(inspect.signature(_described).parameters)[1:]


@functools.wraps(_options)
def command(**given: Any) -> None:
    own = {name: given.pop(name) for name in _OWN}
    model, depth, shape = given.pop("model"), given.pop("depth"), given.pop("input")
    code = {"args": given.pop("args"), "leaf": given.pop("leaf")}
    changes = {field: value for field, value in given.items() if value is not None}
    if model == BLOCK:
        if depth is not None or shape is not None:
            raise InspectError("a block has no --depth and no --input; give --channels and --size")
        drawn = _blocks(own, changes)
    else:
        drawn = _networks(own, model, depth, shape, changes, code)
    emit_drawing(drawn, own["output"], own["format"], own["render"])


def _networks(
    own: dict[str, Any],
    model: str | None,
    depth: int | None,
    shape: str | None,
    changes: dict[str, Any],
    code: dict[str, Any],
) -> Diagram:
    others = own["others"] or []
    if own["compare"] and not others:
        raise InspectError("one network to compare; name another, as in --compare plain34 resnet34")
    check_code([model, *others], **code)
    graphs = [load(model, depth, shape, changes, **code).graph]
    graphs += [load(other, None, shape, changes, **code).graph for other in others]
    look = {name: own[name] for name in ("level", "expand", "color_by", "direction", "theme")}
    return diagram(*graphs, **look)


def _blocks(own: dict[str, Any], changes: dict[str, Any]) -> Diagram:
    if not own["others"]:
        raise InspectError("no kind of block; give 'block basic', 'block bottleneck' or both")
    for field in changes:
        if not FIELDS[field].of_block:
            raise InspectError(
                f"{FIELDS[field].option} is about whole networks; leave it out for a block"
            )
    entering = changes.pop("in_channels", None)
    look = {name: own[name] for name in ("color_by", "direction", "theme")}
    sizes = {name: own[name] for name in ("channels", "size", "stride")}
    return block_diagram(*own["others"], entering=entering, **sizes, **look, **changes)


def emit_drawing(
    drawn: Diagram, output: str | None, format: str | None, renderer: str = "pygraphviz"
) -> None:
    """Write a drawing to a file, or to stdout; raises InspectError."""
    if output is not None:
        drawn.write(output, format, renderer)
        return
    if format in ("png", "pdf") and sys.stdout.isatty():
        raise InspectError(f"{format} is nothing for a terminal; name a file with -o")
    sys.stdout.buffer.write(drawn.render(format or "dot", renderer))
