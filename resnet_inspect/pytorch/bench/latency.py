"""A case -> its latency, with everything that is needed to judge it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import nn

from resnet_inspect.measuring.records import Case, Measurement, record
from resnet_inspect.measuring.sampling import Step, sample
from resnet_inspect.measuring.statistics import median
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.bench import workload as subject
from resnet_inspect.pytorch.bench.clock import clock_of
from resnet_inspect.pytorch.bench.energy import joules
from resnet_inspect.pytorch.bench.peak_memory import peak_on_cpu, peak_on_gpu
from resnet_inspect.pytorch.bench.runner import Bench, as_fields, if_possible, trial

OTHER_RUNS = 20
"""Runs of which another timer finds the median, at the least."""


def measure(graph: LayerGraph, case: Case, bench: Bench) -> Measurement:
    """Measure one case; raises InspectError for one that this device cannot run at all."""
    outcome, said = trial(graph, case, bench, partial(_run, graph, case, bench))
    return record("latency", **said, **(outcome.value or {}))


def _run(graph: LayerGraph, case: Case, bench: Bench) -> dict[str, Any]:
    device, rule = bench.device, bench.rule
    if "compile" in case.mode:
        torch.compiler.reset()  # what earlier cases compiled must not count against this one
    model = subject.prepared(subject.network(graph, device), graph, case)
    batches = subject.inputs(case, device)
    clock = clock_of(device)
    with subject.mode_of(case):
        start = clock.now()
        step = subject.step(model, case, batches)
        made = clock.now() - start  # the capture of a graph, with what it compiles and tunes
        found = sample(clock, step, rule)
        typical = median(found.times)
        wanted = bench.cross_check
        return {
            **as_fields(found._replace(first=made + found.first)),
            "peak_memory": if_possible(partial(_peak, step, model, case, batches, device)),
            "joules": if_possible(partial(joules, step, device, case.batch, typical)),
            "cross_check": if_possible(partial(_others, step, device, typical)) if wanted else None,
        }


def _peak(
    step: Step, model: nn.Module, case: Case, batches: Sequence[torch.Tensor], device: torch.device
) -> int | None:
    """The most bytes of tensors during a step, weights and one input among them.

    None where it cannot be told: compiled code on the CPU.
    """
    if device.type == "cuda":
        captured = "cudagraph" in case.mode
        # There for the measurement alone; a graph reads a copy of its own.
        others = sum(batch.nbytes for batch in (batches if captured else batches[1:]))
        return peak_on_gpu(step, device, captured) - others
    if case.mode != "eager":
        return None
    # The step takes the next of the inputs; all are equally large.
    known = [*model.parameters(), *model.buffers(), batches[0]]
    return peak_on_cpu(step, known, steps=1 if case.step == "inference" else 2)


def _others(step: Step, device: torch.device, typical: float) -> dict[str, float]:
    """The median seconds that other timers find for the same step.

    do_bench empties the cache before each run, and the GPU is busy with that while the CPU launches
    the run: it finds more where weights fit the cache, less where the launches take longest.
    """
    from torch.utils.benchmark import Timer

    timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
    found = {"torch.utils.benchmark": float(timer.blocked_autorange(min_run_time=1.0).median)}
    if device.type == "cuda":
        # It may be missing, or the compiler or headers that it needs; errors are of many kinds.
        with suppress(Exception):
            from triton.testing import do_bench

            span = max(100, int(OTHER_RUNS * typical * 1e3))  # milliseconds, for all runs
            median_ms = do_bench(step, rep=span, return_mode="median")
            found["triton.testing.do_bench"] = float(median_ms) / 1e3
    return found
