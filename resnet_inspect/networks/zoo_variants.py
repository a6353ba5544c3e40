"""Lines of the zoo: the variants that timm and torchvision have, by family."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import (
    DEEP_D,
    DEEP_S,
    EARLY,
    G32X4,
    G32X8,
    G64X4,
    GATED,
    L14,
    L18,
    L26,
    L34,
    L50,
    L101,
    L152,
    L200,
    L269,
    POOLLESS,
    PREACTIVATED,
    SE,
    SILU,
    TIERED,
    TIMM,
    WITH_ECA,
    Entry,
)

ECA = "Wang et al. 2019, arXiv 1910.03151; timm"
BLUR = "Zhang 2019, arXiv 1904.11486; timm"
RS = "Bello et al. 2021, arXiv 2103.07579; timm"
GROUP_NORM = "Wu & He 2018, arXiv 1803.08494; timm"
BIT = "Kolesnikov et al. 2019, arXiv 1912.11370; timm"
SK = "Li et al. 2019, arXiv 1903.06586; timm"
RES2NET = "Gao et al. 2019, arXiv 1904.01169; timm"
RESNEST = "Zhang et al. 2020, arXiv 2004.08955; timm"
REGNET = "Radosavovic et al. 2020, arXiv 2003.13678; timm"
CLIP = "Radford et al. 2021, arXiv 2103.00020; timm"

_AA: dict[str, Any] = {"antialias": "average"}
_BLUR: dict[str, Any] = {"antialias": "blur"}
_GN: dict[str, Any] = {"norm": "group"}
_RS: dict[str, Any] = {**DEEP_D, "pool": "conv", "se_reduction": 4}
_154: dict[str, Any] = {
    **L152,
    **G64X4,
    "reduce_first": 2,
    "shortcut_kernel": 3,
    **DEEP_S,
    **GATED,
}
_LEGACY: dict[str, Any] = {**GATED, "pool": "ceil", "se_multiple": 1}
_BIT: dict[str, Any] = {**PREACTIVATED, **_GN, "convolution": "standardized", "pool": "padded"}
_BITS: dict[int, dict[str, Any]] = {50: L50, 101: L101, 152: L152}
_SPLIT: dict[str, Any] = {"attention": "split", "radix": 2, **DEEP_D, "antialias": "wide"}
_FAST_SPLIT: dict[str, Any] = {"attention": "split", **DEEP_D, "antialias": "before"}
REGNET_GATES: dict[str, Any] = {
    "se_reduction": 4,
    "se_multiple": 1,
    "se_entering": True,
    "attention_at": "inner",
}
_TS: dict[str, Any] = {
    "stem": "tiered",
    "attention_at": "inner",
    "input_size": (256, 256),
}
CLIP_TRUNK: dict[str, Any] = {
    **DEEP_D,
    "pool": "average",
    "antialias": "average",
}


_GC: dict[str, Any] = {"attention": "gc", "se_reduction": 8}
_33: dict[str, Any] = {
    "block": "bottleneck",
    "blocks": (2, 3, 3, 2),
    "widths": (64, 128, 384, 384),
    **_TS,
    **SILU,
    **POOLLESS,
}
_33F: dict[str, Any] = {**_33, "head_width": 1280}
_NEXT_TS: dict[str, Any] = {**_TS, **SILU, "group_size": (32,)}
_26TS: dict[str, Any] = {**L26, **_NEXT_TS}

_Law = tuple[Any, ...]

_X_LAWS: dict[str, _Law] = {
    "002": (24, 36.44, 2.49, 13, 8),
    "004": (24, 24.48, 2.54, 22, 16),
    "004_tv": (24, 24.48, 2.54, 22, 16, 0.9),
    "006": (48, 36.97, 2.24, 16, 24),
    "008": (56, 35.73, 2.28, 16, 16),
    "016": (80, 34.01, 2.25, 18, 24),
    "032": (88, 26.31, 2.25, 25, 48),
    "040": (96, 38.65, 2.43, 23, 40),
    "064": (184, 60.83, 2.07, 17, 56),
    "080": (80, 49.56, 2.88, 23, 120),
    "120": (168, 73.36, 2.37, 19, 112),
    "160": (216, 55.59, 2.1, 22, 128),
    "320": (320, 69.86, 2.0, 23, 168),
}
_Y_LAWS: dict[str, _Law] = {
    "002": (24, 36.44, 2.49, 13, 8),
    "004": (48, 27.89, 2.09, 16, 8),
    "006": (48, 32.54, 2.32, 15, 16),
    "008": (56, 38.84, 2.4, 14, 16),
    "008_tv": (56, 38.84, 2.4, 14, 16, 0.9),
    "016": (48, 20.71, 2.65, 27, 24),
    "032": (80, 42.63, 2.66, 21, 24),
    "040": (96, 31.41, 2.24, 22, 64),
    "064": (112, 33.22, 2.27, 25, 72),
    "080": (192, 76.82, 2.19, 17, 56),
    "080_tv": (192, 76.82, 2.19, 17, 56, 0.9),
    "120": (168, 73.36, 2.37, 19, 112),
    "160": (200, 106.23, 2.48, 18, 112),
    "320": (232, 115.89, 2.53, 20, 232),
    "640": (352, 147.48, 2.4, 20, 328),
    "1280": (456, 160.83, 2.52, 27, 264),
    "2560": (640, 230.83, 2.53, 27, 373),
}

_SIZES = {
    "1_6gf": "016",
    "3_2gf": "032",
    "8gf": "080",
    "16gf": "160",
    "32gf": "320",
}
REGNET_X = {"400mf": "004_tv", "800mf": "008", **_SIZES}
REGNET_Y = {"400mf": "004", "800mf": "008_tv", **_SIZES, "8gf": "080_tv", "128gf": "1280"}
"""What torchvision calls RegNets, by their size -> timm's number."""


