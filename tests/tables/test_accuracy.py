"""Published accuracy: the figures, the front, and what rows are held under."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resnet_inspect as ri
from resnet_inspect.counting.accuracy import on_front, published
from resnet_inspect.errors import InspectError
from resnet_inspect.tables.accuracy import limits_of

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


def test_published_networks_have_our_parameters() -> None:
    """timm prints millions with two digits: these are the same networks."""
    text = files("resnet_inspect.counting").joinpath("accuracy.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(published()) == 376
    for row in rows:
        params = ri.cost(row["model"]).params
        assert abs(Decimal(row["params_m"]) - Decimal(params) / 10**6) <= Decimal("0.005")


@given(POINTS)
def test_the_front_is_what_nothing_beats(points: Sequence[tuple[int, int]]) -> None:
    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one != other and one[0] <= other[0] and one[1] >= other[1]

    wanted = [not any(beats(other, point) for other in points) for point in points]
    assert on_front(points) == wanted


@pytest.mark.parametrize("front", ["macs", "params", "throughput"])
def test_the_column_front(front: str) -> None:
    rows: Any = ri.accuracy(front=front, device="rtx4090", family="resnet").records()
    key = {"throughput": "images_per_second"}.get(front, front)
    sign = -1 if front == "throughput" else 1
    for row in rows:
        beaten = any(
            sign * other[key] <= sign * row[key]
            and other["top1"] >= row["top1"]
            and (other[key], other["top1"]) != (row[key], row["top1"])
            for other in rows
        )
        assert row["front"] is not beaten


def test_costs_are_those_of_the_other_commands() -> None:
    rows: Any = ri.accuracy(device="rtx4090", family="wide", batch=32).records()
    assert {row["side"] for row in rows} >= {224, 288}
    for row in rows:
        shape = row["input"]
        assert shape == (3, row["side"], row["side"])
        assert row["macs"] == ri.cost(row["model"], input_shape=shape).macs
        step = ri.memory_timeline(row["model"], input_shape=shape)
        assert row["memory"] == step.total(32)
        for batch, key in ((1, "seconds"), (32, "images_per_second")):
            made = ri.forecasts(row["model"], device="rtx4090", batch=batch, input_shape=shape)
            assert row["latency" if batch == 1 else key] == getattr(made[0], key)


def test_limits() -> None:
    assert limits_of("macs=2G, params=20M,memory=1.5GiB,latency=5ms") == {
        "macs": 2 * 10**9,
        "params": 20 * 10**6,
        "memory": 3 * 2**29,
        "latency": Decimal("0.005"),
    }


def test_rows_are_held_under_limits_themselves_included() -> None:
    most = ri.cost("resnet18").macs
    models = {row["model"] for row in ri.accuracy(under=f"macs={most},params=20M").records()}
    assert models >= {"resnet18", "resnetv2_18"}
    assert "resnet18d" not in models
    fast: Any = ri.accuracy(device="t4", under="latency=9ms").records()
    assert fast
    assert all(row["latency"] <= 0.009 for row in fast)
    assert ri.accuracy(under="macs=1").records() == []


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({"under": "macs=1M"}, r"limit of macs: the least is 199,039,872 \(regnetx_002 at 224\)"),
        (
            {"under": "memory=1MiB", "family": "tweaks"},
            r"limit of memory: the least is \d+\.\d MiB \(\w+ at \d+\)",
        ),
        ({"under": "latency=1us", "device": "t4"}, "limit of latency: the least is"),
        ({"under": "macs=1G,params=6M,memory=810MiB"}, "all of macs, params, memory at once"),
        ({"family": "plain"}, "No weights of family plain were published"),
    ],
)
def test_where_no_row_is_left_a_line_says_what_would_help(
    settings: dict[str, Any], note: str
) -> None:
    table = ri.accuracy(**settings)
    assert table.rows == ()
    (said,) = table.notes
    assert re.search(note, said)


def test_weights_that_saw_more_can_be_left_out() -> None:
    every: Any = ri.accuracy(family="resnext").records()
    alone: Any = ri.accuracy(family="resnext", data="imagenet-1k").records()
    assert {row["weights"] for row in every if row["data"] != "ImageNet-1k"} == {
        *("fb_ssl_yfcc100m_ft_in1k", "fb_swsl_ig1b_ft_in1k", "fb_wsl_ig1b_ft_in1k"),
    }
    keys = ("model", "weights", "side")
    assert [[row[key] for key in keys] for row in alone] == [
        [row[key] for key in keys] for row in every if row["data"] == "ImageNet-1k"
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"under": "macs=2X"}, "such as macs=2G"),
        ({"under": "macs=2G,macs=3G"}, "such as macs=2G"),
        ({"under": "macs"}, "such as macs=2G"),
        ({"under": "latency=5", "device": "t4"}, "such as latency=5ms"),
        ({"under": "memory=8"}, "such as memory=8GiB"),
        ({"under": "flops=2G"}, "unknown limit 'flops'"),
        ({"under": ""}, "unknown limit"),
        ({"under": "latency=5ms"}, "latency is of a device"),
        ({"front": "throughput"}, "throughput is of a device"),
        ({"front": "flops"}, "unknown axis 'flops'"),
        ({"data": "mnist"}, "unknown data 'mnist'"),
        ({"family": "resnets"}, "did you mean resnet"),
        ({"device": "rtx4091"}, "did you mean rtx4090"),
        ({"batch": 0}, "batch is 0"),
    ],
)
def test_what_cannot_be_asked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InspectError, match=message):
        ri.accuracy(**settings)
