"""Lines of the zoo: RegNet V and Z, GENet, RepVGG and MobileOne, as timm's byobnet has them."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import TIMM, Entry, Fields, of
from resnet_inspect.networks.zoo_variants import CLIP_TRUNK, REGNET, REGNET_GATES

GENET = "Lin et al. 2020, arXiv 2006.14090; timm"
REGNET_Z = "Dollar et al. 2021, arXiv 2103.06877; timm"
EVO = "Liu et al. 2020, arXiv 2004.02967; timm"
FRN = "Singh & Krishnan 2019, arXiv 1911.09737; timm"
REPVGG = "Ding et al. 2021, arXiv 2101.03697; timm"
MOBILEONE = "Vasu et al. 2022, arXiv 2206.04040; timm"

_EVO: Fields = {"norm": "evo", "norm_size": 16}
_50D = of(50, "pre", "d")
_Y = of(REGNET_GATES, "silu")
_V = of(_Y, order="ahead")
_SPLITTING = of("silu", shortcut="identity", linear_out=True)
_Z = of(REGNET_GATES, _SPLITTING, bottle_ratio=(4,))
_Z_256 = of(_Z, "256")
_Y_040 = (96, 31.41, 2.24, 22, 64)
_Z_040 = (48, 14.5, 2.226, 28, 8)

_STRIDING: Fields = {"stem": "3x3", "stem_strides": (2,), "stem_width": 32}
_GENET = of(
    _STRIDING,
    block="bottleneck",
    first_blocks=("basic", "basic"),
    strides=(2, 2, 2, 2, 1),
    bottle_ratio=(1, 1, 0.25, 3, 3),
    widths=(128, 192, 640, 640, 640),
    group_size=(128, 192, 160, 1, 1),
    head_width=2560,
)
_ENTERING = of(
    _SPLITTING, block="bottleneck", bottle_of="entering", se_reduction=4, attention_at="inner"
)
_B16 = of(
    _ENTERING,
    _STRIDING,
    blocks=(2, 6, 12, 2),
    widths=(48, 96, 192, 288),
    strides=(2, 2, 2, 2),
    group_size=(16,),
    bottle_ratio=(3,),
    head_width=1536,
)
_C16 = of(_B16, "256", bottle_ratio=(4,))
_D8 = of(
    _ENTERING,
    "poolless",
    "256",
    stem="tiered",
    blocks=(3, 6, 12, 3),
    widths=(64, 128, 256, 384),
    group_size=(8,),
    bottle_ratio=(4,),
    head_width=1792,
)
_E8 = of(_D8, blocks=(3, 8, 16, 3), widths=(96, 192, 384, 512), head_width=2048)
_Q = of(
    "silu",
    "256",
    block="bottleneck",
    blocks=(2, 4, 6, 4),
    widths=(256, 512, 1536, 1536),
    bottle_ratio=(0.25, 0.25, 0.25, 1),
    group_size=(32, 32, 32, 1),
    stem="quad2",
    stem_width=128,
    stem_pool=False,
    head_width=2048,
)
_61Q = of(
    _Q,
    stem="quad",
    first_blocks=("edge",),
    blocks=(1, 4, 6, 4),
    bottle_ratio=(1, 0.25, 0.25, 1),
    group_size=(256, 32, 32, 1),
    extra_conv=True,
)
_GENET_S = of(
    _GENET,
    blocks=(1, 3, 7, 2, 1),
    widths=(48, 48, 384, 560, 256),
    group_size=(48, 48, 96, 1, 1),
    stem_width=13,
    head_width=1920,
)

BYOB: dict[str, Entry] = {
    # RegNet as wide as RegNet Y, with SiLU: of group norm, and pre-activation
    "regnety_040_sgn": Entry("regnet", REGNET, of(_Y, "gn", norm_size=16), _Y_040),
    "regnetv_040": Entry("regnetv", REGNET, _V, _Y_040),
    "regnetv_064": Entry("regnetv", REGNET, of(_V, shortcut="D"), (112, 33.22, 2.27, 25, 72)),
    # RegNet Z
    "regnetz_005": Entry("regnetz", REGNET_Z, of(_Z, head_width=1024), (16, 10.7, 2.51, 21, 4)),
    "regnetz_040": Entry("regnetz", REGNET_Z, _Z_256, _Z_040),
    "regnetz_040_h": Entry("regnetz", REGNET_Z, of(_Z_256, head_width=1536), _Z_040),
    "regnetz_b16": Entry("regnetz", TIMM, _B16),
    "regnetz_c16": Entry("regnetz", TIMM, _C16),
    "regnetz_d8": Entry("regnetz", TIMM, _D8),
    "regnetz_d32": Entry("regnetz", TIMM, of(_D8, group_size=(32,))),
    "regnetz_e8": Entry("regnetz", TIMM, _E8),
    # norms that activate
    "regnetz_b16_evos": Entry("evonorm", EVO, of(_B16, _EVO)),
    "regnetz_c16_evos": Entry("evonorm", EVO, of(_C16, _EVO)),
    "regnetz_d8_evos": Entry("evonorm", EVO, of(_D8, _EVO, stem="even")),
    "resnetv2_50d_evos": Entry("evonorm", EVO, of(_50D, norm="evo")),
    "resnetv2_50d_frn": Entry("frn", FRN, of(_50D, norm="frn")),
    # GENet
    "gernet_s": Entry("genet", GENET, _GENET_S),
    "gernet_m": Entry("genet", GENET, of(_GENET, blocks=(1, 2, 6, 4, 1))),
    "gernet_l": Entry("genet", GENET, of(_GENET, "256", blocks=(1, 2, 6, 5, 4))),
    # stems of four convolutions
    "resnet51q": Entry("ts", TIMM, _Q),
    "resnet61q": Entry("ts", TIMM, _61Q),
    # CLIP's trunk with another head
    "resnet50_mlp": Entry("clip", TIMM, of(50, CLIP_TRUNK, "256", head="hidden", head_width=1024)),
}

_A: Fields = {"blocks": (2, 4, 14, 1)}
_B: Fields = {"blocks": (4, 6, 16, 1)}


def _merged(block: str, factors: tuple[float, ...], *parts: Fields, **own: Any) -> Fields:
    """A network of parallel convolutions, so many times as wide in each stage."""
    base = zip(factors, (64, 128, 256, 512), strict=True)
    widths = tuple(int(factor * width) for factor, width in base)
    fields = {"stem": "repvgg", "strides": (2, 2, 2, 2), "block": block, "widths": widths}
    return of(fields, *parts, **own)


def _repvgg(layout: Fields, early: float, last: float, **own: Any) -> Entry:
    """Multipliers a and b: a factor of the widths of the early stages, and one of the last."""
    fields = _merged("repvgg", (early, early, early, last), layout, **own)
    return Entry("repvgg", REPVGG, fields)


def _mobileone(*factors: float, **own: Any) -> Entry:
    """Each of the paper's blocks is two here, its depthwise and its 1x1 half."""
    fields = _merged("mobileone", factors, blocks=(4, 16, 20, 2), **own)
    return Entry("mobileone", MOBILEONE, fields)


