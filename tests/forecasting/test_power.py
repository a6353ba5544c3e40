"""Power: the law of limits, what the public rows say of it, and the bar that it keeps."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resnet_inspect as ri
from resnet_inspect.errors import InspectError
from resnet_inspect.forecasting.devices import device_of, devices, find
from resnet_inspect.forecasting.fitted import DATASHEET, DEVICE
from resnet_inspect.forecasting.power import Draw, Law, power_of, speed, watts
from resnet_inspect.forecasting.power_fit import (
    DEVICES,
    calibrated,
    calibrating,
    held_out,
    public_energy,
    shared,
)

LIMITS = st.floats(100, 300)
DRAWS = st.builds(Draw, full=st.floats(0.6, 1.5), static=st.floats(0.05, 0.4))


@given(DRAWS, LIMITS, LIMITS)
def test_a_lower_limit_draws_less_and_is_slower(draw: Draw, one: float, other: float) -> None:
    low, high = sorted((one, other))
    drawn = [watts(draw, Law(), 300, limit) for limit in (low, high)]
    speeds = [speed(draw, Law(), 300, each) for each in drawn]
    assert drawn[0] <= drawn[1] <= 300 * draw.full
    assert speeds[0] <= speeds[1] <= 1


@given(st.sampled_from(sorted(devices())))
def test_the_bounds_hold_the_power_and_the_limit_bounds_both(name: str) -> None:
    found = power_of(find(name))
    assert 0 < found.low < found.watts < found.high <= find(name).power
    assert found.speed == 1


@given(DRAWS, LIMITS, st.floats(0.1, 1))
def test_a_host_slows_a_device_most_where_no_limit_does(
    draw: Draw, limit: float, busy: float
) -> None:
    drawn = watts(draw, Law(), 300, limit)
    free, held = speed(draw, Law(), 300, drawn), speed(draw, Law(), 300, drawn, busy)
    assert busy * free * (1 - 1e-9) <= held <= min(free, busy)


def test_every_public_row_is_there() -> None:
    counts = {name: sum(row.device == name for row in public_energy()) for name in DEVICES}
    assert counts == {"a40": 81, "p100-pcie": 30, "quadro-rtx-6000": 56, "v100-pcie": 56}


@pytest.mark.parametrize(
    ("unseen", "median", "most", "within"), [(False, 0.032, 0.1, 209), (True, 0.038, 0.135, 201)]
)
def test_energy_of_an_image_after_two_rows_of_a_device(
    unseen: bool, median: float, most: float, within: int
) -> None:
    errors = sorted(abs(error) for error in held_out(unseen=unseen).values())
    assert len(errors) == 223 - 2 * len(DEVICES)
    assert errors[len(errors) // 2] <= median
    assert errors[math.ceil(0.9 * len(errors)) - 1] <= most
    assert sum(error <= 0.15 for error in errors) >= within


def test_committed_figures_are_what_the_public_rows_give() -> None:
    tables = tomllib.loads((Path(ri.__file__).parent / "forecasting/power.toml").read_text())
    known = shared()
    assert tables["law"] == pytest.approx(known.law._asdict(), rel=2e-3)
    assert tables["prior"] == pytest.approx(known.prior._asdict(), rel=2e-3)
    assert set(tables["device"]) == set(DEVICES)
    for name in DEVICES:
        draw = calibrated(calibrating(name), known).draw
        assert tables["device"][name] == pytest.approx(draw._asdict(), rel=2e-3)


def test_by_what_power_is_known() -> None:
    assert power_of(find("a40")).calibrated == DEVICE
    assert power_of(find("h100-sxm")).calibrated == DATASHEET


def test_a_limit_of_half_the_power_costs_a_third_of_the_speed_or_less() -> None:
    found = power_of(find("a40"), 150)
    assert found.watts < 150
    assert 0.6 < found.speed < 0.8


@pytest.mark.parametrize("limit", [1, 301, float("nan"), float("inf"), -5])
def test_a_limit_that_a_device_cannot_be_held_to(limit: float) -> None:
    with pytest.raises(InspectError, match=r"a40 can be held to 11\d to 300 W"):
        power_of(find("a40"), limit)


def test_a_device_of_unknown_power() -> None:
    with pytest.raises(InspectError, match="mine has no power"):
        power_of(device_of("mine", {"peak": {"fp32": 1}, "bandwidth": 100}))
