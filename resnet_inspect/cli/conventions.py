"""resnet-inspect conventions"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.network_options import models_argument
from resnet_inspect.cli.output import emit, output_options
from resnet_inspect.cli.parameters import command


@command("conventions")
@models_argument(required=False, help="Networks to give totals of.")
@output_options
def conventions(models: tuple[str, ...], format: str | None, output: str | None) -> None:
    """List how tools and papers count, and what each comes to.

    \b
    resnet-inspect conventions
    resnet-inspect conventions resnet18 resnet50
    """
    emit(ri.conventions(*models), format, output)
