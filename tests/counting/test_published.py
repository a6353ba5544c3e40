"""Every published figure is met: integers exactly, rounded ones after rounding as published.

The figures are in facts/published.json and facts/counters.json with their sources; each test's id
names the source.
"""

from __future__ import annotations

import json
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from resnet_inspect.counting.costs import total
from resnet_inspect.counting.memory import saved_for_backward
from resnet_inspect.counting.published import PUBLISHED
from resnet_inspect.networks import ops, zoo
from resnet_inspect.networks.graph import LayerGraph, Stage
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape, elements
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.wiring import shortcut

HERE = Path(__file__).parents[1]
PUBLISHED_FACTS: dict[str, Any] = json.loads((HERE / "facts" / "published.json").read_text())
COUNTERS: dict[str, Any] = json.loads((HERE / "facts" / "counters.json").read_text())

GIGA, MEGA = 10**9, 10**6


def rounded(count: int, unit: int, published: float, rounding: str = ROUND_HALF_UP) -> Decimal:
    """A count in a unit, with as many decimals as the published figure has."""
    return (Decimal(count) / unit).quantize(Decimal(str(published)), rounding)


def macs(model: str) -> int:
    return total(layer_graph(zoo.spec(model)).layers).macs


def params(model: str) -> int:
    return total(layer_graph(zoo.spec(model)).layers).params


# --- He et al. 2015, Table 1 -------------------------------------------------------------------

TABLE1 = PUBLISHED_FACTS["he2015_table1"]
AS_PUBLISHED = {
    # depth: network, how the paper rounds. It cuts 3.66 and 3.86 off, and rounds the others.
    "18": ("resnet18", ROUND_HALF_UP),
    "34": ("resnet34", ROUND_DOWN),
    "50": ("resnet50_v1", ROUND_DOWN),
    "101": ("resnet101_v1", ROUND_HALF_UP),
    "152": ("resnet152_v1", ROUND_HALF_UP),
}


@pytest.mark.parametrize("depth", AS_PUBLISHED, ids="he2015-table1-flops-{}".format)
def test_flops_of_table_1(depth: str) -> None:
    model, rounding = AS_PUBLISHED[depth]
    figure = TABLE1["flops_paper"][depth]
    assert rounded(macs(model), GIGA, figure, rounding) == Decimal(str(figure))


def test_34_layers_with_zero_padding_round_to_the_paper_s_flops_he2015_figure3() -> None:
    # Section 4.1 takes option A for its 18 and 34 layers; counted so, nothing need be cut off.
    for depth in ("18", "34"):
        graph = layer_graph(zoo.spec(f"resnet{depth}").with_changes({"shortcut": "A"}))
        figure = TABLE1["flops_paper"][depth]
        assert rounded(total(graph.layers).macs, GIGA, figure) == Decimal(str(figure))


@pytest.mark.parametrize("depth", AS_PUBLISHED, ids="he2015-table1-layout-{}".format)
def test_layouts_of_table_1(depth: str) -> None:
    spec = zoo.spec(AS_PUBLISHED[depth][0])
    assert list(spec.blocks) == TABLE1["blocks"][depth]
    assert spec.depth == int(depth)
    stages = layer_graph(spec).stages[1:-1]
    sides = [stage.output.output_shape[1:] for stage in stages]
    assert sides == [(side, side) for side in TABLE1["stage_output_hw"]]


def test_flops_of_the_plain_network_he2015_section33() -> None:
    plain = PUBLISHED_FACTS["he2015_plain"]["flops_paper"]
    assert rounded(macs("plain34"), GIGA, plain["plain34"]) == Decimal(str(plain["plain34"]))
    # '18% of VGG-19': a figure of the paper's own rounded numbers.
    share = Decimal(str(plain["plain34"])) / Decimal(str(plain["vgg19"]))
    assert share.quantize(Decimal("0.01"), ROUND_DOWN) == Decimal("0.18")


# --- CIFAR -------------------------------------------------------------------------------------

CIFAR = PUBLISHED_FACTS["he2015_cifar"]["params_millions"]


@pytest.mark.parametrize("depth", CIFAR, ids="he2015-table6-params-{}".format)
def test_parameters_of_table_6(depth: str) -> None:
    model = f"resnet{depth}_cifar"
    assert rounded(params(model), MEGA, CIFAR[depth]) == Decimal(str(CIFAR[depth]))
    spec = zoo.spec(model)
    assert (spec.depth, spec.widths, spec.shortcut) == (int(depth), (16, 32, 64), "A")
    assert (spec.input_shape, spec.classes) == ((3, 32, 32), 10)


def test_parameters_of_164_layers_he2016() -> None:
    figure = PUBLISHED_FACTS["he2016_preact"]["params_millions"]["164"]
    assert rounded(params("resnet164"), MEGA, figure) == Decimal(str(figure))
    assert zoo.spec("resnet164").depth == 164


