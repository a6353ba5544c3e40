"""ONNX operators -> ops, by operator name.

A rule takes the call and returns an op, several in a row, or None for what returns its input. For a
call that it cannot read it raises ValueError, which makes the call an Opaque layer, as an operator
without a rule is. Source: the operator's page in ONNX's documentation (Operators.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from resnet_inspect.networks import ops
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.shapes import Pair, elements, is_gate
from resnet_inspect.networks.torch_ops import (
    AdaptivePool,
    Arithmetic,
    BatchNorm,
    Concat,
    Function,
    GroupNorm,
    Interpolate,
    LayerNorm,
    Move,
    Opaque,
    Pad,
    Pool,
    Reduce,
    Sizes,
    View,
)
from resnet_inspect.reading.onnx_calls import Call, Known, rule
from resnet_inspect.reading.onnx_products import RECURRENT
from resnet_inspect.reading.onnx_values import Value, without
from resnet_inspect.reading.onnx_windows import edges, per_axis


def _pairs(text: str) -> dict[str, str]:
    """{'Abs': 'abs'} from 'Abs:abs'."""
    return dict(pair.split(":") for pair in text.split())


# --- arithmetic and activations ------------------------------------------------------------------

_ARITHMETIC = _pairs(
    "Abs:abs Add:add And:logical_and Ceil:ceil Cos:cos DequantizeLinear:dequantize Div:div "
    "DynamicQuantizeLinear:quantize Equal:eq Erf:erf Exp:exp Floor:floor Greater:gt "
    "GreaterOrEqual:ge Less:lt LessOrEqual:le Log:log LpNormalization:normalize Max:maximum "
    "Mean:mean Min:minimum Mod:remainder Mul:mul Neg:neg Not:logical_not Or:logical_or Pow:pow "
    "QLinearAdd:add QuantizeLinear:quantize Reciprocal:reciprocal Round:round Sign:sign Sin:sin "
    "Softsign:softsign Sqrt:sqrt Sub:sub Sum:add Where:where"
)
"""Elementwise operators, and torch's names of them."""


@rule(" ".join(_ARITHMETIC))
def _(call: Call) -> Known:
    shapes, function = call.shapes, _ARITHMETIC[call.kind]
    if len(shapes) == 2 and not call.params:
        if function == "add" and shapes[0] == shapes[1]:
            return ops.Add(inplace=False)
        if function == "mul":
            if is_gate(shapes[0], shapes[1]):
                call.inputs.reverse()  # the gate may come first
            if is_gate(*call.shapes[::-1]):
                return ops.Scale()
    return Arithmetic(function, call.output, call.params)


_ACTIVATIONS: dict[str, Op] = {
    **dict.fromkeys(("FastGelu", "Gelu", "QuickGelu"), ops.GELU()),
    "Celu": Function("CELU"),
    "HardSigmoid": Function("Hardsigmoid"),
    "HardSwish": ops.Hardswish(),
    "Mish": ops.Mish(),
    "Relu": ops.ReLU(inplace=False),
    "Selu": Function("SELU"),
    "Shrink": Function("Hardshrink"),
    "Sigmoid": ops.Sigmoid(),
    "Softplus": Function("Softplus"),
    "Swish": ops.SiLU(),
    "Tanh": Function("Tanh"),
    "ThresholdedRelu": Function("Threshold"),
}


@rule(" ".join(_ACTIVATIONS))
def _(call: Call) -> Known:
    return _ACTIVATIONS[call.kind]


_OVER_AN_AXIS = ("Hardmax", "LogSoftmax", "Softmax")


@rule(" ".join(_OVER_AN_AXIS))
def _(call: Call) -> Known:
    return Function(call.kind, over=_unbatched(call, {call.axis(-1)}))


def _unbatched(call: Call, axes: Iterable[int]) -> Sizes:
    """Axes of ours among those of a sample."""
    batched = len(call.axes) - len(call.shape)
    return tuple(sorted(axis - batched for axis in axes if axis >= batched))


@rule("PRelu")
def _(call: Call) -> Known:
    return Function("PReLU", call.params)


@rule("Elu LeakyRelu")
def _(call: Call) -> Known:
    kind, usual = (ops.ELU, 1.0) if call.kind == "Elu" else (ops.LeakyReLU, 0.01)
    return kind(round(call.get("alpha", usual), 7), inplace=False)  # the file has 32 bits


@rule("Clip")
def _(call: Call) -> Known:
    limits = [call.numbers(place, name) for place, name in ((1, "min"), (2, "max"))]
    return ops.ReLU6() if limits == [(0,), (6,)] else Function("Hardtanh")


_SAME = ("Identity", "Cast", "CastLike", "Dropout")


