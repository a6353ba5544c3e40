"""Attention in residual blocks, and 3x3 convolutions of several paths.

Each function adds its layers to a builder and gives what leaves them. Paths are timm's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resnet_inspect.networks import ops
from resnet_inspect.networks.channel_rules import split_hidden, squeezed_channels
from resnet_inspect.networks.design import (
    Builder,
    Part,
    Tensor,
    batch_norm,
    conv,
    normalized,
    pooled,
)
from resnet_inspect.networks.shapes import Shape, is_gate

_SCALE, _SIGMOID, _GLOBAL, _SUM = ops.Scale(), ops.Sigmoid(), ops.GlobalAvgPool2d(), ops.Add(False)
_GATE_ACT = ops.ReLU()
"""timm activates gates by ReLU whatever the activation, as the papers do, but for RegNet's."""


def _hidden(part: Part, channels: int) -> int:
    spec = part.design
    channels = part.entering if spec.se_entering else channels
    return squeezed_channels(channels, spec.se_reduction, spec.se_multiple)


GAIN = 2.0
"""What networks of scaled convolutions multiply by what leaves their attention."""


def attend(net: Builder[Tensor], part: Part, path: str, channels: int, tensor: Tensor) -> Tensor:
    """A tensor of so many channels, gated by the network's attention."""
    gated: Tensor = GATES[part.design.attention](net, part, path, channels, tensor)
    if part.design.convolution == "scaled":
        gated = net.add(ops.Multiply(GAIN), gated, name=f"{path.removesuffix('se')}gain")
    return gated


def _squeeze_excite(
    net: Builder[Tensor], part: Part, path: str, channels: int, tensor: Tensor
) -> Tensor:
    """Squeeze-and-excitation (Hu et al. 2017, Figure 3), as 1x1 convolutions like timm's."""
    hidden = _hidden(part, channels)
    gate = net.add(_GLOBAL, tensor, name=f"{path}.squeeze")
    gate = net.add(conv(channels, hidden, 1, bias=True), gate, name=f"{path}.fc1")
    activation = part.design.act if part.design.se_entering else _GATE_ACT
    gate = net.add(activation, gate, name=f"{path}.act")
    gate = net.add(conv(hidden, channels, 1, bias=True), gate, name=f"{path}.fc2")
    gate = net.add(_SIGMOID, gate, name=f"{path}.gate")
    return net.add(_SCALE, tensor, gate, name=f"{path}.scale")


