"""Measuring from Python and from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from benching import GRAPH, QUICK

import resnet_inspect as ri
from resnet_inspect.cli.main import run as cli
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import read, to_line
from resnet_inspect.pytorch.bench import ceilings, workload


def test_a_device_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("tpu", "cuda:99"):
        assert cli(["bench", "resnet20_cifar", "--device", name]) == 2
    if not torch.cuda.is_available():
        for command in ("bench", "ladder"):
            assert cli([command, "resnet20_cifar", "--device", "cuda"]) == 2
        assert cli(["device", "--device", "cuda"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("resnet-inspect: ") for line in lines)
    assert len(lines) == (2 if torch.cuda.is_available() else 5)
    assert not Path("bench.jsonl").exists()


def test_the_command_measures_shows_and_plots(capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--budget", "0.1", "--half-width", "0.5", "--threads", "1", "--device", "cpu"]
    command = ["bench", "resnet20_cifar", "--batch", "1,2", *quick, "--record", "bench.jsonl"]
    assert cli([*command, "--plots", "figures"]) == 0
    assert "Median" in capsys.readouterr().out
    assert Path("figures/batch.svg").exists()
    assert len(read("bench.jsonl")) == 2
    assert cli([*command, "--resume"]) == 0
    assert len(read("bench.jsonl")) == 2
    assert cli(["results", "bench.jsonl", "--format", "markdown"]) == 0
    assert "|       1 |" in capsys.readouterr().out
    one = ["results", "bench.jsonl", "resnet20_cifar", "--plots", "none"]
    Path("bench.jsonl").write_bytes(to_line(read("bench.jsonl")[0]))
    assert cli(one) == 0
    assert "nothing to plot" in capsys.readouterr().err
    assert not Path("none").exists()


def test_without_a_record_nothing_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--budget", "0.02", "--half-width", "0.5", "--threads", "1", "--device", "cpu"]
    assert cli(["bench", "resnet20_cifar[blocks=1,1,1]", *quick]) == 0
    assert list(Path().iterdir()) == []
    assert cli(["bench", "resnet20_cifar[blocks=1,1,1]", *quick, "--resume"]) == 2
    assert "--record FILE names it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--per-layer", "--mode", "compile"], "mode eager, not compile"),
        (["--per-layer", "--train"], "leave out --train"),
        (["--per-layer", "--level", "blocks"], "did you mean block"),
        (["--per-layer", "--record", "nowhere/b.jsonl"], "cannot write"),
        (["--per-layer", "--record", "/dev/null"], "not a regular file"),
        (["--threads", "0"], "threads is 0"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_refuses_before_anything_is_measured(
    options: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing should be measured")

    monkeypatch.setattr(ceilings, "measure_ceilings", never)
    monkeypatch.setattr(workload, "network", never)
    assert cli(["bench", "resnet20_cifar", "--device", "cpu", *options]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert words in line
    assert not list(Path().glob("*.jsonl"))


def test_impossible_threads_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["device"], ["ladder", "resnet20_cifar"]):
        assert cli([*command, "--device", "cpu", "--threads", "-1"]) == 2
        assert "threads is -1" in capsys.readouterr().err.splitlines()[-1]


def test_python_measures_records_and_reads() -> None:
    speed = ri.bench(GRAPH, batch=(1, 2), record="b.jsonl", **QUICK)
    assert list(speed.to_pandas()["batch"]) == [1, 2]
    assert speed.to_pandas()["median"].min() > 0
    assert ri.read_bench("b.jsonl")["latency"] == speed.table()
    again = ri.bench(GRAPH, batch=(2, 1), record="b.jsonl", resume=True, **QUICK)
    assert again.records == speed.records[::-1], "nothing was left to measure"
    assert len(read("b.jsonl")) == 2
    dtypes = ri.bench(GRAPH, dtype=("fp32", "bf16"), memory_format="nhwc", **QUICK)
    assert [row["dtype"] for row in dtypes.table().rows] == ["fp32", "bf16"]
    assert ri.bench(GRAPH, train=True, **QUICK).table().rows[0]["step"] == "training"


@pytest.mark.parametrize(
    ("models", "settings", "words"),
    [
        ((), {}, "no network"),
        (("resnet18",), {"resume": True}, "needs a record"),
        (("resnet18",), {"dtype": "fp8"}, "unknown dtype 'fp8'"),
        (("resnet81",), {}, "did you mean"),
    ],
)
def test_python_refuses_in_one_line(
    models: tuple[str, ...], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(InspectError, match=words):
        ri.bench(*models, device="cpu", **settings)
