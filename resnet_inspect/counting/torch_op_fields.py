"""Receptive fields of the ops of traced networks: rules for networks.torch_ops."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor, gcd

from resnet_inspect.counting.field import (
    FIXED,
    MOST,
    NOTHING,
    Field,
    ReceptiveField,
    Taps,
    UnknownField,
)
from resnet_inspect.counting.receptive_field import Known, Shapes, rule, slid
from resnet_inspect.networks import torch_ops
from resnet_inspect.networks.shapes import Shape, elements


def _fixed(fields: Known) -> ReceptiveField:
    """Where all positions see the same, whatever is made of them sees it too."""
    hull = NOTHING
    for field in fields:
        if set(field.dims) - {FIXED}:
            raise UnknownField
        hull = hull.joined(field, (1,))
    return hull


@rule.register(torch_ops.Opaque)
def _(op: torch_ops.Opaque, fields: Known, shapes: Shapes) -> ReceptiveField:
    raise UnknownField


rule.register(torch_ops.Source, lambda op, fields, shapes: NOTHING)
rule.register(
    torch_ops.BatchNorm | torch_ops.Dropout | torch_ops.LocalResponseNorm,
    lambda op, fields, shapes: fields[0],
)


# --- windows ------------------------------------------------------------------------------------


@rule.register(torch_ops.Conv | torch_ops.Pool)
def _(op: torch_ops.Conv | torch_ops.Pool, fields: Known, shapes: Shapes) -> ReceptiveField:
    windows = op.reach, op.stride, op.padding
    return slid(op, fields, shapes, windows, mixes=isinstance(op, torch_ops.Conv))


@rule.register(torch_ops.ConvTranspose | torch_ops.Unpool)
def _(
    op: torch_ops.ConvTranspose | torch_ops.Unpool, fields: Known, shapes: Shapes
) -> ReceptiveField:
    """An output j is reached from input i by the place j + padding - i * stride of the kernel."""
    shape, output = shapes[0], op.output_shape(*shapes)
    first = len(shape) - len(op.kernel)
    spread = getattr(op, "dilation", ()) or (1,) * len(op.kernel)

    def moved(dim: int, axis: Field) -> Field:
        if (at := dim - first) < 0:
            return axis
        stride, padding = op.stride[at], op.padding[at]
        places = range(0, op.kernel[at] * spread[at], spread[at])

        def taps(position: int) -> Iterator[int]:
            ends = (position + padding - place for place in places)
            return (end // stride for end in ends if end % stride == 0)

        return axis.gathered(taps, (stride, 1), output[dim])

    mixed = (first - 1,) if isinstance(op, torch_ops.ConvTranspose) else ()
    return fields[0].everywhere(shape, mixed).along(moved)


_BEFORE_AND_AFTER = {
    **dict.fromkeys(("nearest", "nearest-exact"), (0, 1)),
    **dict.fromkeys(("linear", "bilinear", "trilinear"), (0, 2)),
    "bicubic": (-1, 3),
}
"""Which inputs around a place make an output, from its floor on."""


def _resampled(op: torch_ops.Interpolate, size: int, count: int) -> tuple[Taps, tuple[int, int]]:
    """Where the outputs along an axis come from, as torch's UpSample.h has it."""
    if op.mode == "area":
        return _adaptive(size, count)
    if op.mode not in _BEFORE_AND_AFTER:
        raise UnknownField
    first, last = _BEFORE_AND_AFTER[op.mode]
    before, after = (size - 1, count - 1) if op.corners and count > 1 else (size, count)
    common = gcd(before, after) or 1

    def taps(position: int) -> range:
        if op.mode == "nearest" or op.corners:
            place, part = divmod(position * before, after)
        else:  # the middles of both lie on one another
            shift = 0 if op.mode == "nearest-exact" else after
            place, part = divmod((2 * position + 1) * before - shift, 2 * after)
        # Neighbours have no weight where the place is that of an input.
        return range(place + first, place + last) if part else range(place, place + 1)

    return taps, (after // common, before // common)


def _adaptive(size: int, count: int) -> tuple[Taps, tuple[int, int]]:
    """The windows of an adaptive pool (AdaptivePool.windows)."""

    def taps(position: int) -> range:
        return range(floor(position * size / count), ceil((position + 1) * size / count))

    common = gcd(size, count)
    return taps, (count // common, size // common)


@rule.register(torch_ops.AdaptivePool | torch_ops.Interpolate)
def _(
    op: torch_ops.AdaptivePool | torch_ops.Interpolate, fields: Known, shapes: Shapes
) -> ReceptiveField:
    shape, output = shapes[0], op.output_shape(*shapes)
    if len(shape) != len(output):
        raise UnknownField

    if getattr(op, "type", "").startswith("Fractional"):  # its windows are drawn at random
        raise UnknownField

    def moved(dim: int, axis: Field) -> Field:
        if shape[dim] == output[dim]:
            return axis
        if output[dim] == 1 and isinstance(op, torch_ops.AdaptivePool):
            return axis.all_of(shape[dim])
        resampled = (
            _resampled(op, shape[dim], output[dim])
            if isinstance(op, torch_ops.Interpolate)
            else None
        )
        taps, rate = resampled or _adaptive(shape[dim], output[dim])
        return axis.gathered(taps, rate, output[dim])

    return _settled(fields[0].along(moved))


def _settled(field: ReceptiveField) -> ReceptiveField:
    """With no dimension for the axes along which all positions see the same by now."""
    moving = (axis.stride or axis.spans for axis in field.axes)
    dims = (dim if moves else FIXED for dim, moves in zip(field.dims, moving, strict=True))
    return field._replace(dims=tuple(dims))


# --- elements that depend on others -------------------------------------------------------------


rule.register(
    torch_ops.Function, lambda op, fields, shapes: fields[0].everywhere(shapes[0], op.over)
)


@rule.register(torch_ops.GroupNorm | torch_ops.LayerNorm)
def _(
    op: torch_ops.GroupNorm | torch_ops.LayerNorm, fields: Known, shapes: Shapes
) -> ReceptiveField:
    rank = len(shapes[0])
    first = (
        rank - len(op.size) if isinstance(op, torch_ops.LayerNorm) else shapes[0].index(op.channels)
    )
    return fields[0].everywhere(shapes[0], range(first, rank))


@rule.register(torch_ops.Arithmetic | torch_ops.Concat)
def _(op: torch_ops.Arithmetic | torch_ops.Concat, fields: Known, shapes: Shapes) -> ReceptiveField:
    if isinstance(op, torch_ops.Concat) and any(op.dim in field.dims for field in fields):
        return _behind_one_another(op.dim, fields, shapes)
    output = op.output_shape(*shapes)
    hull = NOTHING
    for field, shape in zip(fields, shapes, strict=True):
        hull = hull.joined(_broadcast(field, shape, len(output)), output)
    return hull.everywhere(output, op.over) if isinstance(op, torch_ops.Arithmetic) else hull


def _broadcast(field: ReceptiveField, shape: Shape, rank: int) -> ReceptiveField:
    """The field of a tensor where it meets one of more dimensions: they are aligned at the last."""
    more = rank - len(shape)
    moved = (d if d == FIXED else FIXED if shape[d] == 1 else d + more for d in field.dims)
    return field._replace(dims=tuple(moved))


def _behind_one_another(dim: int, fields: Known, shapes: Shapes) -> ReceptiveField:
    """The field of positions of one tensor behind those of another."""
    whole = [shape[dim] for shape in shapes]
    if any(dim not in field.dims for field in fields) or sum(whole) > MOST:
        raise UnknownField
    place = fields[0].dims.index(dim)
    spans = [
        field.axes[place].span(at)
        for field, count in zip(fields, whole, strict=True)
        for at in range(count)
    ]
    hull = NOTHING
    for field in fields:
        axes = list(field.axes)
        axes[place] = Field.of(tuple(spans), None)
        hull = hull.joined(field._replace(axes=tuple(axes)), shapes[0])
    return hull


@rule.register(torch_ops.Reduce)
def _(op: torch_ops.Reduce, fields: Known, shapes: Shapes) -> ReceptiveField:
    rank = len(shapes[0])
    over = op.over or range(rank)
    field = fields[0].everywhere(shapes[0], over)
    if len(op.output) == rank:
        return field
    left = [dim for dim in range(rank) if dim not in over]
    left = left[len(left) - len(op.output) :]  # a batch that comes to the front is no dimension
    return field._replace(dims=tuple(d if d == FIXED else left.index(d) for d in field.dims))


@rule.register(torch_ops.MatMul)
def _(op: torch_ops.MatMul, fields: Known, shapes: Shapes) -> ReceptiveField:
    """Rows of the first, each with all columns of the second."""
    if len(fields) == 1:  # times itself
        return fields[0].everywhere(shapes[0])
    (left, right), (rows, columns), rank = fields, shapes, len(op.output)
    inside = max(0, len(columns) - 2)
    left = _broadcast(left.everywhere(rows, (len(rows) - 1,)), rows, rank)
    right = _broadcast(right.everywhere(columns, (inside,)), columns, rank)
    try:
        return left.joined(right, op.output)
    except UnknownField:  # both run along the input, in rows and in columns
        sides = left.everywhere(op.output), right.everywhere(op.output)
        return sides[0].joined(sides[1], op.output)


@rule.register(torch_ops.Attention)
def _(op: torch_ops.Attention, fields: Known, shapes: Shapes) -> ReceptiveField:
    """Every query with all keys and values, apart from heads and other batches."""
    hull = NOTHING
    for field, shape in zip(fields, shapes, strict=True):
        hull = hull.joined(field.everywhere(shape, (len(shape) - 2, len(shape) - 1)), shape)
    return hull


rule.register(torch_ops.Product, lambda op, fields, shapes: _fixed(fields))


# --- elements in other places -------------------------------------------------------------------


@rule.register(torch_ops.Pad)
def _(op: torch_ops.Pad, fields: Known, shapes: Shapes) -> ReceptiveField:
    rank = len(shapes[0])
    output = op.output_shape(*shapes)

    def moved(dim: int, axis: Field) -> Field:
        before = op.padding[2 * (rank - 1 - dim) :][:1] or (0,)
        return axis.window(1, 1, before[0], output[dim])

    return fields[0].along(moved)


@rule.register(torch_ops.View)
def _(op: torch_ops.View, fields: Known, shapes: Shapes) -> ReceptiveField:
    field, shape = fields[0], shapes[0]
    if op.function == "chunk" and not op.places and shape[1:] == op.output[1:]:
        return field  # of the channels
    places = dict(enumerate(op.places))
    if not places and op.function in _RESHAPES:
        places = _in_another_shape(shape, op.output)

        if field.dims and not {FIXED, *places} >= set(field.dims):
            return _merged(field, shape, op.output)
    if not {FIXED, *places} >= set(field.dims):
        raise UnknownField

    def moved(dim: int, axis: Field) -> Field:
        into, first, step = places[dim]
        if into < 0:
            return axis.at(first)
        return axis.window(1, step, -first, op.output[into])

    dims = tuple(dim if dim == FIXED else places[dim][0] for dim in field.dims)
    return field.along(moved)._replace(dims=dims)


_RESHAPES = (
    *("expand", "flatten", "ravel", "reshape", "reshape_as", "squeeze", "unflatten"),
    *("unsafe_view", "unsqueeze", "view", "view_as"),
)
"""Views that keep the order of the elements."""


def _in_another_shape(shape: Shape, output: Shape) -> dict[int, tuple[int, int, int]]:
    """The dimensions that a view in another shape leaves whole, as View.places has them."""
    places = {dim: (FIXED, 0, 1) for dim, size in enumerate(shape) if size == 1}
    if elements(shape) != elements(output):
        return places
    starts = {elements(output[:dim]): dim for dim, size in enumerate(output) if size > 1}
    for dim, size in enumerate(shape):
        into = starts.get(elements(shape[:dim]))
        if size > 1 and into is not None and output[into] == size:
            places[dim] = (into, 0, 1)
    return places


def _merged(field: ReceptiveField, shape: Shape, output: Shape) -> ReceptiveField:
    """The field of positions of which several dimensions make one, the last running fastest."""
    starts = {elements(output[:dim]): dim for dim, size in enumerate(output) if size > 1}
    groups: dict[int, tuple[int, int, bool]] = {}  # into, what each position counts, the first
    for first in range(len(shape)):
        into = starts.get(elements(shape[:first]))
        for end in range(first + 1, len(shape) + 1):
            if into is not None and shape[first] > 1 and elements(shape[first:end]) == output[into]:
                for dim in range(first, end):
                    groups[dim] = into, elements(shape[dim + 1 : end]), dim == first
                break
    if not {FIXED, *groups} >= set(field.dims):
        raise UnknownField

    def moved(dim: int, axis: Field) -> Field:
        into, inner, outermost = groups[dim]
        rate = (inner, 1) if outermost else (inner * shape[dim], 0)
        return axis.gathered(lambda at: (at // inner % shape[dim],), rate, output[into])

    dims = tuple(dim if dim == FIXED else groups[dim][0] for dim in field.dims)
    return _settled(field.along(moved)._replace(dims=dims))


@rule.register(torch_ops.Move)
def _(op: torch_ops.Move, fields: Known, shapes: Shapes) -> ReceptiveField:
    shape, output = shapes[0], op.output
    if op.function in ("pixel_shuffle", "pixel_unshuffle") and len(shape) == len(output) > 2:
        field = fields[0].everywhere(shape, (len(shape) - 3,))
        return field.along(lambda dim, axis: _shuffled(axis, shape[dim], output[dim]))
    more = len(output) - len(shape)
    if op.function == "stack" and (op.over or more == 2):  # the new dimension, or before the batch
        new = op.over[0] if op.over else 0
        fields = [each._replace(dims=_shifted(each.dims, new, more)) for each in fields]
    elif not op.over or len(shape) != len(output) or set(op.over) & set(fields[0].dims):
        return _fixed(fields)
    hull = NOTHING
    for field in fields:
        hull = hull.joined(field, output)
    return hull


def _shifted(dims: torch_ops.Sizes, first: int, by: int) -> torch_ops.Sizes:
    return tuple(dim + by if dim >= first else dim for dim in dims)


def _shuffled(axis: Field, size: int, count: int) -> Field:
    """Positions become channels, or channels positions."""
    if size >= count:
        return axis.window(size // count, size // count, 0, count)
    each = count // size
    return axis.gathered(lambda at: (at // each,), (each, 1), count)
