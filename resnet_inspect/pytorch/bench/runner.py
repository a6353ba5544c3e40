"""A case run under its settings, whatever comes of it, and what every record of it says.

Memory that runs out is a result; so is a mode that torch cannot run. Neither ends a sweep.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Generic, NamedTuple, TypeVar

import torch
from msgspec.structs import replace

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.freezing import training_macs
from resnet_inspect.counting.memory import memory
from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import Case, Status, timestamp
from resnet_inspect.measuring.sampling import Sample, StoppingRule
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.op_data import fingerprint
from resnet_inspect.pytorch.bench import machine, workload
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.bench.peak_memory import clear_workspaces
from resnet_inspect.pytorch.trace.diagnosis import named, said

Result = TypeVar("Result")

OUT_OF_MEMORY: Final = "out of memory"
FAILED: Final = "failed"

_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
)

_OF_TORCH = (RuntimeError, MemoryError, AssertionError)
"""Errors that say what is wrong without their name. An exported program asserts what it takes."""


class Outcome(NamedTuple, Generic[Result]):
    """What came of running something: a status, a reason where that is not 'ok', and a value."""

    status: Status
    reason: str | None
    value: Result | None


class Runner(NamedTuple):
    """How to measure. ceilings: what the device does at best, where it is known."""

    device: torch.device
    rule: StoppingRule = StoppingRule()
    threads: int | None = None
    ceilings: Ceilings | None = None


def attempt(
    run: Callable[[], Result], device: torch.device, of_users: bool = False
) -> Outcome[Result]:
    """Run something on a device that may run out of memory, and clear up behind it.

    of_users: a user's code runs in it, which may fail in any way.
    """
    failures: tuple[type[BaseException], ...] = (BaseException,) if of_users else _OF_TORCH
    try:
        with machine.current(device):
            outcome: Outcome[Result] = Outcome("ok", None, run())
    except (InspectError, KeyboardInterrupt):
        raise
    except failures as error:
        outcome = Outcome(_status_of(error), _in_a_line(error), None)
    with suppress(RuntimeError):  # a device that is lost says so before the next case
        _clear(device)
    return outcome


def _status_of(error: BaseException | None) -> Status:
    while error is not None:
        no_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if no_memory or any(words in said(error) for words in _NO_MEMORY):
            return OUT_OF_MEMORY
        # What ends the capture of a CUDA graph early is the context of the error that says so.
        error = error.__context__
    return FAILED


def _in_a_line(error: BaseException) -> str:
    words = " ".join(said(error).split()) if isinstance(error, _OF_TORCH) else ""
    words = words or named(error)
    return words if len(words) <= 300 else words[:297] + "..."


def _clear(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        clear_workspaces()  # they would count as the next case's peak
        torch.cuda.empty_cache()


def if_possible(run: Callable[[], Result]) -> Result | None:
    """What goes with a result but must not cost it: None where torch fails."""
    try:
        return run()
    except (RuntimeError, MemoryError):
        return None


def trial(
    graph: LayerGraph, case: Case, runner: Runner, run: Callable[[], Result]
) -> tuple[Result | None, dict[str, Any]]:
    """Run a case under its settings: what that gave, and the fields that all its records have.

    Raises InspectError for a case that this device cannot run at all, or where the GPU failed.
    """
    device = runner.device
    workload.check(case, device)
    machine.check_alive(device)
    before = machine.condition(device)
    with settings(case.dtype, runner.threads) as held:
        described = machine.describe(device)
        outcome = _too_large(graph, case, device) or attempt(
            run, device, of_users=graph.maker is not None
        )
    whole = graph_cost(graph)
    return outcome.value, {
        "made": timestamp(),
        "case": case,
        "network": fingerprint(graph),
        "macs": macs_of(graph, case),
        "uncounted": whole.uncounted,
        "params": whole.params,
        "status": outcome.status,
        "reason": outcome.reason,
        "sample": None,
        "ceiling": runner.ceilings.rates.get(case.dtype) if runner.ceilings else None,
        "rule": runner.rule,
        "settings": replace(held, inference_mode=case.step == "inference"),
        "device": described,
        "software": machine.software(),
        "before": before,
        "after": machine.condition(device),
    }


def macs_of(graph: LayerGraph, case: Case) -> int:
    """MACs of one run of the case, for the whole batch."""
    if case.step == "training":
        return training_macs(graph, case.batch)
    return graph_cost(graph, case.batch).macs


def _too_large(graph: LayerGraph, case: Case, device: torch.device) -> Outcome[Any] | None:
    """Whether the case cannot fit, told before a machine without memory left kills the process."""
    if device.type != "cpu":  # a GPU that is full says so, and nothing is killed
        return None
    need = memory(graph, case.batch, case.dtype if case.step == "inference" else "fp32")
    least = need.inference
    if case.step == "training":
        least = need.weights + need.gradients + need.optimizers["momentum"]
    free = machine.available(device)
    if free is None or least <= free:
        return None
    reason = f"needs at least {least:,} bytes, and {free:,} are available"
    return Outcome(OUT_OF_MEMORY, reason, None)


def rounded(times: Sample) -> Sample:
    """A sample as a record keeps it: seconds, to the nanosecond."""
    warmup, kept = (tuple(round(one, 9) for one in part) for part in (times.warmup, times.times))
    return dataclasses.replace(times, first=round(times.first, 9), warmup=warmup, times=kept)
