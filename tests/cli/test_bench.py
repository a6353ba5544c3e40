"""An interrupted benchmark keeps what is finished."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from recorded import latency

from resnet_inspect.cli import bench_options
from resnet_inspect.cli.main import run
from resnet_inspect.measuring.records import Measurement, read


def test_a_ctrl_c_that_falls_into_a_finalizer_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with bench_options.watched("measuring", None) as progress:
        progress.done(latency())
        ignored: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", ignored.append)
        Finalized()
        assert [what.exc_type for what in ignored] == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            progress.done(latency())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_keeps_what_is_finished_and_resume_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(bench_options.OnStderr):
        """A user who types Ctrl-C as soon as a measurement is finished."""

        def done(self, measurement: Measurement) -> None:
            super().done(measurement)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    record = str(tmp_path / "bench.jsonl")
    quick = ["--budget", "0.02", "--half-width", "0.5", "--threads", "1", "--device", "cpu"]
    network = "resnet20_cifar[blocks=1,1,1]"
    command = ["bench", network, "--batch", "1,2", *quick, "--record", record]
    with monkeypatch.context() as patch:
        patch.setattr(bench_options, "OnStderr", Interrupted)
        assert run(command) == 130
    complaint = capsys.readouterr().err
    assert f"1 finished and saved in {record!r}; continue with --resume" in complaint
    assert "Traceback" not in complaint
    assert [measurement.case.batch for measurement in read(record)] == [1]
    assert run([*command, "--resume"]) == 0
    assert "1 of 2 are done already" in capsys.readouterr().err
    assert [measurement.case.batch for measurement in read(record)] == [1, 2]
