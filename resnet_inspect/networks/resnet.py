"""ResNetSpec + input shape -> LayerGraph: the one place that knows how ResNets are wired.

Module paths are torchvision's (conv1, bn1, layer1.0.conv2, layer2.0.downsample.0, fc) and, for what
only timm has, timm's (conv1.3 in a deep stem, layer1.0.se.fc1). Pre-activation networks keep this
scheme; their last batch norm is `norm`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Protocol, SupportsIndex, TypeVar

from resnet_inspect.errors import ShapeError, shown
from resnet_inspect.networks import ops
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
from resnet_inspect.networks.ops import Shape, show_shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.spec_field import LARGEST


def layer_graph(spec: ResNetSpec, input_shape: Shape | None = None) -> LayerGraph:
    """Wire the network for inputs of (channels, height, width).

    Raises ShapeError where the input does not fit the network.
    """
    return _wired(spec, image_shape(spec, input_shape))


# A graph is data and remembers its facts, so those who ask for the same network share one.
@lru_cache(maxsize=8)
def _wired(spec: ResNetSpec, shape: Shape) -> LayerGraph:
    try:
        stages = tuple(_stages(spec, Wire(INPUT, shape)))
    except ShapeError as error:
        raise in_network(spec.name, shape, error) from None
    return LayerGraph(spec.name, shape, stages, spec=spec)


def _stages(spec: ResNetSpec, wire: Wire) -> Iterator[Stage]:
    for path, parts, repeats in layout(spec):
        if len(parts) == 1 and parts[0].kind in (STEM, HEAD):
            stage = Stage(path, "", (_block(parts[0], "", wire),))
        else:
            blocks = []
            for number, part in enumerate(parts):
                blocks.append(_block(part, f"{path}.{number}", wire))
                wire = Wire(blocks[-1].output.name, blocks[-1].output.output_shape)
            stage = Stage(path, path, tuple(blocks), repeats)
        yield stage
        wire = stage.leaving


# Equal blocks of two networks are one block, as equal ops are one op: both are data.
@lru_cache(maxsize=1024)
def _block(part: Part, path: str, wire: Wire) -> Block:
    net = BlockBuilder()
    entering: Layer | Wire = wire
    connect(net, part, path, entering)
    return net.block(path or part.kind.lower(), path, part.kind)


def image_shape(spec: ResNetSpec, input_shape: Shape | None) -> Shape:
    """The shape of a network's input; raises ShapeError where it does not take what is given."""
    if input_shape is None:
        return spec.input_shape
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(size, SupportsIndex) and size > 0 for size in shape):
        raise ShapeError(
            f"input {show_shape(shape)} is not channels x height x width, such as "
            f"{show_shape(shape[1:] if len(shape) == 4 else spec.input_shape)}; the batch is not "
            "part of it"
        )
    if max(shape) > LARGEST:
        raise ShapeError(f"input {shown(shape)} is too large; give sizes up to {LARGEST}")
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


class Part(NamedTuple):
    """What a stem, a residual block or a head is wired from: equal parts are wired alike.

    entering, inner, leaving: channels of its input, of a block's 3x3, and of its output.
    """

    design: Design
    kind: str
    entering: int
    inner: int
    leaving: int
    stride: int


class StageLayout(NamedTuple):
    """The parts of a stage that differ, and how many times the last of them runs again."""

    path: str
    parts: tuple[Part, ...]
    repeats: int


def layout(spec: ResNetSpec) -> Iterator[StageLayout]:
    """The parts of a network in running order, stage by stage."""
    design, kind = Design(*_DESIGN(spec)), block_kind(spec)
    channels = spec.stem_width
    yield StageLayout("stem", (Part(design, STEM, spec.in_channels, 0, channels, 0),), 0)
    for stage, count in enumerate(spec.blocks):
        inner, leaving = spec.inner_channels(stage), spec.stage_channels(stage)
        parts: tuple[Part, ...] = (
            Part(design, kind, channels, inner, leaving, spec.strides[stage]),
        )
        if count > 1:  # from its second block on, a stage repeats itself
            parts += (Part(design, kind, leaving, inner, leaving, 1),)
        yield StageLayout(f"layer{stage + 1}", parts, max(0, count - 2))
        channels = leaving
    yield StageLayout("head", (Part(design, HEAD, channels, 0, spec.classes, 0),), 0)


