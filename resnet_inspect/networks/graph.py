"""LayerGraph: a network as data. Network > stage > block > layer.

A graph lists layers in the order in which they run. Each says what feeds it, so branches, additions
and shortcuts are plain to see; nothing is found by parsing names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, NamedTuple

from resnet_inspect.errors import ShapeError, unknown
from resnet_inspect.networks.ops import Op, Shape, show_shape

INPUT = "input"
"""The name that stands for the network's input among a layer's inputs."""


class Layer(NamedTuple):
    """One call of one op.

    name: unique in the network (a module that is called twice gives two layers).
    path: where its module lives in the assembled model; equal to torchvision's or timm's.
    inputs: names of the layers that feed it, or `INPUT`.
    input_shapes, output_shape: without the batch.
    """

    name: str
    path: str
    op: Op
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape


class Block(NamedTuple):
    """A residual block, or the stem or the head.

    path is the module of the assembled model, or '' for layers that hang off the model itself.
    """

    name: str
    path: str
    kind: str
    layers: tuple[Layer, ...]

    @property
    def output(self) -> Layer:
        return self.layers[-1]


class Stage(NamedTuple):
    """Consecutive blocks at one resolution (stem, layer1 .., head)."""

    name: str
    path: str
    blocks: tuple[Block, ...]

    @property
    def layers(self) -> Iterator[Layer]:
        return (layer for block in self.blocks for layer in block.layers)

    @property
    def output(self) -> Layer:
        return self.blocks[-1].output


@dataclass(frozen=True)
class LayerGraph:
    """A network for one input shape.

    maker: for a network that was traced, what makes its torch.nn.Module anew.
    """

    name: str
    input_shape: Shape
    stages: tuple[Stage, ...]
    maker: Callable[[], Any] | None = field(default=None, compare=False, repr=False)

    _repr_html_: ClassVar[Callable[[LayerGraph], str]]
    """What a notebook shows: a table, so the public functions set it from above the tables."""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(chain.from_iterable(block.layers for block in self.blocks))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(block for stage in self.stages for block in stage.blocks)

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    @property
    def output(self) -> Layer:
        return self.layers[-1]

    def __repr__(self) -> str:
        shape, blocks = show_shape(self.input_shape), len(self.blocks)
        layers = len(self.layers)
        return f"<LayerGraph {self.name!r}: input {shape}, {blocks} blocks, {layers} layers>"

    def __str__(self) -> str:
        """A heading, and a line for each stage: its blocks by kind, and what leaves it."""
        lines = [f"{self.name}, input {show_shape(self.input_shape)}"]
        for stage in self.stages:
            kinds = Counter(block.kind for block in stage.blocks)
            blocks = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
            lines.append(f"  {stage.name:8} {blocks:24} {show_shape(stage.output.output_shape)}")
        return "\n".join(lines)

    def layer(self, name: str) -> Layer:
        """The layer of this name; raises UnknownNameError with the nearest names."""
        try:
            return self.by_name[name]
        except KeyError:
            raise unknown(f"layer of {self.name}", name, self.by_name) from None

    def block(self, name: str) -> Block:
        """The block of this name; raises UnknownNameError with the nearest names."""
        blocks = {block.name: block for block in self.blocks}
        try:
            return blocks[name]
        except KeyError:
            raise unknown(f"block of {self.name}", name, blocks) from None


class Wire(NamedTuple):
    """A tensor on its way: the layer that made it, and its shape."""

    source: str
    shape: Shape


class GraphBuilder:
    """Collects layers, blocks and stages in running order.

    The one place where shapes are inferred, and the one boundary that adds the network and the
    layer to a shape error.
    """

    def __init__(self, name: str, input_shape: Shape) -> None:
        self.name = name
        self.input_shape = input_shape
        self._layers: list[Layer] = []
        self._blocks: list[Block] = []
        self._stages: list[Stage] = []

    @property
    def input(self) -> Wire:
        return Wire(INPUT, self.input_shape)

    def add(self, op: Op, *inputs: Wire, name: str, path: str | None = None) -> Wire:
        """Append a layer; path defaults to the name. Raises ShapeError naming the layer."""
        shapes = tuple([wire.shape for wire in inputs])
        try:
            out = op.output_shape(*shapes)
        except ShapeError as error:
            raise ShapeError(
                f"{self.name} with input {'x'.join(map(str, self.input_shape))}: "
                f"layer {name} ({op.kind}) {error}"
            ) from None
        sources = tuple([wire.source for wire in inputs])
        self._layers.append(Layer(name, path or name, op, sources, shapes, out))
        return Wire(name, out)

    def end_block(self, name: str, path: str, kind: str) -> None:
        """Close the block that holds all layers added since the last one was closed."""
        self._blocks.append(Block(name, path, kind, tuple(self._layers)))
        self._layers = []

    def repeat_block(self, name: str) -> Wire:
        """Append the last block once more under another name and path, fed by its own output.

        For blocks that give what they take: nothing has to be inferred anew.
        """
        last = self._blocks[-1]
        skip, entering = len(last.name), last.output.name
        names = {layer.name: name + layer.name[skip:] for layer in last.layers}
        self._layers = [
            Layer(
                names[own],
                name + path[skip:],
                op,
                tuple([names.get(source, entering) for source in sources]),
                shapes,
                out,
            )
            for own, path, op, sources, shapes, out in last.layers
        ]
        self.end_block(name, name, last.kind)
        return Wire(names[entering], last.output.output_shape)

    def end_stage(self, name: str, path: str) -> None:
        """Close the stage that holds all blocks closed since the last stage was."""
        self._stages.append(Stage(name, path, tuple(self._blocks)))
        self._blocks = []

    def graph(self) -> LayerGraph:
        return LayerGraph(self.name, self.input_shape, tuple(self._stages))
