"""What may be described, and what is refused: each valid description with its invalid twin."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from graphs import GraphBuilder
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

from resnet_inspect.errors import InspectError, ShapeError, SpecError, UnknownNameError
from resnet_inspect.networks import naming, zoo
from resnet_inspect.networks.channel_rules import squeezed_channels
from resnet_inspect.networks.choices import DEEPEST
from resnet_inspect.networks.ops import Add, Conv2d, Linear
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import FIELDS, ResNetSpec
from resnet_inspect.networks.spec_field import LARGEST
from resnet_inspect.networks.spec_rules import RULES, needed
from resnet_inspect.networks.stage_layout import block_kind

BOTTLENECK = {"block": "bottleneck"}
PRE = {"order": "pre"}
ATTENDING = {
    **BOTTLENECK,
    "attention_at": "inner",
    "self_attention": ("none", "none", "bot/2", "bot"),
}
INNER: dict[str, Any] = {"order": "inner"}
UNPADDED: dict[str, Any] = {**BOTTLENECK, "stem": "patch", "unpadded": (1, 1, 0, 0)}
SCALED: dict[str, Any] = {**PRE, "convolution": "scaled", "norm": "none"}
CHAIN = {"block": "conv", "stem": "none", "shortcut": "none"}
REPVGG = {"block": "repvgg", "stem": "repvgg"}
PAIRS = {"block": "mobileone", "blocks": (2, 4), "widths": (8, 16)}

# valid, its invalid twin, what the message says of the value, and the way out that it names
TWINS: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"block": "basic"}, {"block": "basik"}, "block 'basik'", "did you mean basic"),
    ({"stem": "deep"}, {"stem": "depe"}, "stem 'depe'", "did you mean deep"),
    ({"stem": "3x3"}, {"stem": "5x5"}, "stem '5x5'", "7x7, 3x3, deep, tiered, even"),
    ({"shortcut": "B"}, {"shortcut": "b"}, "shortcut 'b'", "did you mean B"),
    ({"shortcut": "A"}, {"shortcut": "E"}, "shortcut 'E'", "A, B, C, D, identity, none"),
    ({"order": "pre"}, {"order": "preact"}, "order 'preact'", "did you mean pre"),
    ({**BOTTLENECK, "stride_in": "1x1"}, {"stride_in": "1x3"}, "stride_in '1x3'", "1x1"),
    ({"activation": "elu"}, {"activation": "relUU"}, "activation 'relUU'", "relu"),
    ({"bias": ("stem",)}, {"bias": ("stemm",)}, "bias part 'stemm'", "did you mean stem"),
    ({"bias": ["stem"]}, {"bias": "stem"}, "bias is 'stem'", '["stem", "residual", "shortcut"]'),
    ({"bias": []}, {"bias": [1]}, "bias holds 1", '["stem", "residual", "shortcut"]'),
    ({"blocks": [3, 4, 6, 3]}, {"blocks": "3,4,6,3"}, "blocks is '3,4,6,3'", "[3, 4, 6, 3]"),
    ({"blocks": (1, 1, 1, 1)}, {"blocks": 4}, "blocks is 4", "[3, 4, 6, 3]"),
    ({"blocks": (1, 1, 1, 1)}, {"blocks": (1, 1, 1, 1.0)}, "blocks holds 1.0", "[3, 4, 6, 3]"),
    ({"blocks": (1, 1, 1, 1)}, {"blocks": (1, 1, 1, True)}, "blocks holds True", "[3, 4, 6, 3]"),
    ({"blocks": (1, 1, 1, 1)}, {"blocks": ()}, "blocks is empty", "such as 3,4,6,3"),
    ({"blocks": (1, 1, 1, 1)}, {"blocks": (1, 0, 1, 1)}, "blocks has 0", f"1 to {DEEPEST}"),
    (
        {"blocks": (1, 1, 1, 100)},
        {"blocks": (1, 1, 1, DEEPEST + 1)},
        f"blocks has {DEEPEST + 1}",
        f"1 to {DEEPEST}",
    ),
    (
        {"blocks": (1, 1), "widths": (8, 16)},
        {"blocks": (1, 1)},
        "widths has 4 entries for 2 stages (blocks 1,1)",
        "one for each stage",
    ),
    ({"widths": (8, 8, 8, 8)}, {"widths": (8, 8, 8, -8)}, "widths has -8", f"1 to {LARGEST}"),
    (
        {"widths": (8, 8, 8, LARGEST)},
        {"widths": (8, 8, 8, LARGEST + 1)},
        f"widths has {LARGEST + 1}",
        f"1 to {LARGEST}",
    ),
    ({"strides": (2, 2, 2, 2)}, {"strides": (2, 2)}, "strides has 2 entries for 4 stages", "each"),
    ({"strides": (1, 2, 1, 2)}, {"strides": (1, 2, 0, 2)}, "strides has 0", f"1 to {LARGEST}"),
    ({"stem_width": 12}, {"stem_width": "12"}, "stem_width is '12'", "whole number"),
    ({"stem_width": 1}, {"stem_width": 0}, "stem_width has 0", f"1 to {LARGEST}"),
    (
        {"stem": "deep", "stem_width": 16},
        {"stem": "deep", "stem_width": 12},
        "stem_width is 12; a deep stem",
        "multiple of 8",
    ),
    (
        {"stem": "tiered", "stem_width": 8},
        {"stem": "tiered", "stem_width": 4},
        "stem_width is 4; a tiered stem",
        "multiple of 8",
    ),
    ({"stem_pool": False}, {"stem_pool": 0}, "stem_pool is 0", "true or false"),
    ({"shortcut_norm": False}, {"shortcut_norm": "no"}, "shortcut_norm is 'no'", "true or false"),
    ({**BOTTLENECK, "groups": 3}, {**BOTTLENECK, "groups": 0}, "groups has 0", f"1 to {LARGEST}"),
    ({**BOTTLENECK, "groups": 2}, {"groups": 2}, "groups=2", "block='bottleneck'"),
    (
        {**BOTTLENECK, "group_width": 128},
        {"group_width": 128},
        "group_width=128 with basic blocks",
        "widen by widths",
    ),
    (
        {**BOTTLENECK, "groups": 32, "group_width": 4, "widths": (16, 32, 64, 128)},
        {**BOTTLENECK, "groups": 32, "group_width": 4, "widths": (15, 32, 64, 128)},
        "widths has 15",
        "the least width is 16",
    ),
    (CHAIN, {**CHAIN, "shortcut": "B"}, "shortcut 'B'; it needs shortcut 'none'", "'none'"),
    (CHAIN, {**CHAIN, "se_reduction": 8}, "attention 'se'", "needs attention 'none'"),
    (CHAIN, {"stem": "none"}, "stem is 'none' and block 'basic'", "needs block 'conv'"),
    ({**CHAIN, "head": "mlp"}, {"head": "mlp"}, "head is 'mlp'", "needs block 'conv'"),
    (CHAIN, {**CHAIN, "groups": 2}, "with conv blocks", "block='bottleneck'"),
    (REPVGG, {"stem": "repvgg"}, "stem is 'repvgg' and block 'basic'", "'repvgg' or 'mobileone'"),
    (REPVGG, {**REPVGG, **PRE}, "block is 'repvgg' and order 'pre'", "needs order 'post'"),
    (REPVGG, {**REPVGG, "stem_pool": True}, "stem_pool True", "needs stem_pool False"),
    (REPVGG, {**REPVGG, "branches": 4}, "branches is 4", "needs block 'mobileone'"),
    ({**REPVGG, "groups": 4}, {**REPVGG, "groups": 3}, "widths has 64", "a multiple of 3"),
    (PAIRS, {**PAIRS, "blocks": (2, 3)}, "blocks has 3", "give even numbers"),
    (PAIRS, {**PAIRS, "groups": 4}, "block is 'mobileone' and groups 4", "needs groups 1"),
    (
        {**PAIRS, "attention": "se", "attention_blocks": (0, 2)},
        {**PAIRS, "attention": "se", "attention_blocks": (0, 6)},
        "attention_blocks has 6 for a stage of 4 blocks",
        "give no more",
    ),
    ({"attention": "sk"}, {"attention": "sk", **PRE}, "attention is 'sk'", "needs order 'post'"),
    (
        {**BOTTLENECK, "attention": "split", "radix": 2},
        {**BOTTLENECK, "radix": 2},
        "radix is 2 and attention 'none'",
        "needs attention 'split'",
    ),
    ({**BOTTLENECK, "scales": 4}, {"scales": 4}, "scales is 4", "needs block 'bottleneck'"),
    ({"antialias": "blur"}, {"antialias": "blur", **PRE}, "antialias is 'blur'", "order 'post'"),
    ({"attention": "eca"}, {"attention": "ecca"}, "attention 'ecca'", "did you mean eca"),
    (
        {**PRE, "convolution": "standardized"},
        {"convolution": "standardized"},
        "convolution is 'standardized'",
        "needs order 'pre'",
    ),
    (
        SCALED,
        {**PRE, "convolution": "scaled"},
        "convolution is 'scaled' and norm 'batch'",
        "needs norm 'none'",
    ),
    (SCALED, {**SCALED, "activation": "mish"}, "activation 'mish'", "'gelu' or 'silu'"),
    (SCALED, {**SCALED, "shortcut": "none"}, "shortcut 'none'", "needs shortcut 'A' or 'B'"),
    (
        {**SCALED, "gamma_in_act": True},
        {**PRE, "gamma_in_act": True},
        "gamma_in_act is True and convolution 'plain'",
        "needs convolution 'scaled'",
    ),
    ({**SCALED, "skipinit": True}, {"skipinit": True}, "skipinit is True", "'scaled'"),
    (INNER, {**INNER, "attention": "se"}, "attention 'se'", "needs attention 'none'"),
    (INNER, {**INNER, "dilations": (1, 1, 2, 4)}, "order 'inner'", "needs order 'post' or 'pre'"),
    (
        {**INNER, "activation": "prelu"},
        {"activation": "prelu"},
        "activation is 'prelu' and order 'post'",
        "needs order 'inner'",
    ),
    ({**INNER, "head": "embedding"}, {"head": "embedding"}, "'embedding'", "order 'inner'"),
    ({**PRE, "outer_norm": "stem"}, {"outer_norm": "stem"}, "outer_norm is 'stem'", "order 'pre'"),
    (UNPADDED, {"unpadded": (1, 1, 0, 0)}, "unpadded is 1,1,0,0", "block 'bottleneck'"),
    (UNPADDED, {**UNPADDED, "unpadded": (1, 0)}, "unpadded has 2 entries", "each stage"),
    (UNPADDED, {**UNPADDED, "unpadded": (1, 2, 0, 0)}, "unpadded has 2", "0 to 1"),
    (UNPADDED, {**UNPADDED, "padding": "same"}, "padding 'same'", "needs padding 'torch'"),
    (UNPADDED, {**UNPADDED, "output_stride": 8}, "unpadded 1,1,0,0", "no unpadded"),
    (
        {**SCALED, **BOTTLENECK, "extra_conv": True},
        {**SCALED, "extra_conv": True},
        "extra_conv is True and block 'basic'",
        "needs block 'bottleneck'",
    ),
    (
        {**BOTTLENECK, "group_size": [16]},
        {**BOTTLENECK, "group_size": [24]},
        "group_size",
        "multiple of 24",
    ),
    (
        {**BOTTLENECK, "bottle_ratio": [1], "first_blocks": ["basic"]},
        {**BOTTLENECK, "first_blocks": ["basic"]},
        "first_blocks has 1 for 4 stages",
        "and bottle_ratio",
    ),
    (
        {**BOTTLENECK, "bottle_ratio": [1], "first_blocks": ["edge"]},
        {**BOTTLENECK, "bottle_ratio": [1], "first_blocks": ["edge"], "group_size": [8]},
        "group_size has 8 for edge blocks",
        "give 64 for their stage",
    ),
    (
        {"norm": "group", "norm_size": 16, "widths": (16, 32, 64, 64)},
        {"norm_size": 16},
        "norm 'batch'",
        "needs norm 'group' or 'evo'",
    ),
    (
        {**PRE, "norm": "evo"},
        {**PRE, "norm": "evo", "widths": (64, 128, 256, 500)},
        "500 channels inside a block",
        "norm (32 groups) needs a multiple of 32",
    ),
    ({"norm": "frn", "linear_out": True}, {"norm": "frn"}, "linear_out False", "linear_out True"),
    ({"linear_out": True}, {**PRE, "linear_out": True}, "order 'pre'", "needs order 'post'"),
    (
        {"shortcut": "identity"},
        {**PRE, "shortcut": "identity"},
        "shortcut is 'identity' and order 'pre'",
        "needs order 'post'",
    ),
    (
        {"order": "ahead"},
        {"order": "ahead", "shortcut": "A"},
        "shortcut 'A'",
        "needs shortcut 'B' or 'C' or 'D'",
    ),
    ({"stem": "quad2"}, {**PRE, "stem": "quad2"}, "stem is 'quad2'", "needs order 'post'"),
    (
        {"head": "hidden", "head_width": 64},
        {"head": "hidden"},
        "head is 'hidden' and head_width 0",
        "such as 1024",
    ),
    (
        {**BOTTLENECK, "extra_conv": True},
        {**BOTTLENECK, "extra_conv": True, "attention": "se"},
        "attention 'se'",
        "needs attention 'none'",
    ),
    (
        {**BOTTLENECK, "scales": 4},
        {**BOTTLENECK, "scales": 4, "shortcut": "none"},
        "shortcut 'none'",
        "needs shortcut 'A' or 'B'",
    ),
    (
        {**BOTTLENECK, "attention": "split", "radix": 2, "groups": 2},
        {**BOTTLENECK, "attention": "split", "radix": 2, "groups": 3, "widths": (8, 8, 8, 8)},
        "groups is 3, and split attention of 24 channels has 32 hidden units",
        "give a divisor of these",
    ),
    ({"norm": "frozen"}, {"norm": "frozen", **PRE}, "norm is 'frozen'", "needs order 'post'"),
    (
        {"attention": "cbam"},
        {"attention": "cbam", "norm": "frozen"},
        "norm is 'frozen' and attention 'cbam'",
        "needs attention 'none' or 'se'",
    ),
    (
        {"attention": "cbam"},
        {"attention": "cbam", "shortcut": "none"},
        "attention is 'cbam' and shortcut 'none'",
        "needs shortcut 'A' or 'B'",
    ),
    ({"drop_rate": 0.5}, {"drop_rate": 0.5, "head": "none"}, "drop_rate is 0.5", "head 'pool'"),
    (
        {"drop_path_rate": 0},
        {"drop_path_rate": 1},
        "drop_path_rate has 1",
        "allowed are 0 to 0.99",
    ),
    (
        {"drop_path_rate": 0.1},
        {**CHAIN, "drop_path_rate": 0.1},
        "drop_path_rate is 0.1 and block 'conv'",
        "needs block 'basic' or 'bottleneck'",
    ),
    (
        {**PRE, "block_drop_rate": 0.3},
        {"block_drop_rate": 0.3},
        "block_drop_rate is 0.3 and order 'post'",
        "needs order 'pre'",
    ),
    (
        {"zero_gamma": True},
        {"zero_gamma": True, "norm": "frozen"},
        "zero_gamma is True and norm 'frozen'",
        "needs norm 'batch'",
    ),
    (
        {**BOTTLENECK, "stride_in": "1x1"},
        {"stride_in": "1x1"},
        "stride_in is '1x1' and block 'basic'",
        "needs block 'bottleneck'",
    ),
    (
        {"shortcut_kernel": 3},
        {"shortcut_kernel": 2},
        "shortcut_kernel is 2",
        "give an odd number",
    ),
    (
        {**BOTTLENECK, "group_size": [16]},
        {**BOTTLENECK, "group_size": [16], "groups": 4},
        "groups 4",
        "needs groups 1",
    ),
    (
        {"attention": "se", "se_reduction": 8},
        {"attention": "eca", "se_reduction": 8},
        "se_reduction is 8 and attention 'eca'",
        "needs attention 'se'",
    ),
    (
        {"padding": "same"},
        {"padding": "same", "antialias": "blur"},
        "padding is 'same' and antialias 'blur'",
        "needs antialias 'none'",
    ),
    (CHAIN, {**CHAIN, "expansion": 4}, "expansion 4", "needs expansion 1"),
    (
        {**BOTTLENECK, "groups": 2, "reduce_first": 2},
        {**BOTTLENECK, "groups": 3, "reduce_first": 2, "widths": (3, 3, 3, 3), "group_width": 66},
        "9 channels inside a block",
        "multiple of 6",
    ),
    (
        {"multi_grid": [1, 2]},
        {"multi_grid": [1, 2, 4]},
        "multi_grid has 3 factors for a last stage of 2 blocks",
        "no more",
    ),
    (
        {**BOTTLENECK, "attention": "split", "radix": 4},
        {**BOTTLENECK, "attention": "split", "radix": 3},
        "64 channels inside a block",
        "radix (splits in groups) needs a multiple of 3",
    ),
    (
        {**BOTTLENECK, "bottle_ratio": [2.25, 1, 0.5, 3]},
        {"bottle_ratio": [2.25]},
        "block 'basic'",
        "needs block 'bottleneck'",
    ),
    (
        {**BOTTLENECK, "bottle_ratio": [0.25], "bottle_of": "entering"},
        {**BOTTLENECK, "bottle_of": "entering"},
        "bottle_of is 'entering' without a bottle_ratio",
        "give one",
    ),
    (
        {**BOTTLENECK, "bottle_ratio": [64]},
        {**BOTTLENECK, "bottle_ratio": [65]},
        "bottle_ratio has 65",
        "0.01 to 64",
    ),
    (
        {**BOTTLENECK, "bottle_ratio": [2]},
        {**BOTTLENECK, "bottle_ratio": [True]},
        "bottle_ratio holds True",
        "such as [0.25]",
    ),
    (
        {**BOTTLENECK, "bottle_ratio": [2], "expansion": 1},
        {**BOTTLENECK, "bottle_ratio": [2], "expansion": 4},
        "expansion 4",
        "needs expansion 1",
    ),
    ({"norm": "group"}, {"norm": "group", "widths": (16, 32, 64, 64)}, "16 channels", "of 32"),
    ({"se_reduction": 16}, {"se_reduction": -1}, "se_reduction has -1", f"0 to {LARGEST}"),
    ({"se_reduction": 0}, {"se_reduction": 0.25}, "se_reduction is 0.25", "whole number"),
    ({"in_channels": 1}, {"in_channels": 0}, "in_channels has 0", f"1 to {LARGEST}"),
    ({"classes": 1}, {"classes": None}, "classes is None", "whole number"),
    ({"input_size": [32, 48]}, {"input_size": [32]}, "input_size is (32,)", "height and width"),
    ({"input_size": (32, 48)}, {"input_size": (32, 0)}, "input_size has 0", f"1 to {LARGEST}"),
    ({"input_size": (32, 32)}, {"input_size": 32}, "input_size is 32", "[224, 224]"),
    ({"name": "mine"}, {"name": " "}, "name is empty", "give the network one"),
    ({"name": "18"}, {"name": 18}, "name is 18", "in quotes"),
    ({"head": "attention"}, {"head": "attention", **PRE}, "head is 'attention'", "order 'post'"),
    (
        {"head": "attention", "widths": (8, 8, 8, 128)},
        {"head": "attention", "widths": (8, 8, 8, 96)},
        "leaves 96 channels",
        "a multiple of 64",
    ),
    (ATTENDING, {**ATTENDING, "block": "basic"}, "block 'basic'", "block 'bottleneck'"),
    (ATTENDING, {**ATTENDING, "output_stride": 16}, "output_stride is 16", "no self_attention"),
    (ATTENDING, {**ATTENDING, "attention_at": "last"}, "attention_at 'last'", "'inner'"),
    (
        ATTENDING,
        {**ATTENDING, "self_attention": ("bot/2", "bot")},
        "self_attention has 2 entries for 4 stages",
        "one for each stage",
    ),
    (
        {**ATTENDING, "widths": (62, 64, 64, 64)},
        {**ATTENDING, "widths": (64, 64, 64, 62)},
        "62 channels inside",
        "a multiple of 4",
    ),
    ({**ATTENDING, "query_width": 16}, {"query_width": 16}, "query_width", "give self_attention"),
    (
        {"shortcut": "A"},
        {"shortcut": "A", "widths": (64, 128, 64, 512)},
        "from 128 to 64",
        "take shortcut B",
    ),
    (
        {"shortcut": "B", "stem_width": 65},
        {"shortcut": "A", "stem_width": 65},
        "from 65 to 64",
        "widen the stage",
    ),
]


@pytest.mark.parametrize(
    ("valid", "invalid", "value", "way_out"), TWINS, ids=[repr(twin[1]) for twin in TWINS]
)
def test_twins(valid: dict[str, Any], invalid: dict[str, Any], value: str, way_out: str) -> None:
    layer_graph(ResNetSpec(**valid))
    with pytest.raises(InspectError) as caught:
        ResNetSpec(**invalid)
    message = str(caught.value)
    assert value in message
    assert way_out in message
    assert "\n" not in message
    kind = UnknownNameError if message.startswith("unknown") else SpecError
    assert type(caught.value) is kind


@pytest.mark.parametrize("invalid", [twin[1] for twin in TWINS], ids=repr)
def test_changes_are_refused_as_descriptions_are(invalid: dict[str, Any]) -> None:
    with pytest.raises(InspectError):
        zoo.spec("resnet18").with_changes(invalid)


def test_a_bottleneck_s_ratio_is_of_what_leaves_or_enters_it() -> None:
    spec = ResNetSpec(
        block="bottleneck", blocks=(2, 2), widths=(48, 104), bottle_ratio=(2.25,), stem_width=36
    )
    assert spec == spec.with_changes({"bottle_ratio": (2.25, 2.25), "expansion": 1})
    assert naming.named("resnet50[bottle_ratio=2.25,0.25,1,3]").bottle_ratio == (2.25, 0.25, 1, 3)
    for of, expected in (
        ("leaving", [112, 112, 232, 232]),
        ("entering", [80, 112, 112, 232]),
        ("later", [40, 112, 112, 232]),
    ):
        graph = layer_graph(replace(spec, bottle_of=of))
        middles = [layer.op for layer in graph.layers if layer.name.endswith(".conv2")]
        assert [op.out_channels for op in middles if isinstance(op, Conv2d)] == expected


def test_a_field_that_there_is_not_is_named() -> None:
    assert ResNetSpec().with_changes({"widths": (8, 8, 8, 8)}).widths == (8, 8, 8, 8)
    with pytest.raises(UnknownNameError, match="'width'; did you mean widths"):
        ResNetSpec().with_changes({"width": (8, 8, 8, 8)})


# a network, a shape it takes, one it does not take, and what the message says
SHAPES: list[tuple[str, tuple[Any, ...], tuple[Any, ...], str]] = [
    ("resnet18", (3, 1, 1), (3, 0, 1), "input 3x0x1 is not channels x height x width"),
    (
        "resnet18",
        (3, 224, 160),
        (224, 160),
        "channels x height x width, such as 3x224x224; the batch is not part of it",
    ),
    ("resnet18", (3, 224, 160), (3, 224.0, 160), "input 3x224.0x160 is not channels"),
    ("resnet18", (3, 224, 160), (3, -224, 160), "input 3x-224x160 is not channels"),
    ("resnet18", (3, 32, 32), (1, 32, 32), "1 channels and resnet18 takes 3"),
    ("botnet26t_256", (3, 256, 256), (3, 224, 256), "for 16x16 positions and gets 14x16"),
    (
        "halonet26t",
        (3, 256, 512),
        (3, 224, 256),
        "blocks of 8x8 positions at stride 1 and gets 14x16",
    ),
    ("resnet34_mnist", (1, 28, 28), (3, 28, 28), "in_channels=3"),
]


@pytest.mark.parametrize(("model", "valid", "invalid", "message"), SHAPES)
def test_inputs(model: str, valid: tuple[Any, ...], invalid: tuple[Any, ...], message: str) -> None:
    assert layer_graph(zoo.spec(model), valid).input_shape == valid
    with pytest.raises(ShapeError) as caught:
        layer_graph(zoo.spec(model), invalid)
    assert message in str(caught.value)


def test_shape_errors_name_network_input_and_layer() -> None:
    net = GraphBuilder("mine", (3, 8, 8))
    with pytest.raises(ShapeError) as caught:
        net.add(Conv2d(4, 8, (3, 3)), net.input, name="layer1.0.conv1")
    assert str(caught.value) == (
        "mine with input 3x8x8: layer layer1.0.conv1 (Conv2d) takes 4 channels, "
        "not an input of 3x8x8"
    )
    with pytest.raises(ShapeError, match=r"slides a 9x9 window .* the least it fits is 3x9x9"):
        net.add(Conv2d(3, 8, (9, 9)), net.input, name="conv1")
    smaller = net.add(Conv2d(3, 3, (3, 3)), net.input, name="conv1")
    with pytest.raises(ShapeError, match="cannot add 3x8x8 and 3x6x6"):
        net.add(Add(), net.input, smaller, name="add")
    with pytest.raises(ShapeError, match="takes 10 features, not 3x8x8"):
        net.add(Linear(10, 2), net.input, name="fc")


def test_a_spec_is_frozen_data() -> None:
    spec = ResNetSpec(blocks=[1, 1, 1, 1])  # type: ignore[arg-type]
    assert spec == ResNetSpec(blocks=(1, 1, 1, 1))
    assert hash(spec) == hash(ResNetSpec(blocks=(1, 1, 1, 1)))
    with pytest.raises(FrozenInstanceError):
        spec.classes = 3  # type: ignore[misc]


@given(specs())
def test_a_spec_survives_being_taken_apart(spec: ResNetSpec) -> None:
    assert replace(spec) == spec
    parts = {field.name: getattr(spec, field.name) for field in fields(spec)}
    assert ResNetSpec(**parts) == spec
    assert spec.with_changes({}) == spec
    assert eval(repr(spec)) == spec


def test_fields_that_follow_from_another_follow_its_changes() -> None:
    cifar = zoo.spec("resnet20_cifar")
    assert cifar.stem_pool is False
    assert cifar.with_changes({"stem": "7x7"}).stem_pool is True
    assert cifar.with_changes({"stem": "7x7", "stem_pool": False}).stem_pool is False
    deeper = cifar.with_changes({"blocks": [1, 1, 1, 1], "widths": [16, 32, 64, 128]})
    assert deeper.strides == (1, 2, 2, 2)
    dilated = ResNetSpec(strides=(1, 2, 1, 1))
    assert dilated.with_changes({"blocks": (3, 4, 6, 3)}).strides == (1, 2, 1, 1)


@given(st.integers(1, 10**4), st.integers(1, 64))
def test_squeezed_channels_are_the_nearest_multiple_of_8(channels: int, reduction: int) -> None:
    hidden = squeezed_channels(channels, reduction)
    assert hidden % 8 == 0
    assert hidden >= 8
    if hidden > 8:  # a tie goes up
        assert -4 * reduction <= channels - hidden * reduction < 4 * reduction


def test_blocks_say_what_they_are() -> None:
    kinds = {
        name: block_kind(zoo.spec(name))
        for name in ("resnet18", "resnet50", "resnetv2_50", "plain34", "seresnet18")
    }
    assert kinds == {
        "resnet18": "BasicBlock",
        "resnet50": "Bottleneck",
        "resnetv2_50": "PreActBottleneck",
        "plain34": "PlainBasicBlock",
        "seresnet18": "SEBasicBlock",
    }


def test_rules_name_fields_and_values_that_they_may_have() -> None:
    for name, values, text in RULES:
        for field, allowed in {name: values or (), **needed(text)}.items():
            for value in allowed:
                default = FIELDS[field].default
                assert value == default or FIELDS[field].checked(value) == value, (name, field)
