"""Forecasts: how long networks take on devices that are not at hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from resnet_inspect.api.networks import Model, graph, graphs, several, spec
from resnet_inspect.counting.autocast import step_dtype
from resnet_inspect.counting.training_step import Settings
from resnet_inspect.errors import InspectError
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.devices import devices as known_devices
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
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
            networks, _named(device), several(mode), several(layout)
        )
        for kind in several(dtype or on.usual_dtype())
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
    level: str = "network",
    input_shape: Shape | None = None,
) -> Table:
    """How long networks will take: every combination of the arguments, one row each.

    device: names ('resnet-inspect devices'), in any vendor's spelling, or TOML files. dtype: fp32,
    tf32, fp16, bf16, amp-fp16, amp-bf16 (default: fp16 where the device has it). mode: eager or
    compile; layout: nchw or nhwc. train: a step of forward, backward and SGD with momentum. level:
    'stage', 'block' or 'kernel' for the rows of a single forecast, each with what bounds it. Rows
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
            detailed=level != "network",
        ),
        level,
    )


def _resized(network: LayerGraph, shape: Shape) -> LayerGraph:
    if network.spec is not None:
        return layer_graph(network.spec, shape)
    if network.maker is None:
        raise InspectError(f"{network.name} is a graph for one input only; give a model")
    return graph(network.maker(), shape)


def fit(
    *models: Model | Sequence[Model],
    memory: str | int | Sequence[str | int] = (),
    device: DeviceName | Sequence[DeviceName] = (),
    train: bool = False,
    batch: int | None = None,
    dtype: str | None = None,
    optimizer: str = "momentum",
    checkpoint: str = "none",
    stepping: str = "foreach",
    accumulate: bool = False,
    decay: bool = False,
    reserve: str | int = "1GiB",
    slack: float = 0.05,
    input_shape: Shape | None = None,
    around: bool = False,
) -> Table:
    """The largest batch that fits into a memory; with `batch`, the largest square input.

    memory: '24GiB' or bytes; device: names, with the memory that CUDA reports of them. train: a
    step with `optimizer` (sgd, momentum, adam, adamw), `checkpoint` none, block or stage,
    `stepping` foreach, fused or loop, `accumulate` (gradients of a batch before are kept) and
    weight `decay`.
    dtype: fp32, bf16, .., amp-fp16 or amp-bf16. reserve: what is kept back for the CUDA context and
    its libraries; slack: the share of the rest that the allocator loses. around: a row for each
    batch around. Rows have `batch`, `total`, and what is held at the peak by kind. Raises
    InspectError where not even one sample fits.
    """
    from resnet_inspect.forecasting import fit as fitting
    from resnet_inspect.tables.fit import fits_table

    named = (memory,) if isinstance(memory, (str, int)) else memory
    kept = fitting.bytes_of(reserve, "reserve")
    settings = Settings(optimizer, step_dtype(dtype), checkpoint, stepping, accumulate, decay)
    rooms = [fitting.room(of, kept, slack, settings.dtype) for of in (*_named(device), *named)]
    networks = graphs(models, input_shape)
    if not rooms or not networks:
        raise InspectError("name a network, and a device or a memory, such as '24GiB'")
    if batch is None:
        title = "The largest batch that fits"
        made = [fitting.fit(each, into, settings, train) for each, into in product(networks, rooms)]
        if not any(each.batch for each in made):
            raise fitting.too_large(made[-1])
    else:
        title = "The largest input that fits"
        made = [
            fitting.fit_input(partial(_resized, each), each, into, settings, train, batch)
            for each, into in product(networks, rooms)
        ]
    if around:
        return fits_table([near for each in made for near in each.around()], "Batches")
    return fits_table(made, title)


def training_cost(
    *models: Model | Sequence[Model],
    device: DeviceName | Sequence[DeviceName],
    gpus: int = 1,
    epochs: int = 90,
    dataset: str | int = "imagenet",
    batch: int = 128,
    dtype: str | None = None,
    mode: str = "eager",
    layout: str = "nchw",
    efficiency: float | None = None,
    power_limit: float | None = None,
    price: str | None = None,
    input_shape: Shape | None = None,
) -> Table:
    """What training takes in hours and kWh, and in money at your own price: a row for each.

    gpus: devices that train together, each with a batch of `batch`. dataset: 'imagenet',
    'imagenet21k', 'cifar10', 'cifar100', 'mnist', or a number of images. dtype: as `forecast` has
    it (default: amp-fp16 where the device has fp16, else fp32). efficiency: throughput of several
    devices as a share of that many times one's (default: 0.9). power_limit: watts allowed for each
    (default: its TDP). price: '2.5/h' for an hour of one device, or '0.3/kWh'. `hours`, `kwh` and
    `money` have bounds `_low` and `_high`. Raises InspectError.
    """
    from resnet_inspect.forecasting import training
    from resnet_inspect.forecasting.forecast import forecast as forecast_one
    from resnet_inspect.tables.training import too_large, training_cost_table

    cost = price if price is None else training.price_of(price)
    images = training.images_of(dataset)
    plan = training.Plan(gpus, epochs, images, efficiency, power_limit, cost)
    made, notes = [], []
    for network, on in product(graphs(models, input_shape), _named(device)):
        kind = dtype or on.usual_dtype(train=True)
        step = forecast_one(network, on, batch, kind, mode, layout, train=True)
        made.append(training.training_cost(step, on, plan))
        notes += too_large(network, on, batch, kind)
    return training_cost_table(made).noted(*notes)


def accuracy(
    *,
    family: str | None = None,
    data: str = "any",
    under: str | None = None,
    front: str = "macs",
    batch: int = 64,
    device: DeviceName | None = None,
    dtype: str | None = None,
    mode: str = "eager",
    layout: str = "nchw",
) -> Table:
    """Published top-1 by weights and input size, beside parameters, MACs and training memory.

    device: also forecast latency at batch 1 and images/s at `batch`, as `forecast` does. data:
    'imagenet-1k' leaves out weights that saw other images. under: 'macs=2G,params=20M,latency=5ms',
    'memory=8GiB'. front: what the column 'front' sets accuracy against: 'macs', 'params' or
    'throughput'. Raises InspectError.
    """
    from resnet_inspect.tables.accuracy import accuracy_table, wanted_rows

    return accuracy_table(
        wanted_rows(
            family=family,
            data=data,
            under=under,
            front=front,
            batch=batch,
            device=device,
            dtype=dtype,
            mode=mode,
            layout=layout,
        )
    )


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
    found = own.calibrate(rows, base, lambda name, side: graph(spec(name), _image(name, side)))
    return Calibrated(own.calibrated_device(base, found), found)


def _image(name: str, side: int) -> Shape:
    """Square images with the channels that a network takes."""
    return (graph(spec(name)).input_shape[0], side, side)


def validate() -> Validated:
    """How far forecasts are off on public measurements that they have not seen.

    Takes a minute: every run is calibrated on five of its rows and forecasts all others, and every
    device is forecast from the others.
    """
    from resnet_inspect.forecasting import validation
    from resnet_inspect.reporting.forecasts import Validated

    return Validated(validation.validate())
