"""Torch functions that compute nothing: views, copies to other places, joins, padding.

Rules as in function_rules.py.
"""

from __future__ import annotations

from torch import fx

from resnet_inspect.networks.ops import Flatten, Op, elements
from resnet_inspect.networks.torch_ops import Concat, Dropout, Move, Pad, View
from resnet_inspect.pytorch.trace.calls import Call
from resnet_inspect.pytorch.trace.rules import Known, register_function


@register_function(
    "alias assert clone contiguous cpu cuda data detach double float half lift_fresh "
    "lift_fresh_copy requires_grad to type type_as bfloat16 pin_memory as_subclass",
)
def _(call: Call) -> Known:
    call.inputs = call.inputs[:1]
    return None


@register_function(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout",
    arguments="input p",
)
def _(call: Call) -> Known:
    p = float(call.get("p", 0.5))
    kind = "".join(word.capitalize() for word in call.name.split("_"))  # as torch.nn's class
    return Dropout(kind, p) if p else None


@register_function("flatten", arguments="input start_dim end_dim")
def _(call: Call) -> Known:
    if len(call.shape) == call.dims:
        return _view(call, "flatten")
    shape = call.shape
    first = call.get("start_dim", 0) % call.dims - 1
    last = call.get("end_dim", -1) % call.dims - 1
    if first < 0 or first >= last:
        return None
    if (first, last) == (0, len(shape) - 1):
        return Flatten()
    return View("flatten", (*shape[:first], elements(shape[first : last + 1]), *shape[last + 1 :]))


@register_function("view reshape reshape_as view_as squeeze unsqueeze unflatten ravel unsafe_view")
def _(call: Call) -> Known:
    return _view(call, call.name)


def _view(call: Call, name: str) -> Op | None:
    call.inputs = call.inputs[:1]
    if call.output == call.shape:
        return None
    if len(call.output) == 1 < len(call.shape) and elements(call.shape) == call.output[0]:
        return Flatten()
    return View(name, call.output)


@register_function(
    "permute transpose movedim moveaxis t T mT narrow select slice expand expand_as "
    "broadcast_to diagonal real imag view_as_real view_as_complex",
    arguments="input dims",
)
def _(call: Call) -> Known:
    call.inputs = call.inputs[:1]
    return View("permute" if _keeps_rows(call) else call.name, call.output)


def _keeps_rows(call: Call) -> bool:
    """Whether a permutation of a map of features leaves height before width."""
    if call.name != "permute" or call.dims != 4:
        return False
    given = call.node.args[1:]
    dims = list(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    places = tuple(dim % 4 for dim in dims if isinstance(dim, int))
    return places in {(0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)}


@register_function("getitem", arguments="input index")
def _(call: Call) -> Known:
    index = call.bound.get("index")
    parts = index if isinstance(index, tuple) else (index,)
    moved = any(isinstance(part, (fx.Node, list)) for part in parts)
    call.inputs = call.inputs[:1]
    if moved:
        return Move("index", call.output)
    return None if call.output == call.shape else View("slice", call.output)


NEW = {
    *("empty_like", "full_like", "new_empty", "new_full", "new_ones", "new_tensor", "new_zeros"),
    *("ones_like", "rand_like", "randn_like", "zeros_like"),
}
"""Functions that take their input's shape or type, and nothing of what it holds."""

SPLITS = ("chunk", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_chunk")
"""Functions that give several views of their input."""


@register_function(
    "channel_shuffle flip fold gather im2col col2im index index_select native_channel_shuffle "
    "pixel_shuffle pixel_unshuffle repeat repeat_interleave roll rot90 stack take tile tril "
    "triu unfold",
)
def _(call: Call) -> Known:
    return Move(call.name, call.output, call.params)


@register_function("cat", arguments="tensors dim")
def _(call: Call) -> Known:
    dim = call.get("dim", 0) % call.dims
    batched = call.dims - len(call.shape)
    if call.constants or dim < batched or len({len(shape) for shape in call.shapes}) > 1:
        # Tokens before a sequence, samples one behind the other.
        return Move("cat", call.output, call.params)
    return Concat(dim - batched)


@register_function(
    "pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d "
    "replication_pad2d replication_pad3d",
    arguments="input pad mode",
)
def _(call: Call) -> Known:
    pads = tuple(int(side) for side in call.bound["pad"])
    if not any(pads):
        return None
    given = call.get("mode", "constant")
    mode = given if isinstance(given, str) else "constant"
    kinds = {"reflection": "reflect", "replication": "replicate"}
    return Pad(pads, kinds.get(call.name.partition("_")[0], mode))


@register_function("copy", arguments="input src")
def _(call: Call) -> Known:
    source = call.bound["src"]
    if source not in call.inputs:
        return Move("copy", call.output, call.params)
    call.inputs = [source]
    return None if call.shape == call.output else Move("copy", call.output, call.params)


@register_function(
    "setitem write index_add index_copy index_fill index_put masked_scatter put scatter "
    "scatter_add scatter_reduce as_strided_scatter diagonal_scatter select_scatter slice_scatter",
)
def _(call: Call) -> Known:
    return Move("write", call.output, call.params)
