"""Kernels of a network: nothing counted twice, nothing lost, fused as Inductor fuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from strategies import specs

import resnet_inspect as ri
from resnet_inspect.counting.costs import cost, graph_cost
from resnet_inspect.forecasting.kernels import (
    COMPOSED,
    MODES,
    RECOMPUTED,
    TURNED,
    Kernel,
    kernels,
    works,
)
from resnet_inspect.forecasting.relaying import STRIDED
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec


def by_name(graph: LayerGraph, *how: Any, **order: Any) -> dict[str, Kernel]:
    """The kernels of a network by the name of what they run, as `works` takes it."""
    return {work.name: work.kernel for work in works(graph, *how, **order)}


@given(specs())
def test_kernels_multiply_what_the_network_multiplies(spec: ResNetSpec) -> None:
    graph = layer_graph(spec)
    for mode in MODES:
        macs = sum(kernel.macs * count for kernel, count in kernels(graph, mode).items())
        assert macs == graph_cost(graph).macs


@given(specs())
def test_every_layer_that_moves_anything_is_in_one_kernel(spec: ResNetSpec) -> None:
    graph = layer_graph(spec)
    costs = {layer.name: cost(layer) for layer in graph.layers}
    moving = {name for name, of in costs.items() if of.read + of.written}
    for mode in MODES:
        run = [name for work in works(graph, mode) for name in work.layers]
        assert len(run) == len(set(run))
        assert set(run) == moving


def test_an_eager_pass_runs_a_kernel_for_each_layer() -> None:
    graph = ri.graph("resnet50")
    assert len(works(graph, "eager")) == len(graph.layers) - 1  # flatten moves nothing


def test_inductor_fuses_what_follows_a_convolution_but_not_into_it() -> None:
    names = [work.layers for work in works(ri.graph("resnet18"), "compile")]
    assert ("layer1.0.conv1",) in names
    assert ("layer1.0.bn1", "layer1.0.relu1") in names
    assert ("layer1.0.bn2", "layer1.0.add", "layer1.0.relu2") in names


def test_a_sum_that_two_layers_read_ends_its_kernel() -> None:
    # What a pre-activation block adds is read by the next block's norm and by its shortcut.
    names = [work.layers for work in works(ri.graph("resnetv2_18"), "compile")]
    assert ("layer1.0.add",) in names


def test_a_training_step_multiplies_three_times_less_the_first_input_gradient() -> None:
    graph = ri.graph("resnet50")
    macs = sum(kernel.macs * n for kernel, n in kernels(graph, "eager", train=True).items())
    first = works(graph)[0].kernel.macs
    assert macs == 3 * graph_cost(graph).macs - first


def test_a_training_step_ends_with_its_optimizer() -> None:
    last = works(ri.graph("resnet18"), "eager", train=True)[-1]
    assert (last.name, last.kernel.weights) == ("optimizer", 5 * 11_689_512)


def test_autocast_keeps_norms_over_groups_in_fp32() -> None:
    graph = ri.graph("resnet50_gn")
    half, wide = (by_name(graph, "eager", False, autocast) for autocast in (False, True))
    norm = "layer1.0.bn1"
    assert wide[norm].moved == 2 * half[norm].moved
    assert wide[f"{norm}.statistics"].moved == 2 * half[f"{norm}.statistics"].moved
    # its input is copied to fp32, and its output to 16 bits for the next convolution
    assert wide[f"{norm}.cast"].moved == 3 * 64 * 56 * 56
    assert wide["layer1.0.conv2.cast"].moved == 3 * 64 * 56 * 56
    assert not any(name.endswith(".cast") for name in half)


def test_a_norm_over_groups_reads_its_input_for_statistics() -> None:
    for mode in MODES:
        names = [work.name for work in works(ri.graph("resnet50_gn"), mode)]
        assert names.index("bn1.statistics") < names.index("bn1")
        assert "bn1.statistics" not in [work.name for work in works(ri.graph("resnet50"), mode)]


def test_a_norm_without_a_kernel_of_its_own_is_composed_unless_compiled() -> None:
    graph = ri.graph("resnetv2_50d_evos")
    name = "layer1.0.bn1"
    size = 64 * 56 * 56
    for mode, order, times in (
        ("eager", "first", 1 + COMPOSED["first"]),
        ("eager", "last", 1 + COMPOSED["last"]),
        ("compile", "last", 2),
    ):
        found = by_name(graph, mode, order=order)
        assert found[name].moved == times * size
        assert f"{name}.statistics" in found
    # whose gradient passes through each of them, channels first
    for order in ("first", "last"):
        found = by_name(graph, train=True, order=order)
        assert found[f"{name}.backward"].moved == 2 * (1 + COMPOSED["first"]) * size


def test_standardized_weights_are_made_in_each_pass() -> None:
    graph = ri.graph("resnetv2_50x1_bit")
    made = [work for work in works(graph) if work.name.endswith(".standardize")]
    convolutions = [layer for layer in graph.layers if layer.op.kind == "StandardizedConv2d"]
    assert len(made) == len(convolutions)
    assert sum(work.kernel.weights for work in made) == 3 * sum(
        layer.op.params for layer in convolutions
    )


@pytest.mark.parametrize(
    ("name", "layer", "kind"),
    [
        ("resnext50_32x4d", "layer1.0.conv2", "grouped"),  # groups of 4 channels
        ("regnetx_016", "layer1.0.conv2", "tiled"),  # of 24
        ("senet154", "layer1.0.conv2", "tiled"),  # 2 in, 4 out
        ("resnetblur18", "layer2.0.aa.conv2d", "grouped"),  # depthwise
    ],
)
def test_groups_without_a_kernel_for_channels_last_are_tiled(
    name: str, layer: str, kind: str
) -> None:
    for order, expected in (("last", kind), ("first", "grouped")):
        found = by_name(ri.graph(name), order=order)
        assert found[layer].kind == expected


@pytest.mark.parametrize(
    ("name", "layer", "first", "last"),
    [
        ("resnext50_32x4d", "layer1.0.conv2", "grouped", "grouped"),  # 32 groups of 4
        ("resnext101_64x4d", "layer1.0.conv2", "tiled", "grouped"),  # 64 groups of 4
        ("resnext101_32x8d", "layer4.0.conv2", "grouped", "tiled"),  # 32 groups of 64
        ("regnetx_016", "layer1.0.conv2", "tiled", "tiled"),  # 3 groups
        ("resnetblur18", "layer2.0.aa.conv2d", "grouped", "grouped"),  # depthwise
    ],
)
def test_training_has_kernels_for_many_groups(name: str, layer: str, first: str, last: str) -> None:
    for order, kind in (("first", first), ("last", last)):
        found = by_name(ri.graph(name), train=True, order=order)
        assert found[layer].kind == kind


def test_tiles_of_training_are_less_wasted_on_narrow_groups() -> None:
    names = ("regnetx_016", "regnetx_160", "regnetx_320")  # groups of 24, 128 and 168 channels
    for name, width, filled in zip(names, (24, 128, 168), (36, 128, 168), strict=True):
        graph = ri.graph(name)
        infer = by_name(graph, order="last")
        train = by_name(graph, train=True, order="last")
        layer = "layer1.0.conv2"
        assert infer[layer].width == width
        for kernel in (train[layer], train[f"{layer}.backward.input"]):
            assert (kernel.kind, kernel.width) == ("tiled", filled)


def test_products_of_a_compiled_network_with_channels_first_move_more() -> None:
    graph = ri.graph("regnetx_032")
    chosen, last = (by_name(graph, "compile", order=order) for order in ("chosen", "last"))
    for layer in ("layer1.0.conv1", "layer1.0.conv2"):
        assert chosen[layer].moved == TURNED * last[layer].moved
    assert chosen["layer1.0.bn1"] == last["layer1.0.bn1"]
    # this one Inductor compiles with channels last
    for name in ("resnet50", "regnetx_016"):
        assert works(ri.graph(name), "compile", order="chosen") == works(
            ri.graph(name), "compile", order="last"
        )


def test_what_silu_gives_is_computed_again_in_a_pool_that_inductor_compiled() -> None:
    for name, times in (("seresnet33ts", RECOMPUTED), ("regnety_016", 1)):  # SiLU, ReLU
        eager, compiled = (by_name(ri.graph(name), mode, order="last") for mode in MODES)
        squeeze = "layer1.0.se.squeeze"
        channels = ri.graph(name).layer(squeeze).output_shape[0]
        assert compiled[squeeze].moved - channels == times * (eager[squeeze].moved - channels)
    # on a processor it is kept
    graph = ri.graph("seresnet33ts")
    kept = by_name(graph, "compile", order="first")
    assert kept["layer1.0.se.squeeze"] == by_name(graph)["layer1.0.se.squeeze"]


def copies(name: str, mode: str = "eager", order: str = "last") -> dict[str, int]:
    """Elements that a network's copies move, by the layer before which they are made."""
    found = works(ri.graph(name), mode, order=order)
    return {
        work.name.removesuffix(".copies"): work.kernel.moved
        for work in found
        if work.name.endswith(".copies")
    }


