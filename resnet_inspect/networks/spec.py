"""ResNetSpec: what a residual network is, as validated data.

Every field is a choice that some published network makes. A spec that cannot be built says why
when it is made (SpecError), so everything downstream may trust it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from resnet_inspect.errors import SpecError, unknown
from resnet_inspect.networks.ops import ACTIVATIONS, Shape

BLOCKS = {"basic": 2, "bottleneck": 3}
"""Kinds of residual block, with the convolutions on their path (He et al. 2015, Figure 5)."""

STEMS = ("7x7", "3x3", "deep", "tiered")


SHORTCUTS = ("A", "B", "C", "D", "none")


ORDERS = ("post", "pre")


STRIDE_IN = ("1x1", "3x3")


BIAS_PARTS = ("stem", "residual", "shortcut")

DEEPEST = 10_000
"""Blocks in a stage: some fifty times the deepest published, and still counted in seconds."""

LARGEST = 2**20
"""No width or size of a real network is near this; it catches slips before they cost gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetSpec:
    """A residual network.

    name: what it is called.
    block: 'basic' (two 3x3) or 'bottleneck' (1x1, 3x3, 1x1); He et al. 2015, Figure 5.
    blocks: blocks in each stage; widths: channels of each stage's 3x3 convolutions, before the
        bottleneck's expansion by 4; strides: what each stage's first block strides by (first
        stage 1, later ones 2 if not given).
    stem: '7x7' (stride 2), '3x3' (stride 1, for small images), 'deep' (three 3x3; He et al. 2018,
        Figure 2b) or 'tiered' (timm's t: narrower first); stem_width: channels it gives;
        stem_pool: 3x3 max pooling after it (by default all but the 3x3 stem).
    shortcut: where the shape changes 'A' pads with zeros, 'B' projects by 1x1, 'D' averages and
        projects (He et al. 2018, Figure 2c); 'C' projects in every block; 'none' is a plain net.
    shortcut_norm: batch norm after a projection (post-activation only).
    stride_in: whether a bottleneck strides in its first '1x1' (2015) or its '3x3' (v1.5).
    order: 'post' (2015) or 'pre' activation (He et al. 2016, arXiv 1603.05027).
    groups, group_width: a bottleneck's 3x3 has floor(width * group_width / 64) * groups channels
        in `groups` groups (ResNeXt; wide ResNets have one group of width 128).
    se_reduction: squeeze-and-excitation (arXiv 1709.01507) with channels / se_reduction hidden
        units, rounded to a multiple of 8 as timm does; 0 for none.
    activation: one of ops.ACTIVATIONS.
    bias: which convolutions have one: any of 'stem', 'residual', 'shortcut'.
    in_channels, classes; input_size: the height and width that the network is published for.
    """

    name: str = "custom"
    block: str = "basic"
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    strides: tuple[int, ...] = ()
    stem: str = "7x7"
    stem_width: int = 64
    stem_pool: bool | None = None
    shortcut: str = "B"
    shortcut_norm: bool = True
    stride_in: str = "3x3"
    order: str = "post"
    groups: int = 1
    group_width: int = 64
    se_reduction: int = 0
    activation: str = "relu"
    bias: tuple[str, ...] = ()
    in_channels: int = 3
    classes: int = 1000
    input_size: tuple[int, int] = (224, 224)

    def __post_init__(self) -> None:
        _check_types(self)
        for field, choices in CHOICES.items():
            if getattr(self, field) not in choices:
                raise unknown(field, getattr(self, field), choices)
        for part in self.bias:
            if part not in BIAS_PARTS:
                raise unknown("bias part", part, BIAS_PARTS)
        if not self.strides:
            object.__setattr__(self, "strides", (1,) + (2,) * (len(self.blocks) - 1))
        if self.stem_pool is None:
            object.__setattr__(self, "stem_pool", self.stem != "3x3")
        _check_sizes(self)
        _check_channels(self)

    @property
    def expansion(self) -> int:
        """Output channels of a block for each channel of its width (He et al. 2015, Table 1)."""
        return 4 if self.block == "bottleneck" else 1

    @property
    def depth(self) -> int:
        """Layers with weights on the main path, as the papers count: stem, blocks, classifier.

        A deep stem counts as one, as in ResNet-50-D; shortcuts do not count.
        """
        return 2 + BLOCKS[self.block] * sum(self.blocks)

    @property
    def input_shape(self) -> Shape:
        """Channels, height and width that the network is published for."""
        return (self.in_channels, *self.input_size)

    def stage_channels(self, stage: int) -> int:
        """Channels that leave stage `stage` (0 is the first)."""
        return self.widths[stage] * self.expansion

    def inner_channels(self, stage: int) -> int:
        """Channels of the 3x3 convolutions of a stage (Xie et al. 2016, Table 1)."""
        if self.block == "basic":
            return self.widths[stage]
        return self.widths[stage] * self.group_width // 64 * self.groups

    def with_changes(self, changes: Mapping[str, Any]) -> ResNetSpec:
        """This spec with some fields changed; raises UnknownNameError or SpecError."""
        names = [field.name for field in fields(self)]
        for key in changes:
            if key not in names:
                raise unknown("field of a network", key, names)
        settled = dict(changes)
        # Fields that follow from another unless they are given follow it here too.
        blocks = changes.get("blocks")
        if isinstance(blocks, (list, tuple)) and len(blocks) != len(self.blocks):
            settled.setdefault("strides", ())
        if "stem" in changes:
            settled.setdefault("stem_pool", None)
        return replace(self, **settled)


