"""What the backward pass of each op writes: the gradients of its inputs, as autograd makes them.

A rule gives, for each input, the nodes through which its gradient goes, and of each what it writes
in elements for one sample: (n,), or (n, m) where n elements are written and then summed to m. ()
is a gradient that is handed on, or seen through a view. torch's derivatives.yaml says which.
"""

from __future__ import annotations

from functools import singledispatch

from resnet_inspect.networks import ops, torch_ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import elements

Nodes = tuple[tuple[int, ...], ...]


@singledispatch
def input_gradients(op: ops.Op, layer: Layer) -> tuple[Nodes, ...]:
    """A gradient of its own for each input; also of an op that no rule knows."""
    return tuple([((elements(shape),),) for shape in layer.input_shapes])


@input_gradients.register(ops.Flatten | torch_ops.Concat)
def _(op: ops.Op, layer: Layer) -> tuple[Nodes, ...]:
    return ((),) * len(layer.inputs)


@input_gradients.register(torch_ops.View)
def _(op: torch_ops.View, layer: Layer) -> tuple[Nodes, ...]:
    taken = elements(layer.input_shapes[0])
    return ((),) if taken == elements(layer.output_shape) else (((taken,),),)


@input_gradients.register(torch_ops.Dropout)
def _(op: torch_ops.Dropout, layer: Layer) -> tuple[Nodes, ...]:
    return ((),) if op.p == 0 else (((elements(layer.output_shape),),),)


def _broadcast(layer: Layer, *, handed_on: bool) -> tuple[Nodes, ...]:
    """Of the output's size, then summed to the input's where that was broadcast."""
    made = elements(layer.output_shape)
    first = () if handed_on else (made,)
    sizes = [elements(shape) for shape in layer.input_shapes]
    written = [first if size == made else (*first, size) for size in sizes]
    return tuple([(each,) if each else () for each in written])


@input_gradients.register(ops.Add | ops.Scale)
def _(op: ops.Add | ops.Scale, layer: Layer) -> tuple[Nodes, ...]:
    return _broadcast(layer, handed_on=isinstance(op, ops.Add))


@input_gradients.register(torch_ops.Arithmetic)
def _(op: torch_ops.Arithmetic, layer: Layer) -> tuple[Nodes, ...]:
    return _broadcast(layer, handed_on=op.function == "add")


@input_gradients.register(ops.ZeroPad)
def _(op: ops.ZeroPad, layer: Layer) -> tuple[Nodes, ...]:
    """What was padded is cut off; each strided slice then writes its gradient among zeros."""
    channels, height, width = layer.input_shapes[0]
    _, down, across = layer.output_shape
    cut = channels * down * across
    if op.stride == (1, 1):
        return (((cut,),),)
    return (((cut,), (channels * down * width,), (channels * height * width,)),)
