"""Rules between the fields of a spec: what follows from what, and what cannot stand together.

Each check says which value cannot stand, and what is possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import accumulate
from operator import mul
from typing import Any

from resnet_inspect.errors import SpecError
from resnet_inspect.networks.channel_rules import (
    ACTIVE,
    GROUPED,
    STEM_STRIDES,
    check_channels,
    check_stem,
)
from resnet_inspect.networks.choices import PRELU
from resnet_inspect.networks.ops import GAMMAS

ResNetSpec = Any
"""The spec, which calls these rules when it is made."""

REDUCTIONS = {"se": 16, "gc": 8, "sk": 16, "sk-full": 16, "split": 4, "cbam": 16}
"""Channels for each hidden unit of attention, where nothing else is said."""


def follow(spec: ResNetSpec) -> None:
    """Give fields that follow from others their values."""
    stages, gated = len(spec.blocks), "se" if spec.se_reduction else "none"
    wider = spec.block == "bottleneck" and not spec.bottle_ratio
    _give(spec, "strides", (1,) + (2,) * (stages - 1))
    _give(spec, "stem_pool", spec.stem not in ("3x3", "repvgg", "none"))
    _give(spec, "expansion", 4 if wider else 1)
    _give(spec, "stem_strides", STEM_STRIDES[spec.stem])
    _give(spec, "attention", gated)
    _give(spec, "se_multiple", 1 if spec.attention == "cbam" else 8)
    _give(spec, "drop_rate", 0.5 if spec.head == "mlp" else 0.0)
    if not spec.se_reduction and spec.attention in REDUCTIONS:
        object.__setattr__(spec, "se_reduction", REDUCTIONS[spec.attention])
    for name in ("group_size", "bottle_ratio"):
        if len(given := getattr(spec, name)) == 1:
            object.__setattr__(spec, name, given * stages)


def _give(spec: ResNetSpec, name: str, value: Any) -> None:
    if getattr(spec, name) in (None, ()):
        object.__setattr__(spec, name, value)


_FOLLOWING: dict[str, dict[str, Any]] = {
    "stem": {"stem_pool": None, "stem_strides": ()},
    "block": {"expansion": None, "stride_in": "3x3"},
    "bottle_ratio": {"expansion": None},
    "se_reduction": {"attention": None, "se_multiple": None},
    "attention": {"se_reduction": 0, "se_multiple": None, "attention_blocks": ()},
    "head": {"drop_rate": None},
}
"""Fields that follow from another, and what stands for their not being given."""


def freed(spec: ResNetSpec, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes to a spec, such that what follows from a changed field follows it unless given."""
    free: dict[str, Any] = {}
    blocks = changes.get("blocks")
    if isinstance(blocks, (list, tuple)) and len(blocks) != len(spec.blocks):
        free["strides"] = ()
    for name, following in _FOLLOWING.items():
        if name in changes:
            free |= following
    return {**free, **changes}


def check(spec: ResNetSpec) -> None:
    """Raise SpecError if a network of these fields cannot be built."""
    _check_lengths(spec)
    _check_needs(spec)
    _check_turns(spec)
    check_channels(spec)
    check_stem(spec)
    _check_dilation(spec)


def _check_dilation(spec: ResNetSpec) -> None:
    if not spec.dilates:
        return
    name = next(n for n in ("output_stride", "dilations", "multi_grid") if getattr(spec, n))
    _need_all(spec, name, _UNDILATED)
    if spec.output_stride and spec.dilations:
        raise SpecError(
            "output_stride and dilations both say where stages dilate; give one",
            fields=("output_stride", "dilations"),
        )
    if len(spec.multi_grid) > spec.blocks[-1]:
        raise SpecError(
            f"multi_grid has {len(spec.multi_grid)} factors for a last stage of {spec.blocks[-1]} "
            "blocks; give no more",
            fields=("multi_grid", "blocks"),
        )
    reached = [spec.stem_stride * step for step in accumulate(spec.strides, mul)]
    if spec.output_stride and spec.output_stride not in reached:
        possible = ", ".join(map(str, dict.fromkeys(reached)))
        raise SpecError(
            f"output_stride is {spec.output_stride}, and stages leave strides of {possible}; give "
            "one of these",
            fields=("output_stride", "strides", "stem"),
        )


_BY_STAGE = (
    *("group_size", "dilations", "bottle_ratio"),
    *("attention_blocks", "unpadded", "self_attention"),
)
"""Fields that may be empty, or hold for each stage."""


