"""Lines of the zoo: networks without normalization."""

from __future__ import annotations

from resnet_inspect.networks.layouts import TIMM, Entry, Fields, of

NF = "Brock et al. 2021, arXiv 2101.08692; timm"
NFNET = "Brock et al. 2021, arXiv 2102.06171; timm"

_NF = of("pre", "biased", norm="none", convolution="scaled", shortcut="D")
_NFNET = of(
    _NF,
    "all biased",
    block="bottleneck",
    stem="quad",
    stem_width=128,
    stem_pool=False,
    extra_conv=True,
)
_F = of(
    _NFNET,
    widths=(128, 256, 768, 768),
    expansion=2,
    group_size=(128,),
    se_reduction=2,
    activation="gelu",
    head_width=3072,
)
_DEEPMIND = of(_F, padding="same", gamma_in_act=True, skipinit=True)
_L = of(_NFNET, "silu", widths=(64, 128, 384, 384), group_size=(64,), head_width=3072)
_L0: Fields = {"head_width": 2304}
_NF_REGNET = of(
    _NF,
    "all biased",
    "silu",
    block="bottleneck",
    strides=(2, 2, 2, 2),
    stem="3x3",
    stem_strides=(2,),
    bottle_ratio=(2.25,),
    bottle_of="later",
    group_size=(8,),
    se_reduction=2,
    attention_at="inner",
)
_NF_REGNETS: tuple[tuple[tuple[int, ...], tuple[int, ...], int, int], ...] = (
    ((1, 3, 6, 6), (40, 80, 160, 328), 960, 192),
    ((2, 4, 7, 7), (40, 80, 160, 328), 960, 256),
    ((2, 4, 8, 8), (40, 88, 176, 368), 1064, 240),
    ((2, 5, 9, 9), (40, 96, 184, 400), 1152, 288),
    ((2, 6, 11, 11), (48, 112, 216, 464), 1344, 320),
    ((3, 7, 14, 14), (64, 128, 256, 528), 1536, 384),
)
"""Blocks, widths, channels of the last convolution and input size of NF-RegNet B0 to B5."""
_F_SIZES = (192, 224, 256, 320, 384, 416, 448, 480)
_L_SIZES = (224, 256, 320, 352)


def _nfnet(number: int, size: int) -> Fields:
    """Depth and input size of an NFNet by its number (Brock et al. 2021, Table 1)."""
    blocks = tuple((number + 1) * count for count in (1, 2, 6, 3))
    return {"blocks": blocks, **({"input_size": (size, size)} if size != 224 else {})}


def _nf_regnet(blocks: tuple[int, ...], widths: tuple[int, ...], head: int, size: int) -> Fields:
    stem = {"stem_width": widths[0]} if widths[0] != 64 else {}
    sizes = {"head_width": head, "input_size": (size, size)}
    return of(_NF_REGNET, stem, sizes, blocks=blocks, widths=widths)


UNNORMALIZED: dict[str, Entry] = {
    **{
        f"nf_{gate}resnet{depth}": Entry("nf", NF, of(depth, _NF, *filter(None, [gate])))
        for gate in ("", "se", "eca")
        for depth in (26, 50, 101)
    },
    # NFNets of GELU; with DeepMind's padding and gains; and lighter ones of SiLU
    **{
        f"nfnet_f{number}": Entry("nfnet", NFNET, of(_F, _nfnet(number, size)))
        for number, size in enumerate(_F_SIZES)
    },
    **{
        f"dm_nfnet_f{number}": Entry("nfnet-dm", NFNET, of(_DEEPMIND, _nfnet(number, size)))
        for number, size in enumerate(_F_SIZES[:-1])
    },
    "nfnet_l0": Entry("nfnet-l", TIMM, of(_L, _L0, _nfnet(0, 224), se_reduction=4)),
    **{
        f"eca_nfnet_l{number}": Entry(
            "nfnet-l", TIMM, of(_L, {} if number else _L0, "eca", _nfnet(number, size))
        )
        for number, size in enumerate(_L_SIZES)
    },
    # NF-RegNets
    **{
        f"nf_regnet_b{number}": Entry("nf-regnet", NF, _nf_regnet(*numbers))
        for number, numbers in enumerate(_NF_REGNETS)
    },
}
