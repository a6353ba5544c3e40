"""Torch functions -> ops: torch.add, F.relu, Tensor.view, torch.ops.aten.conv2d, ..

A rule is found by the function's name. It takes the call and returns what a layer rule returns: an
op, several in a row, or None for a function that returns its input. lower.py rejects an op that
does not have the shape or the parameters of the call; for a call that it cannot read a rule raises
ValueError. Both make the call an Opaque layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx

from resnet_inspect.networks import ops
from resnet_inspect.networks.ops import Pair, Shape, elements
from resnet_inspect.networks.torch_ops import (
    AdaptivePool,
    Arithmetic,
    Attention,
    Conv,
    ConvTranspose,
    Function,
    GroupNorm,
    Interpolate,
    LayerNorm,
    MatMul,
    Opaque,
    Pool,
    Reduce,
    Sizes,
)
from resnet_inspect.pytorch.trace.calls import Call, function_name, sample_shape
from resnet_inspect.pytorch.trace.layer_ops import batch_norm, convolution
from resnet_inspect.pytorch.trace.rules import Known, register_function, sizes

# --- arithmetic --------------------------------------------------------------------------------


@register_function("add sub mul div", arguments="input other")
def _(call: Call) -> Known:
    call.inputs = [_unexpanded(node) for node in call.inputs]
    if len(call.inputs) == 2 and not call.constants:
        if call.name == "add" and call.shapes[0] == call.shapes[1]:
            return ops.Add(inplace=call.inplace)
        if call.name == "mul" and not call.inplace:
            if not _gates(call.shapes[1], call.shapes[0]):
                call.inputs.reverse()  # the gate may come first
            if _gates(call.shapes[1], call.shapes[0]):
                return ops.Scale()
            call.inputs.reverse()
    return Arithmetic(call.name, call.output, call.params, call.inplace)


def _gates(gate: Shape, features: Shape) -> bool:
    return len(features) == 3 and gate == (features[0], 1, 1)


def _unexpanded(node: fx.Node) -> fx.Node:
    """What an operand was before it was expanded; arithmetic broadcasts by itself."""
    if node.op == "call_function" and function_name(node.target)[0] in ("expand", "expand_as"):
        source = node.args[0]
        if isinstance(source, fx.Node) and len(sample_shape(source.meta["val"])) == 3:
            return source
    return node


@register_function(
    "abs clamp clip cos eq glu erf exp floor fmod ge gt le log log1p lt masked_fill maximum "
    "minimum ne neg pow reciprocal remainder round rsqrt sign sin sqrt square where addcmul "
    "lerp normalize heaviside softsign logical_and logical_not",
)
def _(call: Call) -> Known:
    return Arithmetic(call.name, call.output, call.params, call.inplace)


_ACTIVATIONS: dict[str, Callable[[Call], ops.Op]] = {
    "relu": lambda call: ops.ReLU(inplace=call.inplace),
    "relu6": lambda call: ops.ReLU6(inplace=call.inplace),
    "silu": lambda call: ops.SiLU(inplace=call.inplace),
    "mish": lambda call: ops.Mish(inplace=call.inplace),
    "hardswish": lambda call: ops.Hardswish(inplace=call.inplace),
    "gelu": lambda call: ops.GELU(),
    "sigmoid": lambda call: ops.Sigmoid(),
    "prelu": lambda call: Function("PReLU", call.params),
}


@register_function(" ".join(_ACTIVATIONS), arguments="input inplace")
def _(call: Call) -> Known:
    return _ACTIVATIONS[call.name](call)


@register_function("leaky_relu", arguments="input negative_slope inplace")
def _(call: Call) -> Known:
    return ops.LeakyReLU(call.get("negative_slope", 0.01), inplace=call.inplace)


@register_function("elu", arguments="input alpha inplace")
def _(call: Call) -> Known:
    return ops.ELU(call.get("alpha", 1.0), inplace=call.inplace)


@register_function("hardtanh", arguments="input min_val max_val inplace")
def _(call: Call) -> Known:
    if (call.get("min_val", -1), call.get("max_val", 1)) == (0, 6):
        return ops.ReLU6(inplace=call.inplace)
    return Function("Hardtanh", inplace=call.inplace)


_CLASSES = (
    "Tanh Softmax LogSoftmax Softplus Hardsigmoid SELU CELU LogSigmoid Tanhshrink Hardshrink "
    "Softshrink Threshold RReLU"
)
"""torch.nn's names of functions without a rule of their own."""


