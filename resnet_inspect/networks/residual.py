"""A residual block, wired: what it computes, what leads around it, and what it is called.

Paths are torchvision's, and timm's for what only timm has.
"""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.choices import BLOCKS
from resnet_inspect.networks.design import (
    Builder,
    Part,
    Tensor,
    activated,
    conv,
    convolved,
    dropped,
    normalized,
    pooled,
)
from resnet_inspect.networks.gates import GATES, HIERARCHY, PATHS, squeeze_excite
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.stage_layout import ALPHA

_ADD = ops.Add()

GAIN = 2.0
"""What networks of scaled convolutions multiply by what leaves their attention."""


def _residual_convs(part: Part) -> list[ops.Conv2d]:
    spec, inner, leaving, stride = part.design, part.inner, part.leaving, part.stride
    bias = "residual" in spec.bias
    if spec.antialias != "none":
        stride = 1
    if spec.block == "basic":
        early, late = (1, stride) if spec.order == "inner" else (stride, 1)
        return [
            conv(part.entering, inner, 3, early, 1, bias, part.dilation[0]),
            conv(inner, leaving, 3, late, 1, bias, part.dilation[1]),
        ]
    if spec.block == "edge":
        return [
            conv(part.entering, inner, 3, stride, 1, bias, part.dilation[0]),
            conv(inner, leaving, 1, 1, 1, bias),
        ]
    early, late = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
    first, last = inner * spec.scales // spec.reduce_first, inner * spec.scales
    middle = inner if spec.scales > 1 else first
    spatial = conv(middle, inner, part.window[0], late, part.groups, bias, part.dilation[0])
    if not part.window[1]:
        spatial = spatial.replace(padding=(0, 0))
    convs = [
        conv(part.entering, first, 1, early, 1, bias),
        spatial,
        conv(last, leaving, 1, 1, 1, bias),
    ]
    if spec.extra_conv:
        convs.insert(2, conv(inner, inner, 3, 1, part.groups, bias, part.dilation[1]))
    return convs


def residual_block(net: Builder[Tensor], part: Part, path: str, entering: Tensor) -> Tensor:
    """A block of a residual, and of what leads around it; gives their sum, activated."""
    spec = part.design
    projects = part.changes or part.projects or spec.shortcut == "C"
    passes = spec.shortcut != "none" and not (projects and spec.shortcut == "identity")
    residual = _RESIDUALS[spec.order]
    # a projection takes the activated input (He et al. 2016, section 4.1)
    tensor, bypass = residual(net, part, path, entering)
    if spec.attention_at != "inner" and spec.attention in GATES:
        if spec.attention_at == "activated":
            tensor = net.add(spec.act, tensor, name=f"{path}.{spec.act_path}")
        tensor = _attend(net, part, f"{path}.se", part.leaving, tensor)
    tensor = dropped(net, part.drop, tensor, f"{path}.drop_path", "DropPath")
    if spec.skipinit:
        tensor = net.add(ops.Gain(), tensor, name=f"{path}.skipinit")
    if spec.convolution == "scaled":
        tensor = net.add(ops.Multiply(ALPHA), tensor, name=f"{path}.alpha")
    if passes:
        if spec.order != "ahead" and (not projects or spec.shortcut == "A"):
            bypass = entering
        if projects:
            bypass = _shortcut(net, part, f"{path}.downsample", bypass)
        if part.window == (3, 0):
            bypass = _cropped(net, net.shape(tensor), path, bypass)
        tensor = net.add(_ADD, tensor, bypass, name=f"{path}.add")
    if spec.order == "post" and not spec.linear_out:
        tensor = _activated(net, part, path, tensor, BLOCKS[spec.block] + spec.extra_conv)
    return tensor


def _attend(net: Builder[Tensor], part: Part, path: str, channels: int, tensor: Tensor) -> Tensor:
    """A tensor of so many channels, gated by the network's attention."""
    if part.design.attention == "se":
        tensor = squeeze_excite(net, part, path, channels, tensor)
    else:
        from resnet_inspect.networks.attention import gated

        tensor = gated(net, part, path, channels, tensor)
    if part.design.convolution == "scaled":
        tensor = net.add(ops.Multiply(GAIN), tensor, name=f"{path.removesuffix('se')}gain")
    return tensor


def _activated(
    net: Builder[Tensor], part: Part, path: str, tensor: Tensor, number: int, keeps: bool = False
) -> Tensor:
    """The block's activation, which is one module that is called again; keeps: its input."""
    spec, path = part.design, f"{path}.{part.design.act_path}"
    if keeps:  # a module of its own, not in place
        return activated(net, spec, tensor, f"{path}_in", keeps=True)
    special = spec.attention_at == "activated" or _path_kind(part) in PATHS
    if special or spec.linear_out or (spec.order != "post" and spec.norm == "none"):
        return activated(net, spec, tensor, path)  # the builder numbers them, if they are several
    return activated(net, spec, tensor, f"{path}{number}", path)


_NUMBERS = (("1", "2", "3"), ("1", "2", "2b", "3"))
"""What a block's convolutions are called, without and with one more."""


def _path_kind(part: Part) -> str:
    return HIERARCHY if part.design.scales > 1 else part.design.attention


