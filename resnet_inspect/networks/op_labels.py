"""What an op is called: in a table, in a diagram, in a legend."""

from __future__ import annotations

import re
from collections.abc import Iterable

from resnet_inspect.networks.ops import Conv2d, Gain, Linear, Multiply, Op, Pool2d, ZeroPad
from resnet_inspect.networks.shapes import Pair, show_shape


def show_dims(sizes: Iterable[int]) -> str:
    """Sizes in type: 64×56×56."""
    return "×".join(map(str, sizes))


_NAMES = {
    "BatchNorm2d": ("BN", "batch norm"),
    "FrozenBatchNorm2d": ("frozen BN", "frozen batch norm"),
    "MaxPool2d": ("max", "max pool"),
    "AvgPool2d": ("avg", "average pool"),
    "GlobalAvgPool2d": ("avg", "global average pool"),
    "Add": ("+", "+"),
    "Scale": ("gate", "×"),
    "Flatten": ("flat", "flatten"),
    "Concat": ("Concat", "concat"),
    "ConvTranspose2d": ("ConvTranspose2d", "transposed conv"),
}
"""Kind of op -> its name in a table, and in a figure."""


def caption(op: Op) -> str:
    """An op as a figure of a paper has it: 3×3 conv, 64, /2."""
    name = _NAMES.get(op.kind, ("", _in_words(op)))[1]
    if isinstance(op, Conv2d):
        alone = op.groups == op.in_channels > 1
        depthwise = "depthwise " if alone else ""
        groups = "" if alone or op.groups == 1 else f", {op.groups} groups"
        spread = "" if op.dilation == (1, 1) else f", dilation {show_dims(op.dilation)}"
        what = f"{depthwise}{show_dims(op.kernel)} conv, {op.out_channels}"
        return f"{what}{groups}{spread}{comma_step(op)}"
    if isinstance(op, Pool2d):
        return f"{show_dims(op.kernel)} {name}{comma_step(op)}"
    if isinstance(op, ZeroPad):
        return f"zero padding, {op.in_channels} → {op.out_channels}{comma_step(op)}"
    if isinstance(op, Linear):
        return f"linear, {op.out_features}"
    if isinstance(op, Multiply):
        return _factor(op)
    kernel, channels = getattr(op, "kernel", None), getattr(op, "out_channels", None)
    if kernel and channels:  # a convolution of another kind
        return f"{show_dims(kernel)} {name}, {channels}{comma_step(op)}"
    size = getattr(op, "size", None)
    return f"{name}, {show_dims(size)}" if size and op.category == "pooling" else name


_INNER = re.compile(r"(?<=[a-z\d])(?=[A-Z])(?!LU)")
_AXES = re.compile(r"\dd$")


def _in_words(op: Op) -> str:
    """LayerNorm as 'layer norm', LeakyReLU as 'leaky ReLU'; what nobody knows keeps its name."""
    if op.category == OTHER:
        return op.kind
    parts = _INNER.sub(" ", _AXES.sub("", op.kind)).replace("Avg", "Average").split()
    return " ".join([part.lower() if part.istitle() else part for part in parts])


def describe(op: Op) -> str:
    """An op in a word or two: 3x3/2, 1x1 g32, BN, max 3x3/2."""
    name = _NAMES.get(op.kind, (op.kind, ""))[0]
    if isinstance(op, Conv2d):
        groups = f" g{op.groups}" if op.groups > 1 else ""
        return f"{show_shape(op.kernel)}{_step(op.stride)}{groups}{' +bias' if op.bias else ''}"
    if isinstance(op, Multiply):
        return _factor(op)
    if isinstance(op, Pool2d):
        return f"{name} {show_shape(op.kernel)}{_step(op.stride)}"
    return f"zero pad{_step(op.stride)}" if isinstance(op, ZeroPad) else name


def _factor(op: Multiply) -> str:
    return "× gain" if isinstance(op, Gain) else f"× {op.factor:.4g}"


def _step(stride: Pair) -> str:
    """A stride as it follows a kernel: '', /2 or /2x1."""
    if set(stride) == {1}:
        return ""
    return f"/{stride[0]}" if len(set(stride)) == 1 else f"/{show_shape(stride)}"


def comma_step(op: Op) -> str:
    """An op's stride as it ends a caption: '', ', /2' or ', /2×1'."""
    step = _step(getattr(op, "stride", (1, 1)))
    return f", {step}".replace("x", "×") if step else ""


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

KERNEL_CATEGORIES = (
    "3x3 convolution",
    "1x1 convolution",
    "other convolution, linear",
    "batch norm",
    "activation, addition",
    "pooling",
)
"""Kinds of kernel that the roofline tells apart."""


def convolution_size(op: Op) -> str:
    """Which convolution people call it: 3x3, 1x1 or other."""
    size = show_shape(getattr(op, "kernel", ()))
    return size if size in ("3x3", "1x1") else OTHER


def kernel_category(op: Op) -> str:
    """The kind of kernel, of KERNEL_CATEGORIES, that begins with an op."""
    if op.category == "convolution" and convolution_size(op) != OTHER:
        return f"{convolution_size(op)} convolution"
    return _CATEGORY_OF.get(op.category, "activation, addition")


_CATEGORY_OF = {
    "convolution": "other convolution, linear",
    "linear": "other convolution, linear",
    "normalization": "batch norm",
    "pooling": "pooling",
}
