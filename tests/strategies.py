"""Random networks, and inputs for those that can be built."""

from __future__ import annotations

from math import prod
from typing import Any

from hypothesis import strategies as st

from resnet_inspect.networks.channel_rules import STEM_STRIDES
from resnet_inspect.networks.choices import PRELU
from resnet_inspect.networks.ops import ACTIVATIONS, GAMMAS
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import FIELDS, ResNetSpec

_ELSEWHERE = ("quad2", "repvgg", "patch", "none")
STEMS = (*(stem for stem in FIELDS["stem"].choices if stem not in _ELSEWHERE), "quad2")
"""The last for post-activation only."""

SHORTCUTS = {
    "post": FIELDS["shortcut"].choices,
    "pre": ("A", "B", "C", "D", "none"),
    "ahead": ("B", "C", "D"),
    "inner": ("A", "B", "C", "D", "none"),
}
"""By what activates when."""

DELICATE = ("average", "blur")
"""Pools that small maps do not fit."""


@st.composite
def specs(
    draw: st.DrawFn,
    *,
    activations: tuple[str, ...] = tuple(ACTIVATIONS),
    widest: int = 12,
) -> ResNetSpec:
    """Any valid spec of one to four narrow stages: every stem, shortcut, order and grouping.

    activations: those to choose from; widest: the most channels of a stage's 3x3 convolutions.
    """
    if draw(st.integers(0, 9)) == 0:
        return draw(chains(activations=activations, widest=widest))
    if draw(st.integers(0, 9)) == 0:
        return draw(parallels(activations=activations, widest=widest))
    fields = draw(_ways())
    block = fields["block"]
    delicate = fields["antialias"] in DELICATE or fields["pool"] in ("ceil", "average")
    valid = _may_not_pad(fields) and draw(st.booleans())
    delicate = delicate or valid
    plain = fields["attention"] not in ("sk", "sk-full", "split") and "scales" not in fields
    stages = draw(st.integers(1, 2 if delicate else 4))
    stems = STEMS if fields["order"] == "post" else STEMS[:-1]
    stem = draw(st.sampled_from((*stems, "patch") if valid else stems))
    splits = len(STEM_STRIDES[stem]) > 1
    if valid:
        fields["unpadded"] = tuple(draw(st.integers(0, 1)) for _ in range(stages))
    if (block, fields["order"]) == ("basic", "inner") and draw(st.booleans()):
        activations = (PRELU,)
    stem_width = draw(st.sampled_from([8, 16]) if splits else st.integers(1, 12))
    kept = fields.get("convolution") != "scaled"
    bare = plain and kept and fields["attention"] not in ("gc", "cbam")
    shortcuts = [kind for kind in SHORTCUTS[fields["order"]] if bare or kind in "ABCD"]
    shortcut = draw(st.sampled_from(["B", "C"] if valid else shortcuts))
    widths = draw(st.lists(st.integers(1, widest), min_size=stages, max_size=stages))
    multiple = 1
    if fields["norm"] in ("group", "evo"):
        fields["norm_size"] = draw(st.sampled_from([0, 16]))
        multiple = 32 if fields["norm_size"] else 64  # torch norms no single number
        stem_width = 8 * multiple if splits else multiple
    made = fields.get("convolution", "plain") != "plain"
    multiple *= fields.get("reduce_first", 1)
    if made or fields["attention"] == "sk":
        multiple *= 2
        stem_width = max(2, stem_width)
    samely = (
        plain and not valid and fields["antialias"] == "none" and fields["pool"] in ("max", "conv")
    )
    startable = kept and shortcut in "ABCD" and fields["norm"] in ("batch", "group", "none")
    if fields["attention"] == "split":
        fields["groups"] = draw(st.sampled_from([1, 2]))
        fields["se_multiple"] = max(fields["se_multiple"], fields["groups"])
        multiple *= fields["radix"]
    widths = [multiple * (1 + width % 2 if multiple >= 32 else width) for width in widths]
    expansion = draw(st.sampled_from([1, 2, 4])) if block == "bottleneck" else 1
    if block == "bottleneck" and plain and multiple == 1 and draw(st.booleans()):
        ratios = st.sampled_from([0.25, 1, 2.25, 3])
        fields["bottle_ratio"] = draw(st.tuples(*[ratios] * stages))
        fields["bottle_of"] = draw(st.sampled_from(FIELDS["bottle_of"].choices))
        alike = (fields["order"], fields["antialias"]) == ("post", "none") and not valid
        if alike and stages > 1:
            fields["first_blocks"] = draw(st.sampled_from([(), ("basic",), ("edge",)]))
        expansion = 1
    if shortcut == "A":  # it cannot drop channels
        enough = -(-stem_width // (expansion * multiple)) * multiple
        widths = sorted(max(width, enough) for width in widths)
    if fields.get("head") == "attention":
        widths[-1] = -(-widths[-1] // 64) * 64
    if block == "bottleneck" and multiple == 1 and fields["attention"] != "split":
        if "bottle_ratio" in fields:
            size = draw(st.sampled_from([1, 4, 8]))
            if not fields.get("first_blocks"):
                fields["group_size"] = (size,)
        elif fields["attention"] != "sk" and draw(st.booleans()):
            fields["group_size"] = tuple(draw(st.sampled_from([1, width])) for width in widths)
        else:
            fields["groups"] = draw(st.integers(1, 4))
            fields["group_width"] = draw(st.integers(-(-64 // min(widths)), 160))
    if fields.get("convolution") == "scaled":
        activations = tuple(name for name in activations if name in GAMMAS)
    return ResNetSpec(
        **fields,
        blocks=tuple(draw(st.integers(1, 2)) for _ in range(stages)),
        widths=tuple(widths),
        strides=tuple(draw(st.integers(1, 2 if delicate else 3)) for _ in range(stages)),
        expansion=expansion,
        stem=stem,
        stem_width=stem_width,
        stem_pool=draw(st.booleans()),
        shortcut=shortcut,
        shortcut_norm=draw(st.booleans()),
        shortcut_kernel=1 if shortcut not in "BCD" else draw(st.sampled_from([1, 1, 3])),
        stride_in=draw(st.sampled_from(["3x3", "1x1"][: 1 + (block == "bottleneck")])),
        activation=draw(st.sampled_from(activations)),
        bias=tuple(sorted(draw(st.sets(st.sampled_from(FIELDS["bias"].choices))))),
        dilations=draw(_dilations(fields, stages)),
        padding=draw(st.sampled_from(["torch", "torch", "same"] if samely else ["torch"])),
        head_width=0
        if "head" in fields or fields.get("outer_norm", "head") != "head"
        else draw(st.sampled_from([0, 0, 32])),
        zero_gamma=startable and draw(st.integers(0, 3)) == 0,
        drop_path_rate=draw(st.sampled_from([0.0, 0.0, 0.2])) if shortcut in "ABCD" else 0.0,
        drop_rate=0.0 if "head" in fields else draw(st.sampled_from([0.0, 0.25])),
        in_channels=draw(st.integers(1, 4)),
        classes=draw(st.integers(1, 12)),
    )


def _dilations(fields: dict[str, Any], stages: int) -> st.SearchStrategy[tuple[int, ...]]:
    paths = fields["attention"] in ("sk", "sk-full", "split") or "scales" in fields
    if paths or fields["antialias"] != "none" or fields["order"] == "inner" or "unpadded" in fields:
        return st.just(())
    rates = st.lists(st.integers(1, 3), min_size=stages, max_size=stages).map(tuple)
    return st.one_of(st.just(()), st.just(()), rates)


def _may_not_pad(fields: dict[str, Any]) -> bool:
    plain = (fields["order"], fields["antialias"], fields["attention"]) == ("post", "none", "none")
    inside = fields["block"] == "bottleneck" and "scales" not in fields
    return plain and inside and fields["pool"] not in ("ceil", "average")


@st.composite
def _ways(draw: st.DrawFn) -> dict[str, Any]:
    """Ways of block that go together."""
    block = draw(st.sampled_from(["basic", "bottleneck"]))
    orders = st.sampled_from(["post", "post", "post", "pre", "pre", "ahead", "inner"])
    fields: dict[str, Any] = {"block": block, "order": draw(orders)}
    fields["norm"] = draw(st.sampled_from(["batch", "batch", "none", "group"]))
    kinds = ["none", "none", "se", "eca", "gc", "cbam"]
    fields["attention"] = "none" if fields["order"] == "inner" else draw(st.sampled_from(kinds))
    fields["pool"] = draw(st.sampled_from(FIELDS["pool"].choices))
    fields["antialias"] = "none"
    if fields["order"] == "ahead":
        fields["attention_at"] = draw(st.sampled_from(["last", "inner"]))
    if fields["order"] == "pre":
        kinds = ["plain", "standardized"] + (["scaled"] if fields["norm"] == "none" else [])
        fields["convolution"] = draw(st.sampled_from(kinds))
        fields["outer_norm"] = draw(st.sampled_from(FIELDS["outer_norm"].choices))
        fields["attention_at"] = draw(st.sampled_from(["last", "inner"]))
        if fields["convolution"] == "scaled":
            flags = ["gamma_in_act", "skipinit"] + ["extra_conv"] * (block == "bottleneck")
            fields |= {flag: draw(st.booleans()) for flag in flags}
    elif fields["order"] == "inner":
        if fields["norm"] == "batch" and draw(st.booleans()):
            fields["head"] = "embedding"
    elif fields["order"] == "post":
        fields["linear_out"] = draw(st.booleans())
        fields["antialias"] = draw(st.sampled_from(["none", *FIELDS["antialias"].choices]))
        if not fields["linear_out"] and draw(st.integers(0, 4)) == 0:
            fields["head"] = "attention"
        fields["attention_at"] = draw(st.sampled_from(FIELDS["attention_at"].choices))
        if fields["norm"] == "batch" and fields["attention"] != "cbam":
            fields["norm"] = draw(st.sampled_from(["batch", "batch", "frozen"]))
        paths = ["", "", "sk", "sk-full"] if fields["norm"] != "frozen" else [""]
        unsplit = fields["norm"] in ("group", "frozen")
        path = draw(
            st.sampled_from(paths + ["split", "scales"][unsplit:] * (block == "bottleneck"))
        )
        if path == "scales":
            fields["scales"] = draw(st.integers(2, 4))
        elif path:
            fields["attention"] = path
        if path == "split":
            fields["radix"] = draw(st.integers(1, 3))
    if fields["attention"] != "none":
        fields["se_reduction"] = draw(st.sampled_from([2, 16])) * (fields["attention"] != "eca")
        # Of a single hidden unit torch copies the weights on the CPU.
        single = fields["attention"] not in ("gc", "cbam")
        fields["se_multiple"] = draw(st.sampled_from([1, 8])) if single else 8
        fields["se_entering"] = draw(st.booleans())
    if block == "basic" and fields["order"] == "pre":
        fields["block_drop_rate"] = draw(st.sampled_from([0.0, 0.3]))
    if block == "bottleneck" and "scales" not in fields and "sk" not in fields["attention"]:
        fields["reduce_first"] = draw(st.sampled_from([1, 1, 2]))
    if _activates_in_norms(fields) and draw(st.integers(0, 3)) == 0:
        fields["norm"] = draw(st.sampled_from(["evo", "frn"]))
        fields["linear_out"] = fields["order"] == "post"
        fields.pop("head", None)
    return fields


def _activates_in_norms(fields: dict[str, Any]) -> bool:
    """Whether norms may activate in blocks like these."""
    gates = fields["attention"] in ("none", "se", "eca", "gc") and "scales" not in fields
    plain = fields["order"] in ("post", "pre") and fields.get("convolution", "plain") == "plain"
    return gates and plain and fields.get("attention_at") != "activated"


@st.composite
def chains(draw: st.DrawFn, *, activations: tuple[str, ...], widest: int) -> ResNetSpec:
    """Any valid spec of two to four stages of single convolutions."""
    stages = draw(st.integers(2, 4))
    return ResNetSpec(
        block="conv",
        stem="none",
        shortcut="none",
        blocks=tuple(draw(st.integers(1, 2)) for _ in range(stages)),
        widths=tuple(draw(st.integers(1, widest)) for _ in range(stages)),
        strides=(1, *(2,) * (stages - 1)),
        norm=draw(st.sampled_from(["batch", "none"])),
        activation=draw(st.sampled_from(activations)),
        bias=tuple(sorted(draw(st.sets(st.sampled_from(FIELDS["bias"].choices))))),
        head=draw(st.sampled_from(["pool", "mlp"])),
        in_channels=draw(st.integers(1, 4)),
        classes=draw(st.integers(1, 12)),
    )


@st.composite
def parallels(draw: st.DrawFn, *, activations: tuple[str, ...], widest: int) -> ResNetSpec:
    """Any valid spec of one to three stages of blocks whose convolutions run side by side."""
    stages, block = draw(st.integers(1, 3)), draw(st.sampled_from(["repvgg", "mobileone"]))
    paired, gated = 1 + (block == "mobileone"), draw(st.booleans())
    groups = 1 if paired == 2 else draw(st.integers(1, 3))
    blocks = tuple(draw(st.integers(1, 2)) * paired for _ in range(stages))
    some = gated and paired == 2 and draw(st.booleans())
    return ResNetSpec(
        block=block,
        blocks=blocks,
        widths=tuple(groups * draw(st.integers(1, widest // groups)) for _ in range(stages)),
        strides=tuple(draw(st.integers(1, 3)) for _ in range(stages)),
        groups=groups,
        branches=draw(st.integers(1, 3)) if paired == 2 else 1,
        stem=draw(st.sampled_from(["repvgg", "repvgg", "7x7"])),
        stem_width=draw(st.integers(1, 12)),
        attention="se" if gated else "none",
        attention_blocks=tuple(draw(st.integers(0, count)) for count in blocks) if some else (),
        activation=draw(st.sampled_from(activations)),
        bias=tuple(sorted(draw(st.sets(st.sampled_from(FIELDS["bias"].choices))))),
        in_channels=draw(st.integers(1, 4)),
        classes=draw(st.integers(1, 12)),
    )


@st.composite
def networks(draw: st.DrawFn, *, largest: int = 70, **settings: object) -> tuple[ResNetSpec, Shape]:
    """A spec and an input shape for it, seldom square, as small as one pixel."""
    if draw(st.integers(0, 9)) == 0:
        own = {"activations": tuple(ACTIVATIONS), **settings}
        return draw(attending(largest=largest, activations=own["activations"]))
    spec = draw(specs(**settings))  # type: ignore[arg-type]
    side = st.integers(1, largest)
    if spec.unpadded:
        least = 4 * prod(spec.strides) * spec.stem_stride + 8
        side = st.integers(least, max(least, largest))
    if spec.block == "conv" or spec.antialias in DELICATE or spec.pool in ("ceil", "average"):
        # Pools without padding halve what they are given: it must be even, and two at the last.
        total = prod(spec.strides) * spec.stem_stride
        side = st.integers(2, max(2, largest // total)).map(lambda count: count * total)
    return spec, (spec.in_channels, draw(side), draw(side))


@st.composite
def attending(
    draw: st.DrawFn, *, largest: int, activations: tuple[str, ...]
) -> tuple[ResNetSpec, Shape]:
    """Any valid spec of one to three stages with self-attention, and the input it is made for."""
    stages = draw(st.integers(1, 3))
    strides = tuple(draw(st.integers(1, 2)) for _ in range(stages))
    stem, stem_pool = draw(st.sampled_from(STEMS)), draw(st.booleans())
    total = prod((*strides, *STEM_STRIDES[stem])) * (2 if stem_pool else 1)
    side = st.integers(1, max(1, largest // total)).map(lambda count: count * total)
    sides = draw(side), draw(side)
    # Halos need blocks of positions, which so small maps do not have.
    kinds = st.sampled_from([k for k in FIELDS["self_attention"].choices if "halo" not in k])
    spec = ResNetSpec(
        block="bottleneck",
        blocks=tuple(draw(st.integers(1, 3)) for _ in range(stages)),
        widths=tuple(draw(st.sampled_from([8, 16])) for _ in range(stages)),
        strides=strides,
        stem=stem,
        stem_width=16,
        stem_pool=stem_pool,
        norm=draw(st.sampled_from(["batch", "none"])),
        shortcut=draw(st.sampled_from(["B", "C", "D"])),
        attention=draw(st.sampled_from(["none", "se", "eca", "gc"])),
        attention_at="inner",
        self_attention=tuple(draw(kinds) for _ in range(stages)),
        query_width=draw(st.sampled_from([0, 0, 4])),
        activation=draw(st.sampled_from(activations)),
        classes=draw(st.integers(1, 12)),
        input_size=sides,
    )
    return spec, (3, *sides)
