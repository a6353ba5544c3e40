"""What the ops of traced networks keep for the backward pass: rules for networks.torch_ops.

torch's derivatives.yaml says what each function saves; functions that torch composes of others
save what these do.
"""

from __future__ import annotations

from resnet_inspect.counting import kept
from resnet_inspect.networks import torch_ops
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.shapes import elements

kept.memory_known.register(torch_ops.Opaque, lambda op: False)

_TENSORS_BETWEEN = ("Cdist", "GRU", "LSTM", "MultiheadAttention", "RNN")
"""Products in several steps: what lies between these is each backend's own."""


@kept.memory_known.register(torch_ops.Product)
def _(op: torch_ops.Product) -> bool:
    return op.type.removesuffix("Cell") not in _TENSORS_BETWEEN


@kept.memory_known.register(torch_ops.Reduce)
def _(op: torch_ops.Reduce) -> bool:
    """Measures of distance are made of several functions."""
    return not op.function.endswith(("_loss", "_similarity", "_distance", "_entropy", "kl_div"))


# Shapes only; of an opaque layer nothing is known:
kept.saved_tensors.register(
    torch_ops.Opaque | torch_ops.Concat | torch_ops.Dropout | torch_ops.Source | torch_ops.View,
    lambda op, layer: (),
)
kept.saved_tensors.register(torch_ops.Unpool, lambda op, layer: ())
kept.saved_tensors.register(
    torch_ops.AdaptivePool | torch_ops.Pool | torch_ops.Conv | torch_ops.ConvTranspose,
    lambda op, layer: layer.inputs,
)
kept.saved_tensors.register(
    torch_ops.BatchNorm | torch_ops.GroupNorm | torch_ops.LayerNorm | torch_ops.LocalResponseNorm,
    lambda op, layer: layer.inputs,
)
kept.saved_tensors.register(torch_ops.MatMul | torch_ops.Product, lambda op, layer: layer.inputs)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BOOLEAN = _words(
    "all and any bitwise_and bitwise_not bitwise_or bitwise_xor eq equal ge greater greater_equal "
    "gt invert isclose isfinite isinf isnan le less less_equal logical_and logical_not logical_or "
    "logical_xor lt ne not_equal or signbit xor"
)
"""Functions that give true or false, which nothing is derived by."""

_NOTHING = _BOOLEAN | _words(
    "add argmax argmin argsort ceil count_nonzero cumsum deg2rad fill fix floor floor_divide "
    "floordiv frac heaviside mean neg one_hot positive rad2deg round sign sub sum trunc zero"
)

_OUTPUT = _words(
    "Tanh Softmax LogSoftmax Softmax2d Softmin GumbelSoftmax exp exp2 expm1 rdiv reciprocal rsqrt "
    "sqrt tan"
)

_BOTH = _words(
    "aminmax amax amin cumprod frobenius_norm hypot linalg_vector_norm logsumexp norm prod rpow "
    "sgn std std_mean vector_norm"
)
"""Functions whose backward pass needs nothing, their output, or their input as well; that of all
others needs their inputs."""

_INDICES = ("kthvalue", "max", "median", "min", "mode", "msort", "nanmedian", "sort", "topk")
"""Functions that give indices as well; of a dimension their backward pass needs these alone."""

_BY_A_NUMBER = ("mul", "div", "fmod", "lerp", "remainder")
"""Functions whose backward pass needs nothing but numbers, unless all operands are tensors."""

_OUTPUT_IN_PLACE = ("SELU", "CELU")


def _kept(function: str, layer: Layer) -> tuple[str, ...]:
    if function in _NOTHING:
        return ()
    inputs = () if function in _OUTPUT else layer.inputs
    return (*inputs, layer.name) if function in _OUTPUT | _BOTH else inputs


@kept.saved_tensors.register(torch_ops.Function)
def _(op: torch_ops.Function, layer: Layer) -> tuple[str, ...]:
    if op.name in _OUTPUT or (op.name in _OUTPUT_IN_PLACE and op.inplace):
        return (layer.name,)
    return () if op.inplace else layer.inputs


@kept.saved_tensors.register(torch_ops.Arithmetic)
def _(op: torch_ops.Arithmetic, layer: Layer) -> tuple[str, ...]:
    needed = _operands(op, layer)
    return tuple(name for name in needed if name not in layer.inputs[:1]) if op.inplace else needed


