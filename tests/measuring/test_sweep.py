"""Sweeps lose nothing that was finished, and repeat nothing that is known."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from recorded import CASE, DEVICE, GRAPH, HERE, latency, out_of_memory

from resnet_inspect.measuring import sweep
from resnet_inspect.measuring.measurement import Software
from resnet_inspect.measuring.progress import SILENT, Progress
from resnet_inspect.measuring.records import (
    Case,
    Latency,
    Measurement,
    append,
    check_record,
    read,
)
from resnet_inspect.networks.graph import LayerGraph


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.jsonl"


def _into(path: Path, progress: Progress = SILENT) -> sweep.Session:
    return sweep.Session(None, None, path, False, progress)


def test_a_grid_holds_every_combination_once() -> None:
    tasks = sweep.grid([GRAPH, GRAPH], (1, 8, 8), ("fp32", "bf16"), ("nchw", "nhwc"), ("eager",))
    cases = [case for _, case in tasks]
    assert len(cases) == len(set(cases)) == 2 * 2 * 2


def test_a_sweep_continues_where_it_was_interrupted(path: Path) -> None:
    tasks = sweep.grid([GRAPH], (1, 2, 4, 8))
    seen: list[int] = []

    def measure(graph: LayerGraph, case: Case) -> Latency:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(case.batch)
        return latency(case) if case.batch != 2 else out_of_memory(case)

    with pytest.raises(KeyboardInterrupt):
        sweep.run(tasks, measure, _into(path))
    assert [record.case.batch for record in read(path)] == [1, 2]
    left = sweep.remaining(tasks, Latency, HERE, read(path))
    # Running out of memory is a result, and is not tried again.
    assert [case.batch for _, case in left] == [4, 8]


def test_progress_is_told_after_the_record_is_saved(path: Path) -> None:
    said: list[str] = []
    saved: list[bool] = []

    class Watch(Progress):
        def say(self, words: str) -> None:
            said.append(words)

        def done(self, measurement: Measurement) -> None:
            saved.append(read(path)[-1] == measurement)

    tasks = sweep.grid([GRAPH], (1, 2))
    sweep.run(tasks, lambda _, case: latency(case), _into(path, Watch()))
    assert said == [str(case) for _, case in tasks]
    assert saved == [True, True]


def test_failures_and_other_machines_are_measured_again(path: Path) -> None:
    tasks = sweep.grid([GRAPH], (1, 2, 4))
    append(path, latency(CASE, status="failed"))
    append(path, latency(replace(CASE, batch=2), device=replace(DEVICE, name="other")))
    append(path, latency(replace(CASE, batch=4), software=Software("3.0")))
    assert sweep.remaining(tasks, Latency, HERE, read(path)) == tasks
    (again,) = sweep.results(tasks, Latency, HERE, read(path))
    assert (again.case, again.status) == (CASE, "failed")
    assert check_record(path) == read(path)
    assert check_record(path.with_name("none")) == ()


KILLED = """
import sys, time
from recorded import GRAPH, latency
from resnet_inspect.measuring import sweep
from resnet_inspect.measuring.progress import SILENT

def measure(graph, case):
    if case.batch == 8:
        print("stuck", flush=True)
        time.sleep(600)
    return latency(case)

session = sweep.Session(None, None, sys.argv[1], False, SILENT)
sweep.run(sweep.grid([GRAPH], (1, 2, 4, 8, 16)), measure, session)
"""


def test_a_kill_loses_nothing_that_was_finished(path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})" + KILLED
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"stuck\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert [record.case.batch for record in read(path)] == [1, 2, 4]
