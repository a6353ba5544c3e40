"""What the parts of a network are wired from, and the layers that they have in common."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

from resnet_inspect.networks import ops
from resnet_inspect.networks.spec import ResNetSpec


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
    norm: str
    groups: int
    se_reduction: int
    activation: str
    bias: tuple[str, ...]
    head: str
    classes: int

    @classmethod
    def of(cls, spec: ResNetSpec) -> Design:
        """The design of a network."""
        return cls(*_DESIGN(spec))

    @property
    def act(self) -> ops.Activation:
        return ops.ACTIVATIONS[self.activation]

    @property
    def act_path(self) -> str:
        """torchvision calls its ReLU 'relu'; nobody has a name for the others."""
        return "relu" if self.activation == "relu" else "act"


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


Tensor = TypeVar("Tensor")


class Builder(Protocol[Tensor]):
    """What is told of every layer: lists it (BlockBuilder) or counts it (counting.costs)."""

    def add(self, op: ops.Op, *inputs: Tensor, name: str, path: str | None = None) -> Tensor:
        """Take a layer of this op; gives its output."""


# Equal ops are one op: an op is data.
@lru_cache(maxsize=4096)
def conv(
    inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> ops.Conv2d:
    """A convolution that keeps height and width, but for its stride."""
    side, step, edge = (kernel, kernel), (stride, stride), (kernel // 2, kernel // 2)
    return ops.Conv2d(inside, outside, side, step, edge, groups, bias)


batch_norm = lru_cache(maxsize=1024)(ops.BatchNorm2d)


def normalized(
    net: Builder[Tensor], design: Design, channels: int, tensor: Tensor, name: str
) -> Tensor:
    """The network's normalization of a tensor, if it has any."""
    if design.norm == "none":
        return tensor
    return net.add(batch_norm(channels), tensor, name=name)
