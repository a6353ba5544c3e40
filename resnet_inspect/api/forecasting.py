"""Forecasts: how long networks take on devices that are not at hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from resnet_inspect.api.networks import Model, graph, graphs
from resnet_inspect.errors import InspectError
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.devices import devices as known_devices
from resnet_inspect.networks.ops import Shape
from resnet_inspect.tables.table import Table

if TYPE_CHECKING:
    from resnet_inspect.forecasting.forecast import Forecast
    from resnet_inspect.reporting.forecasts import Calibrated, Validated

DeviceName = str | os.PathLike[str] | Device


def devices() -> Table:
    """Every device whose datasheet is known."""
    from resnet_inspect.tables.devices import devices_table

    return devices_table(known_devices().values())


def forecasts(
    *models: Model | Sequence[Model],
    device: DeviceName | Sequence[DeviceName],
    batch: int | Sequence[int] = 1,
    dtype: str | Sequence[str] | None = None,
    mode: str | Sequence[str] = "eager",
    layout: str | Sequence[str] = "nchw",
    train: bool = False,
    input_shape: Shape | None = None,
    detailed: bool = False,
) -> list[Forecast]:
    """The forecasts as values, one for each combination of the arguments, as `forecast` has them.

    detailed: each lists its kernels.
    """
    from resnet_inspect.forecasting.forecast import forecast as forecast_one

    networks = graphs(models, input_shape)
    if not networks:
        raise InspectError("no network to forecast; name at least one, such as 'resnet50'")
    return [
        forecast_one(network, on, images, kind, way, order, train=train, detailed=detailed)
        for network, on, way, order in product(
            networks, _named(device), _words(mode), _words(layout)
        )
        for kind in _words(dtype or ("fp16" if "fp16" in on.peaks else "fp32"))
        for images in ((batch,) if isinstance(batch, int) else batch)
    ]


def forecast(
    *models: Model | Sequence[Model],
    device: DeviceName | Sequence[DeviceName],
    batch: int | Sequence[int] = 1,
    dtype: str | Sequence[str] | None = None,
    mode: str | Sequence[str] = "eager",
    layout: str | Sequence[str] = "nchw",
    train: bool = False,
    input_shape: Shape | None = None,
) -> Table:
    """How long networks will take: every combination of the arguments, one row each.

    device: names ('resnet-inspect devices'), in any vendor's spelling, or TOML files. dtype: fp32,
    tf32, fp16, bf16, amp-fp16, amp-bf16 (default: fp16 where the device has it). mode: eager or
    compile; layout: nchw or nhwc. train: a step of forward, backward and SGD with momentum. Rows
    have `seconds`, `low` and `high` (90% of held-out measurements lay between them),
    `images_per_second`, and by what they were calibrated. Raises InspectError.
    """
    from resnet_inspect.tables.forecast import forecasts_table

    return forecasts_table(
        forecasts(
            *models,
            device=device,
            batch=batch,
            dtype=dtype,
            mode=mode,
            layout=layout,
            train=train,
            input_shape=input_shape,
        )
    )


def _words(values: str | Sequence[str]) -> Sequence[str]:
    return (values,) if isinstance(values, str) else values


def _named(devices: DeviceName | Sequence[DeviceName]) -> list[Device]:
    from resnet_inspect.forecasting.own import device_named

    if isinstance(devices, (str, os.PathLike, Device)):
        return [device_named(devices)]
    return [device_named(name) for name in devices]


def calibrate(
    path: str | os.PathLike[str],
    *,
    device: DeviceName = "here",
    dtype: str = "fp16",
    mode: str = "eager",
    layout: str = "nchw",
    train: bool = False,
) -> Calibrated:
    """A device as one's own measurements have it; `forecast` takes it as a device.

    path: a record of `bench`, or a CSV of model, img_size, batch, img_per_s, for which dtype, mode,
    layout and train say how it was measured. device: whose datasheet, or 'here': what `device`
    measured last. Ten rows of several kinds of network are enough. Raises InspectError for rows
    that are too few, contradict each other or cannot be read.
    """
    from resnet_inspect.forecasting import own
    from resnet_inspect.forecasting.efficiency import Way
    from resnet_inspect.reporting.forecasts import Calibrated

    base = own.device_named(device)
    rows = own.rows_of(os.fspath(path), Way(mode, layout, train, base.kind), dtype)
    found = own.calibrate(rows, base, lambda name, side: graph(name, _image(name, side)))
    return Calibrated(own.calibrated_device(base, found), found)


def _image(name: str, side: int) -> Shape:
    """Square images with the channels that a network takes."""
    return (graph(name).input_shape[0], side, side)


def validate() -> Validated:
    """How far forecasts are off on public measurements that they have not seen.

    Takes a minute: every run is calibrated on five of its rows and forecasts all others, and every
    device is forecast from the others.
    """
    from resnet_inspect.forecasting import validation
    from resnet_inspect.reporting.forecasts import Validated

    return Validated(validation.validate())
