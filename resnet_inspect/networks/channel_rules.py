"""Rules of channels: what is split, grouped or squeezed must divide."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from resnet_inspect.errors import SpecError
from resnet_inspect.networks.shapes import divisible

ResNetSpec = Any
"""The spec, which calls these rules when it is made."""

GROUPED = ("group", "evo")
"""Norms over groups of channels."""

ACTIVE = {"evo": "EvoNormS0", "frn": "FilterResponseNorm"}
"""Norms that activate as well, and the kinds of their ops."""


STEM_STRIDES = {
    "7x7": (2,),
    "3x3": (1,),
    "deep": (2, 1, 1),
    "tiered": (2, 1, 1),
    "even": (2, 1, 1),
    "quad": (2, 1, 1, 2),
    "quad2": (2, 1, 1, 2),
    "patch": (1, 1),
    "repvgg": (2,),
    "none": (),
}
"""Strides of the convolutions of each stem, where nothing else is said."""


def stem_channels(kind: str, width: int) -> tuple[int, ...]:
    """Channels that leave each convolution of a stem."""
    if kind in ("quad", "quad2"):
        return width // 8, width // 4, width // 2, width
    if kind in ("deep", "tiered"):
        return 3 * (width // 8) if kind == "tiered" else width // 2, width // 2, width
    return (width,) * len(STEM_STRIDES[kind])


def squeezed_channels(channels: int, reduction: int, multiple: int = 8) -> int:
    """Hidden units of attention: channels / reduction to the nearest 8, at least 8.

    The ratio is the paper's (Hu et al. 2017, section 4); the rounding timm's.
    """
    if multiple == 1:
        return max(1, round(channels / reduction))
    return divisible(channels / reduction, multiple, 0)


def split_hidden(channels: int, spec: ResNetSpec) -> int:
    """Hidden units of split attention of so many channels, as timm: at least 32."""
    units = squeezed_channels(channels * spec.radix, spec.se_reduction, spec.se_multiple)
    return max(32, units)


def check_channels(spec: ResNetSpec) -> None:
    grouped = spec.groups != 1 and spec.block != "repvgg"
    if spec.block != "bottleneck" and (grouped or spec.group_width != 64 or spec.group_size):
        given = f"groups={spec.groups}, group_width={spec.group_width}"
        if spec.group_size:
            given = f"group_size={spec.group_size[0]}"
        raise SpecError(
            f"{given} with {spec.block} blocks; only bottlenecks have groups "
            "(block='bottleneck'), others widen by widths",
            fields=("groups", "group_width", "group_size", "block"),
        )
    entering = (spec.stem_width, *(spec.stage_channels(s) for s in range(len(spec.blocks))))
    for stage, width in enumerate(spec.widths):
        if spec.inner_channels(stage) == 0:
            least = -(-64 // spec.group_width)
            raise SpecError(
                f"widths has {width}, which leaves no channel for each of groups="
                f"{spec.groups} at group_width={spec.group_width}; the least width is {least}",
                fields=("widths", "groups", "group_width"),
            )
        for inner in {spec.inner_channels(stage, entering[stage]), spec.inner_channels(stage)}:
            _check_divided(spec, stage, inner)
            kind = spec.kind_of(stage)
            if spec.first_blocks and kind != "bottleneck" and spec.groups_of(stage, inner) > 1:
                raise SpecError(
                    f"group_size has {spec.group_size[stage]} for {kind} blocks, which have no "
                    f"groups; give {inner} for their stage",
                    fields=("group_size", "first_blocks"),
                )
    if spec.head == "attention" and spec.stage_channels(-1) % 64:
        raise SpecError(
            f"widths ends with {spec.widths[-1]}, which leaves {spec.stage_channels(-1)} channels; "
            "an attention head needs a multiple of 64",
            fields=("widths", "head"),
        )
    if spec.shortcut == "A":
        for before, after in pairwise(entering):
            if after < before:
                raise SpecError(
                    f"shortcut A pads channels and cannot go from {before} to {after}; "
                    "widen the stage or take shortcut B",
                    fields=("shortcut", "widths", "stem_width"),
                )


def _check_divided(spec: ResNetSpec, stage: int, inner: int) -> None:
    """Channels that are split must divide."""
    entering = spec.reduce_first * spec.groups_of(stage, inner)  # a 3x3 is fed whole groups
    divisors = {"reduce_first": entering if spec.reduce_first > 1 else 1}
    if spec.group_size:
        divisors["group_size"] = spec.group_size[stage]
    if spec.norm in GROUPED:
        groups = f"groups of {spec.norm_size}" if spec.norm_size else "32 groups"
        divisors[f"norm ({groups})"] = (spec.norm_size or 32) * spec.reduce_first
    if spec.block == "repvgg":
        divisors["groups"] = spec.groups
    if spec.self_attention and spec.self_attention[stage] != "none":
        divisors["self_attention (heads)"] = 8 if "halo" in spec.self_attention[stage] else 4
    if spec.attention == "sk":
        divisors["attention (halves)"] = 2 * entering
    if spec.attention == "split":
        divisors["radix (splits in groups)"] = spec.radix * entering
        groups = spec.groups_of(stage, inner)
        if split_hidden(inner, spec) % groups:
            raise SpecError(
                f"groups is {groups}, and split attention of {inner} channels has "
                f"{split_hidden(inner, spec)} hidden units; give a divisor of these",
                fields=("groups", "se_multiple", "group_size", "attention"),
            )
    if spec.convolution != "plain" and min(inner // spec.reduce_first, spec.stem_width) < 2:
        raise SpecError(
            f"widths has {spec.widths[stage]} and stem_width is {spec.stem_width}; weights are "
            f"{spec.convolution} over more than one channel, give 2 or more",
            fields=("widths", "stem_width", "convolution"),
        )
    for what, divisor in divisors.items():
        if divisor > 1 and inner % divisor:
            raise SpecError(
                f"widths has {spec.widths[stage]}, which gives {inner} channels inside a block; "
                f"{what} needs a multiple of {divisor}",
                fields=("widths", what.split()[0]),
            )


def check_stem(spec: ResNetSpec) -> None:
    convolutions = len(STEM_STRIDES[spec.stem])
    if len(spec.stem_strides) != convolutions:
        raise SpecError(
            f"stem_strides has {len(spec.stem_strides)} entries; a {spec.stem} stem has "
            f"{convolutions} convolutions",
            fields=("stem_strides", "stem"),
        )
    splits = convolutions > 1 and spec.stem != "patch"
    if splits and (spec.stem_width < 8 or spec.stem_width % 8):
        raise SpecError(
            f"stem_width is {spec.stem_width}; a {spec.stem} stem splits it, give a multiple of 8",
            fields=("stem_width", "stem"),
        )
    if spec.norm in GROUPED and spec.stem != "none":
        widths, multiple = stem_channels(spec.stem, spec.stem_width), spec.norm_size or 32
        for width in widths[2:] if spec.stem == "quad2" else widths:
            if width % multiple:
                raise SpecError(
                    f"stem_width {spec.stem_width} gives a stem of {width} channels; norm "
                    f"{spec.norm!r} needs a multiple of {multiple}",
                    fields=("stem_width", "norm"),
                )