@register_function(f"{_CLASSES.lower()} log_softmax log_sigmoid")
def _(call: Call) -> Known:
    plain = call.name.replace("_", "")
    kind = next(name for name in _CLASSES.split() if name.lower() == plain)
    # Each element of a softmax depends on the others.
    return Function(kind, local="Softmax" not in kind, inplace=call.inplace)


# --- products ----------------------------------------------------------------------------------


@register_function(
    "conv1d conv2d conv3d",
    arguments="input weight bias stride padding dilation groups",
)
@register_function(
    "convolution",
    arguments="input weight bias stride padding dilation transposed output_padding groups",
)
def _(call: Call) -> Known:
    weight = _shape_of(call, "weight")
    axes = len(weight) - 2
    padding = call.get("padding", 0)
    if call.get("transposed", False):
        return _transposed(call, weight)
    settings = _sizes(call, axes, stride=1, dilation=1)
    groups, bias = call.get("groups", 1), call.bound.get("bias") is not None
    conv = Conv(
        weight[1] * groups,
        weight[0],
        weight[2:],
        settings["stride"],
        (),
        groups,
        bias,
        settings["dilation"],
    )
    padding = padding if isinstance(padding, str) else sizes(padding, axes)
    return convolution(conv, padding, (call.params, call.buffers))


def _sizes(call: Call, axes: int, **defaults: Any) -> dict[str, Any]:
    """Settings that are one number for each axis."""
    return {name: sizes(call.get(name, value), axes) for name, value in defaults.items()}


def _shape_of(call: Call, name: str) -> Shape:
    constant = call.constant(name)
    return constant.shape if constant else tuple(call.bound[name].meta["val"].shape)


@register_function(
    "conv_transpose1d conv_transpose2d conv_transpose3d",
    arguments="input weight bias stride padding output_padding groups dilation",
)
def _(call: Call) -> Known:
    return _transposed(call, _shape_of(call, "weight"))


def _transposed(call: Call, weight: Shape) -> ops.Op:
    groups, bias = call.get("groups", 1), call.bound.get("bias") is not None
    settings = _sizes(call, len(weight) - 2, stride=1, padding=0, output_padding=0, dilation=1)
    shape = weight[0], weight[1] * groups, weight[2:]
    return ConvTranspose(*shape, groups=groups, bias=bias, **settings)


@register_function("linear", arguments="input weight bias")
def _(call: Call) -> Known:
    features, inside = _shape_of(call, "weight")
    return _linear(call, inside, features, call.bound.get("bias") is not None)


@register_function("addmm", arguments="bias input weight")
def _(call: Call) -> Known:
    inside, features = _shape_of(call, "weight")
    return _linear(call, inside, features, True)


def _linear(call: Call, inside: int, outside: int, bias: bool) -> ops.Op:
    op = ops.Linear(inside, outside, bias)
    if call.params == op.params and len(call.inputs) == 1:
        return op
    # Its weight is made of other parameters, or of the input.
    macs = elements(call.output) * inside
    return Opaque("Linear", call.output, call.params, macs=macs)


@register_function("matmul mm bmm einsum", arguments="input other")
def _(call: Call) -> Known:
    if call.name == "einsum":
        return _einsum(call)
    if len(call.inputs) == 2:
        return MatMul(call.output)
    right = call.constant("other")
    if right is not None and len(right.shape) == 2:
        return _linear(call, *right.shape, bias=False)
    left = call.constant("input")
    inside = (left.shape if left else (*call.shape,))[-1]
    macs = elements(call.output) * inside
    return Opaque("MatMul", call.output, call.params, macs=macs)


def _einsum(call: Call) -> ops.Op:
    """A product of two tensors has as many multiply-accumulates as there are index values."""
    equation, operands = call.node.args[0], call.node.args[1:]
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    if not isinstance(equation, str) or len(operands) != 2 or "." in equation:
        raise ValueError(f"einsum {equation!r}")
    named: dict[str, int] = {}
    indices = equation.replace(" ", "").split("->")[0].split(",")
    for letters, operand in zip(indices, operands, strict=True):
        if isinstance(operand, fx.Node):
            named.update(zip(letters, operand.meta["val"].shape, strict=True))
    return Opaque("Einsum", call.output, call.params, macs=elements(tuple(named.values())))


@register_function("scaled_dot_product_attention", arguments="query key value")
def _(call: Call) -> Known:
    if len(call.inputs) < 3:
        raise ValueError("attention to constants")
    return Attention(call.output)


@register_function("embedding", arguments="input weight")
def _(call: Call) -> Known:
    return Opaque("Embedding", call.output, call.params, macs=0)


# --- normalization -----------------------------------------------------------------------------


