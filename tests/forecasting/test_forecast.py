"""Forecasts: laws that hold for any device, what they say of themselves, and the bar they keep."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from families import one_of_each_family
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

import resnet_inspect as ri
from resnet_inspect.counting.roofline import bounds, floor, fused
from resnet_inspect.forecasting import validation
from resnet_inspect.forecasting.devices import Device, devices, find
from resnet_inspect.forecasting.efficiency import (
    EVICTED,
    FAULTING,
    LAID,
    SETTINGS,
    WELFORD,
    Efficiency,
    kernel_time,
    pass_time,
)
from resnet_inspect.forecasting.fitted import ARCHITECTURE, DATASHEET, DEVICE, key_of
from resnet_inspect.forecasting.forecast import forecast
from resnet_inspect.forecasting.kernels import MODES, Kernel, kernels
from resnet_inspect.forecasting.measured import public_runs, public_timings
from resnet_inspect.forecasting.own import datasheet_ceilings
from resnet_inspect.networks import zoo
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec

GPUS = sorted(name for name, device in devices().items() if device.kind == "cuda")


@given(specs(), st.sampled_from(GPUS), st.sampled_from(MODES), st.booleans())
def test_more_images_take_longer_and_each_takes_less(
    spec: ResNetSpec, name: str, mode: str, train: bool
) -> None:
    graph = layer_graph(spec)
    device = replace(find(name), cache=0)  # small batches gain from a cache
    times = [
        forecast(graph, device, batch, "fp16", mode, train=train).seconds for batch in (1, 8, 64)
    ]
    assert times == sorted(times)
    assert times[2] / 64 <= times[1] / 8 <= times[0] * (1 + 1e-9)


@given(specs(), st.sampled_from(GPUS))
def test_the_interval_holds_the_forecast(spec: ResNetSpec, name: str) -> None:
    made = forecast(layer_graph(spec), find(name), 32, "fp16")
    assert 0 < made.low < made.seconds < made.high < math.inf


def test_a_twice_as_good_device_takes_half_as_long() -> None:
    one = find("a100-80gb")
    peaks = {dtype: 2 * rate for dtype, rate in one.peaks.items()}
    doubled = replace(one, peaks=peaks, bandwidth=2 * one.bandwidth)
    of = Efficiency(launch=1e-12, host=1e-12)
    counted = kernels(ri.graph("resnet50"))
    times = [pass_time(counted, 64, device, SETTINGS["fp16"], of) for device in (one, doubled)]
    assert times[0] / times[1] == pytest.approx(2, rel=1e-6)


def test_what_a_forecast_is_calibrated_by() -> None:
    cases = {"rtx4090": DEVICE, "a10": ARCHITECTURE, "h100-sxm": DATASHEET}
    for name, how in cases.items():
        assert ri.forecasts("resnet50", device=name)[0].calibrated == how


def test_kernels_of_a_forecast_add_up_where_the_device_decides() -> None:
    made = ri.forecasts("resnet50", device="rtx4090", batch=256, detailed=True)[0]
    assert sum(row.seconds for row in made.rows) == pytest.approx(made.seconds, rel=1e-3)
    assert sum(row.macs for row in made.rows) == 256 * ri.cost("resnet50").macs


def test_the_rows_of_one_forecast_at_each_level_add_up_alike() -> None:
    tables = {
        level: ri.forecast("resnet18", device="t4", batch=8, level=level)
        for level in ("kernel", "block", "stage")
    }
    for level, table in tables.items():
        assert table.total == tables["kernel"].total
        for key in ("macs", "bytes"):
            assert sum(row[key] for row in table.records()) == table.total[key], (level, key)
    assert [row["name"] for row in tables["stage"].records()] == [
        stage.name for stage in ri.graph("resnet18").stages
    ]
    with pytest.raises(ri.InspectError, match="one forecast"):
        ri.forecast("resnet18", device=["t4", "l4"], level="stage")


def test_a_compiled_network_that_keeps_its_channels_first_is_named() -> None:
    wide, plain = "regnetx_160", "resnet50"
    table = ri.forecast([wide, plain], device="rtx4090", batch=256, mode="compile")
    (note,) = [note for note in table.notes if note.startswith("Inductor")]
    assert wide in note
    assert plain not in note
    for device, mode, layout in (
        ("rtx4090", "compile", "nhwc"),
        ("rtx4090", "eager", "nchw"),
        ("i9-10940x", "compile", "nchw"),
    ):
        (made,) = ri.forecasts(wide, device=device, mode=mode, layout=layout)
        assert not made.turned


@pytest.mark.parametrize("key", ["compile", "eager-nhwc-train"])
def test_committed_efficiencies_are_what_the_public_rows_give(key: str) -> None:
    runs = [run for run in public_runs().values() if key_of(run.way, run.precision) == key]
    made = validation.shared(validation.newest(validation.alike(runs[0])))
    tables = tomllib.loads((Path(ri.__file__).parent / "forecasting/fitted.toml").read_text())
    for name, value in made._asdict().items():
        assert tables["prior"][key][name] == pytest.approx(value, rel=2e-3), name


@pytest.mark.parametrize(
    ("kind", "count", "median", "most"), [("cuda", 968, 0.021, 0.08), ("cpu", 935, 0.046, 0.13)]
)
def test_held_out_networks_are_as_close_as_the_report_says(
    kind: str, count: int, median: float, most: float
) -> None:
    """Compiled, of all networks that the zoo knows."""
    runs = [run for run in public_runs().values() if run.way.mode == "compile"]
    errors = [
        row.error
        for run in runs
        if run.way.kind == kind
        for row in validation.held_out_networks(run)
    ]
    assert len(errors) == count
    assert validation.within(errors, 0.5) <= median
    assert validation.within(errors, 0.9) <= most


def test_compiled_networks_are_foretold_on_devices_that_were_held_out() -> None:
    runs = [run for run in public_runs().values() if run.way.mode == "compile"]
    found = {run.name: validation.held_out_device(run) for run in runs}
    for kind in ("cuda", "cpu"):
        own = {run.name: found[run.name] for run in runs if run.way.kind == kind}
        rows = [row for each in own.values() for row in each]
        assert sum(abs(row.error) <= 0.15 for row in rows) >= 0.8 * len(rows)
        held = validation.kept({name: own.get(name, []) for name in public_runs()})
        assert sum(held.values()) >= 0.9 * len(rows)


@pytest.mark.parametrize("name", sorted(n for n, d in devices().items() if d.kind == "cpu"))
def test_a_processor_gains_from_a_batch_that_its_cache_does_not_hold(name: str) -> None:
    # All measured rows are of single images; memory must not be foretold slower than it is.
    for model in ("resnet18", "resnet50"):
        rates = [
            made.images_per_second
            for made in ri.forecasts(
                model, device=name, batch=[1, 4, 64], dtype="fp32", mode="compile"
            )
        ]
        assert rates[0] < rates[1] < rates[2]


def test_a_processor_lays_out_anew_what_its_cache_does_not_hold() -> None:
    device = find("i9-10940x")
    of = Efficiency(1e9, 1e9, depth=1e-9, width=1e-9, filling=1e-9, launch=1e-15)

    def loading(weights: int, positions: int = 2, kind: str = "matrix") -> float:
        kernel = Kernel(kind, positions * weights, weights, 1, positions, weights)
        return kernel_time(kernel, 1, device, SETTINGS["fp32"], of).whole

    fits = device.cache // 8  # of 4 bytes, beside its copy
    once = 4 * fits / (device.bandwidth * of.loading)
    assert loading(fits) == pytest.approx(LAID["matrix"] * once, rel=1e-3)
    assert loading(fits, kind="window") == pytest.approx(LAID["window"] * once, rel=1e-3)
    # on pages mapped anew, and evicted but for a hundredth
    many = 100 * (FAULTING * LAID["matrix"] + 0.99 * EVICTED)
    assert loading(100 * fits) == pytest.approx(many * once, rel=1e-3)
    # What multiplies a single position reads its weights where they lie.
    assert loading(fits, 1) == pytest.approx(4 * fits / device.bandwidth, rel=1e-3)


def test_what_a_processors_product_writes_is_fetched_first() -> None:
    of = Efficiency(launch=1e-15, window=1e9, matrix=1e9)
    device, setting = find("i9-10940x"), SETTINGS["fp32"]
    read, written = 3 * 2**20, 2**20  # of one product each, so as many as there are
    seconds = {
        outputs: kernel_time(
            Kernel("matrix", 64 * outputs, 64, 64, read + written, 0), 1, device, setting, of
        ).memory
        for outputs in (written, 2 * written)
    }
    assert seconds[2 * written] / seconds[written] == pytest.approx((4 + 2) / (4 + 1))


def test_channels_that_16_bits_pad_are_copied_to_and_fro() -> None:
    device, of = find("rtx4090"), Efficiency(sharpness=50, launch=1e-15)

    def seconds(channels: int, precision: str) -> float:
        kernel = Kernel("matrix", 64 * channels, 64, channels, 2**24, 1)
        return kernel_time(kernel, 256, device, SETTINGS[precision], of).whole

    assert seconds(57, "fp32") == pytest.approx(seconds(64, "fp32"))
    assert seconds(57, "fp16") == pytest.approx(3 * seconds(64, "fp16"))


def test_groups_of_16_bits_are_padded_to_thirty_twos() -> None:
    device, of = find("rtx4090"), Efficiency(sharpness=50, launch=1e-15, width=1e-9)

    def seconds(channels: int, precision: str) -> float:
        kernel = Kernel("grouped", 2**40, 1024, channels, 1, 0)
        return kernel_time(kernel, 1, device, SETTINGS[precision], of).whole

    assert seconds(24, "fp16") == pytest.approx(32 / 24 * seconds(32, "fp16"))
    assert seconds(72, "fp16") == pytest.approx(96 / 72 * seconds(32, "fp16"))
    assert seconds(16, "fp16") == pytest.approx(seconds(32, "fp16"))
    assert seconds(24, "fp32") == pytest.approx(seconds(32, "fp32"))


def test_a_processor_updates_statistics_by_vectors() -> None:
    of, entries = Efficiency(launch=1e-15), 2**24
    for name, vector in (("i9-10940x", 16), ("i7-12700h", 8)):  # AVX-512, AVX2
        device = find(name)

        def updates(width: int, device: Device = device) -> float:
            kernel = Kernel("statistics", 0, 0, width, entries, 0)
            time = kernel_time(kernel, 1, device, SETTINGS["fp32"], of)
            assert time.whole == pytest.approx(time.compute + time.memory)
            return time.compute * device.units * device.clock / WELFORD

        assert updates(1) == pytest.approx(entries / vector)
        assert updates(64) == pytest.approx(entries / vector)
        assert updates(4) == pytest.approx(entries)
        assert updates(24) == pytest.approx(entries * (24 // vector + 24 % vector) / 24)
    device, kinds = find("rtx4090"), ("pool", "statistics")
    pool, statistics = (
        kernel_time(Kernel(kind, 0, 0, 1, entries, 0), 1, device, SETTINGS["fp32"], of)
        for kind in kinds
    )
    assert pool == statistics


@cache
def chains(model: str, side: int, batch: int, dtype: str) -> Any:
    """A network's kernels, which many runs time."""
    return fused(ri.graph(model, (3, side, side)), batch, dtype)


