"""A residual block, wired: what it computes, what leads around it, and what it is called.

Paths are torchvision's, and timm's for what only timm has.
"""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.choices import BLOCKS
from resnet_inspect.networks.design import Module, Part, Tensor, conv
from resnet_inspect.networks.gates import HIERARCHY, PATHS, gated_at, squeeze_excite
from resnet_inspect.networks.stage_layout import ALPHA

_ADD = ops.Add()

GAIN = 2.0
"""What networks of scaled convolutions multiply by what leaves their attention."""


def residual_block(block: Module[Tensor], part: Part, entering: Tensor) -> Tensor:
    """A block of a residual, and of what leads around it; gives their sum, activated."""
    spec = part.design
    projects = part.changes or part.projects or spec.shortcut == "C"
    passes = spec.shortcut != "none" and not (projects and spec.shortcut == "identity")
    # a projection takes the activated input (He et al. 2016, section 4.1)
    tensor, bypass = _RESIDUALS[spec.order](block, part, entering)
    if gated_at(spec) not in ("", "inner"):
        if spec.attention_at == "activated":
            tensor = block.add(spec.act, tensor, name=spec.act_path)
        tensor = _attend(block, part, tensor)
    tensor = block.dropped(part.drop, tensor, "drop_path", "DropPath")
    if spec.skipinit:
        tensor = block.add(ops.Gain(), tensor, name="skipinit")
    if spec.convolution == "scaled":
        tensor = block.add(ops.Multiply(ALPHA), tensor, name="alpha")
    if passes:
        if spec.order != "ahead" and (not projects or spec.shortcut == "A"):
            bypass = entering
        if projects:
            bypass = _shortcut(block, part, bypass)
        if part.window == (3, 0):
            bypass = _cropped(block, tensor, bypass)
        tensor = block.add(_ADD, tensor, bypass, name="add")
    if spec.order == "post" and not spec.linear_out:
        tensor = _activated(block, part, tensor, BLOCKS[spec.block] + spec.extra_conv)
    return tensor


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


