"""ResNetSpec + input shape -> LayerGraph: the one place that knows how ResNets are wired.

Module paths are torchvision's (conv1, bn1, layer1.0.conv2, layer2.0.downsample.0, fc) and, for what
only timm has, timm's (conv1.3 in a deep stem, layer1.0.se.fc1). Pre-activation networks keep this
scheme; their last batch norm is `norm`.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import SupportsIndex

from resnet_inspect.errors import ShapeError
from resnet_inspect.networks.graph import GraphBuilder, LayerGraph, Wire
from resnet_inspect.networks.ops import (
    ACTIVATIONS,
    Activation,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Scale,
    Shape,
    Sigmoid,
    ZeroPad,
    show_shape,
)
from resnet_inspect.networks.spec import ResNetSpec


def layer_graph(spec: ResNetSpec, input_shape: Shape | None = None) -> LayerGraph:
    """Wire the network for inputs of (channels, height, width).

    Raises ShapeError where the input does not fit the network.
    """
    shape = spec.input_shape if input_shape is None else tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(size, SupportsIndex) and size > 0 for size in shape):
        raise ShapeError(
            f"input {show_shape(shape)} is not channels x height x width, such as "
            f"{show_shape(spec.input_shape)}; the batch is not part of it"
        )
    shape = tuple(
        map(operator.index, shape)
    )  # counts stay Python's ints, whatever whole numbers came in
    if shape[0] != spec.in_channels:
        raise ShapeError(
            f"input {show_shape(shape)} has {shape[0]} channels and {spec.name} takes "
            f"{spec.in_channels}; give an input of {spec.in_channels}, or in_channels={shape[0]}"
        )
    net = GraphBuilder(spec.name, shape)
    wire = _stem(net, spec)
    for stage, count in enumerate(spec.blocks):
        for index in range(count):
            if index < 2:
                wire = _block(net, spec, wire, stage, index)
            else:  # from its second block on, a stage repeats itself
                wire = net.repeat_block(f"layer{stage + 1}.{index}")
        net.end_stage(f"layer{stage + 1}", f"layer{stage + 1}")
    _head(net, spec, wire)
    return net.graph()


def squeezed_channels(channels: int, reduction: int) -> int:
    """Hidden units of squeeze-and-excitation: channels / reduction to the nearest 8, at least 8.

    The ratio is the paper's (Hu et al. 2017, section 4); the rounding timm's.
    """
    return max(8, int(channels / reduction + 4) // 8 * 8)


# Repeated blocks share their ops: an op is data, and equal ops are the same op.
@lru_cache(maxsize=4096)
def _conv(
    inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> Conv2d:
    side, step, edge = (kernel, kernel), (stride, stride), (kernel // 2, kernel // 2)
    return Conv2d(inside, outside, side, step, edge, groups, bias)


_norm = lru_cache(maxsize=1024)(BatchNorm2d)


_ADD, _SCALE, _SIGMOID, _GLOBAL, _FLATTEN = Add(), Scale(), Sigmoid(), GlobalAvgPool2d(), Flatten()


def _act_path(act: Activation) -> str:
    """torchvision calls its ReLU 'relu'; nobody has a name for the others."""
    return "relu" if isinstance(act, ReLU) else "act"


def _stem(net: GraphBuilder, spec: ResNetSpec) -> Wire:
    act, bias, width = ACTIVATIONS[spec.activation], "stem" in spec.bias, spec.stem_width
    wire = net.input
    if spec.stem in ("deep", "tiered"):
        first = 3 * (width // 8) if spec.stem == "tiered" else width // 2
        channels = (spec.in_channels, first, width // 2, width)
        for i in range(3):
            conv = _conv(channels[i], channels[i + 1], 3, 2 if i == 0 else 1, bias=bias)
            wire = net.add(conv, wire, name=f"conv1.{3 * i}")
            if i < 2:
                wire = net.add(_norm(channels[i + 1]), wire, name=f"conv1.{3 * i + 1}")
                wire = net.add(act, wire, name=f"conv1.{3 * i + 2}")
    else:
        kernel, stride = (7, 2) if spec.stem == "7x7" else (3, 1)
        wire = net.add(
            _conv(spec.in_channels, width, kernel, stride, bias=bias), wire, name="conv1"
        )
    if spec.order == "post":  # a pre-activation block brings its own
        wire = net.add(_norm(width), wire, name="bn1")
        wire = net.add(act, wire, name=_act_path(act))
    if spec.stem_pool:
        wire = net.add(MaxPool2d((3, 3), (2, 2), (1, 1)), wire, name="maxpool")
    net.end_block("stem", "", "Stem")
    net.end_stage("stem", "")
    return wire


def _head(net: GraphBuilder, spec: ResNetSpec, wire: Wire) -> None:
    if spec.order == "pre":
        act = ACTIVATIONS[spec.activation]
        wire = net.add(_norm(wire.shape[0]), wire, name="norm")
        wire = net.add(act, wire, name=_act_path(act))
    wire = net.add(_GLOBAL, wire, name="avgpool")
    wire = net.add(_FLATTEN, wire, name="flatten")
    net.add(Linear(wire.shape[0], spec.classes), wire, name="fc")
    net.end_block("head", "", "Head")
    net.end_stage("head", "")


def block_kind(spec: ResNetSpec) -> str:
    """What a block of this network calls itself: Bottleneck, PreActBasicBlock, SEBottleneck, .."""
    base = "BasicBlock" if spec.block == "basic" else "Bottleneck"
    plain = "Plain" if spec.shortcut == "none" else ""
    before = "PreAct" if spec.order == "pre" else ""
    squeeze = "SE" if spec.se_reduction else ""
    return plain + before + squeeze + base


def _residual_convs(spec: ResNetSpec, stage: int, entering: int, stride: int) -> list[Conv2d]:
    inner, leaving = spec.inner_channels(stage), spec.stage_channels(stage)
    bias = "residual" in spec.bias
    if spec.block == "basic":
        return [_conv(entering, inner, 3, stride, bias=bias), _conv(inner, leaving, 3, bias=bias)]
    early, late = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
    return [
        _conv(entering, inner, 1, early, bias=bias),
        _conv(inner, inner, 3, late, spec.groups, bias),
        _conv(inner, leaving, 1, bias=bias),
    ]


def _block(net: GraphBuilder, spec: ResNetSpec, entering: Wire, stage: int, index: int) -> Wire:
    path = f"layer{stage + 1}.{index}"
    stride = spec.strides[stage] if index == 0 else 1
    act = ACTIVATIONS[spec.activation]
    act_path = f"{path}.{_act_path(act)}"
    convs = _residual_convs(spec, stage, entering.shape[0], stride)
    changes = stride != 1 or entering.shape[0] != spec.stage_channels(stage)
    projects = changes or spec.shortcut == "C"

    wire = bypass = entering
    for i, conv in enumerate(convs, start=1):
        if spec.order == "pre":
            wire = net.add(_norm(wire.shape[0]), wire, name=f"{path}.bn{i}")
            wire = net.add(act, wire, name=f"{act_path}{i}", path=act_path)
            if i == 1 and projects and spec.shortcut != "A":
                bypass = (
                    wire  # a projection takes the activated input (He et al. 2016, section 4.1)
                )
        wire = net.add(conv, wire, name=f"{path}.conv{i}")
        if spec.order == "post":
            wire = net.add(_norm(conv.out_channels), wire, name=f"{path}.bn{i}")
            if i < len(convs):
                wire = net.add(act, wire, name=f"{act_path}{i}", path=act_path)
    if spec.se_reduction:
        wire = _squeeze_excite(net, spec, wire, f"{path}.se")
    if spec.shortcut != "none":
        if projects:
            bypass = _shortcut(net, spec, bypass, wire.shape[0], stride, f"{path}.downsample")
        wire = net.add(_ADD, wire, bypass, name=f"{path}.add")
    if spec.order == "post":
        wire = net.add(act, wire, name=f"{act_path}{len(convs)}", path=act_path)
    net.end_block(path, path, block_kind(spec))
    return wire


def _shortcut(
    net: GraphBuilder, spec: ResNetSpec, wire: Wire, channels: int, stride: int, path: str
) -> Wire:
    """Options A, B, C (He et al. 2015, section 3.3) and D (He et al. 2018, Figure 2c)."""
    entering = wire.shape[0]
    if spec.shortcut == "A":
        return net.add(ZeroPad(entering, channels, (stride, stride)), wire, name=path)
    number = 0
    if spec.shortcut == "D":
        if stride > 1:
            pool = AvgPool2d((stride, stride), (stride, stride), ceil=True)
            wire = net.add(pool, wire, name=f"{path}.0")
            stride = 1
        number = 1  # timm keeps the pool's place where there is nothing to pool
    conv = _conv(entering, channels, 1, stride, bias="shortcut" in spec.bias)
    wire = net.add(conv, wire, name=f"{path}.{number}")
    if spec.order == "post" and spec.shortcut_norm:
        wire = net.add(_norm(channels), wire, name=f"{path}.{number + 1}")
    return wire


def _squeeze_excite(net: GraphBuilder, spec: ResNetSpec, wire: Wire, path: str) -> Wire:
    """Squeeze-and-excitation (Hu et al. 2017, Figure 3), as 1x1 convolutions like timm's."""
    channels = wire.shape[0]
    hidden = squeezed_channels(channels, spec.se_reduction)
    gate = net.add(_GLOBAL, wire, name=f"{path}.squeeze")
    gate = net.add(_conv(channels, hidden, 1, bias=True), gate, name=f"{path}.fc1")
    # timm activates the gate by ReLU whatever the network's activation, as the paper does.
    gate = net.add(ReLU(), gate, name=f"{path}.act")
    gate = net.add(_conv(hidden, channels, 1, bias=True), gate, name=f"{path}.fc2")
    gate = net.add(_SIGMOID, gate, name=f"{path}.gate")
    return net.add(_SCALE, wire, gate, name=f"{path}.scale")
