"""resnet-inspect forecast"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.network_options import models_options
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import (
    Function,
    command,
    option,
    together,
    whole_numbers,
    words_of,
)
from resnet_inspect.networks.graph import LayerGraph


def device_names() -> Iterable[str]:
    from resnet_inspect.forecasting.devices import devices

    return devices()


devices_option = option(
    "--device NAME,..",
    "Devices ('resnet-inspect devices'), or TOML files",
    required=True,
    words=device_names,
)


def run_options(
    *, several: bool, dtype: str = "fp16 where the device has it", panel: str | None = None
) -> Callable[[Function], Function]:
    """--dtype, with what holds where it is not given, --mode and --layout: how networks run."""
    more = ",.." if several else ""
    modes, layouts = words_of("forecasting.kernels:MODES"), words_of("forecasting.forecast:LAYOUTS")
    return together(
        option(
            f"--dtype DTYPE{more}",
            "Type of values; amp: autocast, with weights in fp32",
            words=words_of("forecasting.efficiency:SETTINGS"),
            unset=dtype,
            panel=panel,
        ),
        option(f"--mode MODE{more}", "Mode", default="eager", words=modes, panel=panel),
        option(f"--layout LAYOUT{more}", "Layout", default="nchw", words=layouts, panel=panel),
    )


def way_options(*, several: bool) -> Callable[[Function], Function]:
    """As run_options, and --train."""
    return together(
        run_options(several=several),
        option("--train", "A training step: forward, backward, SGD with momentum."),
    )


@command("forecast")
@models_options()
@devices_option
@option("--batch N,..", "Images in a batch.", default="1", callback=whole_numbers)
@way_options(several=True)
@option("--level LEVEL", "Rows", default="network", words=words_of("tables.forecast:LEVELS"))
@shows
def forecast(graphs: Sequence[LayerGraph], **settings: Any) -> ri.Table:
    """Forecast how long networks take on a device that need not be at hand.

    \b
    resnet-inspect forecast resnet50 --device rtx4090,h100-sxm --batch 1,256
    resnet-inspect forecast resnet18 resnet50 --device a100 --batch 64 --train
    resnet-inspect forecast resnet50 --device t4 --batch 32 --level stage
    """
    return ri.forecast(*graphs, **settings)