def _attend(block: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """A tensor, gated by the network's attention."""
    gate = block.within("se")
    if part.design.attention == "se":
        tensor = squeeze_excite(gate, part, tensor)
    else:
        from resnet_inspect.networks.attention import gated

        tensor = gated(gate, part, tensor)
    if part.design.convolution == "scaled":
        tensor = block.add(ops.Multiply(GAIN), tensor, name="gain")
    return tensor


def _activated(block: Module[Tensor], part: Part, tensor: Tensor, number: int) -> Tensor:
    """The block's activation, which is one module that is called again."""
    spec, path = part.design, part.design.act_path
    special = spec.attention_at == "activated" or spec.scales > 1 or spec.attention in PATHS
    if special or spec.linear_out or (spec.order != "post" and spec.norm == "none"):
        return block.activated(tensor, path)  # the builder numbers them, if they are several
    return block.activated(tensor, f"{path}{number}", path)


_NUMBERS = (("1", "2", "3"), ("1", "2", "2b", "3"))
"""What a block's convolutions are called, without and with one more."""


def _preactivated(block: Module[Tensor], part: Part, entering: Tensor) -> tuple[Tensor, Tensor]:
    """The residual of a pre-activation block, and its activated input."""
    spec, tensor = part.design, entering
    bypass, convs = entering, _residual_convs(part)
    for i, op in enumerate(convs, start=1):
        number = _NUMBERS[spec.extra_conv][i - 1]
        tensor = block.normalized(tensor, f"bn{number}")
        if i == 1 and spec.norm == "none":  # a module of its own, not in place
            tensor = block.activated(tensor, f"{spec.act_path}_in", keeps=True)
        else:
            tensor = _activated(block, part, tensor, i)
        if i == 1:
            if spec.convolution == "scaled":
                tensor = block.add(ops.Multiply(part.damping), tensor, name="beta")
            bypass = tensor
        else:
            tensor = block.dropped(spec.block_drop_rate, tensor, "dropout")
        tensor = block.convolved(op, tensor, f"conv{number}")
        if i == len(convs) - 1 and gated_at(spec) == "inner":
            tensor = _attend(block, part, tensor)
    return tensor, bypass


def _postactivated(block: Module[Tensor], part: Part, entering: Tensor) -> tuple[Tensor, Tensor]:
    """The residual of a block that activates what its convolutions give, and its input."""
    spec, tensor = part.design, entering
    convs = _residual_convs(part)
    special = HIERARCHY if spec.scales > 1 else spec.attention
    middle = 2 if spec.block == "bottleneck" else 1
    strided = 1 if spec.stride_in == "1x1" else middle
    for i, op in enumerate(convs, start=1):
        number = _NUMBERS[spec.extra_conv][i - 1]
        pools = i == strided and part.stride > 1
        if pools and spec.antialias == "before":
            tensor = block.pooled("before", part.stride, tensor, "aa")
        if i == middle and special in PATHS:
            from resnet_inspect.networks.attention import in_place_of

            inside = block if special == HIERARCHY else block.within(f"conv{i}")
            tensor = in_place_of(inside, special, part, op, tensor)
        else:
            if i == middle and part.attends:
                from resnet_inspect.networks.self_attention import attend_to

                tensor = attend_to(block.within("self_attn"), part, op, tensor)
            else:
                tensor = block.convolved(op, tensor, f"conv{number}")
            tensor = block.normalized(tensor, f"bn{number}", i < len(convs))
            if i < len(convs):
                tensor = _activated(block, part, tensor, i)
        if pools and spec.antialias not in ("none", "before"):
            tensor = block.pooled(spec.antialias, part.stride, tensor, "aa")
        if i == middle and gated_at(spec) == "inner" and not part.attends:
            tensor = _attend(block, part, tensor)
    return tensor, entering


def _inner(block: Module[Tensor], part: Part, entering: Tensor) -> tuple[Tensor, Tensor]:
    """The residual of a block that is activated between its convolutions alone, and its input.

    With norms before, between and after them (Han et al. 2016, arXiv 1610.02915, Figure 6d), or
    none (Lim et al. 2017, arXiv 1707.02921, Figure 2c).
    """
    tensor = block.normalized(entering, "bn1")
    convs = _residual_convs(part)
    for i, op in enumerate(convs, start=1):
        tensor = block.normalized(block.convolved(op, tensor, f"conv{i}"), f"bn{i + 1}")
        if i < len(convs):
            tensor = block.activated(tensor, part.design.act_path)
    return tensor, entering


_RESIDUALS = {"post": _postactivated, "pre": _preactivated, "ahead": _preactivated, "inner": _inner}


def _shortcut(block: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """Options A, B, C (He et al. 2015, section 3.3) and D (He et al. 2018, Figure 2c)."""
    spec, stride = part.design, part.stride
    if spec.shortcut == "A":
        pad = ops.ZeroPad(part.entering, part.leaving, (stride, stride))
        return block.add(pad, tensor, name="downsample")
    module, number = block.within("downsample"), 0
    if spec.shortcut == "D":
        if stride > 1:
            pool = ops.AvgPool2d((stride, stride), (stride, stride), ceil=True)
            tensor = module.add(pool, tensor, name="0")
            stride = 1
        elif part.dilation[1] > 1:  # a pool stays where a stage dilates in place of striding
            from resnet_inspect.networks.torch_ops import Pad

            tensor = module.add(Pad((0, 1, 0, 1)), tensor, name="0_pad")
            tensor = module.add(ops.AvgPool2d((2, 2), (1, 1)), tensor, name="0")
        number = 1  # timm keeps the pool's place where there is nothing to pool
    side = 1 if stride == part.stride == 1 else spec.shortcut_kernel
    op = conv(part.entering, part.leaving, side, stride, 1, "shortcut" in spec.bias)
    tensor = module.convolved(op, tensor, f"{number}")
    if spec.order in ("post", "inner") and spec.shortcut_norm:
        tensor = module.normalized(tensor, f"{number + 1}", False)
    return tensor


def _cropped(block: Module[Tensor], residual: Tensor, tensor: Tensor) -> Tensor:
    """A tensor without the last rows and columns that the residual lacks."""
    (_, *left), (_, *there) = block.shape(residual), block.shape(tensor)
    if left == there:
        return tensor
    from resnet_inspect.networks.torch_ops import Pad

    return block.add(Pad((0, left[1] - there[1], 0, left[0] - there[0])), tensor, name="crop")
