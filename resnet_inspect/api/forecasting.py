"""Forecasts: how long networks take on devices that are not at hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from resnet_inspect.api.networks import Model, graphs
from resnet_inspect.errors import InspectError
from resnet_inspect.forecasting.devices import Device, find
from resnet_inspect.forecasting.devices import devices as known_devices
from resnet_inspect.networks.ops import Shape
from resnet_inspect.tables.table import Table

if TYPE_CHECKING:
    from resnet_inspect.forecasting.forecast import Forecast

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
            networks, map(find, _several(device)), _several(mode), _several(layout)
        )
        for kind in _several(dtype or ("fp16" if "fp16" in on.peaks else "fp32"))
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


def _several(values: object) -> Sequence[object]:
    single = isinstance(values, (str, os.PathLike, Device))
    return (values,) if single else values  # type: ignore[return-value]
