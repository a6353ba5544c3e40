"""What fields of a spec need of others, as data: what spec_rules checks."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.choices import PRELU
from resnet_inspect.networks.ops import GAMMAS

Needs = dict[str, tuple[Any, ...]]
"""What fields must be, by their names."""

_CHAIN: Needs = {"block": ("conv",)}
_BOTTLENECK: Needs = {"block": ("bottleneck",)}
_RESIDUAL: Needs = {"block": ("basic", "bottleneck")}
_POST: Needs = {**_RESIDUAL, "order": ("post",)}
_ADDED: Needs = {"shortcut": ("A", "B", "C", "D")}
_BRANCHED: Needs = {
    "shortcut": ("B",),
    "order": ("post",),
    "norm": ("batch",),
    "expansion": (1,),
    "padding": ("torch",),
    "attention": ("none", "se"),
    "se_entering": (False,),
}
_GATED: Needs = {
    **_RESIDUAL,
    "attention": ("none", "se", "eca", "gc"),
    "attention_at": ("last", "inner"),
}
_PLAIN: Needs = {"convolution": ("plain",)}
_SCALED: Needs = {"convolution": ("scaled",)}

NEEDS: tuple[tuple[str, tuple[Any, ...], Needs], ...] = (
    (
        "block",
        ("conv",),
        {"stem": ("none",), "shortcut": ("none",), "order": ("post",), "attention": ("none",)},
    ),
    ("stem", ("none",), _CHAIN),
    ("head", ("mlp",), _CHAIN),
    ("head", ("attention",), {**_POST, "head_width": (0,), "linear_out": (False,)}),
    ("block", ("repvgg", "mobileone"), _BRANCHED),
    ("block", ("mobileone",), {"groups": (1,)}),
    ("stem", ("repvgg",), {"block": ("repvgg", "mobileone"), "stem_pool": (False,)}),
    ("attention", ("se",), {"block": ("basic", "bottleneck", "repvgg", "mobileone")}),
    ("attention", ("eca", "gc"), _RESIDUAL),
    ("attention", ("sk", "sk-full"), {**_POST, **_PLAIN, **_ADDED, "scales": (1,)}),
    (
        "attention",
        ("split",),
        {**_POST, **_BOTTLENECK, **_PLAIN, "scales": (1,), "norm": ("batch", "none")},
    ),
    ("attention_at", ("inner",), _RESIDUAL),
    ("attention_at", ("activated",), _POST),
    ("shortcut", ("identity",), _POST),
    ("linear_out", (True,), _POST),
    ("order", ("ahead",), {**_RESIDUAL, "shortcut": ("B", "C", "D")}),
    ("stem", ("quad2",), {"order": ("post",)}),
    ("antialias", ("average", "blur", "wide", "before"), _POST),
    ("convolution", ("standardized", "scaled"), {**_RESIDUAL, "order": ("pre",)}),
    ("convolution", ("scaled",), {**_ADDED, "norm": ("none",), "activation": tuple(GAMMAS)}),
    ("gamma_in_act", (True,), _SCALED),
    ("skipinit", (True,), _SCALED),
    ("extra_conv", (True,), {**_BOTTLENECK, "scales": (1,), "antialias": ("none",)}),
    ("norm", ("evo", "frn"), {**_PLAIN, **_GATED, "order": ("post", "pre"), "scales": (1,)}),
    ("head", ("hidden",), {**_POST, "norm": ("batch",)}),
    ("order", ("inner",), {**_RESIDUAL, **_PLAIN, "attention": ("none",)}),
    ("activation", (PRELU,), {"order": ("inner",), "block": ("basic",)}),
    ("outer_norm", ("stem", "none"), {"order": ("pre",), "head_width": (0,)}),
    ("head", ("embedding",), {"order": ("inner",), "norm": ("batch",), "head_width": (0,)}),
    ("stem", ("patch",), {**_POST, "padding": ("torch",)}),
)
"""(field, values, what other fields must be where it has one of them)."""

GROUPED = ("group", "evo")
"""Norms over groups of channels."""

GIVEN: dict[str, Needs] = {
    "bottle_ratio": {
        **_BOTTLENECK,
        **dict.fromkeys(("expansion", "groups", "scales", "reduce_first"), (1,)),
        "group_width": (64,),
    },
    "norm_size": {"norm": GROUPED},
    "unpadded": {
        **_POST,
        **_BOTTLENECK,
        "padding": ("torch",),
        "attention": ("none",),
        "antialias": ("none",),
        "scales": (1,),
    },
    "self_attention": {
        **_POST,
        **_BOTTLENECK,
        **_PLAIN,
        "first_blocks": ((),),
        "unpadded": ((),),
        "norm": ("batch", "group", "none"),
        "shortcut": ("A", "B", "C", "D"),
        "padding": ("torch",),
        "stride_in": ("3x3",),
        "antialias": ("none",),
        "scales": (1,),
        "reduce_first": (1,),
        "linear_out": (False,),
        "extra_conv": (False,),
        "attention": ("none", "se", "eca", "gc"),
        "attention_at": ("inner",),
    },
}
"""What other fields must be where a field is given."""

UNDILATED: Needs = {
    "block": ("basic", "bottleneck"),
    "order": ("post", "pre", "ahead"),
    "unpadded": ((),),
    "antialias": ("none",),
    "attention": ("none", "se", "eca", "gc"),
    "scales": (1,),
    "self_attention": ((),),
}
"""What fields must be where stages dilate."""
