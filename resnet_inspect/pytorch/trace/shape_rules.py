"""Torch functions that compute nothing: views, copies to other places, joins, padding.

Rules as in function_rules.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.utils._pytree import tree_leaves

from resnet_inspect.networks.ops import Flatten, Op
from resnet_inspect.networks.shapes import Shape, elements
from resnet_inspect.networks.torch_ops import Concat, Dropout, Move, Pad, Sizes, View
from resnet_inspect.pytorch.trace.calls import Call, first_tensor, sample_shape
from resnet_inspect.pytorch.trace.rules import Known, register_function


@register_function(
    "alias assert cpu cuda data detach double float half lift_fresh "
    "lift_fresh_copy requires_grad to type type_as bfloat16 pin_memory as_subclass",
)
def _(call: Call) -> Known:
    call.inputs = call.inputs[:1]
    return None


@register_function("clone contiguous")
def _(call: Call) -> Known:
    call.inputs = call.inputs[:1]
    seen, made = (first_tensor(node.meta["val"]) for node in (call.inputs[0], call.node))
    if call.name == "contiguous" and seen.stride() == made.stride():
        return None
    same = tuple((dim, 0, 1) for dim in range(len(call.output)))
    return View(call.name, call.output, same, copies=True)


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
        return _view(call)
    shape = call.shape
    first = call.get("start_dim", 0) % call.dims - 1
    last = call.get("end_dim", -1) % call.dims - 1
    if first < 0 or first >= last:
        return None
    output = (*shape[:first], elements(shape[first : last + 1]), *shape[last + 1 :])
    return _shaped(call, output)


@register_function("view reshape reshape_as view_as squeeze unsqueeze unflatten ravel unsafe_view")
def _view(call: Call) -> Known:
    call.inputs = call.inputs[:1]
    return None if call.output == call.shape else _shaped(call, call.output)


def _shaped(call: Call, output: Shape) -> Op:
    """The input in another shape."""
    seen, wanted = (first_tensor(node.meta["val"]) for node in (call.inputs[0], call.node))
    copies = False
    if not seen.is_contiguous():
        try:
            torch.empty_strided(seen.shape, seen.stride(), device="meta").view(wanted.shape)
        except RuntimeError:
            copies = True  # torch's reshape does so where there is no view
    if not copies and len(output) == 1 < len(call.shape) and elements(call.shape) == output[0]:
        return Flatten()
    return View(call.name, output, copies=copies)


@register_function(
    "permute transpose movedim moveaxis adjoint t T mT H mH narrow select slice expand expand_as "
    "broadcast_to diagonal real imag view_as_real view_as_complex",
    arguments="input dims",
)
def _(call: Call) -> Known:
    call.inputs = call.inputs[:1]
    return View(call.name, call.output, places(call.node, call.inputs[0]))


Places = tuple[tuple[int, int, int], ...]


def places(node: fx.Node, source: fx.Node, part: Any = None) -> Places:
    """Where each dimension of a view's source went (View.places), or () where that is not so.

    The function is shown a tensor along one dimension at a time, of stride 1 there and 0 elsewhere:
    the strides and the offset of what it gives tell.
    """
    seen = first_tensor(source.meta["val"])
    given = node.args, node.kwargs
    if any(leaf is not source and isinstance(leaf, fx.Node) for leaf in tree_leaves(given)):
        return ()
    rank, found = seen.dim(), []
    outside = rank - len(sample_shape(seen))
    for dim in range(outside, rank):
        line = torch.empty(seen.shape[dim], device="meta")
        line = line[(...,) + (None,) * (rank - 1 - dim)].expand(seen.shape)
        args, kwargs = fx.map_arg(given, {source: line}.__getitem__)
        try:
            made = node.target(*args, **kwargs)  # type: ignore[operator]
            view = made if part is None else made[part]
        except (RuntimeError, TypeError):
            return ()  # of another dtype, such as complex
        steps = view.stride()
        moving = [at for at, size in enumerate(view.shape) if size > 1 and steps[at]]
        if len(moving) > 1:
            return ()
        into = moving[0] - (view.dim() - len(sample_shape(view))) if moving else -1
        found.append((into, int(view.storage_offset()), steps[moving[0]] if moving else 1))
    return tuple(found)


@register_function("getitem", arguments="input index")
def _(call: Call) -> Known:
    index = call.bound.get("index")
    parts = index if isinstance(index, tuple) else (index,)
    moved = [at for at, part in enumerate(parts) if isinstance(part, (fx.Node, list))]
    call.inputs = call.inputs[:1]
    if moved:
        place = moved[0] - (call.dims - len(call.shape))
        alone = all(isinstance(part, slice) for part in parts if part is not parts[moved[0]])
        return Move("index", call.output, over=(place,) if alone and place >= 0 else ())
    if call.output == call.shape:
        return None
    return View("slice", call.output, places(call.node, call.inputs[0]))


NEW = {
    *("empty_like", "full_like", "new_empty", "new_full", "new_ones", "new_tensor", "new_zeros"),
    *("ones_like", "rand_like", "randn_like", "zeros_like"),
}
"""Functions that take their input's shape or type, and nothing of what it holds."""

