"""Laws that hold for every network: the graph, its costs and the assembled model agree."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add
from types import ModuleType

import flat
import pytest
import torch
from graphs import GraphBuilder
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import networks
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from resnet_inspect.counting import (
    costs,
    receptive_field,
    torch_op_rules,  # noqa: F401  (registers rules)
)
from resnet_inspect.counting.dtypes import canonical_dtype
from resnet_inspect.counting.kept import saved_tensors
from resnet_inspect.counting.memory import live_bytes, saved_for_backward
from resnet_inspect.errors import UnknownNameError
from resnet_inspect.networks import ops, zoo
from resnet_inspect.networks import torch_ops as foreign
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph
from resnet_inspect.networks.parallel import PARALLEL
from resnet_inspect.networks.parts import depth
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape, elements
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.wiring import shortcut
from resnet_inspect.pytorch import assemble

Network = tuple[ResNetSpec, Shape]


def on_meta(graph: LayerGraph) -> nn.Module:
    with torch.device("meta"):
        return assemble.assemble(graph).eval()


@given(networks(), st.integers(1, 3))
def test_shapes_are_those_of_the_model_call_by_call(network: Network, batch: int) -> None:
    graph = layer_graph(*network)
    model = flat.flattened(on_meta(graph))
    results = flat.outputs(model, torch.empty(batch, *graph.input_shape, device="meta"))
    assert [tuple(result.shape) for result in results] == [
        (batch, *layer.output_shape) for layer in graph.layers
    ]
    modules = [node.target for node in flat.calls(model) if node.op == "call_module"]
    assert modules == [
        layer.path for layer in graph.layers if type(layer.op) not in assemble.FUNCTIONS
    ]


@given(networks(largest=1))
def test_parameters_and_buffers_are_those_of_the_model(network: Network) -> None:
    graph = layer_graph(*network)
    model = on_meta(graph)
    total = costs.total(graph.layers)
    assert total.params == sum(parameter.numel() for parameter in model.parameters())
    assert total.buffers == sum(buffer.numel() for buffer in model.buffers())


@given(networks(), st.integers(1, 3))
def test_twice_the_macs_are_what_torch_counts(network: Network, batch: int) -> None:
    graph = layer_graph(*network)
    model = on_meta(graph)
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(batch, *graph.input_shape, device="meta"))
    assert counter.get_total_flops() == 2 * costs.total(graph.layers, batch).macs


def test_costs_add_up() -> None:
    # One 3x3 convolution from 3 to 8 channels, batch norm and ReLU over 4x4 positions, by hand.
    net = GraphBuilder("mine", (3, 4, 4))
    wire = net.add(ops.Conv2d(3, 8, (3, 3), padding=(1, 1), bias=True), net.input, name="conv")
    net.add(ops.ReLU(), net.add(ops.BatchNorm2d(8), wire, name="bn"), name="relu")
    layers = net.block("block", "block", "Block").layers
    whole = costs.total(layers)
    assert whole == costs.Cost(
        params=3 * 8 * 9 + 8 + 2 * 8,
        buffers=2 * 8 + 1,
        macs=3 * 8 * 9 * 16,
        bias=8 * 16,
        normalization=2 * 8 * 16,
        activation=8 * 16,
        read=3 * 16 + 2 * 8 * 16,
        written=3 * 8 * 16,
    )
    assert whole.flops == 2 * 3456 + 128 + 256 + 128
    assert whole == reduce(add, map(costs.cost, layers))
    assert tuple(whole.terms) == costs.TERMS


@given(networks(), st.integers(1, 1000))
def test_batch_scales_work_and_activations_but_not_parameters(network: Network, n: int) -> None:
    graph = layer_graph(*network)
    one, many = costs.total(graph.layers), costs.total(graph.layers, n)
    assert (many.params, many.buffers) == (one.params, one.buffers)
    assert (many.macs, many.flops, many.read, many.written) == (
        n * one.macs,
        n * one.flops,
        n * one.read,
        n * one.written,
    )
    assert {k: n * v for k, v in one.terms.items()} == many.terms
    assert live_bytes(graph, n) == tuple(n * level for level in live_bytes(graph))
    one_kept, two_kept, many_kept = (
        saved_for_backward(graph, batch, training=False) for batch in (1, 2, 2 * n)
    )
    if (network[0].convolution, network[0].norm == "frozen") == ("plain", False):
        # others keep what they make of weights and of fixed numbers, once
        assert many_kept == n * two_kept
        if not network[0].self_attention:  # whose matrices of a single sample lie as they should
            assert two_kept == 2 * one_kept


@given(networks())
def test_a_graph_is_wired_in_running_order(network: Network) -> None:
    spec, shape = network
    graph = layer_graph(spec, shape)
    made: dict[str, Shape] = {INPUT: shape}
    for layer in graph.layers:
        assert layer.name not in made
        assert layer.input_shapes == tuple(made[source] for source in layer.inputs)
        taken = 2 if isinstance(layer.op, ops.Add | ops.Scale) else 1
        assert len(layer.inputs) == taken or type(layer.op) in FOREIGN
        made[layer.name] = layer.output_shape
        assert graph.layer(layer.name) is layer
    assert graph.output.output_shape == (spec.classes,)
    chained = spec.block == "conv"
    assert [stage.name for stage in graph.stages] == [
        *(() if chained else ("stem",)),
        *(f"{'stage' if chained else 'layer'}{i + 1}" for i in range(len(spec.blocks))),
        "head",
    ]
    stages = graph.stages[0 if chained else 1 : -1]
    assert tuple(len(stage.blocks) for stage in stages) == spec.blocks
    # The same description gives the same value.
    assert graph == layer_graph(spec, shape)


@given(networks())
def test_depth_counts_the_weighted_layers_of_the_main_path(network: Network) -> None:
    spec, shape = network
    # Paths side by side, and hierarchies, have more convolutions than their names count.
    assume(spec.attention in ("none", "se", "eca") and spec.scales == 1)
    assume(not spec.self_attention and spec.head != "attention")
    graph = layer_graph(spec, shape)
    if spec.block in PARALLEL:  # what runs side by side counts once
        assert depth(replace(graph, spec=None)) == spec.depth
        return
    main = 0
    for block in graph.blocks:
        bypass = shortcut(block) or ()
        main += sum(
            isinstance(layer.op, (ops.Conv2d, ops.Linear))
            and layer not in bypass
            and ".se." not in layer.name
            for layer in block.layers
        )
    stem_convs = len(spec.stem_strides) + (spec.stem_pool and spec.pool == "conv")
    assert main - max(0, stem_convs - 1) == spec.depth


@given(networks())
def test_shortcuts_are_read_off_the_wiring(network: Network) -> None:
    spec, shape = network
    for stage in layer_graph(spec, shape).stages[1:-1]:
        for block in stage.blocks:
            bypass = shortcut(block)
            entering = block.layers[0].input_shapes[0]
            changed = entering != block.output.output_shape
            if spec.block in PARALLEL:
                kept = [layer for layer in block.layers if layer.path.endswith(".identity")]
                assert list(bypass or ()) == kept
                continue
            if spec.shortcut == "none":
                assert bypass is None
            elif spec.shortcut == "C" or (changed and spec.shortcut != "identity"):
                assert bypass
            if spec.shortcut == "A" and bypass:
                assert [type(layer.op) for layer in bypass] == [ops.ZeroPad]
            for layer in bypass or ():
                assert layer.path.startswith((f"{block.path}.downsample", f"{block.path}.crop"))


def concrete(module: ModuleType) -> list[type[ops.Op]]:
    """Every op class of a module that is not just a base of others."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
    kinds = [
        kind for kind in kinds if issubclass(kind, ops.Op) and kind.__module__ == module.__name__
    ]
    return [
        kind
        for kind in kinds
        if kind in assemble.MODULES
        or not any(issubclass(other, kind) for other in kinds if other is not kind)
    ]


