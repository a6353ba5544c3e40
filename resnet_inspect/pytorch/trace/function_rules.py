"""Torch functions -> ops: torch.add, F.relu, Tensor.mean, torch.ops.aten.max_pool2d, ..

A rule is found by the function's name. It takes the call and returns what a layer rule returns: an
op, several in a row, or None for a function that returns its input. lower.py rejects an op that
does not have the shape or the parameters of the call; for a call that it cannot read a rule raises
ValueError. Both make the call an Opaque layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import fx

from resnet_inspect.networks import ops
from resnet_inspect.networks.shapes import Pair, is_gate
from resnet_inspect.networks.torch_ops import (
    AdaptivePool,
    Arithmetic,
    Function,
    GroupNorm,
    Interpolate,
    LayerNorm,
    LocalResponseNorm,
    Pool,
    Reduce,
    Sizes,
    Unpool,
)
from resnet_inspect.pytorch.trace.calls import Call, function_name, sample_shape
from resnet_inspect.pytorch.trace.rules import Known, batch_norm, register_function, sizes

# --- arithmetic --------------------------------------------------------------------------------


@register_function("add sub mul div", arguments="input other")
def _(call: Call) -> Known:
    call.inputs = [_unexpanded(node) for node in call.inputs]
    if len(call.inputs) == 2 and not call.constants:
        if call.name == "add" and call.shapes[0] == call.shapes[1]:
            return ops.Add(inplace=call.inplace)
        if call.name == "mul" and not call.inplace:
            if not is_gate(call.shapes[1], call.shapes[0]):
                call.inputs.reverse()  # the gate may come first
            if is_gate(call.shapes[1], call.shapes[0]):
                return ops.Scale()
            call.inputs.reverse()
    return Arithmetic(call.name, call.output, call.params, call.inplace)


def _unexpanded(node: fx.Node) -> fx.Node:
    """What an operand was before it was expanded; arithmetic broadcasts by itself."""
    if node.op == "call_function" and function_name(node.target)[0] in ("expand", "expand_as"):
        source = node.args[0]
        if isinstance(source, fx.Node) and len(sample_shape(source.meta["val"])) == 3:
            return source
    return node


_ELEMENTWISE = (
    "abs acos acosh addcdiv addcmul and angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh "
    "asin asinh atan atan2 atanh bitwise_and bitwise_not bitwise_or bitwise_xor ceil clamp "
    "clamp_max clamp_min clip conj copysign cos cosh deg2rad digamma eq erf erfc erfinv exp exp2 "
    "expm1 fill fix float_power floor floor_divide floordiv fmax fmin fmod frac ge greater "
    "greater_equal gt heaviside hypot i0 invert isclose isfinite isinf isnan ldexp le lerp less "
    "less_equal lgamma log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not "
    "logical_or logical_xor logit lt masked_fill maximum minimum mod nan_to_num ne neg "
    "not_equal or polar positive rad2deg rdiv reciprocal remainder round rsqrt sgn sign signbit "
    "sin sinc sinh softsign sqrt square tan trunc where xlogy xor zero"
)


@register_function(_ELEMENTWISE)
def _(call: Call) -> Known:
    return Arithmetic(call.name, call.output, call.params, call.inplace)


@register_function("pow", arguments="input exponent")
def _(call: Call) -> Known:
    """Of a number to a power torch keeps the result: rpow."""
    flipped = getattr(call.node.target, "__name__", "") == "__rpow__"
    number = flipped or not isinstance(call.bound.get("input"), fx.Node)
    return Arithmetic("rpow" if number else "pow", call.output, call.params, call.inplace)


def _over(call: Call, dims: int | Iterable[int]) -> Sizes:
    """Dimensions as torch counts them, the batch left out."""
    given = [dims] if isinstance(dims, int) else dims
    batched = call.dims - len(call.shape)
    places = sorted(dim % call.dims - batched for dim in given)
    return tuple(place for place in places if place >= 0)


@register_function("glu", arguments="input dim")
@register_function("normalize", arguments="input p dim")
def _(call: Call) -> Known:
    dim = call.get("dim", -1 if call.name == "glu" else 1)
    return Arithmetic(call.name, call.output, over=_over(call, dim))


_ACTIVATIONS: dict[str, Callable[[Call], ops.Op]] = {
    "relu": lambda call: ops.ReLU(inplace=call.inplace),
    "relu6": lambda call: ops.ReLU6(inplace=call.inplace),
    "silu": lambda call: ops.SiLU(inplace=call.inplace),
    "mish": lambda call: ops.Mish(inplace=call.inplace),
    "hardswish": lambda call: ops.Hardswish(inplace=call.inplace),
    "gelu": lambda call: ops.GELU(),
    "sigmoid": lambda call: ops.Sigmoid(inplace=call.inplace),
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
    "Tanh Softplus Hardsigmoid SELU CELU LogSigmoid Tanhshrink Hardshrink Softshrink Threshold "
    "RReLU"
)
"""torch.nn's names of functions without a rule of their own."""


