"""Costs of training: what follows from a forecast, and what cannot be asked."""

from __future__ import annotations

import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resnet_inspect as ri
from resnet_inspect.errors import InspectError
from resnet_inspect.forecasting.devices import find
from resnet_inspect.forecasting.power import power_of
from resnet_inspect.forecasting.training import (
    DATASETS,
    Plan,
    Price,
    best_record,
    images_of,
    mlperf,
    price_of,
    training_cost,
)

STEP = ri.forecasts("resnet50", device="a100-80gb", batch=256, dtype="amp-fp16", train=True)[0]
A100 = find("a100-80gb")


def test_hours_energy_and_money_by_hand() -> None:
    plan = Plan(8, 90, 1_281_167, 0.8, price=Price(2.0, "h"))
    cost = training_cost(STEP, A100, plan)
    assert cost.steps == 90 * 626  # 625.6 batches of 2,048
    hours = 90 * 626 * STEP.seconds / 0.8 / 3600
    assert cost.hours.value == pytest.approx(hours)
    assert cost.energy.value == pytest.approx(hours * 8 * power_of(A100).watts / 1000)
    assert cost.money is not None
    assert cost.money.value == pytest.approx(hours * 8 * 2.0)
    assert cost.images_per_second == pytest.approx(90 * 1_281_167 / hours / 3600)


def test_money_by_energy() -> None:
    cost = training_cost(STEP, A100, Plan(price=Price(0.3, "kWh")))
    assert cost.money is not None
    assert cost.money.value == pytest.approx(0.3 * cost.energy.value)


@given(st.integers(1, 64), st.integers(1, 300), st.integers(1, 10**7), st.floats(0.1, 1))
def test_bounds_are_carried_through(n: int, epochs: int, images: int, efficiency: float) -> None:
    cost = training_cost(STEP, A100, Plan(n, epochs, images, efficiency, None, Price(1, "h")))
    assert cost.money is not None
    for found in (cost.hours, cost.watts, cost.energy, cost.money):
        assert 0 < found.low < found.value < found.high < math.inf
    assert cost.hours.high / cost.hours.value == pytest.approx(STEP.high / STEP.seconds)


def test_one_device_scales_fully_and_several_by_the_default() -> None:
    assert (Plan(1).scaling, Plan(8).scaling, Plan(1, efficiency=0.5).scaling) == (1, 0.9, 0.5)


def test_a_power_limit_saves_energy_and_takes_longer() -> None:
    held, free = (training_cost(STEP, A100, Plan(limit=limit)) for limit in (250, None))
    assert held.hours.value == pytest.approx(free.hours.value / held.slowed)
    assert held.hours.value > free.hours.value
    assert held.energy.value < free.energy.value


@pytest.mark.parametrize(
    ("text", "images"),
    [
        *DATASETS.items(),
        ("ImageNet", 1_281_167),
        ("CIFAR-10", 50_000),
        ("1,000", 1000),
        (12, 12),
    ],
)
def test_datasets(text: str | int, images: int) -> None:
    assert images_of(text) == images


@pytest.mark.parametrize("text", ["imagnet", "0", "-5", 0, "1e6", ""])
def test_datasets_that_there_are_not(text: str | int) -> None:
    with pytest.raises(InspectError, match="dataset"):
        images_of(text)


def test_prices() -> None:
    assert price_of("2.5/h") == (2.5, "h")
    assert price_of("0.3 / kwh") == (0.3, "kWh")


@pytest.mark.parametrize("text", ["3", "x/h", "-1/h", "3/day", "nan/h", "1/h/h", ""])
def test_prices_that_cannot_be(text: str) -> None:
    with pytest.raises(InspectError, match=r"give 2\.5/h"):
        price_of(text)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(devices=0), "gpus is 0"),
        (Plan(epochs=-1), "epochs is -1"),
        (Plan(images=0), "dataset is 0"),
        (Plan(epochs=10**30), "give 1 to 1,000,000,000,000"),
        (Plan(efficiency=0), "efficiency is 0"),
        (Plan(efficiency=1.1), "efficiency is 1.1"),
        (Plan(efficiency=math.nan), "efficiency is nan"),
    ],
)
def test_plans_that_cannot_be(plan: Plan, message: str) -> None:
    with pytest.raises(InspectError, match=message):
        training_cost(STEP, A100, plan)


def test_no_forecast_beats_what_experts_reached() -> None:
    """MLPerf's rows are fused and tuned by hand; forecasts are of PyTorch as it comes."""
    for name in ("a30", "a100-40gb", "a100-80gb"):
        best = best_record(name, 8)
        assert best is not None
        step = ri.forecasts("resnet50", device=name, batch=256, dtype="amp-fp16", train=True)[0]
        assert 0.4 < step.images_per_second / (best.rate / best.devices) < 1.1


def test_the_best_record_is_of_the_nearest_number_of_devices() -> None:
    one = best_record("a100-80gb", 8)
    assert one is not None
    assert (one.devices, one.rate) == (8, 27331.3)
    assert all(row.rate <= one.rate for row in mlperf() if row[:2] == one[:2])
    assert best_record("t4", 1) is None


def test_the_table_has_a_row_for_every_network_and_device() -> None:
    table = ri.training_cost(
        *("resnet18", "resnet50"), device=["t4", "a100"], dataset=1000, gpus=4, price="1/h"
    )
    rows = table.records()
    assert [(row["model"], row["device"]) for row in rows] == [
        *(("resnet18", "t4"), ("resnet18", "a100-40gb")),
        *(("resnet50", "t4"), ("resnet50", "a100-40gb")),
    ]
    assert all(row["money"] == pytest.approx(4 * row["hours"]) for row in rows)
    text = str(table)
    assert "MLPerf training v2.1" in text
    assert "90% of 4 times one's work" in text


def test_money_is_in_data_even_without_a_price() -> None:
    rows = csv.DictReader(io.StringIO(ri.training_cost("resnet18", device="t4").to_text("csv")))
    assert next(iter(rows))["money"] == ""


def test_a_batch_that_does_not_fit_is_said() -> None:
    assert "does not fit t4" in str(ri.training_cost("resnet152", device="t4", batch=512))
    assert "does not fit" not in str(ri.training_cost("resnet18", device="t4", batch=32))
