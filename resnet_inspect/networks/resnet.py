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
from resnet_inspect.networks.attending import attending, positions
from resnet_inspect.networks.design import (
    CHAIN,
    Builder,
    Design,
    Part,
    Tensor,
    conv,
    normalized,
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
from resnet_inspect.networks.residual import ALPHA, block_kind, residual_block
from resnet_inspect.networks.shapes import Shape, show_shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.spec_field import LARGEST
from resnet_inspect.networks.unpadded import unpadded


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
        module = part.design.stem in PARALLEL if name == "stem" else part.design.head == "attention"
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
    channels, named, variance, stride = spec.stem_width, "layer", 1.0, spec.stem_stride
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
            parts[0] = parts[0]._replace(projects=step.undone)
        if spec.unpadded:
            parts = unpadded(parts, spec.unpadded[stage])
        if spec.drop_path_rate:
            parts = [part._replace(drop=rate) for part, rate in zip(parts, rates, strict=False)]
        if spec.convolution == "scaled":
            parts, variance = _damped(parts, variance)
        elif takes_turns(spec):
            parts = in_turn(spec, stage, parts)
        elif spec.self_attention:
            parts = attending(spec, stage, parts, stride)
        elif kind != CHAIN and not (step.factors or spec.drop_path_rate):
            # from its second block on, a stage repeats itself
            parts = parts[:2]
        yield StageLayout(f"{named}{stage + 1}", tuple(parts), count - len(parts))
        channels, stride = leaving, stride * step.stride
    if spec.head != "none":
        part = Part(design, HEAD, channels, 0, spec.classes, 0)
        if spec.head == "attention":
            part = part._replace(positions=positions(spec, stride))
        yield StageLayout("head", (part,), 0)


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
    return residual_block(net, part, path, tensor)


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
