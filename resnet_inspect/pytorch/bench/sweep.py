"""A sweep, a ladder or a device's ceilings, from the arguments of the call to the records.

All that can be refused is refused before anything is measured; each measurement is in the record
before the next begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec

import torch

from resnet_inspect.counting.costs import checked_batch
from resnet_inspect.measuring.measurement import Environment
from resnet_inspect.measuring.records import (
    CaseMeasurement,
    DeviceCeilings,
    LadderStep,
    Latency,
    Layers,
)
from resnet_inspect.measuring.sampling import StoppingRule
from resnet_inspect.measuring.sweep import Session, Task, remaining, results, run, steps_done
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


def run_sweep(
    tasks: Sequence[Task], session: Session, budget: float, half_width: float, per_layer: bool
) -> list[CaseMeasurement]:
    """Measure cases one after another; to resume, also give what the record already has.

    Raises InspectError where an argument, a case or the record cannot be used.
    """
    for graph in {id(graph): graph for graph, case in tasks if case.step == "training"}.values():
        workload.check_trainable(graph)
    chosen = machine.device_named(session.device)
    for graph, case in tasks:
        workload.check(case, chosen)
        if per_layer:
            check_layers(graph, case)
    kind: type[CaseMeasurement] = Layers if per_layer else Latency
    known = session.known()
    runner, here = _set_up(session, budget, half_width, measures_ceilings=per_layer)
    left = remaining(tasks, kind, here, known) if session.resume else tasks
    session.progress.start(len(tasks), len(tasks) - len(left))
    if per_layer and left and runner.ceilings is None:
        best = ceilings(runner.device, threads=runner.threads, say=session.progress.say)
        runner = runner._replace(ceilings=best.ceilings)
    measure_case = measure_layers if per_layer else measure
    records = run(left, partial(measure_case, runner=runner), session)
    return results(tasks, kind, here, [*known, *records]) if session.resume else records


def run_ladder(
    graph: LayerGraph, batch: int, session: Session, budget: float, half_width: float
) -> list[LadderStep]:
    """Measure the steps of a ladder; to resume, behind those that the record already has.

    Raises InspectError where an argument or the record cannot be used.
    """
    checked_batch(batch)
    known = session.known()
    runner, here = _set_up(session, budget, half_width)
    names = [step.name for step in possible_steps(runner.device)[0]]
    steps = steps_done(graph, batch, here, names, known) if session.resume else []
    session.progress.start(len(names), len(steps))
    for step in run_steps(graph, runner, batch, session.progress.say, tuple(steps)):
        steps.append(session.keep(step))
    return steps


def run_ceilings(session: Session, refresh: bool) -> DeviceCeilings:
    """The ceilings of a device, stored or measured now; raises InspectError."""
    session.known()
    chosen = machine.device_named(session.device)
    _note_of_device(session, chosen.type)
    session.progress.start(1)
    say = session.progress.say
    return session.keep(ceilings(chosen, threads=session.threads, refresh=refresh, say=say))


def _set_up(
    session: Session, budget: float, half_width: float, measures_ceilings: bool = False
) -> tuple[Runner, Environment]:
    """How to measure, with what the user should know of it said."""
    chosen, threads = machine.device_named(session.device), session.threads
    least_warmup = LEAST_WARMUP[chosen.type]
    rule = StoppingRule(
        half_width=half_width,
        budget=budget,
        warmup=max(budget / 2, 2 * least_warmup),
        least_warmup=least_warmup,
    ).checked()
    with settings(threads=threads) as held:
        name = machine.describe(chosen).name
    _note_of_device(session, chosen.type)
    stored = stored_ceilings(chosen, threads)
    if stored is None and not measures_ceilings:
        session.progress.note(
            "for the share of this device's peak, run 'resnet-inspect device' once"
        )
    runner = Runner(chosen, rule, threads, stored.ceilings if stored is not None else None)
    return runner, Environment(name, held.threads, str(torch.__version__))


def _note_of_device(session: Session, kind: str) -> None:
    """Say what is measured where it was not asked for, and what cannot be told of it."""
    note = session.progress.note
    if session.device is None and kind == "cpu":
        note(f"{machine.no_gpu()}, so the CPU is measured")
    if kind == "cuda" and find_spec("pynvml") is None:
        note("clocks, temperature and energy need nvidia-ml-py; pip install nvidia-ml-py")
