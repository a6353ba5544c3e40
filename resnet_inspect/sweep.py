"""A grid of cases, measured one after another; what is finished is on the disk at once.

Pure: what measures a case is handed in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from resnet_inspect.graph import LayerGraph
from resnet_inspect.measurements import Case, Measurement, append, climbs, identity, read

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


def finished(path: str | os.PathLike[str], kind: str, here: Here) -> set[tuple[Any, ...]]:
    """The keys of what a file holds already; raises FormatError for a file that is no record.

    Memory that ran out is a result; what failed is tried again.
    """
    if not Path(path).exists():
        return set()
    return {
        made.key
        for made in read(path)
        if made.kind == kind and made.status != "failed" and made.key[-3:] == here
    }


def remaining(
    tasks: Sequence[Task], kind: str, here: Here, done: Collection[tuple[Any, ...]]
) -> list[Task]:
    """The tasks that are not done."""
    return [
        (graph, case) for graph, case in tasks if (kind, case, identity(graph), *here) not in done
    ]


def climbed(
    path: str | os.PathLike[str], graph: LayerGraph, batch: int, here: Here, steps: Sequence[str]
) -> list[Measurement]:
    """The steps of the latest ladder of a network in a file, as far as they are these `steps`.

    None of one without a baseline, which there is nothing to go on from. Raises FormatError for a
    file that is no record.
    """
    if not Path(path).exists():
        return []
    wanted = (identity(graph), *here)
    found: list[Measurement] = []
    for climb in climbs(read(path)):
        same = all(made.key[2:] == wanted and made.case.batch == batch for made in climb)
        names = [made.fields["step"] for made in climb]
        if same and climb[0].fields["kept"] and names == list(steps[: len(names)]):
            found = climb
    return found


def run(
    tasks: Sequence[Task],
    measure: Callable[[LayerGraph, Case], Measurement],
    path: str | os.PathLike[str],
) -> Iterator[Measurement]:
    """Measure the tasks in turn; each measurement is in the file before it is handed out."""
    for graph, case in tasks:
        made = measure(graph, case)
        append(path, made)
        yield made
