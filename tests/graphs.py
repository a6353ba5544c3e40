"""Graphs of networks that no spec describes, built layer by layer."""

from __future__ import annotations

from resnet_inspect.errors import ShapeError
from resnet_inspect.networks.graph import (
    INPUT,
    Block,
    BlockBuilder,
    Layer,
    LayerGraph,
    Stage,
    Wire,
    in_network,
)
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.shapes import Shape


class GraphBuilder(BlockBuilder):
    """Collects layers, blocks and stages of a network that no spec describes."""

    def __init__(self, name: str, input_shape: Shape) -> None:
        super().__init__()
        self.name = name
        self.input_shape = input_shape
        self._blocks: list[Block] = []
        self._stages: list[Stage] = []

    @property
    def input(self) -> Wire:
        return Wire(INPUT, self.input_shape)

    def add(self, op: Op, *inputs: Layer | Wire, name: str, path: str | None = None) -> Layer:
        """Append a layer; raises ShapeError naming the network, its input and the layer."""
        try:
            return super().add(op, *inputs, name=name, path=path)
        except ShapeError as error:
            raise in_network(self.name, self.input_shape, error) from None

    def end_block(self, name: str, path: str, kind: str) -> None:
        """Close the block that holds all layers added since the last one was closed."""
        self._blocks.append(self.block(name, path, kind))

    def end_stage(self, name: str, path: str) -> None:
        """Close the stage that holds all blocks closed since the last stage was."""
        self._stages.append(Stage(name, path, tuple(self._blocks)))
        self._blocks = []

    def graph(self) -> LayerGraph:
        return LayerGraph(self.name, self.input_shape, tuple(self._stages))
