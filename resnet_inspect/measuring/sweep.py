"""A grid of cases, measured one after another; what is finished is on the disk at once.

Pure: what measures a case is handed in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.measurement import Environment, Measurement
from resnet_inspect.measuring.progress import Progress
from resnet_inspect.measuring.records import (
    Case,
    CaseMeasurement,
    LadderStep,
    append,
    check_record,
    ladders,
    select,
)
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.op_data import fingerprint

Task = tuple[LayerGraph, Case]
Kind = TypeVar("Kind", bound=CaseMeasurement)
Kept = TypeVar("Kept", bound=Measurement)


class Session(NamedTuple):
    """Where measurements are taken and kept, and who is told. device, threads: None for torch's.

    record: a file to which each is added at once; resume: leave out what it holds.
    """

    device: str | None
    threads: int | None
    record: str | os.PathLike[str] | None
    resume: bool
    progress: Progress

    def known(self) -> Sequence[Measurement]:
        """What the record holds, checked before anything is measured; raises InspectError."""
        if self.record is not None:
            return check_record(self.record)
        if self.resume:
            raise InspectError("resume needs a record to continue; --record FILE names it")
        return ()

    def keep(self, measurement: Kept) -> Kept:
        """Save a measurement in the record, if there is one, then report it."""
        if self.record is not None:
            append(self.record, measurement)
        self.progress.done(measurement)
        return measurement


def grid(
    graphs: Sequence[LayerGraph],
    batches: Sequence[int] = (1,),
    dtypes: Sequence[str] = ("fp32",),
    memory_formats: Sequence[str] = ("nchw",),
    modes: Sequence[str] = ("eager",),
    step: str = "inference",
) -> list[Task]:
    """Every combination once; the last of these vary fastest."""
    tasks = [
        (graph, Case(graph.name, graph.input_shape, *settings, step))
        for graph in graphs
        for settings in product(batches, dtypes, memory_formats, modes)
    ]
    return list({_key(task): task for task in tasks}.values())


def remaining(
    tasks: Sequence[Task],
    kind: type[CaseMeasurement],
    environment: Environment,
    records: Sequence[Measurement],
) -> list[Task]:
    """The tasks that were not measured here before.

    Running out of memory is a result; what failed is tried again.
    """
    done = _last(kind, environment, [r for r in select(records, kind) if r.status != "failed"])
    return [task for task in tasks if _key(task) not in done]


def results(
    tasks: Sequence[Task],
    kind: type[Kind],
    environment: Environment,
    records: Sequence[Measurement],
) -> list[Kind]:
    """What was measured here of these tasks: the last of each, in the tasks' order."""
    last = _last(kind, environment, records)
    return [last[key] for key in map(_key, tasks) if key in last]


def _key(task: Task) -> tuple[Case, str]:
    return task[1], fingerprint(task[0])


def _last(
    kind: type[Kind], environment: Environment, records: Iterable[Measurement]
) -> dict[tuple[Case, str], Kind]:
    """The last measurement here of each case and network."""
    here = (one for one in select(records, kind) if Environment.of(one) == environment)
    return {(one.case, one.network): one for one in here}


def steps_done(
    graph: LayerGraph,
    batch: int,
    environment: Environment,
    names: Sequence[str],
    records: Sequence[Measurement],
) -> list[LadderStep]:
    """The steps of the latest ladder of a network here, if they are the first of `names`.

    None of a ladder without a baseline, on which nothing can be built.
    """
    wanted = fingerprint(graph), batch, environment
    latest: list[LadderStep] = []
    for steps in ladders(records):
        same = all((s.network, s.case.batch, Environment.of(s)) == wanted for s in steps)
        if same and steps[0].kept and [s.step for s in steps] == list(names[: len(steps)]):
            latest = steps
    return latest


def run(
    tasks: Sequence[Task], measure: Callable[[LayerGraph, Case], Kind], session: Session
) -> list[Kind]:
    """Measure the tasks in turn; each is kept before the next begins."""
    measurements = []
    for graph, case in tasks:
        session.progress.say(str(case))
        measurements.append(session.keep(measure(graph, case)))
    return measurements
