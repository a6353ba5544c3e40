"""Lines of the zoo: the variants that timm and torchvision have, by family."""

from __future__ import annotations

from resnet_inspect.networks.layouts import SE, TIMM, Entry, Fields, of

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
BOT = "Srinivas et al. 2021, arXiv 2101.11605; timm"
LAMBDA = "Bello 2021, arXiv 2102.08602; timm"
HALO = "Vaswani et al. 2021, arXiv 2103.12731; timm"

_RS = of("d", block="bottleneck", pool="conv", se_reduction=4)
_154 = of(152, "64x4d", "s", "se", reduce_first=2, shortcut_kernel=3)
_LEGACY = of("se", pool="ceil", se_multiple=1)
_ACTIVATED = of(_LEGACY, attention_at="activated")
_BIT = of("pre", "gn", convolution="standardized", pool="padded")
_SK: Fields = {"attention": "sk", "se_reduction": 8, "se_multiple": 16}
_FAST_SPLIT = of("d", attention="split", antialias="before")
_SPLIT = of(_FAST_SPLIT, radix=2, antialias="wide")
REGNET_GATES: Fields = {
    "se_reduction": 4,
    "se_multiple": 1,
    "se_entering": True,
    "attention_at": "inner",
}
_TS = of("256", stem="tiered", attention_at="inner")
_TS_SILU = of(_TS, "silu")
_NEXT_TS = of(_TS_SILU, group_size=(32,))
_26TS = of(26, _NEXT_TS)
_33 = of(26, _TS_SILU, "poolless", blocks=(2, 3, 3, 2), widths=(64, 128, 384, 384))
_33F = of(_33, head_width=1280)
_SE33 = of(
    _33F, "se", widths=(256, 512, 1024, 1536), bottle_ratio=(0.25, 0.25, 0.25, 1 / 3), expansion=1
)
_ECA_NEXT = of(26, _TS_SILU, "eca", group_size=(16,), query_width=16)
_H1 = of("256", block="bottleneck", blocks=(3, 3, 10, 3), expansion=1, attention_at="inner")
CLIP_TRUNK = of("d", pool="average", antialias="average")

