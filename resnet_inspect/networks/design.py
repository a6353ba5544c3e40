"""What the parts of a network are wired from, and the layers that they have in common."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from resnet_inspect.networks import ops
from resnet_inspect.networks.channel_rules import ACTIVE
from resnet_inspect.networks.choices import PRELU
from resnet_inspect.networks.shapes import Pair, Shape
from resnet_inspect.networks.spec import ResNetSpec

CHAIN = "features"
"""Where a network of single convolutions has its layers, numbered from 0 (as torchvision's VGG)."""


class Design(NamedTuple):
    """The fields of ResNetSpec that hold for all blocks, stem and head alike.

    Parts of networks are wired from these and from numbers, so that networks that differ in depth
    or in the width of one stage share the parts that are equal.
    """

    block: str
    stem: str
    stem_strides: tuple[int, ...]
    stem_pool: bool | None
    pool: str
    shortcut: str
    shortcut_norm: bool
    shortcut_kernel: int
    stride_in: str
    padding: str
    order: str
    norm: str
    norm_size: int
    convolution: str
    gamma_in_act: bool
    skipinit: bool
    extra_conv: bool
    reduce_first: int
    scales: int
    query_width: int
    radix: int
    branches: int
    antialias: str
    attention: str
    attention_at: str
    se_reduction: int
    se_multiple: int
    se_entering: bool
    block_drop_rate: float
    activation: str
    linear_out: bool
    bias: tuple[str, ...]
    outer_norm: str
    head: str
    head_width: int
    drop_rate: float

    @classmethod
    def of(cls, spec: ResNetSpec) -> Design:
        """The design of a network."""
        return cls(*_DESIGN(spec))

    @property
    def act(self) -> ops.Activation:
        return ops.ACTIVATIONS[self.activation]

    @property
    def act_path(self) -> str:
        """torchvision calls its ReLU 'relu' and ArcFace PReLU 'prelu'; others have no name."""
        return self.activation if self.activation in ("relu", PRELU) else "act"


_DESIGN = operator.attrgetter(*Design._fields)


class Part(NamedTuple):
    """What a stem, a residual block or a head is wired from: equal parts are wired alike.

    entering, inner, leaving: channels of its input, of a block's 3x3, and of its output. groups: of
    its 3x3. damping: what a block of a network without normalization multiplies its input by.
    dilation: of its first and its second 3x3. window: kernel and padding of a bottleneck's 3x3.
    drop: how often training leaves its residual out. projects: whether it has a projection though
    its shape stays: it strode before.
    positions: height and width of what enters at the network's own input size, where it learns
    something for each. attends: the kind of self-attention that takes the place of its 3x3.
    """

    design: Design
    kind: str
    entering: int
    inner: int
    leaving: int
    stride: int
    groups: int = 1
    damping: float = 1.0
    dilation: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (3, 1)
    drop: float = 0.0
    projects: bool = False
    positions: Pair = (0, 0)
    attends: str = ""

    @property
    def changes(self) -> bool:
        """Whether what leaves a block has another shape than what enters it."""
        return self.stride != 1 or self.entering != self.leaving


Tensor = TypeVar("Tensor")


class Builder(Protocol[Tensor]):
    """What is told of every layer: lists it (BlockBuilder) or counts it (counting.costs)."""

    def add(self, op: ops.Op, *inputs: Tensor, name: str, path: str | None = None) -> Tensor:
        """Take a layer of this op; gives its output."""

    def shape(self, tensor: Tensor) -> Shape:
        """The shape of a tensor."""


# Equal ops are one op: an op is data.
@lru_cache(maxsize=4096)
def conv(
    inside: int,
    outside: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    dilation: int = 1,
) -> ops.Conv2d:
    """A convolution that keeps height and width, but for its stride."""
    side, step, edge = (kernel, kernel), (stride, stride), dilation * (kernel // 2)
    spread = (dilation, dilation)
    return ops.Conv2d(inside, outside, side, step, (edge, edge), groups, bias, spread)


@lru_cache(maxsize=4096)
def _reweighted(op: ops.Conv2d, convolution: str, gamma: float) -> ops.Conv2d:
    """A convolution whose weights are made as the network makes them."""
    if convolution == "standardized":
        return ops.StandardizedConv2d(**vars(op))
    return ops.ScaledConv2d(**vars(op), gamma=gamma)


class Module(Generic[Tensor]):
    """A builder at the path of a module, in a network of some design.

    It names layers within the module: by their kinds, if by nothing else.
    """

    def __init__(self, net: Builder[Tensor], design: Design, path: str = "") -> None:
        self.net, self.design, self.path, self.shape = net, design, path, net.shape
        self._within = f"{path}." if path else ""

    def within(self, name: str) -> Self:
        return type(self)(self.net, self.design, self._within + name)

    def add(self, op: ops.Op, *tensors: Tensor, name: str = "", path: str = "") -> Tensor:
        """Take a layer; path: of the layer's module, where it has run under another name."""
        name = self._within + (name or op.kind.lower())
        if path:
            return self.net.add(op, *tensors, name=name, path=self._within + path)
        return self.net.add(op, *tensors, name=name)

    def run(self, tensor: Tensor, **layers: ops.Op) -> Tensor:
        """What layers give one after another, by their names."""
        for name, op in layers.items():
            tensor = self.net.add(op, tensor, name=self._within + name)
        return tensor

    def convolved(self, op: ops.Conv2d, tensor: Tensor, name: str) -> Tensor:
        """A convolution of a tensor, with weights and padding as the network has them."""
        design = self.design
        if design.convolution != "plain":
            gamma = 1.0 if design.gamma_in_act else ops.GAMMAS.get(design.activation, 1.0)
            op = _reweighted(op, design.convolution, gamma)
        if design.padding == "same" and max(op.stride) > 1 and max(op.kernel) > 1:
            from resnet_inspect.networks.torch_ops import Pad

            (top, bottom), (left, right) = same_padding(op, self.shape(tensor))
            if top == bottom and left == right:
                op = op.replace(padding=(top, left))
            else:
                tensor = self.add(Pad((left, right, top, bottom)), tensor, name=f"{name}_pad")
                op = op.replace(padding=(0, 0))
        return self.net.add(op, tensor, name=self._within + name)

    def activated(self, tensor: Tensor, name: str, path: str = "", keeps: bool = False) -> Tensor:
        """The network's activation, times gamma where weights are not; keeps: its input."""
        design = self.design
        if design.norm in ACTIVE:
            return tensor
        if design.activation == PRELU:
            from resnet_inspect.networks.torch_ops import Function

            op: ops.Activation = Function("PReLU", self.shape(tensor)[0])
        else:
            op = design.act.replace(inplace=False) if keeps else design.act
        within = self._within
        at = within + path if path else None
        tensor = self.net.add(op, tensor, name=within + name, path=at)
        if not design.gamma_in_act:
            return tensor
        return self.add(ops.Multiply(ops.GAMMAS[design.activation]), tensor, name=f"{name}_gamma")

    def normalized(self, tensor: Tensor, name: str, activates: bool = True) -> Tensor:
        """The network's normalization of a tensor, if it has any.

        activates: whether its activation follows, which some norms bring themselves.
        """
        norm = self.design.norm
        if norm == "none":
            return tensor
        channels = self.shape(tensor)[0]
        op = batch_norm(channels) if norm == "batch" else _norm(self.design, channels, activates)
        return self.net.add(op, tensor, name=self._within + name)

    def dropped(self, rate: float, tensor: Tensor, name: str, kind: str = "Dropout") -> Tensor:
        """A tensor of which training drops a part; kind: Dropout, or DropPath of whole samples."""
        if not rate:
            return tensor
        from resnet_inspect.networks.torch_ops import Dropout

        return self.add(Dropout(kind, rate), tensor, name=name)

    def pooled(self, kind: str, stride: int, tensor: Tensor, name: str) -> Tensor:
        """A pool that strides in place of a convolution (ResNetSpec.antialias)."""
        step = (stride, stride)
        if kind == "average":
            return self.add(ops.AvgPool2d(step, step), tensor, name=name)
        if kind in ("wide", "before"):
            pool = ops.AvgPool2d((3, 3), step, (1, 1), count_padding=True)
            return self.add(pool, tensor, name=name)
        from resnet_inspect.networks.torch_ops import Conv, Pad

        # The binomial filter 1 2 1 in both directions (Zhang 2019, arXiv 1904.11486), as a buffer.
        width = self.shape(tensor)[0]
        blur = Conv(width, width, (3, 3), step, (0, 0), width, False, (1, 1), (0, 9 * width))
        return self.within(name).run(tensor, pad=Pad((1, 1, 1, 1), "reflect"), conv2d=blur)


def same_padding(op: ops.Conv2d | ops.Pool2d, shape: Shape) -> tuple[tuple[int, int], ...]:
    """What TensorFlow adds before and after, of each axis: as many windows as strides, begun.

    (tensorflow.org/api_docs/python/tf/nn, 'Notes on padding'.)
    """
    extent = op.reach if isinstance(op, ops.Conv2d) else op.kernel
    axes = zip(shape[1:], extent, op.stride, strict=True)
    missing = [max((-(-size // step) - 1) * step + side - size, 0) for size, side, step in axes]
    return tuple((total // 2, total - total // 2) for total in missing)


batch_norm = lru_cache(maxsize=1024)(ops.BatchNorm2d)
_frozen_norm = lru_cache(maxsize=1024)(ops.FrozenBatchNorm2d)


def _norm(design: Design, channels: int, activates: bool) -> ops.Op:
    if design.norm == "frozen":
        return _frozen_norm(channels)
    groups = channels // design.norm_size if design.norm_size else 32
    if design.norm == "group":
        from resnet_inspect.networks.torch_ops import GroupNorm

        return GroupNorm(groups, channels)
    from resnet_inspect.networks.active_norm import ActiveNorm

    groups = channels if design.norm == "frn" else groups
    epsilon = 1e-5 if design.order == "pre" else 1e-3  # timm's S0 and S0a
    return ActiveNorm(groups, channels, True, ACTIVE[design.norm], activates, epsilon)
