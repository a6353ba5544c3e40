"""What the ops of traced networks cost, see and keep: rules for networks.torch_ops.

FLOPs follow the conventions of costs.py: multiplying by anything but weights is gating, other
arithmetic of two tensors addition, everything else that is elementwise activation; a reduction or
a resampling is pooling. Products of activations (attention) are multiply-accumulates too.
"""

from __future__ import annotations

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
from resnet_inspect.counting.receptive_field import Field, ReceptiveField, everywhere, joined
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
    View,
)

Fields = list[ReceptiveField]


# --- costs ------------------------------------------------------------------------------------


@operations.register
def _(op: Opaque, inputs: Shapes, output: Shape) -> Counts | None:
    return None if op.macs is None else {"macs": op.macs}


@operations.register
def _(op: Conv, inputs: Shapes, output: Shape) -> Counts:
    macs = op.weights * elements(output[1:])
    return {"macs": macs, "bias": elements(output) if op.bias else 0}


@operations.register
def _(op: ConvTranspose, inputs: Shapes, output: Shape) -> Counts:
    macs = op.weights * elements(inputs[0][1:])
    return {"macs": macs, "bias": elements(output) if op.bias else 0}


@operations.register(BatchNorm)
@operations.register(GroupNorm)
@operations.register(LayerNorm)
def _(op: Op, inputs: Shapes, output: Shape) -> Counts:
    return {"normalization": 2 * elements(output)}


@operations.register
def _(op: Function, inputs: Shapes, output: Shape) -> Counts:
    return {"activation": elements(output)}


@operations.register(Dropout)
@operations.register(View)
def _(op: Op, inputs: Shapes, output: Shape) -> Counts:
    return VIEW


@operations.register
def _(op: Pool, inputs: Shapes, output: Shape) -> Counts:
    each = elements(op.kernel) - (1 if op.type.startswith("Max") else 0)
    return {"pooling": each * elements(output)}


@operations.register
def _(op: AdaptivePool, inputs: Shapes, output: Shape) -> Counts:
    seen = op.windows(inputs[0]) * output[0]
    return {"pooling": seen - (elements(output) if "Max" in op.type else 0)}


