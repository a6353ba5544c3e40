"""resnet-inspect devices"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import command


@command("devices")
@shows
def devices() -> ri.Table:
    """List the devices that forecasts know, with what their datasheets say.

    \b
    resnet-inspect devices
    resnet-inspect devices --format json
    """
    return ri.devices()
