"""What the ops of traced networks cost, see and keep: rules for networks.torch_ops.

FLOPs follow the conventions of costs.py: multiplying by anything but weights is gating, other
arithmetic of two tensors addition, everything else that is elementwise activation; a reduction or
a resampling is pooling. Products of activations (attention) are multiply-accumulates too.
"""

from __future__ import annotations

from collections.abc import Callable

from resnet_inspect.counting.costs import VIEW, Counts, Shapes, operations
from resnet_inspect.counting.memory import (
    INDEX,
    STATISTIC,
    auxiliary_bytes,
    buffer_bytes,
    saved_copy_bytes,
    saved_tensors,
    statistics,
)
from resnet_inspect.counting.receptive_field import ReceptiveField, everywhere, joined
from resnet_inspect.counting.receptive_field import rule as field_rule
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Op, Shape, elements
from resnet_inspect.networks.torch_ops import (
    AdaptivePool,
    Arithmetic,
    Attention,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dropout,
    Function,
    GroupNorm,
    Interpolate,
    LayerNorm,
    MatMul,
    Move,
    Opaque,
    Pad,
    Pool,
    Reduce,
    Source,
    View,
)

Fields = list[ReceptiveField]

_kind: type[Op]


# --- costs ------------------------------------------------------------------------------------


def _of_output(term: str, each: int = 1) -> Callable[[Op, Shapes, Shape], Counts]:
    """So many operations for each element of the output."""
    return lambda op, inputs, output: {term: each * elements(output)}


@operations.register(Opaque)
def _(op: Opaque, inputs: Shapes, output: Shape) -> Counts | None:
    return None if op.macs is None else {"macs": op.macs}


@operations.register(Conv)
@operations.register(ConvTranspose)
def _(op: Conv | ConvTranspose, inputs: Shapes, output: Shape) -> Counts:
    positions = (inputs[0] if isinstance(op, ConvTranspose) else output)[1:]
    return {"macs": op.weights * elements(positions), "bias": elements(output) if op.bias else 0}


for _kind in (BatchNorm, GroupNorm, LayerNorm):
    operations.register(_kind, _of_output("normalization", 2))
operations.register(Function, _of_output("activation"))
for _kind in (Dropout, Source, View):
    operations.register(_kind, lambda op, inputs, output: VIEW)
for _kind in (Concat, Move, Pad):
    operations.register(_kind, lambda op, inputs, output: {})


@operations.register(Pool)
def _(op: Pool, inputs: Shapes, output: Shape) -> Counts:
    each = elements(op.kernel) - (1 if op.type.startswith("Max") else 0)
    return {"pooling": each * elements(output)}


@operations.register(AdaptivePool)
def _(op: AdaptivePool, inputs: Shapes, output: Shape) -> Counts:
    seen = op.windows(inputs[0]) * output[0]
    return {"pooling": seen - (elements(output) if "Max" in op.type else 0)}


operations.register(Reduce, lambda op, inputs, output: {"pooling": elements(inputs[0])})


