"""A case -> its latency, with everything that is needed to judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import nn

from resnet_inspect.measuring.records import Case, Latency
from resnet_inspect.measuring.sampling import Step, sample
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.bench import workload
from resnet_inspect.pytorch.bench.clock import clock_of
from resnet_inspect.pytorch.bench.energy import joules
from resnet_inspect.pytorch.bench.peak_memory import peak_on_cpu, peak_on_gpu
from resnet_inspect.pytorch.bench.runner import Runner, if_possible, rounded, trial
from resnet_inspect.pytorch.inputs import Arguments, results


def measure(graph: LayerGraph, case: Case, runner: Runner) -> Latency:
    """Measure one case; raises InspectError for one that this device cannot run at all."""
    measured, facts = trial(graph, case, runner, partial(_measured, graph, case, runner))
    return Latency(**facts | (measured or {}))


def _measured(graph: LayerGraph, case: Case, runner: Runner) -> dict[str, Any]:
    """The fields of a Latency that only a case that ran has."""
    device = runner.device
    if "compile" in case.mode:
        torch.compiler.reset()  # what earlier cases compiled must not count against this one
    model = workload.prepared(workload.network(graph, device), graph, case)
    batches = workload.inputs(graph, model, case, device)
    clock = clock_of(device)
    with workload.mode_of(case):
        start = clock.now()
        step = workload.step(model, case, batches)
        ready = clock.now() - start  # the capture of a graph, with what it compiles and tunes
        times = sample(clock, step, runner.rule)
        typical = median(times.times)
        return {
            "sample": rounded(replace(times, first=ready + times.first)),
            "peak_memory": if_possible(partial(step_peak, step, model, case, batches, device)),
            "joules": if_possible(partial(joules, step, device, case.batch, typical)),
        }


def step_peak(
    step: Step, model: nn.Module, case: Case, batches: Sequence[Arguments], device: torch.device
) -> int | None:
    """The most bytes of tensors during a step, weights and one input among them.

    None where it cannot be told: compiled code on the CPU.
    """
    if device.type == "cuda":
        captured = "cudagraph" in case.mode
        # These are only for the measurement; a graph reads a copy of its own.
        others = sum(map(workload.nbytes, batches if captured else batches[1:]))
        return peak_on_gpu(step, device, captured) - others
    if case.mode != "eager":
        return None
    # The step takes the next of the inputs; all are equally large.
    known = [*model.parameters(), *model.buffers(), *results(batches[0])]
    return peak_on_cpu(step, known, steps=1 if case.step == "inference" else 2)
