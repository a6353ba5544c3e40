"""Lines of the zoo: networks without normalization."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import (
    GATED,
    L26,
    L50,
    L101,
    PREACTIVATED,
    SILU,
    TIMM,
    WITH_ECA,
    Entry,
)

NF = "Brock et al. 2021, arXiv 2101.08692; timm"
NFNET = "Brock et al. 2021, arXiv 2102.06171; timm"

_NF: dict[str, Any] = {
    **PREACTIVATED,
    "norm": "none",
    "convolution": "scaled",
    "shortcut": "D",
    "bias": ("stem", "residual", "shortcut"),
}
_NFNET: dict[str, Any] = {
    **_NF,
    "block": "bottleneck",
    "stem": "quad",
    "stem_width": 128,
    "stem_pool": False,
    "extra_conv": True,
    "bias": ("stem", "residual", "shortcut", "head"),
}
_F: dict[str, Any] = {
    **_NFNET,
    "widths": (128, 256, 768, 768),
    "expansion": 2,
    "group_size": (128,),
    "se_reduction": 2,
    "activation": "gelu",
    "head_width": 3072,
}
_DEEPMIND: dict[str, Any] = {**_F, "padding": "same", "gamma_in_act": True, "skipinit": True}
_L: dict[str, Any] = {
    **_NFNET,
    "widths": (64, 128, 384, 384),
    "group_size": (64,),
    **SILU,
}
_NF_REGNET: dict[str, Any] = {
    **_NF,
    "block": "bottleneck",
    "strides": (2, 2, 2, 2),
    "stem": "3x3",
    "stem_strides": (2,),
    "bottle_ratio": (2.25,),
    "bottle_of": "later",
    "group_size": (8,),
    "se_reduction": 2,
    "attention_at": "inner",
    **SILU,
    "bias": ("stem", "residual", "shortcut", "head"),
}
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


def _nfnet(number: int, size: int) -> dict[str, Any]:
    """Depth and input size of an NFNet by its number (Brock et al. 2021, Table 1)."""
    blocks = tuple((number + 1) * count for count in (1, 2, 6, 3))
    return {"blocks": blocks, **({"input_size": (size, size)} if size != 224 else {})}


def _nf_regnet(
    blocks: tuple[int, ...], widths: tuple[int, ...], head: int, size: int
) -> dict[str, Any]:
    stem = {"stem_width": widths[0]} if widths[0] != 64 else {}
    sizes = {"head_width": head, "input_size": (size, size)}
    return {"blocks": blocks, "widths": widths, **_NF_REGNET, **stem, **sizes}


UNNORMALIZED: dict[str, Entry] = {
    **{
        f"nf_{gate}resnet{depth}": Entry("nf", NF, {**layout, **_NF, **fields})
        for gate, fields in (("", {}), ("se", GATED), ("eca", WITH_ECA))
        for depth, layout in ((26, L26), (50, L50), (101, L101))
    },
    # NFNets of GELU; with DeepMind's padding and gains; and lighter ones of SiLU
    **{
        f"nfnet_f{number}": Entry("nfnet", NFNET, {**_F, **_nfnet(number, size)})
        for number, size in enumerate(_F_SIZES)
    },
    **{
        f"dm_nfnet_f{number}": Entry("nfnet-dm", NFNET, {**_DEEPMIND, **_nfnet(number, size)})
        for number, size in enumerate(_F_SIZES[:-1])
    },
    "nfnet_l0": Entry(
        "nfnet-l", TIMM, {**_L, **_nfnet(0, 224), "head_width": 2304, "se_reduction": 4}
    ),
    **{
        f"eca_nfnet_l{number}": Entry(
            "nfnet-l",
            TIMM,
            {**_L, **_nfnet(number, size), "head_width": 3072 if number else 2304, **WITH_ECA},
        )
        for number, size in enumerate(_L_SIZES)
    },
    # NF-RegNets
    **{
        f"nf_regnet_b{number}": Entry("nf-regnet", NF, _nf_regnet(*numbers))
        for number, numbers in enumerate(_NF_REGNETS)
    },
}
