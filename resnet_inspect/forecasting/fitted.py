"""What is known of how well kernels do on a device, and how sure that is.

fitted.toml holds what `benchmarks/fit_forecasts.py` made of the public measurements: for each run
the efficiencies that fit it, for each way of running those that fit all devices, and the errors
that were found on networks and on devices that had been held out (validation.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.forecasting.devices import Device, devices, packaged
from resnet_inspect.forecasting.efficiency import Efficiency, Way

DEVICE = "measured runs of this device"
ARCHITECTURE = "runs of this architecture"
DATASHEET = "datasheet alone"
OWN = "measurements of one's own"


class Fitted(NamedTuple):
    """Efficiencies, where they come from, and how far off they leave forecasts.

    calibrated: DEVICE, ARCHITECTURE, DATASHEET or OWN; by: the run, the device or the ways that
    they were fitted to. low, high: measured / forecast that 5% and 95% of held-out rows came to.
    """

    efficiency: Efficiency
    calibrated: str
    by: str
    low: float
    high: float


def fitted(device: Device, way: Way, precision: str) -> Fitted:
    """What fits a device best: a run of its own, else of its architecture, else its datasheet.

    Raises InspectError for a way of running that was never measured on its kind of device.
    """
    tables = packaged("fitted.toml")
    keys = _nearest(way, precision)
    family = device.architecture.partition("-")[0]
    for one in (way, way._replace(layout="nhwc"), way._replace(layout="nchw")):
        if own_key(one, precision) in device.own:
            return own(device.own[own_key(one, precision)])
    for key in keys:
        runs = tables["run"].get(key, {})
        if device.name in runs:
            return _fitted(runs[device.name], DEVICE, key, tables["error"]["device"][key])
    for key in keys:
        for name, run in tables["run"].get(key, {}).items():
            if devices()[name].architecture.partition("-")[0] == family:
                return _fitted(run, ARCHITECTURE, name, tables["error"]["datasheet"][key])
        if key in tables["prior"]:
            prior = tables["prior"][key]
            return _fitted(prior, DATASHEET, key, tables["error"]["datasheet"][key])
    raise InspectError(f"no public run is like {way.key} in {precision} on a {way.kind}")


def own(values: Fitted | Mapping[str, Any]) -> Fitted:
    """What a TOML file says of a device; raises FormatError for what it lacks."""
    if isinstance(values, Fitted):
        return values
    wanted = (*Efficiency._fields, "low", "high")
    if missing := [name for name in wanted if not isinstance(values.get(name), (int, float))]:
        raise FormatError(f"'fitted' has no number {missing[0]}; 'calibrate' writes all of them")
    if not all(0 < values[name] < math.inf for name in wanted):
        raise FormatError("numbers of 'fitted' are positive and finite; 'calibrate' writes them")
    known = Efficiency(*[float(values[name]) for name in Efficiency._fields])
    return Fitted(known, OWN, str(values.get("by", "")), values["low"], values["high"])


def prior(way: Way, precision: str) -> Efficiency:
    """What fits all devices that were measured in this way, before one's own measurements."""
    tables = packaged("fitted.toml")
    known = (tables["prior"][key] for key in _nearest(way, precision) if key in tables["prior"])
    return Efficiency(**next(known))


def _fitted(values: Mapping[str, Any], how: str, by: str, error: Mapping[str, float]) -> Fitted:
    known = {name: values[name] for name in Efficiency._fields}
    return Fitted(Efficiency(**known), how, str(values.get("run", by)), error["low"], error["high"])


def key_of(way: Way, precision: str) -> str:
    """What efficiencies are kept by: the way, and fp32 where it runs without matrix units."""
    return f"{way.key}-fp32" if precision == "fp32" and way.kind != "cpu" else way.key


def own_key(way: Way, precision: str) -> str:
    """What one's own measurements are kept by: exactly how they were made."""
    task = "train" if way.train else "infer"
    return f"{task}-{way.mode}-{way.layout}-{precision}"


def _nearest(way: Way, precision: str) -> list[str]:
    """The keys to look under, the most alike first."""
    other = "nhwc" if way.layout == "nchw" else "nchw"
    like = [way, way._replace(layout=other)]
    if way.train:  # kernels are those of its mode; what they reach, that of eager training
        like += [way._replace(mode="eager", layout=layout) for layout in ("nhwc", "nchw")]
    like += [one._replace(train=False) for one in like] + [way._replace(train=False, mode="eager")]
    keys = [key_of(one, precision) for one in like] + [one.key for one in like]
    return list(dict.fromkeys(keys))
