"""The ladder: from the naive baseline to the fastest, one change at a time.

A step that is not faster, or whose outputs err by more than its dtype's tolerance, is reported and
not built upon, so the last kept step is the fastest honest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from resnet_inspect.errors import InspectError
from resnet_inspect.graph import LayerGraph
from resnet_inspect.measurements import Case, Measurement, record
from resnet_inspect.pytorch import machine, subject
from resnet_inspect.pytorch.clock import clock_of
from resnet_inspect.pytorch.latency import Bench, as_fields, attempt, result
from resnet_inspect.pytorch.settings import DTYPES, settings
from resnet_inspect.sampling import median, median_interval, sample

TOLERANCE: dict[str, float] = {"fp32": 1e-4, "tf32": 1e-2, "fp16": 1e-2, "bf16": 5e-2}
"""How far outputs may be from the fp32 eager ones, as the 2-norm of the difference relative to
theirs: several times what rounding adds up to in fifty layers (subject.network)."""

TWO_NORM = "2-norm of the difference / 2-norm of the fp32 eager outputs"


LEAST_GAIN = 0.01
"""A smaller difference may be what the machine drifts from one step to the next, which the interval
of one step's median does not know of."""


class Rung(NamedTuple):
    """One change to try: its name, the fields of Case that it changes, whether it needs a GPU."""

    name: str
    changes: dict[str, Any]
    gpu: bool = False


RUNGS = (
    Rung("fp32 eager", {}),
    Rung("TF32", {"dtype": "tf32"}, gpu=True),
    Rung("channels_last", {"memory_format": "nhwc"}),
    Rung("bf16", {"dtype": "bf16"}),
    Rung("fp16", {"dtype": "fp16"}),
    Rung("batch norm folded", {"folded": True}),
    Rung("torch.compile", {"mode": "compile"}),
    Rung("CUDA graph", {"mode": "cudagraph"}, gpu=True),
)
"""The steps in order; each is tried on top of those kept so far."""


def rungs(device: torch.device) -> tuple[tuple[Rung, ...], tuple[str, ...]]:
    """The steps that this device can try, and the names of the others with a reason."""
    possible, left_out = [], []
    for rung in RUNGS:
        try:
            subject.check(changed(Case("", (1, 1, 1)), rung), device)
        except ValueError as error:
            left_out.append(f"{rung.name} ({error})")
        else:
            possible.append(rung)
    return tuple(possible), tuple(left_out)


def changed(case: Case, rung: Rung) -> Case:
    """The case with a step's change; a CUDA graph is taken of compiled code where there is some."""
    changes = dict(rung.changes)
    if changes.get("mode") == "cudagraph" and case.mode == "compile":
        changes["mode"] = "compile+cudagraph"
    return case._replace(**changes)


def climb(
    graph: LayerGraph,
    bench: Bench,
    batch: int = 1,
    progress: Callable[[str], None] = lambda _: None,
    done: Sequence[Measurement] = (),
) -> Iterator[Measurement]:
    """Measure one step after another; each comes as soon as it is measured.

    done: the first steps, of a climb that was cut short; it goes on behind them.
    """
    device = bench.device
    base = Case(graph.name, graph.input_shape, batch)
    subject.check(base, device)
    possible, left_out = rungs(device)
    ahead = possible[len(done) :]
    made_at = record("ladder").fields["made"]
    run = done[0].fields["run"] if done else f"{graph.name} {batch} {made_at}"
    expected = _expected(graph, base, bench) if done and ahead else None
    steps = list(done)
    for rung in ahead:
        progress(rung.name)
        machine.check_alive(device)
        best = next((made for made in reversed(steps) if made.fields["kept"]), None)
        case = changed(best.case if best else base, rung)
        before = machine.condition(device)
        with settings(case.dtype, bench.threads) as held:
            described = machine.describe(device)
            outcome = attempt(partial(_run, graph, case, bench), device)
        found = outcome.value or {}
        outputs = found.pop("outputs", None)
        if expected is None:
            expected = outputs
        made = record(
            "ladder",
            run=run,
            step=rung.name,
            left_out=left_out,
            **result(graph, case, outcome),
            **found,
            **_worth(steps, best, case, outcome.status, found.get("times", ()), outputs, expected),
            ceiling=(bench.ceilings or {}).get(case.dtype),
            rule=bench.rule._asdict(),
            settings={**held, "inference_mode": True},
            **machine.surroundings(device, described, before),
        )
        steps.append(made)
        yield made
        if expected is None:  # without a baseline there is nothing to climb from
            return