@register_function(f"{_CLASSES.lower()} log_sigmoid")
def _(call: Call) -> Known:
    plain = call.name.replace("_", "")
    kind = next(name for name in _CLASSES.split() if name.lower() == plain)
    return Function(kind, inplace=call.inplace)


_OVER_A_DIMENSION = {
    "softmax": "Softmax",
    "special_softmax": "Softmax",
    "softmin": "Softmin",
    "log_softmax": "LogSoftmax",
    "special_log_softmax": "LogSoftmax",
    "gumbel_softmax": "GumbelSoftmax",
}


@register_function(" ".join(_OVER_A_DIMENSION), arguments="input dim")
def _(call: Call) -> Known:
    default = -1 if call.name == "gumbel_softmax" else 0 if call.dims in (0, 1, 3) else 1
    given = call.bound.get("dim") if call.name != "gumbel_softmax" else call.node.kwargs.get("dim")
    dim = given if isinstance(given, int) else default  # torch's own choice, which it warns of
    return Function(_OVER_A_DIMENSION[call.name], over=_over(call, dim))


@register_function("local_response_norm", arguments="input size")
def _(call: Call) -> Known:
    return LocalResponseNorm(call.bound["size"])


# --- normalization -----------------------------------------------------------------------------


@register_function("batch_norm", arguments="input running_mean running_var weight bias training")
@register_function(
    "native_batch_norm_legit_no_training",
    arguments="input weight bias running_mean running_var",
)
def _(call: Call) -> Known:
    return batch_norm(call.shape, max(1, call.dims - 2), _channels(call), call.params, call.held)


def _channels(call: Call) -> int:
    return call.shape[1 - (call.dims - len(call.shape))]


@register_function("group_norm", arguments="input num_groups weight bias eps")
def _(call: Call) -> Known:
    return GroupNorm(call.bound["num_groups"], _channels(call), call.params > 0)


@register_function("instance_norm")
def _(call: Call) -> Known:
    channels = _channels(call)
    kind = f"InstanceNorm{call.dims - 2}d"
    return GroupNorm(channels, channels, call.params > 0, kind)


@register_function("layer_norm rms_norm native_layer_norm", arguments="input normalized_shape")
def _(call: Call) -> Known:
    kind = "RMSNorm" if call.name == "rms_norm" else "LayerNorm"
    return LayerNorm(tuple(call.bound["normalized_shape"]), call.params, kind)


# --- pools and resampling ----------------------------------------------------------------------


@register_function(
    "max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices "
    "max_pool3d_with_indices",
    arguments="input kernel_size stride padding dilation ceil_mode",
)
@register_function(
    "avg_pool1d avg_pool2d avg_pool3d",
    arguments="input kernel_size stride padding ceil_mode count_include_pad",
)
@register_function(
    "lp_pool1d lp_pool2d lp_pool3d",
    arguments="input norm_type kernel_size stride ceil_mode",
)
def _(call: Call) -> Known:
    window, step, edges, spread = _window(call)
    ceil, how = bool(call.get("ceil_mode", False)), call.name.partition("_")[0]
    if spread == (1, 1) and len(call.shape) == 3 and how != "lp":
        shared = _pair(window), _pair(step), _pair(edges), ceil
        # Without padding there is none to count.
        counts = bool(call.get("count_include_pad", True)) and any(edges)
        return ops.MaxPool2d(*shared) if how == "max" else ops.AvgPool2d(*shared, counts)
    kind = {"max": "MaxPool", "avg": "AvgPool", "lp": "LPPool"}[how]
    dilation = spread if how == "max" else ()
    return Pool(f"{kind}{len(window)}d", window, step, edges, ceil, dilation)


@register_function(
    "max_unpool1d max_unpool2d max_unpool3d",
    arguments="input indices kernel_size stride padding output_size",
)
def _(call: Call) -> Known:
    window, step, edges, _ = _window(call)
    return Unpool(f"MaxUnpool{len(window)}d", window, step, edges, call.output)


@register_function(
    "fractional_max_pool2d fractional_max_pool3d fractional_max_pool2d_with_indices "
    "fractional_max_pool3d_with_indices",
)
def _(call: Call) -> Known:
    axes = _axes(call)
    return AdaptivePool(f"FractionalMaxPool{axes}d", call.output[-axes:])


def _axes(call: Call) -> int:
    """Those that a pool's name says."""
    return int(call.name.partition("pool")[2][0])


