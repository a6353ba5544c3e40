"""What becomes of a run: its time, or the reason why there is none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from benching import CASE, CPU, GRAPH, RUNNER
from msgspec.structs import replace

from resnet_inspect.errors import InspectError
from resnet_inspect.pytorch.bench import machine
from resnet_inspect.pytorch.bench.latency import measure
from resnet_inspect.pytorch.bench.runner import attempt


def test_memory_that_runs_out_is_a_result() -> None:
    outcome = attempt(lambda: torch.empty(1 << 60, dtype=torch.uint8), CPU)
    assert outcome.status == "out of memory"
    assert outcome.reason

    def no_memory() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\n Tried to allocate 20.00 MiB")

    assert attempt(no_memory, CPU).status == "out of memory"

    def capture_ended_by_it() -> None:
        try:
            no_memory()
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    assert attempt(capture_ended_by_it, CPU).status == "out of memory"


def test_a_batch_beyond_the_memory_is_refused_before_it_kills() -> None:
    made = measure(GRAPH, replace(CASE, batch=10**9), RUNNER)
    assert made.status == "out of memory"
    assert made.reason is not None
    assert "needs at least" in made.reason
    assert made.summary is None


def test_errors_of_torch_and_of_users_are_results_and_others_are_not() -> None:
    def unsupported() -> None:
        raise RuntimeError("no such kernel\n" + "x" * 1000)

    outcome = attempt(unsupported, CPU)
    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert len(outcome.reason) == 300
    assert "\n" not in outcome.reason
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0, CPU)
    outcome = attempt(lambda: 1 / 0, CPU, of_users=True)
    assert outcome.reason == "ZeroDivisionError: division by zero"


class LostGpu:
    """A GPU after an illegal access: every call of its context gives the same error."""

    def __getattr__(self, name: str) -> Any:
        def call(*_: object, **__: object) -> Any:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nand advice")

        return call


def test_a_lost_gpu_ends_the_sweep_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "cuda", LostGpu())
    gpu = torch.device("cuda")
    outcome = attempt(lambda: torch.cuda.synchronize(), gpu)
    assert (outcome.status, "illegal memory access" in str(outcome.reason)) == ("failed", True)
    with pytest.raises(InspectError, match=r"CUDA failed in this process .*--resume") as caught:
        machine.check_alive(gpu)
    assert "\n" not in str(caught.value)