def _clip(width: int, size: int) -> dict[str, Any]:
    return {
        "block": "bottleneck",
        "widths": (width, 2 * width, 4 * width, 8 * width),
        **CLIP_TRUNK,
        "stem_width": width,
        "input_size": (size, size),
    }


def _wider(factor: int) -> dict[str, Any]:
    """BiT's networks so many times as wide."""
    return {"stem_width": 64 * factor, "widths": tuple(factor * w for w in (64, 128, 256, 512))}


def _rs(*blocks: int) -> dict[str, Any]:
    return {"block": "bottleneck", "blocks": blocks, **_RS}


def _res2(width: int, scales: int) -> dict[str, Any]:
    return {"group_width": width, "scales": scales}


_CLIPS: dict[str, tuple[dict[str, Any], int]] = {
    "50": ({**L50, **CLIP_TRUNK}, 1024),
    "101": ({**L101, **CLIP_TRUNK}, 512),
    "50x4": ({**_clip(80, 288), "blocks": (4, 6, 10, 6)}, 640),
    "50x16": ({**_clip(96, 384), "blocks": (6, 8, 18, 8)}, 768),
    "50x64": ({**_clip(128, 448), "blocks": (3, 15, 36, 10)}, 1024),
}
"""CLIP's networks, and the width of the space that they share with their texts."""

