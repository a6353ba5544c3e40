"""An interrupted benchmark keeps what is finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from recorded import latency

from resnet_inspect.cli.bench_options import watched
from resnet_inspect.measuring.records import read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.jsonl"


INTERRUPTED = (
    "bench",
    "resnet20_cifar",
    "--batch",
    "1,2,4,8,16,32",
    "--budget",
    "0.5",
    "--device",
    "cpu",
    "--threads",
    "1",
    "--half-width",
    "0.0001",
)


def test_a_ctrl_c_that_falls_into_a_finalizer_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with watched("measuring", None) as progress:
        progress.done(latency())
        ignored: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", ignored.append)
        Finalized()
        assert [what.exc_type for what in ignored] == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            progress.done(latency())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_keeps_what_is_finished_and_resume_goes_on(path: Path) -> None:
    code = "from resnet_inspect.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, *INTERRUPTED, "--record", str(path)]
    environment = os.environ | {"XDG_CACHE_HOME": str(path.parent)}
    child = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, complaint = child.communicate(timeout=60)
    assert child.returncode == 130, complaint
    assert "finished and saved" in complaint
    assert "Traceback" not in complaint
    finished = [record.case.batch for record in read(path)]
    assert finished
    assert finished == [1, 2, 4, 8, 16, 32][: len(finished)]
    quick = [*INTERRUPTED[:3], "1,2", *INTERRUPTED[4:]]
    quick[quick.index("0.5")] = "0.1"
    done = subprocess.run(
        [sys.executable, "-c", code, *quick, "--record", str(path), "--resume"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert "of 2 are done already" in done.stderr
    batches = [record.case.batch for record in read(path)]
    assert batches.count(1) == 1
    assert batches.count(2) == 1
