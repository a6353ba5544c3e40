"""resnet-inspect paths"""

from __future__ import annotations

import re

import resnet_inspect as ri
from resnet_inspect.cli.network_options import Network, network_options
from resnet_inspect.cli.output import shows_some_of
from resnet_inspect.cli.parameters import command, option, words_of
from resnet_inspect.errors import FormatError


@command("paths")
@network_options
@option("--through N-N", "Blocks passed, whose share is told.", unset="the fewest that hold 95%")
@shows_some_of(words_of("tables.paths:TABLES"))
def paths(network: Network, through: str | None) -> ri.Sheet:
    """Count the paths through a network, by their length.

    \b
    resnet-inspect paths resnet110_cifar --through 5-17
    resnet-inspect paths resnet50 --only blocks,deletions
    resnet-inspect plot paths plain56_cifar resnet56_cifar -o paths.svg
    """
    return ri.paths(network.graph, through=_range(through))


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if not (match := re.fullmatch(r"(\d{1,9})-(\d{1,9})", text)):
        raise FormatError(f"--through is {text!r}; give least-most, such as 5-17")
    return int(match[1]), int(match[2])
