"""How far forecasts are off on what they have not seen: held-out networks, held-out devices.

Three questions, of every public run:
- calibrated on five networks of the run, how far off are all the others?
- fitted to all other devices, how far off is this one, of which only the datasheet is known?
- what fits it best, once everything is known? (That is what forecasts then use.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from resnet_inspect.forecasting.calibration import Prior, Sample, fit, misfit
from resnet_inspect.forecasting.devices import find
from resnet_inspect.forecasting.efficiency import Efficiency, kernel_time
from resnet_inspect.forecasting.fitted import key_of
from resnet_inspect.forecasting.forecast import forecast
from resnet_inspect.forecasting.measured import Run, Timing, public_runs, public_timings, sample
from resnet_inspect.forecasting.power_fit import DEVICES, held_out, public_energy
from resnet_inspect.networks.naming import named
from resnet_inspect.networks.resnet import layer_graph

BATCHES = (("resnet50", 1), ("resnet50", 16), ("resnet50", 128), ("resnext101_32x4d", 32))
_EAGER = (("resnet34", 224), ("resnet50", 224), ("resnext50_32x4d", 224), ("seresnet152d", 256))
_COMPILED = (("resnet34", 224), ("resnet50", 224), ("seresnext101_32x4d", 224))

FIVE = {
    "whole groups": (*_EAGER, ("regnetx_080", 224)),
    "tiles": (*_EAGER, ("regnetx_016", 224)),
    "compiled": (*_COMPILED, ("regnetx_040", 224), ("regnetx_160", 224)),
    "cpu": (
        *(("resnet50", 160), ("wide_resnet101_2", 224), ("seresnext26ts", 288)),
        *(("ecaresnext26t_32x4d", 224), ("seresnet152d", 320)),
    ),
}
"""The networks that calibrate a run, with the side of their images: one of each kind of kernel.

Groups: RegNet's of 120 channels tell how far their rate rises, those of 24 what tiles cost, which
channels last have, and training in either order. Of those that Inductor compiles, one runs as tiles
and one with channels first. A processor's time depends much on the side, the depth and the width,
so its five differ in them."""


def _five(run: Run) -> tuple[tuple[str, int], ...]:
    way = run.way
    if way.kind == "cpu":
        return FIVE["cpu"]
    if way.mode == "compile":
        return FIVE["compiled"]
    return FIVE["tiles" if way.layout == "nhwc" or way.train else "whole groups"]


BEFORE = {
    "cuda": Prior(
        Efficiency(), Efficiency(*(*[0.25] * 3, 0.5, *[0.25] * 3, *[0.6] * 5, 0.5, 0.3, 0.3))
    ),
    "cpu": Prior(
        Efficiency(
            *(0.65, 0.6, 0.7, 1.0, 0.18, 0.35, 0.4, 0.66),
            *(36.0, 10.0, 0.22, 2.0, 4.5, 3e-5, 7e-4),
        ),
        Efficiency(*[0.12] * len(Efficiency._fields)),
    ),
}
"""What is known before all measurements.

Kernels of a GPU reach about the same shares of its peaks everywhere; were that left open, five rows
could not tell arithmetic from transfers, and the next device would be foretold wrong. What it takes
to start a kernel hardly shows in the measurements. Of a processor five rows tell even less, so all
is taken as nearly known."""

SPREAD = {
    "cuda": Efficiency(*[0.25] * len(Efficiency._fields)),
    "cpu": Efficiency(*(0.05, *[0.15] * 3, 0.6, *[0.4] * 3, *[0.05] * 5, 0.8, 0.5)),
}
"""How far devices and versions differ from what fits all of them (log deviation).