@register_function("batch_norm", arguments="input running_mean running_var weight bias training")
@register_function(
    "native_batch_norm_legit_no_training",
    arguments="input weight bias running_mean running_var",
)
def _(call: Call) -> Known:
    return batch_norm(call.shape, call.shape[0], call.params, call.held)


@register_function("group_norm", arguments="input num_groups weight bias eps")
def _(call: Call) -> Known:
    return GroupNorm(call.bound["num_groups"], call.shape[0], call.params > 0)


@register_function("instance_norm")
def _(call: Call) -> Known:
    channels = call.shape[0]
    kind = f"InstanceNorm{len(call.shape) - 1}d"
    return GroupNorm(channels, channels, call.params > 0, kind)


@register_function("layer_norm rms_norm native_layer_norm", arguments="input normalized_shape")
def _(call: Call) -> Known:
    kind = "RMSNorm" if call.name == "rms_norm" else "LayerNorm"
    return LayerNorm(tuple(call.bound["normalized_shape"]), call.params, kind)


# --- pools and resampling ----------------------------------------------------------------------


@register_function(
    "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices",
    arguments="input kernel_size stride padding dilation ceil_mode",
)
def _(call: Call) -> Known:
    window, step, edges, spread = _window(call)
    ceil = bool(call.get("ceil_mode", False))
    if spread == (1, 1):
        return ops.MaxPool2d(_pair(window), _pair(step), _pair(edges), ceil)
    return Pool(f"MaxPool{len(window)}d", window, step, edges, ceil, spread)


@register_function(
    "avg_pool1d avg_pool2d avg_pool3d",
    arguments="input kernel_size stride padding ceil_mode count_include_pad",
)
def _(call: Call) -> Known:
    window, step, edges, _ = _window(call)
    ceil = bool(call.get("ceil_mode", False))
    if len(window) == 2:
        # Without padding there is none to count.
        counts = bool(call.get("count_include_pad", True)) and any(edges)
        return ops.AvgPool2d(_pair(window), _pair(step), _pair(edges), ceil, counts)
    return Pool(f"AvgPool{len(window)}d", window, step, edges, ceil)


def _window(call: Call) -> tuple[Sizes, Sizes, Sizes, Sizes]:
    """A pool's kernel, stride, padding and dilation."""
    kernel = call.bound["kernel_size"]
    defaults = {"stride": kernel, "padding": 0, "dilation": 1}
    settings = [call.get(name, default) or default for name, default in defaults.items()]
    kernel, stride, padding, dilation = (
        sizes(value, len(call.shape) - 1) for value in (kernel, *settings)
    )
    return kernel, stride, padding, dilation


def _pair(numbers: Sizes) -> Pair:
    height, width = numbers
    return height, width


@register_function(
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d "
    "adaptive_max_pool2d adaptive_max_pool3d",
    arguments="input output_size",
)
def _(call: Call) -> Known:
    how = "Max" if "max" in call.name else "Avg"
    space, size = call.shape[1:], call.bound["output_size"]
    given = (size,) * len(space) if size is None or isinstance(size, int) else tuple(size)
    # None keeps an axis as it is.
    wanted = tuple(s if want is None else int(want) for want, s in zip(given, space, strict=True))
    if how == "Avg" and wanted == (1, 1):
        return ops.GlobalAvgPool2d()
    return AdaptivePool(f"Adaptive{how}Pool{len(space)}d", wanted)


@register_function(
    "all amax amin any argmax argmin logsumexp max mean min norm prod std sum var var_mean "
    "vector_norm cumsum",
    arguments="input dim keepdim",
)
def _(call: Call) -> Known:
    if call.name in ("max", "min") and len(call.inputs) == 2:
        return Arithmetic(call.name, call.output, call.params)
    dims = call.get("dim")
    space = isinstance(dims, (tuple, list)) and sorted(dim % 4 for dim in dims) == [2, 3]
    if call.name == "mean" and call.dims == 4 and space:
        return ops.GlobalAvgPool2d(bool(call.get("keepdim", False)))
    return Reduce(call.name, call.output)


_TAPS = {"linear": 2, "bilinear": 4, "trilinear": 8, "bicubic": 16}


@register_function(
    "interpolate upsample upsample_nearest1d upsample_nearest2d upsample_nearest3d "
    "upsample_bilinear2d upsample_bicubic2d upsample_linear1d upsample_trilinear3d",
    arguments="input size scale_factor mode",
)
def _(call: Call) -> Known:
    mode = call.get("mode", "nearest")
    if call.name.startswith("upsample_"):
        mode = call.name.removeprefix("upsample_").rstrip("123d")
    return Interpolate(str(mode), call.output, _TAPS.get(str(mode), 1))
