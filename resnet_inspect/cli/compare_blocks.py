"""resnet-inspect compare-blocks"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.output import shows_some_of
from resnet_inspect.cli.parameters import command, option, words_of
from resnet_inspect.errors import FormatError
from resnet_inspect.networks.inputs import parse_sizes


@command("compare-blocks")
@option("--channels N", "Channels that enter and leave the block.", default=256)
@option("--size N|HxW", "Height and width of the block's output.", default="14")
@shows_some_of(words_of("tables.block_comparison:TABLES"))
def compare_blocks(channels: int, size: str) -> ri.Sheet:
    """Compare the basic block with the bottleneck, with formulas.

    \b
    resnet-inspect compare-blocks --channels 256 --size 14
    resnet-inspect compare-blocks --only blocks,formulas
    resnet-inspect compare-blocks --only options -o choices.md
    """
    sides = parse_sizes(size)
    if len(sides) not in (1, 2):
        raise FormatError(f"--size is {size!r}; give a side, such as 14, or height x width")
    return ri.compare_blocks(channels, (sides[0], sides[-1]))
