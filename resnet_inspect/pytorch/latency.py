"""A case -> its measurement, with everything that is needed to judge it.

Memory that runs out is a result; so is a mode that torch cannot run. Neither ends a sweep.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import nn

from resnet_inspect.costs import total
from resnet_inspect.graph import INPUT, LayerGraph
from resnet_inspect.measurements import Case, Measurement, identity, record
from resnet_inspect.memory import memory
from resnet_inspect.pytorch import machine, subject
from resnet_inspect.pytorch.clock import clock_of
from resnet_inspect.pytorch.peak import clear_workspaces, peak_on_cpu, peak_on_gpu
from resnet_inspect.pytorch.settings import settings
from resnet_inspect.sampling import Clock, Rule, Sample, Step, median, sample

OUT_OF_MEMORY = "out of memory"
FAILED = "failed"

_NO_MEMORY = (
    "out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED",
    "ALLOCATION_FAILED",
)  # fmt: skip

ENERGY_SECONDS = 2.0
"""Least time between the two ticks of the energy counter that a reading is taken from."""

ENERGY_BURST = 0.02
"""Seconds of runs between two looks at the energy counter, which ticks every tenth of a second."""

ENERGY_LOOKS = 50
"""How many times longer than a look the runs between two take: the GPU idles meanwhile."""

OTHER_RUNS = 20
"""Runs of which another timer finds the median, at the least."""


class Outcome(NamedTuple):
    """What came of running something: 'ok', OUT_OF_MEMORY or FAILED, with a reason, and a value."""

    status: str
    reason: str | None
    value: Any


class Bench(NamedTuple):
    """How to measure. ceilings: FLOP/s of a matrix product by dtype, where they are known."""

    device: torch.device
    rule: Rule = Rule()
    threads: int | None = None
    ceilings: Mapping[str, float] | None = None
    cross_check: bool = False


def attempt(run: Callable[[], Any], device: torch.device) -> Outcome:
    """Run something that may run out of memory, and clear up behind it."""
    try:
        outcome = Outcome("ok", None, run())
    # torch's errors are RuntimeErrors; what an exported program wants of its input, it asserts
    except (RuntimeError, MemoryError, AssertionError) as error:
        outcome = Outcome(_kind_of(error), _in_a_line(error), None)
    with suppress(RuntimeError):  # a device that is lost says so before the next case
        _clear(device)
    return outcome


def _kind_of(error: BaseException | None) -> str:
    while error is not None:
        no_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if no_memory or any(words in str(error) for words in _NO_MEMORY):
            return OUT_OF_MEMORY
        # What ends the capture of a CUDA graph early is the context of the error that says so.
        error = error.__context__
    return FAILED


def _in_a_line(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 300 else words[:297] + "..."


def _clear(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        clear_workspaces()  # they would count as the next case's peak
        torch.cuda.empty_cache()


def macs_of(graph: LayerGraph, case: Case) -> int:
    """MACs of one run of the case, for the whole batch.

    A training step multiplies three times as much as inference: forward, gradients of the weights,
    gradients of the inputs, which the layers that read the network's input do not need.
    """
    macs = total(graph.layers, case.batch).macs
    if case.step == "inference":
        return macs
    first = (layer for layer in graph.layers if INPUT in layer.inputs)
    return 3 * macs - total(first, case.batch).macs


def result(graph: LayerGraph, case: Case, outcome: Outcome) -> dict[str, Any]:
    """What every record of a case says first: what ran, how much it multiplies, how it ended."""
    whole = total(graph.layers)
    return {
        "case": case._asdict(),
        "network": identity(graph),
        "macs": macs_of(graph, case),
        "uncounted": whole.uncounted,
        "params": whole.params,
        "status": outcome.status,
        "reason": outcome.reason,
    }


def measure(graph: LayerGraph, case: Case, bench: Bench) -> Measurement:
    """Measure one case; raises InspectError for one that this device cannot run at all."""
    device = bench.device
    subject.check(case, device)
    machine.check_alive(device)
    before = machine.condition(device)
    with settings(case.dtype, bench.threads) as held:
        described = machine.describe(device)
        refusal = _too_large(graph, case, device)
        outcome = refusal or attempt(lambda: _run(graph, case, bench), device)
    return record(
        "latency",
        **result(graph, case, outcome),
        **(outcome.value or {}),
        ceiling=(bench.ceilings or {}).get(case.dtype),
        rule=bench.rule._asdict(),
        settings={**held, "inference_mode": case.step == "inference"},
        **machine.surroundings(device, described, before),
    )


def _too_large(graph: LayerGraph, case: Case, device: torch.device) -> Outcome | None:
    """Whether the case cannot fit, told before a machine without memory left kills the process."""
    if device.type != "cpu":  # a GPU that is full says so, and nothing is killed
        return None
    dtype = {"tf32": "fp32"}.get(case.dtype, case.dtype)
    need = memory(graph, case.batch, dtype if case.step == "inference" else "fp32")
    least = need.inference
    if case.step == "training":
        least = need.weights + need.gradients + need.optimizers["momentum"]
    free = machine.available(device)
    if free is None or least <= free:
        return None
    return Outcome(
        OUT_OF_MEMORY, f"needs at least {least:,} bytes, and {free:,} are available", None
    )


def _run(graph: LayerGraph, case: Case, bench: Bench) -> dict[str, Any]:
    device, rule = bench.device, bench.rule
    model = subject.prepared(subject.network(graph, device), graph, case)
    batches = subject.inputs(case, device)
    clock = clock_of(device)
    with subject.mode_of(case):
        start = clock.now()
        step = subject.step(model, case, batches)
        made = clock.now() - start  # the capture of a graph, with what it compiles and tunes
        found = sample(clock, step, rule)
        typical = median(found.times)
        return {
            **as_fields(found._replace(first=made + found.first)),
            "peak_memory": _peak(step, model, case, batches, device),
            "joules": _joules(step, device, case.batch, typical),
            "cross_check": _cross_check(step, device, typical) if bench.cross_check else None,
        }


def as_fields(found: Sample) -> dict[str, Any]:
    """A sample as a record keeps it: seconds, to the nanosecond."""

    def rounded(times: Iterable[float]) -> list[float]:
        return [round(seconds, 9) for seconds in times]

    return {
        "first": round(found.first, 9),
        "warmup": rounded(found.warmup),
        "times": rounded(found.times),
        "steady": found.steady,
        "settled": found.settled,
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
    return peak_on_cpu(step, [*model.parameters(), *model.buffers(), batches[0]])


def _joules(step: Step, device: torch.device, batch: int, typical: float) -> float | None:
    """Energy of the whole GPU for each image; None where NVML does not give it."""
    if device.type != "cuda":
        return None
    found = joules_of_a_run(machine.Nvml(device).energy, clock_of(device), step, typical)
    return None if found is None else found / batch


def joules_of_a_run(
    energy: Callable[[], float | None], clock: Clock, step: Step, typical: float
) -> float | None:
    """Joules of each run between two ticks of a counter, ENERGY_SECONDS or more apart.

    typical: seconds of a run. None where there is no counter, or it stands still.
    """
    start = clock.now()
    reading = energy()
    burst = max(ENERGY_BURST, ENERGY_LOOKS * (clock.now() - start))
    count = max(1, int(burst / typical)) if typical else 1
    since, runs, first = clock.now(), 0, None
    while reading is not None:
        runs += len(clock.time(step, count))
        before, reading = reading, energy()
        elapsed = clock.now() - since
        if reading is None or (reading == before and elapsed > 2 * ENERGY_SECONDS):
            return None
        if reading == before:
            continue
        if first is None:
            first, since, runs = reading, clock.now(), 0
        elif elapsed >= ENERGY_SECONDS:
            return (reading - first) / runs
    return None


def _cross_check(step: Step, device: torch.device, typical: float) -> dict[str, float]:
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