FIRST = {"resnet50", *(each.values[0] for each in one_of_each_family() if not each.marks)}


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(FIRST, id="one of each family"),
        pytest.param({*zoo.ZOO} - FIRST, id="others", marks=pytest.mark.slow),
    ],
)
def test_no_measurement_beats_the_floor_of_its_datasheet(names: set[str]) -> None:
    """What fits in the cache counts as free, and chains are one kernel: nothing runs in less."""
    for run in public_runs().values():
        device, dtype = find(run.device), SETTINGS[run.precision].dtype
        ceilings = datasheet_ceilings(device)
        timings = [timing for timing in public_timings()[run.name] if timing.model in names]
        assert timings or names is not FIRST
        for timing in timings:
            merged = chains(timing.model, timing.side, timing.batch, dtype)
            least = floor(bounds(merged, ceilings, dtype))
            assert timing.seconds > 0.97 * least, (run.name, timing)


def test_training_on_devices_that_no_training_run_is_of() -> None:
    found = validation.trained()
    energy = [error for each in found.values() for error in each.energy]
    assert len(energy) == 215
    assert sum(abs(error) <= 0.15 for error in energy) >= 209
    steps = [error for each in found.values() for error in each.steps]
    assert len(steps) == 29
    assert validation.within(steps, 0.5) <= 0.11