def test_branches_that_softmax_chooses_between_are_stacked() -> None:
    size = 128 * 28 * 28
    stacked, strided = copies("skresnet18", order="first"), copies("skresnet18")
    assert stacked["layer2.1.conv1.scale1"] == 2 * 2 * size
    assert strided["layer2.1.conv1.scale1"] == STRIDED * 2 * 2 * size
    assert strided["layer2.1.conv2"] == STRIDED * 2 * size  # back to channels last
    assert len(strided) == 2 * len(stacked)
    # Split attention weighs parts of one tensor, and turns their sum.
    assert copies("resnest50d", order="first") == {}
    assert copies("resnest50d")["layer2.1.conv2.add2"] == STRIDED * 2 * size
    kinds = {work.name: work.kernel.kind for work in works(ri.graph("resnest50d"))}
    assert kinds["layer2.1.conv2.add1"] == kinds["layer2.1.conv2.add2"] == "pool"
    assert kinds["layer2.1.add"] == "elementwise"


def test_norms_over_groups_and_reflected_borders_turn_channels_first() -> None:
    assert copies("resnet50") == copies("resnet50_gn", "compile") == {}
    norms = copies("resnet50_gn")
    assert norms["layer1.0.conv2"] == STRIDED * 2 * 64 * 56 * 56
    assert "layer1.0.add" not in norms
    blurred = copies("resnetblur18")
    assert blurred["layer2.0.aa.pad"] == STRIDED * 2 * 128 * 56 * 56
    assert "layer2.0.aa.conv2d" not in blurred  # whose filter lies channels first too
    assert blurred["layer2.0.conv2"] == STRIDED * 2 * 128 * 28 * 28
    # Weights made in each pass lie channels first: nothing is turned, cuDNN does it.
    made = copies("resnetv2_50x1_bit")
    assert made["layer1.0.conv2"] == 2 * 64 * 56 * 56


