"""A device with its rule and ceilings, ready to measure the cases of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.ceilings import ceilings_of
from resnet_inspect.measuring.records import Case, Measurement
from resnet_inspect.measuring.sampling import Rule
from resnet_inspect.measuring.sweep import Here, Task, climbed, of_tasks, remaining
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.bench import machine
from resnet_inspect.pytorch.bench import workload as subject
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.bench.ceilings import ceilings, kept_ceilings
from resnet_inspect.pytorch.bench.ladder import climb, rungs
from resnet_inspect.pytorch.bench.latency import measure
from resnet_inspect.pytorch.bench.layers import check_layers, measure_layers
from resnet_inspect.pytorch.bench.runner import Bench

LEAST_WARMUP = {"cuda": 1.0, "cpu": 0.0}
"""Seconds: a GPU's clocks and power settle more slowly than two short windows can tell."""


class Sweep(NamedTuple):
    """kind: of the records, 'latency' or 'layers', which also need ceilings."""

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
        """On a device by name (default: a GPU where there is one); raises InspectError."""
        if per_layer and cross_check:
            raise InspectError("layers have no other timer; leave out --cross-check or --per-layer")
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
        here = Here(name, held["threads"], torch.__version__)
        bench = Bench(chosen, rule, threads, cross_check=cross_check)
        made = cls(bench, here, "layers" if per_layer else "latency", None)
        return made._under(kept_ceilings(chosen, threads))

    def _under(self, kept: Measurement | None) -> Sweep:
        if kept is None:
            return self
        found = ceilings_of(kept)
        return self._replace(bench=self.bench._replace(ceilings=found.rates), ceilings=found)

    def with_ceilings(self, progress: Callable[[str], None] = lambda _: None) -> Sweep:
        """With what the device does at best, measured now (and stored) if it never was."""
        if self.ceilings is not None:
            return self
        bench = self.bench
        return self._under(ceilings(bench.device, threads=bench.threads, progress=progress))

    def check(self, tasks: Sequence[Task]) -> None:
        """Raise InspectError where a case cannot run at all, before any has run."""
        for graph, case in tasks:
            subject.check(case, self.bench.device)
            if self.kind == "layers":
                check_layers(graph, case)

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
        if self.ceilings is None:
            raise InspectError("layers are held against ceilings, and there are none yet")
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