MERGED: dict[str, Entry] = {
    "repvgg_a0": _repvgg(_A, 0.75, 2.5, stem_width=48),
    "repvgg_a1": _repvgg(_A, 1, 2.5),
    "repvgg_a2": _repvgg(_A, 1.5, 2.75),
    "repvgg_b0": _repvgg(_B, 1, 2.5),
    "repvgg_b1": _repvgg(_B, 2, 4),
    "repvgg_b1g4": _repvgg(_B, 2, 4, groups=4),
    "repvgg_b2": _repvgg(_B, 2.5, 5),
    "repvgg_b2g4": _repvgg(_B, 2.5, 5, groups=4),
    "repvgg_b3": _repvgg(_B, 3, 5),
    "repvgg_b3g4": _repvgg(_B, 3, 5, groups=4),
    "repvgg_d2se": _repvgg(
        {"blocks": (8, 14, 24, 1)}, 2.5, 5, se_reduction=16, se_multiple=1, input_size=(320, 320)
    ),
    "mobileone_s0": _mobileone(0.75, 1, 1, 2, stem_width=48, branches=4),
    "mobileone_s1": _mobileone(1.5, 1.5, 2, 2.5),
    "mobileone_s2": _mobileone(1.5, 2, 2.5, 4),
    "mobileone_s3": _mobileone(2, 2.5, 3, 4),
    "mobileone_s4": _mobileone(3, 3.5, 3.5, 4, se_reduction=16, attention_blocks=(0, 0, 10, 2)),
}