VARIANTS: dict[str, Entry] = {
    # efficient channel attention
    "ecaresnet26t": Entry("eca", ECA, {**L26, **TIERED, **WITH_ECA}),
    "ecaresnet50d": Entry("eca", ECA, {**L50, **DEEP_D, **WITH_ECA}),
    "ecaresnet50t": Entry("eca", ECA, {**L50, **TIERED, **WITH_ECA}),
    "ecaresnet101d": Entry("eca", ECA, {**L101, **DEEP_D, **WITH_ECA}),
    "ecaresnet200d": Entry("eca", ECA, {**L200, **DEEP_D, **WITH_ECA}),
    "ecaresnet269d": Entry("eca", ECA, {**L269, **DEEP_D, **WITH_ECA}),
    "ecaresnetlight": Entry(
        "eca", ECA, {**L50, "blocks": (1, 1, 11, 3), "shortcut": "D", **WITH_ECA}
    ),
    "ecaresnext26t_32x4d": Entry("eca", ECA, {**L26, **G32X4, **TIERED, **WITH_ECA}),
    "ecaresnext50t_32x4d": Entry("eca", ECA, {**L50, **G32X4, **TIERED, **WITH_ECA}),
    # anti-aliased
    "resnetaa34d": Entry("anti-aliased", BLUR, {**L34, **DEEP_D, **_AA}),
    "resnetaa50": Entry("anti-aliased", BLUR, {**L50, **_AA}),
    "resnetaa50d": Entry("anti-aliased", BLUR, {**L50, **DEEP_D, **_AA}),
    "resnetaa101d": Entry("anti-aliased", BLUR, {**L101, **DEEP_D, **_AA}),
    "resnetblur18": Entry("anti-aliased", BLUR, {**L18, **_BLUR}),
    "resnetblur50": Entry("anti-aliased", BLUR, {**L50, **_BLUR}),
    "resnetblur50d": Entry("anti-aliased", BLUR, {**L50, **DEEP_D, **_BLUR}),
    "resnetblur101d": Entry("anti-aliased", BLUR, {**L101, **DEEP_D, **_BLUR}),
    "seresnetaa50d": Entry("anti-aliased", TIMM, {**L50, **DEEP_D, **_AA, **GATED}),
    "seresnextaa101d_32x8d": Entry(
        "anti-aliased", TIMM, {**L101, **G32X8, **DEEP_D, **_AA, **GATED}
    ),
    "seresnextaa201d_32x8d": Entry(
        "anti-aliased",
        TIMM,
        {
            **L200,
            "blocks": (3, 24, 36, 4),
            **G32X8,
            **DEEP_D,
            "stem_width": 128,
            **_AA,
            **GATED,
        },
    ),
    # ResNet-RS
    "resnetrs50": Entry("rs", RS, _rs(3, 4, 6, 3)),
    "resnetrs101": Entry("rs", RS, _rs(3, 4, 23, 3)),
    "resnetrs152": Entry("rs", RS, _rs(3, 8, 36, 3)),
    "resnetrs200": Entry("rs", RS, _rs(3, 24, 36, 3)),
    "resnetrs270": Entry("rs", RS, _rs(4, 29, 53, 4)),
    "resnetrs350": Entry("rs", RS, _rs(4, 36, 72, 4)),
    "resnetrs420": Entry("rs", RS, _rs(4, 44, 87, 4)),
    # group norm, and BiT
    "resnet50_gn": Entry("group-norm", GROUP_NORM, {**L50, **_GN}),
    "resnetv2_50d_gn": Entry("group-norm", GROUP_NORM, {**L50, **PREACTIVATED, **DEEP_D, **_GN}),
    **{
        f"resnetv2_{depth}x{factor}_bit": Entry(
            "bit", BIT, {**_BITS[depth], **_BIT, **(_wider(factor) if factor > 1 else {})}
        )
        for depth, factor in ((50, 1), (50, 3), (101, 1), (101, 3), (152, 2), (152, 4))
    },
    # squeeze-and-excitation as first released
    "senet154": Entry("se", SE, _154),
    "legacy_senet154": Entry("legacy", SE, {**_154, **_LEGACY}),
    "legacy_seresnet18": Entry("legacy", SE, {**L18, **_LEGACY, "attention_at": "activated"}),
    "legacy_seresnet34": Entry("legacy", SE, {**L34, **_LEGACY, "attention_at": "activated"}),
    "legacy_seresnet50": Entry("legacy", SE, {**L50, **EARLY, **_LEGACY}),
    "legacy_seresnet101": Entry("legacy", SE, {**L101, **EARLY, **_LEGACY}),
    "legacy_seresnet152": Entry("legacy", SE, {**L152, **EARLY, **_LEGACY}),
    "legacy_seresnext26_32x4d": Entry("legacy", SE, {**L26, **G32X4, **_LEGACY}),
    "legacy_seresnext50_32x4d": Entry("legacy", SE, {**L50, **G32X4, **_LEGACY}),
    "legacy_seresnext101_32x4d": Entry("legacy", SE, {**L101, **G32X4, **_LEGACY}),
    # selective kernels
    "skresnet18": Entry("sk", SK, {**L18, "attention": "sk", "se_reduction": 8, "se_multiple": 16}),
    "skresnet34": Entry("sk", SK, {**L34, "attention": "sk", "se_reduction": 8, "se_multiple": 16}),
    "skresnet50": Entry("sk", SK, {**L50, "attention": "sk"}),
    "skresnet50d": Entry("sk", SK, {**L50, **DEEP_D, "attention": "sk"}),
    "skresnext50_32x4d": Entry(
        "sk", SK, {**L50, **G32X4, "attention": "sk-full", "se_multiple": 32}
    ),
    # Res2Net
    "res2net50_14w_8s": Entry("res2net", RES2NET, {**L50, **_res2(14, 8)}),
    "res2net50_26w_4s": Entry("res2net", RES2NET, {**L50, **_res2(26, 4)}),
    "res2net50_26w_6s": Entry("res2net", RES2NET, {**L50, **_res2(26, 6)}),
    "res2net50_26w_8s": Entry("res2net", RES2NET, {**L50, **_res2(26, 8)}),
    "res2net50_48w_2s": Entry("res2net", RES2NET, {**L50, **_res2(48, 2)}),
    "res2net50d": Entry("res2net", RES2NET, {**L50, **DEEP_D, **_res2(26, 4)}),
    "res2net101_26w_4s": Entry("res2net", RES2NET, {**L101, **_res2(26, 4)}),
    "res2net101d": Entry("res2net", RES2NET, {**L101, **DEEP_D, **_res2(26, 4)}),
    "res2next50": Entry("res2net", RES2NET, {**L50, "groups": 8, **_res2(4, 4)}),
    # ResNeSt
    "resnest14d": Entry("resnest", RESNEST, {**L14, **_SPLIT}),
    "resnest26d": Entry("resnest", RESNEST, {**L26, **_SPLIT}),
    "resnest50d": Entry("resnest", RESNEST, {**L50, **_SPLIT}),
    "resnest101e": Entry("resnest", RESNEST, {**L101, **_SPLIT, "stem_width": 128}),
    "resnest200e": Entry("resnest", RESNEST, {**L200, **_SPLIT, "stem_width": 128}),
    "resnest269e": Entry("resnest", RESNEST, {**L269, **_SPLIT, "stem_width": 128}),
    "resnest50d_4s2x40d": Entry(
        "resnest",
        RESNEST,
        {**L50, **_FAST_SPLIT, "radix": 4, "groups": 2, "group_width": 40},
    ),
    "resnest50d_1s4x24d": Entry(
        "resnest",
        RESNEST,
        {**L50, **_FAST_SPLIT, "groups": 4, "group_width": 24},
    ),
    # RegNet: w_0, w_a, w_m, depth and group size (pycls' configs)
    **{f"regnetx_{name}": Entry("regnet", REGNET, {}, law) for name, law in _X_LAWS.items()},
    **{
        f"regnety_{name}": Entry("regnet", REGNET, REGNET_GATES, law)
        for name, law in _Y_LAWS.items()
    },
    # timm's small networks at 256x256
    "resnet32ts": Entry("ts", TIMM, _33),
    "resnet33ts": Entry("ts", TIMM, _33F),
    "seresnet33ts": Entry("ts", TIMM, {**_33F, **GATED}),
    "eca_resnet33ts": Entry("ts", TIMM, {**_33F, **WITH_ECA}),
    "gcresnet33ts": Entry("ts", TIMM, {**_33F, **_GC}),
    "resnext26ts": Entry("ts", TIMM, _26TS),
    "seresnext26ts": Entry("ts", TIMM, {**_26TS, **GATED}),
    "eca_resnext26ts": Entry("ts", TIMM, {**_26TS, **WITH_ECA}),
    "gcresnext26ts": Entry("ts", TIMM, {**_26TS, **_GC}),
    "gcresnet50t": Entry("ts", TIMM, {**L50, **_TS, **POOLLESS, **_GC}),
    "gcresnext50ts": Entry("ts", TIMM, {**L50, **_NEXT_TS, **_GC}),
    # CLIP's networks, and their trunks
    **{
        f"resnet{name}_clip": Entry("clip", CLIP, {**fields, "head": "attention", "classes": width})
        for name, (fields, width) in _CLIPS.items()
    },
    **{
        f"resnet{name}_clip_gap": Entry("clip", CLIP, {**fields, "head": "average"})
        for name, (fields, _) in _CLIPS.items()
    },
}
