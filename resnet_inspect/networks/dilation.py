"""Stages that dilate their convolutions instead of striding (Chen et al. 2017, arXiv 1706.05587).

The dilation of a stage is that of all its 3x3 convolutions but the first block's, which keeps that
of the stage before, as its input does: torchvision's replace_stride_with_dilation and timm's
output_stride have it so, and the weights of a network that strides keep their meaning.
"""

from __future__ import annotations

from typing import NamedTuple

from resnet_inspect.networks.spec import ResNetSpec


class Steps(NamedTuple):
    """How a stage strides and dilates.

    stride: of its first block. first, rest: dilations of the first 3x3 convolution of its first
    block, and of all others. factors: of the dilation of each block in turn, all 3x3 alike. undone:
    whether an output stride took its stride, whose projection stays.
    """

    stride: int
    first: int = 1
    rest: int = 1
    factors: tuple[int, ...] = ()
    undone: bool = False

    def of_block(self, number: int) -> tuple[int, int]:
        """Dilations of the first and the second 3x3 convolution of a block."""
        if self.factors:
            rate = self.rest * self.factors[number % len(self.factors)]
            return rate, rate
        return (self.rest if number else self.first), self.rest


def steps(spec: ResNetSpec) -> tuple[Steps, ...]:
    """The steps of each stage."""
    if not spec.dilates:
        return tuple(map(Steps, spec.strides))
    reached, dilation, before = spec.stem_stride, 1, 1
    stages = []
    for stage, stride in enumerate(spec.strides):
        undone = 0 < spec.output_stride < reached * stride and stride > 1
        if spec.dilations:
            dilation = spec.dilations[stage]
        elif undone:
            dilation, stride = dilation * stride, 1
        reached *= stride
        last = stage == len(spec.strides) - 1
        factors = spec.multi_grid if last else ()
        stages.append(Steps(stride, before, dilation, factors, undone))
        before = dilation
    return tuple(stages)
