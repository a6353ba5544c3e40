"""A device with its rule and ceilings, ready to measure the cases of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from resnet_inspect.errors import InspectError
from resnet_inspect.graph import LayerGraph
from resnet_inspect.measurements import Case, Measurement, ceilings_of
from resnet_inspect.pytorch import machine, subject
from resnet_inspect.pytorch.ceilings import ceilings, kept_ceilings
from resnet_inspect.pytorch.ladder import climb, rungs
from resnet_inspect.pytorch.latency import Bench, measure
from resnet_inspect.pytorch.layers import check_layers, measure_layers
from resnet_inspect.pytorch.settings import settings
from resnet_inspect.roofline import Ceilings
from resnet_inspect.sampling import Rule
from resnet_inspect.sweep import Here, Task, climbed, of_tasks, remaining

LEAST_WARMUP = {"cuda": 1.0, "cpu": 0.0}
"""Seconds: a GPU's clocks and power settle more slowly than two short windows can tell."""


class Sweep(NamedTuple):
    """kind: of the records, 'latency' or 'layers'."""

    bench: Bench
    here: Here
    kind: str
    ceilings: Ceilings | None

    @classmethod
    def of(
        cls,
        device: str | None = None,
        *,
        threads: int | None = None,
        budget: float = 10.0,
        half_width: float = 0.01,
        per_layer: bool = False,
        cross_check: bool = False,
    ) -> Sweep:
        """On a device by name (default: a GPU where there is one); raises InspectError.

        Layers are held against ceilings, which are measured now if this device has none yet.
        """
        chosen = machine.device_named(device)
        if threads is not None and threads < 1:
            raise InspectError(f"threads is {threads}; give 1 or more")
        least_warmup = LEAST_WARMUP[chosen.type]
        rule = Rule(
            half_width=half_width,
            budget=budget,
            warmup=max(budget / 2, 2 * least_warmup),
            least_warmup=least_warmup,
        ).checked()
        with settings(threads=threads) as held:
            name = machine.describe(chosen)["name"]
        kept = kept_ceilings(chosen, threads)
        if kept is None and per_layer:
            kept = ceilings(chosen, threads=threads)
        found = ceilings_of(kept) if kept is not None else None
        rates = found.rates if found is not None else None
        bench = Bench(chosen, rule, threads, rates, cross_check)
        here = Here(name, held["threads"], torch.__version__)
        return cls(bench, here, "layers" if per_layer else "latency", found)

    def check(self, tasks: Sequence[Task]) -> None:
        """Raise InspectError where a case cannot run at all, before any has run."""
        for _, case in tasks:
            subject.check(case, self.bench.device)
            if self.kind == "layers":
                check_layers(case)

    def left(self, tasks: Sequence[Task], found: Sequence[Measurement]) -> list[Task]:
        """Those of the tasks that were not measured here."""
        return remaining(tasks, self.kind, self.here, found)

    def of_these(self, tasks: Sequence[Task], found: Sequence[Measurement]) -> list[Measurement]:
        """What was measured of these tasks here."""
        return of_tasks(tasks, self.kind, self.here, found)

    def climbed(
        self, graph: LayerGraph, batch: int, found: Sequence[Measurement]
    ) -> list[Measurement]:
        """The steps of the latest ladder here."""
        return climbed(graph, batch, self.here, self.rungs, found)

    def measure(self, graph: LayerGraph, case: Case) -> Measurement:
        """Measure one case."""
        if self.kind == "latency":
            return measure(graph, case, self.bench)
        assert self.ceilings is not None
        return measure_layers(graph, case, self.bench, self.ceilings)

    def ladder(
        self,
        graph: LayerGraph,
        batch: int,
        progress: Callable[[str], None],
        done: Sequence[Measurement] = (),
    ) -> Iterator[Measurement]:
        """Climb the ladder, behind the steps that are done."""
        return climb(graph, self.bench, batch, progress, done)

    @property
    def rungs(self) -> list[str]:
        """The steps that the ladder has here."""
        return [rung.name for rung in rungs(self.bench.device)[0]]
