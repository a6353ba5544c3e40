"""Names -> specs: every published layout, where it was published, and what else it is called.

To add a network, add a line to `ZOO`. Depths of the CIFAR families follow a rule, so any 6n+2
answers to resnet<depth>_cifar and plain<depth>_cifar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from resnet_inspect.errors import UnknownNameError, unknown
from resnet_inspect.networks.sources import CAFFE, HE2015, HE2016, HE2018, PLAIN, TABLE_1
from resnet_inspect.networks.spec import ResNetSpec

LAYERS = TABLE_1.full
CIFAR = HE2015.at("section 4.2").full
PLAIN_NETS = PLAIN.full
V1 = CAFFE.full
PREACT = HE2016.full
WIDE = "Zagoruyko & Komodakis 2016, arXiv 1605.07146; torchvision"
RESNEXT = "Xie et al. 2016, arXiv 1611.05431"
V1_5 = "torchvision (v1.5: stride in the 3x3)"
TWEAKS = f"{HE2018.at('Figure 2').full}; timm"
SE = "Hu et al. 2017, arXiv 1709.01507; timm"
TIMM = "timm"
D2L = "Dive into Deep Learning, section ResNet"
VGG = "Simonyan & Zisserman 2014, arXiv 1409.1556; torchvision"
NOTES = "course notes: ResNet-34 on MNIST"


class Entry(NamedTuple):
    """A line of the zoo: the fields that differ from ResNetSpec's defaults, family and source."""

    family: str
    source: str
    fields: Mapping[str, Any]


# Layouts by depth (He et al. 2015, Table 1; He et al. 2016 for 200; the rest timm).
_10: dict[str, Any] = {"blocks": (1, 1, 1, 1)}
_14: dict[str, Any] = {"block": "bottleneck", "blocks": (1, 1, 1, 1)}
_18: dict[str, Any] = {"blocks": (2, 2, 2, 2)}
_26: dict[str, Any] = {"block": "bottleneck", "blocks": (2, 2, 2, 2)}
_34: dict[str, Any] = {"blocks": (3, 4, 6, 3)}
_50: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 4, 6, 3)}
_101: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 4, 23, 3)}
_152: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 8, 36, 3)}
_200: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 24, 36, 3)}
_269: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 30, 48, 8)}

# Changes to a layout, by the letter or name that the field gives them.
_V1: dict[str, Any] = {"stride_in": "1x1"}
_C: dict[str, Any] = {"stem": "deep"}
_D: dict[str, Any] = {"stem": "deep", "shortcut": "D"}
_S: dict[str, Any] = {"stem": "deep", "stem_width": 128}
_T: dict[str, Any] = {"stem": "tiered", "shortcut": "D"}
_SE: dict[str, Any] = {"se_reduction": 16}
_PRE: dict[str, Any] = {"order": "pre"}
_PLAIN: dict[str, Any] = {"shortcut": "none"}
_32x4: dict[str, Any] = {"groups": 32, "group_width": 4}
_32x8: dict[str, Any] = {"groups": 32, "group_width": 8}
_64x4: dict[str, Any] = {"groups": 64, "group_width": 4}
_BIASED: dict[str, Any] = {"bias": ("stem", "residual", "shortcut"), "shortcut_norm": False}
_SMALL: dict[str, Any] = {
    "stem": "3x3",
    "stem_width": 16,
    "widths": (16, 32, 64),
    "classes": 10,
    "input_size": (32, 32),
}
_VGG: dict[str, Any] = {
    "block": "conv",
    "widths": (64, 128, 256, 512, 512),
    "stem": "none",
    "shortcut": "none",
    "bias": ("residual",),
    "head": "mlp",
}
_PRE_SMALL: dict[str, Any] = {**_SMALL, **_PRE, **_V1, "block": "bottleneck"}


