"""A sweep, a ladder or a device's ceilings, from the arguments of the call to the records.

All that can be refused is refused before anything is measured; each measurement is in the record
before the next begins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import torch

from resnet_inspect.counting.costs import checked_batch
from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.measurement import Environment
from resnet_inspect.measuring.progress import Progress
from resnet_inspect.measuring.records import (
    Case,
    CaseMeasurement,
    DeviceCeilings,
    LadderStep,
    Latency,
    Layers,
    Measurement,
    check_record,
)
from resnet_inspect.measuring.sampling import StoppingRule
from resnet_inspect.measuring.sweep import Task, keep, remaining, results, run, steps_done
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.bench import machine, workload
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.bench.ceilings import ceilings, stored_ceilings
from resnet_inspect.pytorch.bench.ladder import possible_steps, run_steps
from resnet_inspect.pytorch.bench.latency import measure
from resnet_inspect.pytorch.bench.layers import check_layers, measure_layers
from resnet_inspect.pytorch.bench.runner import Runner

LEAST_WARMUP = {"cuda": 1.0, "cpu": 0.0}
"""Seconds: a GPU's clocks and power settle more slowly than two short windows can tell."""


class _Setup(NamedTuple):
    """How to measure here. ceilings: None where the device has none that are stored."""

    runner: Runner
    environment: Environment
    ceilings: Ceilings | None


def run_sweep(
    tasks: Sequence[Task],
    *,
    per_layer: bool,
    device: str | None,
    threads: int | None,
    budget: float,
    half_width: float,
    record: str | os.PathLike[str] | None,
    resume: bool,
    progress: Progress,
) -> list[CaseMeasurement]:
    """Measure cases one after another; with `resume`, also give what the record already has.

    Raises InspectError where an argument, a case or the record cannot be used.
    """
    for graph in {id(graph): graph for graph, case in tasks if case.step == "training"}.values():
        workload.check_trainable(graph)
    chosen = machine.device_named(device)
    for graph, case in tasks:
        workload.check(case, chosen)
        if per_layer:
            check_layers(graph, case)
    kind: type[CaseMeasurement] = Layers if per_layer else Latency
    known = _known(record, resume)
    setup = _set_up(device, threads, budget, half_width, progress, measures_ceilings=per_layer)
    left = remaining(tasks, kind, setup.environment, known) if resume else tasks
    progress.start(len(tasks), len(tasks) - len(left))
    layered = per_layer and left
    measure_case = (
        _measure_layers(setup, progress) if layered else partial(measure, runner=setup.runner)
    )
    records = run(left, measure_case, record, progress)
    if not resume:
        return records
    return results(tasks, kind, setup.environment, [*known, *records])


def _measure_layers(setup: _Setup, progress: Progress) -> Callable[[LayerGraph, Case], Layers]:
    """Measures layers against the device's ceilings, which are measured now if they never were."""
    runner, known = setup.runner, setup.ceilings
    if known is None:
        known = ceilings(runner.device, threads=runner.threads, say=progress.say).ceilings
        runner = runner._replace(ceilings=known.rates)
    return partial(measure_layers, runner=runner, ceilings=known)


def run_ladder(
    graph: LayerGraph,
    batch: int,
    *,
    device: str | None,
    threads: int | None,
    budget: float,
    half_width: float,
    record: str | os.PathLike[str] | None,
    resume: bool,
    progress: Progress,
) -> list[LadderStep]:
    """Measure the steps of a ladder; with `resume`, behind those that the record already has.

    Raises InspectError where an argument or the record cannot be used.
    """
    checked_batch(batch)
    known = _known(record, resume)
    setup = _set_up(device, threads, budget, half_width, progress)
    names = [step.name for step in possible_steps(setup.runner.device)[0]]
    steps = steps_done(graph, batch, setup.environment, names, known) if resume else []
    progress.start(len(names), len(steps))
    for step in run_steps(graph, setup.runner, batch, progress.say, tuple(steps)):
        steps.append(keep(step, record, progress))
    return steps


def run_ceilings(
    device: str | None,
    *,
    threads: int | None,
    refresh: bool,
    record: str | os.PathLike[str] | None,
    progress: Progress,
) -> DeviceCeilings:
    """The ceilings of a device, stored or measured now; raises InspectError."""
    if record is not None:
        check_record(record)
    chosen = machine.device_named(device)
    _note_of_device(device, chosen.type, progress)
    progress.start(1)
    measurement = ceilings(chosen, threads=threads, refresh=refresh, say=progress.say)
    return keep(measurement, record, progress)


def _set_up(
    device: str | None,
    threads: int | None,
    budget: float,
    half_width: float,
    progress: Progress,
    measures_ceilings: bool = False,
) -> _Setup:
    """How to measure, with what the user should know of it said."""
    chosen = machine.device_named(device)
    least_warmup = LEAST_WARMUP[chosen.type]
    rule = StoppingRule(
        half_width=half_width,
        budget=budget,
        warmup=max(budget / 2, 2 * least_warmup),
        least_warmup=least_warmup,
    ).checked()
    with settings(threads=threads) as held:
        name = machine.describe(chosen).name
    _note_of_device(device, chosen.type, progress)
    stored = stored_ceilings(chosen, threads)
    if stored is None and not measures_ceilings:
        progress.note("for the share of this device's peak, run 'resnet-inspect device' once")
    known = stored.ceilings if stored is not None else None
    runner = Runner(chosen, rule, threads, known.rates if known is not None else None)
    return _Setup(runner, Environment(name, held.threads, str(torch.__version__)), known)


def _note_of_device(asked: str | None, kind: str, progress: Progress) -> None:
    """Say what is measured where it was not asked for, and what cannot be told of it."""
    if asked is None and kind == "cpu":
        progress.note(f"{machine.no_gpu()}, so the CPU is measured")
    if kind == "cuda" and find_spec("pynvml") is None:
        progress.note("clocks, temperature and energy need nvidia-ml-py; pip install nvidia-ml-py")


def _known(record: str | os.PathLike[str] | None, resume: bool) -> Sequence[Measurement]:
    """What the record holds, checked before anything is measured."""
    if record is not None:
        return check_record(record)
    if resume:
        raise InspectError("resume needs a record to continue; --record FILE names it")
    return ()
