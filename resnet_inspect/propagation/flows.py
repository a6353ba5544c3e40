"""The gradient of channels that are alike, and sums of such gradients."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

from resnet_inspect.propagation.maps import Map, mean, plus, times
from resnet_inspect.propagation.tensors import aligned

Profile = dict[float, float]


class Flow(NamedTuple):
    """The gradient of channels that are alike.

    square: its mean square at each position, but for a factor of `scale`. free: what these would
    add up to if nothing fell on padding. alike: how the gradients of two independent inputs
    correlate; even: how those at two positions do; lean: how these do, each times how far the value
    there is off its law's point. shared: what part of it all of several paths get, of which a gate
    chooses. profile: how the mean square goes with the value at hand, 1 in the
    mean, by the values of its law; None where it is the same for all. A residual sum that a ReLU
    lets pass was likely let pass by the one before.
    """

    channels: int
    square: Map
    scale: float
    free: float
    alike: float = 1.0
    even: float = 1.0
    lean: float = 0.0
    shared: float = 0.0
    profile: Profile | None = None

    @property
    def size(self) -> float:
        """The mean square over all positions."""
        return self.scale * mean(self.square)

    @property
    def lost(self) -> float:
        """The part that fell on padding."""
        return 1 - sum(map(sum, self.square)) / self.free

    def times(self, factor: float, channels: int | None = None) -> Flow:
        """The same, larger by a factor; channels: that it is the gradient of instead."""
        return self._replace(channels=channels or self.channels, scale=self.scale * factor)

    def plus(self, other: Flow) -> Flow:
        """The sum of two gradients that are independent."""
        if not self.scale:
            return other._replace(channels=self.channels)
        sizes, ratio = (self.size, other.size), other.scale / self.scale
        return Flow(
            self.channels,
            plus(self.square, times(other.square, ratio)),
            self.scale,
            self.free + ratio * other.free,
            weighted((self.alike, other.alike), sizes),
            weighted((self.even, other.even), sizes),
            weighted((self.lean, other.lean), sizes),
            weighted((self.shared, other.shared), sizes),
            joined(self.profile, other.profile, sizes),
        )


Gradient = tuple[Flow, ...]

Strands = tuple[Gradient, ...]
"""A gradient in parts that add up: what came along shortcuts goes with the values that it meets as
no other part does."""

MOST = 2
"""Strands that go with values; of more the oldest count as one."""


def start(channels: int, square: Map) -> Gradient:
    """A gradient to begin with, the same for all inputs."""
    return (Flow(channels, square, 1.0, sum(map(sum, square))),)


def mixed(gradient: Gradient) -> Flow:
    """The mean over all channels."""
    count = sum(flow.channels for flow in gradient)
    shares = [flow.times(flow.channels / count, count) for flow in gradient]
    return reduce(Flow.plus, shares)._replace(profile=None, lean=0.0)


def weighted(values: tuple[float, float], sizes: tuple[float, float]) -> float:
    """The mean of two values by the sizes of what they are of."""
    whole = sum(sizes)
    return (values[0] * sizes[0] + values[1] * sizes[1]) / whole if whole else 1.0


def joined(
    first: Profile | None, second: Profile | None, sizes: tuple[float, float]
) -> Profile | None:
    """The profile of a sum of gradients of these sizes."""
    if first is None and second is None:
        return None
    a, b = first or {}, second or {}
    return {value: weighted((a.get(value, 1.0), b.get(value, 1.0)), sizes) for value in a | b}


def added(first: Gradient, second: Gradient) -> Gradient:
    """The sum of two gradients, channel by channel."""
    pairs = aligned([flow.channels for flow in first], [flow.channels for flow in second])
    return tuple(
        first[left]._replace(channels=count).plus(second[right]) for count, left, right in pairs
    )


def whole(strands: Strands) -> Gradient:
    """The sum of strands."""
    return reduce(added, strands)