def _check_lengths(spec: ResNetSpec) -> None:
    if not spec.name.strip():
        raise SpecError("name is empty; give the network one", fields=("name",))
    if not spec.blocks:
        raise SpecError(
            "blocks is empty; give the number of blocks in each stage, such as 3,4,6,3",
            fields=("blocks",),
        )
    for name in ("widths", "strides", *_BY_STAGE):
        given = getattr(spec, name)
        if len(given) != len(spec.blocks) and (given or name in ("widths", "strides")):
            raise SpecError(
                f"{name} has {len(given)} entries for {len(spec.blocks)} stages "
                f"(blocks {','.join(map(str, spec.blocks))}); give one for each stage",
                fields=(name, "blocks"),
            )
    if len(spec.input_size) != 2:
        raise SpecError(
            f"input_size is {spec.input_size}; give height and width", fields=("input_size",)
        )


_Needs = Mapping[str, tuple[Any, ...]]
"""What fields must be: any of these values."""

_LITERALS: dict[str, Any] = {"True": True, "False": False, "()": ()}


@cache
def needed(text: str) -> _Needs:
    """What fields must be: {'scales': (1, 2), 'norm': ('none',)} of 'scales=1|2 norm=none'."""
    parts = (part.partition("=") for part in text.split())
    return {name: tuple(map(_value, values.split("|"))) for name, _, values in parts}


def _value(text: str) -> Any:
    return int(text) if text.isdigit() else _LITERALS.get(text, text)


_ANY = "basic|bottleneck"
_POST = f"block={_ANY} order=post"
_POST_BOTTLENECK = "block=bottleneck order=post"
_ADDED = "shortcut=A|B|C|D"
_GATES = "attention=none|se|eca|gc"

_UNDILATED = needed(
    f"block={_ANY} order=post|pre|ahead unpadded=() antialias=none {_GATES}|cbam scales=1 "
    "self_attention=()"
)
"""What fields must be where stages dilate."""

_RULES = f"""
block=conv: stem=none shortcut=none order=post attention=none expansion=1 convolution=plain
stem=none: block=conv stem_pool=False
head=mlp: block=conv head_width=0
head=attention: {_POST} head_width=0 linear_out=False
stride_in=1x1: block=bottleneck
padding=same: block={_ANY} antialias=none {_GATES}|cbam scales=1 pool=max|conv
block=repvgg|mobileone: shortcut=B order=post norm=batch expansion=1 padding=torch
block=repvgg|mobileone: attention=none|se se_entering=False
block=mobileone: groups=1
stem=repvgg: block=repvgg|mobileone stem_pool=False
attention=se: block={_ANY}|repvgg|mobileone
attention=eca: block={_ANY}
attention=gc|cbam: block={_ANY} {_ADDED}
attention=sk|sk-full: {_POST} convolution=plain {_ADDED} scales=1
attention=split: {_POST_BOTTLENECK} convolution=plain {_ADDED} scales=1 norm=batch|none
zero_gamma=True: block={_ANY} {_ADDED} norm=batch|group|none convolution=plain|standardized
norm=frozen: {_POST} {_GATES}
attention_at=inner: block={_ANY}
attention_at=activated: {_POST}
shortcut=identity: {_POST}
linear_out=True: {_POST}
order=ahead: block={_ANY} shortcut=B|C|D
stem=quad2: order=post
antialias=average|blur|wide|before: {_POST}
convolution=standardized|scaled: block={_ANY} order=pre
convolution=scaled: {_ADDED} norm=none activation={"|".join(GAMMAS)}
gamma_in_act=True: convolution=scaled
skipinit=True: convolution=scaled
extra_conv=True: block=bottleneck scales=1 antialias=none
norm={"|".join(ACTIVE)}: convolution=plain block={_ANY} {_GATES} attention_at=last|inner
norm={"|".join(ACTIVE)}: order=post|pre scales=1
head=hidden: {_POST} norm=batch
order=inner: block={_ANY} convolution=plain attention=none
activation={PRELU}: order=inner block=basic
outer_norm=stem|none: order=pre head_width=0
head=embedding: order=inner norm=batch head_width=0
stem=patch: {_POST} padding=torch
reduce_first=..: block=bottleneck
scales=..: {_POST_BOTTLENECK} {_ADDED} reduce_first=1
radix=..: block=bottleneck attention=split
group_size=..: groups=1 group_width=64
se_reduction=..: attention={"|".join(REDUCTIONS)}
norm_size=..: norm={"|".join(GROUPED)}
branches=..: block=mobileone
attention_blocks=..: block=mobileone attention=se
unpadded=..: {_POST_BOTTLENECK} padding=torch attention=none antialias=none extra_conv=False
unpadded=..: shortcut=B|C self_attention=() scales=1
shortcut_kernel=..: shortcut=B|C|D
drop_rate=..: head=pool|mlp
drop_path_rate=..: block={_ANY} {_ADDED}
block_drop_rate=..: block=basic order=pre
self_attention=..: {_POST_BOTTLENECK} convolution=plain {_ADDED} norm=batch|group|none
self_attention=..: padding=torch stride_in=3x3 antialias=none first_blocks=() unpadded=()
self_attention=..: scales=1 reduce_first=1 linear_out=False extra_conv=False
self_attention=..: {_GATES} attention_at=inner
bottle_ratio=..: block=bottleneck expansion=1 groups=1 scales=1 reduce_first=1 group_width=64
"""
"""A field's values, and what others must be where it has one of them.

'..' is any value that says something: neither 0 nor 1. What adds within itself needs a shortcut:
nobody has published it in plain networks.
"""


