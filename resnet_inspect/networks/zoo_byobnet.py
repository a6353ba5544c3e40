"""Lines of the zoo: RegNet V and Z, GENet, and others with bottlenecks of a ratio of channels."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import DEEP_D, L50, POOLLESS, PREACTIVATED, SILU, TIMM, Entry
from resnet_inspect.networks.zoo_variants import CLIP_TRUNK, REGNET, REGNET_GATES

GENET = "Lin et al. 2020, arXiv 2006.14090; timm"
REGNET_Z = "Dollar et al. 2021, arXiv 2103.06877; timm"

EVO = "Liu et al. 2020, arXiv 2004.02967; timm"
FRN = "Singh & Krishnan 2019, arXiv 1911.09737; timm"

_EVO: dict[str, Any] = {"norm": "evo", "norm_size": 16}
_50D: dict[str, Any] = {**L50, **PREACTIVATED, **DEEP_D}
_Y: dict[str, Any] = {**REGNET_GATES, **SILU}
_V: dict[str, Any] = {**_Y, "order": "ahead"}
_SPLITTING: dict[str, Any] = {**SILU, "shortcut": "identity", "linear_out": True}
_Z: dict[str, Any] = {**REGNET_GATES, **_SPLITTING, "bottle_ratio": (4,)}
_Z_256: dict[str, Any] = {**_Z, "input_size": (256, 256)}
_LAW_4 = (48, 14.5, 2.226, 28, 8)

_STRIDING: dict[str, Any] = {"stem": "3x3", "stem_strides": (2,), "stem_width": 32}
_GENET: dict[str, Any] = {
    **_STRIDING,
    "block": "bottleneck",
    "first_blocks": ("basic", "basic"),
    "strides": (2, 2, 2, 2, 1),
    "bottle_ratio": (1, 1, 0.25, 3, 3),
    "head_width": 2560,
}
_GENET_WIDTHS = (128, 192, 640, 640, 640)
_GENET_GROUPS = (128, 192, 160, 1, 1)

_ENTERING: dict[str, Any] = {
    **_SPLITTING,
    "block": "bottleneck",
    "bottle_of": "entering",
    "se_reduction": 4,
    "attention_at": "inner",
}
_B16: dict[str, Any] = {
    **_ENTERING,
    **_STRIDING,
    "blocks": (2, 6, 12, 2),
    "widths": (48, 96, 192, 288),
    "strides": (2, 2, 2, 2),
    "group_size": (16,),
    "bottle_ratio": (3,),
    "head_width": 1536,
}
_C16: dict[str, Any] = {**_B16, "bottle_ratio": (4,), "input_size": (256, 256)}
_D8: dict[str, Any] = {
    **_ENTERING,
    "stem": "tiered",
    **POOLLESS,
    "blocks": (3, 6, 12, 3),
    "widths": (64, 128, 256, 384),
    "group_size": (8,),
    "bottle_ratio": (4,),
    "head_width": 1792,
    "input_size": (256, 256),
}
_Q: dict[str, Any] = {
    **SILU,
    "block": "bottleneck",
    "blocks": (2, 4, 6, 4),
    "widths": (256, 512, 1536, 1536),
    "bottle_ratio": (0.25, 0.25, 0.25, 1),
    "group_size": (32, 32, 32, 1),
    "stem": "quad2",
    "stem_width": 128,
    "stem_pool": False,
    "head_width": 2048,
    "input_size": (256, 256),
}

BYOB: dict[str, Entry] = {
    # RegNet as wide as RegNet Y, with SiLU: of group norm, and pre-activation
    "regnety_040_sgn": Entry(
        "regnet", REGNET, {**_Y, "norm": "group", "norm_size": 16}, (96, 31.41, 2.24, 22, 64)
    ),
    "regnetv_040": Entry("regnetv", REGNET, _V, (96, 31.41, 2.24, 22, 64)),
    "regnetv_064": Entry("regnetv", REGNET, {**_V, "shortcut": "D"}, (112, 33.22, 2.27, 25, 72)),
    # RegNet Z
    "regnetz_005": Entry("regnetz", REGNET_Z, {**_Z, "head_width": 1024}, (16, 10.7, 2.51, 21, 4)),
    "regnetz_040": Entry("regnetz", REGNET_Z, _Z_256, _LAW_4),
    "regnetz_040_h": Entry("regnetz", REGNET_Z, {**_Z_256, "head_width": 1536}, _LAW_4),
    "regnetz_b16": Entry("regnetz", TIMM, _B16),
    "regnetz_c16": Entry("regnetz", TIMM, _C16),
    "regnetz_d8": Entry("regnetz", TIMM, _D8),
    "regnetz_d32": Entry("regnetz", TIMM, {**_D8, "group_size": (32,)}),
    "regnetz_e8": Entry(
        "regnetz",
        TIMM,
        {
            **_D8,
            "blocks": (3, 8, 16, 3),
            "widths": (96, 192, 384, 512),
            "head_width": 2048,
        },
    ),
    # norms that activate
    "regnetz_b16_evos": Entry("evonorm", EVO, {**_B16, **_EVO}),
    "regnetz_c16_evos": Entry("evonorm", EVO, {**_C16, **_EVO}),
    "regnetz_d8_evos": Entry("evonorm", EVO, {**_D8, **_EVO, "stem": "even"}),
    "resnetv2_50d_evos": Entry("evonorm", EVO, {**_50D, "norm": "evo"}),
    "resnetv2_50d_frn": Entry("frn", FRN, {**_50D, "norm": "frn"}),
    # GENet
    "gernet_s": Entry(
        "genet",
        GENET,
        {
            **_GENET,
            "blocks": (1, 3, 7, 2, 1),
            "widths": (48, 48, 384, 560, 256),
            "group_size": (48, 48, 96, 1, 1),
            "stem_width": 13,
            "head_width": 1920,
        },
    ),
    "gernet_m": Entry(
        "genet",
        GENET,
        {
            **_GENET,
            "blocks": (1, 2, 6, 4, 1),
            "widths": _GENET_WIDTHS,
            "group_size": _GENET_GROUPS,
        },
    ),
    "gernet_l": Entry(
        "genet",
        GENET,
        {
            **_GENET,
            "blocks": (1, 2, 6, 5, 4),
            "widths": _GENET_WIDTHS,
            "group_size": _GENET_GROUPS,
            "input_size": (256, 256),
        },
    ),
    # stems of four convolutions
    "resnet51q": Entry("ts", TIMM, _Q),
    "resnet61q": Entry(
        "ts",
        TIMM,
        {
            **_Q,
            "stem": "quad",
            "first_blocks": ("edge",),
            "blocks": (1, 4, 6, 4),
            "bottle_ratio": (1, 0.25, 0.25, 1),
            "group_size": (256, 32, 32, 1),
            "extra_conv": True,
        },
    ),
    # CLIP's trunk with another head
    "resnet50_mlp": Entry(
        "clip",
        TIMM,
        {**L50, **CLIP_TRUNK, "head": "hidden", "head_width": 1024, "input_size": (256, 256)},
    ),
}
