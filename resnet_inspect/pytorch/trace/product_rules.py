"""Torch functions that multiply and accumulate: convolutions, linear layers, matrix products,
attention, recurrent layers.

Rules as in function_rules.py. Their multiply-accumulates are those that torch's FlopCounterMode
counts: a product with a single vector is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.utils._pytree import tree_leaves

from resnet_inspect.networks import ops
from resnet_inspect.networks.shapes import Pair, Shape, elements
from resnet_inspect.networks.torch_ops import (
    Arithmetic,
    Attention,
    Conv,
    ConvTranspose,
    MatMul,
    Product,
    Reduce,
    Sizes,
)
from resnet_inspect.pytorch.trace.calls import Call
from resnet_inspect.pytorch.trace.rules import Known, convolution, register_function, sizes

# --- convolutions and linear layers --------------------------------------------------------------


@register_function(
    "conv1d conv2d conv3d",
    arguments="input weight bias stride padding dilation groups",
)
@register_function(
    "convolution",
    arguments="input weight bias stride padding dilation transposed output_padding groups",
)
def _(call: Call) -> Known:
    if call.get("transposed", False):
        return _transposed(call)
    weight = _shape_of(call, "weight")
    axes, padding = len(weight) - 2, call.get("padding", 0)
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
    return convolution(conv, padding, call.shape, (call.params, call.buffers))


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
def _transposed(call: Call) -> Known:
    weight = _shape_of(call, "weight")
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
    return _product(call, "Linear", (elements(call.output), inside))


# --- matrix products -----------------------------------------------------------------------------


def _product(call: Call, kind: str, *terms: Sizes) -> Product:
    return Product(kind, call.output, terms, call.params)


@register_function("matmul mm bmm", arguments="input other")
def _(call: Call) -> Known:
    left, right = _shape_of(call, "input"), _shape_of(call, "other")
    if len(right) == 1:
        return _product(call, "MatMul")
    if len(call.inputs) == 2 and len(left) > 1:
        return MatMul(call.output)
    if call.constant("other") is not None and len(right) == 2:
        return _linear(call, *right, bias=False)
    return _product(call, "MatMul", (elements(call.output), left[-1]))


@register_function("baddbmm", arguments="bias input other")
def _(call: Call) -> Known:
    return _product(call, "Baddbmm", (elements(call.output), _shape_of(call, "input")[-1]))


@register_function(
    "addbmm addmv addr bilinear dot ger kron mv outer vdot vecdot linalg_vecdot cdist"
)
def _(call: Call) -> Known:
    return _product(call, call.name.capitalize())


@register_function("inner tensordot", arguments="input other dims")
def _(call: Call) -> Known:
    left, right = _shape_of(call, "input"), _shape_of(call, "other")
    if call.name == "inner":
        inside = left[-1] if len(left) > 1 or len(right) > 1 else 0
    else:
        dims = call.get("dims", 2)
        summed = range(-dims, 0) if isinstance(dims, int) else dims[0]
        inside = elements(left[dim] for dim in summed)
    return _product(call, call.name.capitalize(), (elements(call.output), inside))


@register_function("einsum")
def _(call: Call) -> Known:
    """Two tensors are multiplied as matrices, in torch's Linear.cpp: indices of both that are left
    make a batch, those that are not left are summed over. Where none is, nothing accumulates."""
    equation, *operands = tree_leaves(call.node.args)
    given, _, kept = equation.replace(" ", "").partition("->")
    shapes = [tuple(node.meta["val"].shape) for node in operands]
    named = [_named(*pair) for pair in zip(given.split(","), shapes, strict=True)]
    if "->" not in equation:  # indices that stand once
        letters = "".join(given.replace(".", "").split(","))
        kept = "..." + "".join(letter for letter in letters if letters.count(letter) == 1)
    if any(len(one) != len(shape) for one, shape in zip(named, shapes, strict=True)):
        raise ValueError("a diagonal")
    if len(named) > 2:
        raise ValueError("the order of the products is torch's")
    named = [{x: n for x, n in one.items() if str(x) in kept or n > 1} for one in named]
    summed = {x for one in named for x in one if isinstance(x, str) and x not in kept}
    if len(named) == 1:
        return Reduce("sum", call.output)
    left, right = named
    if not summed:
        return Arithmetic("mul", call.output, call.params)
    both, either = summed & left.keys() & right.keys(), left | right
    term = [max(either[x], left.get(x, 1)) for x in either if x in both or x not in summed]
    return _product(call, "Einsum", *([tuple(term)] if both else []))


def _named(letters: str, shape: Shape) -> dict[str | int, int]:
    """Sizes by their indices; what '...' stands for is numbered from the last on."""
    before, dots, after = letters.partition("...")
    more = len(shape) - len(before) - len(after)
    names = [*before, *(range(-more, 0) if dots else ()), *after]
    return dict(zip(names, shape, strict=True))


# --- attention -----------------------------------------------------------------------------------


@register_function("scaled_dot_product_attention", arguments="query key value")
def _(call: Call) -> Known:
    query, key, value = (_shape_of(call, name) for name in ("query", "key", "value"))
    if len(call.inputs) == 3:
        return Attention(call.output)
    scores = elements(query[:-1]) * key[-2]
    return _product(call, "Attention", (scores, query[-1] + value[-1]))


def attention_terms(shapes: Sequence[Pair], more: int, batch: int) -> tuple[Sizes, ...]:
    """Projections in, attention, projection out (Vaswani et al. 2017, section 3.2.2).

    shapes: (length, features) of queries, keys and values. more: keys and values that are learned,
    or zeros.
    """
    (length, width), (seen, key_width), (_, value_width) = shapes
    return (
        (batch, length, width, width),
        (batch, seen, width, key_width),
        (batch, seen, width, value_width),
        (batch, length, seen + more, width),
        (batch, length, seen + more, width),
        (batch, length, width, width),
    )


_ATTENTION = (
    "query key value embed_dim num_heads in_proj_weight in_proj_bias bias_k bias_v add_zero_attn"
)


@register_function("multi_head_attention_forward", arguments=_ATTENTION)
def _(call: Call) -> Known:
    given = [_shape_of(call, name) for name in ("query", "key", "value")]
    batch = given[0][1] if len(given[0]) == 3 else 1
    shapes = [(shape[0], shape[-1]) for shape in given]
    more = (call.get("bias_k") is not None) + bool(call.get("add_zero_attn"))
    terms = attention_terms(shapes, more, batch)
    return _product(call, "MultiheadAttention", *terms)


# --- recurrent layers ----------------------------------------------------------------------------

_RECURRENT = {
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn_tanh": "RNN",
    "rnn_relu": "RNN",
    "lstm_cell": "LSTMCell",
    "gru_cell": "GRUCell",
    "rnn_tanh_cell": "RNNCell",
    "rnn_relu_cell": "RNNCell",
}


@register_function(" ".join(_RECURRENT))
def _(call: Call) -> Known:
    """Every matrix of weights is applied in every step: for an LSTM gates x hidden x (input +
    hidden) in each layer and direction (Hochreiter & Schmidhuber 1997)."""
    matrices = [c.shape for c in call.constants.values() if c.params and len(c.shape) == 2]
    steps = elements(_shape_of(call, "input")[:-1])
    terms = [(steps, *shape) for shape in matrices]
    return _product(call, _RECURRENT[call.name], *terms)
