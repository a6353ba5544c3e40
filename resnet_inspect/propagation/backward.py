"""Gradients back through a network at initialisation: their mean square at each position.

Weights going back are taken as independent of those going forth (Schoenholz et al. 2017, arXiv
1611.01232), so mean squares of gradients that meet add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce, singledispatch
from operator import mul
from typing import NamedTuple

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Shape
from resnet_inspect.propagation.forward import aligned, window_of
from resnet_inspect.propagation.maps import (
    Map,
    each,
    mean,
    plus,
    slid,
    times,
    uniform,
)
from resnet_inspect.propagation.tensors import Gain, Initial, Passed, Tensor, spatial

Profile = dict[float, float]


class Flow(NamedTuple):
    """The gradient of channels that are alike: its mean square at each position.

    alike: how the gradients of two independent inputs correlate. profile: how the mean square goes
    with the value at hand, 1 in the mean, by the values of its law; None where it is the same for
    all. A residual sum that a ReLU lets pass was likely let pass by the one before.
    """

    channels: int
    square: Map
    alike: float = 1.0
    profile: Profile | None = None


Gradient = tuple[Flow, ...]

Strands = tuple[Gradient, ...]
"""A gradient in parts that add up: what came along shortcuts goes with the values that it meets as
no other part does."""

MOST = 3
"""Strands that go with values; of more the oldest count as one."""



def start(channels: int, square: Map) -> Gradient:
    """A gradient to begin with, the same for all inputs."""
    return (Flow(channels, square),)


def gradients(
    layers: Sequence[Layer],
    known: Mapping[str, Passed],
    initial: Initial,
    begin: Mapping[str, Gradient],
    borders: bool = True,
) -> dict[str, Strands]:
    """The gradient of each layer's output, and of the inputs, that the `begin` gradients depend on.

    known: what the signal forth says of each layer. borders: whether what comes to lie on padding
    is lost.
    """
    found: dict[str, Strands] = {name: (gradient,) for name, gradient in begin.items()}
    pooled = _pooled_alone(layers)
    for layer in reversed(layers):
        if layer.name not in found or layer.name not in known:
            continue
        for source, strands in _into(layer, found[layer.name], known, initial, pooled, borders):
            found[source] = _twisted((*found.get(source, ()), *strands))
    return found


def whole(strands: Strands) -> Gradient:
    """The sum of strands."""
    return reduce(_sum, strands)


def _twisted(strands: Strands) -> Strands:
    """With those in one whose size goes with no value, and no more than MOST in all."""
    even = [each for each in strands if not any(part.profile for part in each)]
    rest = [each for each in strands if any(part.profile for part in each)]
    if len(rest) > MOST:
        rest = [reduce(_sum, rest[: 1 - MOST]), *rest[1 - MOST :]]
    return (*rest, *([reduce(_sum, even)] if even else []))


def _into(
    layer: Layer,
    strands: Strands,
    known: Mapping[str, Passed],
    initial: Initial,
    pooled: Mapping[str, int],
    borders: bool,
) -> Iterator[tuple[str, Strands]]:
    """The gradients that a layer hands to its inputs."""
    passed = known[layer.name]
    if isinstance(layer.op, ops.Add):
        for source in layer.inputs:
            term = known[source].tensor if source in known else ()
            yield source, tuple(_term(flow, passed.tensor, term) for flow in strands)
    elif passed.gains:
        gains = passed.gains
        if layer.name in pooled:
            # The gradient comes to the greatest of a window, which is seldom below 0.
            gains = tuple(
                gain._replace(factor=1 - (1 - gain.factor) ** pooled[layer.name]) for gain in gains
            )
        yield layer.inputs[0], tuple(_gained(flow, gains) for flow in strands)
    else:
        yield layer.inputs[0], (returned(layer.op, whole(strands), layer, initial, borders),)


def _pooled_alone(layers: Sequence[Layer]) -> dict[str, int]:
    """Activations that only a max pool reads, with the size of its window."""
    activations = {layer.name for layer in layers if isinstance(layer.op, ops.Activation)}
    readers: dict[str, list[Layer]] = {}
    for layer in layers:
        for source in layer.inputs:
            readers.setdefault(source, []).append(layer)
    return {
        name: reading[0].op.kernel[0] * reading[0].op.kernel[1]
        for name, reading in readers.items()
        if len(reading) == 1 and isinstance(reading[0].op, ops.MaxPool2d) and name in activations
    }


def _sum(first: Gradient, second: Gradient) -> Gradient:
    made = []
    for count, left, right in aligned([f.channels for f in first], [f.channels for f in second]):
        a, b = first[left], second[right]
        sizes = mean(a.square), mean(b.square)
        made.append(
            Flow(
                count,
                plus(a.square, b.square),
                _weighted((a.alike, b.alike), sizes),
                _joined(a.profile, b.profile, sizes),
            )
        )
    return tuple(made)


def _weighted(values: tuple[float, float], sizes: tuple[float, float]) -> float:
    whole = sum(sizes)
    return (values[0] * sizes[0] + values[1] * sizes[1]) / whole if whole else 1.0


def _joined(
    first: Profile | None, second: Profile | None, sizes: tuple[float, float]
) -> Profile | None:
    if first is None and second is None:
        return None
    a, b = first or {}, second or {}
    return {value: _weighted((a.get(value, 1.0), b.get(value, 1.0)), sizes) for value in a | b}


def _term(flow: Gradient, sums: Tensor, term: Tensor) -> Gradient:
    """What a sum hands to one of its terms: with a profile where the sum has that term's points."""
    made = []
    parts = aligned([part.channels for part in sums], [part.channels for part in term])
    pointed = {left for _, left, right in parts if len(term[right].law.points) > 1}
    for count, left, right in aligned([f.channels for f in flow], [part.channels for part in sums]):
        part, law = flow[left], sums[right].law
        profile = None
        if part.profile is not None and right in pointed:
            profile = law.before([part.profile.get(value, 1.0) for value, _ in law.scattered])
        made.append(part._replace(channels=count, profile=profile))
    return tuple(made)


