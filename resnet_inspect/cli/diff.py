"""resnet-inspect diff"""

from __future__ import annotations

from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.network_options import (
    MODELS_HELP,
    code_options,
    complete_model,
    diagram_options,
    input_option,
    load_all,
)
from resnet_inspect.cli.output import emit, emit_drawing, formats, output_option
from resnet_inspect.cli.parameters import argument, command, option
from resnet_inspect.pictures.diagrams.render import FORMATS


@command("diff")
@argument("before BEFORE", f"{MODELS_HELP}.", shell_complete=complete_model)
@argument("after AFTER", "What it became.", shell_complete=complete_model)
@input_option
@option(
    "--format FORMAT", "Format", words=lambda: (*formats(), *FORMATS), unset="by the suffix of -o"
)
@output_option()
@diagram_options("Picture (-o FILE.svg, .png, .pdf or .dot)")
@code_options
def diff(
    before: str,
    after: str,
    input: tuple[str, ...],
    format: str | None,
    output: str | None,
    args: tuple[str, ...],
    leaf: tuple[str, ...],
    dpi: int | None,
    **look: Any,
) -> None:
    """List or draw how two networks differ, layer by layer.

    \b
    resnet-inspect diff resnet50 resnet50d
    resnet-inspect diff resnet50 'resnet50[stem=deep]'
    resnet-inspect diff resnet50 resnet50d -o differences.svg
    resnet-inspect diff resnet50 my_fork.model:resnet50 --input 3x224x224
    """
    graphs = load_all([before, after], input, args, leaf)
    suffix = str(output).lower().rpartition(".")[2]
    if (format or suffix) in FORMATS:
        emit_drawing(ri.diff_diagram(*graphs, **look), output, format, dpi=dpi)
    else:
        emit(ri.diff(*graphs), format, output)
