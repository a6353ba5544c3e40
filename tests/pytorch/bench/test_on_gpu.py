"""What an NVIDIA GPU must meet; skipped where there is none."""

from __future__ import annotations

from statistics import median

import pytest
import torch
from msgspec.structs import replace

import resnet_inspect as ri
from resnet_inspect.counting.memory import memory
from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import Case, Latency
from resnet_inspect.measuring.sampling import StoppingRule
from resnet_inspect.pytorch.bench import ladder, workload
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.bench.clock import clock_of
from resnet_inspect.pytorch.bench.latency import measure
from resnet_inspect.pytorch.bench.layers import measure_layers
from resnet_inspect.pytorch.bench.runner import OUT_OF_MEMORY, Runner


def on_gpu(**changes: object) -> tuple[Case, Runner]:
    graph = ri.graph("resnet18")
    case = replace(Case(graph.name, graph.input_shape, 32), **changes)
    return case, Runner(
        torch.device("cuda"), StoppingRule(half_width=0.01, budget=3, least_warmup=1)
    )


def median_of(record: Latency) -> float:
    assert record.summary is not None, record.reason
    return record.summary.median


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["eager", "cudagraph", "compile", "compile+cudagraph"])
def test_a_gpu_runs_every_mode_and_repeats_agree(mode: str) -> None:
    case, bench = on_gpu(mode=mode)
    medians = [median_of(measure(ri.graph("resnet18"), case, bench)) for _ in "ab"]
    assert abs(medians[0] - medians[1]) <= 0.03 * min(medians)


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["eager", "cudagraph", "compile", "compile+cudagraph"])
@pytest.mark.parametrize("dtype", ["fp32", "tf32", "bf16", "fp16"])
def test_a_gpu_trains(dtype: str, mode: str) -> None:
    case, bench = on_gpu(step="training", dtype=dtype, mode=mode)
    if dtype == "fp16" and "cudagraph" in mode:
        with pytest.raises(InspectError, match="gradients' scale"):
            measure(ri.graph("resnet18"), case, bench)
        return
    made = measure(ri.graph("resnet18"), case, bench)
    assert made.status == "ok", made.reason


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["eager", "cudagraph"])
def test_on_a_gpu_other_timers_agree(mode: str) -> None:
    # do_bench empties the cache and keeps the GPU busy before each run, which small batches feel
    from torch.utils.benchmark import Timer
    from triton.testing import do_bench

    case, bench = on_gpu(batch=128, mode=mode)
    middle = median_of(measure(ri.graph("resnet18"), case, bench))
    with settings(), workload.mode_of(case):
        model = workload.prepared(
            workload.network(ri.graph("resnet18"), bench.device), ri.graph("resnet18"), case
        )
        step = workload.step(
            model, case, workload.inputs(ri.graph("resnet18"), model, case, bench.device)
        )
        others = [
            Timer("step()", globals={"step": step}).blocked_autorange(min_run_time=1.0).median,
            do_bench(step, rep=max(100, int(20e3 * middle)), return_mode="median") / 1e3,
        ]
    for other in others:
        assert abs(other - middle) <= 0.03 * middle


@pytest.mark.gpu
def test_on_a_gpu_a_graph_holds_no_more_memory_than_its_step() -> None:
    """Its input's copy and cuBLAS's workspace, 32 MiB on Hopper, may come on top."""
    peaks = [
        measure(ri.graph("resnet18"), *on_gpu(mode=mode)).peak_memory
        for mode in ("eager", "cudagraph")
    ]
    known = memory(ri.graph("resnet18"), 32).inference
    for peak in peaks:
        assert known <= peak <= known + (256 << 20), "a convolution's workspace at most"
    assert peaks[1] <= peaks[0] + (64 << 20)


@pytest.mark.gpu
def test_on_a_gpu_layers_add_up_to_the_whole() -> None:
    case, bench = on_gpu(batch=128)
    best = Ceilings("g", "cuda", {"fp32": 1e14}, ((1 << 30, 4e12),), 1e-6)
    made = measure_layers(ri.graph("resnet18"), case, bench._replace(ceilings=best))
    assert abs(made.of_whole - 1) <= 0.1


@pytest.mark.gpu
def test_events_cost_less_than_a_hundredth_of_a_graph_at_batch_1() -> None:
    """The same replays with a pair of events around each and without, by turns."""
    case, bench = on_gpu(batch=1, mode="cudagraph")
    graph, clock = ri.graph("resnet18"), clock_of(bench.device)
    with settings(), workload.mode_of(case):
        model = workload.prepared(workload.network(graph, bench.device), graph, case)
        step = workload.step(model, case, workload.inputs(graph, model, case, bench.device))

        def span(watched: bool) -> float:
            clock.mark()
            for _ in range(200):
                if watched:
                    clock.mark()
                step()
                if watched:
                    clock.mark()
            clock.mark()
            return sum(clock.laps())

        turns = [(span(True), span(False)) for _ in range(30)][5:]
    watched, alone = (median(times) for times in zip(*turns, strict=True))
    assert watched <= 1.01 * alone


@pytest.mark.gpu
def test_a_hopper_climbs_to_three_times_its_baseline() -> None:
    """ResNet-50 at batch 256; a smaller GPU has no room for it, or tensor cores that gain less."""
    if torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("the figure is of Hopper")
    gpu = torch.device("cuda", torch.cuda.current_device())
    bench = Runner(gpu, StoppingRule(budget=2, warmup=2, least_warmup=1))
    steps = list(ladder.run_steps(ri.graph("resnet50"), bench, 256))
    assert [step.status for step in steps] == ["ok"] * len(ladder.STEPS)
    assert all(step.error <= step.tolerance for step in steps)
    assert [step.speedup for step in steps if step.kept][-1] >= 3


@pytest.mark.gpu
def test_gpu_memory_that_runs_out_is_a_result() -> None:
    case, bench = on_gpu(batch=10**6)
    assert measure(ri.graph("resnet18"), case, bench).status == OUT_OF_MEMORY


@pytest.mark.gpu
def test_a_case_after_one_that_failed_is_measured_as_ever() -> None:
    case, bench = on_gpu(mode="cudagraph")
    graph = ri.graph("resnet18")

    def peak_and_time() -> tuple[int, float]:
        made = measure(graph, case, bench)
        assert made.status == "ok", made.reason
        return made.peak_memory, median_of(made)

    before = peak_and_time()
    assert measure(graph, replace(case, batch=10**6), bench).status != "ok"
    after = peak_and_time()
    assert before[0] == after[0]
    assert abs(before[1] - after[1]) <= 0.03 * before[1]
