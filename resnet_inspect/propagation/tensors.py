"""Tensors and initialisations as signal propagation sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from operator import add
from typing import NamedTuple

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.torch_ops import AdaptivePool, Conv, Pad
from resnet_inspect.propagation.laws import Law, Moments, gauss
from resnet_inspect.propagation.maps import (
    Map,
    Window,
    copied,
    divided,
    each,
    mean,
    plus,
    times,
    uniform,
    window,
)


class Initial(NamedTuple):
    """How weights start: 'published' (assemble.initialise) or 'torch' (its layers' defaults).

    slope: of the LeakyReLUs that the published initialisation makes up for. straight: whether all
    activations of maps are rectifiers: what these make of a Gaussian goes with its size, so laws
    need not know that positions differ in it. common: whether to follow what all inputs have in
    common at each position. zeroed: layers that start as 0 (zero_gamma).
    """

    kind: str = "published"
    slope: float = 0.0
    straight: bool = True
    common: bool = True
    zeroed: frozenset[str] = frozenset()

    def variances(self, op: ops.Convolution | ops.Linear) -> tuple[float, float]:
        """Of a layer's weights and of its bias.

        Published: 2 / fan out (He et al. 2015b, arXiv 1502.01852, equation 14), bias 0, and the
        classifier as torch has it: both uniform within 1 / sqrt(fan in), so 1 / (3 fan in).
        Weights that are made anew have the variance that they are made for.
        """
        fan_in = op.weights // (
            op.out_channels if isinstance(op, ops.Convolution) else op.out_features
        )
        weight, bias = 1 / (3 * fan_in), 1 / (3 * fan_in) if op.bias else 0.0
        if isinstance(op, ops.Conv2d) and self.kind == "published":
            fan_out = op.out_channels * op.kernel[0] * op.kernel[1]
            weight, bias = 2 / (1 + self.slope**2) / fan_out, 0.0
        if isinstance(op, ops.StandardizedConv2d):
            weight = 1.0
        if isinstance(op, ops.ScaledConv2d):
            weight = op.gamma**2 / fan_in
        return weight, bias


@dataclass(frozen=True)
class Channels:
    """Channels of a tensor that are alike.

    square: the mean square at each position. common: at each position, the mean square of a
    channel's mean over inputs, or `cross` itself where nobody asks for it; cross: its product with
    the mean over all positions; steady: the square of that one. law: how the values are distributed
    over inputs and positions. ripple: how much a channel's mean over inputs differs between
    positions, as the root mean square over all pairs; channels differ in that, and so in the
    variance that batch norm divides by. spread: the variance of that one between channels, for
    other reasons. pairs: on a small map, for each two positions the mean product of a channel's
    means.
    """

    channels: int
    square: Map
    common: Map
    cross: Map
    steady: float
    law: Law
    ripple: float = 0.0
    spread: float = 0.0
    pairs: Map | None = None

    @property
    def variance(self) -> float:
        """Over inputs and positions, as batch norm has it."""
        return mean(self.square) - self.steady

    @property
    def follows(self) -> bool:
        """Whether it is known what all inputs have in common at each position."""
        return self.common is not self.cross

    def mapped(self, change: Callable[[Map], Map]) -> Channels:
        """With each map changed."""
        cross = change(self.cross)
        common = change(self.common) if self.follows else cross
        return replace(self, square=change(self.square), common=common, cross=cross)

    @property
    def in_common(self) -> float:
        """How the values of a channel at two positions and of two inputs correlate."""
        middle = self.law.mean**2
        whole = mean(self.square) - middle
        return (self.steady - middle) / whole if whole > 0 else 0.0

    @property
    def apart(self) -> float:
        """That of values about their law's points."""
        return self.law.variance if len(self.law.points) > 1 else self.variance


Tensor = tuple[Channels, ...]
"""All channels of a tensor, in order."""


class Gain(NamedTuple):
    """What a layer does to the gradient of some channels, element by element.

    factor: of its mean square. kept: of the correlation of two inputs' gradients; even: of that
    of two positions'. bends: an activation's moments. places: how the factor differs
    between positions, if it does. rivals: whether what all of several channels get passes none.
    taken: what part of a gradient that is even, or leans, norms of groups take off.
    """

    channels: int
    factor: float
    kept: float = 1.0
    even: float = 1.0
    bends: Moments | None = None
    places: Map | None = None
    rivals: bool = False
    taken: tuple[float, float] = (0.0, 0.0)


class Passed(NamedTuple):
    """A layer's output; and its gains, where it passes gradients element by element."""

    tensor: Tensor
    gains: tuple[Gain, ...] = ()


def noise(shape: Shape) -> Tensor:
    """An input of independent numbers of variance 1 and mean 0."""
    ones, common, cross = (uniform(spatial(shape), value) for value in (1.0, 0.0, 0.0))
    return (Channels(shape[0], ones, common, cross, 0.0, gauss(1.0)),)


def nothing(shape: Shape) -> Tensor:
    """Channels of zeros."""
    zeros = uniform(spatial(shape), 0.0)
    return (Channels(shape[0], zeros, zeros, zeros, 0.0, gauss(0.0)),)


def spatial(shape: Shape) -> Shape:
    """Height and width of a tensor's maps: one position for a vector, one row for a sequence."""
    return {3: shape[1:], 2: (1, *shape[1:])}.get(len(shape), (1, 1))


def multiplied(tensor: Tensor, power: float) -> Passed:
    """A tensor times the root of a power."""
    made = [
        replace(
            part.mapped(lambda given: times(given, power)),
            steady=part.steady * power,
            law=part.law.normed(0.0, power**-0.5) if power else gauss(0.0),
            ripple=part.ripple * power,
            spread=part.spread * power**2,
            pairs=None if part.pairs is None else times(part.pairs, power),
        )
        for part in tensor
    ]
    return Passed(tuple(made), tuple(Gain(part.channels, power) for part in tensor))


def averaged(tensor: Tensor, kind: str) -> Map:
    """The mean over channels of one of the maps."""
    count = sum(part.channels for part in tensor)
    total = times(getattr(tensor[0], kind), tensor[0].channels / count)
    for part in tensor[1:]:
        total = plus(total, times(getattr(part, kind), part.channels / count))
    return total


def centred(tensor: Tensor) -> tuple[Tensor, float]:
    """A tensor less its mean over channels and positions; and that mean.

    What is taken off differs between positions as the sizes of values do.
    """
    root = each(sqrt, averaged(tensor, "square"))
    middle = sum(part.channels * part.law.mean for part in tensor)
    middle /= sum(part.channels for part in tensor)
    if not middle:
        return tensor, 0.0
    means = times(root, middle / mean(root))

    def less(given: Map) -> Map:
        return each(lambda value, m: max(0.0, value - m * m), given, means)

    made = []
    for part in tensor:
        cross = each(lambda value, m: value - m * middle, part.cross, means)
        steady = max(0.0, part.steady - middle * middle)
        kept = replace(part, square=less(part.square), common=less(part.common), cross=cross)
        made.append(replace(kept, steady=steady, pairs=None))
    return tuple(made), middle


def average(tensor: Tensor, kind: str) -> float:
    """The mean over channels of a number of theirs."""
    count = sum(part.channels for part in tensor)
    return float(sum(part.channels * getattr(part, kind) for part in tensor)) / count


Sliding = ops.Convolution | ops.Pool2d | ops.ZeroPad | Pad | AdaptivePool


def window_of(op: Sliding, layer: Layer) -> Window:
    """How a layer's window slides, or which inputs it copies; along one axis it is one row."""
    shapes = spatial(layer.input_shapes[0]), spatial(layer.output_shape)
    if isinstance(op, AdaptivePool):
        return Window(*map(divided, *shapes))
    if isinstance(op, Pad):
        left, _, top, *_ = (*op.padding, 0, 0)
        return Window(*map(copied, *shapes, (top, left), (op.mode == "reflect",) * 2))
    if isinstance(op, ops.ZeroPad):
        return window(*shapes, (1, 1), op.stride, (0, 0), (1, 1))
    dilation = op.dilation if isinstance(op, ops.Convolution) else (1, 1)
    settings: tuple[Shape, ...] = (op.kernel, op.stride, op.padding, dilation)
    if len(op.kernel) == 1:
        settings = tuple(map(add, ((1,), (1,), (0,), (1,)), settings))
    return window(*shapes, *settings)


def slides(op: Conv | Pad | AdaptivePool, layer: Layer) -> bool:
    """Whether `window_of` has its window."""
    axes = len(layer.output_shape) - 1
    if isinstance(op, Pad):
        return axes == 2 and len(op.padding) <= 4 and op.mode in ("constant", "reflect")
    sizes = op.size if isinstance(op, AdaptivePool) else op.kernel
    return len(sizes) == axes <= 2


def aligned(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, int, int]]:
    """Runs of channels that lie in one part of both: their count, and which parts these are."""
    runs, left, right = [], 0, 0
    rests = [*first[:1], *second[:1]]
    while left < len(first) and right < len(second):
        count = min(rests)
        runs.append((count, left, right))
        rests = [rests[0] - count, rests[1] - count]
        if not rests[0]:
            left += 1
            rests[0] = first[left] if left < len(first) else 0
        if not rests[1]:
            right += 1
            rests[1] = second[right] if right < len(second) else 0
    return runs


def cut(channels: Sequence[int], start: int, count: int) -> list[tuple[int, int]]:
    """Of which parts so many channels are, from one on, and how many of each."""
    return [(at, share) for share, of, at in aligned([start, count], channels) if of == 1 and share]
