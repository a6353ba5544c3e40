"""ResNetSpec: what a residual network is, as validated data.

Every field is a choice that some published network makes. A spec that cannot be built says why
when it is made (SpecError), so everything downstream may trust it.

A field is described once, where `Choices` declares it; `FIELDS` holds the descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from resnet_inspect.errors import unknown
from resnet_inspect.networks.choices import BLOCKS, Choices
from resnet_inspect.networks.shapes import Shape, divisible
from resnet_inspect.networks.spec_field import SpecField, described
from resnet_inspect.networks.spec_rules import check, follow, freed


# Only here are methods made of the choices: their class would make all of them again.
@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetSpec(Choices):
    """A residual network: its `Choices`, checked, and what follows from them."""

    def __post_init__(self) -> None:
        for about in FIELDS.values():
            value = getattr(self, about.name)
            if value is about.default:
                continue
            checked = about.checked(value)
            if checked is not value:
                object.__setattr__(self, about.name, checked)
        follow(self)
        check(self)

    @property
    def depth(self) -> int:
        """Layers with weights on the main path, as the papers count: stem, blocks, classifier.

        A deep stem counts as one, as in ResNet-50-D; shortcuts do not count.
        """
        heads = {"pool": 1, "hidden": 1, "embedding": 1, "mlp": 3, "attention": 1}
        ends = heads.get(self.head, 0)
        inside = sum(n * self.convolutions_of(stage) for stage, n in enumerate(self.blocks))
        return (self.stem != "none") + inside + ends + bool(self.head_width)

    @property
    def stem_stride(self) -> int:
        """Of the stem and the pool after it."""
        return prod(self.stem_strides) * (2 if self.stem_pool else 1)

    @property
    def dilates(self) -> bool:
        """Whether any field says that stages dilate."""
        return bool(self.output_stride or self.dilations or self.multi_grid)

    @property
    def input_shape(self) -> Shape:
        """Channels, height and width that the network is published for."""
        return (self.in_channels, *self.input_size)

    def kind_of(self, stage: int) -> str:
        """The kind of block of stage `stage` (0 is the first)."""
        return self.first_blocks[stage] if stage < len(self.first_blocks) else self.block

    def convolutions_of(self, stage: int) -> int:
        """Convolutions on the path of a stage's blocks."""
        kind = self.kind_of(stage)
        return BLOCKS[kind] + (self.extra_conv and kind == "bottleneck")

    def stage_channels(self, stage: int) -> int:
        """Channels that leave stage `stage` (0 is the first)."""
        assert self.expansion is not None  # set when the spec was made
        return self.widths[stage] * self.expansion

    def inner_channels(self, stage: int, entering: int = 0) -> int:
        """Channels of the 3x3 convolutions of a block (Xie et al. 2016, Table 1).

        entering: channels of its input, by default those that leave the stage, as in all its blocks
        but the first.
        """
        if self.bottle_ratio:
            of = entering if entering and self.bottle_of != "leaving" else self.widths[stage]
            begins = entering and stage == 0 and self.bottle_of == "later"
            return divisible(of * (1 if begins else self.bottle_ratio[stage]))
        if self.block != "bottleneck" or self.group_size:
            return self.widths[stage]
        return self.widths[stage] * self.group_width // 64 * self.groups

    def groups_of(self, stage: int, inner: int) -> int:
        """Groups of a stage's 3x3 convolution of so many channels."""
        return inner // self.group_size[stage] if self.group_size else self.groups

    def with_changes(self, changes: Mapping[str, Any]) -> ResNetSpec:
        """This spec with some fields changed; raises UnknownNameError or SpecError."""
        if not changes:
            return self
        settled: dict[str, Any] = {}
        for key, value in changes.items():
            about = field_named(key)
            if about.name in settled:
                raise about.error(f"is given twice, also as {about.alias}; give one")
            settled[about.name] = value
        return replace(self, **freed(self, settled))


FIELDS: dict[str, SpecField] = described(ResNetSpec)
"""Every field of a network by its name, in the order in which people are told."""


def field_named(name: str) -> SpecField:
    """The field of this name or alias; raises UnknownNameError with the nearest names."""
    if name in FIELDS:
        return FIELDS[name]
    for about in FIELDS.values():
        if name == about.alias:
            return about
    listing = "'resnet-inspect table --help' lists them"
    raise unknown("field of a network", name, FIELDS, listing, fields=(name,))