Processors differ in how fast they move bytes and start kernels, less in what share of their peak
products reach, and hardly in which shapes these take best."""

POOLED = 0.05
"""Noise of a row where several devices share one set of efficiencies."""


class Checked(NamedTuple):
    """A measurement beside the forecast that had not seen it. seconds: of a batch."""

    run: str
    model: str
    side: int
    batch: int
    seconds: float
    forecast: float

    @property
    def error(self) -> float:
        """forecast / measured - 1: how much slower than it is it was said to be."""
        return self.forecast / self.seconds - 1


@cache
def _sample(run: str, timing: Timing) -> Sample:
    return sample(public_runs()[run], timing)


def calibrating(run: Run) -> tuple[Timing, ...]:
    """The five rows of a run that calibrate it."""
    timings = public_timings()[run.name]
    if len({timing.batch for timing in timings}) > 4 and len({t.model for t in timings}) < 9:
        wanted = {*BATCHES, ("seresnext101_32x4d", 128)}  # few networks at many batches
        return tuple(t for t in timings if (t.model, t.batch) in wanted)
    chosen = []
    for name, side in _five(run):
        same = [timing for timing in timings if timing.model == name]
        if same:
            chosen.append(min(same, key=lambda timing: abs(timing.side - side)))
    return tuple(chosen)


def alike(run: Run) -> list[Run]:
    """The runs of the same way, precision and publisher, itself among them.

    Publishers differ in how they time (with a host that is waited for, in a container of theirs).
    """
    return [other for other in public_runs().values() if _group(other) == _group(run)]


def _group(run: Run) -> tuple[str, str]:
    return key_of(run.way, run.precision), run.publisher


@cache
def _shared(names: tuple[str, ...]) -> Efficiency:
    """What fits the calibrating rows of some runs together."""
    runs = public_runs()
    samples = [_sample(name, timing) for name in names for timing in calibrating(runs[name])]
    return fit(samples, BEFORE[runs[names[0]].way.kind], POOLED)


def shared(runs: Iterable[Run]) -> Efficiency:
    """What fits the calibrating rows of some runs together, in whatever order they come."""
    return _shared(tuple(sorted(run.name for run in runs)))


def held_out_networks(run: Run) -> list[Checked]:
    """All rows of a run but the five that calibrated it."""
    five = calibrating(run)
    prior = Prior(shared(alike(run)), SPREAD[run.way.kind])
    efficiency = fit([_sample(run.name, timing) for timing in five], prior)
    rest = [timing for timing in public_timings()[run.name] if timing not in five]
    return _checked(run, rest, efficiency)


def newest(runs: Iterable[Run]) -> list[Run]:
    """The run of each device with the newest torch, so that each device counts once."""
    return list({run.device: run for run in sorted(runs, key=_version)}.values())


def _version(run: Run) -> tuple[int, ...]:
    return tuple(int(part) for part in run.torch.split("."))


def held_out_device(run: Run) -> list[Checked]:
    """All rows of a run, forecast from its device's datasheet and other devices' newest runs.

    Empty where no other device was measured in this way.
    """
    others = newest(other for other in alike(run) if other.device != run.device)
    return _checked(run, public_timings()[run.name], shared(others)) if others else []


def _checked(run: Run, timings: Iterable[Timing], efficiency: Efficiency) -> list[Checked]:
    return [
        Checked(
            run.name,
            timing.model,
            timing.side,
            timing.batch,
            timing.seconds,
            timing.seconds * math.exp(misfit(_sample(run.name, timing), efficiency)),
        )
        for timing in timings
    ]


def best(run: Run) -> Efficiency:
    """What fits all rows of a run."""
    rows = [_sample(run.name, timing) for timing in public_timings()[run.name]]
    return fit(rows, Prior(shared(alike(run)), SPREAD[run.way.kind]))


def interval(rows: Sequence[Checked]) -> tuple[float, float]:
    """measured / forecast that 5% and 95% of rows come to."""
    ratios = sorted(row.seconds / row.forecast for row in rows)
    last = len(ratios) - 1
    return ratios[math.floor(0.05 * last)], ratios[math.ceil(0.95 * last)]


LEAST = 1.25
"""Few devices were measured: a held-out device's interval is at least this factor either way."""


def unseen_interval(rows: Sequence[Checked]) -> tuple[float, float]:
    """measured / forecast that 90% of rows come to of a device that was never measured.

    As far up as down: of two devices, each is foretold as much too fast as the other too slow.
    """
    low, high = interval(rows) if rows else (1.0, 1.0)
    widest = max(LEAST, high, 1 / low)
    return 1 / widest, widest


def within(errors: Iterable[float], share: float) -> float:
    """The absolute error that this share of errors stay within."""
    ordered = sorted(map(abs, errors))
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def by_run(check: Callable[[Run], list[Checked]]) -> Mapping[str, list[Checked]]:
    """What a check finds of every public run."""
    return {name: check(run) for name, run in public_runs().items()}


class Training(NamedTuple):
    """ResNet-50 trained on a device: errors of an image's energy, and of a step's time.

    energy: of the rows that two others of the device calibrated. steps: forecasts of those at full
    power, of which no forecast has seen any.
    """

    energy: tuple[float, ...]
    steps: tuple[float, ...]


def trained() -> Mapping[str, Training]:
    """The public measurements of energy, by device."""
    graph, energy = layer_graph(named("resnet50")), held_out()
    found = {}
    for name in DEVICES:
        device = find(name)
        rows = [row for row in public_energy() if row.device == name]
        # torch convolves in TF32 where a device has units for it
        dtype = "tf32" if "tf32" in device.peaks else "fp32"
        steps = [
            forecast(graph, device, row.batch, dtype, train=True).seconds * row.rate / row.batch - 1
            for row in rows
            if row.limit == max(row.limit for row in rows)
        ]
        found[name] = Training(tuple(energy[row] for row in rows if row in energy), tuple(steps))
    return found


def kept(devices: Mapping[str, list[Checked]]) -> Mapping[str, int]:
    """How many rows of each run the interval holds that the other devices give, of held-out ones.

    Nothing of a device is in the interval that its rows are tried on, nor in their forecasts.
    """
    runs, found = public_runs(), {}
    for name, rows in devices.items():
        run = runs[name]
        key = key_of(run.way, run.precision)
        others = newest(
            other
            for other in runs.values()
            if key_of(other.way, other.precision) == key and other.device != run.device
        )
        low, high = unseen_interval([row for other in others for row in devices[other.name]])
        found[name] = sum(low <= row.seconds / row.forecast <= high for row in rows)
    return found


class Validation(NamedTuple):
    """Every public row beside the forecasts that had not seen it, by run; training by device.

    kept: how many of the rows of held-out devices their interval holds, by run.
    """

    networks: Mapping[str, list[Checked]]
    devices: Mapping[str, list[Checked]]
    training: Mapping[str, Training]
    kept: Mapping[str, int]


def validate() -> Validation:
    """Forecast everything that was held out; takes a minute or two."""
    devices = by_run(held_out_device)
    return Validation(by_run(held_out_networks), devices, trained(), kept(devices))


def spent(row: Checked) -> tuple[str, float]:
    """The kind of kernel on which a forecast spends most, and its share of the time."""
    run = public_runs()[row.run]
    timing = Timing(row.model, row.side, row.batch, row.seconds)
    kernels, batch, device, setting, _ = _sample(run.name, timing)
    known = shared(alike(run))
    times: dict[str, float] = {}
    for kernel, count in kernels.items():
        seconds = count * kernel_time(kernel, batch, device, setting, known).whole
        times[kernel.kind] = times.get(kernel.kind, 0.0) + seconds
    kind = max(times, key=times.__getitem__)
    return kind, times[kind] / sum(times.values())
