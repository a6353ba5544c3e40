"""ResNetSpec + input shape -> LayerGraph: the one place that knows how ResNets are wired.

Module paths are torchvision's (conv1, bn1, layer1.0.conv2, layer2.0.downsample.0, fc) and, for what
only timm has, timm's (conv1.3 in a deep stem, layer1.0.se.fc1). Pre-activation networks keep this
scheme; their last batch norm is `norm`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, SupportsIndex

from resnet_inspect.errors import ShapeError
from resnet_inspect.networks.graph import (
    HEAD,
    INPUT,
    STEM,
    Block,
    BlockBuilder,
    Layer,
    LayerGraph,
    Stage,
    Wire,
    in_network,
)
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
    shape = _image(spec, input_shape)
    try:
        stages = tuple(_stages(spec, Wire(INPUT, shape)))
    except ShapeError as error:
        raise in_network(spec.name, shape, error) from None
    return LayerGraph(spec.name, shape, stages, spec=spec)


def _stages(spec: ResNetSpec, wire: Wire) -> Iterator[Stage]:
    design = Design(*_DESIGN(spec))
    stem = Stage("stem", "", (_stem(design, wire),))
    yield stem
    wire = stem.leaving
    for number, count in enumerate(spec.blocks):
        inner, leaving = spec.inner_channels(number), spec.stage_channels(number)
        path = f"layer{number + 1}"
        wired = [_block(design, f"{path}.0", wire, inner, leaving, spec.strides[number])]
        if count > 1:  # from its second block on, a stage repeats itself
            output = wired[0].output
            entering = Wire(output.name, output.output_shape)
            wired.append(_block(design, f"{path}.1", entering, inner, leaving, 1))
        stage = Stage(path, path, tuple(wired), repeats=max(0, count - 2))
        yield stage
        wire = stage.leaving
    yield Stage("head", "", (_head(design, wire),))


def _image(spec: ResNetSpec, input_shape: Shape | None) -> Shape:
    """The shape of the input, checked; raises ShapeError."""
    if input_shape is None:
        return spec.input_shape
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(size, SupportsIndex) and size > 0 for size in shape):
        raise ShapeError(
            f"input {show_shape(shape)} is not an image; give channels x height x width, such as "
            f"{show_shape(spec.input_shape)}"
        )
    # Counts stay Python's ints, whatever whole numbers came in.
    shape = tuple(map(operator.index, shape))
    if shape[0] != spec.in_channels:
        raise ShapeError(
            f"input {show_shape(shape)} has {shape[0]} channels and {spec.name} takes "
            f"{spec.in_channels}; give an input of {spec.in_channels}, or in_channels={shape[0]}"
        )
    return shape


class Design(NamedTuple):
    """The fields of ResNetSpec that hold for all blocks, stem and head alike.

    Parts of networks are wired from these and from numbers, so that networks that differ in depth
    or in the width of one stage share the parts that are equal.
    """

    block: str
    stem: str
    stem_width: int
    stem_pool: bool | None
    shortcut: str
    shortcut_norm: bool
    stride_in: str
    order: str
    groups: int
    se_reduction: int
    activation: str
    bias: tuple[str, ...]
    classes: int


_DESIGN = operator.attrgetter(*Design._fields)


def squeezed_channels(channels: int, reduction: int) -> int:
    """Hidden units of squeeze-and-excitation: channels / reduction to the nearest 8, at least 8.

    The ratio is the paper's (Hu et al. 2017, section 4); the rounding timm's.
    """
    return max(8, int(channels / reduction + 4) // 8 * 8)


# Equal ops of a network are one op, and equal blocks of two networks one block: both are data.
@lru_cache(maxsize=4096)
def _conv(
    inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> Conv2d:
    side, step, edge = (kernel, kernel), (stride, stride), (kernel // 2, kernel // 2)
    return Conv2d(inside, outside, side, step, edge, groups, bias)


_norm = lru_cache(maxsize=1024)(BatchNorm2d)


_ADD, _SCALE, _SIGMOID, _GLOBAL, _FLATTEN = Add(), Scale(), Sigmoid(), GlobalAvgPool2d(), Flatten()
_GATE_ACT = ReLU()


def _act_path(act: Activation) -> str:
    """torchvision calls its ReLU 'relu'; nobody has a name for the others."""
    return "relu" if isinstance(act, ReLU) else "act"


@lru_cache(maxsize=256)
def _stem(spec: Design, image: Wire) -> Block:
    net = BlockBuilder()
    wire: Layer | Wire = image
    act, bias, width = ACTIVATIONS[spec.activation], "stem" in spec.bias, spec.stem_width
    entering = image.output_shape[0]
    if spec.stem in ("deep", "tiered"):
        first = 3 * (width // 8) if spec.stem == "tiered" else width // 2
        channels = (entering, first, width // 2, width)
        for i in range(3):
            conv = _conv(channels[i], channels[i + 1], 3, 2 if i == 0 else 1, bias=bias)
            wire = net.add(conv, wire, name=f"conv1.{3 * i}")
            if i < 2:
                wire = net.add(_norm(channels[i + 1]), wire, name=f"conv1.{3 * i + 1}")
                wire = net.add(act, wire, name=f"conv1.{3 * i + 2}")
    else:
        kernel, stride = (7, 2) if spec.stem == "7x7" else (3, 1)
        wire = net.add(_conv(entering, width, kernel, stride, bias=bias), wire, name="conv1")
    if spec.order == "post":  # a pre-activation block brings its own
        wire = net.add(_norm(width), wire, name="bn1")
        wire = net.add(act, wire, name=_act_path(act))
    if spec.stem_pool:
        wire = net.add(MaxPool2d((3, 3), (2, 2), (1, 1)), wire, name="maxpool")
    return net.block("stem", "", STEM)


@lru_cache(maxsize=256)
def _head(spec: Design, entering: Wire) -> Block:
    net = BlockBuilder()
    wire: Layer | Wire = entering
    if spec.order == "pre":
        act = ACTIVATIONS[spec.activation]
        wire = net.add(_norm(wire.output_shape[0]), wire, name="norm")
        wire = net.add(act, wire, name=_act_path(act))
    wire = net.add(_GLOBAL, wire, name="avgpool")
    wire = net.add(_FLATTEN, wire, name="flatten")
    net.add(Linear(wire.output_shape[0], spec.classes), wire, name="fc")
    return net.block("head", "", HEAD)


def block_kind(spec: ResNetSpec | Design) -> str:
    """What a block of this network calls itself: Bottleneck, PreActBasicBlock, SEBottleneck, .."""
    base = "BasicBlock" if spec.block == "basic" else "Bottleneck"
    plain = "Plain" if spec.shortcut == "none" else ""
    before = "PreAct" if spec.order == "pre" else ""
    squeeze = "SE" if spec.se_reduction else ""
    return plain + before + squeeze + base


def _residual_convs(
    spec: Design, entering: int, inner: int, leaving: int, stride: int
) -> list[Conv2d]:
    bias = "residual" in spec.bias
    if spec.block == "basic":
        return [_conv(entering, inner, 3, stride, bias=bias), _conv(inner, leaving, 3, bias=bias)]
    early, late = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
    return [
        _conv(entering, inner, 1, early, bias=bias),
        _conv(inner, inner, 3, late, spec.groups, bias),
        _conv(inner, leaving, 1, bias=bias),
    ]


@lru_cache(maxsize=2048)
def _block(spec: Design, path: str, entering: Wire, inner: int, leaving: int, stride: int) -> Block:
    """A residual block with `inner` channels inside and `leaving` channels that leave it."""
    net = BlockBuilder()
    act = ACTIVATIONS[spec.activation]
    act_path = f"{path}.{_act_path(act)}"
    convs = _residual_convs(spec, entering.output_shape[0], inner, leaving, stride)
    changes = stride != 1 or entering.output_shape[0] != leaving
    projects = changes or spec.shortcut == "C"

    wire: Layer | Wire = entering
    bypass = wire
    for i, conv in enumerate(convs, start=1):
        if spec.order == "pre":
            wire = net.add(_norm(wire.output_shape[0]), wire, name=f"{path}.bn{i}")
            wire = net.add(act, wire, name=f"{act_path}{i}", path=act_path)
            if i == 1 and projects and spec.shortcut != "A":
                # a projection takes the activated input (He et al. 2016, section 4.1)
                bypass = wire
        wire = net.add(conv, wire, name=f"{path}.conv{i}")
        if spec.order == "post":
            wire = net.add(_norm(conv.out_channels), wire, name=f"{path}.bn{i}")
            if i < len(convs):
                wire = net.add(act, wire, name=f"{act_path}{i}", path=act_path)
    if spec.se_reduction:
        wire = _squeeze_excite(net, spec, wire, f"{path}.se")
    if spec.shortcut != "none":
        if projects:
            bypass = _shortcut(net, spec, bypass, wire.output_shape[0], stride, f"{path}.downsample")
        wire = net.add(_ADD, wire, bypass, name=f"{path}.add")
    if spec.order == "post":
        wire = net.add(act, wire, name=f"{act_path}{len(convs)}", path=act_path)
    return net.block(path, path, block_kind(spec))


def _shortcut(
    net: BlockBuilder, spec: Design, wire: Layer | Wire, channels: int, stride: int, path: str
) -> Layer:
    """Options A, B, C (He et al. 2015, section 3.3) and D (He et al. 2018, Figure 2c)."""
    entering = wire.output_shape[0]
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


def _squeeze_excite(net: BlockBuilder, spec: Design, wire: Layer | Wire, path: str) -> Layer:
    """Squeeze-and-excitation (Hu et al. 2017, Figure 3), as 1x1 convolutions like timm's."""
    channels = wire.output_shape[0]
    hidden = squeezed_channels(channels, spec.se_reduction)
    gate = net.add(_GLOBAL, wire, name=f"{path}.squeeze")
    gate = net.add(_conv(channels, hidden, 1, bias=True), gate, name=f"{path}.fc1")
    # timm activates the gate by ReLU whatever the network's activation, as the paper does.
    gate = net.add(_GATE_ACT, gate, name=f"{path}.act")
    gate = net.add(_conv(hidden, channels, 1, bias=True), gate, name=f"{path}.fc2")
    gate = net.add(_SIGMOID, gate, name=f"{path}.gate")
    return net.add(_SCALE, wire, gate, name=f"{path}.scale")