def _channel_attention(
    net: Builder[Tensor], part: Part, path: str, channels: int, tensor: Tensor
) -> Tensor:
    """Efficient channel attention (Wang et al. 2019, arXiv 1910.03151, section 3.2.2)."""
    from resnet_inspect.networks.torch_ops import Conv, View

    side = channels.bit_length() // 2  # (log2(channels) + 1) / 2, and the next odd number
    side = max(3, side + 1 - side % 2)
    gate = net.add(_GLOBAL, tensor, name=f"{path}.squeeze")
    gate = net.add(View("reshape", (1, channels)), gate, name=f"{path}.reshape")
    op = Conv(1, 1, (side,), (1,), (side // 2,), 1, False, (1,))
    gate = net.add(op, gate, name=f"{path}.conv")
    gate = net.add(_SIGMOID, gate, name=f"{path}.gate")
    gate = net.add(View("reshape", (channels, 1, 1)), gate, name=f"{path}.reshape")
    return net.add(_SCALE, tensor, gate, name=f"{path}.scale")


def _global_context(
    net: Builder[Tensor], part: Part, path: str, channels: int, tensor: Tensor
) -> Tensor:
    """Global context (Cao et al. 2019, arXiv 1904.11492, Figure 4d)."""
    from resnet_inspect.networks.torch_ops import Arithmetic, Function, LayerNorm, MatMul, View

    hidden, shape = _hidden(part, channels), net.shape(tensor)
    places = shape[1] * shape[2]
    weight = net.add(conv(channels, 1, 1, bias=True), tensor, name=f"{path}.conv_attn")
    weight = net.add(View("flatten", (1, places)), weight, name=f"{path}.flatten")
    weight = net.add(Function(name="Softmax", over=(1,)), weight, name=f"{path}.softmax")
    turned = View("transpose", (places, 1), placed((1, 0), (1, places)))
    weight = net.add(turned, weight, name=f"{path}.transpose")
    pixels = net.add(View("flatten", (channels, places)), tensor, name=f"{path}.flatten")
    context = net.add(MatMul((channels, 1)), pixels, weight, name=f"{path}.matmul")
    context = net.add(View("reshape", (channels, 1, 1)), context, name=f"{path}.reshape")
    path = f"{path}.mlp_add"
    context = net.add(conv(channels, hidden, 1, bias=True), context, name=f"{path}.fc1")
    context = net.add(ops.Flatten(), context, name=f"{path}.flatten")
    context = net.add(LayerNorm((hidden,), 2 * hidden), context, name=f"{path}.norm")
    context = net.add(View("reshape", (hidden, 1, 1)), context, name=f"{path}.reshape")
    context = net.add(_GATE_ACT, context, name=f"{path}.act")
    context = net.add(conv(hidden, channels, 1, bias=True), context, name=f"{path}.fc2")
    added = Arithmetic("add", shape)
    return net.add(added, tensor, context, name=f"{path.removesuffix('.mlp_add')}.add")


def _pools_and_positions(
    net: Builder[Tensor], part: Part, path: str, channels: int, tensor: Tensor
) -> Tensor:
    """CBAM (Woo et al. 2018, arXiv 1807.06521, Figure 2): a gate of channels, one of positions.

    Both pools go through the same two layers, which timm has without biases.
    """
    from resnet_inspect.networks.torch_ops import Arithmetic, Concat, Reduce

    at, hidden, shape = f"{path}.channel", _hidden(part, channels), net.shape(tensor)
    peaks = Reduce("amax", (channels, 1, 1), (1, 2))
    layers = {"fc1": conv(channels, hidden, 1), "act": _GATE_ACT, "fc2": conv(hidden, channels, 1)}
    sides: list[Tensor] = []
    for pool, name in ((_GLOBAL, "squeeze"), (peaks, "amax")):
        side = net.add(pool, tensor, name=f"{at}.{name}")
        for name, op in layers.items():  # a path says that it is the module of the first side
            side = net.add(op, side, name=f"{at}.{name}", path=f"{at}.{name}" if sides else None)
        sides.append(side)
    gate = net.add(_SUM, *sides, name=f"{at}.add")
    gate = net.add(_SIGMOID, gate, name=f"{at}.gate")
    tensor = net.add(_SCALE, tensor, gate, name=f"{at}.scale")
    at, place = f"{path}.spatial", (1, *shape[1:])
    planes = [Reduce(name, place, (0,)) for name in ("mean", "amax")]
    sides = [net.add(plane, tensor, name=f"{at}.{plane.function}") for plane in planes]
    gate = net.add(Concat(), *sides, name=f"{at}.cat")
    gate = net.add(conv(2, 1, 7), gate, name=f"{at}.conv.conv")
    gate = net.add(batch_norm(1), gate, name=f"{at}.conv.bn")
    gate = net.add(_SIGMOID, gate, name=f"{at}.gate")
    # Of one channel and position it is a gate of channels as well.
    product = _SCALE if is_gate(place, shape) else Arithmetic("mul", shape)
    return net.add(product, tensor, gate, name=f"{at}.scale")


GATES: dict[str, Callable[..., Any]] = {
    "se": _squeeze_excite,
    "eca": _channel_attention,
    "gc": _global_context,
    "cbam": _pools_and_positions,
}
"""Attention that gates a tensor."""


# --- instead of a 3x3 convolution ----------------------------------------------------------------


def channels_of(net: Builder[Tensor], tensor: Tensor, start: int, count: int, path: str) -> Tensor:
    """Some channels of a tensor."""
    from resnet_inspect.networks.torch_ops import View

    output = (count, *net.shape(tensor)[1:])
    places = placed((0, 1, 2), output, start)
    return net.add(View("narrow", output, places), tensor, name=f"{path}.narrow")


def placed(axes: Shape, sizes: Shape, start: int = 0) -> tuple[tuple[int, int, int], ...]:
    """Where axes of these sizes go (View.places); one of a single position goes nowhere."""
    ends = zip(axes, sizes, strict=True)
    return tuple(
        (axis if size > 1 else -1, 0 if at else start, 1) for at, (axis, size) in enumerate(ends)
    )


def _weighted_sum(
    net: Builder[Tensor], paths: list[Tensor], choice: Tensor, channels: int, path: str
) -> Tensor:
    """The sum of paths, each times its share for each channel of `choice`, which softmax makes."""
    from resnet_inspect.networks.torch_ops import Function, View

    total = None
    count = len(paths)
    if len(net.shape(choice)) == 3 and net.shape(choice)[0] == count * channels:
        choice = net.add(View("reshape", (count, channels, 1, 1)), choice, name=f"{path}.reshape")
    choice = net.add(Function(name="Softmax", over=(0,)), choice, name=f"{path}.softmax")
    choice = net.add(View("reshape", (count * channels, 1, 1)), choice, name=f"{path}.reshape")
    for i, tensor in enumerate(paths):
        gate = channels_of(net, choice, i * channels, channels, path)
        scaled = net.add(_SCALE, tensor, gate, name=f"{path}.scale")
        total = scaled if total is None else net.add(_SUM, total, scaled, name=f"{path}.add")
    assert total is not None
    return total


def selective_kernel(
    net: Builder[Tensor], part: Part, path: str, op: ops.Conv2d, tensor: Tensor
) -> Tensor:
    """Two dilations, chosen between for each channel (Li et al. 2019, arXiv 1903.06586)."""
    spec, channels = part.design, op.out_channels
    halves = spec.attention == "sk"
    inside = op.in_channels // 2 if halves else op.in_channels
    paths: list[Tensor] = []
    for i in range(2):
        at = f"{path}.path{i}"
        taken = channels_of(net, tensor, i * inside, inside, path) if halves else tensor
        branch = conv(inside, channels, 3, op.stride[0], op.groups, op.bias, i + 1)
        out = net.add(branch, taken, name=f"{at}.conv")
        out = normalized(net, spec, channels, out, f"{at}.bn")
        paths.append(net.add(spec.act, out, name=f"{at}.act"))
    hidden = _hidden(part, channels)
    at = f"{path}.attn"
    choice = net.add(_SUM, *paths, name=f"{path}.add")
    choice = net.add(_GLOBAL, choice, name=f"{at}.squeeze")
    choice = net.add(conv(channels, hidden, 1), choice, name=f"{at}.fc_reduce")
    choice = net.add(batch_norm(hidden), choice, name=f"{at}.bn")
    choice = net.add(_GATE_ACT, choice, name=f"{at}.act")
    choice = net.add(conv(hidden, 2 * channels, 1), choice, name=f"{at}.fc_select")
    return _weighted_sum(net, paths, choice, channels, path)


def split_attention(
    net: Builder[Tensor], part: Part, path: str, op: ops.Conv2d, tensor: Tensor
) -> Tensor:
    """Attention over `radix` splits in each group (Zhang et al. 2020, arXiv 2004.08955)."""
    from resnet_inspect.networks.torch_ops import View

    spec, channels, radix = part.design, op.out_channels, part.design.radix
    groups, bias = op.groups, op.bias
    wide = conv(op.in_channels, radix * channels, 3, op.stride[0], radix * groups, bias)
    tensor = net.add(wide, tensor, name=f"{path}.conv")
    tensor = normalized(net, spec, radix * channels, tensor, f"{path}.bn0")
    tensor = net.add(spec.act, tensor, name=f"{path}.act0")
    splits, total = [tensor], tensor
    if radix > 1:
        splits = [channels_of(net, tensor, i * channels, channels, path) for i in range(radix)]
        total = splits[0]
        for split in splits[1:]:
            total = net.add(_SUM, total, split, name=f"{path}.add")
    hidden = split_hidden(channels, spec)
    choice = net.add(_GLOBAL, total, name=f"{path}.squeeze")
    choice = net.add(conv(channels, hidden, 1, 1, groups, True), choice, name=f"{path}.fc1")
    choice = normalized(net, spec, hidden, choice, f"{path}.bn1")
    choice = net.add(_GATE_ACT, choice, name=f"{path}.act1")
    last = conv(hidden, radix * channels, 1, 1, groups, True)
    choice = net.add(last, choice, name=f"{path}.fc2")
    if radix == 1:
        gate = net.add(_SIGMOID, choice, name=f"{path}.gate")
        return net.add(_SCALE, tensor, gate, name=f"{path}.scale")
    if groups > 1:  # a group's shares lie together, and a split's are wanted
        each = channels // groups
        shares = View("reshape", (groups, radix, each))
        choice = net.add(shares, choice, name=f"{path}.reshape")
        turned = View("transpose", (radix, groups, each), placed((1, 0, 2), (groups, radix, each)))
        choice = net.add(turned, choice, name=f"{path}.transpose")
    return _weighted_sum(net, splits, choice, channels, path)


def hierarchy(
    net: Builder[Tensor], part: Part, path: str, op: ops.Conv2d, tensor: Tensor
) -> Tensor:
    """A 3x3 for each part of the channels but the last, fed by the one before as well.

    Gao et al. 2019 (arXiv 1904.01169), Figure 2b. A block that changes the shape adds nothing, and
    pools the last part.
    """
    from resnet_inspect.networks.torch_ops import Concat

    spec, width = part.design, op.out_channels
    made: list[Tensor] = []
    for i in range(spec.scales):
        own = channels_of(net, tensor, i * width, width, path)
        if i == spec.scales - 1:
            if part.changes:
                own = pooled(net, "wide", op.stride[0], width, own, f"{path}.pool")
            made.append(own)
            break
        if made and not part.changes:
            own = net.add(_SUM, made[-1], own, name=f"{path}.add")
        own = net.add(op, own, name=f"{path}.conv2_{i}")
        own = normalized(net, spec, width, own, f"{path}.bn2_{i}")
        made.append(net.add(spec.act, own, name=f"{path}.{spec.act_path}"))
    return net.add(Concat(), *made, name=f"{path}.cat")


HIERARCHY = "hierarchy"

PATHS: dict[str, Callable[..., Any]] = {
    "sk": selective_kernel,
    "sk-full": selective_kernel,
    "split": split_attention,
    HIERARCHY: hierarchy,
}
"""What takes the place of a 3x3 convolution, by the attention that it is."""
