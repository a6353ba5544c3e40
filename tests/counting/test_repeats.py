"""What is counted once for a block that repeats, against a walk over every layer of the network."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks

from resnet_inspect.counting import memory as memories
from resnet_inspect.counting.costs import graph_cost, spec_cost, total
from resnet_inspect.counting.memory import live_bytes, memory, saved_for_backward
from resnet_inspect.errors import ShapeError
from resnet_inspect.networks.graph import INPUT, LayerGraph, Stage
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.tables.network import LEVELS, table


@st.composite
def deep(draw: st.DrawFn) -> LayerGraph:
    """A network whose stages have one to six blocks, or pairs of them."""
    spec, shape = draw(networks())
    each = 2 if spec.block == "mobileone" else 1
    counts = tuple(each * draw(st.integers(1, 6)) for _ in spec.blocks)
    return layer_graph(replace(spec, blocks=counts, attention_blocks=()), shape)


def listed(graph: LayerGraph) -> LayerGraph:
    """The same layers, of which nobody says that some are repeats."""
    stages = [Stage(stage.name, stage.path, stage.blocks) for stage in graph.stages]
    return LayerGraph(graph.name, graph.input_shape, tuple(stages))


@given(deep())
def test_repeats_are_wired_like_any_block(graph: LayerGraph) -> None:
    sizes = {INPUT: graph.input_shape}
    for layer in graph.layers:
        assert layer.input_shapes == tuple(sizes[source] for source in layer.inputs)
        assert layer.output_shape == layer.op.output_shape(*layer.input_shapes)
        sizes[layer.name] = layer.output_shape
    assert len(sizes) == len(graph.layers) + 1  # no two have the same name
    assert [stage.leaving.name for stage in graph.stages] == [
        stage.output.name for stage in graph.stages
    ]
    assert graph == listed(graph)
    assert hash(graph) == hash(listed(graph))


@given(deep(), st.integers(1, 9))
def test_cost_is_that_of_all_layers(graph: LayerGraph, batch: int) -> None:
    every = total(graph.layers, batch)
    assert graph_cost(graph, batch) == every
    assert graph_cost(listed(graph), batch) == every
    assert graph.spec is not None
    assert spec_cost(graph.spec, graph.input_shape, batch) == every


@given(deep(), st.integers(1, 9), st.sampled_from(["fp32", "bf16"]))
def test_memory_is_that_of_all_layers(graph: LayerGraph, batch: int, dtype: str) -> None:
    whole = listed(graph)
    assert memory(graph, batch, dtype) == memory(whole, batch, dtype)
    for training in (False, True):
        saved = saved_for_backward(graph, batch, dtype, training)
        assert saved == saved_for_backward(whole, batch, dtype, training)
    assert memory(graph, batch, dtype).inference_peak == max(live_bytes(graph, batch, dtype))


@given(deep(), st.sampled_from(LEVELS), st.booleans())
def test_rows_are_those_of_all_layers(graph: LayerGraph, level: str, all_ops: bool) -> None:
    ours, every = (table(each, level, all_ops=all_ops) for each in (graph, listed(graph)))
    assert ours.records() == every.records()
    assert ours.total == every.total
    assert [note for note in ours.notes if note in every.notes] == list(every.notes)


def test_memory_grows_by_the_same_for_each_block() -> None:
    saved = [memory(layer_graph(ResNetSpec(blocks=(n, 1), widths=(8, 8)))).saved for n in (2, 3, 9)]
    assert saved[2] - saved[1] == 6 * (saved[1] - saved[0])
    # Two convolutions and two batch norms, each of whose inputs is one map in fp32; batch norm's
    # mean and inverse deviation for each of 8 channels.
    assert saved[1] - saved[0] == 4 * elements((8, 56, 56)) * 4 + 2 * 2 * 8 * 4


def test_a_cost_without_layers_raises_what_the_graph_raises() -> None:
    spec = ResNetSpec(name="mine", in_channels=3)
    for shape in ((3, 0, 9), (1, 9, 9)):
        with pytest.raises(ShapeError) as expected:
            layer_graph(spec, shape)
        with pytest.raises(ShapeError) as caught:
            spec_cost(spec, shape)
        assert str(caught.value) == str(expected.value)


def test_facts_are_worked_out_once_and_not_copied() -> None:
    graph = layer_graph(ResNetSpec())
    assert memories.storages(graph) is memories.storages(graph)
    assert memories.storages(graph, True) is not memories.storages(graph)
    assert "facts" not in vars(replace(graph))
