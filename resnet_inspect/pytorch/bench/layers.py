"""Every layer of a network timed where it stands: with its own inputs, in running order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from resnet_inspect.counting.roofline import Ceilings, Roofline, roofline
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import Case, Measurement, record
from resnet_inspect.measuring.sampling import sample
from resnet_inspect.measuring.statistics import median
from resnet_inspect.networks.graph import INPUT, LayerGraph
from resnet_inspect.pytorch.assemble import FUNCTIONS
from resnet_inspect.pytorch.bench import workload as subject
from resnet_inspect.pytorch.bench.clock import Stopwatch, clock_of, collector_off
from resnet_inspect.pytorch.bench.runner import Bench, as_fields, trial


class _Call(NamedTuple):
    """One layer's call. last: the values that nothing after it reads."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    settings: tuple[Any, ...]
    last: tuple[str, ...]


class Walk:
    """A network run layer by layer, as its own forward does, with a mark between the layers.

    The end of one layer is the start of the next, so the times add up to the whole.
    """

    def __init__(self, model: nn.Module, graph: LayerGraph, clock: Stopwatch) -> None:
        self._calls = _calls(model, graph)
        self._output = graph.output.name
        self._clock = clock

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        values: dict[str, Any] = {INPUT: batch}
        mark = self._clock.mark
        mark()
        for name, function, inputs, extra, last in self._calls:
            values[name] = function(*[values[source] for source in inputs], *extra)
            for source in last:
                del values[source]
            mark()
        output: torch.Tensor = values[self._output]
        return output


def _calls(model: nn.Module, graph: LayerGraph) -> tuple[_Call, ...]:
    last = {source: layer.name for layer in graph.layers for source in layer.inputs}
    found = []
    for layer in graph.layers:
        if type(layer.op) in FUNCTIONS:
            function, extra = FUNCTIONS[type(layer.op)](layer.op)
        else:
            function, extra = model.get_submodule(layer.path), ()
        ending = tuple({s: None for s in layer.inputs if last[s] == layer.name and s != INPUT})
        found.append(_Call(layer.name, function, layer.inputs, extra, ending))
    return tuple(found)


def check_layers(graph: LayerGraph, case: Case) -> None:
    """Raise InspectError for a network or a case whose layers cannot be timed one by one."""
    if graph.maker is not None:
        raise InspectError(
            f"the layers of {graph.name}, which was traced, are calls of its own code and cannot "
            "be run one by one; leave out --per-layer"
        )
    if case.step != "inference":
        raise InspectError("layers are timed in inference; leave out --train, or --per-layer")
    if case.mode != "eager" or case.folded:
        raise InspectError(
            f"layers are timed in mode eager, not {case.mode}{' folded' if case.folded else ''}: "
            "code that was compiled or captured has none left"
        )


def measure_layers(graph: LayerGraph, case: Case, bench: Bench, ceilings: Ceilings) -> Measurement:
    """Time every layer of an eager inference pass, against what the ceilings allow.

    Raises InspectError for another mode or step, and for a case that the device cannot run.
    """
    check_layers(graph, case)
    found = roofline(graph, ceilings, case.batch, case.dtype)
    outcome, said = trial(graph, case, bench, partial(_run, graph, case, bench))
    times = (outcome.value or {}).pop("by_layer", [])
    return record(
        "layers",
        **said,
        **(outcome.value or {}),
        layers=_layers(found, times),
        roofline={
            key: getattr(found, key)
            for key in ("rate", "bandwidth", "cache_bandwidth", "floor", "fused_floor")
        },
    )


def _layers(found: Roofline, times: list[list[float]]) -> list[dict[str, Any]]:
    """The rows of the roofline with the seconds that each layer took in each pass."""
    return [
        {**row, "times": [round(seconds, 9) for seconds in column]}
        for row, column in zip(found.rows, times, strict=bool(times))
    ]


def _run(graph: LayerGraph, case: Case, bench: Bench) -> dict[str, Any]:
    """The whole network's times, and each layer's seconds in every pass."""
    model = subject.prepared(subject.network(graph, bench.device), graph, case)
    batches = subject.inputs(case, bench.device)
    clock, rule = clock_of(bench.device), bench.rule
    with subject.mode_of(case):
        step = subject.step(model, case, batches)
        found = sample(clock, step, rule)
        walk = Walk(model, graph, clock)
        walk(batches[0])
        clock.laps()
        # Whole and walk in turn, so that what else the machine does touches both alike.
        whole, passes = [], []
        start = clock.now()
        with collector_off():
            for number in range(len(found.times)):
                whole += clock.time(step, 1)
                walk(batches[number % len(batches)])
                passes.append(clock.laps())
                if clock.now() - start > 2 * rule.budget and len(passes) >= rule.least:
                    break
    return {
        **as_fields(found),
        "whole": median(whole),
        "of_whole": median([sum(laps) / run for laps, run in zip(passes, whole, strict=True)]),
        "by_layer": [list(column) for column in zip(*passes, strict=True)],
    }