OWN = concrete(ops)
FOREIGN = [kind for kind in concrete(foreign) if kind is not foreign.Opaque]


def test_there_are_ops() -> None:
    assert {ops.Conv2d, ops.Add, ops.ReLU, ops.ZeroPad, ops.MaxPool2d} <= set(OWN)
    assert {foreign.Conv, foreign.LayerNorm, foreign.Attention} <= set(FOREIGN)


@pytest.mark.parametrize("kind", [*OWN, *FOREIGN], ids=lambda kind: kind.__name__)
def test_every_op_has_every_rule(kind: type[ops.Op]) -> None:
    for rule in (costs.operations, receptive_field.rule, saved_tensors):
        assert rule.dispatch(kind) is not rule.dispatch(ops.Op)


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.__name__)
def test_every_op_of_ours_can_be_assembled_one_way(kind: type[ops.Op]) -> None:
    assert (kind in assemble.MODULES) != (kind in assemble.FUNCTIONS)


def test_an_op_without_a_rule_is_uncounted_not_zero() -> None:
    class Strange(ops.Op):
        pass

    layer = Layer("strange", "strange", Strange(), (INPUT,), ((3, 4, 4),), (3, 4, 4))
    assert costs.cost(layer) == costs.Cost(uncounted=1)
    assert receptive_field.rule(Strange(), [], ()) is None