def _read(text: str) -> Iterator[tuple[str, tuple[Any, ...] | None, str]]:
    rules: dict[str, str] = {}
    for line in text.strip().splitlines():
        when, _, needs = line.partition(": ")
        rules[when] = f"{rules.get(when, '')} {needs}"
    for when, needs in rules.items():
        ((name, values),) = needed(when).items()
        yield name, None if values == ("..",) else values, needs


RULES = tuple(_read(_RULES))
"""Fields, values of them (None for '..'), and what these need."""


def _check_needs(spec: ResNetSpec) -> None:
    for name, values, needs in RULES:
        value = getattr(spec, name)
        if value not in (0, 1, ()) if values is None else value in values:
            _need_all(spec, name, needed(needs))
    if spec.query_width and not spec.self_attention:
        raise SpecError(
            f"query_width is {spec.query_width}, and no stage has self-attention; give "
            "self_attention, such as none,none,bot/2,bot",
            fields=("query_width", "self_attention"),
        )
    if spec.first_blocks:
        _check_first_blocks(spec)
    if spec.norm in ACTIVE and spec.order == "post":
        _need(spec, "norm", "linear_out", (True,))
    if spec.bottle_of != "leaving" and not spec.bottle_ratio:
        raise SpecError(
            f"bottle_of is {spec.bottle_of!r} without a bottle_ratio; give one, such as 2.25",
            fields=("bottle_of", "bottle_ratio"),
        )
    if spec.block == "conv" and spec.strides[0] != 1:
        raise SpecError(
            f"strides begins with {spec.strides[0]}; single convolutions pool between stages, so "
            "the first is 1",
            fields=("strides", "block"),
        )
    if spec.shortcut_kernel % 2 == 0:
        raise SpecError(
            f"shortcut_kernel is {spec.shortcut_kernel}, which has no middle; give an odd number",
            fields=("shortcut_kernel",),
        )
    if spec.extra_conv:
        order, other = ("attention", "none") if spec.order == "post" else ("convolution", "scaled")
        _need(spec, "extra_conv", order, (other,))
    if spec.head == "hidden" and not spec.head_width:
        raise SpecError(
            "head is 'hidden' and head_width 0; give the width of the hidden layer, such as 1024",
            fields=("head_width", "head"),
        )


def _check_first_blocks(spec: ResNetSpec) -> None:
    if not spec.bottle_ratio or len(spec.first_blocks) >= len(spec.blocks):
        raise SpecError(
            f"first_blocks has {len(spec.first_blocks)} for {len(spec.blocks)} stages; give those "
            "of stages before bottlenecks, and bottle_ratio, such as 1,1,0.25,0.25",
            fields=("first_blocks", "bottle_ratio"),
        )
    _need(spec, "first_blocks", "order", ("post",))
    for name in ("antialias", "attention", "unpadded"):
        _need(spec, "first_blocks", name, _UNDILATED[name])


def _check_turns(spec: ResNetSpec) -> None:
    """What stands for two blocks in turn."""
    for blocks, gated in zip(spec.blocks, spec.attention_blocks or spec.blocks, strict=True):
        if spec.block == "mobileone" and blocks % 2:
            raise SpecError(
                f"blocks has {blocks}; MobileOne's are depthwise and 1x1 in turn, "
                "give even numbers",
                fields=("blocks", "block"),
            )
        if gated > blocks:
            raise SpecError(
                f"attention_blocks has {gated} for a stage of {blocks} blocks; give no more",
                fields=("attention_blocks", "blocks"),
            )


def _need_all(spec: ResNetSpec, name: str, needs: Mapping[str, tuple[Any, ...]]) -> None:
    for other, allowed in needs.items():
        _need(spec, name, other, allowed)


def _need(spec: ResNetSpec, name: str, other: str, allowed: tuple[Any, ...]) -> None:
    value = getattr(spec, other)
    if value not in allowed:
        way = f"no {other}" if allowed == ((),) else f"{other} {' or '.join(map(_said, allowed))}"
        raise SpecError(
            f"{name} is {_said(getattr(spec, name))} and {other} {_said(value)}; it needs {way}",
            fields=(name, other),
        )


def _said(value: Any) -> str:
    """A value as a command has it: 1,1,2,4 of several."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else repr(value)
