"""Layers timed one by one."""

from __future__ import annotations

import pytest
import torch
from benching import CASE, CPU, GRAPH, RUNNER
from msgspec.structs import replace
from torch import nn

import resnet_inspect as ri
from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import Layers, append, read
from resnet_inspect.pictures.plots.measurements import measurement_plots
from resnet_inspect.pytorch.bench import workload
from resnet_inspect.pytorch.bench.clock import WallClock
from resnet_inspect.pytorch.bench.latency import measure
from resnet_inspect.pytorch.bench.layers import Walk, measure_layers
from resnet_inspect.tables.measurements import measurements
from resnet_inspect.tables.roofline import table
from resnet_inspect.tables.writers import FORMATS


def test_a_walk_is_the_network_with_marks_between_layers() -> None:
    for name in ("seresnet18", "resnet20_cifar", "resnetv2_18"):
        graph = ri.graph(name, (3, 32, 32))
        model, clock = workload.network(graph, CPU), WallClock()
        example = torch.randn(2, *graph.input_shape)
        with torch.inference_mode():
            assert torch.equal(Walk(model, graph, clock)(example), model(example))
        assert len(clock.laps()) == len(graph.layers)
        assert clock.laps() == []


CEILINGS = Ceilings("a device", "cpu", {"fp32": 1e15}, ((1 << 20, 1e15),), 1e-6)
BOUND = RUNNER._replace(ceilings=CEILINGS)


def test_layers_are_measured_against_their_least_time() -> None:
    append("l.jsonl", measure_layers(GRAPH, CASE, BOUND))
    (record,) = read("l.jsonl")
    assert isinstance(record, Layers)
    assert record.status == "ok", record.reason
    bounds = record.roofline
    assert [row.name for row in bounds.rows] == [layer.name for layer in GRAPH.layers]
    for level in ("layer", "block", "stage"):
        shown = table(bounds, level)
        assert shown.total is not None
        assert sum(row["measured"] for row in shown.rows) == pytest.approx(shown.total["measured"])  # type: ignore[misc]
        assert all(row["lost"] >= 0 for row in shown.rows)  # type: ignore[operator]
        assert "Lost most: " in shown.notes[0]
    for wrong in ({"mode": "compile"}, {"step": "training"}, {"folded": True}):
        with pytest.raises(InspectError, match="layers are timed in"):
            measure_layers(GRAPH, replace(CASE, **wrong), BOUND)  # type: ignore[arg-type]


def test_layers_that_do_not_fit_are_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(workload, "inputs", no_memory)
    made = measure_layers(GRAPH, CASE, BOUND)
    assert made.status == "out of memory"
    assert made.layers == ()
    sheet = measurements([made, measure_layers(GRAPH, CASE, BOUND)])
    for format in FORMATS:
        assert "out of memory" in sheet.to_text(format)
    assert measurement_plots([made]) == []
    assert measure(GRAPH, CASE, RUNNER).status == "out of memory"


def test_layers_of_a_traced_network_are_refused_before_it_runs() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    with pytest.raises(InspectError, match="calls of its own code"):
        ri.bench(module, input_shape=(3, 8, 8), per_layer=True, device="cpu")