def test_layers_of_one_path_keep_the_parameters_of_each_that_holds_some() -> None:
    shape = (3, 9, 9)
    conv = ops.Conv2d(3, 3, (1, 1))
    held = Layer("0.conv", "0", conv, (INPUT,), (shape,), shape)
    light = Layer("0", "0", ops.ReLU(), ("0.conv",), (shape,), shape)
    assert costs.total([held, light]).params == costs.total([light, held]).params == conv.params


def test_a_module_that_is_called_twice_holds_its_parameters_once() -> None:
    layer = layer_graph(ResNetSpec(), (3, 32, 32)).layer("layer1.0.conv1")
    once, twice = costs.total([layer]), costs.total([layer, layer])
    assert (twice.params, twice.macs) == (once.params, 2 * once.macs)


@given(networks())
def test_traffic_is_what_goes_in_and_what_comes_out(network: Network) -> None:
    for layer in layer_graph(*network).layers:
        cost, taken = costs.cost(layer), sum(map(elements, layer.input_shapes))
        given_out = elements(layer.output_shape)
        moves_nothing = isinstance(layer.op, (ops.Flatten, foreign.Dropout, foreign.View))
        if moves_nothing and not getattr(layer.op, "copies", False):
            taken = given_out = 0
        if isinstance(layer.op, ops.ZeroPad):  # it reads what it copies: the rest are zeros
            taken = given_out // layer.op.out_channels * layer.op.in_channels
        assert (cost.read, cost.written) == (taken, given_out)
        assert cost.traffic(4) == 4 * (taken + given_out + layer.op.params)


def test_terms_and_intensity_worked_out_by_hand() -> None:
    d = layer_graph(zoo.spec("resnet50d"))
    pool = costs.cost(d.layer("layer2.0.downsample.0"))  # 2x2 windows over 256x56x56
    assert pool.flops == pool.pooling == 4 * 256 * 28 * 28
    se = layer_graph(zoo.spec("seresnet50"))
    scale = costs.cost(se.layer("layer1.0.se.scale"))
    assert scale.flops == scale.gating == 256 * 56 * 56
    fc1 = costs.cost(se.layer("layer1.0.se.fc1"), batch=2)
    assert (fc1.macs, fc1.bias, fc1.flops) == (2 * 256 * 16, 2 * 16, 4 * 256 * 16 + 2 * 16)
    conv1 = costs.cost(layer_graph(zoo.spec("resnet18")).layer("conv1"))
    moved = 4 * (3 * 224 * 224 + 64 * 112 * 112 + 64 * 3 * 7 * 7)
    assert conv1.traffic(4) == moved
    assert conv1.intensity(4) == 2 * 64 * 112 * 112 * 3 * 49 / moved
    assert costs.Cost().intensity(4) is None


@pytest.mark.parametrize(
    ("said", "meant"), [("FP32", "fp32"), ("float16", "fp16"), ("bfloat16", "bf16")]
)
def test_dtypes_that_people_say(said: str, meant: str) -> None:
    assert canonical_dtype(said) == meant


def test_an_unknown_dtype_answers_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown dtype 'fp31'; did you mean fp32"):
        canonical_dtype("fp31")
