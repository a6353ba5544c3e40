"""resnet-inspect cost"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import resnet_inspect as ri
from resnet_inspect.cli.forecast import devices_option, run_options
from resnet_inspect.cli.network_options import models_options
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import command, option, words_of
from resnet_inspect.networks.graph import LayerGraph


@command("cost")
@models_options()
@devices_option
@option("--gpus N", "Devices that train together.", default=1)
@option("--epochs N", "Epochs.", default=90)
@option(
    "--dataset NAME",
    "What it trains on, or how many images",
    default="imagenet",
    words=words_of("forecasting.training:DATASETS"),
)
@option("--batch N", "Images in a batch of each device.", default=128)
@run_options(several=False, dtype="amp-fp16 where the device has fp16")
@option(
    "--efficiency SHARE",
    "Throughput of several devices, of that many times one's.",
    type=float,
    unset="0.9",
)
@option("--power-limit WATTS", "Power allowed for each device.", type=float, unset="its TDP")
@option("--price PRICE", "Your price: 2.5/h for an hour of one device, or 0.3/kWh.")
@shows
def cost(graphs: Sequence[LayerGraph], **plan: Any) -> ri.Table:
    """Estimate what training takes: hours, kWh, and money at your own price.

    \b
    resnet-inspect cost resnet50 --device a100-80gb --gpus 8 --price 2.5/h
    resnet-inspect cost resnet18 resnet50 --device t4,l4 --dataset 100000
    resnet-inspect cost resnet50 --device a40 --power-limit 200 --price 0.3/kWh
    """
    return ri.training_cost(*graphs, **plan)