@pytest.mark.slow
def test_held_out_rows_and_devices_are_within_the_bar() -> None:
    found = validation.validate()
    eager = [
        row.error
        for name, rows in found.networks.items()
        for row in rows
        if public_runs()[name].way.mode == "eager"
        and not public_runs()[name].way.train
        and "nvidia" not in name
    ]
    training = [r.error for n, rows in found.networks.items() for r in rows if "train" in n]
    latency = [r.error for n, rows in found.networks.items() for r in rows if "nvidia" in n]
    assert validation.within(eager, 0.5) <= 0.04
    assert validation.within(eager, 0.9) <= 0.10
    assert validation.within(training, 0.5) <= 0.05
    assert validation.within(training, 0.9) <= 0.175
    assert validation.within(latency, 0.5) <= 0.10
    elsewhere = [row for rows in found.devices.values() for row in rows]
    assert sum(abs(row.error) <= 0.15 for row in elsewhere) >= 0.8 * len(elsewhere)
    assert sum(found.kept.values()) >= 0.9 * len(elsewhere)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--device", "rtx4091"], "did you mean rtx4090"),
        (["--device", "p100", "--dtype", "bf16"], "has no units for bf16"),
        (["--device", "t4", "--batch", "0"], "batch is 0"),
        (["--device", "t4", "--batch", "x"], "whole numbers"),
        (["--device", "t4", "--mode", "fast"], "unknown mode"),
        (["--device", "t4", "--level", "kernel", "--batch", "1,2"], "one forecast"),
    ],
)
def test_what_cannot_be_forecast_is_one_line(arguments: list[str], complaint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "resnet_inspect", "forecast", "resnet18", *arguments],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_forecast_loads_neither_torch_nor_pandas_nor_numpy() -> None:
    code = (
        "import sys; from resnet_inspect.cli.main import run\n"
        "run(['forecast', 'resnet50', '--device', 'rtx4090', '--format', 'json'])\n"
        "assert not {'torch', 'pandas', 'scipy', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["calibrated"] == DEVICE


CSV = """model,img_size,batch,img_per_s
resnet18,224,256,9000
resnet34,224,256,5000
resnet50,224,256,2600
resnet101,224,256,1650
resnext50_32x4d,224,256,2000
seresnet50,224,256,2100
"""


def test_rows_of_ones_own_calibrate_a_device(tmp_path: Path) -> None:
    rows, device = tmp_path / "rows.csv", tmp_path / "mine.toml"
    rows.write_text(CSV)
    made = ri.calibrate(rows, device="a40", dtype="amp-fp16")
    assert made.calibrations[0].median < 0.1
    made.save(device)
    (own,) = ri.forecasts("resnet50", device=device, batch=256, dtype="amp-fp16")
    assert own.calibrated == "measurements of one's own"
    assert own.images_per_second == pytest.approx(2600, rel=0.1)


def test_a_file_that_is_not_there_is_named_before_the_device(tmp_path: Path) -> None:
    with pytest.raises(ri.InspectError, match=r"cannot read .*gone.csv"):
        ri.calibrate(tmp_path / "gone.csv", device="no such device")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (CSV.split("resnet101")[0], "3 rows .* are too few"),
        (CSV + "resnet50,224,256,100\n", "contradict each other: 2,600 and 100 images/s"),
        (CSV.replace("2600", "fast"), "line 4: give whole img_size and batch"),
        (CSV.replace("2600", "-1"), "line 4: sizes and rates are positive"),
        (CSV.replace("img_size", "size"), "no column img_size"),
        (CSV.replace("resnet34,", "resnet35,"), "unknown network 'resnet35'"),
        (CSV.replace("resnet34,", "torch.nn:ReLU,"), "unknown network 'torch'"),
        (CSV.replace("resnet34,", "this:s,"), "this:s has no spec"),  # a record names no code
        (CSV.replace("resnet34,", "x" * 200_000 + ","), "is no CSV: field larger than"),
        (CSV.replace("2600", "1e-320"), "line 4: sizes and rates are positive"),
    ],
)
def test_rows_that_calibrate_nothing_say_why(tmp_path: Path, text: str, complaint: str) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(text)
    with pytest.raises(ri.InspectError, match=complaint):
        ri.calibrate(rows, device="a40", dtype="amp-fp16")
