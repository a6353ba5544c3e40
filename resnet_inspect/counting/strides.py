"""How tensors lie in memory: by that torch copies what it multiplies as matrices, or does not."""

from __future__ import annotations

from itertools import accumulate
from operator import mul

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.shapes import Shape, elements

Strides = tuple[int, ...]
"""From an element to the next, along each axis."""


def copied_operands(graph: LayerGraph, layer: Layer, batch: int) -> dict[str, int]:
    """The operands that a product of matrices copies, and the elements of each copy.

    torch makes one axis of all but the last two, or of all but the last where it multiplies by a
    weight, after it has broadcast them: no view does so of what was transposed, or is the same
    along some.
    """
    inner = {"Linear": 1, "MatMul": 2}.get(layer.op.kind, 0)
    if not inner or len(layer.output_shape) < 2:
        return {}
    outer = (batch, *layer.output_shape[:-inner])
    if any(len(shape) + 1 != len(outer) + inner for shape in layer.input_shapes):
        return {}
    found = {}
    for name, shape in zip(layer.inputs, layer.input_shapes, strict=True):
        given, wide = (batch, *shape), (*outer, *shape[-inner:])
        strides = zip(wide, given, _strides(graph, name, given), strict=True)
        spread = tuple([step if want == have else 0 for want, have, step in strides])
        if viewed(wide, spread, (elements(outer), *shape[-inner:])) is None:
            found[name] = elements(wide)
    return found


def _strides(graph: LayerGraph, name: str, shape: Shape) -> Strides:
    """Of what a layer gives, of this shape; a view, or what keeps the order, lies as its input."""
    if name in graph.inputs:
        return _contiguous(shape)
    layer = graph.layer(name)
    kept = isinstance(layer.op, ops.Activation | ops.Multiply)
    if not (kept or layer.op.aliases_input(False)):
        return _contiguous(shape)
    source = (shape[0], *layer.input_shapes[0])
    before = _strides(graph, layer.inputs[0], source)
    if kept:  # elementwise: the axes stay in their order
        order = sorted(range(len(shape)), key=before.__getitem__, reverse=True)
        steps = dict(zip(order, _contiguous([shape[axis] for axis in order]), strict=True))
        return tuple([steps[axis] for axis in range(len(shape))])
    places = getattr(layer.op, "places", ())
    if not places:
        return viewed(source, before, shape) or _contiguous(shape)
    found = dict(zip([into for into, _, _ in places], range(1, len(source)), strict=True))
    every = [1, *(step for _, _, step in places)]
    axes = [0, *(found.get(axis, -1) for axis in range(len(shape) - 1))]
    return tuple([before[axis] * every[axis] if axis >= 0 else 0 for axis in axes])


def _contiguous(shape: Shape | list[int]) -> Strides:
    return tuple(accumulate(reversed(shape[1:]), mul, initial=1))[::-1]


def viewed(shape: Shape, strides: Strides, wanted: Shape) -> Strides | None:
    """The strides of the same elements in another shape, or None where they must be moved."""
    runs: list[tuple[int, int]] = []  # elements at equal distances
    for size, step in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if runs and runs[-1][1] == step * size:
            runs[-1] = (runs[-1][0] * size, step)
        else:
            runs.append((size, step))
    found, room, step = [], 1, 1
    for size in reversed(wanted):
        if size > 1 and room == 1 and runs:
            room, step = runs.pop()
        if room % size:
            return None
        found.append(step)
        step, room = step * size, room // size
    return tuple(reversed(found))