_Tensor = TypeVar("_Tensor")


class Builder(Protocol[_Tensor]):
    """What is told of every layer: lists it (BlockBuilder) or counts it (counting.costs)."""

    def add(self, op: ops.Op, *inputs: _Tensor, name: str, path: str | None = None) -> _Tensor:
        """Take a layer of this op; gives its output."""


def connect(net: Builder[_Tensor], part: Part, path: str, tensor: _Tensor) -> _Tensor:
    """Wire a part: add its layers to a builder, fed by `tensor`; gives what leaves it."""
    if part.kind == STEM:
        return _stem(net, part, tensor)
    if part.kind == HEAD:
        return _head(net, part, tensor)
    return _residual_block(net, part, path, tensor)


def squeezed_channels(channels: int, reduction: int) -> int:
    """Hidden units of squeeze-and-excitation: channels / reduction to the nearest 8, at least 8.

    The ratio is the paper's (Hu et al. 2017, section 4); the rounding timm's.
    """
    return max(8, int(channels / reduction + 4) // 8 * 8)


# Equal ops are one op: an op is data.
@lru_cache(maxsize=4096)
def _conv(
    inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> ops.Conv2d:
    side, step, edge = (kernel, kernel), (stride, stride), (kernel // 2, kernel // 2)
    return ops.Conv2d(inside, outside, side, step, edge, groups, bias)


_norm = lru_cache(maxsize=1024)(ops.BatchNorm2d)


_ADD, _SCALE, _SIGMOID = ops.Add(), ops.Scale(), ops.Sigmoid()
_GLOBAL, _FLATTEN = ops.GlobalAvgPool2d(), ops.Flatten()
_GATE_ACT = ops.ReLU()


def _act_path(act: ops.Activation) -> str:
    """torchvision calls its ReLU 'relu'; nobody has a name for the others."""
    return "relu" if isinstance(act, ops.ReLU) else "act"


def _stem(net: Builder[_Tensor], part: Part, tensor: _Tensor) -> _Tensor:
    spec, width = part.design, part.leaving
    act, bias = ops.ACTIVATIONS[spec.activation], "stem" in spec.bias
    if spec.stem in ("deep", "tiered"):
        first = 3 * (width // 8) if spec.stem == "tiered" else width // 2
        channels = (part.entering, first, width // 2, width)
        for i in range(3):
            conv = _conv(channels[i], channels[i + 1], 3, 2 if i == 0 else 1, bias=bias)
            tensor = net.add(conv, tensor, name=f"conv1.{3 * i}")
            if i < 2:
                tensor = net.add(_norm(channels[i + 1]), tensor, name=f"conv1.{3 * i + 1}")
                tensor = net.add(act, tensor, name=f"conv1.{3 * i + 2}")
    else:
        kernel, stride = (7, 2) if spec.stem == "7x7" else (3, 1)
        conv = _conv(part.entering, width, kernel, stride, bias=bias)
        tensor = net.add(conv, tensor, name="conv1")
    if spec.order == "post":  # a pre-activation block brings its own
        tensor = net.add(_norm(width), tensor, name="bn1")
        tensor = net.add(act, tensor, name=_act_path(act))
    if spec.stem_pool:
        tensor = net.add(ops.MaxPool2d((3, 3), (2, 2), (1, 1)), tensor, name="maxpool")
    return tensor


def _head(net: Builder[_Tensor], part: Part, tensor: _Tensor) -> _Tensor:
    if part.design.order == "pre":
        act = ops.ACTIVATIONS[part.design.activation]
        tensor = net.add(_norm(part.entering), tensor, name="norm")
        tensor = net.add(act, tensor, name=_act_path(act))
    tensor = net.add(_GLOBAL, tensor, name="avgpool")
    tensor = net.add(_FLATTEN, tensor, name="flatten")
    return net.add(ops.Linear(part.entering, part.leaving), tensor, name="fc")


def block_kind(spec: ResNetSpec) -> str:
    """What a block of this network calls itself: Bottleneck, PreActBasicBlock, SEBottleneck, .."""
    base = "BasicBlock" if spec.block == "basic" else "Bottleneck"
    plain = "Plain" if spec.shortcut == "none" else ""
    before = "PreAct" if spec.order == "pre" else ""
    squeeze = "SE" if spec.se_reduction else ""
    return plain + before + squeeze + base


def _residual_convs(part: Part) -> list[ops.Conv2d]:
    spec, _, entering, inner, leaving, stride = part
    bias = "residual" in spec.bias
    if spec.block == "basic":
        return [_conv(entering, inner, 3, stride, 1, bias), _conv(inner, leaving, 3, 1, 1, bias)]
    early, late = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
    return [
        _conv(entering, inner, 1, early, 1, bias),
        _conv(inner, inner, 3, late, spec.groups, bias),
        _conv(inner, leaving, 1, 1, 1, bias),
    ]


def _residual_block(net: Builder[_Tensor], part: Part, path: str, entering: _Tensor) -> _Tensor:
    spec = part.design
    act = ops.ACTIVATIONS[spec.activation]
    act_path = f"{path}.{_act_path(act)}"
    convs = _residual_convs(part)
    changes = part.stride != 1 or part.entering != part.leaving
    projects = changes or spec.shortcut == "C"

    tensor = bypass = entering
    for i, conv in enumerate(convs, start=1):
        if spec.order == "pre":
            tensor = net.add(_norm(conv.in_channels), tensor, name=f"{path}.bn{i}")
            tensor = net.add(act, tensor, name=f"{act_path}{i}", path=act_path)
            if i == 1 and projects and spec.shortcut != "A":
                # a projection takes the activated input (He et al. 2016, section 4.1)
                bypass = tensor
        tensor = net.add(conv, tensor, name=f"{path}.conv{i}")
        if spec.order == "post":
            tensor = net.add(_norm(conv.out_channels), tensor, name=f"{path}.bn{i}")
            if i < len(convs):
                tensor = net.add(act, tensor, name=f"{act_path}{i}", path=act_path)
    if spec.se_reduction:
        tensor = _squeeze_excite(net, part, f"{path}.se", tensor)
    if spec.shortcut != "none":
        if projects:
            bypass = _shortcut(net, part, f"{path}.downsample", bypass)
        tensor = net.add(_ADD, tensor, bypass, name=f"{path}.add")
    if spec.order == "post":
        tensor = net.add(act, tensor, name=f"{act_path}{len(convs)}", path=act_path)
    return tensor


def _shortcut(net: Builder[_Tensor], part: Part, path: str, tensor: _Tensor) -> _Tensor:
    """Options A, B, C (He et al. 2015, section 3.3) and D (He et al. 2018, Figure 2c)."""
    spec, stride = part.design, part.stride
    if spec.shortcut == "A":
        pad = ops.ZeroPad(part.entering, part.leaving, (stride, stride))
        return net.add(pad, tensor, name=path)
    number = 0
    if spec.shortcut == "D":
        if stride > 1:
            pool = ops.AvgPool2d((stride, stride), (stride, stride), ceil=True)
            tensor = net.add(pool, tensor, name=f"{path}.0")
            stride = 1
        number = 1  # timm keeps the pool's place where there is nothing to pool
    conv = _conv(part.entering, part.leaving, 1, stride, 1, "shortcut" in spec.bias)
    tensor = net.add(conv, tensor, name=f"{path}.{number}")
    if spec.order == "post" and spec.shortcut_norm:
        tensor = net.add(_norm(part.leaving), tensor, name=f"{path}.{number + 1}")
    return tensor


def _squeeze_excite(net: Builder[_Tensor], part: Part, path: str, tensor: _Tensor) -> _Tensor:
    """Squeeze-and-excitation (Hu et al. 2017, Figure 3), as 1x1 convolutions like timm's."""
    channels = part.leaving
    hidden = squeezed_channels(channels, part.design.se_reduction)
    gate = net.add(_GLOBAL, tensor, name=f"{path}.squeeze")
    gate = net.add(_conv(channels, hidden, 1, bias=True), gate, name=f"{path}.fc1")
    # timm activates the gate by ReLU whatever the network's activation, as the paper does.
    gate = net.add(_GATE_ACT, gate, name=f"{path}.act")
    gate = net.add(_conv(hidden, channels, 1, bias=True), gate, name=f"{path}.fc2")
    gate = net.add(_SIGMOID, gate, name=f"{path}.gate")
    return net.add(_SCALE, tensor, gate, name=f"{path}.scale")
