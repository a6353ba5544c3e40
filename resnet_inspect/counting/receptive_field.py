"""Which input pixels a position of a layer can see.

Along each axis a position i sees `size` input pixels from i * stride + start on, padding included
(so start may be negative). Through a chain of windows

    size'   = size + (kernel - 1) * stride
    start'  = start - padding * stride
    stride' = stride * step

(Araujo et al. 2019, 'Computing Receptive Fields of Convolutional Neural Networks', section 2;
Dumoulin & Visin 2016). Where branches meet, the interval is the hull of both. A layer that looks
at all positions (global pooling, and so every squeeze-and-excitation gate) sees one interval
wherever it stands: its stride is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch
from types import MappingProxyType
from typing import NamedTuple

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import LayerGraph, once
from resnet_inspect.networks.ops import Pair, Shape


class Field(NamedTuple):
    """The receptive field along one axis, in input pixels."""

    size: int
    stride: int
    start: int

    @property
    def padding(self) -> int:
        """How far the first position's field reaches beyond the input's edge."""
        return -self.start

    @property
    def centre(self) -> float:
        """Where the first position's field is centred."""
        return self.start + (self.size - 1) / 2

    def window(self, kernel: int, stride: int, padding: int) -> Field:
        """The field after a sliding window."""
        return Field(
            self.size + (kernel - 1) * self.stride,
            self.stride * stride,
            self.start - padding * self.stride,
        )

    def all_of(self, positions: int) -> Field:
        """The field of something that looks at all positions."""
        return Field(self.size + (positions - 1) * self.stride, 0, self.start)

    def joined(self, other: Field, positions: int) -> Field:
        """The hull of two branches that meet in `positions` positions."""
        if self.stride != other.stride:
            return self.all_of(positions).joined(other.all_of(positions), 1)
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Field(end - start, self.stride, start)

    def later(self, step: Field, repeats: int) -> Field:
        """The field so many repeats later, each of which adds the step's size and start."""
        return Field(
            self.size + repeats * step.size, self.stride, self.start + repeats * step.start
        )


class ReceptiveField(NamedTuple):
    height: Field
    width: Field

    @property
    def size(self) -> Pair:
        return (self.height.size, self.width.size)

    @property
    def stride(self) -> Pair:
        return (self.height.stride, self.width.stride)

    @property
    def padding(self) -> Pair:
        return (self.height.padding, self.width.padding)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.height.centre, self.width.centre)

    def later(self, step: ReceptiveField, repeats: int) -> ReceptiveField:
        """The field so many repeats later."""
        height = self.height.later(step.height, repeats)
        if self.width == self.height and step.width == step.height:
            return ReceptiveField(height, height)  # nearly always
        return ReceptiveField(height, self.width.later(step.width, repeats))


_PIXEL = ReceptiveField(Field(1, 1, 0), Field(1, 1, 0))


Fields = Mapping[str, ReceptiveField | None]


@once
def receptive_fields(graph: LayerGraph) -> Fields:
    """The receptive field of every layer by its name; None where a layer on the way has no rule.

    Only images have one: a network that takes other than (channels, height, width) has none.
    """
    wired, steps = wired_fields(graph)
    fields: dict[str, ReceptiveField | None] = {}
    for stage in graph.stages:
        fields |= {layer.name: wired[layer.name] for x in stage.wired for layer in x.layers}
        first = [wired[layer.name] for layer in stage.wired[-1].layers]
        for repeats, block in enumerate(stage.blocks[len(stage.wired) :], start=1):
            later = [later_field(field, steps[stage.name], repeats) for field in first]
            fields |= {layer.name: field for layer, field in zip(block.layers, later, strict=True)}
    return MappingProxyType(fields)


