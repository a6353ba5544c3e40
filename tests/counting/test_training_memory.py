"""The timeline of a training step against torch's MemTracker, to the byte, and its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks
from tracked import tracked_peak

import resnet_inspect as ri
from resnet_inspect.counting import kept
from resnet_inspect.counting.memory import live_bytes, memory
from resnet_inspect.counting.training_memory import inference_memory, training_memory
from resnet_inspect.counting.training_step import OPTIMIZERS, Settings
from resnet_inspect.errors import UnknownNameError
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.tables.columns import show_bytes

CASES = [
    ("resnet18", 32, Settings("sgd", "fp32")),
    ("resnet18", 4, Settings("adam", "amp-bf16", "block")),
    ("resnet18", 32, Settings("adamw", "fp32", "stage", decay=True)),
    ("resnet20_cifar", 128, Settings("momentum", "amp-bf16", "stage")),
    ("resnet20_cifar", 128, Settings("adam", "fp32", "block", accumulate=True)),
    ("resnet10t", 16, Settings("momentum", "fp32", decay=True)),
    ("seresnet18", 16, Settings("momentum", "amp-bf16", "block")),
    ("seresnet18", 16, Settings("adamw", "fp32", "none", "loop")),
    ("resnetv2_18d", 16, Settings("sgd", "amp-bf16", "block", accumulate=True)),
    ("plain18", 8, Settings("momentum", "amp-bf16", decay=True)),
]


@pytest.mark.parametrize(("name", "batch", "settings"), CASES)
def test_the_peak_is_what_mem_tracker_counts(
    name: str, batch: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if settings.dtype != "fp32":  # the CPU keeps batch statistics of half precision in half
        monkeypatch.setattr(kept, "STATISTIC", 2)
    graph = layer_graph(ri.spec(name))
    assert training_memory(graph, settings).peak(batch) == tracked_peak(graph, settings, batch)


def test_resnet50_holds_what_is_known() -> None:
    timeline = training_memory(ri.graph("resnet50"), Settings("momentum", "fp32"))
    assert timeline.peak(32) == 2_968_342_160
    point = timeline.peak_at(32)
    assert (point.phase, point.layer) == ("backward", "layer4.2.relu3")
    assert show_bytes(sum(point.held(32).values()) - point.held(32)["input"]) == "2.8 GiB"


SETTINGS = st.builds(
    Settings,
    st.sampled_from(list(OPTIMIZERS)),
    st.sampled_from([None, "bf16", "amp-fp16"]),
    st.sampled_from(["none", "block", "stage"]),
    st.sampled_from(["foreach", "fused", "loop"]),
    st.booleans(),
)


@given(networks(largest=40), SETTINGS, st.integers(1, 9), st.integers(0, 2**24))
def test_the_largest_batch_is_the_last_that_fits(
    network: tuple[ResNetSpec, Shape], settings: Settings, batch: int, more: int
) -> None:
    timeline = training_memory(layer_graph(*network), settings)
    budget = timeline.total(batch) + more
    largest = timeline.largest_batch(budget)
    assert largest >= batch
    assert timeline.total(largest) <= budget < timeline.total(largest + 1)
    assert timeline.largest_batch(timeline.total(1) - 1) == 0


@given(networks(largest=40), SETTINGS)
def test_a_step_begins_and_ends_with_what_is_kept(
    network: tuple[ResNetSpec, Shape], settings: Settings
) -> None:
    graph = layer_graph(*network)
    points = training_memory(graph, settings).points
    need = memory(graph, dtype="bf16" if settings.dtype == "bf16" else "fp32")
    assert {point.phase for point in points} == {"forward", "backward", "optimizer"}
    for point in (points[0], points[-1]):
        held = point.held(1)
        assert held["weights"] == need.weights
        assert held["buffers"] == need.buffers
    assert points[-1].held(1)["gradients"] == need.gradients
    assert points[-1].held(1)["casts"] == 0
    assert points[-1].held(1)["activations"] <= 4  # the loss
    assert points[0].held(1)["gradients"] == need.gradients * settings.accumulate


def test_running_again_holds_less() -> None:
    graph = ri.graph("resnet50")
    none, block, stage = [
        training_memory(graph, Settings(checkpoint=by)) for by in ("none", "block", "stage")
    ]
    assert block.peak(32) < stage.peak(32) < none.peak(32)
    assert len(none.points) < len(block.points) == len(stage.points)


@given(networks(largest=40), st.sampled_from(["fp32", "bf16"]))
def test_inference_holds_what_is_alive(network: tuple[ResNetSpec, Shape], dtype: str) -> None:
    graph = layer_graph(*network)
    timeline, need = inference_memory(graph, dtype), memory(graph, 3, dtype)
    held = need.weights + need.buffers
    assert [level - held for level in timeline.curve(3)] == list(live_bytes(graph, 3, dtype))
    assert timeline.total(3) == need.inference


def test_unknown_settings_are_named() -> None:
    graph = ri.graph("resnet18")
    for wrong in (
        Settings("adan"),
        Settings(dtype="amp-bf61"),
        Settings(checkpoint="blocks"),
        Settings(stepping="for"),
    ):
        with pytest.raises(UnknownNameError):
            training_memory(graph, wrong)
