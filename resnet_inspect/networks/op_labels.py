"""What an op is called: in a table, in a diagram, in a legend."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from resnet_inspect.networks.ops import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    Op,
    Pair,
    Pool2d,
    Scale,
    ZeroPad,
    show_shape,
)


def show_dims(sizes: Iterable[int]) -> str:
    """Sizes in type: 64×56×56."""
    return "×".join(map(str, sizes))


@singledispatch
def caption(op: Op) -> str:
    """An op as a figure of a paper has it: 3×3 conv, 64, /2."""
    kernel, channels = getattr(op, "kernel", None), getattr(op, "out_channels", None)
    if kernel and channels:  # a convolution of another kind
        return (
            f"{show_dims(kernel)} {op.kind}, {channels}{_comma_step(getattr(op, 'stride', (1, 1)))}"
        )
    return op.kind


@caption.register
def _(op: Conv2d) -> str:
    extra = "" if op.groups == 1 else f", {op.groups} groups"
    extra += "" if op.dilation == (1, 1) else f", dilation {show_dims(op.dilation)}"
    return f"{show_dims(op.kernel)} conv, {op.out_channels}{extra}{_comma_step(op.stride)}"


@caption.register
def _(op: MaxPool2d) -> str:
    return f"{show_dims(op.kernel)} max pool{_comma_step(op.stride)}"


@caption.register
def _(op: AvgPool2d) -> str:
    return f"{show_dims(op.kernel)} average pool{_comma_step(op.stride)}"


@caption.register
def _(op: GlobalAvgPool2d) -> str:
    return "global average pool"


@caption.register
def _(op: Linear) -> str:
    return f"linear, {op.out_features}"


@caption.register
def _(op: BatchNorm2d) -> str:
    return "batch norm"


@caption.register
def _(op: Flatten) -> str:
    return "flatten"


@caption.register
def _(op: Add) -> str:
    return "+"


@caption.register
def _(op: Scale) -> str:
    return "×"


@caption.register
def _(op: ZeroPad) -> str:
    return f"zero padding, {op.in_channels} → {op.out_channels}{_comma_step(op.stride)}"


OTHER = "other"

CATEGORIES = (
    "convolution",
    "normalization",
    "activation",
    "pooling",
    "linear",
    "addition and gating",
    "reshaping",
    "dropout",
    OTHER,
)
"""The kinds of op that people tell apart, in reading order; each op says which is its own."""


def describe(op: Op) -> str:
    """An op in a word or two: 3x3/2, 1x1 g32, BN, max 3x3/2."""
    if isinstance(op, Conv2d):
        groups = f" g{op.groups}" if op.groups > 1 else ""
        return f"{show_shape(op.kernel)}{_step(op.stride)}{groups}{' +bias' if op.bias else ''}"
    if isinstance(op, Pool2d):
        return f"{op.kind[:3].lower()} {show_shape(op.kernel)}{_step(op.stride)}"
    if isinstance(op, ZeroPad):
        return f"zero pad{_step(op.stride)}"
    return _SHORT.get(op.kind, op.kind)


_SHORT = {
    "BatchNorm2d": "BN",
    "GlobalAvgPool2d": "avg",
    "Add": "+",
    "Scale": "gate",
    "Flatten": "flat",
}


def _step(stride: Pair) -> str:
    """A stride as it follows a kernel: '', /2 or /2x1."""
    if set(stride) == {1}:
        return ""
    return f"/{stride[0]}" if len(set(stride)) == 1 else f"/{show_shape(stride)}"


def _comma_step(stride: Pair) -> str:
    """A stride as it ends a caption: '', ', /2' or ', /2×1'."""
    return f", {_step(stride)}".replace("x", "×") if set(stride) != {1} else ""


KERNEL_CATEGORIES = (
    "3x3 convolution",
    "1x1 convolution",
    "other convolution, linear",
    "batch norm",
    "activation, addition",
    "pooling",
)
"""Kinds of kernel that the roofline tells apart."""


def kernel_category(op: Op) -> str:
    """The kind of kernel, of KERNEL_CATEGORIES, that begins with an op."""
    if op.category == "convolution":
        named = f"{show_shape(getattr(op, 'kernel', ()))} convolution"
        return named if named in KERNEL_CATEGORIES else "other convolution, linear"
    return _CATEGORY_OF.get(op.category, "activation, addition")


_CATEGORY_OF = {
    "linear": "other convolution, linear",
    "normalization": "batch norm",
    "pooling": "pooling",
}