def _preactivated(
    net: Builder[Tensor], part: Part, path: str, entering: Tensor
) -> tuple[Tensor, Tensor]:
    """The residual of a pre-activation block, and its activated input."""
    spec, tensor = part.design, entering
    bypass, convs = entering, _residual_convs(part)
    for i, op in enumerate(convs, start=1):
        number = _NUMBERS[spec.extra_conv][i - 1]
        tensor = normalized(net, spec, op.in_channels, tensor, f"{path}.bn{number}")
        tensor = _activated(net, part, path, tensor, i, keeps=i == 1 and spec.norm == "none")
        if i == 1:
            if spec.convolution == "scaled":
                tensor = net.add(ops.Multiply(part.damping), tensor, name=f"{path}.beta")
            bypass = tensor
        else:
            tensor = dropped(net, spec.block_drop_rate, tensor, f"{path}.dropout")
        tensor = convolved(net, spec, op, tensor, f"{path}.conv{number}")
        if i == len(convs) - 1 and spec.attention_at == "inner" and spec.attention in GATES:
            tensor = _attend(net, part, f"{path}.se", op.out_channels, tensor)
    return tensor, bypass


def _postactivated(
    net: Builder[Tensor], part: Part, path: str, entering: Tensor
) -> tuple[Tensor, Tensor]:
    """The residual of a block that activates what its convolutions give, and its input."""
    spec = part.design
    convs, tensor = _residual_convs(part), entering
    middle = 2 if spec.block == "bottleneck" else 1
    strided = 1 if spec.stride_in == "1x1" else middle
    special = _path_kind(part)
    for i, op in enumerate(convs, start=1):
        pools = i == strided and part.stride > 1
        if pools and spec.antialias == "before":
            tensor = pooled(net, "before", part.stride, op.in_channels, tensor, f"{path}.aa")
        if i == middle and special in PATHS:
            from resnet_inspect.networks.attention import in_place_of

            at = path if special == HIERARCHY else f"{path}.conv{i}"
            tensor = in_place_of(net, special, part, at, op, tensor)
        else:
            number = _NUMBERS[spec.extra_conv][i - 1]
            if i == middle and part.attends:
                from resnet_inspect.networks.self_attention import attend_to

                tensor = attend_to(net, part, f"{path}.self_attn", op, tensor)
            else:
                tensor = convolved(net, spec, op, tensor, f"{path}.conv{number}")
            norm = f"{path}.bn{number}"
            tensor = normalized(net, spec, op.out_channels, tensor, norm, i < len(convs))
            if i < len(convs):
                tensor = _activated(net, part, path, tensor, i)
        if pools and spec.antialias not in ("none", "before"):
            width = op.out_channels * (spec.scales if i == middle else 1)
            tensor = pooled(net, spec.antialias, part.stride, width, tensor, f"{path}.aa")
        gated = i == middle and spec.attention_at == "inner" and not part.attends
        if gated and spec.attention in GATES:
            tensor = _attend(net, part, f"{path}.se", spec.scales * op.out_channels, tensor)
    return tensor, entering


def _inner(net: Builder[Tensor], part: Part, path: str, entering: Tensor) -> tuple[Tensor, Tensor]:
    """The residual of a block that is activated between its convolutions alone, and its input.

    With norms before, between and after them (Han et al. 2016, arXiv 1610.02915, Figure 6d), or
    none (Lim et al. 2017, arXiv 1707.02921, Figure 2c).
    """
    spec = part.design
    tensor = normalized(net, spec, part.entering, entering, f"{path}.bn1")
    convs = _residual_convs(part)
    for i, op in enumerate(convs, start=1):
        tensor = convolved(net, spec, op, tensor, f"{path}.conv{i}")
        tensor = normalized(net, spec, op.out_channels, tensor, f"{path}.bn{i + 1}")
        if i < len(convs):
            tensor = activated(net, spec, tensor, f"{path}.{spec.act_path}")
    return tensor, entering


_RESIDUALS = {
    "post": _postactivated,
    "pre": _preactivated,
    "ahead": _preactivated,
    "inner": _inner,
}


def _shortcut(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """Options A, B, C (He et al. 2015, section 3.3) and D (He et al. 2018, Figure 2c)."""
    spec, stride = part.design, part.stride
    if spec.shortcut == "A":
        pad = ops.ZeroPad(part.entering, part.leaving, (stride, stride))
        return net.add(pad, tensor, name=path)
    number = 0
    if spec.shortcut == "D":
        if stride > 1:
            pool = ops.AvgPool2d((stride, stride), (stride, stride), ceil=True)
            tensor = net.add(pool, tensor, name=f"{path}.0")
            stride = 1
        elif part.dilation[1] > 1:  # a pool stays where a stage dilates in place of striding
            from resnet_inspect.networks.torch_ops import Pad

            tensor = net.add(Pad((0, 1, 0, 1)), tensor, name=f"{path}.0_pad")
            tensor = net.add(ops.AvgPool2d((2, 2), (1, 1)), tensor, name=f"{path}.0")
        number = 1  # timm keeps the pool's place where there is nothing to pool
    bias, side = "shortcut" in spec.bias, spec.shortcut_kernel
    if stride == 1 and part.stride == 1:
        side = 1
    op = conv(part.entering, part.leaving, side, stride, 1, bias)
    tensor = convolved(net, spec, op, tensor, f"{path}.{number}")
    if spec.order in ("post", "inner") and spec.shortcut_norm:
        tensor = normalized(net, spec, part.leaving, tensor, f"{path}.{number + 1}", False)
    return tensor


def _cropped(net: Builder[Tensor], shape: Shape, path: str, tensor: Tensor) -> Tensor:
    """A tensor without the last rows and columns that one of this shape lacks."""
    rows, columns = (a - b for a, b in zip(shape[1:], net.shape(tensor)[1:], strict=True))
    if not rows and not columns:
        return tensor
    from resnet_inspect.networks.torch_ops import Pad

    return net.add(Pad((0, columns, 0, rows)), tensor, name=f"{path}.crop")