def _operands(op: torch_ops.Arithmetic, layer: Layer) -> tuple[str, ...]:
    """What its backward pass needs, of which it copies what it overwrites."""
    inputs = layer.inputs
    if op.function in _BY_A_NUMBER and len(inputs) < (3 if op.function == "lerp" else 2):
        return inputs if op.params else ()
    if op.function in ("where", "masked_fill"):  # the condition
        at = 0 if op.function == "where" else 1
        return inputs[at : at + 1]
    if op.function in ("addcmul", "addcdiv") and len(inputs) == 3:
        return inputs[1:]
    if op.function == "pow" and len(inputs) == 2:
        return (*inputs, layer.name)
    return _kept(op.function, layer)


@kept.saved_tensors.register(torch_ops.Reduce)
def _(op: torch_ops.Reduce, layer: Layer) -> tuple[str, ...]:
    if op.function in _INDICES:
        return () if op.over else (*layer.inputs, layer.name)
    return _kept(op.function, layer)


@kept.saved_tensors.register(torch_ops.Move)
def _(op: torch_ops.Move, layer: Layer) -> tuple[str, ...]:
    return layer.inputs if op.function in ("gather", "embedding", "embedding_bag") else ()


kept.saved_tensors.register(
    torch_ops.Interpolate, lambda op, layer: layer.inputs if op.mode in ("area", "grid") else ()
)


kept.saved_tensors.register(torch_ops.Attention, lambda op, layer: (*layer.inputs, layer.name))


kept.saved_tensors.register(
    torch_ops.Pad, lambda op, layer: layer.inputs if op.mode in ("reflect", "replicate") else ()
)


# --- what they write besides ----------------------------------------------------------------------


@kept.output_bytes.register(torch_ops.Arithmetic | torch_ops.Reduce)
def _(op: torch_ops.Arithmetic | torch_ops.Reduce, itemsize: int) -> int:
    if op.function in ("argmax", "argmin", "argsort"):
        return kept.INDEX
    return 1 if op.function in _BOOLEAN else itemsize


@kept.saved_copy_bytes.register(torch_ops.Arithmetic)
def _(op: torch_ops.Arithmetic, layer: Layer, itemsize: int, batch: int) -> int:
    """Softsign keeps what it divides by; normalize the norms, before and after they are clamped."""
    overwritten = op.inplace and not set(layer.inputs[:1]).isdisjoint(_operands(op, layer))
    count = elements(layer.output_shape) if overwritten else 0
    if op.function == "softsign":
        count = elements(layer.output_shape)
    elif op.function == "normalize":
        inside = elements(layer.output_shape[dim] for dim in op.over)
        count = 2 * elements(layer.output_shape) // inside
    return count * itemsize * batch


@kept.saved_copy_bytes.register(torch_ops.LocalResponseNorm)
def _(op: torch_ops.LocalResponseNorm, layer: Layer, itemsize: int, batch: int) -> int:
    """Squares with zeros around their channels, mean squares and their power."""
    channels, *axes = layer.output_shape
    return (3 * channels + op.size - 1) * elements(axes) * itemsize * batch


@kept.saved_copy_bytes.register(torch_ops.Pool)
def _(op: torch_ops.Pool, layer: Layer, itemsize: int, batch: int) -> int:
    """An LP pool is made of powers, an average and a root: sign, ReLU, product and power."""
    if not op.type.startswith("LPPool"):
        return 0
    entries = elements(layer.input_shapes[0]) + 4 * elements(layer.output_shape)
    return entries * itemsize * batch


@kept.auxiliary_bytes.register(torch_ops.Reduce)
def _(op: torch_ops.Reduce, layer: Layer, itemsize: int) -> int:
    gives = op.function in ("cummax", "cummin") or (op.function in _INDICES and op.over)
    return elements(layer.output_shape) * kept.INDEX if gives else 0


@kept.auxiliary_bytes.register(torch_ops.Move)
def _(op: torch_ops.Move, layer: Layer, itemsize: int) -> int:
    return elements(layer.output_shape) * kept.INDEX if op.function == "gather" else 0


