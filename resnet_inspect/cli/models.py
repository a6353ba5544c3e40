"""resnet-inspect models"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import command, option
from resnet_inspect.networks.zoo import FAMILIES


@command("models")
@option("--family FAMILY", "Only this family", words=FAMILIES)
@shows
def models(family: str | None) -> ri.Table:
    """List the networks that have a name, and where they are from.

    \b
    resnet-inspect models
    resnet-inspect models --family preact
    resnet-inspect models --format json
    """
    return ri.models(family)
