"""resnet-inspect conventions"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.network_options import models_argument
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import command


@command("conventions")
@models_argument(required=False, help="Networks to give totals of.")
@shows
def conventions(models: tuple[str, ...]) -> ri.Sheet:
    """List how tools and papers count, and what each comes to.

    \b
    resnet-inspect conventions
    resnet-inspect conventions resnet18 resnet50
    """
    return ri.conventions(*models)