def _vgg(depth: int, norm: str = "none") -> Entry:
    """Configurations A, B, D and E of Table 1, without batch norm as published."""
    blocks = {11: (1, 1, 2, 2, 2), 13: (2,) * 5, 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth]
    fields = {**_VGG, "blocks": blocks}
    return Entry("vgg", VGG, fields if norm == "batch" else {**fields, "norm": norm})


def _cifar(n: int) -> dict[str, Any]:
    return {**_SMALL, "shortcut": "A", "blocks": (n, n, n)}


ZOO: dict[str, Entry] = {
    # torchvision
    "resnet18": Entry("resnet", LAYERS, _18),
    "resnet34": Entry("resnet", LAYERS, _34),
    "resnet50": Entry("resnet", V1_5, _50),
    "resnet101": Entry("resnet", V1_5, _101),
    "resnet152": Entry("resnet", V1_5, _152),
    # as published and released in 2015; only the 50-layer release gives conv1 a bias
    "resnet50_v1": Entry("resnet-v1", V1, {**_50, **_V1, "bias": ("stem",)}),
    "resnet101_v1": Entry("resnet-v1", V1, {**_101, **_V1}),
    "resnet152_v1": Entry("resnet-v1", V1, {**_152, **_V1}),
    "wide_resnet50_2": Entry("wide", WIDE, {**_50, "group_width": 128}),
    "wide_resnet101_2": Entry("wide", WIDE, {**_101, "group_width": 128}),
    "resnext50_32x4d": Entry("resnext", RESNEXT, {**_50, **_32x4}),
    "resnext50d_32x4d": Entry("resnext", TIMM, {**_50, **_32x4, **_D}),
    "resnext101_32x4d": Entry("resnext", RESNEXT, {**_101, **_32x4}),
    "resnext101_32x8d": Entry("resnext", "torchvision", {**_101, **_32x8}),
    "resnext101_32x16d": Entry("resnext", TIMM, {**_101, "groups": 32, "group_width": 16}),
    "resnext101_32x32d": Entry("resnext", TIMM, {**_101, "groups": 32, "group_width": 32}),
    "resnext101_64x4d": Entry("resnext", RESNEXT, {**_101, **_64x4}),
    # stems and shortcuts: c, d, s, t
    "resnet10t": Entry("tweaks", TIMM, {**_10, **_T}),
    "resnet14t": Entry("tweaks", TIMM, {**_14, **_T}),
    "resnet18d": Entry("tweaks", TIMM, {**_18, **_D}),
    "resnet26": Entry("tweaks", TIMM, _26),
    "resnet26d": Entry("tweaks", TIMM, {**_26, **_D}),
    "resnet26t": Entry("tweaks", TIMM, {**_26, **_T}),
    "resnet34d": Entry("tweaks", TIMM, {**_34, **_D}),
    "resnet50c": Entry("tweaks", TWEAKS, {**_50, **_C}),
    "resnet50d": Entry("tweaks", TWEAKS, {**_50, **_D}),
    "resnet50s": Entry("tweaks", TIMM, {**_50, **_S}),
    "resnet50t": Entry("tweaks", TIMM, {**_50, **_T}),
    "resnet101c": Entry("tweaks", TIMM, {**_101, **_C}),
    "resnet101d": Entry("tweaks", TIMM, {**_101, **_D}),
    "resnet101s": Entry("tweaks", TIMM, {**_101, **_S}),
    "resnet152c": Entry("tweaks", TIMM, {**_152, **_C}),
    "resnet152d": Entry("tweaks", TIMM, {**_152, **_D}),
    "resnet152s": Entry("tweaks", TIMM, {**_152, **_S}),
    "resnet200": Entry("tweaks", TIMM, _200),
    "resnet200d": Entry("tweaks", TIMM, {**_200, **_D}),
    # squeeze-and-excitation
    "seresnet18": Entry("se", SE, {**_18, **_SE}),
    "seresnet34": Entry("se", SE, {**_34, **_SE}),
    "seresnet50": Entry("se", SE, {**_50, **_SE}),
    "seresnet50t": Entry("se", SE, {**_50, **_T, **_SE}),
    "seresnet101": Entry("se", SE, {**_101, **_SE}),
    "seresnet152": Entry("se", SE, {**_152, **_SE}),
    "seresnet152d": Entry("se", SE, {**_152, **_D, **_SE}),
    "seresnet200d": Entry("se", SE, {**_200, **_D, **_SE}),
    "seresnet269d": Entry("se", SE, {**_269, **_D, **_SE}),
    "seresnext26d_32x4d": Entry("se", SE, {**_26, **_32x4, **_D, **_SE}),
    "seresnext26t_32x4d": Entry("se", SE, {**_26, **_32x4, **_T, **_SE}),
    "seresnext50_32x4d": Entry("se", SE, {**_50, **_32x4, **_SE}),
    "seresnext101_32x4d": Entry("se", SE, {**_101, **_32x4, **_SE}),
    "seresnext101_32x8d": Entry("se", SE, {**_101, **_32x8, **_SE}),
    "seresnext101_64x4d": Entry("se", SE, {**_101, **_64x4, **_SE}),
    "seresnext101d_32x8d": Entry("se", SE, {**_101, **_32x8, **_D, **_SE}),
    # pre-activation, wired as timm's
    "resnetv2_18": Entry("preact", TIMM, {**_18, **_PRE}),
    "resnetv2_18d": Entry("preact", TIMM, {**_18, **_PRE, **_D}),
    "resnetv2_34": Entry("preact", TIMM, {**_34, **_PRE}),
    "resnetv2_34d": Entry("preact", TIMM, {**_34, **_PRE, **_D}),
    "resnetv2_50": Entry("preact", TIMM, {**_50, **_PRE}),
    "resnetv2_50d": Entry("preact", TIMM, {**_50, **_PRE, **_D}),
    "resnetv2_50t": Entry("preact", TIMM, {**_50, **_PRE, **_T}),
    "resnetv2_101": Entry("preact", TIMM, {**_101, **_PRE}),
    "resnetv2_101d": Entry("preact", TIMM, {**_101, **_PRE, **_D}),
    "resnetv2_152": Entry("preact", TIMM, {**_152, **_PRE}),
    "resnetv2_152d": Entry("preact", TIMM, {**_152, **_PRE, **_D}),
    # CIFAR: 6n+2 basic layers, 9n+2 pre-activation bottleneck layers
    **{f"resnet{6 * n + 2}_cifar": Entry("cifar", CIFAR, _cifar(n)) for n in (3, 5, 7, 9, 18, 200)},
    "resnet164": Entry("cifar", PREACT, {**_PRE_SMALL, "blocks": (18, 18, 18)}),
    "resnet1001": Entry("cifar", PREACT, {**_PRE_SMALL, "blocks": (111, 111, 111)}),
    # the same layers without shortcuts
    "plain18": Entry("plain", PLAIN_NETS, {**_18, **_PLAIN}),
    "plain34": Entry("plain", PLAIN_NETS, {**_34, **_PLAIN}),
    **{
        f"plain{6 * n + 2}_cifar": Entry("plain", CIFAR, {**_cifar(n), **_PLAIN})
        for n in (3, 5, 7, 9, 18)
    },
    # VGG, the plain networks that residual ones are measured against
    **{f"vgg{depth}": _vgg(depth) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": _vgg(depth, "batch") for depth in (11, 13, 16, 19)},
    # from courses
    "resnet18_d2l": Entry("notes", D2L, {**_18, **_BIASED, "in_channels": 1, "classes": 10}),
    "resnet34_mnist": Entry(
        "notes", NOTES, {**_34, "in_channels": 1, "classes": 10, "input_size": (28, 28)}
    ),
}

ALIASES: dict[str, str] = {
    **{f"resnet{depth}b": f"resnet{depth}" for depth in (50, 101, 152)},
    **{f"resnet{depth}_v1.5": f"resnet{depth}" for depth in (50, 101, 152)},
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
    fields = {**_cifar(int(match[2]) // 6), **(_PLAIN if plain else {})}
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
