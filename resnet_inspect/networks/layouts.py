"""What lines of the zoo are made of: layouts by depth, and changes to them, each named once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from resnet_inspect.networks.regnet import regnet
from resnet_inspect.networks.sources import CAFFE, HE2015, HE2016, HE2018, PLAIN, TABLE_1

LAYERS = TABLE_1.full
CIFAR = HE2015.at("section 4.2").full
PLAIN_NETS = PLAIN.full
V1 = CAFFE.full
PREACT = HE2016.full
WIDE = "Zagoruyko & Komodakis 2016, arXiv 1605.07146; torchvision"
KUANGLIU = "kuangliu/pytorch-cifar"
WIDE_CIFAR = "Zagoruyko & Komodakis 2016, arXiv 1605.07146, Table 4"
ALPHA = "Silver et al. 2017, Mastering the game of Go without human knowledge"
RESNEXT = "Xie et al. 2016, arXiv 1611.05431"
V1_5 = "torchvision (v1.5: stride in the 3x3)"
TWEAKS = f"{HE2018.at('Figure 2').full}; timm"
SE = "Hu et al. 2017, arXiv 1709.01507; timm"
TIMM = "timm"
D2L = "Dive into Deep Learning, section ResNet"
VGG = "Simonyan & Zisserman 2014, arXiv 1409.1556; torchvision"
NOTES = "course notes: ResNet-34 on MNIST"


class Entry(NamedTuple):
    """A line of the zoo: the fields that differ from ResNetSpec's defaults, family and source.

    law: the arguments of `regnet`, which its widths, blocks and groups follow from.
    """

    family: str
    source: str
    own: Mapping[str, Any]
    law: tuple[Any, ...] | None = None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields that differ from the defaults."""
        return self.own if self.law is None else {**regnet(*self.law), **self.own}


# Layouts by depth (He et al. 2015, Table 1; He et al. 2016 for 200; the rest timm).
L10: dict[str, Any] = {"blocks": (1, 1, 1, 1)}
L14: dict[str, Any] = {"block": "bottleneck", "blocks": (1, 1, 1, 1)}
L18: dict[str, Any] = {"blocks": (2, 2, 2, 2)}
L26: dict[str, Any] = {"block": "bottleneck", "blocks": (2, 2, 2, 2)}
L34: dict[str, Any] = {"blocks": (3, 4, 6, 3)}
L50: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 4, 6, 3)}
L101: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 4, 23, 3)}
L152: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 8, 36, 3)}
L200: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 24, 36, 3)}
L269: dict[str, Any] = {"block": "bottleneck", "blocks": (3, 30, 48, 8)}

# Changes to a layout, by the letter or name that the field gives them.
EARLY: dict[str, Any] = {"stride_in": "1x1"}
DEEP: dict[str, Any] = {"stem": "deep"}
DEEP_D: dict[str, Any] = {"stem": "deep", "shortcut": "D"}
DEEP_S: dict[str, Any] = {"stem": "deep", "stem_width": 128}
TIERED: dict[str, Any] = {"stem": "tiered", "shortcut": "D"}
GATED: dict[str, Any] = {"se_reduction": 16}
WITH_ECA: dict[str, Any] = {"attention": "eca"}
SILU: dict[str, Any] = {"activation": "silu"}
POOLLESS: dict[str, Any] = {"stem_strides": (2, 1, 2), "stem_pool": False}
PREACTIVATED: dict[str, Any] = {"order": "pre"}
WITHOUT: dict[str, Any] = {"shortcut": "none"}
G32X4: dict[str, Any] = {"groups": 32, "group_width": 4}
G32X8: dict[str, Any] = {"groups": 32, "group_width": 8}
G64X4: dict[str, Any] = {"groups": 64, "group_width": 4}
BIASED: dict[str, Any] = {"bias": ("stem", "residual", "shortcut"), "shortcut_norm": False}
SMALL: dict[str, Any] = {
    "stem": "3x3",
    "stem_width": 16,
    "widths": (16, 32, 64),
    "classes": 10,
    "input_size": (32, 32),
}
CHAINED: dict[str, Any] = {
    "block": "conv",
    "widths": (64, 128, 256, 512, 512),
    "stem": "none",
    "shortcut": "none",
    "bias": ("residual",),
    "head": "mlp",
}
PREACTIVATED_SMALL: dict[str, Any] = {**SMALL, **PREACTIVATED, **EARLY, "block": "bottleneck"}
CIFAR10: dict[str, Any] = {"stem": "3x3", "classes": 10, "input_size": (32, 32)}
RESNEXT_29: dict[str, Any] = {
    **CIFAR10,
    "block": "bottleneck",
    "blocks": (3, 3, 3),
    "widths": (64, 128, 256),
}
TOWER: dict[str, Any] = {
    "stem": "3x3",
    "stem_width": 256,
    "widths": (256,),
    "in_channels": 17,
    "input_size": (19, 19),
    "head": "none",
}
