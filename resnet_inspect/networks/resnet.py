"""ResNetSpec + input shape -> LayerGraph: the one place that knows how ResNets are wired.

Module paths are torchvision's (conv1, bn1, layer1.0.conv2, layer2.0.downsample.0, fc) and, for what
only timm has, timm's (conv1.3 in a deep stem, layer1.0.se.fc1). Pre-activation networks keep this
scheme; their last batch norm is `norm`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, SupportsIndex

from resnet_inspect.errors import ShapeError, shown
from resnet_inspect.networks import ends, ops
from resnet_inspect.networks.attention import GATES, HIERARCHY, PATHS, attend
from resnet_inspect.networks.choices import BLOCKS
from resnet_inspect.networks.design import (
    Builder,
    Design,
    Part,
    Tensor,
    activated,
    conv,
    convolved,
    dropped,
    normalized,
    pooled,
)
from resnet_inspect.networks.dilation import steps
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
from resnet_inspect.networks.parallel import PARALLEL, in_turn, parallel, takes_turns
from resnet_inspect.networks.shapes import Shape, show_shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.spec_field import LARGEST
from resnet_inspect.networks.unpadded import cropped, unpadded

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
        path = blocks[0].path if ends_network else CHAIN if chained else name
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
        name = part.kind.lower()
        module = part.kind == STEM and part.design.stem in PARALLEL
        return net.block(name, name if module else "", part.kind)
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
    channels, named, variance = spec.stem_width, "layer", 1.0
    if spec.stem == "none":
        channels, named = spec.in_channels, "stage"
    else:
        yield StageLayout("stem", (Part(design, STEM, spec.in_channels, 0, channels, 0),), 0)
    rates = _drop_path_rates(spec)
    for stage, (count, step) in enumerate(zip(spec.blocks, steps(spec), strict=True)):
        inner, leaving = spec.inner_channels(stage), spec.stage_channels(stage)
        if spec.first_blocks:
            block = spec.kind_of(stage)
            more = spec.extra_conv and block == "bottleneck"
            design, kind = design._replace(block=block, extra_conv=more), block_kind(spec, block)
        first, groups = spec.inner_channels(stage, channels), spec.groups_of(stage, inner)
        of_first = groups if first == inner else spec.groups_of(stage, first)
        parts = [Part(design, kind, channels, first, leaving, step.stride, of_first)]
        parts += [Part(design, kind, leaving, inner, leaving, 1, groups)] * (count - 1)
        if step.rest > 1 or step.first > 1 or step.factors:
            parts = [part._replace(dilation=step.of_block(n)) for n, part in enumerate(parts)]
        if spec.unpadded:
            parts = unpadded(parts, spec.unpadded[stage])
        if spec.drop_path_rate:
            parts = [part._replace(drop=rate) for part, rate in zip(parts, rates, strict=False)]
        if spec.convolution == "scaled":
            parts, variance = _damped(parts, variance)
        elif takes_turns(spec):
            parts = in_turn(spec, stage, parts)
        elif kind != CHAIN and not (step.factors or spec.drop_path_rate):
            # from its second block on, a stage repeats itself
            parts = parts[:2]
        yield StageLayout(f"{named}{stage + 1}", tuple(parts), count - len(parts))
        channels = leaving
    if spec.head != "none":
        yield StageLayout("head", (Part(design, HEAD, channels, 0, spec.classes, 0),), 0)


def _drop_path_rates(spec: ResNetSpec) -> Iterator[float]:
    """Of each block in turn: from 0 on by equal steps (Huang et al. 2016, equation 4, as timm)."""
    last = sum(spec.blocks) - 1
    return (spec.drop_path_rate * block / max(1, last) for block in range(last + 1))


def _damped(parts: Sequence[Part], variance: float) -> tuple[list[Part], float]:
    """The blocks of a stage that keep the variance of what they see at 1, and what leaves them.

    Each adds ALPHA squared to it, and a stage's first block starts again from 1 (Brock et al. 2021,
    arXiv 2101.08692, section 3).
    """
    damped = []
    for number, part in enumerate(parts):
        damped.append(part._replace(damping=1.0 / variance**0.5))
        variance = (variance if number else 1.0) + ALPHA**2
    return damped, variance


def connect(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """Wire a part: add its layers to a builder, fed by `tensor`; gives what leaves it."""
    if part.kind == STEM:
        return ends.stem(net, part, tensor)
    if part.kind == HEAD:
        return ends.head(net, part, path, tensor)
    if part.kind == CHAIN:
        return _single_convolution(net, part, path, tensor)
    if part.design.block in PARALLEL:
        return parallel(net, part, path, tensor)
    return _residual_block(net, part, path, tensor)


def _single_convolution(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """A convolution by itself (Simonyan & Zisserman 2014); a max pool does the striding."""
    spec, place = part.design, int(path.rpartition(".")[2] or 0)
    run: list[ops.Op] = [conv(part.entering, part.leaving, 3, 1, 1, "residual" in spec.bias)]
    if part.stride > 1:
        run.insert(0, ops.MaxPool2d((part.stride,) * 2, (part.stride,) * 2))
    for number, op in enumerate(run):
        tensor = net.add(op, tensor, name=f"{CHAIN}.{place + number}")
    place += len(run)
    if spec.norm != "none":
        tensor = normalized(net, spec, part.leaving, tensor, f"{CHAIN}.{place}")
        place += 1
    return net.add(spec.act, tensor, name=f"{CHAIN}.{place}")


_ADD = ops.Add()

ALPHA = 0.2
"""What networks of scaled convolutions multiply a residual by."""

_OF_ATTENTION = {
    "se": "SE",
    "eca": "ECA",
    "gc": "GC",
    "sk": "SK",
    "sk-full": "SK",
    "split": "Split",
    "cbam": "CBAM",
}


_CLASSES = {
    "basic": "BasicBlock",
    "bottleneck": "Bottleneck",
    "edge": "EdgeBlock",
    "repvgg": "RepVGGBlock",
    "mobileone": "MobileOneBlock",
}


def block_kind(spec: ResNetSpec, block: str = "") -> str:
    """What a block of this network calls itself: Bottleneck, PreActBasicBlock, SEBottleneck, .."""
    if spec.block == "conv":
        return CHAIN
    base = _CLASSES[block or spec.block]
    plain = "Plain" if spec.shortcut == "none" else ""
    before = {"post": "", "inner": "Inner"}.get(spec.order, "PreAct")
    gated = _OF_ATTENTION.get(spec.attention or "none", "")
    return plain + before + gated + ("Res2" if spec.scales > 1 else "") + base


def _residual_convs(part: Part) -> list[ops.Conv2d]:
    spec, inner, leaving, stride = part.design, part.inner, part.leaving, part.stride
    bias = "residual" in spec.bias
    if spec.antialias != "none":
        stride = 1
    if spec.block == "basic":
        early, late = (1, stride) if spec.order == "inner" else (stride, 1)
        return [
            conv(part.entering, inner, 3, early, 1, bias, part.dilation[0]),
            conv(inner, leaving, 3, late, 1, bias, part.dilation[1]),
        ]
    if spec.block == "edge":
        return [
            conv(part.entering, inner, 3, stride, 1, bias, part.dilation[0]),
            conv(inner, leaving, 1, 1, 1, bias),
        ]
    early, late = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
    first, last = inner * spec.scales // spec.reduce_first, inner * spec.scales
    middle = inner if spec.scales > 1 else first
    spatial = conv(middle, inner, part.window[0], late, part.groups, bias, part.dilation[0])
    if not part.window[1]:
        spatial = spatial.replace(padding=(0, 0))
    convs = [
        conv(part.entering, first, 1, early, 1, bias),
        spatial,
        conv(last, leaving, 1, 1, 1, bias),
    ]
    if spec.extra_conv:
        convs.insert(2, conv(inner, inner, 3, 1, part.groups, bias, part.dilation[1]))
    return convs


def _residual_block(net: Builder[Tensor], part: Part, path: str, entering: Tensor) -> Tensor:
    spec = part.design
    projects = part.changes or spec.shortcut == "C"
    passes = spec.shortcut != "none" and not (projects and spec.shortcut == "identity")
    residual = _RESIDUALS[spec.order]
    # a projection takes the activated input (He et al. 2016, section 4.1)
    tensor, bypass = residual(net, part, path, entering)
    if spec.attention_at != "inner" and spec.attention in GATES:
        if spec.attention_at == "activated":
            tensor = net.add(spec.act, tensor, name=f"{path}.{spec.act_path}")
        tensor = attend(net, part, f"{path}.se", part.leaving, tensor)
    tensor = dropped(net, part.drop, tensor, f"{path}.drop_path", "DropPath")
    if spec.skipinit:
        tensor = net.add(ops.Gain(), tensor, name=f"{path}.skipinit")
    if spec.convolution == "scaled":
        tensor = net.add(ops.Multiply(ALPHA), tensor, name=f"{path}.alpha")
    if passes:
        if spec.order != "ahead" and (not projects or spec.shortcut == "A"):
            bypass = entering
        if projects:
            bypass = _shortcut(net, part, f"{path}.downsample", bypass)
        if part.window == (3, 0):
            bypass = cropped(net, net.shape(tensor), path, bypass)
        tensor = net.add(_ADD, tensor, bypass, name=f"{path}.add")
    if spec.order == "post" and not spec.linear_out:
        tensor = _activated(net, part, path, tensor, BLOCKS[spec.block] + spec.extra_conv)
    return tensor


def _activated(
    net: Builder[Tensor], part: Part, path: str, tensor: Tensor, number: int, keeps: bool = False
) -> Tensor:
    """The block's activation, which is one module that is called again; keeps: its input."""
    spec, path = part.design, f"{path}.{part.design.act_path}"
    if keeps:  # a module of its own, not in place
        return activated(net, spec, tensor, f"{path}_in", keeps=True)
    special = spec.attention_at == "activated" or _path_kind(part) in PATHS
    if special or (spec.order != "post" and spec.norm == "none"):
        return activated(net, spec, tensor, path)  # the builder numbers them
    return activated(net, spec, tensor, f"{path}{number}", path)