def _worth(
    steps: Sequence[Measurement],
    best: Measurement | None,
    case: Case,
    status: str,
    times: Sequence[float],
    outputs: torch.Tensor | None,
    expected: torch.Tensor | None,
) -> dict[str, Any]:
    """What a record says of how a step compares with the first of `steps` and with the best."""
    before = best.fields["times"] if best else ()
    first = steps[0].fields["times"] if steps else times
    error = _error(outputs, expected)
    verdict = judge(times, before, error, TOLERANCE[case.dtype], status)
    return {
        "error": error,
        "error_is": TWO_NORM,
        "tolerance": TOLERANCE[case.dtype],
        "gain": median(before) / median(times) if times and before else None,
        "speedup": median(first) / median(times) if times else None,
        "verdict": verdict,
        "kept": verdict in (BASELINE, FASTER),
    }


BASELINE, FASTER, SLOWER, SAME, WRONG = "baseline", "faster", "slower", "no faster", "too inexact"


def judge(
    times: Sequence[float],
    before: Sequence[float],
    error: float | None,
    tolerance: float,
    status: str = "ok",
) -> str:
    """What a step is worth.

    A difference counts where the medians' intervals do not overlap and it is more than LEAST_GAIN.
    """
    if not times:
        return status
    if not before:
        return BASELINE
    if error is None or not error <= tolerance:  # an error that is no number is too large
        return WRONG
    new, old = median_interval(times), median_interval(before)
    middle, previous = median(times), median(before)
    if new is None or old is None:
        return SAME
    if middle < previous * (1 - LEAST_GAIN) and new[1] < old[0]:
        return FASTER
    return SLOWER if middle > previous * (1 + LEAST_GAIN) and new[0] > old[1] else SAME


def _example(case: Case, device: torch.device) -> torch.Tensor:
    """The same numbers for every step, as the case wants them."""
    made = torch.Generator(device=device).manual_seed(subject.SEED + 1)
    example = torch.randn(case.batch, *case.input, device=device, generator=made)
    return example.to(DTYPES[case.dtype], memory_format=subject.FORMATS[case.memory_format])


def _error(outputs: torch.Tensor | None, expected: torch.Tensor | None) -> float | None:
    if outputs is None or expected is None:
        return None
    return float((outputs - expected).norm() / expected.norm())


def _expected(graph: LayerGraph, base: Case, bench: Bench) -> torch.Tensor:
    """What the baseline makes of the example; raises InspectError where it no longer runs."""

    def outputs() -> torch.Tensor:
        model = subject.prepared(subject.network(graph, bench.device), graph, base)
        made = subject.step(model, base, [_example(base, bench.device)])()
        assert isinstance(made, torch.Tensor)
        return made.double()

    with settings(base.dtype, bench.threads), subject.mode_of(base):
        outcome = attempt(outputs, bench.device)
    if not isinstance(outcome.value, torch.Tensor):
        raise InspectError(f"the baseline does not run again: {outcome.status}, {outcome.reason}")
    return outcome.value


def _run(graph: LayerGraph, case: Case, bench: Bench) -> dict[str, Any]:
    """The step's times, and what it makes of an example, in fp64."""
    device = bench.device
    model = subject.prepared(subject.network(graph, device), graph, case)
    batches = [_example(case, device), *subject.inputs(case, device)]
    clock = clock_of(device)
    made: list[Any] = []
    with subject.mode_of(case):
        # What is checked is what is timed: the same step, with the example as its first input.
        start = clock.now()
        step = subject.step(model, case, batches)
        clock.time(lambda: made.append(step()), 1)
        first = clock.now() - start
        (outputs,) = made
        assert isinstance(outputs, torch.Tensor)
        outputs = outputs.double().clone()  # a CUDA graph writes its next ones in the same place
        found = sample(clock, step, bench.rule)
    return {**as_fields(found._replace(first=first)), "outputs": outputs}