SPLITS = ("chunk", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_chunk")
"""Functions that give several views of their input."""


_ALONG_THE_SECOND = "repeat_interleave roll rot90 take_along_dim"


@register_function("flip gather index_select", arguments="input dim")
@register_function(_ALONG_THE_SECOND, arguments="input given dim")
@register_function("stack", arguments="tensors dim")
def _(call: Call) -> Known:
    dims = call.get("dim", call.get("dims", () if call.name != "stack" else 0))
    rank = call.dims + (call.name == "stack")
    batched = call.dims - len(call.shape)
    given = [dims] if isinstance(dims, int) else dims
    over = tuple(sorted(dim % rank - batched for dim in given))
    return Move(call.name, call.output, call.params, () if -1 in over else over)


@register_function(
    "block_diag col2im column_stack diag diag_embed diagflat dstack embedding "
    "embedding_bag fft_fftshift fft_ifftshift fliplr flipud fold hstack im2col index "
    "one_hot pixel_shuffle pixel_unshuffle repeat row_stack "
    "take tile tril triu unfold vstack",
)
def _(call: Call) -> Known:
    return Move(call.name, call.output, call.params)


@register_function("channel_shuffle native_channel_shuffle")
def _(call: Call) -> Known:
    return Move(call.name, call.output, over=(0,))


@register_function("cat", arguments="tensors dim")
def _(call: Call) -> Known:
    dim = call.get("dim", 0) % call.dims
    batched = call.dims - len(call.shape)
    if dim < batched or len({len(shape) for shape in call.shapes}) > 1:
        return Move("cat", call.output, call.params)  # samples one behind the other
    if call.constants:  # tokens before a sequence
        return Move("cat", call.output, call.params, over=(dim - batched,))
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
    over_it = call.inplace or call.name in ("setitem", "write")
    there = call.inputs[0] is call.node.args[0]  # not memory that is made of constants
    over = _indexed(call) if call.name == "setitem" else ()
    return Move("write", call.output, call.params, over, inplace=over_it and there)


def _indexed(call: Call) -> Sizes:
    """The dimensions of which x[..] = y writes a part, if all others are written whole."""
    target, index = call.node.args[:2]
    parts = index if isinstance(index, tuple) else (index,)
    if not all(isinstance(part, slice) for part in parts) or not isinstance(target, fx.Node):
        return ()
    batched = first_tensor(target.meta["val"]).dim() - len(call.output)
    places = [at - batched for at, part in enumerate(parts) if part != slice(None)]
    return tuple(places) if places and places[0] >= 0 else ()