@operations.register
def _(op: Reduce, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": elements(inputs[0])}


@operations.register
def _(op: Interpolate, inputs: Shapes, output: Shape) -> Counts:
    return {"pooling": op.taps * elements(output) if op.taps > 1 else 0}


@operations.register(Concat)
@operations.register(Move)
@operations.register(Pad)
def _(op: Op, inputs: Shapes, output: Shape) -> Counts:
    return {}


_TERM = {"mul": "gating", "div": "gating", "add": "addition", "sub": "addition"}


@operations.register
def _(op: Arithmetic, inputs: Shapes, output: Shape) -> Counts:
    return {_TERM.get(op.function, "activation"): elements(output)}


@operations.register
def _(op: MatMul, inputs: Shapes, output: Shape) -> Counts:
    return {"macs": elements(output) * inputs[0][-1]}


@operations.register
def _(op: Attention, inputs: Shapes, output: Shape) -> Counts:
    queries, keys, _ = inputs[:3]
    scores = elements(queries[:-1]) * keys[-2]
    macs = scores * queries[-1] + scores * output[-1]
    return {"macs": macs, "activation": scores}


# --- receptive fields -------------------------------------------------------------------------


@field_rule.register
def _(op: Opaque, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    return None


@field_rule.register
def _(op: Conv, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    if len(op.kernel) != 2:
        return _unmoved(fields)
    return _window(fields[0], op.reach, op.stride, op.padding)


@field_rule.register
def _(op: Pool, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    if len(op.kernel) != 2:
        return _unmoved(fields)
    return _window(fields[0], op.reach, op.stride, op.padding)


def _window(field: ReceptiveField, reach: Shape, stride: Shape, padding: Shape) -> ReceptiveField:
    return ReceptiveField(
        field.height.window(reach[0], stride[0], padding[0]),
        field.width.window(reach[1], stride[1], padding[1]),
    )


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


@field_rule.register(AdaptivePool)
@field_rule.register(ConvTranspose)
@field_rule.register(Interpolate)
@field_rule.register(MatMul)
@field_rule.register(Attention)
@field_rule.register(Move)
@field_rule.register(Reduce)
def _(op: Op, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    return _unmoved(fields)  # windows that are not the same size everywhere, or mixed axes


@field_rule.register(BatchNorm)
@field_rule.register(Dropout)
def _(op: Op, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    return fields[0]


@field_rule.register
def _(op: Function, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    return fields[0] if op.local else everywhere(fields[0], shapes[0])


@field_rule.register
def _(op: GroupNorm, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    return everywhere(fields[0], shapes[0])  # its mean and variance are over all positions


@field_rule.register
def _(op: LayerNorm, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    return fields[0] if len(op.size) == 1 else everywhere(fields[0], shapes[0])


@field_rule.register
def _(op: View, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    # A permutation keeps height and width apart; any other view may fold them into one another.
    return fields[0] if op.function in ("permute", "chunk", "expand") else _unmoved(fields)


@field_rule.register
def _(op: Pad, fields: Fields, shapes: Shapes) -> ReceptiveField | None:
    if len(shapes[0]) != 3 or len(op.padding) > 4:
        return _unmoved(fields)
    before = (*op.padding[::2], 0)
    field = fields[0]
    return ReceptiveField(_shifted(field.height, before[1]), _shifted(field.width, before[0]))


def _shifted(field: Field, positions: int) -> Field:
    return Field(field.size, field.stride, field.start - positions * field.stride)


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


@saved_tensors.register(Opaque)
@saved_tensors.register(Concat)
@saved_tensors.register(Dropout)
@saved_tensors.register(Interpolate)
@saved_tensors.register(Move)
@saved_tensors.register(View)
def _(op: Op, layer: Layer) -> tuple[str, ...]:
    return ()  # shapes alone; of an opaque layer nothing is known


@saved_tensors.register(AdaptivePool)
@saved_tensors.register(Attention)
@saved_tensors.register(BatchNorm)
@saved_tensors.register(Conv)
@saved_tensors.register(ConvTranspose)
@saved_tensors.register(GroupNorm)
@saved_tensors.register(LayerNorm)
@saved_tensors.register(MatMul)
@saved_tensors.register(Pool)
def _(op: Op, layer: Layer) -> tuple[str, ...]:
    return layer.inputs


_OF_OUTPUT = ("Tanh", "Softmax", "LogSoftmax", "Softmax2d", "exp", "rsqrt", "reciprocal")


_OF_BOTH = ("sqrt", "std", "amax", "amin", "logsumexp", "norm")


@saved_tensors.register
def _(op: Function, layer: Layer) -> tuple[str, ...]:
    if op.name in _OF_OUTPUT or (op.name in ("SELU", "CELU") and op.inplace):
        return (layer.name,)
    return () if op.inplace else layer.inputs


@saved_tensors.register
def _(op: Arithmetic, layer: Layer) -> tuple[str, ...]:
    if op.function in ("add", "sub", "neg"):
        return ()
    if op.function in ("mul", "div") and len(layer.inputs) == 1 and not op.params:
        return ()  # a number
    return _kept(op.function, layer)


@saved_tensors.register
def _(op: Reduce, layer: Layer) -> tuple[str, ...]:
    return () if op.function in ("mean", "sum", "cumsum") else _kept(op.function, layer)


def _kept(function: str, layer: Layer) -> tuple[str, ...]:
    kept = () if function in _OF_OUTPUT else layer.inputs
    return (*kept, layer.name) if function in _OF_OUTPUT + _OF_BOTH else kept


@saved_tensors.register
def _(op: Pad, layer: Layer) -> tuple[str, ...]:
    return layer.inputs if op.mode in ("reflect", "replicate") else ()


@saved_copy_bytes.register
def _(op: Function, layer: Layer, itemsize: int, batch: int) -> int:
    from_input = op.inplace and op.name not in ("SELU", "CELU")
    return elements(layer.output_shape) * itemsize * batch if from_input else 0


@buffer_bytes.register
def _(op: BatchNorm, itemsize: int) -> int:
    return (op.buffers - 1) * itemsize + INDEX if op.buffers else 0


@statistics.register
def _(op: BatchNorm, layer: Layer, itemsize: int, batch: int) -> int:
    return 2 * op.channels * max(itemsize, STATISTIC)


@statistics.register
def _(op: Dropout, layer: Layer, itemsize: int, batch: int) -> int:
    """The mask: a GPU's is a byte an element; the CPU's, and one for whole channels or samples,
    is of the input's dtype."""
    if op.p == 0:
        return 0
    if op.type == "Dropout":
        return elements(layer.output_shape) * batch
    single = op.type in ("StochasticDepth", "DropPath")
    return batch * itemsize * (1 if single else layer.output_shape[0])


@auxiliary_bytes.register
def _(op: GroupNorm, layer: Layer) -> int:
    return 2 * op.groups * STATISTIC


@auxiliary_bytes.register
def _(op: LayerNorm, layer: Layer) -> int:
    moments = 2 if op.type == "LayerNorm" else 1
    return moments * elements(layer.output_shape[: -len(op.size)]) * STATISTIC


@auxiliary_bytes.register(AdaptivePool)
@auxiliary_bytes.register(Pool)
def _(op: AdaptivePool | Pool, layer: Layer) -> int:
    return elements(layer.output_shape) * INDEX if "Max" in op.type else 0