def test_copies_are_made_of_gradients_too() -> None:
    found = works(ri.graph("skresnet18"), train=True, order="last")
    moved = {work.name: work.kernel.moved for work in found}
    name = "layer2.1.conv2.copies"
    assert moved[f"{name}.backward"] == moved[name]
    stack = "layer2.1.conv1.scale1.copies"
    assert stack in moved
    assert f"{stack}.backward" not in moved  # views of the stack's gradient


def test_a_gate_has_the_gradient_of_its_sum() -> None:
    moved = {work.name: work.kernel.moved for work in works(ri.graph("seresnet50"), train=True)}
    size = 256 * 56 * 56
    assert moved["layer1.0.se.scale.backward"] == moved["layer1.0.se.scale"] + 4 * size


def test_filters_that_are_not_learned_have_no_gradient() -> None:
    names = {work.name for work in works(ri.graph("resnetblur18"), "eager", train=True)}
    assert "layer2.0.aa.conv2d.backward.input" in names
    assert "layer2.0.aa.conv2d.backward.weight" not in names


def test_slices_are_copied_for_products() -> None:
    names = {work.name for work in works(ri.graph("res2net50_26w_4s"))}
    assert "layer1.1.conv2_0.copy" in names
    assert "layer1.1.conv2_1.copy" not in names  # which reads a sum


def test_an_unknown_mode_says_which_there_are() -> None:
    with pytest.raises(ri.InspectError, match="eager"):
        works(ri.graph("resnet18"), "fast")
    with pytest.raises(ri.InspectError, match="chosen"):
        works(ri.graph("resnet18"), order="middle")