@once
def wired_fields(graph: LayerGraph) -> tuple[Fields, Fields]:
    """The fields of the layers that stages are wired from, by name; and each stage's step.

    The step is what each repeat of a stage's last block adds to that block's fields. It is always
    the same: such a block does not stride, and rules add to sizes and starts or compare them.
    """
    fields: dict[str, ReceptiveField | None] = {
        name: _PIXEL if len(shape) == 3 else None for name, shape in graph.inputs.items()
    }
    steps: dict[str, ReceptiveField | None] = {}
    rules: dict[type[ops.Op], Callable[..., ReceptiveField | None]] = {}
    for stage in graph.stages:
        for block in stage.wired:
            for name, _, op, sources, shapes, _ in block.layers:
                known = [field for source in sources if (field := fields[source]) is not None]
                if (kind := type(op)) not in rules:
                    rules[kind] = rule.dispatch(kind)
                whole = len(known) == len(sources)
                fields[name] = rules[kind](op, known, shapes) if whole else None
        if stage.repeats:
            last = stage.wired[-1]
            before, after = fields[last.layers[0].inputs[0]], fields[last.output.name]
            steps[stage.name] = before and after and _step(before, after)
            fields[stage.leaving.name] = later_field(after, steps[stage.name], stage.repeats)
    return MappingProxyType(fields), MappingProxyType(steps)


def _step(before: ReceptiveField, after: ReceptiveField) -> ReceptiveField:
    return ReceptiveField(
        *(Field(b.size - a.size, 0, b.start - a.start) for a, b in zip(before, after, strict=True))
    )


def later_field(
    field: ReceptiveField | None, step: ReceptiveField | None, repeats: int
) -> ReceptiveField | None:
    """A field so many repeats later: unknown where the block's input or output is."""
    return field.later(step, repeats) if field and step else None


@singledispatch
def rule(
    op: ops.Op, fields: list[ReceptiveField], shapes: tuple[Shape, ...]
) -> ReceptiveField | None:
    """The field of an op's output from those of its inputs; the base case is 'unknown'."""
    return None


@rule.register(ops.Activation)
@rule.register(ops.BatchNorm2d)
@rule.register(ops.Linear)
def _(op: ops.Op, fields: list[ReceptiveField], shapes: tuple[Shape, ...]) -> ReceptiveField:
    return fields[0]


def _slid(field: ReceptiveField, kernel: Pair, stride: Pair, padding: Pair) -> ReceptiveField:
    if kernel == stride == (1, 1) and padding == (0, 0):
        return field
    height = field.height.window(kernel[0], stride[0], padding[0])
    square = kernel[0] == kernel[1] and stride[0] == stride[1] and padding[0] == padding[1]
    if square and field.width == field.height:
        return ReceptiveField(height, height)
    return ReceptiveField(height, field.width.window(kernel[1], stride[1], padding[1]))


@rule.register(ops.Conv2d)
def _(op: ops.Conv2d, fields: list[ReceptiveField], shapes: tuple[Shape, ...]) -> ReceptiveField:
    return _slid(fields[0], op.reach, op.stride, op.padding)


@rule.register(ops.Pool2d)
def _(op: ops.Pool2d, fields: list[ReceptiveField], shapes: tuple[Shape, ...]) -> ReceptiveField:
    return _slid(fields[0], op.kernel, op.stride, op.padding)


@rule.register(ops.ZeroPad)
def _(op: ops.ZeroPad, fields: list[ReceptiveField], shapes: tuple[Shape, ...]) -> ReceptiveField:
    return _slid(fields[0], (1, 1), op.stride, (0, 0))


@rule.register(ops.GlobalAvgPool2d)
@rule.register(ops.Flatten)
def _(op: ops.Op, fields: list[ReceptiveField], shapes: tuple[Shape, ...]) -> ReceptiveField | None:
    return everywhere(fields[0], shapes[0])


def everywhere(field: ReceptiveField, shape: Shape) -> ReceptiveField | None:
    """The field of something that looks at all positions of a tensor of this shape."""
    if len(shape) != 3:  # not a map of features, so it is not known which axis is which
        return field if field.stride == (0, 0) else None
    return ReceptiveField(field.height.all_of(shape[1]), field.width.all_of(shape[2]))


@rule.register(ops.Add)
@rule.register(ops.Scale)
def _(op: ops.Op, fields: list[ReceptiveField], shapes: tuple[Shape, ...]) -> ReceptiveField | None:
    return joined(fields[0], fields[1], shapes[0])


def joined(first: ReceptiveField, second: ReceptiveField, shape: Shape) -> ReceptiveField | None:
    """The field where two branches meet in a tensor of this shape."""
    if len(shape) != 3:
        if first.stride != second.stride:
            return None
        shape = (1, 1, 1)
    height = first.height.joined(second.height, shape[1])
    if shape[1] == shape[2] and first.height == first.width and second.height == second.width:
        return ReceptiveField(height, height)  # nearly always
    return ReceptiveField(height, first.width.joined(second.width, shape[2]))
