"""Attention in residual blocks, and 3x3 convolutions of several paths.

Each function adds its layers to a builder and gives what leaves them. Paths are timm's.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from resnet_inspect.networks import ops, torch_ops
from resnet_inspect.networks.channel_rules import split_hidden
from resnet_inspect.networks.design import Module, Part, Tensor, batch_norm, conv
from resnet_inspect.networks.gates import GATE_ACT, GLOBAL, HIERARCHY, SCALE, SIGMOID, hidden
from resnet_inspect.networks.shapes import Shape, elements, is_gate


class Attending(Module[Tensor]):
    """A module that attends to positions or channels, and its steps."""

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        """The product of matrices in the last two axes."""
        *outer, rows, _ = self.shape(left)
        return self.add(torch_ops.MatMul((*outer, rows, self.shape(right)[-1])), left, right)

    def shaped(
        self, tensor: Tensor, *shape: int, copies: bool = False, function: str = "reshape"
    ) -> Tensor:
        """The elements of a tensor in another shape."""
        return self.add(torch_ops.View(function, shape, copies=copies), tensor)

    def swapped(self, tensor: Tensor, last: int) -> Tensor:
        """Two neighbouring axes of a tensor in each other's place; last: the second of them."""
        axes = list(range(len(self.shape(tensor))))
        axes[last - 1], axes[last] = last, last - 1
        return self.turned(tensor, *axes, function="transpose")

    def turned(self, tensor: Tensor, *axes: int, function: str = "permute") -> Tensor:
        """The axes of a tensor in this order."""
        shape = self.shape(tensor)
        went = tuple(axes.index(axis) for axis in range(len(axes)))
        output = tuple(shape[axis] for axis in axes)
        return self.add(torch_ops.View(function, output, placed(went, shape)), tensor)

    def cut(self, tensor: Tensor, start: int, count: int) -> Tensor:
        """Some positions of a tensor's last axis."""
        *outer, size = self.shape(tensor)
        if count == size:
            return tensor
        shape = (*outer, count)
        *places, (last, _, step) = placed(tuple(range(len(shape))), shape)
        return self.add(torch_ops.View("slice", shape, (*places, (last, start, step))), tensor)

    def channels(self, tensor: Tensor, start: int, count: int) -> Tensor:
        """Some channels of a map."""
        output = (count, *self.shape(tensor)[1:])
        return self.add(torch_ops.View("narrow", output, placed((0, 1, 2), output, start)), tensor)

    def split(self, tensor: Tensor, *sizes: int) -> list[Tensor]:
        """The channels of a map, so many at a time."""
        ends = accumulate(sizes)
        return [
            self.channels(tensor, end - size, size) for end, size in zip(ends, sizes, strict=True)
        ]

    def heads(self, tensor: Tensor, heads: int) -> Tensor:
        """The channels of each head, at all positions of a map."""
        width, height, across = self.shape(tensor)
        return self.shaped(tensor, heads, width // heads, height * across)

    def softmax(self, tensor: Tensor, axis: int = -1) -> Tensor:
        """The shares of what is along an axis."""
        return self.add(
            torch_ops.Function("Softmax", over=(axis % len(self.shape(tensor)),)), tensor
        )

    def summed(self, *tensors: Tensor) -> Tensor:
        """The sum of tensors, each a new one."""
        first, *more = tensors
        for tensor in more:
            first = self.add(ops.Add(False), first, tensor)
        return first


def placed(axes: Shape, sizes: Shape, start: int = 0) -> tuple[tuple[int, int, int], ...]:
    """Where axes of these sizes go (View.places); one of a single position goes nowhere."""
    ends = zip(axes, sizes, strict=True)
    return tuple(
        (axis if size > 1 else -1, 0 if at else start, 1) for at, (axis, size) in enumerate(ends)
    )


# --- gates ---------------------------------------------------------------------------------------


def gated(module: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """A tensor, gated by the network's attention."""
    attending = Attending(module.net, module.design, module.path)
    made: Tensor = _GATES[part.design.attention](attending, part, tensor)
    return made


def _channel_attention(module: Attending[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """Efficient channel attention (Wang et al. 2019, arXiv 1910.03151, section 3.2.2)."""
    channels = module.shape(tensor)[0]
    side = channels.bit_length() // 2  # (log2(channels) + 1) / 2, and the next odd number
    side = max(3, side + 1 - side % 2)
    along = torch_ops.Conv(1, 1, (side,), (1,), (side // 2,), 1, False, (1,))
    gate = module.shaped(module.run(tensor, squeeze=GLOBAL), 1, channels)
    gate = module.run(gate, conv=along, gate=SIGMOID)
    return module.add(SCALE, tensor, module.shaped(gate, channels, 1, 1))


def _global_context(module: Attending[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """Global context (Cao et al. 2019, arXiv 1904.11492, Figure 4d)."""
    channels, places = module.shape(tensor)[0], elements(module.shape(tensor)[1:])
    units = hidden(part, channels)
    weight = module.run(tensor, conv_attn=conv(channels, 1, 1, bias=True))
    weight = module.softmax(module.shaped(weight, 1, places, function="flatten"))
    weight = module.swapped(weight, 1)
    pixels = module.shaped(tensor, channels, places, function="flatten")
    context = module.shaped(module.product(pixels, weight), channels, 1, 1)
    mlp = module.within("mlp_add")
    norm = torch_ops.LayerNorm((units,), 2 * units)
    context = mlp.run(context, fc1=conv(channels, units, 1, bias=True), flatten=ops.Flatten())
    context = mlp.shaped(mlp.run(context, norm=norm), units, 1, 1)
    context = mlp.run(context, act=GATE_ACT, fc2=conv(units, channels, 1, bias=True))
    return module.add(torch_ops.Arithmetic("add", module.shape(tensor)), tensor, context)


def _pools_and_positions(module: Attending[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """CBAM (Woo et al. 2018, arXiv 1807.06521, Figure 2): a gate of channels, one of positions.

    Both pools go through the same two layers, which timm has without biases.
    """
    each, shape = module.within("channel"), module.shape(tensor)
    channels, units = shape[0], hidden(part, shape[0])
    peaks = torch_ops.Reduce("amax", (channels, 1, 1), (1, 2))
    layers = {"fc1": conv(channels, units, 1), "act": GATE_ACT, "fc2": conv(units, channels, 1)}
    sides: list[Tensor] = []
    for pool, name in ((GLOBAL, "squeeze"), (peaks, "amax")):
        side = each.add(pool, tensor, name=name)
        for inner, op in layers.items():  # a path says that it is the module of the first side
            side = each.add(op, side, name=inner, path=inner if sides else "")
        sides.append(side)
    tensor = each.add(SCALE, tensor, each.run(each.summed(*sides), gate=SIGMOID))
    where, place = module.within("spatial"), (1, *shape[1:])
    sides = [where.add(torch_ops.Reduce(name, place, (0,)), tensor) for name in ("mean", "amax")]
    gate = where.add(torch_ops.Concat(), *sides, name="cat")
    gate = where.within("conv").run(gate, conv=conv(2, 1, 7), bn=batch_norm(1))
    gate = where.run(gate, gate=SIGMOID)
    # Of one channel and position it is a gate of channels as well.
    product = SCALE if is_gate(place, shape) else torch_ops.Arithmetic("mul", shape)
    return where.add(product, tensor, gate, name="scale")


_GATES: dict[str, Callable[..., Any]] = {
    "eca": _channel_attention,
    "gc": _global_context,
    "cbam": _pools_and_positions,
}


# --- instead of a 3x3 convolution ----------------------------------------------------------------


def _weighted_sum(
    module: Attending[Tensor], paths: list[Tensor], choice: Tensor, channels: int
) -> Tensor:
    """The sum of paths, each times its share for each channel of `choice`, which softmax makes."""
    count = len(paths)
    if len(module.shape(choice)) == 3 and module.shape(choice)[0] == count * channels:
        choice = module.shaped(choice, count, channels, 1, 1)
    choice = module.shaped(module.softmax(choice, 0), count * channels, 1, 1)
    total: list[Tensor] = []
    for i, tensor in enumerate(paths):
        scaled = module.add(SCALE, tensor, module.channels(choice, i * channels, channels))
        total = [module.summed(*total, scaled)]
    return total[0]


def _selective_kernel(
    module: Attending[Tensor], part: Part, op: ops.Conv2d, tensor: Tensor
) -> Tensor:
    """Two dilations, chosen between for each channel (Li et al. 2019, arXiv 1903.06586)."""
    spec, channels = part.design, op.out_channels
    halves = spec.attention == "sk"
    inside = op.in_channels // 2 if halves else op.in_channels
    paths: list[Tensor] = []
    for i in range(2):
        at = module.within(f"path{i}")
        taken = module.channels(tensor, i * inside, inside) if halves else tensor
        branch = conv(inside, channels, 3, op.stride[0], op.groups, op.bias, i + 1)
        out = at.normalized(at.run(taken, conv=branch), "bn")
        paths.append(at.run(out, act=spec.act))
    units = hidden(part, channels)
    choice = module.within("attn").run(
        module.summed(*paths),
        squeeze=GLOBAL,
        fc_reduce=conv(channels, units, 1),
        bn=batch_norm(units),
        act=GATE_ACT,
        fc_select=conv(units, 2 * channels, 1),
    )
    return _weighted_sum(module, paths, choice, channels)


def _split_attention(
    module: Attending[Tensor], part: Part, op: ops.Conv2d, tensor: Tensor
) -> Tensor:
    """Attention over `radix` splits in each group (Zhang et al. 2020, arXiv 2004.08955)."""
    spec, channels, radix = part.design, op.out_channels, part.design.radix
    groups, bias = op.groups, op.bias
    wide = conv(op.in_channels, radix * channels, 3, op.stride[0], radix * groups, bias)
    tensor = module.normalized(module.run(tensor, conv=wide), "bn0")
    tensor = module.run(tensor, act0=spec.act)
    splits = module.split(tensor, *[channels] * radix) if radix > 1 else [tensor]
    units = split_hidden(channels, spec)
    first = conv(channels, units, 1, 1, groups, True)
    last = conv(units, radix * channels, 1, 1, groups, True)
    choice = module.run(module.summed(*splits), squeeze=GLOBAL, fc1=first)
    choice = module.run(module.normalized(choice, "bn1"), act1=GATE_ACT, fc2=last)
    if radix == 1:
        return module.add(SCALE, tensor, module.run(choice, gate=SIGMOID))
    if groups > 1:  # a group's shares lie together, and a split's are wanted
        choice = module.swapped(module.shaped(choice, groups, radix, channels // groups), 1)
    return _weighted_sum(module, splits, choice, channels)


def _hierarchy(module: Attending[Tensor], part: Part, op: ops.Conv2d, tensor: Tensor) -> Tensor:
    """A 3x3 for each part of the channels but the last, fed by the one before as well.

    Gao et al. 2019 (arXiv 1904.01169), Figure 2b. A block that changes the shape adds nothing, and
    pools the last part.
    """
    spec, width = part.design, op.out_channels
    made: list[Tensor] = []
    for i in range(spec.scales - 1):
        own = module.channels(tensor, i * width, width)
        if made and not part.changes:
            own = module.summed(made[-1], own)
        own = module.normalized(module.add(op, own, name=f"conv2_{i}"), f"bn2_{i}")
        made.append(module.add(spec.act, own, name=spec.act_path))
    last = module.channels(tensor, len(made) * width, width)
    if part.changes:
        last = module.pooled("wide", op.stride[0], last, "pool")
    return module.add(torch_ops.Concat(), *made, last, name="cat")


def in_place_of(
    module: Module[Tensor], kind: str, part: Part, op: ops.Conv2d, tensor: Tensor
) -> Tensor:
    """What takes the place of a 3x3 convolution, by the attention that it is."""
    attending = Attending(module.net, module.design, module.path)
    made: Tensor = _PATHS[kind](attending, part, op, tensor)
    return made


_PATHS: dict[str, Callable[..., Any]] = {
    "sk": _selective_kernel,
    "sk-full": _selective_kernel,
    "split": _split_attention,
    HIERARCHY: _hierarchy,
}
