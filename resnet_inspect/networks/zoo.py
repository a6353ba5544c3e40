"""Names -> specs: every published layout, where it was published, and what else it is called.

To add a network, add a line to `ZOO`. Depths of the CIFAR families follow a rule, so any 6n+2
answers to resnet<depth>_cifar and plain<depth>_cifar.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from resnet_inspect.errors import UnknownNameError, unknown
from resnet_inspect.networks.layouts import KUANGLIU, SE, TIMM, Entry, Fields, of
from resnet_inspect.networks.sources import CAFFE, HE2015, HE2016, HE2018, PLAIN, TABLE_1
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.zoo_byobnet import BYOB, MERGED
from resnet_inspect.networks.zoo_nf import UNNORMALIZED
from resnet_inspect.networks.zoo_repositories import BACKBONES, REPOSITORIES
from resnet_inspect.networks.zoo_variants import REGNET_X, REGNET_Y, VARIANTS

LAYERS = TABLE_1.full
CIFAR = HE2015.at("section 4.2").full
WIDE = "Zagoruyko & Komodakis 2016, arXiv 1605.07146; torchvision"
WIDE_CIFAR = "Zagoruyko & Komodakis 2016, arXiv 1605.07146, Table 4"
ALPHA = "Silver et al. 2017, Mastering the game of Go without human knowledge"
RESNEXT = "Xie et al. 2016, arXiv 1611.05431"
V1_5 = "torchvision (v1.5: stride in the 3x3)"
TWEAKS = f"{HE2018.at('Figure 2').full}; timm"
D2L = "Dive into Deep Learning, section ResNet"
VGG = "Simonyan & Zisserman 2014, arXiv 1409.1556; torchvision"
NOTES = "course notes: ResNet-34 on MNIST"


_VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Configurations A, B, D and E of Table 1."""


def _vgg(depth: int, norm: str) -> Entry:
    """Without batch norm as published."""
    fields: Fields = {
        "block": "conv",
        "blocks": _VGG[depth],
        "widths": (64, 128, 256, 512, 512),
        "stem": "none",
        "shortcut": "none",
        "bias": ("residual",),
        "head": "mlp",
    }
    return Entry("vgg", VGG, fields if norm == "batch" else {**fields, "norm": norm})


def _small(*parts: str, widen: int = 1, **own: Any) -> Fields:
    """Three stages, for CIFAR (He et al. 2015, section 4.2)."""
    widths = tuple(widen * width for width in (16, 32, 64))
    return of("cifar10", *parts, stem_width=16, widths=widths, **own)


