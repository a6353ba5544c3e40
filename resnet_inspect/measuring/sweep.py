"""A grid of cases, measured one after another; what is finished is on the disk at once.

Pure: what measures a case is handed in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from resnet_inspect.measuring.records import Case, Measurement, append, climbs, identity
from resnet_inspect.networks.graph import LayerGraph

Task = tuple[LayerGraph, Case]


class Here(NamedTuple):
    """What a measurement that counts as the same one was made on."""

    device: str
    threads: int
    torch: str


def grid(
    graphs: Sequence[LayerGraph],
    batches: Sequence[int] = (1,),
    dtypes: Sequence[str] = ("fp32",),
    memory_formats: Sequence[str] = ("nchw",),
    modes: Sequence[str] = ("eager",),
    step: str = "inference",
) -> list[Task]:
    """Every combination once; the last of these vary fastest."""
    cases = {
        (identity(graph), case): (graph, case)
        for graph, batch, dtype, layout, mode in product(
            graphs, batches, dtypes, memory_formats, modes
        )
        for case in [Case(graph.name, graph.input_shape, batch, dtype, layout, mode, step)]
    }
    return list(cases.values())


def remaining(
    tasks: Sequence[Task], kind: str, here: Here, found: Sequence[Measurement]
) -> list[Task]:
    """The tasks that were not measured here before.

    Memory that ran out is a result; what failed is tried again.
    """
    done = {made.key for made in found if made.kind == kind and made.status != "failed"}
    return [task for task in tasks if _key(task, kind, here) not in done]


def of_tasks(
    tasks: Sequence[Task], kind: str, here: Here, found: Sequence[Measurement]
) -> list[Measurement]:
    """What was measured here of these tasks: of each the last, in the tasks' order."""
    last = {made.key: made for made in found if made.kind == kind}
    keys = [_key(task, kind, here) for task in tasks]
    return [last[key] for key in keys if key in last]


def _key(task: Task, kind: str, here: Here) -> tuple[Any, ...]:
    graph, case = task
    return (kind, case, identity(graph), *here)


def climbed(
    graph: LayerGraph, batch: int, here: Here, steps: Sequence[str], found: Sequence[Measurement]
) -> list[Measurement]:
    """The steps of the latest ladder of a network here, as far as they are these `steps`.

    None of one without a baseline, which there is nothing to go on from.
    """
    wanted = (identity(graph), *here)
    latest: list[Measurement] = []
    for climb in climbs(found):
        same = all(made.key[2:] == wanted and made.case.batch == batch for made in climb)
        names = [made.fields["step"] for made in climb]
        if same and climb[0].fields["kept"] and names == list(steps[: len(names)]):
            latest = climb
    return latest


def run(
    tasks: Sequence[Task],
    measure: Callable[[LayerGraph, Case], Measurement],
    path: str | os.PathLike[str] | None,
) -> Iterator[Measurement]:
    """Measure the tasks in turn; each is in the file, if there is one, before it is handed out."""
    for graph, case in tasks:
        made = measure(graph, case)
        if path is not None:
            append(path, made)
        yield made