def test_weights_of_1001_layers_he2016() -> None:
    # The paper's 10.2 million are convolutions and the classifier alone, without batch norm.
    figure = PUBLISHED_FACTS["he2016_preact"]["params_millions"]["1001"]
    graph = layer_graph(zoo.spec("resnet1001"))
    weights = sum(
        layer.op.params for layer in graph.layers if isinstance(layer.op, (ops.Conv2d, ops.Linear))
    )
    assert weights == 10_178_490
    assert rounded(weights, MEGA, figure) == Decimal(str(figure))
    assert total(graph.layers).params == 10_327_706
    assert zoo.spec("resnet1001").depth == 1001


# --- released networks -------------------------------------------------------------------------

CAFFE = PUBLISHED_FACTS["caffe_deploy"]


@pytest.mark.parametrize("depth", CAFFE["params"], ids="caffe-{}".format)
def test_the_release_of_2015(depth: str) -> None:
    model = f"resnet{depth}_v1"
    assert params(model) == CAFFE["params"][depth]
    assert macs(model) == CAFFE["macs"][depth]
    # The 50-layer file alone gives conv1 a bias.
    assert layer_graph(zoo.spec(model)).layer("conv1").op.bias == (depth == "50")


TORCHVISION = PUBLISHED_FACTS["torchvision"]


@pytest.mark.parametrize("model", TORCHVISION["num_params"], ids="torchvision-{}".format)
def test_torchvision_s_weight_metadata(model: str) -> None:
    assert params(model) == TORCHVISION["num_params"][model]
    figure = TORCHVISION["gmacs"][model]
    assert (Decimal(macs(model)) / GIGA).quantize(Decimal("0.001"), ROUND_HALF_UP) == Decimal(
        str(figure)
    )


TRICKS = PUBLISHED_FACTS["bag_of_tricks"]["flops_paper"]
TRICKS_AS = {
    "resnet50": ("resnet50_v1", ROUND_DOWN),  # 3.86, cut off as in He et al. 2015
    "resnet50-B": ("resnet50", ROUND_HALF_UP),
    "resnet50-C": ("resnet50c", ROUND_HALF_UP),
    "resnet50-D": ("resnet50d", ROUND_HALF_UP),
}


@pytest.mark.parametrize("name", TRICKS, ids="bag-of-tricks-table5-{}".format)
def test_bag_of_tricks(name: str) -> None:
    model, rounding = TRICKS_AS[name]
    assert rounded(macs(model), GIGA, TRICKS[name], rounding) == Decimal(str(TRICKS[name]))


# --- the notes ---------------------------------------------------------------------------------


def test_block_arithmetic_he2015_figure5() -> None:
    published = PUBLISHED_FACTS["block_arithmetic"]
    bottleneck = ResNetSpec(block="bottleneck", blocks=(2,), widths=(64,))
    basic = ResNetSpec(blocks=(2,), widths=(256,))
    weights = [
        sum(
            layer.op.weights
            # the second block enters with 256 channels and so has no projection
            for layer in layer_graph(spec).block("layer1.1").layers
            if isinstance(layer.op, ops.Conv2d)
        )
        for spec in (bottleneck, basic)
    ]
    assert weights == [published["bottleneck_256"], published["basic_256"]]
    ratio = (Decimal(weights[1]) / weights[0]).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert ratio == Decimal(str(published["ratio"]))


def walk(graph: LayerGraph) -> list[str]:
    """The sizes of a network as the notes write them: height x width x channels."""

    def size(shape: Shape) -> str:
        return "x".join(map(str, (*shape[1:], shape[0])))

    def convs(stage: Stage) -> int:
        return sum(
            isinstance(layer.op, ops.Conv2d) and layer not in (shortcut(block) or ())
            for block in stage.blocks
            for layer in block.layers
        )

    stem, *stages, _ = graph.stages
    counts = [f"({convs(stage)} conv layers)" for stage in stages[:1]]
    counts += [f"({convs(stage)})" for stage in stages[1:]]
    return [
        f"conv1 {size(graph.layer('conv1').output_shape)}",
        f"maxpool {size(stem.output.output_shape)}",
        *(
            f"conv{number} {size(stage.output.output_shape)} {count}"
            for number, (stage, count) in enumerate(zip(stages, counts, strict=True), start=2)
        ),
        f"avgpool {size(graph.layer('avgpool').output_shape)}",
        f"fc {graph.output.output_shape[0]}",
    ]


@pytest.mark.parametrize("model", ["resnet34", "resnet50"], ids="notes-shape-walk-{}".format)
def test_shape_walks(model: str) -> None:
    assert walk(layer_graph(zoo.spec(model))) == PUBLISHED_FACTS["shape_walks"][model]


