"""Names -> specs: every published layout, where it was published, and what else it is called.

To add a network, add a line to `ZOO`. Depths of the CIFAR families follow a rule, so any 6n+2
answers to resnet<depth>_cifar and plain<depth>_cifar.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from resnet_inspect.errors import UnknownNameError, unknown
from resnet_inspect.networks.layouts import (
    ALPHA,
    BIASED,
    CHAINED,
    CIFAR,
    CIFAR10,
    D2L,
    DEEP,
    DEEP_D,
    DEEP_S,
    EARLY,
    G32X4,
    G32X8,
    G64X4,
    GATED,
    KUANGLIU,
    L10,
    L14,
    L18,
    L26,
    L34,
    L50,
    L101,
    L152,
    L200,
    L269,
    LAYERS,
    NOTES,
    PLAIN_NETS,
    PREACT,
    PREACTIVATED,
    PREACTIVATED_SMALL,
    RESNEXT,
    RESNEXT_29,
    SE,
    SMALL,
    TIERED,
    TIMM,
    TOWER,
    TWEAKS,
    V1,
    V1_5,
    VGG,
    WIDE,
    WIDE_CIFAR,
    WITHOUT,
    Entry,
)
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.zoo_attending import ATTENDING
from resnet_inspect.networks.zoo_backbones import BACKBONES
from resnet_inspect.networks.zoo_byobnet import BYOB
from resnet_inspect.networks.zoo_nf import UNNORMALIZED
from resnet_inspect.networks.zoo_parallel import MERGED
from resnet_inspect.networks.zoo_repositories import REPOSITORIES
from resnet_inspect.networks.zoo_variants import REGNET_X, REGNET_Y, VARIANTS


def _vgg(depth: int, norm: str = "none") -> Entry:
    """Configurations A, B, D and E of Table 1, without batch norm as published."""
    blocks = {11: (1, 1, 2, 2, 2), 13: (2,) * 5, 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth]
    fields = {**CHAINED, "blocks": blocks}
    return Entry("vgg", VGG, fields if norm == "batch" else {**fields, "norm": norm})


def _wrn(depth: int, factor: int) -> dict[str, Any]:
    """WRN-depth-factor (Zagoruyko & Komodakis 2016, Table 1): 6n+4 layers."""
    widths = tuple(factor * width for width in (16, 32, 64))
    return {**SMALL, **PREACTIVATED, "blocks": ((depth - 4) // 6,) * 3, "widths": widths}


def _cifar(n: int) -> dict[str, Any]:
    return {**SMALL, "shortcut": "A", "blocks": (n, n, n)}


ZOO: dict[str, Entry] = {
    # torchvision
    "resnet18": Entry("resnet", LAYERS, L18),
    "resnet34": Entry("resnet", LAYERS, L34),
    "resnet50": Entry("resnet", V1_5, L50),
    "resnet101": Entry("resnet", V1_5, L101),
    "resnet152": Entry("resnet", V1_5, L152),
    # as published and released in 2015; only the 50-layer release gives conv1 a bias
    "resnet50_v1": Entry("resnet-v1", V1, {**L50, **EARLY, "bias": ("stem",)}),
    "resnet101_v1": Entry("resnet-v1", V1, {**L101, **EARLY}),
    "resnet152_v1": Entry("resnet-v1", V1, {**L152, **EARLY}),
    "wide_resnet50_2": Entry("wide", WIDE, {**L50, "group_width": 128}),
    "wide_resnet101_2": Entry("wide", WIDE, {**L101, "group_width": 128}),
    "resnext50_32x4d": Entry("resnext", RESNEXT, {**L50, **G32X4}),
    "resnext50d_32x4d": Entry("resnext", TIMM, {**L50, **G32X4, **DEEP_D}),
    "resnext101_32x4d": Entry("resnext", RESNEXT, {**L101, **G32X4}),
    "resnext101_32x8d": Entry("resnext", "torchvision", {**L101, **G32X8}),
    "resnext101_32x16d": Entry("resnext", TIMM, {**L101, "groups": 32, "group_width": 16}),
    "resnext101_32x32d": Entry("resnext", TIMM, {**L101, "groups": 32, "group_width": 32}),
    "resnext101_64x4d": Entry("resnext", RESNEXT, {**L101, **G64X4}),
    # stems and shortcuts: c, d, s, t
    "resnet10t": Entry("tweaks", TIMM, {**L10, **TIERED}),
    "resnet14t": Entry("tweaks", TIMM, {**L14, **TIERED}),
    "resnet18d": Entry("tweaks", TIMM, {**L18, **DEEP_D}),
    "resnet26": Entry("tweaks", TIMM, L26),
    "resnet26d": Entry("tweaks", TIMM, {**L26, **DEEP_D}),
    "resnet26t": Entry("tweaks", TIMM, {**L26, **TIERED}),
    "resnet34d": Entry("tweaks", TIMM, {**L34, **DEEP_D}),
    "resnet50c": Entry("tweaks", TWEAKS, {**L50, **DEEP}),
    "resnet50d": Entry("tweaks", TWEAKS, {**L50, **DEEP_D}),
    "resnet50s": Entry("tweaks", TIMM, {**L50, **DEEP_S}),
    "resnet50t": Entry("tweaks", TIMM, {**L50, **TIERED}),
    "resnet101c": Entry("tweaks", TIMM, {**L101, **DEEP}),
    "resnet101d": Entry("tweaks", TIMM, {**L101, **DEEP_D}),
    "resnet101s": Entry("tweaks", TIMM, {**L101, **DEEP_S}),
    "resnet152c": Entry("tweaks", TIMM, {**L152, **DEEP}),
    "resnet152d": Entry("tweaks", TIMM, {**L152, **DEEP_D}),
    "resnet152s": Entry("tweaks", TIMM, {**L152, **DEEP_S}),
    "resnet200": Entry("tweaks", TIMM, L200),
    "resnet200d": Entry("tweaks", TIMM, {**L200, **DEEP_D}),
    # squeeze-and-excitation
    "seresnet18": Entry("se", SE, {**L18, **GATED}),
    "seresnet34": Entry("se", SE, {**L34, **GATED}),
    "seresnet50": Entry("se", SE, {**L50, **GATED}),
    "seresnet50t": Entry("se", SE, {**L50, **TIERED, **GATED}),
    "seresnet101": Entry("se", SE, {**L101, **GATED}),
    "seresnet152": Entry("se", SE, {**L152, **GATED}),
    "seresnet152d": Entry("se", SE, {**L152, **DEEP_D, **GATED}),
    "seresnet200d": Entry("se", SE, {**L200, **DEEP_D, **GATED}),
    "seresnet269d": Entry("se", SE, {**L269, **DEEP_D, **GATED}),
    "seresnext26d_32x4d": Entry("se", SE, {**L26, **G32X4, **DEEP_D, **GATED}),
    "seresnext26t_32x4d": Entry("se", SE, {**L26, **G32X4, **TIERED, **GATED}),
    "seresnext50_32x4d": Entry("se", SE, {**L50, **G32X4, **GATED}),
    "seresnext101_32x4d": Entry("se", SE, {**L101, **G32X4, **GATED}),
    "seresnext101_32x8d": Entry("se", SE, {**L101, **G32X8, **GATED}),
    "seresnext101_64x4d": Entry("se", SE, {**L101, **G64X4, **GATED}),
    "seresnext101d_32x8d": Entry("se", SE, {**L101, **G32X8, **DEEP_D, **GATED}),
    # pre-activation, wired as timm's
    "resnetv2_18": Entry("preact", TIMM, {**L18, **PREACTIVATED}),
    "resnetv2_18d": Entry("preact", TIMM, {**L18, **PREACTIVATED, **DEEP_D}),
    "resnetv2_34": Entry("preact", TIMM, {**L34, **PREACTIVATED}),
    "resnetv2_34d": Entry("preact", TIMM, {**L34, **PREACTIVATED, **DEEP_D}),
    "resnetv2_50": Entry("preact", TIMM, {**L50, **PREACTIVATED}),
    "resnetv2_50d": Entry("preact", TIMM, {**L50, **PREACTIVATED, **DEEP_D}),
    "resnetv2_50t": Entry("preact", TIMM, {**L50, **PREACTIVATED, **TIERED}),
    "resnetv2_101": Entry("preact", TIMM, {**L101, **PREACTIVATED}),
    "resnetv2_101d": Entry("preact", TIMM, {**L101, **PREACTIVATED, **DEEP_D}),
    "resnetv2_152": Entry("preact", TIMM, {**L152, **PREACTIVATED}),
    "resnetv2_152d": Entry("preact", TIMM, {**L152, **PREACTIVATED, **DEEP_D}),
    # CIFAR: 6n+2 basic layers, 9n+2 pre-activation bottleneck layers
    **{f"resnet{6 * n + 2}_cifar": Entry("cifar", CIFAR, _cifar(n)) for n in (3, 5, 7, 9, 18, 200)},
    "resnet164": Entry("cifar", PREACT, {**PREACTIVATED_SMALL, "blocks": (18, 18, 18)}),
    "resnet1001": Entry("cifar", PREACT, {**PREACTIVATED_SMALL, "blocks": (111, 111, 111)}),
    # CIFAR, as widely used repositories have them
    **{
        f"resnet{depth}_cifar10": Entry("cifar", KUANGLIU, {**layout, **CIFAR10})
        for depth, layout in ((18, L18), (34, L34), (50, L50), (101, L101), (152, L152))
    },
    "wrn_16_8": Entry("cifar", WIDE_CIFAR, _wrn(16, 8)),
    "wrn_28_10": Entry("cifar", WIDE_CIFAR, _wrn(28, 10)),
    "wrn_40_4": Entry("cifar", WIDE_CIFAR, _wrn(40, 4)),
    "resnext29_8x64d": Entry("cifar", f"{RESNEXT}, Table 7", {**RESNEXT_29, "groups": 8}),
    "resnext29_16x64d": Entry("cifar", f"{RESNEXT}, Table 7", {**RESNEXT_29, "groups": 16}),
    # the same layers without shortcuts
    "plain18": Entry("plain", PLAIN_NETS, {**L18, **WITHOUT}),
    "plain34": Entry("plain", PLAIN_NETS, {**L34, **WITHOUT}),
    **{
        f"plain{6 * n + 2}_cifar": Entry("plain", CIFAR, {**_cifar(n), **WITHOUT})
        for n in (3, 5, 7, 9, 18)
    },
    # VGG, the plain networks that residual ones are measured against
    **{f"vgg{depth}": _vgg(depth) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": _vgg(depth, "batch") for depth in (11, 13, 16, 19)},
    # the towers of AlphaGo Zero, without their heads
    "alphazero_20x256": Entry("games", ALPHA, {**TOWER, "blocks": (19,)}),
    "alphazero_40x256": Entry("games", ALPHA, {**TOWER, "blocks": (39,)}),
    **VARIANTS,
    **ATTENDING,
    **BACKBONES,
    **BYOB,
    **UNNORMALIZED,
    **MERGED,
    # of well-known repositories
    **REPOSITORIES,
    # from courses
    "resnet18_d2l": Entry("notes", D2L, {**L18, **BIASED, "in_channels": 1, "classes": 10}),
    "resnet34_mnist": Entry(
        "notes", NOTES, {**L34, "in_channels": 1, "classes": 10, "input_size": (28, 28)}
    ),
}

ALIASES: dict[str, str] = {
    **{f"resnet{depth}b": f"resnet{depth}" for depth in (50, 101, 152)},
    **{f"resnet{depth}_v1.5": f"resnet{depth}" for depth in (50, 101, 152)},
    **{
        f"regnet_{kind}_{size}": f"regnet{kind}_{name}"
        for kind, sizes in (("x", REGNET_X), ("y", REGNET_Y))
        for size, name in sizes.items()
    },
    "wide_resnet50": "wide_resnet50_2",
    "wide_resnet101": "wide_resnet101_2",
    "resnext50": "resnext50_32x4d",
    **{f"preact_resnet{depth}": f"resnetv2_{depth}" for depth in (18, 34, 50, 101, 152)},
}

FAMILIES = tuple(dict.fromkeys(entry.family for entry in ZOO.values()))
"""resnet, resnet-v1, wide, .. in the order of the zoo."""

CLASSICS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
"""The five networks of He et al. 2015, Table 1, as torchvision has them."""

_BY_RULE = r"(resnet|plain)([1-9]\d{0,5})_cifar"


def canonical(name: str) -> str:
    """The zoo's name for what people call a network: ResNet-50, resnet50-B, se_resnet50, ..

    Raises UnknownNameError with the nearest names.
    """
    folded = name.strip().lower().replace("-", "").replace(" ", "").replace("se_res", "seres")
    folded = ALIASES.get(folded, folded)
    if folded not in ZOO and f"{folded}_cifar" in ZOO:  # ResNet-56, as the paper calls it
        return f"{folded}_cifar"
    if folded in ZOO or _from_rule(folded):
        return folded
    raise unknown("network", name, [*ZOO, *ALIASES], "'resnet-inspect models' lists them")


def names(pattern: str = "*", family: str | None = None) -> list[str]:
    """Names that match a shell pattern; raises UnknownNameError for the family."""
    from fnmatch import fnmatchcase

    if family is not None and family not in FAMILIES:
        raise unknown("family", family, FAMILIES, "'resnet-inspect models' names each network's")
    return [
        name
        for name, line in ZOO.items()
        if fnmatchcase(name, pattern.lower()) and family in (None, line.family)
    ]


def entry(name: str) -> Entry:
    """The zoo's line for a name; raises UnknownNameError with the nearest names."""
    known = canonical(name)
    line = ZOO.get(known) or _from_rule(known)
    assert line is not None  # canonical() vouches for it
    return line


