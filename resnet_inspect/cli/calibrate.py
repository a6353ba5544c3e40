"""resnet-inspect calibrate"""

from __future__ import annotations

from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.forecast import way_options
from resnet_inspect.cli.output import emit, output_option
from resnet_inspect.cli.parameters import argument, command, option


@command("calibrate")
@argument("file FILE", "A record of 'bench', or a CSV of model, img_size, batch, img_per_s.")
@option(
    "--device NAME",
    "Whose datasheet ('resnet-inspect devices'), or a TOML file.",
    unset="the device that 'device' measured here",
)
@way_options(several=False)
@output_option("Write the device to this TOML file, for --device of 'forecast'.")
def calibrate(
    file: str, device: str | None, output: str | None, dtype: str | None, **way: Any
) -> None:
    """Fit a device to measurements of your own; ten rows are enough.

    \b
    resnet-inspect calibrate latency.jsonl -o my.toml
    resnet-inspect calibrate my.csv --device t4 --dtype amp-fp16 -o my.toml
    resnet-inspect forecast resnet50 --device my.toml
    """
    made = ri.calibrate(file, device=device or "here", dtype=dtype or "fp16", **way)
    if output is not None:
        made.save(output)
    if output != "-":
        emit(made, None, None)
