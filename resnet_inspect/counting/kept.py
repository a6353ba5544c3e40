"""What an op keeps for the backward pass, and what it writes besides its output: rules by op.

Register new ops here. torch's derivatives.yaml says what each function saves.
"""

from __future__ import annotations

from resnet_inspect.counting.rules import by_op
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import elements

INDEX = 8
"""Bytes of an int64: max pooling writes where each maximum was."""

STATISTIC = 4
"""Least bytes of a batch statistic: GPUs keep those of half precision in fp32 (CPUs in half)."""


@by_op
def memory_known(op: ops.Op) -> bool:
    """Whether all is known that an op keeps and writes; else figures with it are lower bounds."""
    return True


@by_op
def buffer_bytes(op: ops.Op, itemsize: int) -> int:
    """Bytes of the buffers that an op holds."""
    return op.buffers * itemsize


@buffer_bytes.register(ops.BatchNorm2d)
def _(op: ops.BatchNorm2d, itemsize: int) -> int:
    return (op.buffers - 1) * itemsize + INDEX


buffer_bytes.register(ops.FrozenBatchNorm2d, lambda op, itemsize: op.buffers * itemsize)


@by_op
def output_bytes(op: ops.Op, itemsize: int) -> int:
    """Bytes of an element that an op gives."""
    return itemsize


@by_op
def auxiliary_bytes(op: ops.Op, layer: Layer, itemsize: int) -> int:
    """Bytes for each sample that an op writes besides its output, for its backward pass."""
    return 0


@auxiliary_bytes.register(ops.MaxPool2d)
def _(op: ops.MaxPool2d, layer: Layer, itemsize: int) -> int:
    return elements(layer.output_shape) * INDEX


@by_op
def saved_copy_bytes(op: ops.Op, layer: Layer, itemsize: int, batch: int) -> int:
    """Bytes of its input that an op copies before it overwrites them: its backward needs them."""
    return 0


@saved_copy_bytes.register(ops.Activation)
def _(op: ops.Activation, layer: Layer, itemsize: int, batch: int) -> int:
    needed = op.inplace and _kept_by(op) == "input"
    return elements(layer.output_shape) * itemsize * batch if needed else 0


@saved_copy_bytes.register(ops.STANDARDIZING)
def _(op: ops.Conv2d, layer: Layer, itemsize: int, batch: int) -> int:
    """The weights that it makes, their statistics, and what they are scaled by."""
    scales = itemsize if isinstance(op, ops.ScaledConv2d) else 0
    each = 2 * max(itemsize, STATISTIC) + scales
    return op.weights * itemsize + each * op.out_channels


@saved_copy_bytes.register(ops.FrozenBatchNorm2d)
def _(op: ops.FrozenBatchNorm2d, layer: Layer, itemsize: int, batch: int) -> int:
    """What it scales by, which it makes of its buffers; nothing of its input."""
    return op.channels * itemsize


def _kept_by(op: ops.Activation) -> str:
    if op.keeps == "either":
        return "output" if op.inplace else "input"
    return op.keeps


@by_op
def statistics(op: ops.Op, layer: Layer, itemsize: int, batch: int) -> int:
    """Bytes that an op saves only in train mode, besides all that."""
    return 0


@statistics.register(ops.BatchNorm2d)
def _(op: ops.BatchNorm2d, layer: Layer, itemsize: int, batch: int) -> int:
    return 2 * op.channels * max(itemsize, STATISTIC)


statistics.register(ops.FrozenBatchNorm2d, lambda op, layer, itemsize, batch: 0)


@by_op
def saved_tensors(op: ops.Op, layer: Layer) -> tuple[str, ...]:
    """The tensors, by the layers that make them, that an op keeps for its backward pass.

    torch's derivatives.yaml says which. Of an op without a rule nothing is known.
    """
    return ()


saved_tensors.register(
    ops.Conv2d
    | ops.Linear
    | ops.BatchNorm2d
    | ops.MaxPool2d
    | ops.AvgPool2d
    | ops.Scale
    | ops.Gain,
    lambda op, layer: layer.inputs,
)
# The backward pass of these needs only shapes:
saved_tensors.register(
    ops.Add | ops.Flatten | ops.GlobalAvgPool2d | ops.ZeroPad | ops.Multiply, lambda op, layer: ()
)
saved_tensors.register(ops.FrozenBatchNorm2d, lambda op, layer: ())


@saved_tensors.register(ops.Activation)
def _(op: ops.Activation, layer: Layer) -> tuple[str, ...]:
    if _kept_by(op) == "output":
        return (layer.name,)
    return () if op.inplace else layer.inputs  # in place it keeps a copy


RULES = (saved_tensors, auxiliary_bytes, saved_copy_bytes, statistics)
"""What a layer's node holds."""