@lru_cache(maxsize=256)
def spec(name: str) -> ResNetSpec:
    """The spec of a name; raises UnknownNameError with the nearest names."""
    return ResNetSpec(name=canonical(name), **entry(name).fields)


def _from_rule(name: str) -> Entry | None:
    """CIFAR networks of any 6n+2 layers (He et al. 2015, section 4.2)."""
    match = re.fullmatch(_BY_RULE, name)
    if match is None or int(match[2]) % 6 != 2 or int(match[2]) < 8:
        return None
    plain = match[1] == "plain"
    fields = {**_cifar(int(match[2]) // 6), **(WITHOUT if plain else {})}
    return Entry("plain" if plain else "cifar", CIFAR, fields)


DEPTHS: dict[int, str] = {
    10: "resnet10t",
    14: "resnet14t",
    **{depth: f"resnet{depth}" for depth in (18, 26, 34, 50, 101, 152, 164, 200)},
    269: "seresnet269d",
    1001: "resnet1001",
}
"""The network that a depth means; all others follow 6n+2."""


def by_depth(depth: int) -> tuple[ResNetSpec, str]:
    """The published network of this depth, and the rule that it follows in words.

    Raises UnknownNameError with the nearest depths.
    """
    name = DEPTHS.get(depth, f"resnet{depth}_cifar")
    if name in ZOO or _from_rule(name):
        return spec(name), f"depth {depth} is {name}: {_rule(spec(name))}; {entry(name).source}"
    known = sorted({*DEPTHS, *range(8, 1203, 6)}, key=lambda d: (abs(d - depth), d))
    near = ", ".join(map(str, sorted(known[:3])))
    raise UnknownNameError(
        f"no published ResNet has depth {depth}; the nearest have {near} "
        "(give --blocks, such as --blocks 3,4,6,3 --block bottleneck, for a layout of your own)"
    )


def _rule(described: ResNetSpec) -> str:
    blocks = described.blocks
    layout = f"{described.block} blocks {','.join(map(str, blocks))}"
    if len(blocks) == 3:
        each = 6 if described.block == "basic" else 9
        layout = f"{each}n+2 with n={blocks[0]}, {layout}"
    return layout
