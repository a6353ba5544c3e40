"""A case run under its settings, whatever comes of it, and what every record of it says.

Memory that runs out is a result; so is a mode that torch cannot run. Neither ends a sweep.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import torch

from resnet_inspect.counting.costs import total
from resnet_inspect.counting.memory import memory
from resnet_inspect.measuring.records import Case, identity
from resnet_inspect.measuring.sampling import Rule, Sample
from resnet_inspect.networks.graph import INPUT, LayerGraph
from resnet_inspect.pytorch.bench import machine
from resnet_inspect.pytorch.bench import workload as subject
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.bench.peak_memory import clear_workspaces

Made = TypeVar("Made")

OUT_OF_MEMORY = "out of memory"


FAILED = "failed"

_NO_MEMORY = (
    "out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED",
    "ALLOCATION_FAILED",
)  # fmt: skip


class Outcome(NamedTuple):
    """What came of running something: 'ok', OUT_OF_MEMORY or FAILED, with a reason, and a value."""

    status: str
    reason: str | None
    value: Any


class Bench(NamedTuple):
    """How to measure. ceilings: FLOP/s at best by dtype, where they are known."""

    device: torch.device
    rule: Rule = Rule()
    threads: int | None = None
    ceilings: Mapping[str, float] | None = None
    cross_check: bool = False


def attempt(run: Callable[[], Any], device: torch.device) -> Outcome:
    """Run something on a device that may run out of memory, and clear up behind it."""
    try:
        with machine.current(device):
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


def if_possible(run: Callable[[], Made]) -> Made | None:
    """What goes with a result but must not cost it: None where torch fails."""
    try:
        return run()
    except (RuntimeError, MemoryError):
        return None


def trial(
    graph: LayerGraph, case: Case, bench: Bench, run: Callable[[], Any]
) -> tuple[Outcome, dict[str, Any]]:
    """Run a case under its settings: what came of it, and what every record of a case says.

    Raises InspectError for a case that this device cannot run at all, or for a lost GPU.
    """
    device = bench.device
    subject.check(case, device)
    machine.check_alive(device)
    before = machine.condition(device)
    with settings(case.dtype, bench.threads) as held:
        described = machine.describe(device)
        outcome = _too_large(graph, case, device) or attempt(run, device)
    whole = total(graph.layers)
    return outcome, {
        "case": case._asdict(),
        "network": identity(graph),
        "macs": macs_of(graph, case),
        "uncounted": whole.uncounted,
        "params": whole.params,
        "status": outcome.status,
        "reason": outcome.reason,
        "ceiling": (bench.ceilings or {}).get(case.dtype),
        "rule": bench.rule._asdict(),
        "settings": {**held, "inference_mode": case.step == "inference"},
        **machine.surroundings(device, described, before),
    }


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
