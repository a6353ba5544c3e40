"""ResNetSpec: what a residual network is, as validated data.

Every field is a choice that some published network makes. A spec that cannot be built says why
when it is made (SpecError), so everything downstream may trust it.

A field is described once, where the class declares it. `FIELDS` holds the descriptions; checks,
TOML files, inline names and the command line's options loop over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from resnet_inspect.errors import SpecError, unknown
from resnet_inspect.networks.ops import ACTIVATIONS, Shape
from resnet_inspect.networks.spec_field import SpecField, described, spec_field

BLOCKS = {"basic": 2, "bottleneck": 3, "conv": 1}
"""Kinds of block, with the convolutions on their path (He et al. 2015, Figure 5; VGG's)."""

DEEPEST = 10_000
"""Blocks in a stage: some fifty times the deepest published, and still counted in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetSpec:
    """A residual network. `FIELDS` says what each field takes; the sources:

    block: He et al. 2015 (arXiv 1512.03385), Figure 5. widths are before a bottleneck's expansion
        by 4; strides are of each stage's first block (if empty: 1, and 2 for later stages).
    stem: deep is He et al. 2018 (arXiv 1812.01187), Figure 2b; tiered is timm's t.
    shortcut: A, B and C are He et al. 2015, section 3.3, and none their plain networks; D is He et
        al. 2018, Figure 2c. shortcut_norm applies to post-activation networks only.
    stride_in: 1x1 as published in 2015; 3x3 is v1.5. order: pre is He et al. 2016 (arXiv
        1603.05027).
    groups, group_width: a bottleneck's 3x3 has floor(width * group_width / 64) * groups channels
        in `groups` groups (ResNeXt; wide ResNets have one group of width 128).
    se_reduction: squeeze-and-excitation (arXiv 1709.01507) with channels / se_reduction hidden
        units, rounded to a multiple of 8 as timm does.
    """

    name: str = spec_field("custom", "word", "TEXT", "What to call the network.")
    block: str = spec_field(
        "basic",
        "word",
        "KIND",
        "Residual block.",
        {"basic": "two 3x3", "bottleneck": "1x1, 3x3, 1x1", "conv": "one 3x3, as VGG"},
    )
    blocks: tuple[int, ...] = spec_field(
        (2, 2, 2, 2), "numbers", "N,N,..", "Blocks in each stage.", most=DEEPEST, example="3,4,6,3"
    )
    widths: tuple[int, ...] = spec_field(
        (64, 128, 256, 512),
        "numbers",
        "N,N,..",
        "Channels of each stage's 3x3 convolutions.",
        example="64,128,256,512",
    )
    strides: tuple[int, ...] = spec_field(
        (), "numbers", "N,N,..", "Stride of each stage's first block.", example="1,2,2,2"
    )
    stem: str = spec_field(
        "7x7",
        "word",
        "KIND",
        "Stem.",
        {
            "7x7": "stride 2",
            "3x3": "stride 1, for small images",
            "deep": "three 3x3",
            "tiered": "three 3x3, narrower first",
            "none": "the first stage takes the image, as VGG's does",
        },
    )
    stem_width: int = spec_field(64, "number", "N", "Channels that leave the stem.")
    stem_pool: bool | None = spec_field(
        None, "flag", "", "Max pooling after the stem (by default all but the 3x3 stem)."
    )
    shortcut: str = spec_field(
        "B",
        "word",
        "OPTION",
        "Shortcut.",
        {
            "A": "zero padding",
            "B": "projection where the shape changes",
            "C": "projection everywhere",
            "D": "average pool and projection",
            "none": "a plain network",
        },
        of_block=True,
    )
    shortcut_norm: bool = spec_field(
        True, "flag", "", "Batch norm after a projection.", of_block=True
    )
    stride_in: str = spec_field(
        "3x3",
        "word",
        "CONV",
        "Convolution in which a bottleneck strides.",
        {"1x1": "2015", "3x3": "v1.5"},
        of_block=True,
    )
    order: str = spec_field(
        "post",
        "word",
        "ORDER",
        "Activation after or before the convolutions.",
        {"post": "2015", "pre": "2016"},
        of_block=True,
    )
    norm: str = spec_field(
        "batch",
        "word",
        "NORM",
        "Normalization.",
        {"batch": "batch norm", "none": "none"},
        of_block=True,
    )
    groups: int = spec_field(1, "number", "N", "Groups of a bottleneck's 3x3.", of_block=True)
    group_width: int = spec_field(
        64, "number", "N", "Width of each group where the stage is 64 wide.", of_block=True
    )
    se_reduction: int = spec_field(
        0, "number", "N", "Squeeze-and-excitation by N; 0 for none.", least=0, of_block=True
    )
    activation: str = spec_field(
        "relu", "word", "NAME", "Activation.", tuple(ACTIVATIONS), of_block=True
    )
    bias: tuple[str, ...] = spec_field(
        (),
        "words",
        "PART,..",
        "Convolutions with a bias, or 'none'.",
        ("stem", "residual", "shortcut"),
        example="stem,residual,shortcut",
    )
    head: str = spec_field(
        "pool",
        "word",
        "KIND",
        "Head.",
        {"pool": "global average, linear", "mlp": "7x7 average, three linear, as VGG"},
    )
    in_channels: int = spec_field(3, "number", "N", "Channels of the input.", of_block=True)
    classes: int = spec_field(1000, "number", "N", "Classes.", alias="num_classes")
    input_size: tuple[int, int] = spec_field(
        (224, 224),
        "numbers",
        "H,W",
        "Height and width that the network is published for.",
        example="224,224",
    )

    def __post_init__(self) -> None:
        for about in FIELDS.values():
            value = getattr(self, about.name)
            if value is about.default:
                continue
            checked = about.checked(value)
            if checked is not value:
                object.__setattr__(self, about.name, checked)
        if not self.strides:
            object.__setattr__(self, "strides", (1,) + (2,) * (len(self.blocks) - 1))
        if self.stem_pool is None:
            object.__setattr__(self, "stem_pool", self.stem not in ("3x3", "none"))
        _check_lengths(self)
        _check_chain(self)
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
        ends = 3 if self.head == "mlp" else 1
        return (self.stem != "none") + BLOCKS[self.block] * sum(self.blocks) + ends

    @property
    def input_shape(self) -> Shape:
        """Channels, height and width that the network is published for."""
        return (self.in_channels, *self.input_size)

    def stage_channels(self, stage: int) -> int:
        """Channels that leave stage `stage` (0 is the first)."""
        return self.widths[stage] * self.expansion

    def inner_channels(self, stage: int) -> int:
        """Channels of the 3x3 convolutions of a stage (Xie et al. 2016, Table 1)."""
        if self.block != "bottleneck":
            return self.widths[stage]
        return self.widths[stage] * self.group_width // 64 * self.groups

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
        # Fields that follow from another unless they are given follow it here too.
        blocks = settled.get("blocks")
        if isinstance(blocks, (list, tuple)) and len(blocks) != len(self.blocks):
            settled.setdefault("strides", ())
        if "stem" in settled:
            settled.setdefault("stem_pool", None)
        return replace(self, **settled)


FIELDS: dict[str, SpecField] = described(ResNetSpec)
"""Every field of a network by its name, in the order in which people are told."""


def field_named(name: str) -> SpecField:
    """The field of this name or alias; raises UnknownNameError with the nearest names."""
    if name in FIELDS:
        return FIELDS[name]
    for about in FIELDS.values():
        if name == about.alias:
            return about
    raise unknown("field of a network", name, FIELDS, fields=(name,))


def _check_lengths(spec: ResNetSpec) -> None:
    if not spec.name.strip():
        raise FIELDS["name"].error("is empty; give the network one")
    if not spec.blocks:
        raise FIELDS["blocks"].error(
            "is empty; give the number of blocks in each stage, such as 3,4,6,3"
        )
    for name in ("widths", "strides"):
        if len(getattr(spec, name)) != len(spec.blocks):
            raise SpecError(
                f"{name} has {len(getattr(spec, name))} entries for {len(spec.blocks)} stages "
                f"(blocks {','.join(map(str, spec.blocks))}); give one for each stage",
                fields=(name, "blocks"),
            )
    if len(spec.input_size) != 2:
        raise FIELDS["input_size"].error(f"is {spec.input_size}; give height and width")


_OF_CHAIN: dict[str, Any] = {
    "stem": "none",
    "stem_pool": False,
    "shortcut": "none",
    "order": "post",
    "se_reduction": 0,
}
"""What single convolutions leave no choice of."""


def _check_chain(spec: ResNetSpec) -> None:
    if spec.block != "conv":
        for name, value in (("stem", "none"), ("head", "mlp")):
            if getattr(spec, name) == value:
                raise SpecError(
                    f"{name} is {value!r} with {spec.block} blocks; only single convolutions "
                    "(block='conv') have that",
                    fields=(name, "block"),
                )
        return
    for name, value in _OF_CHAIN.items():
        if getattr(spec, name) != value:
            raise SpecError(
                f"{name} is {getattr(spec, name)!r} with block='conv'; single convolutions have "
                f"{name}={value!r}",
                fields=(name, "block"),
            )


def _check_channels(spec: ResNetSpec) -> None:
    if spec.block != "bottleneck" and (spec.groups != 1 or spec.group_width != 64):
        raise SpecError(
            f"groups={spec.groups}, group_width={spec.group_width} with {spec.block} blocks; only "
            "bottlenecks have groups (block='bottleneck'), others widen by widths",
            fields=("groups", "group_width", "block"),
        )
    for stage in range(len(spec.blocks)):
        if spec.inner_channels(stage) == 0:
            least = -(-64 // spec.group_width)
            raise SpecError(
                f"widths has {spec.widths[stage]}, which leaves no channel for each of groups="
                f"{spec.groups} at group_width={spec.group_width}; the least width is {least}",
                fields=("widths", "groups", "group_width"),
            )
    if spec.stem in ("deep", "tiered") and (spec.stem_width < 8 or spec.stem_width % 8):
        raise SpecError(
            f"stem_width is {spec.stem_width}; a {spec.stem} stem splits it, give a multiple of 8",
            fields=("stem_width", "stem"),
        )
    if spec.shortcut == "A":
        entering = (spec.stem_width, *(spec.stage_channels(s) for s in range(len(spec.blocks))))
        for before, after in pairwise(entering):
            if after < before:
                raise SpecError(
                    f"shortcut A pads channels and cannot go from {before} to {after}; "
                    "widen the stage or take shortcut B",
                    fields=("shortcut", "widths", "stem_width"),
                )
