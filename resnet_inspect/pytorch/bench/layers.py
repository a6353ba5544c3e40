"""Every layer of a network timed in place: with its own inputs, in running order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import nn

from resnet_inspect.counting.roofline import Row, roofline
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import Case, Layers, LayerTimes
from resnet_inspect.measuring.sampling import sample
from resnet_inspect.networks.graph import INPUT, LayerGraph
from resnet_inspect.networks.op_data import op_data
from resnet_inspect.pytorch.assemble import FUNCTIONS
from resnet_inspect.pytorch.bench import workload
from resnet_inspect.pytorch.bench.clock import Stopwatch, clock_of, collector_off
from resnet_inspect.pytorch.bench.runner import Runner, rounded, trial


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
    calls = []
    for layer in graph.layers:
        if type(layer.op) in FUNCTIONS:
            function, extra = FUNCTIONS[type(layer.op)](layer.op)
        else:
            function, extra = model.get_submodule(layer.path), ()
        ending = tuple({s: None for s in layer.inputs if last[s] == layer.name and s != INPUT})
        calls.append(_Call(layer.name, function, layer.inputs, extra, ending))
    return tuple(calls)


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
            "compiled or captured code has no layers"
        )


def measure_layers(graph: LayerGraph, case: Case, runner: Runner) -> Layers:
    """Time every layer of an eager inference pass, against what the runner's ceilings allow.

    Raises InspectError for another mode or step, and for a case that the device cannot run.
    """
    check_layers(graph, case)
    assert runner.ceilings is not None
    bounds = roofline(graph, runner.ceilings, case.batch, case.dtype)
    timed = partial(_timed, graph, case, runner, bounds.rows)
    measured, facts = trial(graph, case, runner, timed)
    return Layers(
        **facts | (measured or {"whole": None, "of_whole": None, "layers": ()}),
        rate=bounds.rate,
        bandwidth=bounds.bandwidth,
        cache_bandwidth=bounds.cache_bandwidth,
        floor=bounds.floor,
        fused_floor=bounds.fused_floor,
    )


def _layer(row: Row, times: Sequence[float]) -> LayerTimes:
    """A row of the roofline with the seconds that its layer took in each pass."""
    counts = row._asdict()
    (op,) = counts.pop("ops")
    del counts["measured"]
    return LayerTimes(**counts, op=op_data(op), times=tuple(round(time, 9) for time in times))


def _timed(graph: LayerGraph, case: Case, runner: Runner, rows: Sequence[Row]) -> dict[str, Any]:
    """The fields of a Layers that only a case that ran has."""
    model = workload.prepared(workload.network(graph, runner.device), graph, case)
    batches = workload.inputs(graph, model, case, runner.device)
    clock, rule = clock_of(runner.device), runner.rule
    with workload.mode_of(case):
        step = workload.step(model, case, batches)
        times = sample(clock, step, rule)
        walk = Walk(model, graph, clock)
        walk(*batches[0].args)
        clock.laps()
        # Whole and walk in turn, so that what else the machine does touches both alike.
        whole, passes = [], []
        start = clock.now()
        with collector_off():
            for number in range(len(times.times)):
                whole += clock.time(step, 1)
                walk(*batches[number % len(batches)].args)
                passes.append(clock.laps())
                if clock.now() - start > 2 * rule.budget and len(passes) >= rule.least:
                    break
    return {
        "sample": rounded(times),
        "whole": median(whole),
        "of_whole": median([sum(laps) / run for laps, run in zip(passes, whole, strict=True)]),
        "layers": tuple(map(_layer, rows, zip(*passes, strict=True))),
    }
