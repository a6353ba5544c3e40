"""LayerGraph + device -> seconds that it will take there, and between what bounds."""

from __future__ import annotations

from typing import NamedTuple

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.efficiency import (
    SETTINGS,
    Way,
    kernel_time,
    pass_time,
    starting_time,
)
from resnet_inspect.forecasting.fitted import Fitted, fitted
from resnet_inspect.forecasting.inductor import kept_first
from resnet_inspect.forecasting.kernels import MODES, kernels, works
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.shapes import Shape

LAYOUTS = ("nchw", "nhwc")

HOST = 1.6
"""Factor either way by which hosts differ in the time to start a kernel (between the interpreters
and processors of 2019 and those of today)."""


class KernelTime(NamedTuple):
    """One kernel of a forecast. bound: 'compute', 'memory' or 'launch'; seconds: of the batch."""

    name: str
    kind: str
    stage: str
    block: str
    layers: tuple[str, ...]
    macs: int
    bytes: int
    bound: str
    seconds: float


class Forecast(NamedTuple):
    """What a network will take on a device.

    seconds: of one batch (of a training step where `train`); low, high: bounds that 90% of rows
    held out in validation kept. starting: seconds that the host takes to start all kernels; where
    that is most of it, the host decides. turned: whether Inductor keeps the channels of a network
    first though layouts are its choice. calibrated: by what, by: which. uncounted: layers whose
    arithmetic nobody knows, so that `seconds` is at least that. rows: its kernels.
    """

    model: str
    input: Shape
    batch: int
    dtype: str
    mode: str
    layout: str
    turned: bool
    train: bool
    device: str
    seconds: float
    low: float
    high: float
    starting: float
    calibrated: str
    by: str
    uncounted: int
    rows: tuple[KernelTime, ...]

    @property
    def images_per_second(self) -> float:
        """Throughput, of one device."""
        return self.batch / self.seconds


def check_way(dtype: str, mode: str, layout: str) -> None:
    """Raise UnknownNameError for a word that says how a network runs and is not known."""
    for what, name, choices in (
        ("dtype", dtype, SETTINGS),
        ("mode", mode, MODES),
        ("layout", layout, LAYOUTS),
    ):
        if name not in choices:
            raise unknown(what, name, choices)


def forecast(
    graph: LayerGraph,
    device: Device,
    batch: int = 1,
    dtype: str = "fp16",
    mode: str = "eager",
    layout: str = "nchw",
    *,
    train: bool = False,
    known: Fitted | None = None,
    detailed: bool = False,
) -> Forecast:
    """The forecast of one pass, or of one training step.

    dtype: of SETTINGS; amp-fp16 is autocast, with weights of fp32. known: efficiencies to use
    instead of those that come with the package. detailed: list the kernels. Raises InspectError
    for what the device or the tables do not have.
    """
    check_way(dtype, mode, layout)
    if batch < 1:
        raise InspectError(f"batch is {batch}; give 1 or more")
    setting = SETTINGS[dtype]
    device.peak(setting.dtype)
    if not device.units:
        raise InspectError(
            f"device {device.name} has no units, among which a forecast divides the work; give "
            "the number of its multiprocessors or cores, such as units = 108"
        )
    way = Way(mode, layout, train, device.kind)
    known = known or fitted(device, way, dtype)
    of = known.efficiency
    counted = kernels(graph, *way.runs(dtype))
    seconds = pass_time(counted, batch, device, setting, of)
    starting = starting_time(counted, device, of)
    spread = HOST if 2 * starting > seconds else 1.0
    return Forecast(
        graph.name,
        graph.input_shape,
        batch,
        dtype,
        mode,
        layout,
        kept_first(graph, train, way.order),
        train,
        device.name,
        seconds,
        seconds * min(known.low, 1 / spread),
        seconds * max(known.high, spread),
        starting,
        known.calibrated,
        known.by,
        graph_cost(graph).uncounted,
        _rows(graph, batch, device, dtype, way, known) if detailed else (),
    )


def _rows(
    graph: LayerGraph,
    batch: int,
    device: Device,
    dtype: str,
    way: Way,
    known: Fitted,
) -> tuple[KernelTime, ...]:
    setting = SETTINGS[dtype]
    place = {
        layer.name: (stage.name, block.name)
        for stage in graph.stages
        for block in stage.blocks
        for layer in block.layers
    }
    rows = []
    for name, layers, kernel in works(graph, *way.runs(dtype)):
        time = kernel_time(kernel, batch, device, setting, known.efficiency)
        moved = batch * kernel.moved * setting.activations + kernel.weights * setting.weights
        stage, block = place[layers[0]] if layers else ("", "")
        rows.append(
            KernelTime(
                *(name, kernel.kind, stage, block, layers),
                *(batch * kernel.macs, moved, time.bound, time.whole),
            )
        )
    return tuple(rows)
