"""What fits into a memory: nothing larger does, and what does not says what would."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resnet_inspect as ri
from resnet_inspect.errors import FormatError, InspectError, UnknownNameError
from resnet_inspect.forecasting.fit import bytes_of, room

GIB = 2**30


def test_the_largest_batch_fits_and_one_more_does_not() -> None:
    table = ri.fit("resnet18", "resnet50", memory="24GiB", train=True, dtype="amp-bf16")
    for row, name in zip(table.rows, ("resnet18", "resnet50"), strict=True):
        timeline = ri.memory_timeline(name, dtype="amp-bf16")
        budget, batch = row["memory"] - row["kept"], row["batch"]  # type: ignore[operator]
        assert timeline.total(batch) == row["total"] <= budget < timeline.total(batch + 1)  # type: ignore[arg-type, operator]
        assert row["left"] == budget - row["total"]  # type: ignore[operator]


@given(st.integers(0, 2**40), st.integers(0, 2**34), st.floats(0, 0.9))
def test_what_is_kept_back_is_what_was_asked_for(memory: int, reserve: int, slack: float) -> None:
    of = room(memory, reserve, slack)
    assert of.kept == min(memory, reserve + int(slack * max(0, memory - reserve)))
    assert 0 <= of.budget <= memory


def test_a_device_has_the_memory_that_cuda_reports() -> None:
    by_device, by_memory = ri.fit("resnet50", device="RTX 4090", memory="23.64GiB", train=True).rows
    assert by_device["batch"] == by_memory["batch"]
    assert by_device["memory_of"] == "rtx4090"


def test_settings_hold_what_they_should() -> None:
    def batch(**settings: object) -> int:
        (row,) = ri.fit("resnet50", memory="16GiB", train=True, **settings).rows  # type: ignore[arg-type]
        found = row["batch"]
        assert isinstance(found, int)
        return found

    assert batch(optimizer="adam") < batch() < batch(optimizer="sgd")
    assert batch() < batch(checkpoint="stage") < batch(checkpoint="block")
    assert batch() < batch(dtype="amp-bf16") == batch(dtype="bf16-amp") < batch(dtype="bf16")
    assert batch(reserve="4GiB") < batch() < batch(reserve=0, slack=0)


@pytest.mark.parametrize("train", [False, True])
def test_the_largest_input_fits_and_one_more_pixel_does_not(train: bool) -> None:
    (row,) = ri.fit("resnet18", memory="4GiB", batch=16, train=train).rows
    channels, side, across = row["shape"]  # type: ignore[misc]
    assert (channels, side) == (3, across)
    budget = row["memory"] - row["kept"]  # type: ignore[operator]
    for pixels, fits in ((side, True), (side + 1, False)):
        timeline = ri.memory_timeline("resnet18", train=train, input_shape=(3, pixels, pixels))
        assert (timeline.total(16) <= budget) is fits


def test_batches_around() -> None:
    table = ri.fit("resnet50", memory="8GiB", train=True, around=True)
    batches = [row["batch"] for row in table.rows]
    (largest,) = [row["batch"] for row in ri.fit("resnet50", memory="8GiB", train=True).rows]
    assert batches == sorted({32, 64, 128, largest, largest + 1})  # type: ignore[operator]
    for row in table.rows:
        assert (row["left"] >= 0) is (row["batch"] <= largest)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "count"),
    [("24GiB", 24 * GIB), ("80 GB", 80 * 10**9), ("512mib", 2**29), (7, 7), ("1.5G", 3 * GIB // 2)],
)
def test_sizes(text: str | int, count: int) -> None:
    assert bytes_of(text) == count


def test_a_memory_without_a_unit_is_no_memory() -> None:
    with pytest.raises(InspectError, match="memory of 24 bytes holds no network; give 24GiB"):
        ri.fit("resnet18", memory="24")


def test_what_does_not_fit_says_what_would() -> None:
    with pytest.raises(InspectError) as error:
        ri.fit("resnet152", memory="1500MiB", train=True, optimizer="adam", checkpoint="block")
    needed = re.search(r"take (\d+\.\d\d) GiB, such as (\S+) has", str(error.value))
    assert needed is not None
    assert "\n" not in str(error.value)
    for enough in (f"{float(needed[1]) + 0.01}GiB", None):
        settings = {"memory": enough, "slack": 0} if enough else {"device": needed[2]}
        assert ri.fit("resnet152", train=True, optimizer="adam", **settings).rows[0]["batch"]  # type: ignore[arg-type]


def test_one_of_several_that_does_not_fit_is_a_row() -> None:
    none, some = ri.fit("resnet50", memory=["1GiB", "8GiB"]).rows
    assert none["batch"] == 0
    assert some["batch"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": "24 apples"}, "memory is '24 apples'; give bytes, such as 24GiB"),
        ({"memory": "-1GiB"}, "memory is '-1GiB'"),
        ({"device": "rtx4091"}, "did you mean rtx4090"),
        ({"device": "epyc-9654"}, "has no memory of its own; give --memory"),
        ({"device": "p100", "dtype": "bf16"}, "p100-sxm2 has no units for bf16; choose from fp64"),
        ({"device": "t4", "dtype": "bf16-amp", "train": True}, "t4 has no units for bf16"),
        ({"memory": "8GiB", "dtype": "amp-bf61"}, "did you mean amp-bf16"),
        ({"memory": "8GiB", "train": True, "optimizer": "adan"}, "did you mean adam"),
        ({"memory": "8GiB", "slack": 1.0}, "slack is 1.0"),
        ({"memory": "2GiB", "batch": 10**6}, "no input of resnet50 fits"),
        ({}, "a device or a memory"),
    ],
)
def test_what_cannot_be_meant_is_an_error(settings: dict[str, object], message: str) -> None:
    with pytest.raises((InspectError, FormatError, UnknownNameError), match=message):
        ri.fit("resnet50", **settings)  # type: ignore[arg-type]


def test_fit_needs_neither_torch_nor_pandas() -> None:
    code = (
        "import sys, resnet_inspect as ri; print(ri.fit('resnet50', device='rtx4090', train=True));"
        "sys.exit(bool({'torch', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
