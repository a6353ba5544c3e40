"""Datasheets: each figure against what its chip's units do, names in anybody's spelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_inspect.errors import InspectError
from resnet_inspect.forecasting.devices import Device, devices, find
from resnet_inspect.forecasting.forecast import forecast
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.zoo import spec

# Multiply-accumulates a cycle of one multiprocessor or core, times 2: white papers of each
# architecture. fp32 of Hopper and Blackwell is given at a higher boost than their matrix units'.
_EACH_CYCLE = {
    "pascal": {"fp32": 128, "fp16": 256, "fp64": 64},
    "volta": {"fp32": 128, "fp16": 1024, "fp64": 64},
    "turing": {"fp32": 128, "fp16": 1024, "int8": 2048},
    "ampere": {"fp32": 128, "tf32": 1024, "fp16": 2048, "bf16": 2048, "int8": 4096, "fp64": 64},
    "ga102": {"fp32": 256, "tf32": 512, "fp16": 1024, "bf16": 1024, "int8": 2048},
    "ada": {"fp32": 256, "tf32": 512, "fp16": 1024, "bf16": 1024, "int8": 2048},
    "hopper": {"tf32": 2048, "fp16": 4096, "bf16": 4096, "int8": 8192},
    "blackwell": {"tf32": 4096, "fp16": 8192, "bf16": 8192, "int8": 16384},
    "blackwell-pro": {"fp32": 256, "tf32": 512, "fp16": 1024, "bf16": 1024, "int8": 2048},
    "avx2": {"fp32": 32},
    "avx2-efficient": {"fp32": 16},
    "avx512": {"fp32": 64},
    "avx512-amx": {"fp32": 64, "bf16": 2048},
}

# GeForce accumulates in fp32 at half the rate, and TF32 with it.
_HALVED = {"tf32": 256, "fp16": 512, "bf16": 512, "fp16-fp16": 1024, "fp32": 256, "int8": 2048}


@pytest.mark.parametrize("device", devices().values(), ids=lambda device: device.name)
def test_peaks_are_what_the_units_do_at_their_clock(device: Device) -> None:
    each_cycle = _HALVED if "geforce" in device.architecture else _EACH_CYCLE[device.architecture]
    if device.name == "rtx2080ti":
        each_cycle = {"fp32": 128, "fp16": 512, "fp16-fp16": 1024, "int8": 2048}
    for dtype, peak in device.peaks.items():
        if dtype in each_cycle:
            expected = device.units * device.clock * each_cycle[dtype]
            assert peak == pytest.approx(expected, rel=0.05), dtype


@pytest.mark.parametrize("device", devices().values(), ids=lambda device: device.name)
def test_a_device_names_its_source_and_is_of_a_size_that_exists(device: Device) -> None:
    assert len(device.source) > 10
    assert 2015 < device.launched < 2027
    assert 50e9 < device.bandwidth < 10e12
    assert 2**20 <= device.cache < 2**29
    assert 40 <= device.power <= 1200
    if device.kind == "cuda":
        # GB as sold are 2^30 bytes; of GDDR memory a sixteenth may hold ECC, drivers keep some.
        assert 0.9 < device.memory / (device.sold * 2**30) < 0.996
        assert len(device.reported) > 10
        # No datasheet with sparsity got in: matrix units do at most 64 times the others' work.
        assert device.peaks["fp16"] <= 32 * device.peaks["fp32"]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("RTX_4090", "rtx4090"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("Tesla V100-SXM2-32GB", "v100-sxm2"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("Tesla T4", "t4"),
        ("12th Gen Intel(R) Core(TM) i7-12700H", "i7-12700h"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "rtx-pro-6000-max-q"),
    ],
)
def test_vendors_and_torchs_spellings_are_understood(written: str, name: str) -> None:
    assert find(written).name == name


def test_no_two_devices_share_a_spelling() -> None:
    for device in devices().values():
        for spelling in (device.name, device.title, *device.aliases):
            assert find(spelling) is device


def test_an_unknown_device_is_told_the_nearest() -> None:
    with pytest.raises(InspectError, match=r"unknown device 'rtx4091'; did you mean rtx4090"):
        find("rtx4091")


def test_a_dtype_without_units_says_which_there_are() -> None:
    with pytest.raises(InspectError, match="p100-sxm2 has no units for bf16; choose from fp64"):
        find("p100").peak("bf16")


def test_a_forecast_takes_the_units_of_a_device(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("bandwidth = 500\npeak = { fp16 = 40, fp32 = 20 }\n")
    with pytest.raises(InspectError, match="mine has no units"):
        forecast(layer_graph(spec("resnet18")), find(file))


def test_a_device_of_ones_own_is_a_toml_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("bandwidth = 500\ncache = 8\npeak = { fp16 = 40, fp32 = 20 }\nunits = 40\n")
    mine = find(file)
    assert (mine.name, mine.peak("fp16"), mine.bandwidth) == ("mine", 40e12, 500e9)


def test_memory_is_what_cuda_reports_or_as_many_gib_as_a_file_says(tmp_path: Path) -> None:
    for name, gib in {"rtx4090": 23.64, "a100-80gb": 79.25, "v100": 15.78, "h100": 79.11}.items():
        assert find(name).memory == int(gib * 2**30)
    file = tmp_path / "mine.toml"
    file.write_text("bandwidth = 500\nmemory = 24\npeak = { fp16 = 40 }\n")
    assert find(file).memory == 24 * 2**30


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("bandwidth = 500", "describes 0 devices"),
        ("peak = 5\nbandwidth = 1", "peak is 5; give a table"),
        ("peak = { fp16 = 'a' }\nbandwidth = 1", "fp16 is 'a'; give a number"),
        ("peak = { fp16 = 1 }\nbandwith = 1", "did you mean bandwidth"),
        ("peak = { fp16 = 1 }", "no bandwidth"),
        ("peak = ", "end of document: invalid value"),
        ("peak = { fp16 = " + "9" * 5000 + " }", "too many digits"),
        ("peak = " + "[" * 5000, "nested too deeply"),
        ("peak = { fp16 = 0 }\nbandwidth = 1", "fp16 is 0; give a number"),
        ("peak = { fp16 = 1 }\nbandwidth = 1e-320", "bandwidth is 1e-320; give a number"),
    ],
)
def test_a_toml_file_that_describes_no_device_says_why(
    tmp_path: Path, text: str, complaint: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InspectError, match=complaint):
        find(file)
