"""A sweep, a ladder or a device's ceilings, from the arguments of the call to the records.

All that can be refused is refused before anything is measured; each measurement is in the record
before the next begins.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

import torch

from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.ceilings import ceilings_of
from resnet_inspect.measuring.progress import Progress
from resnet_inspect.measuring.records import Measurement, append, existing
from resnet_inspect.measuring.sampling import Rule
from resnet_inspect.measuring.sweep import Here, Task, climbed, of_tasks, remaining
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.bench import machine, workload
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.bench.ceilings import ceilings, kept_ceilings
from resnet_inspect.pytorch.bench.ladder import climb, rungs
from resnet_inspect.pytorch.bench.latency import measure
from resnet_inspect.pytorch.bench.layers import check_layers, measure_layers
from resnet_inspect.pytorch.bench.runner import Bench

LEAST_WARMUP = {"cuda": 1.0, "cpu": 0.0}
"""Seconds: a GPU's clocks and power settle more slowly than two short windows can tell."""


class _Setup(NamedTuple):
    """How to measure here. ceilings: None where the device has none that are stored."""

    bench: Bench
    here: Here
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
) -> list[Measurement]:
    """Measure cases one after another; with `resume`, also give what the record already has.

    Raises InspectError where an argument, a case or the record cannot be used.
    """
    bench, here, known_ceilings = _set_up(device, threads, budget, half_width, progress)
    if known_ceilings is None and not per_layer:
        progress.note(_NO_CEILINGS)
    for graph, case in tasks:
        workload.check(case, bench.device)
        if per_layer:
            check_layers(graph, case)
    known = _known(record, resume)
    if per_layer and known_ceilings is None:
        known_ceilings = ceilings_of(ceilings(bench.device, threads=threads, progress=progress.say))
        bench = bench._replace(ceilings=known_ceilings.rates)
    kind = "layers" if per_layer else "latency"
    left = remaining(tasks, kind, here, known) if resume else tasks
    progress.start(len(tasks), len(tasks) - len(left))
    records = []
    for graph, case in left:
        progress.say(str(case))
        if per_layer:
            assert known_ceilings is not None
            measurement = measure_layers(graph, case, bench, known_ceilings)
        else:
            measurement = measure(graph, case, bench)
        records.append(_keep(measurement, record, progress))
    return of_tasks(tasks, kind, here, [*known, *records]) if resume else records


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
) -> list[Measurement]:
    """Measure the steps of a ladder; with `resume`, behind those that the record already has.

    Raises InspectError where an argument or the record cannot be used.
    """
    bench, here, known_ceilings = _set_up(device, threads, budget, half_width, progress)
    if known_ceilings is None:
        progress.note(_NO_CEILINGS)
    known = _known(record, resume)
    names = [rung.name for rung in rungs(bench.device)[0]]
    steps = climbed(graph, batch, here, names, known) if resume else []
    progress.start(len(names), len(steps))
    for step in climb(graph, bench, batch, progress.say, tuple(steps)):
        steps.append(_keep(step, record, progress))
    return steps


def run_ceilings(
    device: str | None,
    *,
    threads: int | None,
    refresh: bool,
    record: str | os.PathLike[str] | None,
    progress: Progress,
) -> Measurement:
    """The ceilings of a device, stored or measured now; raises InspectError."""
    if record is not None:
        existing(record)
    chosen = machine.device_named(device)
    _note_of_device(device, chosen.type, progress)
    progress.start(1)
    measurement = ceilings(chosen, threads=threads, refresh=refresh, progress=progress.say)
    return _keep(measurement, record, progress)


_NO_CEILINGS = "for the share of this device's peak, run 'resnet-inspect device' once"


def _set_up(
    device: str | None, threads: int | None, budget: float, half_width: float, progress: Progress
) -> _Setup:
    chosen = machine.device_named(device)
    least_warmup = LEAST_WARMUP[chosen.type]
    rule = Rule(
        half_width=half_width,
        budget=budget,
        warmup=max(budget / 2, 2 * least_warmup),
        least_warmup=least_warmup,
    ).checked()
    with settings(threads=threads) as held:
        name = machine.describe(chosen)["name"]
    _note_of_device(device, chosen.type, progress)
    stored = kept_ceilings(chosen, threads)
    known = ceilings_of(stored) if stored is not None else None
    bench = Bench(chosen, rule, threads, known.rates if known is not None else None)
    return _Setup(bench, Here(name, held["threads"], torch.__version__), known)


def _note_of_device(asked: str | None, kind: str, progress: Progress) -> None:
    """Say what is measured where it was not asked for, and what cannot be told of it."""
    if asked is None and kind == "cpu":
        progress.note(f"{machine.no_gpu()}, so the CPU is measured")
    if kind == "cuda" and find_spec("pynvml") is None:
        progress.note(
            "clocks, temperature and energy need nvidia-ml-py; pip install 'resnet-inspect[nvidia]'"
        )


def _known(record: str | os.PathLike[str] | None, resume: bool) -> Sequence[Measurement]:
    """What the record holds, checked before anything is measured."""
    if record is not None:
        return existing(record)
    if resume:
        raise InspectError("resume needs a record to continue")
    return ()


def _keep(
    measurement: Measurement, record: str | os.PathLike[str] | None, progress: Progress
) -> Measurement:
    """Save a measurement, then report it."""
    if record is not None:
        append(record, measurement)
    progress.done(measurement)
    return measurement