@operations.register(Interpolate)
def _(op: Interpolate, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": op.taps * elements(output) if op.taps > 1 else 0}


_TERM = {"mul": "gating", "div": "gating", "add": "addition", "sub": "addition"}


@operations.register(Arithmetic)
def _(op: Arithmetic, inputs: Shapes, output: Shape) -> Counts:
    return {_TERM.get(op.function, "activation"): elements(output)}


@operations.register(MatMul)
def _(op: MatMul, inputs: Shapes, output: Shape) -> Counts:
    return {"macs": elements(output) * inputs[0][-1]}


@operations.register(Attention)
def _(op: Attention, inputs: Shapes, output: Shape) -> Counts:
    queries, keys, _ = inputs[:3]
    scores = elements(queries[:-1]) * keys[-2]
    return {"macs": scores * (queries[-1] + output[-1]), "activation": scores}


# --- receptive fields -------------------------------------------------------------------------


def _unmoved(fields: Fields) -> ReceptiveField | None:
    """Where all positions see the same interval, whatever is made of them sees it too."""
    if any(field.stride != (0, 0) for field in fields):
        return None
    hull = fields[0]
    for field in fields[1:]:
        hull = ReceptiveField(
            hull.height.joined(field.height, 1), hull.width.joined(field.width, 1)
        )
    return hull


for _kind in (Opaque, Source):
    field_rule.register(_kind, lambda op, fields, shapes: None)
# Windows that are not the same size everywhere, or mixed axes:
for _kind in (AdaptivePool, ConvTranspose, Interpolate, MatMul, Attention, Move, Reduce):
    field_rule.register(_kind, lambda op, fields, shapes: _unmoved(fields))
for _kind in (BatchNorm, Dropout):
    field_rule.register(_kind, lambda op, fields, shapes: fields[0])


@field_rule.register(Conv)
@field_rule.register(Pool)
def _(op: Conv | Pool, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    if len(op.kernel) != 2:
        return _unmoved(fields)
    height, width = zip(op.reach, op.stride, op.padding, strict=True)
    return ReceptiveField(fields[0].height.window(*height), fields[0].width.window(*width))


@field_rule.register(Function)
@field_rule.register(GroupNorm)
@field_rule.register(LayerNorm)
def _(
    op: Function | GroupNorm | LayerNorm, fields: Fields, shapes: Shapes
) -> ReceptiveField | None:
    if isinstance(op, Function):
        local = op.local
    else:  # the mean and variance of a group are over all positions
        local = isinstance(op, LayerNorm) and len(op.size) == 1
    return fields[0] if local else everywhere(fields[0], shapes[0])


@field_rule.register(View)
def _(op: View, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    # A permutation keeps height and width apart; any other view may fold them into one another.
    return fields[0] if op.function in ("permute", "chunk", "expand") else _unmoved(fields)


@field_rule.register(Pad)
def _(op: Pad, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    if len(shapes[0]) != 3 or len(op.padding) > 4:
        return _unmoved(fields)
    left, top = (*op.padding[::2], 0)[:2]
    height, width = fields[0]
    return ReceptiveField(
        height._replace(start=height.start - top * height.stride),
        width._replace(start=width.start - left * width.stride),
    )


@field_rule.register(Arithmetic)
@field_rule.register(Concat)
def _(op: Op, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    if isinstance(op, Concat) and len(shapes[0]) == 3 and op.dim != 0:
        return _unmoved(fields)  # positions of one behind those of another
    hull: ReceptiveField | None = fields[0]
    for field in fields[1:]:
        hull = joined(hull, field, max(shapes, key=elements)) if hull else None
    return hull


# --- memory -----------------------------------------------------------------------------------

# Shapes only; of an opaque layer nothing is known:
for _kind in (Opaque, Concat, Dropout, Interpolate, Move, Source, View):
    saved_tensors.register(_kind, lambda op, layer: ())
for _kind in (
    *(AdaptivePool, Attention, BatchNorm, Conv, ConvTranspose),
    *(GroupNorm, LayerNorm, MatMul, Pool),
):
    saved_tensors.register(_kind, lambda op, layer: layer.inputs)

_OUTPUT = ("Tanh", "Softmax", "LogSoftmax", "Softmax2d", "exp", "rsqrt", "reciprocal")
_BOTH = ("sqrt", "std", "amax", "amin", "logsumexp", "norm")
"""Functions whose backward pass needs their output, or their input as well."""

_OUTPUT_IN_PLACE = ("SELU", "CELU")


def _kept(function: str, layer: Layer) -> tuple[str, ...]:
    kept = () if function in _OUTPUT else layer.inputs
    return (*kept, layer.name) if function in _OUTPUT + _BOTH else kept


@saved_tensors.register(Function)
def _(op: Function, layer: Layer) -> tuple[str, ...]:
    if op.name in _OUTPUT or (op.name in _OUTPUT_IN_PLACE and op.inplace):
        return (layer.name,)
    return () if op.inplace else layer.inputs


@saved_tensors.register(Arithmetic)
def _(op: Arithmetic, layer: Layer) -> tuple[str, ...]:
    number = op.function in ("mul", "div") and len(layer.inputs) == 1 and not op.params
    return () if number or op.function in ("add", "sub", "neg") else _kept(op.function, layer)


@saved_tensors.register(Reduce)
def _(op: Reduce, layer: Layer) -> tuple[str, ...]:
    return () if op.function in ("mean", "sum", "cumsum") else _kept(op.function, layer)


@saved_tensors.register(Pad)
def _(op: Pad, layer: Layer) -> tuple[str, ...]:
    return layer.inputs if op.mode in ("reflect", "replicate") else ()


@saved_copy_bytes.register(Function)
def _(op: Function, layer: Layer, itemsize: int, batch: int) -> int:
    from_input = op.inplace and op.name not in _OUTPUT_IN_PLACE
    return elements(layer.output_shape) * itemsize * batch if from_input else 0


@buffer_bytes.register(BatchNorm)
def _(op: BatchNorm, itemsize: int) -> int:
    return (op.buffers - 1) * itemsize + INDEX if op.buffers else 0


@statistics.register(BatchNorm)
def _(op: BatchNorm, layer: Layer, itemsize: int, batch: int) -> int:
    return 2 * op.channels * max(itemsize, STATISTIC)


@statistics.register(Dropout)
def _(op: Dropout, layer: Layer, itemsize: int, batch: int) -> int:
    """The mask: a GPU's is a byte an element; the CPU's, and one for whole channels or samples,
    is of the input's dtype."""
    if op.p == 0:
        return 0
    if op.type == "Dropout":
        return elements(layer.output_shape) * batch
    single = op.type in ("StochasticDepth", "DropPath")
    return batch * itemsize * (1 if single else layer.output_shape[0])


@auxiliary_bytes.register(GroupNorm)
def _(op: GroupNorm, layer: Layer) -> int:
    return 2 * op.groups * STATISTIC


@auxiliary_bytes.register(LayerNorm)
def _(op: LayerNorm, layer: Layer) -> int:
    moments = 2 if op.type == "LayerNorm" else 1
    return moments * elements(layer.output_shape[: -len(op.size)]) * STATISTIC


@auxiliary_bytes.register(AdaptivePool)
@auxiliary_bytes.register(Pool)
def _(op: AdaptivePool | Pool, layer: Layer) -> int:
    return elements(layer.output_shape) * INDEX if "Max" in op.type else 0
