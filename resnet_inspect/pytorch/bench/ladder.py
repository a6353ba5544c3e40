"""The ladder: from the naive baseline to the fastest, one change at a time.

A step that is not faster, or whose outputs err by more than its dtype's tolerance, is reported and
not built upon, so the last kept step is the fastest honest one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import torch
from msgspec.structs import replace

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import Case, LadderStep, timestamp
from resnet_inspect.measuring.sampling import Sample, interleaved, sample
from resnet_inspect.measuring.sampling import Step as Run
from resnet_inspect.measuring.statistics import differs, median_interval
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.bench import workload
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.bench.clock import clock_of
from resnet_inspect.pytorch.bench.runner import Runner, if_possible, rounded, trial
from resnet_inspect.pytorch.inputs import results

TOLERANCE: dict[str, float] = {"fp32": 1e-4, "tf32": 1e-2, "fp16": 1e-2, "bf16": 5e-2}
"""How far outputs may be from the fp32 eager ones, as the 2-norm of the difference relative to
theirs: several times what rounding adds up to in fifty layers (workload.network)."""


class Step(NamedTuple):
    """One change to try: its name, the fields of Case that it changes."""

    name: str
    changes: dict[str, Any]


STEPS = (
    Step("fp32 eager", {}),
    Step("TF32", {"dtype": "tf32"}),
    Step("channels_last", {"memory_format": "nhwc"}),
    Step("bf16", {"dtype": "bf16"}),
    Step("fp16", {"dtype": "fp16"}),
    Step("batch norm folded", {"folded": True}),
    Step("torch.compile", {"mode": "compile"}),
    Step("CUDA graph", {"mode": "cudagraph"}),
)
"""In order; each is tried on top of those kept so far."""


def possible_steps(device: torch.device) -> tuple[tuple[Step, ...], dict[str, str]]:
    """The steps that this device can try, and why it cannot try the others, by their names."""
    possible, left_out = [], {}
    for step in STEPS:
        try:
            workload.check(changed(Case("", (1, 1, 1)), step), device)
        except InspectError as error:
            left_out[step.name] = str(error)
        else:
            possible.append(step)
    return tuple(possible), left_out


def changed(case: Case, step: Step) -> Case:
    """The case with a step's change; a CUDA graph captures compiled code if that was kept."""
    changes = dict(step.changes)
    if changes.get("mode") == "cudagraph" and case.mode == "compile":
        changes["mode"] = "compile+cudagraph"
    return replace(case, **changes)


class Candidate(NamedTuple):
    """A step that is ready to run. outputs: of the example, in fp64; first: seconds until then."""

    case: Case
    run: Run
    outputs: torch.Tensor
    first: float


def run_steps(
    graph: LayerGraph,
    runner: Runner,
    batch: int = 1,
    say: Callable[[str], None] = lambda _: None,
    done: Sequence[LadderStep] = (),
) -> Iterator[LadderStep]:
    """Measure one step after another; each comes as soon as it is measured.

    done: the first steps of a ladder that was interrupted; it continues behind them.
    """
    base = Case(graph.name, graph.input_shape, batch)
    workload.check(base, runner.device)
    possible, left_out = possible_steps(runner.device)
    ahead = possible[len(done) :]
    ladder = done[0].run if done else f"{graph.name} {batch} {timestamp()}"
    best, expected, speedup = _resumed(graph, base, runner, done) if ahead else (None, None, 1.0)
    for step in ahead:
        say(step.name)
        case = changed(best.case if best else base, step)
        tried, facts = trial(graph, case, runner, partial(_try, graph, case, runner, best))
        candidate, times, ratios = tried or (None, None, ())
        if candidate and expected is None:
            expected = candidate.outputs
        error, tolerance = _error(candidate, expected), TOLERANCE[case.dtype]
        verdict = judge(ratios if best else None, error, tolerance, facts["status"])
        gain = 1 / median(ratios) if ratios else None
        reached = speedup * (gain or 1.0)
        kept = verdict in (BASELINE, FASTER)
        if kept:
            best, speedup = candidate, reached
        measured = {"sample": times, "speedup": reached if candidate else None}
        del tried, candidate  # one that is not kept leaves the device before the next
        yield LadderStep(
            **facts | measured,
            run=ladder,
            step=step.name,
            left_out=left_out,
            ratios=ratios,
            error=error,
            tolerance=tolerance,
            gain=gain,
            verdict=verdict,
            kept=kept,
        )
        if best is None:  # without a baseline there is nothing to build on
            return


