"""What is said on stderr while something is measured, and the command that shows a record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from resnet_inspect.cli.bench_options import watched
from resnet_inspect.cli.main import run

RECORDS = Path(__file__).parents[2] / "reports/latency/cpu"


def test_outside_a_terminal_each_case_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    measurement = cast("Any", None)
    with watched("measuring", "bench.jsonl") as progress:
        progress.start(3, 1)
        for case in ("resnet18, batch 1", "resnet18, batch 8"):
            progress.say(case)
            progress.done(measurement)
    assert capsys.readouterr().err.splitlines() == [
        "resnet-inspect: 1 of 3 are done already",
        "resnet-inspect: 2 of 3 finished: resnet18, batch 1",
        "resnet-inspect: 3 of 3 finished: resnet18, batch 8",
    ]


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
