"""One case measured on the CPU."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from benching import CASE, CPU, GRAPH, RULE, RUNNER
from msgspec.structs import replace
from torch.utils.flop_counter import FlopCounterMode

from resnet_inspect.counting.memory import memory
from resnet_inspect.measuring.records import Latency, append, read
from resnet_inspect.pytorch.bench import ladder, latency, workload
from resnet_inspect.pytorch.bench.latency import measure
from resnet_inspect.pytorch.bench.peak_memory import peak_on_cpu
from resnet_inspect.pytorch.bench.runner import macs_of
from resnet_inspect.pytorch.inputs import Arguments


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dtype": "bf16", "memory_format": "nhwc"},
        {"folded": True},
        {"step": "training"},
        {"step": "training", "dtype": "bf16"},
    ],
    ids=str,
)
def test_a_record_holds_what_is_needed_to_judge_it(changes: dict[str, Any]) -> None:
    case = replace(CASE, **changes)
    append("b.jsonl", measure(GRAPH, case, RUNNER))
    (record,) = read("b.jsonl")
    assert isinstance(record, Latency)
    assert record.status == "ok", record.reason
    assert record.case == case
    assert record.sample is not None
    assert len(record.sample.times) >= RULE.least
    assert record.rule == RULE
    assert record.settings.threads == 1
    assert record.settings.inference_mode == (case.step == "inference")
    assert record.device.kind == "cpu"
    assert record.software.torch == torch.__version__
    assert record.before.load is not None
    assert record.peak_memory is not None
    assert record.peak_memory > 0


def test_peak_memory_is_what_the_network_needs() -> None:
    made = measure(GRAPH, CASE, RUNNER)
    assert made.peak_memory == memory(GRAPH, CASE.batch).inference


def test_the_watch_counts_what_is_alive_together() -> None:
    weight = torch.zeros(256)

    def step() -> None:
        first = weight + 1
        second = first + 1
        del first
        _ = second + 1

    assert peak_on_cpu(step, [weight]) == 3 * 256 * 4


@pytest.mark.parametrize("step", workload.STEPS)
def test_the_users_random_numbers_stay_the_same(step: str) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    measure(GRAPH, replace(CASE, step=step), RUNNER)
    assert torch.equal(torch.rand(3), expected)


def test_what_goes_with_a_result_cannot_cost_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no memory statistics here")

    monkeypatch.setattr(latency, "step_peak", fails)
    record = measure(GRAPH, CASE, RUNNER)
    assert record.status == "ok"
    assert record.summary is not None
    assert record.peak_memory is None


def test_a_training_step_holds_weights_gradients_and_momentum() -> None:
    record = measure(GRAPH, replace(CASE, step="training"), RUNNER)
    need = memory(GRAPH, CASE.batch)
    least = need.weights + need.gradients + need.optimizers["momentum"]
    assert record.peak_memory is not None
    assert record.peak_memory > least


@pytest.mark.parametrize("step", workload.STEPS)
def test_macs_are_those_that_torch_counts(step: str) -> None:
    """Of convolutions and linear layers, forward and backward."""
    case = replace(CASE, step=step)
    model = workload.prepared(workload.network(GRAPH, CPU), GRAPH, case)
    run = workload.step(model, case, workload.inputs(GRAPH, model, case, CPU)[:1])
    with workload.mode_of(case), FlopCounterMode(display=False) as counter:
        run()
    assert 2 * macs_of(GRAPH, case) == counter.get_total_flops()


@pytest.mark.parametrize(("mode", "others"), [("eager", 2), ("cudagraph", 3)])
def test_other_inputs_are_not_part_of_the_peak(
    monkeypatch: pytest.MonkeyPatch, mode: str, others: int
) -> None:
    """Of a step the one it reads counts; a graph reads its own copy."""
    monkeypatch.setattr(latency, "peak_on_gpu", lambda *_: 1000)
    batches = [Arguments((torch.zeros(4),), {}) for _ in range(3)]
    case = replace(CASE, mode=mode)
    peak = latency.step_peak(lambda: None, torch.nn.ReLU(), case, batches, torch.device("cuda"))
    assert peak == 1000 - others * 16


def test_the_first_run_includes_what_makes_it_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """The capture of a graph compiles and tunes before anything can be timed."""
    made_ready = workload.step

    def slow(*arguments: Any) -> Any:
        time.sleep(0.3)
        return made_ready(*arguments)

    monkeypatch.setattr(workload, "step", slow)
    for record in (measure(GRAPH, CASE, RUNNER), next(ladder.run_steps(GRAPH, RUNNER, 2))):
        assert record.sample is not None
        assert record.sample.first >= 0.3
        assert max(record.sample.times) < 0.3