def _gained(flow: Gradient, gains: tuple[Gain, ...]) -> Gradient:
    made = []
    for count, left, right in aligned([f.channels for f in flow], [g.channels for g in gains]):
        part, gain = flow[left], gains[right]
        factor, profile = gain.factor, None
        if gain.bends and (part.profile or len(gain.bends[0].points) > 1):
            law, moments = gain.bends
            after = part.profile or {}
            passing = [square * after.get(value, 1.0) for value, square in moments.paths]
            values, shares = zip(*law.scattered, strict=True)
            factor = sum(map(mul, passing, shares))
            profile = {v: each / factor for v, each in zip(values, passing, strict=True)}
        made.append(Flow(count, times(part.square, factor), part.alike * gain.kept, profile))
    return tuple(made)


def _mixed(flow: Gradient) -> Flow:
    """The mean over all channels."""
    count = sum(part.channels for part in flow)
    square = times(flow[0].square, flow[0].channels / count)
    for part in flow[1:]:
        square = plus(square, times(part.square, part.channels / count))
    sizes = [part.channels * mean(part.square) for part in flow]
    alike = sum(s * p.alike for s, p in zip(sizes, flow, strict=True)) / (sum(sizes) or 1.0)
    return Flow(count, square, alike)


@singledispatch
def returned(op: ops.Op, flow: Gradient, layer: Layer, initial: Initial, borders: bool) -> Gradient:
    """The gradient of a layer's input from that of its output."""
    raise TypeError(f"no gradient of {op.kind}")


@returned.register
def _(op: ops.Conv2d, flow: Gradient, layer: Layer, initial: Initial, borders: bool) -> Gradient:
    weight, _ = initial.variances(op)
    mixed = _mixed(flow)
    over = window_of(op, layer, borders).turned(layer.input_shapes[0])
    square = times(slid(mixed.square, over), weight * (op.out_channels // op.groups))
    return (Flow(op.in_channels, square, mixed.alike),)


@returned.register
def _(op: ops.Linear, flow: Gradient, layer: Layer, initial: Initial, borders: bool) -> Gradient:
    weight, _ = initial.variances(op)
    mixed = _mixed(flow)
    return (Flow(op.in_features, times(mixed.square, weight * op.out_features), mixed.alike),)


@returned.register
def _(op: ops.MaxPool2d, flow: Gradient, layer: Layer, initial: Initial, borders: bool) -> Gradient:
    """Each of a window is as likely to be the greatest."""
    over = window_of(op, layer, borders)
    return _spread(flow, layer, each(lambda n: 1 / n, over.counts), borders)


@returned.register
def _(op: ops.AvgPool2d, flow: Gradient, layer: Layer, initial: Initial, borders: bool) -> Gradient:
    if op.count_padding:
        area = op.kernel[0] * op.kernel[1]
        return _spread(flow, layer, uniform(spatial(layer.output_shape), 1 / area**2), borders)
    return _spread(
        flow, layer, each(lambda n: 1 / (n * n), window_of(op, layer, borders).counts), borders
    )


def _spread(flow: Gradient, layer: Layer, parts: Map, borders: bool) -> Gradient:
    """Over the window of a pool; parts: what each input under it gets."""
    assert isinstance(layer.op, ops.Pool2d)
    over = window_of(layer.op, layer, borders).turned(layer.input_shapes[0])
    return tuple(
        Flow(part.channels, slid(each(float.__mul__, part.square, parts), over), part.alike)
        for part in flow
    )


@returned.register
def _(
    op: ops.GlobalAvgPool2d, flow: Gradient, layer: Layer, initial: Initial, borders: bool
) -> Gradient:
    shape = spatial(layer.input_shapes[0])
    positions = shape[0] * shape[1]
    return tuple(
        Flow(part.channels, uniform(shape, mean(part.square) / positions**2), part.alike)
        for part in flow
    )


@returned.register
def _(op: ops.Flatten, flow: Gradient, layer: Layer, initial: Initial, borders: bool) -> Gradient:
    shape: Shape = spatial(layer.input_shapes[0])
    positions = shape[0] * shape[1]
    return tuple(
        part._replace(channels=part.channels // positions, square=uniform(shape, mean(part.square)))
        for part in flow
    )


@returned.register
def _(op: ops.ZeroPad, flow: Gradient, layer: Layer, initial: Initial, borders: bool) -> Gradient:
    _, height, width = layer.input_shapes[0]
    made = []
    for count, left, _ in aligned([f.channels for f in flow], [op.in_channels]):
        kept = dict(enumerate(flow[left].square))
        square = tuple(
            _strided(kept[row // op.stride[0]], width, op.stride[1])
            if row % op.stride[0] == 0
            else (0.0,) * width
            for row in range(height)
        )
        made.append(flow[left]._replace(channels=count, square=square))
    return tuple(made)


def _strided(row: tuple[float, ...], width: int, stride: int) -> tuple[float, ...]:
    return tuple(row[at // stride] if at % stride == 0 else 0.0 for at in range(width))