BASELINE, FASTER, SLOWER, SAME, WRONG = "baseline", "faster", "slower", "no faster", "too inexact"


def judge(
    ratios: Sequence[float] | None, error: float | None, tolerance: float, status: str = "ok"
) -> str:
    """What a step is worth. ratios: of its time to the best one's, interleaved; None for the first.

    A difference counts as `statistics.differs` says, by the interval of the ratios' median.
    """
    if status != "ok":
        return status
    if ratios is None:
        return BASELINE
    if error is None or not error <= tolerance:  # NaN is too large
        return WRONG
    interval = median_interval(ratios)
    if interval is None:  # too few turns
        return SAME
    return {-1: FASTER, 0: SAME, 1: SLOWER}[differs(median(ratios), interval)]


def _error(candidate: Candidate | None, expected: torch.Tensor | None) -> float | None:
    if candidate is None or expected is None:
        return None
    return float((candidate.outputs - expected).norm() / expected.norm())


def _resumed(
    graph: LayerGraph, base: Case, runner: Runner, done: Sequence[LadderStep]
) -> tuple[Candidate | None, torch.Tensor | None, float]:
    """The best of the steps that are done, the first one's outputs, and the best one's speed-up.

    Raises InspectError where one of the two no longer runs.
    """
    if not done:
        return None, None, 1.0
    best = [step for step in done if step.kept][-1]
    candidates = []
    for case in (base, best.case):
        ready, facts = trial(graph, case, runner, partial(_ready, graph, case, runner.device))
        if ready is None:
            raise InspectError(f"{case} no longer runs: {facts['status']}, {facts['reason']}")
        candidates.append(ready)
    assert best.speedup is not None
    return candidates[1], candidates[0].outputs, best.speedup


def _ready(graph: LayerGraph, case: Case, device: torch.device) -> Candidate:
    """What is checked is what is timed: the same step, with the example as its first input."""
    model = workload.prepared(workload.network(graph, device), graph, case)
    # The same numbers for every step, as the case wants them.
    generator = torch.Generator(device=device).manual_seed(workload.SEED + 1)
    example = workload.random_input(graph, model, case, device, generator)
    batches = [example, *workload.inputs(graph, model, case, device)]
    clock = clock_of(device)
    given: list[Any] = []
    with workload.mode_of(case):
        start = clock.now()
        run = workload.step(model, case, batches)
        clock.time(lambda: given.append(run()), 1)
        first = clock.now() - start
        # A CUDA graph writes its next ones in the same place.
        outputs = [output.double().flatten() for output in results(given)]
        return Candidate(case, run, torch.cat(outputs), first)


def _try(
    graph: LayerGraph, case: Case, runner: Runner, best: Candidate | None
) -> tuple[Candidate, Sample, tuple[float, ...]]:
    """A step, its own times, and their ratios to the times of the best so far, interleaved.

    No ratios for the first step, or where comparing failed.
    """
    candidate = _ready(graph, case, runner.device)
    clock = clock_of(runner.device)

    def timed(one: Candidate, count: int) -> list[float]:
        with settings(one.case.dtype, runner.threads), workload.mode_of(one.case):
            return clock.time(one.run, count)

    with workload.mode_of(case):
        times = sample(clock, candidate.run, runner.rule)
    ratios: list[float] | None = None
    if best is not None:
        runs = partial(timed, best), partial(timed, candidate)
        ratios = if_possible(lambda: interleaved(clock.now, *runs, runner.rule))
    return (
        candidate,
        rounded(dataclasses.replace(times, first=candidate.first)),
        tuple(round(ratio, 6) for ratio in ratios or ()),
    )
