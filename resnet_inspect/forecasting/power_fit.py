"""Public measurements of energy -> the figures of power.py, and how far off they leave it.

public/energy.csv: ResNet-50 trained on four devices at many batches and power limits (You et al.
2023, 'Zeus', NSDI). A step takes a fixed time of the host and what the device needs for its images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from resnet_inspect.forecasting.calibration import least_squares
from resnet_inspect.forecasting.devices import find
from resnet_inspect.forecasting.measured import public_table
from resnet_inspect.forecasting.power import Draw, Law, speed, watts


class Row(NamedTuple):
    """A training run: images/s and average watts at a batch and a power limit."""

    device: str
    batch: int
    limit: float
    watts: float
    rate: float


class Trained(NamedTuple):
    """What decides both on one device. rate: images/s at full clocks; host: seconds of a step."""

    draw: Draw = Draw()
    rate: float = 300.0
    host: float = 0.015


@cache
def public_energy() -> tuple[Row, ...]:
    """Every public row."""
    return tuple(
        Row(
            row["device"],
            int(row["batch"]),
            *(float(row[key]) for key in ("limit_w", "average_w", "img_per_s")),
        )
        for row in public_table("energy.csv")
    )


DEVICES = tuple(dict.fromkeys(row.device for row in public_energy()))


def foretold(row: Row, law: Law, of: Trained) -> Row:
    """A row as the model has it."""
    power = find(row.device).power
    drawn = watts(of.draw, law, power, row.limit)
    images = row.batch / of.rate
    busy = images / (of.host + images)
    rate = of.rate * speed(of.draw, law, power, drawn, busy)
    return row._replace(watts=drawn, rate=rate)


def error(row: Row, law: Law, of: Trained) -> float:
    """Joules of an image: forecast / measured - 1."""
    made = foretold(row, law, of)
    return (made.watts / made.rate) / (row.watts / row.rate) - 1


def calibrating(device: str) -> tuple[Row, Row]:
    """The two rows that calibrate a device: unlimited at batch 128, about 40% at batch 32.

    Of forty such choices all but those at batch 8 leave 90% of rows within 10 to 19%.
    """
    rows = [row for row in public_energy() if row.device == device]
    most = max(row.limit for row in rows)
    return (
        min((r for r in rows if r.batch == 128), key=lambda row: abs(row.limit - most)),
        min((r for r in rows if r.batch == 32), key=lambda row: abs(row.limit - 0.4 * most)),
    )


_BEFORE = (*(math.log(value) for value in Law()), 0.0, 0.0, 0.0, 0.0)
"""Logarithms before all measurements: of Law, and how Trained differs from its defaults."""

_LAW_SPREAD, _SPREAD, _COMMON = (1.0, 1.0, 0.7, 1.0), (0.25, 0.5, 1.5, 0.5), 2.0
"""Log deviations: of Law; of one device from all (full, static, rate, host); of these from none."""

_NOISE = 0.02, 0.05
"""Of measured watts and images/s, as log deviations."""

_OUTLIER = 3.0
"""Deviations beyond which a row counts less and less (Cauchy's loss)."""


def _trained(logs: Sequence[float]) -> Trained:
    full, static, rate, host = logs
    start = Trained()
    odds = start.draw.static / (1 - start.draw.static) * math.exp(static)
    draw = Draw(start.draw.full * math.exp(full), odds / (1 + odds))
    return Trained(draw, start.rate * math.exp(rate), start.host * math.exp(host))


def _misfits(rows: Sequence[Row], law: Law, of: Trained) -> list[float]:
    found = []
    for row in rows:
        made = foretold(row, law, of)
        found += [math.log(made.watts / row.watts) / _NOISE[0]]
        found += [math.log(made.rate / row.rate) / _NOISE[1]]
    return found


def _damped(misfit: float) -> float:
    return math.copysign(_OUTLIER * math.sqrt(math.log1p((misfit / _OUTLIER) ** 2)), misfit)


class Shared(NamedTuple):
    """What holds for all devices: the law, and what one is likely to be like (logarithms)."""

    law: Law
    common: tuple[float, ...]

    @property
    def prior(self) -> Draw:
        """What a device draws of which only the datasheet is known."""
        return _trained(self.common).draw


@cache
def shared(names: tuple[str, ...] = DEVICES) -> Shared:
    """What fits all rows of some devices, each with figures of its own. Deterministic."""
    measured = [[row for row in public_energy() if row.device == name] for name in names]

    def residuals(logs: Sequence[float]) -> list[float]:
        law, common = Law(*map(math.exp, logs[:4])), logs[4:8]
        found = [(x - b) / s for x, b, s in zip(logs, _BEFORE, _LAW_SPREAD, strict=False)]
        found += [x / _COMMON for x in common]
        for number, rows in enumerate(measured):
            own = logs[8 + 4 * number : 12 + 4 * number]
            found += [(x - c) / s for x, c, s in zip(own, common, _SPREAD, strict=True)]
            found += map(_damped, _misfits(rows, law, _trained(own)))
        return found

    fitted = least_squares(residuals, [*_BEFORE, *[0.0] * 4 * len(names)])
    return Shared(Law(*map(math.exp, fitted[:4])), tuple(fitted[4:8]))


def calibrated(rows: Sequence[Row], known: Shared) -> Trained:
    """A device of which some rows are measured; two are enough."""

    def residuals(logs: Sequence[float]) -> list[float]:
        drawn = [(x - c) / s for x, c, s in zip(logs, known.common, _SPREAD, strict=True)]
        return drawn + _misfits(rows, known.law, _trained(logs))

    return _trained(least_squares(residuals, known.common))


def held_out(*, unseen: bool = False) -> dict[Row, float]:
    """The error of every row but the two that calibrated its device.

    unseen: what all devices share is fitted to the others alone.
    """
    found: dict[Row, float] = {}
    for device in DEVICES:
        others = tuple(name for name in DEVICES if name != device)
        known = shared(others if unseen else DEVICES)
        two = calibrating(device)
        of = calibrated(two, known)
        rows = [row for row in public_energy() if row.device == device and row not in two]
        found |= {row: error(row, known.law, of) for row in rows}
    return found
