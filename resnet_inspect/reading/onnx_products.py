"""ONNX operators that multiply and accumulate -> ops. Rules as in onnx_ops.py."""

from __future__ import annotations

from dataclasses import fields, replace
from math import prod

from resnet_inspect.networks import ops
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.torch_ops import Attention, Conv, ConvTranspose, MatMul, Opaque
from resnet_inspect.reading.onnx_calls import Call, Known, rule
from resnet_inspect.reading.onnx_windows import edges, per_axis

QUANTIZED = {"QLinearConv": (0, 3, 8), "QLinearMatMul": (0, 3)}
"""Where quantized operators have their input, their weights and bias."""


@rule("Conv FusedConv ConvInteger QLinearConv")
def _(call: Call) -> Known:
    entering, at, biased = QUANTIZED.get(call.kind, (0, 1, 2))
    weight = call.inputs[at]
    bias = call.kind != "ConvInteger" and len(call.inputs) > biased and call.inputs[biased]
    if weight is None or not weight.dims or call.inputs[entering] is None:
        raise ValueError("no kernel")
    out, inside, *kernel = weight.dims
    groups, axes = call.get("group", 1), len(kernel)
    if weight.source is not None:  # a kernel that the network computes
        macs = prod(weight.dims) * elements(call.output[1:])
        return Opaque("Conv", call.output, call.params, macs=macs)
    stride, dilation = per_axis(call, axes)
    conv = Conv(
        inside * groups, out, tuple(kernel), stride, (0,) * axes, groups, bool(bias), dilation
    )
    padding, ahead = edges(call, conv.reach, stride)
    conv = replace(conv, padding=padding)
    if (call.params, call.buffers) != (conv.params, 0):
        conv = replace(conv, made_of=(call.params, call.buffers))
    elif axes == 2:
        return *ahead, ops.Conv2d(*(getattr(conv, each.name) for each in fields(ops.Conv2d)))
    return *ahead, conv


@rule("ConvTranspose")
def _(call: Call) -> Known:
    weight = call.constant(1)
    if weight is None or not weight.dims:
        raise ValueError("a kernel that the network computes")
    inside, out, *kernel = weight.dims
    groups, axes = call.get("group", 1), len(kernel)
    stride, dilation = per_axis(call, axes)
    more = tuple(call.get("output_padding", (0,) * axes))
    padding, extra = [], []
    sizes = zip(call.shape[1:], call.output[1:], kernel, stride, dilation, more, strict=True)
    for size, given, taps, step, spread, beyond in sizes:
        # What is cut off both sides together, whichever of pads, auto_pad, output_shape says so.
        cut = (size - 1) * step + spread * (taps - 1) + 1 + beyond - given
        padding.append(max(0, -(-cut // 2)))
        extra.append(beyond + 2 * padding[-1] - cut)
    op = ConvTranspose(
        inside,
        out * groups,
        tuple(kernel),
        stride,
        tuple(padding),
        groups,
        len(call.inputs) > 2,
        dilation,
        tuple(extra),
    )
    if op.params != call.params:
        macs = op.weights * elements(call.shape[1:])
        return Opaque("ConvTranspose", call.output, call.params, macs=macs)
    return op


@rule("Gemm")
def _(call: Call) -> Known:
    weight = call.constant(1)
    first = call.inputs[0]
    if first is None or not first.dims:
        raise ValueError("no matrix")
    inside = first.dims[0 if call.get("transA") else 1]
    if first.source is None or weight is None or not weight.dims or call.get("transA"):
        return Opaque("Gemm", call.output, call.params, macs=elements(call.output) * inside)
    outside = weight.dims[0 if call.get("transB") else 1]
    return _linear(call, inside, outside, call.constant(2) is not None)


def _linear(call: Call, inside: int, outside: int, bias: bool) -> Op:
    op = ops.Linear(inside, outside, bias)
    if (call.params, call.buffers) == (op.params, 0) and len(call.feeds) == 1:
        return op
    # Its weight is made of other tensors.
    return Opaque("Linear", call.output, call.params, call.buffers, elements(call.output) * inside)


@rule("MatMul MatMulInteger QLinearMatMul")
def _(call: Call) -> Known:
    at = QUANTIZED.get(call.kind, (0, 1))
    left, right = call.inputs[at[0]], call.inputs[at[1]]
    if left is None or right is None or not left.dims or not right.dims:
        raise ValueError("no matrix")
    if left.source is not None and right.source is not None:
        return MatMul(call.output)
    if right.source is None and len(right.dims) == 2:
        return _linear(call, *right.dims, bias=False)
    macs = elements(call.output) * left.dims[-1]
    return Opaque("MatMul", call.output, call.params, call.buffers, macs)


@rule("Einsum")
def _(call: Call) -> Known:
    """As many multiply-accumulates as there are index values in all, of one sample."""
    indices = call.get("equation").replace(" ", "").partition("->")[0].split(",")
    operands = [value.dims for value in call.inputs if value is not None and value.dims]
    if len(operands) != 2 or "." in call.get("equation"):
        raise ValueError("einsum")
    sizes: dict[str, int] = {}
    for letters, dims in zip(indices, operands, strict=True):
        sizes.update(zip(letters, dims, strict=True))
    return Opaque("Einsum", call.output, call.params, macs=prod(sizes.values()) // call.batch)


@rule("Attention")
def _(call: Call) -> Known:
    if len(call.feeds) < 3:
        raise ValueError("attention to constants")
    return Attention(call.output)


_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}

RECURRENT = frozenset(_GATES)
"""Operators that take a sequence: (steps, batch, features)."""


@rule(" ".join(_GATES))
def _(call: Call) -> Known:
    """Each step multiplies its input and its state by a matrix for each gate."""
    entering, matrix = call.inputs[0], call.inputs[1]
    if entering is None or not entering.dims or matrix is None or not matrix.dims:
        raise ValueError("no sequence")
    directions, rows, features = matrix.dims
    steps = entering.dims[1 if call.get("layout") else 0]
    macs = directions * steps * rows * (features + rows // _GATES[call.kind])
    return Opaque(call.kind, call.output, call.params, call.buffers, macs)
