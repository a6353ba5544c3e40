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

from resnet_inspect.errors import ShapeError, shown
from resnet_inspect.networks import ends, ops
from resnet_inspect.networks.design import Builder, Design, Part, Tensor, conv, normalized
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

CHAIN = "features"
"""Where a network of single convolutions has its layers, numbered from 0 (as torchvision's VGG)."""


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
    chained, place = spec.block == "conv", 0
    for name, parts, repeats in layout(spec):
        blocks = []
        for number, part in enumerate(parts):
            block = _block(part, f"{CHAIN}.{place}" if chained else f"{name}.{number}", wire)
            blocks.append(block)
            place += len(block.layers)
            wire = Wire(block.output.name, block.output.output_shape)
        ends_network = parts[0].kind in (STEM, HEAD)
        path = "" if ends_network else CHAIN if chained else name
        stage = Stage(name, path, tuple(blocks), repeats)
        yield stage
        wire = stage.leaving


# Equal blocks of two networks are one block, as equal ops are one op: both are data.
@lru_cache(maxsize=1024)
def _block(part: Part, path: str, wire: Wire) -> Block:
    net = BlockBuilder()
    entering: Layer | Wire = wire
    connect(net, part, path, entering)
    if part.kind in (STEM, HEAD):
        return net.block(part.kind.lower(), "", part.kind)
    return net.chain() if part.kind == CHAIN else net.block(path, path, part.kind)


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


class StageLayout(NamedTuple):
    """The parts of a stage that differ, and how many times the last of them runs again."""

    path: str
    parts: tuple[Part, ...]
    repeats: int


def layout(spec: ResNetSpec) -> Iterator[StageLayout]:
    """The parts of a network in running order, stage by stage."""
    design, kind = Design.of(spec), block_kind(spec)
    channels, named = spec.stem_width, "layer"
    if spec.stem == "none":
        channels, named = spec.in_channels, "stage"
    else:
        yield StageLayout("stem", (Part(design, STEM, spec.in_channels, 0, channels, 0),), 0)
    for stage, count in enumerate(spec.blocks):
        inner, leaving = spec.inner_channels(stage), spec.stage_channels(stage)
        first = Part(design, kind, channels, inner, leaving, spec.strides[stage])
        rest = (Part(design, kind, leaving, inner, leaving, 1),) * (count - 1)
        if kind != CHAIN:  # from its second block on, a stage repeats itself
            rest = rest[:1]
        parts = (first, *rest)
        yield StageLayout(f"{named}{stage + 1}", parts, count - len(parts))
        channels = leaving
    yield StageLayout("head", (Part(design, HEAD, channels, 0, spec.classes, 0),), 0)


def connect(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """Wire a part: add its layers to a builder, fed by `tensor`; gives what leaves it."""
    if part.kind == STEM:
        return ends.stem(net, part, tensor)
    if part.kind == HEAD:
        return ends.head(net, part, path, tensor)
    if part.kind == CHAIN:
        return _single_convolution(net, part, path, tensor)
    return _residual_block(net, part, path, tensor)


def _single_convolution(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """A convolution by itself (Simonyan & Zisserman 2014); a max pool does the striding."""
    spec, place = part.design, int(path.rpartition(".")[2] or 0)
    steps: list[ops.Op] = [conv(part.entering, part.leaving, 3, 1, 1, "residual" in spec.bias)]
    if part.stride > 1:
        steps.insert(0, ops.MaxPool2d((part.stride,) * 2, (part.stride,) * 2))
    for number, op in enumerate(steps):
        tensor = net.add(op, tensor, name=f"{CHAIN}.{place + number}")
    place += len(steps)
    if spec.norm != "none":
        tensor = normalized(net, spec, part.leaving, tensor, f"{CHAIN}.{place}")
        place += 1
    return net.add(spec.act, tensor, name=f"{CHAIN}.{place}")


def squeezed_channels(channels: int, reduction: int) -> int:
    """Hidden units of squeeze-and-excitation: channels / reduction to the nearest 8, at least 8.

    The ratio is the paper's (Hu et al. 2017, section 4); the rounding timm's.
    """
    return max(8, int(channels / reduction + 4) // 8 * 8)


_ADD, _SCALE, _SIGMOID, _GLOBAL = ops.Add(), ops.Scale(), ops.Sigmoid(), ops.GlobalAvgPool2d()
_GATE_ACT = ops.ReLU()


def block_kind(spec: ResNetSpec) -> str:
    """What a block of this network calls itself: Bottleneck, PreActBasicBlock, SEBottleneck, .."""
    if spec.block == "conv":
        return CHAIN
    base = "BasicBlock" if spec.block == "basic" else "Bottleneck"
    plain = "Plain" if spec.shortcut == "none" else ""
    before = "PreAct" if spec.order == "pre" else ""
    squeeze = "SE" if spec.se_reduction else ""
    return plain + before + squeeze + base


def _residual_convs(part: Part) -> list[ops.Conv2d]:
    spec, _, entering, inner, leaving, stride = part
    bias = "residual" in spec.bias
    if spec.block == "basic":
        return [conv(entering, inner, 3, stride, 1, bias), conv(inner, leaving, 3, 1, 1, bias)]
    early, late = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
    return [
        conv(entering, inner, 1, early, 1, bias),
        conv(inner, inner, 3, late, spec.groups, bias),
        conv(inner, leaving, 1, 1, 1, bias),
    ]


def _residual_block(net: Builder[Tensor], part: Part, path: str, entering: Tensor) -> Tensor:
    spec = part.design
    act, act_path = spec.act, f"{path}.{spec.act_path}"
    convs = _residual_convs(part)
    changes = part.stride != 1 or part.entering != part.leaving
    projects = changes or spec.shortcut == "C"

    tensor = bypass = entering
    for i, op in enumerate(convs, start=1):
        if spec.order == "pre":
            tensor = normalized(net, spec, op.in_channels, tensor, f"{path}.bn{i}")
            tensor = net.add(act, tensor, name=f"{act_path}{i}", path=act_path)
            if i == 1 and projects and spec.shortcut != "A":
                # a projection takes the activated input (He et al. 2016, section 4.1)
                bypass = tensor
        tensor = net.add(op, tensor, name=f"{path}.conv{i}")
        if spec.order == "post":
            tensor = normalized(net, spec, op.out_channels, tensor, f"{path}.bn{i}")
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


def _shortcut(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
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
    op = conv(part.entering, part.leaving, 1, stride, 1, "shortcut" in spec.bias)
    tensor = net.add(op, tensor, name=f"{path}.{number}")
    if spec.order == "post" and spec.shortcut_norm:
        tensor = normalized(net, spec, part.leaving, tensor, f"{path}.{number + 1}")
    return tensor


def _squeeze_excite(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """Squeeze-and-excitation (Hu et al. 2017, Figure 3), as 1x1 convolutions like timm's."""
    channels = part.leaving
    hidden = squeezed_channels(channels, part.design.se_reduction)
    gate = net.add(_GLOBAL, tensor, name=f"{path}.squeeze")
    gate = net.add(conv(channels, hidden, 1, bias=True), gate, name=f"{path}.fc1")
    # timm activates the gate by ReLU whatever the network's activation, as the paper does.
    gate = net.add(_GATE_ACT, gate, name=f"{path}.act")
    gate = net.add(conv(hidden, channels, 1, bias=True), gate, name=f"{path}.fc2")
    gate = net.add(_SIGMOID, gate, name=f"{path}.gate")
    return net.add(_SCALE, tensor, gate, name=f"{path}.scale")
