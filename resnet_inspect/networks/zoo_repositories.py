"""Lines of the zoo: networks that well-known repositories have, and torchvision and timm do not."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import (
    CIFAR10,
    GATED,
    KUANGLIU,
    L18,
    L34,
    L50,
    L101,
    L152,
    PREACTIVATED,
    Entry,
)

WEIAICUNZAI = "weiaicunzai/pytorch-cifar100"
ARCFACE = "Deng et al. 2018, arXiv 1801.07698; deepinsight/insightface, arcface_torch"
BAGNET = "Brendel & Bethge 2019, arXiv 1904.00760; wielandbrendel/bag-of-local-features-models"
EDSR = "Lim et al. 2017, arXiv 1707.02921; sanghyun-son/EDSR-PyTorch, head and blocks of its body"

_DEPTHS: dict[int, dict[str, Any]] = {18: L18, 34: L34, 50: L50, 101: L101, 152: L152}
_SE: dict[str, Any] = {**GATED, "se_multiple": 1}
_BIAS: dict[str, Any] = {"bias": ("stem", "residual", "shortcut")}
_FACE: dict[str, Any] = {
    "stem": "3x3",
    "strides": (2, 2, 2, 2),
    "order": "inner",
    "activation": "prelu",
    "head": "embedding",
    "classes": 512,
    "input_size": (112, 112),
}
_BAG: dict[str, Any] = {**L50, "stem": "patch", "stem_pool": False, "strides": (2, 2, 2, 1)}
_EDSR: dict[str, Any] = {
    **_BIAS,
    "stem": "3x3",
    "widths": (64,),
    "order": "inner",
    "norm": "none",
    "head": "none",
    "input_size": (48, 48),
}

REPOSITORIES: dict[str, Entry] = {
    **{
        f"preact_resnet{depth}_cifar10": Entry(
            "cifar", KUANGLIU, {**layout, **CIFAR10, **PREACTIVATED, "outer_norm": "none"}
        )
        for depth, layout in _DEPTHS.items()
    },
    "senet18_cifar10": Entry(
        "cifar", KUANGLIU, {**L18, **CIFAR10, **PREACTIVATED, **_SE, "outer_norm": "stem"}
    ),
    **{
        f"seresnet{depth}_cifar100": Entry(
            "cifar",
            WEIAICUNZAI,
            {**layout, **CIFAR10, **_SE, **_BIAS, "attention_at": "activated", "classes": 100},
        )
        for depth, layout in _DEPTHS.items()
    },
    **{
        f"iresnet{depth}": Entry("face", ARCFACE, {"blocks": blocks, **_FACE})
        for depth, blocks in {
            18: (2, 2, 2, 2),
            34: (3, 4, 6, 3),
            50: (3, 4, 14, 3),
            100: (3, 13, 30, 3),
            200: (6, 26, 60, 6),
        }.items()
    },
    **{
        f"bagnet{side}": Entry("bagnet", BAGNET, {**_BAG, "unpadded": unpadded})
        for side, unpadded in {9: (1, 1, 0, 0), 17: (1, 1, 1, 0), 33: (1, 1, 1, 1)}.items()
    },
    "edsr_baseline_trunk": Entry("resolution", EDSR, {**_EDSR, "blocks": (16,)}),
}