@rule(" ".join(_SAME))
def _(call: Call) -> Known:
    return None


ELEMENTWISE = frozenset(
    {*_ARITHMETIC, *_ACTIVATIONS, *_OVER_AN_AXIS, *_SAME, "Clip", "Elu", "LeakyRelu"}
)
"""Operators that take each element by itself, or leave it as it is."""


# --- normalization -------------------------------------------------------------------------------


@rule("BatchNormalization")
def _(call: Call) -> Known:
    channels, axes = call.shape[0], max(1, len(call.shape) - 1)
    if axes == 2 and (call.params, call.buffers) == (2 * channels, 2 * channels):
        return ops.BatchNorm2d(channels)
    return BatchNorm(f"BatchNorm{axes}d", channels, call.params, call.buffers)


@rule("InstanceNormalization MeanVarianceNormalization")
def _(call: Call) -> Known:
    channels = call.shape[0]
    kind = f"InstanceNorm{len(call.shape) - 1}d"
    return GroupNorm(channels, channels, call.params > 0, kind)


@rule("GroupNormalization")
def _(call: Call) -> Known:
    return GroupNorm(call.get("num_groups"), call.shape[0], call.params > 0)


@rule("LayerNormalization RMSNormalization SimplifiedLayerNormalization")
def _(call: Call) -> Known:
    kind = "LayerNorm" if call.kind == "LayerNormalization" else "RMSNorm"
    first = call.get("axis", -1) % len(call.axes)
    return LayerNorm(call.shape[max(0, first - 1) :], call.params, kind)


# --- pools and resampling ------------------------------------------------------------------------


@rule("MaxPool AveragePool")
def _(call: Call) -> Known:
    kernel = tuple(call.get("kernel_shape"))
    stride, dilation = per_axis(call, len(kernel))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    padding, ahead = edges(call, reach, stride)
    ceil, plain = bool(call.get("ceil_mode")), set(dilation) == {1}
    how = call.kind[:3]
    if len(kernel) != 2 or not plain:
        kind = f"{how.capitalize()}Pool{len(kernel)}d".replace("Ave", "Avg")
        return *ahead, Pool(kind, kernel, stride, padding, ceil, () if plain else dilation)
    window, step, sides = (_pair(numbers) for numbers in (kernel, stride, padding))
    if how == "Max":
        return *ahead, ops.MaxPool2d(window, step, sides, ceil)
    counts = bool(call.get("count_include_pad")) and any(padding)
    return *ahead, ops.AvgPool2d(window, step, sides, ceil, counts)


def _pair(numbers: Sizes) -> Pair:
    height, width = numbers
    return height, width


@rule("GlobalAveragePool GlobalMaxPool QLinearGlobalAveragePool")
def _(call: Call) -> Known:
    axes = len(call.shape) - 1
    if "Max" not in call.kind and axes == 2:
        return ops.GlobalAvgPool2d()
    how = "Max" if "Max" in call.kind else "Avg"
    return AdaptivePool(f"Adaptive{how}Pool{axes}d", (1,) * axes)


_REDUCTIONS = _pairs(
    "ArgMax:argmax ArgMin:argmin CumSum:cumsum ReduceL1:norm ReduceL2:norm "
    "ReduceLogSum:logsumexp ReduceLogSumExp:logsumexp ReduceMax:amax ReduceMean:mean "
    "ReduceMin:amin ReduceProd:prod ReduceSum:sum ReduceSumSquare:norm"
)


@rule(" ".join(_REDUCTIONS))
def _(call: Call) -> Known:
    over = {call.axes[axis] for axis in reduced(call)}
    if call.kind == "ReduceMean" and len(call.axes) == 4 and over == {2, 3}:
        return ops.GlobalAvgPool2d(bool(call.get("keepdims", 1)))
    return Reduce(_REDUCTIONS[call.kind], call.output, _unbatched(call, over))


def reduced(call: Call) -> tuple[int, ...]:
    """The file's axes that a reduction goes over, or a squeeze takes away."""
    rank = len(call.axes)
    if call.kind.startswith("Arg"):
        return (call.get("axis", 0) % rank,)
    given = call.numbers(1, "axes")
    dims = call.feeds[0].dims or ()
    if given is None and call.kind == "Squeeze":
        return tuple(axis for axis, size in enumerate(dims) if size == 1)
    return tuple(range(rank)) if not given else tuple(int(axis) % rank for axis in given)