CHOICES: dict[str, tuple[str, ...]] = {
    "block": tuple(BLOCKS),
    "stem": STEMS,
    "shortcut": SHORTCUTS,
    "stride_in": STRIDE_IN,
    "order": ORDERS,
    "activation": tuple(ACTIVATIONS),
}
"""Fields that take one of a few words, with the words."""

_PLURAL = ("blocks", "widths", "strides", "bias", "input_size")


_WORDS = ("name", *CHOICES)


_FLAGS = ("stem_pool", "shortcut_norm")


def _check_types(spec: ResNetSpec) -> None:
    """Wrong types come from TOML files and keyword arguments; lists are taken as tuples."""
    for name in _PLURAL:
        value = getattr(spec, name)
        if isinstance(value, list):
            object.__setattr__(spec, name, tuple(value))
        elif not isinstance(value, tuple):
            raise SpecError(f"{name} is {value!r}; give a list, such as {_EXAMPLE[name]}")
        wanted = str if name == "bias" else int
        for item in getattr(spec, name):
            if type(item) is not wanted:
                raise SpecError(f"{name} holds {item!r}; give a list, such as {_EXAMPLE[name]}")
    for name in _WORDS:
        if not isinstance(getattr(spec, name), str):
            raise SpecError(f"{name} is {getattr(spec, name)!r}; give a word in quotes")
    for name in _FLAGS:
        if not isinstance(getattr(spec, name), (bool, type(None))):
            raise SpecError(f"{name} is {getattr(spec, name)!r}; give true or false")
    for name in NUMBERS:
        if type(getattr(spec, name)) is not int:
            raise SpecError(f"{name} is {getattr(spec, name)!r}; give a whole number")


NUMBERS: dict[str, int] = {
    "stem_width": 1,
    "groups": 1,
    "group_width": 1,
    "se_reduction": 0,
    "in_channels": 1,
    "classes": 1,
}
"""Fields that take a whole number, with the least that makes sense."""

_EXAMPLE = {
    "blocks": "[3, 4, 6, 3]",
    "widths": "[64, 128, 256, 512]",
    "strides": "[1, 2, 2, 2]",
    "bias": '["stem", "residual", "shortcut"]',
    "input_size": "[224, 224]",
}


def _check_sizes(spec: ResNetSpec) -> None:
    if not spec.name.strip():
        raise SpecError("name is empty; give the network one")
    if not spec.blocks:
        raise SpecError("blocks is empty; give the number of blocks in each stage, such as 3,4,6,3")
    for name in ("widths", "strides"):
        if len(getattr(spec, name)) != len(spec.blocks):
            raise SpecError(
                f"{name} has {len(getattr(spec, name))} entries for {len(spec.blocks)} stages "
                f"(blocks {','.join(map(str, spec.blocks))}); give one for each stage"
            )
    if len(spec.input_size) != 2:
        raise SpecError(f"input_size is {spec.input_size}; give height and width")
    bounds = dict.fromkeys(("blocks", "widths", "strides", "input_size"), 1)
    for name, least in {**bounds, **NUMBERS}.items():
        value = getattr(spec, name)
        most = DEEPEST if name == "blocks" else LARGEST
        for item in value if isinstance(value, tuple) else (value,):
            if not least <= item <= most:
                raise SpecError(f"{name} has {item}; allowed are {least} to {most}")


def _check_channels(spec: ResNetSpec) -> None:
    if spec.block == "basic" and (spec.groups != 1 or spec.group_width != 64):
        raise SpecError(
            f"groups={spec.groups}, group_width={spec.group_width} with basic blocks; only "
            "bottlenecks have groups (block='bottleneck'), and basic blocks widen by widths"
        )
    for stage in range(len(spec.blocks)):
        if spec.inner_channels(stage) == 0:
            least = -(-64 // spec.group_width)
            raise SpecError(
                f"widths has {spec.widths[stage]}, which leaves no channel for each of groups="
                f"{spec.groups} at group_width={spec.group_width}; the least width is {least}"
            )
    if spec.stem in ("deep", "tiered") and (spec.stem_width < 8 or spec.stem_width % 8):
        raise SpecError(
            f"stem_width is {spec.stem_width}; a {spec.stem} stem splits it, give a multiple of 8"
        )
    if spec.shortcut == "A":
        entering = (spec.stem_width, *(spec.stage_channels(s) for s in range(len(spec.blocks))))
        for before, after in pairwise(entering):
            if after < before:
                raise SpecError(
                    f"shortcut A pads channels and cannot go from {before} to {after}; "
                    "widen the stage or take shortcut B"
                )