def _window(call: Call) -> tuple[Sizes, Sizes, Sizes, Sizes]:
    """A pool's kernel, stride, padding and dilation."""
    kernel = call.bound["kernel_size"]
    defaults = {"stride": kernel, "padding": 0, "dilation": 1}
    settings = [call.get(name, default) or default for name, default in defaults.items()]
    kernel, stride, padding, dilation = (sizes(value, _axes(call)) for value in (kernel, *settings))
    return kernel, stride, padding, dilation


def _pair(numbers: Sizes) -> Pair:
    height, width = numbers
    return height, width


@register_function(
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d "
    "adaptive_max_pool2d adaptive_max_pool3d adaptive_max_pool1d_with_indices "
    "adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices",
    arguments="input output_size",
)
def _(call: Call) -> Known:
    how = "Max" if "max" in call.name else "Avg"
    space, size = call.shape[-_axes(call) :], call.bound["output_size"]
    given = (size,) * len(space) if size is None or isinstance(size, int) else tuple(size)
    # None keeps an axis as it is.
    wanted = tuple(s if want is None else int(want) for want, s in zip(given, space, strict=True))
    if how == "Avg" and wanted == (1, 1) and len(call.shape) == 3:
        return ops.GlobalAvgPool2d()
    return AdaptivePool(f"Adaptive{how}Pool{len(space)}d", wanted)


_REDUCTIONS = (
    "all amax amin aminmax any argmax argmin argsort count_nonzero cummax cummin cumprod cumsum "
    "frobenius_norm kthvalue linalg_vector_norm logcumsumexp logsumexp max mean median min mode "
    "msort nanmean nanmedian nansum nanquantile norm prod quantile sort std std_mean sum topk var "
    "var_mean vector_norm"
)

_DIMS_THIRD = (
    *("kthvalue", "linalg_vector_norm", "nanquantile", "norm", "quantile", "topk", "vector_norm"),
)
"""Functions that take their dimensions behind another argument."""

_LAST = ("sort", "argsort", "topk", "kthvalue", "msort", "median", "mode")
"""Functions that have a dimension of their own where they are given none."""


@register_function(_REDUCTIONS, arguments="input dim keepdim")
def _(call: Call) -> Known:
    if call.name in ("max", "min") and len(call.inputs) == 2:
        return Arithmetic(call.name, call.output, call.params)
    given = call.node.args[2 if call.name in _DIMS_THIRD else 1 :]
    dims: Any = call.node.kwargs.get("dim", given[0] if given else None)
    space = isinstance(dims, (tuple, list)) and sorted(dim % 4 for dim in dims) == [2, 3]
    if call.name == "mean" and call.dims == 4 and len(call.shape) == 3 and space:
        return ops.GlobalAvgPool2d(bool(call.get("keepdim", False)))
    if dims is None and call.name in _LAST and call.output:
        dims = -1
    if dims is None or isinstance(dims, bool) or dims == () or dims == []:
        return Reduce(call.name, call.output)
    return Reduce(call.name, call.output, _over(call, dims))


@register_function("cosine_similarity pairwise_distance", arguments="input other dim")
def _(call: Call) -> Known:
    dim = call.get("dim", 1) if call.name == "cosine_similarity" else -1
    return Reduce(call.name, call.output, _over(call, dim))


@register_function(
    "binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy "
    "ctc_loss gaussian_nll_loss hinge_embedding_loss huber_loss kl_div l1_loss margin_ranking_loss "
    "mse_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss nll_loss "
    "nll_loss2d poisson_nll_loss smooth_l1_loss soft_margin_loss triplet_margin_loss "
    "triplet_margin_with_distance_loss",
)
def _(call: Call) -> Known:
    return Reduce(call.name, call.output)


_TAPS = {"linear": 2, "bilinear": 4, "trilinear": 8, "bicubic": 16}


@register_function(
    "interpolate upsample upsample_nearest upsample_bilinear",
    arguments="input size scale_factor mode align_corners recompute_scale_factor antialias",
)
@register_function(
    "upsample_bilinear2d upsample_bicubic2d upsample_linear1d upsample_trilinear3d",
    arguments="input size align_corners",
)
@register_function(
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_nearest_exact1d "
    "upsample_nearest_exact2d upsample_nearest_exact3d",
)
def _(call: Call) -> Known:
    # In the names of aten's functions, and of those that nn.Upsample* call.
    given = call.name.partition("_")[2].rstrip("123d").replace("_", "-")
    mode = str(call.get("mode", given or "nearest"))
    corners = bool(call.get("align_corners", call.name == "upsample_bilinear"))
    smoothed = " antialiased" if call.get("antialias", False) else ""
    return Interpolate(mode + smoothed, call.output, _TAPS.get(mode, 1), corners)


@register_function("grid_sample grid_sampler", arguments="input grid mode")
def _(call: Call) -> Known:
    return Interpolate("grid", call.output, 2 ** (call.dims - 2))
