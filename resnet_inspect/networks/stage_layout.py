"""The parts of a network, stage by stage: what each is wired from, and which blocks are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from resnet_inspect.networks.design import CHAIN, Design, Part
from resnet_inspect.networks.graph import HEAD, STEM
from resnet_inspect.networks.shapes import Pair
from resnet_inspect.networks.spec import ResNetSpec

ALPHA = 0.2
"""What networks of scaled convolutions multiply a residual by."""


class StageLayout(NamedTuple):
    """The parts of a stage that differ, and how many times the last of them runs again."""

    path: str
    parts: tuple[Part, ...]
    repeats: int


def layout(spec: ResNetSpec) -> Iterator[StageLayout]:
    """The parts of a network in running order, stage by stage."""
    design, kind = Design.of(spec), block_kind(spec)
    channels, named, variance, stride = spec.stem_width, "layer", 1.0, spec.stem_stride
    if spec.stem == "none":
        channels, named = spec.in_channels, "stage"
    else:
        yield StageLayout("stem", (Part(design, STEM, spec.in_channels, 0, channels, 0),), 0)
    rates = _drop_path_rates(spec)
    for stage, (count, step) in enumerate(zip(spec.blocks, _steps(spec), strict=True)):
        inner, leaving = spec.inner_channels(stage), spec.stage_channels(stage)
        if spec.first_blocks:
            block = spec.kind_of(stage)
            more = spec.extra_conv and block == "bottleneck"
            design, kind = design._replace(block=block, extra_conv=more), block_kind(spec, block)
        first, groups = spec.inner_channels(stage, channels), spec.groups_of(stage, inner)
        of_first = groups if first == inner else spec.groups_of(stage, first)
        parts = [Part(design, kind, channels, first, leaving, step.stride, of_first)]
        parts += [Part(design, kind, leaving, inner, leaving, 1, groups)] * (count - 1)
        if step.rest > 1 or step.first > 1 or step.factors:
            parts = [part._replace(dilation=step.of_block(n)) for n, part in enumerate(parts)]
            parts[0] = parts[0]._replace(projects=step.undone)
        if spec.unpadded:
            parts = _unpadded(parts, spec.unpadded[stage])
        if spec.drop_path_rate:
            parts = [part._replace(drop=rate) for part, rate in zip(parts, rates, strict=False)]
        if spec.convolution == "scaled":
            parts, variance = _damped(parts, variance)
        elif _takes_turns(spec):
            parts = _in_turn(spec, stage, parts)
        elif spec.self_attention:
            parts = _attending(spec, stage, parts, stride)
        elif kind != CHAIN and not (step.factors or spec.drop_path_rate):
            # from its second block on, a stage repeats itself
            parts = parts[:2]
        yield StageLayout(f"{named}{stage + 1}", tuple(parts), count - len(parts))
        channels, stride = leaving, stride * step.stride
    if spec.head != "none":
        part = Part(design, HEAD, channels, 0, spec.classes, 0)
        if spec.head == "attention":
            part = part._replace(positions=_positions(spec, stride))
        yield StageLayout("head", (part,), 0)


_CLASSES = {
    "basic": "BasicBlock",
    "bottleneck": "Bottleneck",
    "edge": "EdgeBlock",
    "repvgg": "RepVGGBlock",
    "mobileone": "MobileOneBlock",
}


def block_kind(spec: ResNetSpec, block: str = "") -> str:
    """What a block of this network calls itself: Bottleneck, PreActBasicBlock, SEBottleneck, .."""
    if spec.block == "conv":
        return CHAIN
    base = _CLASSES[block or spec.block]
    plain = "Plain" if spec.shortcut == "none" else ""
    before = {"post": "", "inner": "Inner"}.get(spec.order, "PreAct")
    attention = spec.attention or "none"
    gated = {"none": "", "split": "Split"}.get(attention, attention.removesuffix("-full").upper())
    return plain + before + gated + ("Res2" if spec.scales > 1 else "") + base


# --- what makes the blocks of a stage differ ----------------------------------------------------


class _Steps(NamedTuple):
    """How a stage strides and dilates.

    stride: of its first block. first, rest: dilations of the first 3x3 convolution of its first
    block, and of all others. factors: of the dilation of each block in turn, all 3x3 alike. undone:
    whether an output stride took its stride, whose projection stays.
    """

    stride: int
    first: int = 1
    rest: int = 1
    factors: tuple[int, ...] = ()
    undone: bool = False

    def of_block(self, number: int) -> tuple[int, int]:
        """Dilations of the first and the second 3x3 convolution of a block."""
        if self.factors:
            rate = self.rest * self.factors[number % len(self.factors)]
            return rate, rate
        return (self.rest if number else self.first), self.rest


def _steps(spec: ResNetSpec) -> tuple[_Steps, ...]:
    """The steps of each stage, where it may dilate instead of striding (arXiv 1706.05587).

    The dilation of a stage is that of all its 3x3 convolutions but the first block's, which keeps
    that of the stage before, as its input does: torchvision's replace_stride_with_dilation and
    timm's output_stride have it so, and the weights of a network that strides keep their meaning.
    """
    if not spec.dilates:
        return tuple(map(_Steps, spec.strides))
    reached, dilation, before = spec.stem_stride, 1, 1
    stages = []
    for stage, stride in enumerate(spec.strides):
        undone = 0 < spec.output_stride < reached * stride and stride > 1
        if spec.dilations:
            dilation = spec.dilations[stage]
        elif undone:
            dilation, stride = dilation * stride, 1
        reached *= stride
        last = stage == len(spec.strides) - 1
        factors = spec.multi_grid if last else ()
        stages.append(_Steps(stride, before, dilation, factors, undone))
        before = dilation
    return tuple(stages)


def _drop_path_rates(spec: ResNetSpec) -> Iterator[float]:
    """Of each block in turn: from 0 on by equal steps (Huang et al. 2016, equation 4, as timm)."""
    last = sum(spec.blocks) - 1
    return (spec.drop_path_rate * block / max(1, last) for block in range(last + 1))


def _damped(parts: Sequence[Part], variance: float) -> tuple[list[Part], float]:
    """The blocks of a stage that keep the variance of what they see at 1, and what leaves them.

    Each adds ALPHA squared to it, and a stage's first block starts again from 1 (Brock et al. 2021,
    arXiv 2101.08692, section 3).
    """
    damped = []
    for number, part in enumerate(parts):
        damped.append(part._replace(damping=1.0 / variance**0.5))
        variance = (variance if number else 1.0) + ALPHA**2
    return damped, variance


def _unpadded(parts: Sequence[Part], spatial: int) -> list[Part]:
    """The blocks of a stage that do not pad: the first has a 3x3 if `spatial`, all others a 1x1."""
    windows = ((3 if spatial and not number else 1, 0) for number in range(len(parts)))
    return [part._replace(window=window) for part, window in zip(parts, windows, strict=True)]


def _takes_turns(spec: ResNetSpec) -> bool:
    """Whether the blocks of a stage are of two kinds, in turn."""
    return spec.block == "mobileone" or (spec.block == "repvgg" and spec.groups > 1)


def _in_turn(spec: ResNetSpec, stage: int, parts: Sequence[Part]) -> list[Part]:
    """The blocks of a stage: with groups every other (RepVGG's g4), or depthwise and 1x1."""
    if spec.block == "repvgg":
        return [part._replace(groups=spec.groups if n % 2 else 1) for n, part in enumerate(parts)]
    gated = spec.attention_blocks[stage] if spec.attention_blocks else len(parts)
    pairs = []
    for n, part in enumerate(parts):
        width = parts[0].entering if n < 2 else part.entering
        if n % 2:
            part = part._replace(entering=width, inner=0)
        else:
            part = part._replace(entering=width, inner=width, leaving=width, groups=width)
        if n < len(parts) - gated:
            plain = part.design._replace(attention="none")
            part = part._replace(design=plain, kind=part.kind.removeprefix("SE"))
        pairs.append(part)
    return pairs


def _attending(spec: ResNetSpec, stage: int, parts: Sequence[Part], stride: int) -> list[Part]:
    """The blocks of a stage with its self-attention, but for those that repeat the last.

    stride: of what enters the stage.
    """
    kind, _, every = spec.self_attention[stage].partition("/")
    every = every or ("1" if spec.drop_path_rate else "")
    if kind == "none":
        return list(parts if every else parts[:2])
    before, after = (_positions(spec, at) for at in (stride, stride * parts[0].stride))
    found = list(parts) if every else list(parts[:2])
    for at in range(int(every or 1) - 1, len(found), int(every or 1)):
        found[at] = found[at]._replace(attends=kind, positions=after if at else before)
    return found


def _positions(spec: ResNetSpec, stride: int) -> Pair:
    """Height and width of a map at a stride, of an input of the network's own size."""
    height, width = spec.input_size
    return max(1, height // stride), max(1, width // stride)
