"""ResNetSpec + input shape -> LayerGraph: the one place that knows how ResNets are wired.

Module paths are torchvision's (conv1, bn1, layer1.0.conv2, layer2.0.downsample.0, fc) and, for what
only timm has, timm's (conv1.3 in a deep stem, layer1.0.se.fc1). Pre-activation networks keep this
scheme; their last batch norm is `norm`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from typing import SupportsIndex

from resnet_inspect.errors import ShapeError, shown
from resnet_inspect.networks import ends, graph, ops
from resnet_inspect.networks.design import CHAIN, Builder, Module, Part, Tensor, conv
from resnet_inspect.networks.parallel import PARALLEL, parallel
from resnet_inspect.networks.residual import residual_block
from resnet_inspect.networks.shapes import Shape, show_shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.spec_field import LARGEST
from resnet_inspect.networks.stage_layout import layout


def layer_graph(spec: ResNetSpec, input_shape: Shape | None = None) -> graph.LayerGraph:
    """Wire the network for inputs of (channels, height, width).

    Raises ShapeError where the input does not fit the network.
    """
    return _wired(spec, image_shape(spec, input_shape))


# A graph is data and remembers its facts, so those who ask for the same network share one.
@lru_cache(maxsize=8)
def _wired(spec: ResNetSpec, shape: Shape) -> graph.LayerGraph:
    try:
        stages = tuple(_stages(spec, graph.Wire(graph.INPUT, shape)))
    except ShapeError as error:
        raise graph.in_network(spec.name, shape, error) from None
    return graph.LayerGraph(spec.name, shape, stages, spec=spec)


def _stages(spec: ResNetSpec, wire: graph.Wire) -> Iterator[graph.Stage]:
    chained, place = spec.block == "conv", 0
    for name, parts, repeats in layout(spec):
        blocks = []
        for number, part in enumerate(parts):
            block = _block(part, f"{CHAIN}.{place}" if chained else f"{name}.{number}", wire)
            blocks.append(block)
            place += len(block.layers)
            wire = graph.Wire(block.output.name, block.output.output_shape)
        ends_network = parts[0].kind in (graph.STEM, graph.HEAD)
        path = blocks[0].path if ends_network else CHAIN if chained else name
        stage = graph.Stage(name, path, tuple(blocks), repeats)
        yield stage
        wire = stage.leaving


# Equal blocks of two networks are one block, as equal ops are one op: both are data.
@lru_cache(maxsize=1024)
def _block(part: Part, path: str, wire: graph.Wire) -> graph.Block:
    net = graph.BlockBuilder()
    entering: graph.Layer | graph.Wire = wire
    connect(net, part, path, entering)
    if part.kind in (graph.STEM, graph.HEAD):
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


def connect(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """Wire a part: add its layers to a builder, fed by `tensor`; gives what leaves it."""
    if part.kind == graph.STEM:
        return ends.stem(Module(net, part.design), part, tensor)
    if part.kind == graph.HEAD:
        return ends.head(Module(net, part.design), part, path, tensor)
    if part.kind == CHAIN:
        return _single_convolution(Module(net, part.design, CHAIN), part, path, tensor)
    block = parallel if part.design.block in PARALLEL else residual_block
    return block(Module(net, part.design, path), part, tensor)


def _single_convolution(module: Module[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """A convolution by itself (Simonyan & Zisserman 2014); a max pool does the striding."""
    places = map(str, count(int(path.rpartition(".")[2] or 0)))
    if part.stride > 1:
        pool = ops.MaxPool2d((part.stride,) * 2, (part.stride,) * 2)
        tensor = module.add(pool, tensor, name=next(places))
    op = conv(part.entering, part.leaving, 3, 1, 1, "residual" in part.design.bias)
    tensor = module.add(op, tensor, name=next(places))
    if part.design.norm != "none":
        tensor = module.normalized(tensor, next(places))
    return module.add(part.design.act, tensor, name=next(places))
