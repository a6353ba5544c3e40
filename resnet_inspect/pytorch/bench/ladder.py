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
from resnet_inspect.measuring.records import Case, Measurement, record
from resnet_inspect.measuring.sampling import Step, by_turns, sample
from resnet_inspect.measuring.statistics import differs, median, median_interval
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.bench import workload as subject
from resnet_inspect.pytorch.bench.backend_flags import DTYPES, settings
from resnet_inspect.pytorch.bench.clock import clock_of
from resnet_inspect.pytorch.bench.runner import Bench, as_fields, if_possible, trial

TOLERANCE: dict[str, float] = {"fp32": 1e-4, "tf32": 1e-2, "fp16": 1e-2, "bf16": 5e-2}
"""How far outputs may be from the fp32 eager ones, as the 2-norm of the difference relative to
theirs: several times what rounding adds up to in fifty layers (subject.network)."""

TWO_NORM = "2-norm of the difference / 2-norm of the fp32 eager outputs"


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


class Contender(NamedTuple):
    """A step that is ready to run. outputs: of the example, in fp64; first: seconds until then."""

    case: Case
    step: Step
    outputs: torch.Tensor
    first: float


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
    base = Case(graph.name, graph.input_shape, batch)
    subject.check(base, bench.device)
    possible, left_out = rungs(bench.device)
    ahead = possible[len(done) :]
    made_at = record("ladder").fields["made"]
    run = done[0].fields["run"] if done else f"{graph.name} {batch} {made_at}"
    best, expected, speedup = _resumed(graph, base, bench, done) if ahead else (None, None, 1.0)
    for rung in ahead:
        progress(rung.name)
        case = changed(best.case if best else base, rung)
        outcome, said = trial(graph, case, bench, partial(_run, graph, case, bench, best))
        found = outcome.value or {"ratios": []}
        contender = found.pop("contender", None)
        if expected is None and contender is not None:
            expected = contender.outputs
        ratios = found["ratios"] if best else None
        worth = _worth(case, outcome.status, contender, expected, ratios, speedup)
        if worth["kept"]:
            best, speedup = contender, worth["speedup"]
        del outcome, contender  # one that is not kept leaves the device before the next comes
        yield record("ladder", run=run, step=rung.name, left_out=left_out, **said, **found, **worth)
        if best is None:  # without a baseline there is nothing to climb from
            return


def _worth(
    case: Case,
    status: str,
    contender: Contender | None,
    expected: torch.Tensor | None,
    ratios: Sequence[float] | None,
    speedup: float,
) -> dict[str, Any]:
    """What a record says of how a step compares with the best so far, `speedup` times the first."""
    error = _error(contender.outputs, expected) if contender is not None else None
    verdict = judge(ratios, error, TOLERANCE[case.dtype], status)
    gain = 1 / median(ratios) if ratios else None
    return {
        "error": error,
        "error_is": TWO_NORM,
        "tolerance": TOLERANCE[case.dtype],
        "gain": gain,
        "speedup": speedup * (gain or 1.0) if status == "ok" else None,
        "verdict": verdict,
        "kept": verdict in (BASELINE, FASTER),
    }


BASELINE, FASTER, SLOWER, SAME, WRONG = "baseline", "faster", "slower", "no faster", "too inexact"


def judge(
    ratios: Sequence[float] | None, error: float | None, tolerance: float, status: str = "ok"
) -> str:
    """What a step is worth. ratios: of its time to the best one's, by turns; None for the first.

    A difference counts as `sampling.differs` says, by the interval of the ratios' median.
    """
    if status != "ok":
        return status
    if ratios is None:
        return BASELINE
    if error is None or not error <= tolerance:  # an error that is no number is too large
        return WRONG
    interval = median_interval(ratios)
    if interval is None:  # too few turns
        return SAME
    return {-1: FASTER, 0: SAME, 1: SLOWER}[differs(median(ratios), interval)]


def _error(outputs: torch.Tensor, expected: torch.Tensor | None) -> float | None:
    return None if expected is None else float((outputs - expected).norm() / expected.norm())


def _resumed(
    graph: LayerGraph, base: Case, bench: Bench, done: Sequence[Measurement]
) -> tuple[Contender | None, torch.Tensor | None, float]:
    """The best of the steps that are done, what the first gives, and how much faster the best is.

    Raises InspectError where one of the two no longer runs.
    """
    if not done:
        return None, None, 1.0
    best = [made for made in done if made.fields["kept"]][-1]
    contenders = []
    for case in (base, best.case):
        outcome, _ = trial(graph, case, bench, partial(_ready, graph, case, bench.device))
        if outcome.status != "ok":
            raise InspectError(f"{case} does not run again: {outcome.status}, {outcome.reason}")
        contenders.append(outcome.value)
    return contenders[1], contenders[0].outputs, best.fields["speedup"]


def _example(case: Case, device: torch.device) -> torch.Tensor:
    """The same numbers for every step, as the case wants them."""
    made = torch.Generator(device=device).manual_seed(subject.SEED + 1)
    example = torch.randn(case.batch, *case.input, device=device, generator=made)
    return example.to(DTYPES[case.dtype], memory_format=subject.FORMATS[case.memory_format])


def _ready(graph: LayerGraph, case: Case, device: torch.device) -> Contender:
    """What is checked is what is timed: the same step, with the example as its first input."""
    model = subject.prepared(subject.network(graph, device), graph, case)
    batches = [_example(case, device), *subject.inputs(case, device)]
    clock = clock_of(device)
    made: list[Any] = []
    with subject.mode_of(case):
        start = clock.now()
        step = subject.step(model, case, batches)
        clock.time(lambda: made.append(step()), 1)
        first = clock.now() - start
        (outputs,) = made
        assert isinstance(outputs, torch.Tensor)
        # A CUDA graph writes its next ones in the same place.
        return Contender(case, step, outputs.double().clone(), first)


def _run(graph: LayerGraph, case: Case, bench: Bench, best: Contender | None) -> dict[str, Any]:
    """A step, its own times, and their ratios to the times of the best so far, by turns."""
    contender = _ready(graph, case, bench.device)
    clock = clock_of(bench.device)

    def timed(one: Contender, count: int) -> list[float]:
        with settings(one.case.dtype, bench.threads), subject.mode_of(one.case):
            return clock.time(one.step, count)

    with subject.mode_of(case):
        found = sample(clock, contender.step, bench.rule)._replace(first=contender.first)
    ratios: list[float] | None = None
    if best is not None:
        runs = partial(timed, best), partial(timed, contender)
        ratios = if_possible(lambda: by_turns(clock.now, *runs, bench.rule))
    return {
        **as_fields(found),
        "contender": contender,
        "ratios": [round(ratio, 6) for ratio in ratios or ()],
    }
