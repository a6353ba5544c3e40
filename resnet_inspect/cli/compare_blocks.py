"""resnet-inspect compare-blocks"""

from __future__ import annotations

from typing import Annotated

import typer

from resnet_inspect.cli.output import Format, Output, emit
from resnet_inspect.errors import FormatError


def _complete_table(incomplete: str) -> list[str]:
    from resnet_inspect.tables.block_comparison import TABLES

    return [name for name in TABLES if name.startswith(incomplete)]


def parse_size(text: str) -> tuple[int, int]:
    """(14, 14) from '14', (14, 28) from '14x28'; raises FormatError."""
    try:
        sides = [int(part) for part in text.lower().replace("×", "x").split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise FormatError(f"--size is {text!r}; give a side, such as 14, or height x width")
    return sides[0], sides[-1]


def command(
    channels: Annotated[
        int, typer.Option(metavar="C", help="Channels that enter and leave the block.")
    ] = 256,
    size: Annotated[
        str, typer.Option(metavar="N or HxW", help="Height and width of the block's output.")
    ] = "14",
    only: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE,..",
            help="Tables to show: blocks, layers, formulas, growth, projections, options."
            "  \\[default: all]",
            autocompletion=_complete_table,
        ),
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Set the basic block against the bottleneck, with the arithmetic written out.

    \b
    resnet-inspect compare-blocks --channels 256 --size 14
    resnet-inspect compare-blocks --only blocks,formulas
    resnet-inspect compare-blocks --only growth,options -o growth.md
    """
    from resnet_inspect.tables.block_comparison import compare_blocks

    sheet = compare_blocks(channels, parse_size(size))
    emit(sheet.only(only.split(",")) if only else sheet, format, output)