_NUMBERS = (("1", "2", "3"), ("1", "2", "2b", "3"))
"""What a block's convolutions are called, without and with one more."""


def _path_kind(part: Part) -> str:
    return HIERARCHY if part.design.scales > 1 else part.design.attention


def _preactivated(
    net: Builder[Tensor], part: Part, path: str, entering: Tensor
) -> tuple[Tensor, Tensor]:
    """The residual of a pre-activation block, and its activated input."""
    spec, tensor = part.design, entering
    bypass, convs = entering, _residual_convs(part)
    for i, op in enumerate(convs, start=1):
        number = _NUMBERS[spec.extra_conv][i - 1]
        tensor = normalized(net, spec, op.in_channels, tensor, f"{path}.bn{number}")
        tensor = _activated(net, part, path, tensor, i, keeps=i == 1 and spec.norm == "none")
        if i == 1:
            if spec.convolution == "scaled":
                tensor = net.add(ops.Multiply(part.damping), tensor, name=f"{path}.beta")
            bypass = tensor
        else:
            tensor = dropped(net, spec.block_drop_rate, tensor, f"{path}.dropout")
        tensor = convolved(net, spec, op, tensor, f"{path}.conv{number}")
        if i == len(convs) - 1 and spec.attention_at == "inner" and spec.attention in GATES:
            tensor = attend(net, part, f"{path}.se", op.out_channels, tensor)
    return tensor, bypass


