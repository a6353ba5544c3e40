"""What is said on stderr while something is measured, and the command that shows a record."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

from resnet_inspect.cli import bench_options
from resnet_inspect.cli.bench_options import watched
from resnet_inspect.cli.main import run
from resnet_inspect.cli.output import telling

RECORDS = Path(__file__).parents[2] / "reports/latency/cpu"


def test_outside_a_terminal_each_case_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    measurement = cast("Any", None)
    with watched("measuring", "bench.jsonl") as progress:
        progress.start(3, 1)
        for case in ("resnet18, batch 1", "resnet18, batch 8"):
            progress.say(case)
            progress.done(measurement)
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "resnet-inspect: 1 of 3 are done already"
    begun = "resnet-inspect: 2 of 3 finished: resnet18, batch 1; about "
    assert re.fullmatch(rf"{begun}\d+ s left", second)
    assert third == "resnet-inspect: 3 of 3 finished: resnet18, batch 8"


def test_what_takes_long_says_what_it_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_options, "SLOW", 0.0)
    with watched("counting") as progress:
        progress.say("torchinfo")
    assert capsys.readouterr().err == "resnet-inspect: counting: torchinfo\n"
    with telling("drawing", after=0.0) as told:
        told.wait()
    assert capsys.readouterr().err == "resnet-inspect: drawing ..\n"
    with telling("drawing", after=60.0):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 1 s"), (41.3, "about 41 s"), (89, "about 89 s"), (91, "about 2 min"),
        (5000, "about 83 min"), (7200, "about 2 h"), (720_000, "about 200 h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert bench_options._duration(seconds) == words


def test_an_interruption_says_what_is_saved(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        with watched("measuring", "b.jsonl") as progress:
            progress.start(2)
            progress.done(cast("Any", None))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "resnet-inspect: 1 finished and saved in 'b.jsonl'; continue with --resume"


def test_an_interruption_says_how_to_save(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        with watched("measuring", records=True) as progress:
            progress.start(2)
            progress.done(cast("Any", None))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "1 finished and not saved; --record FILE" in capsys.readouterr().err


def test_results_of_some_networks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["results", str(RECORDS / "latency.jsonl"), "resnet18", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["model"] for row in rows} == {"resnet18"}


def test_results_against_another_record(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = str(RECORDS / "latency.jsonl"), str(RECORDS / "repeats.jsonl")
    assert run(["results", first, "--against", second, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]
    assert run(["results", first, "--against", second, "--plots", "figures"]) == 2
    assert "leave out --plots" in capsys.readouterr().err
    assert run(["results", first, "resnet19"]) == 2
    assert "did you mean resnet18" in capsys.readouterr().err
