"""What training a network costs: hours, energy and money, from a forecast of its step."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import NamedTuple

from resnet_inspect.errors import FormatError, InspectError, shown, unknown
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.forecast import Forecast
from resnet_inspect.forecasting.measured import public_table
from resnet_inspect.forecasting.power import power_of

DATASETS: dict[str, int] = {
    "imagenet": 1_281_167,
    "imagenet21k": 14_197_122,
    "cifar10": 50_000,
    "cifar100": 50_000,
    "mnist": 60_000,
}
"""Training images by dataset: ILSVRC 2012; the fall 2011 release of ImageNet; and two small."""

MOST = 10**12
"""Devices, epochs and images that a plan may have."""

EFFICIENCY = 0.9
"""Throughput of several devices as a share of that many times one's, where nobody says more.

In MLPerf training v2.1, 8 A100 in a machine keep 98% of 4, and 64 in eight machines 77%."""


class Price(NamedTuple):
    """Money for an hour of one device ('h') or a kilowatt-hour ('kWh'), in any currency."""

    amount: float
    unit: str


def price_of(text: str) -> Price:
    """Price(2.5, 'h') from '2.5/h'; raises FormatError."""
    written = re.fullmatch(r"(\d+(?:\.\d+)?)\s*/\s*(h|kwh)", text.strip(), re.IGNORECASE)
    if written is None:
        raise FormatError(
            f"price is {text!r}; give 2.5/h for an hour of one device, or 0.3/kWh for energy"
        )
    return Price(float(written[1]), "kWh" if len(written[2]) > 1 else "h")


def images_of(dataset: str | int) -> int:
    """How many images a dataset trains on; raises InspectError for none, or an unknown name."""
    text = str(dataset).lower().replace("-", "").replace("_", "").replace(",", "")
    if not re.fullmatch(r"-?\d{1,18}", text):
        if text not in DATASETS:
            raise unknown("dataset", str(dataset), DATASETS, "or give a number of images")
        return DATASETS[text]
    if int(text) < 1 or str(dataset).lstrip().startswith("-"):
        raise InspectError(f"dataset is {dataset}; give 1 image or more, or a name: imagenet")
    return int(text)


class Plan(NamedTuple):
    """How a network is trained. images: of an epoch; efficiency: None for what is usual.

    limit: watts allowed for each device; None for its TDP.
    """

    devices: int = 1
    epochs: int = 90
    images: int = DATASETS["imagenet"]
    efficiency: float | None = None
    limit: float | None = None
    price: Price | None = None

    @property
    def scaling(self) -> float:
        """The efficiency that holds: by default EFFICIENCY where there are several devices."""
        if self.efficiency is not None:
            return self.efficiency
        return 1.0 if self.devices == 1 else EFFICIENCY


class Range(NamedTuple):
    """An estimate between its bounds."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Range:
        return Range(*(factor * each for each in self))


class TrainingCost(NamedTuple):
    """What a plan costs. energy: kWh of the devices alone, without their hosts and cooling.

    steps: of all epochs; an incomplete last batch takes a whole step. watts: of one device.
    limit: watts allowed for each device; slowed: the share of throughput that this leaves.
    """

    forecast: Forecast
    plan: Plan
    steps: int
    hours: Range
    watts: Range
    energy: Range
    money: Range | None
    limit: float
    slowed: float
    drawn_by: str

    @property
    def images_per_second(self) -> float:
        """Throughput of all devices together."""
        return self.plan.images * self.plan.epochs / (3600 * self.hours.value)


def training_cost(forecast: Forecast, device: Device, plan: Plan) -> TrainingCost:
    """What training costs whose step on one device is forecast.

    Raises InspectError for a plan that cannot be, or a device of unknown power.
    """
    for what, count in (("gpus", plan.devices), ("epochs", plan.epochs), ("dataset", plan.images)):
        if not 1 <= count <= MOST:
            raise InspectError(f"{what} is {shown(count)}; give 1 to {MOST:,}")
    if not 0 < plan.scaling <= 1:
        raise InspectError(f"efficiency is {plan.scaling:g}; give a share above 0, up to 1")
    drawn = power_of(device, plan.limit)
    steps = plan.epochs * math.ceil(plan.images / (forecast.batch * plan.devices))
    hours = Range(forecast.seconds, forecast.low, forecast.high).times(
        steps / (3600 * plan.scaling * drawn.speed)
    )
    watts = Range(drawn.watts, drawn.low, drawn.high)
    device_hours = hours.times(plan.devices)
    energy = Range(*(h * w / 1000 for h, w in zip(device_hours, watts, strict=True)))
    money = None
    if plan.price is not None:
        billed = device_hours if plan.price.unit == "h" else energy
        money = billed.times(plan.price.amount)
    return TrainingCost(
        *(forecast, plan, steps, hours, watts, energy, money),
        *(drawn.limit, drawn.speed, drawn.calibrated),
    )


class Record(NamedTuple):
    """What a submission to MLPerf reached with ResNet-50: images/s of all devices."""

    device: str
    devices: int
    rate: float
    minutes: float
    epochs: int
    organisation: str
    system: str
    source: str


@cache
def mlperf() -> tuple[Record, ...]:
    """Every public row of training."""
    return tuple(
        Record(
            row["device"],
            int(row["devices"]),
            float(row["img_per_s"]),
            float(row["minutes"]),
            int(row["epochs"]),
            *(row[key] for key in ("organisation", "system", "source")),
        )
        for row in public_table("mlperf.csv")
    )


def best_record(device: str, devices: int) -> Record | None:
    """The fastest submission for each device, of those with the number of devices nearest."""
    rows = [row for row in mlperf() if row.device == device]
    if not rows:
        return None
    return min(
        rows, key=lambda row: (abs(math.log(row.devices / devices)), -row.rate / row.devices)
    )