def _postactivated(
    net: Builder[Tensor], part: Part, path: str, entering: Tensor
) -> tuple[Tensor, Tensor]:
    """The residual of a block that activates what its convolutions give, and its input."""
    spec = part.design
    convs, tensor = _residual_convs(part), entering
    middle = 2 if spec.block == "bottleneck" else 1
    strided = 1 if spec.stride_in == "1x1" else middle
    special = _path_kind(part)
    for i, op in enumerate(convs, start=1):
        pools = i == strided and part.stride > 1
        if pools and spec.antialias == "before":
            tensor = pooled(net, "before", part.stride, op.in_channels, tensor, f"{path}.aa")
        if i == middle and special in PATHS:
            at = path if special == HIERARCHY else f"{path}.conv{i}"
            tensor = PATHS[special](net, part, at, op, tensor)
        else:
            number = _NUMBERS[spec.extra_conv][i - 1]
            tensor = convolved(net, spec, op, tensor, f"{path}.conv{number}")
            norm = f"{path}.bn{number}"
            tensor = normalized(net, spec, op.out_channels, tensor, norm, i < len(convs))
            if i < len(convs):
                tensor = _activated(net, part, path, tensor, i)
        if pools and spec.antialias not in ("none", "before"):
            width = op.out_channels * (spec.scales if i == middle else 1)
            tensor = pooled(net, spec.antialias, part.stride, width, tensor, f"{path}.aa")
        if i == middle and spec.attention_at == "inner" and spec.attention in GATES:
            tensor = attend(net, part, f"{path}.se", spec.scales * op.out_channels, tensor)
    return tensor, entering


def _inner(net: Builder[Tensor], part: Part, path: str, entering: Tensor) -> tuple[Tensor, Tensor]:
    """The residual of a block that is activated between its convolutions alone, and its input.

    With norms before, between and after them (Han et al. 2016, arXiv 1610.02915, Figure 6d), or
    none (Lim et al. 2017, arXiv 1707.02921, Figure 2c).
    """
    spec = part.design
    tensor = normalized(net, spec, part.entering, entering, f"{path}.bn1")
    convs = _residual_convs(part)
    for i, op in enumerate(convs, start=1):
        tensor = convolved(net, spec, op, tensor, f"{path}.conv{i}")
        tensor = normalized(net, spec, op.out_channels, tensor, f"{path}.bn{i + 1}")
        if i < len(convs):
            tensor = activated(net, spec, tensor, f"{path}.{spec.act_path}")
    return tensor, entering


_RESIDUALS = {
    "post": _postactivated,
    "pre": _preactivated,
    "ahead": _preactivated,
    "inner": _inner,
}


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
    bias, side = "shortcut" in spec.bias, spec.shortcut_kernel
    if stride == 1 and part.stride == 1:
        side = 1
    op = conv(part.entering, part.leaving, side, stride, 1, bias)
    tensor = convolved(net, spec, op, tensor, f"{path}.{number}")
    if spec.order in ("post", "inner") and spec.shortcut_norm:
        tensor = normalized(net, spec, part.leaving, tensor, f"{path}.{number + 1}", False)
    return tensor
