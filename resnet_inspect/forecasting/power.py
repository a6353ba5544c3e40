"""Watts: what a device draws while it trains, and how a power limit slows it.

Below its limit a device draws what it does at full clocks; near it the two blend, because a step
has phases that draw less. A limit takes clocks, and with them a part of the dynamic power (what is
above the static share); down to the knee the voltage falls too, so clocks hardly do, and below it
they fall in proportion. power.toml holds what `benchmarks/fit_power.py` made of public/energy.csv.
"""

from __future__ import annotations

from typing import NamedTuple

from resnet_inspect.errors import InspectError
from resnet_inspect.forecasting.devices import Device, packaged
from resnet_inspect.forecasting.fitted import DATASHEET, DEVICE


class Law(NamedTuple):
    """How power limits act, alike on all devices.

    limiting, slowing: how sharply a limit, and full clocks, take over (higher is sharper). knee,
    least: shares of the dynamic power below which clocks fall in proportion, and at the lowest.
    """

    limiting: float = 3.0
    slowing: float = 7.0
    knee: float = 0.45
    least: float = 0.15


class Draw(NamedTuple):
    """What one device draws at full clocks where nothing limits it, as a share of its TDP.

    static: the share of that which clocks do not change.
    """

    full: float = 1.1
    static: float = 0.2


def least_watts(draw: Draw, law: Law, power: float) -> float:
    """What a device of this TDP draws at its lowest clocks."""
    return power * draw.full * (draw.static + law.least * (1 - draw.static))


def watts(draw: Draw, law: Law, power: float, limit: float) -> float:
    """What a device of this TDP draws on average under a limit."""
    held = max(limit, least_watts(draw, law, power))
    return _lesser(held, power * draw.full, law.limiting)


def speed(draw: Draw, law: Law, power: float, drawn: float, busy: float = 1.0) -> float:
    """The share of what it could do at full clocks that it does while it draws so many watts.

    busy: the share that its host lets it do. What a device does not draw while it waits, it may
    draw later, so a host does not slow one that a limit slows more.
    """
    dynamic = (drawn / (power * draw.full) - draw.static) / (1 - draw.static)
    return _lesser(max(dynamic / law.knee, 0.02), busy, law.slowing)


def _lesser(one: float, other: float, sharpness: float) -> float:
    """The lesser of two numbers, rounded off where they are about equal."""
    low, high = sorted((one, other))
    return float(low * (1 + (low / high) ** sharpness) ** (-1 / sharpness))


class Power(NamedTuple):
    """What training draws on a device. watts: on average; low, high: bounds.

    speed: throughput under the limit, as a share of that at its TDP. calibrated: by what.
    """

    watts: float
    low: float
    high: float
    limit: float
    speed: float
    calibrated: str


def known_draw(device: Device) -> tuple[Draw, str]:
    """What a device draws, by rows of its own or those of all devices; and which of these."""
    own = packaged("power.toml")["device"].get(device.name)
    return (Draw(**own), DEVICE) if own else (Draw(**packaged("power.toml")["prior"]), DATASHEET)


def power_of(device: Device, limit: float | None = None) -> Power:
    """What training draws on a device, of whose power at most `limit` watts are allowed.

    Raises InspectError where its TDP is unknown, or it cannot be held to the limit.
    """
    if not device.power:
        raise InspectError(f"{device.name} has no power; give it in its file: power = 300 (watts)")
    draw, calibrated = known_draw(device)
    law = Law(**packaged("power.toml")["law"])
    allowed = device.power if limit is None else limit
    least = least_watts(draw, law, device.power)
    if not least <= allowed <= device.power:
        raise InspectError(
            f"power limit is {allowed:g} W; {device.name} can be held to {least:.0f} to "
            f"{device.power:g} W"
        )
    drawn = watts(draw, law, device.power, allowed)
    full = watts(draw, law, device.power, device.power)
    error = packaged("power.toml")["error"]["device" if calibrated == DEVICE else "datasheet"]
    return Power(
        drawn,
        drawn * error["low"],
        min(allowed, drawn * error["high"]),
        allowed,
        speed(draw, law, device.power, drawn) / speed(draw, law, device.power, full),
        calibrated,
    )