def test_output_shapes_of_dive_into_deep_learning() -> None:
    published = PUBLISHED_FACTS["d2l_resnet18"]["output_shapes"]
    graph = layer_graph(zoo.spec("resnet18_d2l"))
    assert graph.input_shape == (1, 224, 224)
    *stages, head = graph.stages
    shapes = [stage.output.output_shape for stage in stages]
    shapes += [layer.output_shape for layer in head.layers]
    assert [list(shape) for shape in shapes] == [shape[1:] for _, shape in published]
    convolutions = [layer.op for layer in graph.layers if isinstance(layer.op, ops.Conv2d)]
    assert all(op.bias for op in convolutions)
    (projection,) = shortcut(graph.block("layer2.0"))
    assert projection.op == ops.Conv2d(64, 128, (1, 1), (2, 2), bias=True)


# --- how other counters arrive at their totals -------------------------------------------------

COUNTED = ("resnet18", "resnet50")


def terms(model: str) -> dict[str, int]:
    """The named terms of facts/counters.json, read off our graph."""
    graph = layer_graph(zoo.spec(model))

    def of(*kinds: type[ops.Op]) -> list[Any]:
        return [layer for layer in graph.layers if isinstance(layer.op, kinds)]

    def taken(layers: list[Any]) -> int:
        return sum(elements(layer.input_shapes[0]) for layer in layers)

    def given(layers: list[Any]) -> int:
        return sum(elements(layer.output_shape) for layer in layers)

    found = {
        "C": total(of(ops.Conv2d)).macs,
        "L": total(of(ops.Linear)).macs,
        "Lb": total(of(ops.Linear)).bias,
        "K": given(of(ops.BatchNorm2d)),
        "Kp": total(of(ops.BatchNorm2d)).params,
        "R": given(of(ops.ReLU)),
        "Mi": taken(of(ops.MaxPool2d)),
        "Mo": given(of(ops.MaxPool2d)),
        "Ai": taken(of(ops.GlobalAvgPool2d)),
        "Ao": given(of(ops.GlobalAvgPool2d)),
        "E": given(of(ops.Add)),
        "S": total([graph.layers[0]]).macs,
    }
    assert found["K"] == given(of(ops.Conv2d))
    return found


@pytest.mark.parametrize("model", COUNTED, ids="counters-terms-{}".format)
def test_the_terms_of_other_counters(model: str) -> None:
    assert terms(model) == {name: term[model] for name, term in COUNTERS["terms"].items()}


@pytest.mark.parametrize("model", COUNTED, ids="counters-terms-{}".format)
def test_our_terms_are_theirs(model: str) -> None:
    cost, known = total(layer_graph(zoo.spec(model)).layers), terms(model)
    assert cost.macs == known["C"] + known["L"]
    # a 3x3 maximum compares 8 times; a global average takes as many operations as elements
    pooling = 8 * known["Mo"] + known["Ai"]
    assert cost.terms == {
        "bias": known["Lb"],
        "normalization": 2 * known["K"],
        "activation": known["R"],
        "pooling": pooling,
        "addition": known["E"],
        "gating": 0,
    }


@pytest.mark.parametrize(
    "counter",
    [row for row in COUNTERS["counters"] if " of " not in row["formula"]],
    ids=lambda row: f"{row['tool']}: {row['reports']}",
)
def test_totals_of_other_counters(counter: dict[str, Any]) -> None:
    for model in COUNTED:
        assert eval(counter["formula"], {}, terms(model)) == counter[model]


def test_moving_the_stride_adds_the_same_at_every_depth_counters_he2015() -> None:
    (paper,) = [row for row in COUNTERS["counters"] if row["tool"].startswith("He et al.")]
    assert paper["resnet18"] == macs("resnet18")
    assert paper["resnet50"] == macs("resnet50_v1")
    assert "231,211,008" in paper["why"]
    for depth in (50, 101, 152):
        assert macs(f"resnet{depth}") - macs(f"resnet{depth}_v1") == 231_211_008


def test_memory_of_resnet50_counters() -> None:
    published, known = COUNTERS["memory_resnet50_fp32_batch1"], terms("resnet50")
    graph = layer_graph(zoo.spec("resnet50"))
    kept = 4 * sum(known[name] for name in ("K", "R", "Mo", "Ao"))
    kept += 4 * elements(graph.input_shape) + 8 * known["Mo"]
    measured = published["saved_for_backward_bytes_measured"]
    assert saved_for_backward(graph, training=False) == kept == measured["eval"]
    assert saved_for_backward(graph) == kept + 4 * known["Kp"] == measured["train"]
    # torchinfo takes every output of convolution, batch norm and linear layers twice.
    outputs = known["K"] + known["K"] + known["Lb"]
    assert 2 * 4 * outputs == published["torchinfo_forward_backward_bytes"]


# --- what the package itself says was published ------------------------------------------------


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_figures_shown_beside_our_totals_agree(model: str) -> None:
    graph = layer_graph(zoo.spec(model))
    cost = total(graph.layers)
    weights = sum(
        layer.op.weights for layer in graph.layers if isinstance(layer.op, (ops.Conv2d, ops.Linear))
    )
    counts = {"params": cost.params, "macs": cost.macs, "weights": weights}
    for figure in PUBLISHED[model]:
        assert figure.agrees(counts[figure.quantity]), figure
        assert not figure.agrees(2 * counts[figure.quantity])