@kept.saved_copy_bytes.register(torch_ops.Move)
def _(op: torch_ops.Move, layer: Layer, itemsize: int, batch: int) -> int:
    """The indices along a dimension, which all samples share."""
    if op.function not in ("index", "index_select") or not op.over:
        return 0
    return layer.output_shape[op.over[0]] * kept.INDEX


@kept.auxiliary_bytes.register(torch_ops.Attention)
def _(op: torch_ops.Attention, layer: Layer, itemsize: int) -> int:
    """The logarithm of the sum of each query's exponentials."""
    return elements(layer.input_shapes[0][:-1]) * max(itemsize, kept.STATISTIC)


@kept.saved_copy_bytes.register(torch_ops.Function)
def _(op: torch_ops.Function, layer: Layer, itemsize: int, batch: int) -> int:
    from_input = op.inplace and op.name not in (*_OUTPUT, *_OUTPUT_IN_PLACE)
    # LogSigmoid keeps a buffer.
    needed = from_input or op.name == "LogSigmoid"
    return elements(layer.output_shape) * itemsize * batch if needed else 0


@kept.statistics.register(torch_ops.Function)
def _(op: torch_ops.Function, layer: Layer, itemsize: int, batch: int) -> int:
    """The slopes that RReLU draws."""
    return elements(layer.output_shape) * itemsize * batch if op.name == "RReLU" else 0


@kept.buffer_bytes.register(torch_ops.BatchNorm)
def _(op: torch_ops.BatchNorm, itemsize: int) -> int:
    return (op.buffers - 1) * itemsize + kept.INDEX if op.buffers else 0


@kept.statistics.register(torch_ops.BatchNorm)
def _(op: torch_ops.BatchNorm, layer: Layer, itemsize: int, batch: int) -> int:
    return 2 * op.channels * max(itemsize, kept.STATISTIC)


@kept.statistics.register(torch_ops.Dropout)
def _(op: torch_ops.Dropout, layer: Layer, itemsize: int, batch: int) -> int:
    """The mask: a GPU's is a byte an element; the CPU's, and one for whole channels or samples,
    is of the input's dtype."""
    if op.p == 0:
        return 0
    if op.type == "Dropout":
        return elements(layer.output_shape) * batch
    single = op.type in ("StochasticDepth", "DropPath")
    return batch * itemsize * (1 if single else layer.output_shape[0])


@kept.auxiliary_bytes.register(torch_ops.GroupNorm)
def _(op: torch_ops.GroupNorm, layer: Layer, itemsize: int) -> int:
    folded = 1 if op.channels == layer.output_shape[0] else layer.output_shape[0]
    return 2 * op.groups * max(itemsize, kept.STATISTIC) * folded


kept.auxiliary_bytes.register(ActiveNorm, lambda op, layer, itemsize: 0)


@kept.saved_copy_bytes.register(ActiveNorm)
def _(op: ActiveNorm, layer: Layer, itemsize: int, batch: int) -> int:
    """Factors of its products, the deviations, and the input in fp32 where it is not."""
    written, other = elements(layer.output_shape), itemsize != kept.STATISTIC
    if op.type == "FilterResponseNorm":
        each = (1 + op.activates) * written * itemsize + op.channels * kept.STATISTIC
        return batch * (each + op.channels * itemsize * other)
    copied = (written * other + op.groups) * kept.STATISTIC
    # Deviations are spread over their channels in memory, unless there is one of each, or one.
    deviations = op.groups * other if op.groups in (1, op.channels) else written
    return batch * (((1 + 2 * op.activates) * written + deviations) * itemsize + copied)


@kept.auxiliary_bytes.register(torch_ops.LayerNorm)
def _(op: torch_ops.LayerNorm, layer: Layer, itemsize: int) -> int:
    moments = 2 if op.type == "LayerNorm" else 1
    return moments * elements(layer.output_shape[: -len(op.size)]) * max(itemsize, kept.STATISTIC)


@kept.auxiliary_bytes.register(torch_ops.AdaptivePool | torch_ops.Pool)
def _(op: torch_ops.AdaptivePool | torch_ops.Pool, layer: Layer, itemsize: int) -> int:
    return elements(layer.output_shape) * kept.INDEX if "Max" in op.type else 0
