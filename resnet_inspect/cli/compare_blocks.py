"""resnet-inspect compare-blocks"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.network_options import parse_sizes
from resnet_inspect.cli.output import emit, only_option, output_options, picked
from resnet_inspect.cli.parameters import command, option, words_of
from resnet_inspect.errors import FormatError


@command("compare-blocks")
@option(
    "--channels",
    type=int,
    default=256,
    metavar="N",
    help="Channels that enter and leave the block.",
)
@option("--size", default="14", metavar="N|HxW", help="Height and width of the block's output.")
@only_option(words_of("tables.block_comparison:TABLES"))
@output_options
def compare_blocks(
    channels: int, size: str, only: str | None, format: str | None, output: str | None
) -> None:
    """Compare the basic block with the bottleneck, with formulas.

    \b
    resnet-inspect compare-blocks --channels 256 --size 14
    resnet-inspect compare-blocks --only blocks,formulas
    resnet-inspect compare-blocks --only options -o choices.md
    """
    sheet = ri.compare_blocks(channels, parse_size(size))
    emit(picked(sheet, only), format, output)


def parse_size(text: str) -> tuple[int, int]:
    """(14, 14) from '14', (14, 28) from '14x28'; raises FormatError."""
    sides = parse_sizes(text)
    if len(sides) not in (1, 2):
        raise FormatError(f"--size is {text!r}; give a side, such as 14, or height x width")
    return sides[0], sides[-1]