def _wrn(depth: int, factor: int) -> Fields:
    """WRN-depth-factor (Zagoruyko & Komodakis 2016, Table 1): 6n+4 layers."""
    return _small("pre", widen=factor, blocks=((depth - 4) // 6,) * 3)


def _cifar(n: int, shortcut: str = "A") -> Fields:
    return _small(shortcut=shortcut, blocks=(n, n, n))


def _preactivated(n: int) -> Fields:
    return _small("pre", "early", block="bottleneck", blocks=(n, n, n))


def _resnext29(groups: int) -> Fields:
    """ResNeXt-29 (Xie et al. 2016, section 5.3)."""
    layout = {"block": "bottleneck", "blocks": (3, 3, 3), "widths": (64, 128, 256)}
    return of("cifar10", **layout, groups=groups)


def _tower(blocks: int) -> Fields:
    """A tower of AlphaGo Zero, without its heads."""
    stem = {"stem": "3x3", "stem_width": 256, "in_channels": 17, "input_size": (19, 19)}
    return {**stem, "blocks": (blocks,), "widths": (256,), "head": "none"}


ZOO: dict[str, Entry] = {
    # torchvision
    "resnet18": Entry("resnet", LAYERS, of(18)),
    "resnet34": Entry("resnet", LAYERS, of(34)),
    "resnet50": Entry("resnet", V1_5, of(50)),
    "resnet101": Entry("resnet", V1_5, of(101)),
    "resnet152": Entry("resnet", V1_5, of(152)),
    # as published and released in 2015; only the 50-layer release gives conv1 a bias
    "resnet50_v1": Entry("resnet-v1", CAFFE.full, of(50, "early", bias=("stem",))),
    "resnet101_v1": Entry("resnet-v1", CAFFE.full, of(101, "early")),
    "resnet152_v1": Entry("resnet-v1", CAFFE.full, of(152, "early")),
    "wide_resnet50_2": Entry("wide", WIDE, of(50, group_width=128)),
    "wide_resnet101_2": Entry("wide", WIDE, of(101, group_width=128)),
    "resnext50_32x4d": Entry("resnext", RESNEXT, of(50, "32x4d")),
    "resnext50d_32x4d": Entry("resnext", TIMM, of(50, "32x4d", "d")),
    "resnext101_32x4d": Entry("resnext", RESNEXT, of(101, "32x4d")),
    "resnext101_32x8d": Entry("resnext", "torchvision", of(101, "32x8d")),
    "resnext101_32x16d": Entry("resnext", TIMM, of(101, groups=32, group_width=16)),
    "resnext101_32x32d": Entry("resnext", TIMM, of(101, groups=32, group_width=32)),
    "resnext101_64x4d": Entry("resnext", RESNEXT, of(101, "64x4d")),
    # stems and shortcuts: c, d, s, t
    "resnet10t": Entry("tweaks", TIMM, of(10, "t")),
    "resnet14t": Entry("tweaks", TIMM, of(14, "t")),
    "resnet18d": Entry("tweaks", TIMM, of(18, "d")),
    "resnet26": Entry("tweaks", TIMM, of(26)),
    "resnet26d": Entry("tweaks", TIMM, of(26, "d")),
    "resnet26t": Entry("tweaks", TIMM, of(26, "t")),
    "resnet34d": Entry("tweaks", TIMM, of(34, "d")),
    "resnet50c": Entry("tweaks", TWEAKS, of(50, "c")),
    "resnet50d": Entry("tweaks", TWEAKS, of(50, "d")),
    "resnet50s": Entry("tweaks", TIMM, of(50, "s")),
    "resnet50t": Entry("tweaks", TIMM, of(50, "t")),
    "resnet101c": Entry("tweaks", TIMM, of(101, "c")),
    "resnet101d": Entry("tweaks", TIMM, of(101, "d")),
    "resnet101s": Entry("tweaks", TIMM, of(101, "s")),
    "resnet152c": Entry("tweaks", TIMM, of(152, "c")),
    "resnet152d": Entry("tweaks", TIMM, of(152, "d")),
    "resnet152s": Entry("tweaks", TIMM, of(152, "s")),
    "resnet200": Entry("tweaks", TIMM, of(200)),
    "resnet200d": Entry("tweaks", TIMM, of(200, "d")),
    # squeeze-and-excitation
    "seresnet18": Entry("se", SE, of(18, "se")),
    "seresnet34": Entry("se", SE, of(34, "se")),
    "seresnet50": Entry("se", SE, of(50, "se")),
    "seresnet50t": Entry("se", SE, of(50, "t", "se")),
    "seresnet101": Entry("se", SE, of(101, "se")),
    "seresnet152": Entry("se", SE, of(152, "se")),
    "seresnet152d": Entry("se", SE, of(152, "d", "se")),
    "seresnet200d": Entry("se", SE, of(200, "d", "se")),
    "seresnet269d": Entry("se", SE, of(269, "d", "se")),
    "seresnext26d_32x4d": Entry("se", SE, of(26, "32x4d", "d", "se")),
    "seresnext26t_32x4d": Entry("se", SE, of(26, "32x4d", "t", "se")),
    "seresnext50_32x4d": Entry("se", SE, of(50, "32x4d", "se")),
    "seresnext101_32x4d": Entry("se", SE, of(101, "32x4d", "se")),
    "seresnext101_32x8d": Entry("se", SE, of(101, "32x8d", "se")),
    "seresnext101_64x4d": Entry("se", SE, of(101, "64x4d", "se")),
    "seresnext101d_32x8d": Entry("se", SE, of(101, "32x8d", "d", "se")),
    # pre-activation, wired as timm's
    "resnetv2_18": Entry("preact", TIMM, of(18, "pre")),
    "resnetv2_18d": Entry("preact", TIMM, of(18, "pre", "d")),
    "resnetv2_34": Entry("preact", TIMM, of(34, "pre")),
    "resnetv2_34d": Entry("preact", TIMM, of(34, "pre", "d")),
    "resnetv2_50": Entry("preact", TIMM, of(50, "pre")),
    "resnetv2_50d": Entry("preact", TIMM, of(50, "pre", "d")),
    "resnetv2_50t": Entry("preact", TIMM, of(50, "pre", "t")),
    "resnetv2_101": Entry("preact", TIMM, of(101, "pre")),
    "resnetv2_101d": Entry("preact", TIMM, of(101, "pre", "d")),
    "resnetv2_152": Entry("preact", TIMM, of(152, "pre")),
    "resnetv2_152d": Entry("preact", TIMM, of(152, "pre", "d")),
    # CIFAR: 6n+2 basic layers, 9n+2 pre-activation bottleneck layers
    **{f"resnet{6 * n + 2}_cifar": Entry("cifar", CIFAR, _cifar(n)) for n in (3, 5, 7, 9, 18, 200)},
    "resnet164": Entry("cifar", HE2016.full, _preactivated(18)),
    "resnet1001": Entry("cifar", HE2016.full, _preactivated(111)),
    # CIFAR, as widely used repositories have them
    **{
        f"resnet{depth}_cifar10": Entry("cifar", KUANGLIU, of(depth, "cifar10"))
        for depth in (18, 34, 50, 101, 152)
    },
    "wrn_16_8": Entry("cifar", WIDE_CIFAR, _wrn(16, 8)),
    "wrn_28_10": Entry("cifar", WIDE_CIFAR, _wrn(28, 10)),
    "wrn_40_4": Entry("cifar", WIDE_CIFAR, _wrn(40, 4)),
    "resnext29_8x64d": Entry("cifar", f"{RESNEXT}, Table 7", _resnext29(8)),
    "resnext29_16x64d": Entry("cifar", f"{RESNEXT}, Table 7", _resnext29(16)),
    # the same layers without shortcuts
    "plain18": Entry("plain", PLAIN.full, of(18, "plain")),
    "plain34": Entry("plain", PLAIN.full, of(34, "plain")),
    **{
        f"plain{6 * n + 2}_cifar": Entry("plain", CIFAR, _cifar(n, "none"))
        for n in (3, 5, 7, 9, 18)
    },
    # VGG, the plain networks that residual ones are measured against
    **{f"vgg{depth}": _vgg(depth, "none") for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": _vgg(depth, "batch") for depth in (11, 13, 16, 19)},
    # games
    "alphazero_20x256": Entry("games", ALPHA, _tower(19)),
    "alphazero_40x256": Entry("games", ALPHA, _tower(39)),
    **VARIANTS,
    **BACKBONES,
    **BYOB,
    **UNNORMALIZED,
    **MERGED,
    # of well-known repositories
    **REPOSITORIES,
    # from courses
    "resnet18_d2l": Entry(
        "notes", D2L, of(18, "biased", shortcut_norm=False, in_channels=1, classes=10)
    ),
    "resnet34_mnist": Entry("notes", NOTES, of(34, in_channels=1, classes=10, input_size=(28, 28))),
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
    family, shortcut = ("plain", "none") if match[1] == "plain" else ("cifar", "A")
    return Entry(family, CIFAR, _cifar(int(match[2]) // 6, shortcut))


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
