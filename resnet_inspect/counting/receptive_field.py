"""Which input pixels a position of a layer can see: the field of each op's output from those of
its inputs.

Where branches meet, the field is the hull of both. A layer that looks at all positions (global
pooling, and so every squeeze-and-excitation gate) sees one interval wherever it stands: its stride
is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType

from resnet_inspect.counting.field import NOTHING, Field, ReceptiveField, UnknownField, pixels
from resnet_inspect.counting.rules import by_op
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import LayerGraph, once
from resnet_inspect.networks.shapes import Shape

Fields = Mapping[str, ReceptiveField | None]


@once
def receptive_fields(graph: LayerGraph) -> Fields:
    """The receptive field of every layer by its name; None where a layer on the way has no rule."""
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
    fields: dict[str, ReceptiveField | None] = dict(_entering(graph))
    steps: dict[str, ReceptiveField | None] = {}
    rules: dict[type[ops.Op], Callable[..., ReceptiveField | None]] = {}
    for stage in graph.stages:
        for block in stage.wired:
            for name, _, op, sources, shapes, _ in block.layers:
                known = [field for source in sources if (field := fields[source]) is not None]
                if (kind := type(op)) not in rules:
                    rules[kind] = rule.dispatch(kind)
                fields[name] = None
                if len(known) == len(sources):
                    with suppress(UnknownField):
                        fields[name] = rules[kind](op, known, shapes) if known else NOTHING
        if stage.repeats:
            last = stage.wired[-1]
            before, after = fields[last.layers[0].inputs[0]], fields[last.output.name]
            steps[stage.name] = before and after and _step(before, after)
            fields[stage.leaving.name] = later_field(after, steps[stage.name], stage.repeats)
    return MappingProxyType(fields), MappingProxyType(steps)


def _entering(graph: LayerGraph) -> Iterator[tuple[str, ReceptiveField | None]]:
    """The fields of the inputs: pixels of the first, and of others that are as large.

    Fields are told of (channels, positions..), so other first inputs have none.
    """
    axes = len(graph.input_shape) - 1
    for name, shape in graph.inputs.items():
        alike = len(shape) > 1 and shape[1:] == graph.input_shape[1:]
        yield name, (pixels(axes) if alike else NOTHING) if axes > 0 else None


def field_end(graph: LayerGraph) -> str | None:
    """The first layer whose field cannot be told, though those of its inputs can; or None."""
    fields = wired_fields(graph)[0]
    for stage in graph.stages:
        for block in stage.wired:
            for layer in block.layers:
                if fields[layer.name] is None and all(fields[x] is not None for x in layer.inputs):
                    return layer.name
    return None


def _step(before: ReceptiveField, after: ReceptiveField) -> ReceptiveField:
    pairs = zip(before.axes, after.axes, strict=True)
    axes = [Field(b.size - a.size, 0, b.start - a.start) for a, b in pairs]
    return ReceptiveField(tuple(axes), after.dims)


def later_field(
    field: ReceptiveField | None, step: ReceptiveField | None, repeats: int
) -> ReceptiveField | None:
    """A field so many repeats later: unknown where the block's input or output is."""
    return field.later(step, repeats) if field and step else None


Known = list[ReceptiveField]

Shapes = tuple[Shape, ...]


@by_op
def rule(op: ops.Op, fields: Known, shapes: Shapes) -> ReceptiveField | None:
    """The field of an op's output from those of its inputs; the base case is 'unknown'.

    None, or the error UnknownField, is unknown.
    """
    return None


Windows = tuple[Shape, Shape, Shape]
"""A window's kernel, stride and padding along the last dimensions."""


def slid(
    op: ops.Op, fields: Known, shapes: Shapes, windows: Windows, mixes: bool = False
) -> ReceptiveField:
    """The field of windows along the last dimensions; mixes: over all channels, too."""
    field, shape = fields[0], shapes[0]
    kernel, stride, padding = windows
    first = len(shape) - len(kernel)
    if mixes and first - 1 in field.dims:
        field = field.everywhere(shape, (first - 1,))
    if {*kernel, *stride} == {1} and not any(padding):
        return field

    def moved(dim: int, axis: Field) -> Field:
        if (at := dim - first) < 0:
            return axis
        count = op.output_shape(*shapes)[dim] if axis.spans else 0
        return axis.window(kernel[at], stride[at], padding[at], count)

    return field.along(moved)


rule.register(
    ops.Conv2d,
    lambda op, fields, shapes: slid(op, fields, shapes, (op.reach, op.stride, op.padding), True),
)
rule.register(
    ops.Pool2d,
    lambda op, fields, shapes: slid(op, fields, shapes, (op.kernel, op.stride, op.padding)),
)
rule.register(
    ops.ZeroPad,
    lambda op, fields, shapes: slid(op, fields, shapes, ((1, 1), op.stride, (0, 0))),
)
rule.register(
    ops.Linear,
    lambda op, fields, shapes: fields[0].everywhere(shapes[0], (len(shapes[0]) - 1,)),
)
rule.register(
    ops.GlobalAvgPool2d | ops.Flatten, lambda op, fields, shapes: fields[0].everywhere(shapes[0])
)
rule.register(
    ops.Add | ops.Scale, lambda op, fields, shapes: fields[0].joined(fields[1], shapes[0])
)
rule.register(ops.Activation | ops.BatchNorm2d | ops.Multiply, lambda op, fields, shapes: fields[0])
