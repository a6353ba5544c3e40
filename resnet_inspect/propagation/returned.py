"""What each kind of op hands back of a gradient."""

from __future__ import annotations

from functools import singledispatch
from operator import mul

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.torch_ops import AdaptivePool, Conv, Pad, View
from resnet_inspect.propagation.flows import Flow, Gradient, mixed
from resnet_inspect.propagation.maps import Map, Window, each, mean, slid, uniform
from resnet_inspect.propagation.placing import begins
from resnet_inspect.propagation.pooling import BLURS, blurs, counted
from resnet_inspect.propagation.tensors import Initial, cut, spatial, window_of


@singledispatch
def returned(op: ops.Op, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    """The gradient of a layer's input from that of its output."""
    raise TypeError(f"no gradient of {op.kind}")


@returned.register(ops.Conv2d)
@returned.register(Conv)
def _(op: ops.Conv2d | Conv, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    over = window_of(op, layer).turned(spatial(layer.input_shapes[0]))
    if isinstance(op, Conv) and blurs(op):
        return tuple(
            _moved(part, slid(part.square, over, BLURS), part.free * sum(BLURS[0]) ** 2)
            for part in flow
        )
    weight, _ = initial.variances(op)
    whole = mixed(flow).times(weight * (op.out_channels // op.groups), op.in_channels)
    return (
        whole._replace(
            square=slid(whole.square, over),
            free=whole.free * elements(op.kernel),
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
    over = window_of(op, layer)
    return _spread(flow, layer, over, each(lambda n: 1 / n, over.counts), 1.0)


@returned.register(ops.AvgPool2d)
@returned.register(AdaptivePool)
def _(op: ops.AvgPool2d | AdaptivePool, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    over = window_of(op, layer)
    area = elements(op.kernel) if isinstance(op, ops.AvgPool2d) else mean(over.counts)
    parts = each(lambda n: 1 / (n * n), counted(op, layer))
    return _spread(flow, layer, over, parts, 1 / area)


def _spread(flow: Gradient, layer: Layer, over: Window, parts: Map, whole: float) -> Gradient:
    """Over the window of a pool; parts: what each input under it gets; whole: all of one."""
    turned = over.turned(spatial(layer.input_shapes[0]))
    return tuple(
        _moved(part, slid(each(mul, part.square, parts), turned), part.free * whole)
        for part in flow
    )


def _moved(part: Flow, square: Map, free: float) -> Flow:
    """To other values than it was of."""
    return part._replace(square=square, free=free, lean=0.0, profile=None)


@returned.register
def _(op: ops.GlobalAvgPool2d, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    shape = spatial(layer.input_shapes[0])
    positions = elements(shape)
    return tuple(
        _moved(
            part, uniform(shape, mean(part.square) / positions**2), part.free / positions
        )._replace(even=1.0)
        for part in flow
    )


@returned.register(ops.Flatten)
def unflattened(op: ops.Op, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    """To channels of as many positions as there were, or of one."""
    shape = spatial(layer.input_shapes[0])
    positions = elements(shape) / elements(spatial(layer.output_shape))
    if any(part.channels < positions for part in flow):  # parts of one channel
        flow = (mixed(flow),)
    return tuple(
        part._replace(
            channels=round(part.channels / positions),
            square=uniform(shape, mean(part.square)),
            free=part.free * positions,
        )
        for part in flow
    )


@returned.register
def _(op: View, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    begin = begins(op, layer)
    if begin is None:
        return unflattened(op, flow, layer, initial)
    left = layer.input_shapes[0][0] - begin - layer.output_shape[0]
    before, after = (
        (flow[0]._replace(channels=count, scale=0.0, lean=0.0, profile=None),) if count else ()
        for count in (begin, left)
    )
    return (*before, *flow, *after)


@returned.register(ops.ZeroPad)
@returned.register(Pad)
def _(op: ops.ZeroPad | Pad, flow: Gradient, layer: Layer, initial: Initial) -> Gradient:
    given, made = (elements(shape[1:]) for shape in (layer.input_shapes[0], layer.output_shape))
    over = window_of(op, layer).turned(spatial(layer.input_shapes[0]))
    return tuple(
        flow[at]._replace(
            channels=count,
            square=slid(flow[at].square, over),
            even=flow[at].even * min(1.0, made / given),
        )
        for at, count in cut([part.channels for part in flow], 0, layer.input_shapes[0][0])
    )
