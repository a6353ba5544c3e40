"""What the ops of traced networks keep for the backward pass: rules for networks.torch_ops.

torch's derivatives.yaml says what each function saves; functions that torch composes of others
save what these do.
"""

from __future__ import annotations

from resnet_inspect.counting.memory import (
    INDEX,
    STATISTIC,
    auxiliary_bytes,
    buffer_bytes,
    saved_copy_bytes,
    saved_tensors,
    statistics,
)
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Op, elements
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
    Product,
    Reduce,
    Unpool,
    View,
)

_kind: type[Op]

# Shapes only; of an opaque layer nothing is known:
for _kind in (Opaque, Concat, Dropout, Interpolate, Move, Unpool, View):
    saved_tensors.register(_kind, lambda op, layer: ())
for _kind in (
    *(AdaptivePool, Attention, BatchNorm, Conv, ConvTranspose),
    *(GroupNorm, LayerNorm, MatMul, Pool, Product),
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
