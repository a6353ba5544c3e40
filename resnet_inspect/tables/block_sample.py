"""A residual block taken out of its network, for comparison with another."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_inspect.counting.costs import Cost, total
from resnet_inspect.networks.graph import Block, Layer
from resnet_inspect.networks.ops import Conv2d, Pair
from resnet_inspect.networks.single_block import block_graph
from resnet_inspect.networks.wiring import shortcut


@dataclass(frozen=True, slots=True)
class Sample:
    """A residual block taken out of its network.

    channels: those that leave it; cost: of all its layers for one sample.
    """

    kind: str
    channels: int
    block: Block
    cost: Cost

    @property
    def convs(self) -> tuple[tuple[Layer, Conv2d], ...]:
        """The convolutions on the residual path."""
        bypass = {layer.name for layer in shortcut(self.block) or ()}
        return tuple(
            (layer, layer.op)
            for layer in self.block.layers
            if isinstance(layer.op, Conv2d) and layer.name not in bypass
        )

    @property
    def weights(self) -> int:
        """Entries of its convolutions' kernels on the residual path."""
        return sum(conv.weights for _, conv in self.convs)

    @property
    def inside(self) -> int:
        """Channels of its 3x3 convolutions."""
        return max((conv for _, conv in self.convs), key=lambda conv: conv.kernel).in_channels

    @property
    def size(self) -> Pair:
        """Height and width of what leaves it."""
        _, height, width = self.block.output.output_shape
        return height, width


def sample(
    kind: str,
    channels: int,
    size: Pair,
    *,
    entering: int | None = None,
    stride: int = 1,
    option: str = "B",
) -> Sample:
    """A block of `kind` ('basic' or 'bottleneck') that gives `channels` at height and width `size`.

    entering: channels that come in (default: the same); stride: how it strides; option: its
    shortcut where the shape changes (with 'C' everywhere). Raises SpecError for channels that the
    block cannot have.
    """
    (block,) = block_graph(
        kind,
        channels,
        (size[0] * stride, size[1] * stride),
        entering=channels if entering is None else entering,
        stride=stride,
        shortcut=option,
    ).blocks
    return Sample(kind, channels, block, total(block.layers))