@rule("Resize Upsample")
def _(call: Call) -> Known:
    axes = sum(one != other for one, other in zip(call.shape[1:], call.output[1:], strict=True))
    mode = call.get("mode", "nearest")
    if mode == "nearest":
        return Interpolate(mode, call.output)
    names = {"linear": ("linear", "bilinear", "trilinear"), "cubic": ("cubic", "bicubic")}
    called = names[mode][min(max(axes, 1), len(names[mode])) - 1]
    return Interpolate(called, call.output, (2 if mode == "linear" else 4) ** max(axes, 1))


@rule("GridSample RoiAlign")
def _(call: Call) -> Known:
    return Interpolate("bilinear", call.output, 4)


# --- what computes nothing -----------------------------------------------------------------------


@rule("Reshape Flatten Squeeze Unsqueeze Expand")
def _(call: Call) -> Known:
    if call.output == call.shape:
        return None
    if len(call.output) == 1 < len(call.shape) and elements(call.shape) == call.output[0]:
        return ops.Flatten()
    return View(call.kind.lower(), call.output)


@rule("Slice")
def _(call: Call) -> Known:
    return None if call.output == call.shape else View("slice", call.output)


@rule("Split")
def _(call: Call) -> Known:
    along_channels = call.shape[1:] == call.output[1:]
    return View("chunk" if along_channels else "split", call.output)


@rule("Concat")
def _(call: Call) -> Known:
    axis = call.axis()
    batched = len(call.axes) - len(call.shape)
    constant = len(call.feeds) < len(call.inputs)
    if constant or axis < batched or len({len(shape) for shape in call.shapes}) > 1:
        return Move("cat", call.output, call.params)
    return Concat(axis - batched)


@rule("Pad")
def _(call: Call) -> Known:
    pads = call.numbers(1, "pads") or call.numbers(1, "paddings")
    if pads is None or call.numbers(3, "axes") is not None:
        raise ValueError("padding that the network computes")
    rank = len(call.axes)
    # Ours begin behind the batch, and the last axis comes first.
    by_axis = {call.axes[at]: (int(pads[at]), int(pads[at + rank])) for at in range(rank)}
    sides = [side for axis in sorted(by_axis)[:0:-1] for side in by_axis[axis]]
    while sides and not any(sides[-2:]):
        del sides[-2:]
    if any(by_axis[0]):
        return Move("pad", call.output, call.params)
    return Pad(tuple(sides), call.get("mode", "constant")) if sides else None


@rule("Gather")
def _(call: Call) -> Known:
    if call.constant(0) is not None:
        return Opaque("Embedding", call.output, call.params, call.buffers, macs=0)
    place = call.constant(1)
    single = place is not None and place.dims == ()
    return View("select", call.output) if single else Move("index", call.output)


_MOVES = _pairs(
    "BitShift:shift CenterCropPad:pad Col2Im:fold Compress:index DepthToSpace:pixel_shuffle "
    "EyeLike:eye GatherElements:gather GatherND:index OneHot:one_hot ReverseSequence:flip "
    "Scatter:scatter ScatterElements:scatter ScatterND:index_put SpaceToDepth:pixel_unshuffle "
    "Tile:repeat TopK:topk Trilu:tril"
)


@rule(" ".join(_MOVES))
def _(call: Call) -> Known:
    return Move(_MOVES[call.kind], call.output, call.params)


@rule("LRN LpPool GlobalLpPool")
def _(call: Call) -> Known:
    """No multiply-accumulates; what else they take has no term of its own."""
    return Opaque(call.kind, call.output, macs=0)


# --- layouts -------------------------------------------------------------------------------------

REDUCTIONS = frozenset(_REDUCTIONS)

ANY_ORDER = frozenset({*ELEMENTWISE, *_REDUCTIONS, "Concat", "Pad", "Resize", "Split", "Squeeze"})
"""Operators that are read whatever the order of the axes."""

ALONG_LAST = frozenset({"MatMul", "LayerNormalization", "RMSNormalization"})
"""Operators that work along the last axis, wherever the others are."""

SAME_SHAPE = frozenset({"FastGelu", "Gelu", "QuickGelu"})
"""Operators of ONNX Runtime that give the shape that they take."""

MICROSOFT = SAME_SHAPE | {"FusedConv", "QLinearAdd", "QLinearGlobalAveragePool"}
"""Operators of ONNX Runtime that have rules."""


def given_order(call: Call, order: Sizes, output: Value) -> Sizes:
    """The order of what an operator gives that takes an input in this order."""
    if call.kind in RECURRENT:  # (steps, directions, batch, features), without steps for the state
        return (1, 2, 0, 3) if len(output.dims or ()) == 4 else (1, 0, 2)
    drops = call.kind == "Squeeze" or (call.kind in REDUCTIONS and not call.get("keepdims", 1))
    return without(order, reduced(call)) if drops else order