_X_LAWS: dict[str, tuple[float, ...]] = {
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
_Y_LAWS: dict[str, tuple[float, ...]] = {
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

_SIZES = {"1_6gf": "016", "3_2gf": "032", "8gf": "080", "16gf": "160", "32gf": "320"}
REGNET_X = {"400mf": "004_tv", "800mf": "008", **_SIZES}
REGNET_Y = {"400mf": "004", "800mf": "008_tv", **_SIZES, "8gf": "080_tv", "128gf": "1280"}
"""What torchvision calls RegNets, by their size -> timm's number."""


def _clip(blocks: tuple[int, ...], width: int, size: int) -> Fields:
    widths = (width, 2 * width, 4 * width, 8 * width)
    return of(
        50, CLIP_TRUNK, blocks=blocks, widths=widths, stem_width=width, input_size=(size,) * 2
    )


def _bit(depth: int, factor: int) -> Fields:
    """A network of BiT, so many times as wide."""
    widths = tuple(factor * width for width in (64, 128, 256, 512))
    wider = {"stem_width": 64 * factor, "widths": widths} if factor > 1 else {}
    return of(depth, _BIT, wider)


def _res2(width: int, scales: int) -> Fields:
    return {"group_width": width, "scales": scales}


def _attends(second: str, third: str, fourth: str) -> Fields:
    """Self-attention in these blocks of stages 2 to 4."""
    return {"self_attention": ("none", second, third, fourth)}


_CLIPS: dict[str, tuple[Fields, int]] = {
    "50": (of(50, CLIP_TRUNK), 1024),
    "101": (of(101, CLIP_TRUNK), 512),
    "50x4": (_clip((4, 6, 10, 6), 80, 288), 640),
    "50x16": (_clip((6, 8, 18, 8), 96, 384), 768),
    "50x64": (_clip((3, 15, 36, 10), 128, 448), 1024),
}
"""CLIP's networks, and the width of the space that they share with their texts."""

VARIANTS: dict[str, Entry] = {
    # efficient channel attention
    "ecaresnet26t": Entry("eca", ECA, of(26, "t", "eca")),
    "ecaresnet50d": Entry("eca", ECA, of(50, "d", "eca")),
    "ecaresnet50t": Entry("eca", ECA, of(50, "t", "eca")),
    "ecaresnet101d": Entry("eca", ECA, of(101, "d", "eca")),
    "ecaresnet200d": Entry("eca", ECA, of(200, "d", "eca")),
    "ecaresnet269d": Entry("eca", ECA, of(269, "d", "eca")),
    "ecaresnetlight": Entry("eca", ECA, of(50, "eca", blocks=(1, 1, 11, 3), shortcut="D")),
    "ecaresnext26t_32x4d": Entry("eca", ECA, of(26, "32x4d", "t", "eca")),
    "ecaresnext50t_32x4d": Entry("eca", ECA, of(50, "32x4d", "t", "eca")),
    # anti-aliased
    "resnetaa34d": Entry("anti-aliased", BLUR, of(34, "d", "aa")),
    "resnetaa50": Entry("anti-aliased", BLUR, of(50, "aa")),
    "resnetaa50d": Entry("anti-aliased", BLUR, of(50, "d", "aa")),
    "resnetaa101d": Entry("anti-aliased", BLUR, of(101, "d", "aa")),
    "resnetblur18": Entry("anti-aliased", BLUR, of(18, "blur")),
    "resnetblur50": Entry("anti-aliased", BLUR, of(50, "blur")),
    "resnetblur50d": Entry("anti-aliased", BLUR, of(50, "d", "blur")),
    "resnetblur101d": Entry("anti-aliased", BLUR, of(101, "d", "blur")),
    "seresnetaa50d": Entry("anti-aliased", TIMM, of(50, "d", "aa", "se")),
    "seresnextaa101d_32x8d": Entry("anti-aliased", TIMM, of(101, "32x8d", "d", "aa", "se")),
    "seresnextaa201d_32x8d": Entry(
        "anti-aliased", TIMM, of(200, "32x8d", "d", "s", "aa", "se", blocks=(3, 24, 36, 4))
    ),
    # ResNet-RS
    "resnetrs50": Entry("rs", RS, of(_RS, blocks=(3, 4, 6, 3))),
    "resnetrs101": Entry("rs", RS, of(_RS, blocks=(3, 4, 23, 3))),
    "resnetrs152": Entry("rs", RS, of(_RS, blocks=(3, 8, 36, 3))),
    "resnetrs200": Entry("rs", RS, of(_RS, blocks=(3, 24, 36, 3))),
    "resnetrs270": Entry("rs", RS, of(_RS, blocks=(4, 29, 53, 4))),
    "resnetrs350": Entry("rs", RS, of(_RS, blocks=(4, 36, 72, 4))),
    "resnetrs420": Entry("rs", RS, of(_RS, blocks=(4, 44, 87, 4))),
    # group norm, and BiT
    "resnet50_gn": Entry("group-norm", GROUP_NORM, of(50, "gn")),
    "resnetv2_50d_gn": Entry("group-norm", GROUP_NORM, of(50, "pre", "d", "gn")),
    **{
        f"resnetv2_{depth}x{factor}_bit": Entry("bit", BIT, _bit(depth, factor))
        for depth, factor in ((50, 1), (50, 3), (101, 1), (101, 3), (152, 2), (152, 4))
    },
    # squeeze-and-excitation as first released
    "senet154": Entry("se", SE, _154),
    "legacy_senet154": Entry("legacy", SE, of(_154, _LEGACY)),
    "legacy_seresnet18": Entry("legacy", SE, of(18, _ACTIVATED)),
    "legacy_seresnet34": Entry("legacy", SE, of(34, _ACTIVATED)),
    "legacy_seresnet50": Entry("legacy", SE, of(50, "early", _LEGACY)),
    "legacy_seresnet101": Entry("legacy", SE, of(101, "early", _LEGACY)),
    "legacy_seresnet152": Entry("legacy", SE, of(152, "early", _LEGACY)),
    "legacy_seresnext26_32x4d": Entry("legacy", SE, of(26, "32x4d", _LEGACY)),
    "legacy_seresnext50_32x4d": Entry("legacy", SE, of(50, "32x4d", _LEGACY)),
    "legacy_seresnext101_32x4d": Entry("legacy", SE, of(101, "32x4d", _LEGACY)),
    # selective kernels
    "skresnet18": Entry("sk", SK, of(18, _SK)),
    "skresnet34": Entry("sk", SK, of(34, _SK)),
    "skresnet50": Entry("sk", SK, of(50, attention="sk")),
    "skresnet50d": Entry("sk", SK, of(50, "d", attention="sk")),
    "skresnext50_32x4d": Entry("sk", SK, of(50, "32x4d", attention="sk-full", se_multiple=32)),
    # Res2Net
    "res2net50_14w_8s": Entry("res2net", RES2NET, of(50, _res2(14, 8))),
    "res2net50_26w_4s": Entry("res2net", RES2NET, of(50, _res2(26, 4))),
    "res2net50_26w_6s": Entry("res2net", RES2NET, of(50, _res2(26, 6))),
    "res2net50_26w_8s": Entry("res2net", RES2NET, of(50, _res2(26, 8))),
    "res2net50_48w_2s": Entry("res2net", RES2NET, of(50, _res2(48, 2))),
    "res2net50d": Entry("res2net", RES2NET, of(50, "d", _res2(26, 4))),
    "res2net101_26w_4s": Entry("res2net", RES2NET, of(101, _res2(26, 4))),
    "res2net101d": Entry("res2net", RES2NET, of(101, "d", _res2(26, 4))),
    "res2next50": Entry("res2net", RES2NET, of(50, _res2(4, 4), groups=8)),
    # ResNeSt
    "resnest14d": Entry("resnest", RESNEST, of(14, _SPLIT)),
    "resnest26d": Entry("resnest", RESNEST, of(26, _SPLIT)),
    "resnest50d": Entry("resnest", RESNEST, of(50, _SPLIT)),
    "resnest101e": Entry("resnest", RESNEST, of(101, _SPLIT, "s")),
    "resnest200e": Entry("resnest", RESNEST, of(200, _SPLIT, "s")),
    "resnest269e": Entry("resnest", RESNEST, of(269, _SPLIT, "s")),
    "resnest50d_4s2x40d": Entry(
        "resnest", RESNEST, of(50, _FAST_SPLIT, radix=4, groups=2, group_width=40)
    ),
    "resnest50d_1s4x24d": Entry("resnest", RESNEST, of(50, _FAST_SPLIT, groups=4, group_width=24)),
    # RegNet: w_0, w_a, w_m, depth and group size (pycls' configs)
    **{f"regnetx_{name}": Entry("regnet", REGNET, {}, law) for name, law in _X_LAWS.items()},
    **{f"regnety_{x}": Entry("regnet", REGNET, REGNET_GATES, law) for x, law in _Y_LAWS.items()},
    # timm's small networks at 256x256
    "resnet32ts": Entry("ts", TIMM, _33),
    "resnet33ts": Entry("ts", TIMM, _33F),
    "seresnet33ts": Entry("ts", TIMM, of(_33F, "se")),
    "eca_resnet33ts": Entry("ts", TIMM, of(_33F, "eca")),
    "gcresnet33ts": Entry("ts", TIMM, of(_33F, "gc")),
    "resnext26ts": Entry("ts", TIMM, _26TS),
    "seresnext26ts": Entry("ts", TIMM, of(_26TS, "se")),
    "eca_resnext26ts": Entry("ts", TIMM, of(_26TS, "eca")),
    "gcresnext26ts": Entry("ts", TIMM, of(_26TS, "gc")),
    "gcresnet50t": Entry("ts", TIMM, of(50, _TS, "poolless", "gc")),
    "gcresnext50ts": Entry("ts", TIMM, of(50, _NEXT_TS, "gc")),
    # CLIP's networks, and their trunks
    **{
        f"resnet{name}_clip": Entry("clip", CLIP, of(fields, head="attention", classes=width))
        for name, (fields, width) in _CLIPS.items()
    },
    **{
        f"resnet{name}_clip_gap": Entry("clip", CLIP, of(fields, head="average"))
        for name, (fields, _) in _CLIPS.items()
    },
    # self-attention in place of 3x3 convolutions
    "botnet26t_256": Entry("botnet", BOT, of(26, _TS, _attends("none", "bot/2", "bot"))),
    "botnet50ts_256": Entry("botnet", BOT, of(50, _TS_SILU, _attends("bot/4", "bot/2", "bot/2"))),
    "sebotnet33ts_256": Entry("botnet", BOT, of(_SE33, _attends("bot/3", "bot/3", "bot"))),
    "eca_botnext26ts_256": Entry("botnet", BOT, of(_ECA_NEXT, _attends("none", "bot/2", "bot"))),
    "lambda_resnet26t": Entry(
        "lambda", LAMBDA, of(26, _TS, _attends("none", "lambda/2", "lambda"))
    ),
    "lambda_resnet50ts": Entry(
        "lambda", LAMBDA, of(50, _TS_SILU, _attends("lambda/4", "lambda/2", "lambda/2"))
    ),
    "halonet26t": Entry("halonet", HALO, of(26, _TS, _attends("none", "halo2/2", "halo2"))),
    "halonet50ts": Entry(
        "halonet", HALO, of(50, _TS_SILU, _attends("halo-4/4", "halo/2", "halo/2"))
    ),
    "sehalonet33ts": Entry("halonet", HALO, of(_SE33, _attends("halo/3", "halo/3", "halo"))),
    "eca_halonext26ts": Entry("halonet", HALO, of(_ECA_NEXT, _attends("none", "halo2/2", "halo2"))),
    "halonet_h1": Entry("halonet", HALO, of(_H1, self_attention=("halo",) * 4)),
    "halo2botnet50ts_256": Entry(
        "halonet", HALO, of(50, _TS_SILU, "poolless", _attends("halo/2", "halo/2", "bot/2"))
    ),
    "lamhalobotnet50ts_256": Entry(
        "halonet", HALO, of(50, _TS_SILU, "poolless", _attends("lambda13/2", "halo/2", "bot/2"))
    ),
}
