"""resnet-inspect validate"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.output import emit, note
from resnet_inspect.cli.parameters import command, option


@command("validate")
@option("--output -o FOLDER", "Write a report: tables, and a plot of every row.")
@option("--force", "Write into a folder that holds other files.")
def validate(output: str | None, force: bool) -> None:
    """Show how far forecasts are off on measurements that they have not seen.

    Every public run is calibrated on five of its rows and forecasts all others; every device is
    forecast from its datasheet and the other devices. Takes a minute.

    \b
    resnet-inspect validate
    resnet-inspect validate -o reports/forecast
    """
    if output is not None:
        from resnet_inspect.reporting.write import check_folder

        check_folder(output, force=force)
    note("forecasting all that was held out; this takes a minute")
    made = ri.validate()
    if output is None:
        emit(made, None, None)
    else:
        made.report(output, force=force)
