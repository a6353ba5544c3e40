"""What each kind of op hands back of a gradient."""

from __future__ import annotations

from functools import singledispatch
from operator import mul

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.propagation.flows import Gradient, mixed
from resnet_inspect.propagation.maps import Map, each, mean, slid, uniform
from resnet_inspect.propagation.tensors import Initial, aligned, spatial, window_of


@singledispatch
def returned(op: ops.Op, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    """The gradient of a layer's input from that of its output."""
    raise TypeError(f"no gradient of {op.kind}")


@returned.register
def _(op: ops.Conv2d, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    weight, _ = initial.variances(op)
    whole = mixed(flow).times(weight * (op.out_channels // op.groups), op.in_channels)
    over = window_of(op, layer).turned(layer.input_shapes[0])
    return (
        whole._replace(
            square=slid(whole.square, over),
            free=whole.free * op.kernel[0] * op.kernel[1],
            even=whole.even * over.together,
        ),
    )


@returned.register
def _(op: ops.Linear, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    weight, _ = initial.variances(op)
    return (mixed(flow).times(weight * op.out_features, op.in_features),)


@returned.register
def _(op: ops.MaxPool2d, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    """Each of a window is as likely to be the greatest."""
    return _spread(flow, layer, each(lambda n: 1 / n, window_of(op, layer).counts), 1.0)


@returned.register
def _(op: ops.AvgPool2d, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    area = op.kernel[0] * op.kernel[1]
    if op.count_padding:
        parts = uniform(spatial(layer.output_shape), 1 / area**2)
    else:
        parts = each(lambda n: 1 / (n * n), window_of(op, layer).counts)
    return _spread(flow, layer, parts, 1 / area)


def _spread(flow: Gradient, layer: Layer, parts: Map, whole: float) -> Gradient:
    """Over the window of a pool; parts: what each input under it gets; whole: all of one."""
    assert isinstance(layer.op, ops.Pool2d)
    over = window_of(layer.op, layer).turned(layer.input_shapes[0])
    return tuple(
        part._replace(
            square=slid(each(mul, part.square, parts), over),
            free=part.free * whole,
            lean=0.0,
            profile=None,
        )
        for part in flow
    )


@returned.register
def _(op: ops.GlobalAvgPool2d, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    shape = spatial(layer.input_shapes[0])
    positions = shape[0] * shape[1]
    return tuple(
        part._replace(
            square=uniform(shape, mean(part.square) / positions**2),
            free=part.free / positions,
            even=1.0,
            lean=0.0,
            profile=None,
        )
        for part in flow
    )


@returned.register
def _(op: ops.Flatten, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    shape: Shape = spatial(layer.input_shapes[0])
    positions = shape[0] * shape[1]
    return tuple(
        part._replace(
            channels=part.channels // positions,
            square=uniform(shape, mean(part.square)),
            free=part.free * positions,
        )
        for part in flow
    )


@returned.register
def _(op: ops.ZeroPad, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
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
        even = flow[left].even / (op.stride[0] * op.stride[1])
        made.append(flow[left]._replace(channels=count, square=square, even=even))
    return tuple(made)


def _strided(row: tuple[float, ...], width: int, stride: int) -> tuple[float, ...]:
    return tuple(row[at // stride] if at % stride == 0 else 0.0 for at in range(width))
