"""What lines of the zoo are made of: layouts by depth, and changes to them, each named once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import log
from typing import Any, NamedTuple

from resnet_inspect.networks.shapes import divisible

Fields = dict[str, Any]
"""Values of ResNetSpec's fields, by name."""

TIMM = "timm"
SE = "Hu et al. 2017, arXiv 1709.01507; timm"
KUANGLIU = "kuangliu/pytorch-cifar"


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


_BIASES = ("stem", "residual", "shortcut")

PARTS: dict[int | str, Fields] = {
    # layouts by depth (He et al. 2015, Table 1; He et al. 2016 for 200; the rest timm)
    10: {"blocks": (1, 1, 1, 1)},
    14: {"block": "bottleneck", "blocks": (1, 1, 1, 1)},
    18: {"blocks": (2, 2, 2, 2)},
    26: {"block": "bottleneck", "blocks": (2, 2, 2, 2)},
    34: {"blocks": (3, 4, 6, 3)},
    50: {"block": "bottleneck", "blocks": (3, 4, 6, 3)},
    101: {"block": "bottleneck", "blocks": (3, 4, 23, 3)},
    152: {"block": "bottleneck", "blocks": (3, 8, 36, 3)},
    200: {"block": "bottleneck", "blocks": (3, 24, 36, 3)},
    269: {"block": "bottleneck", "blocks": (3, 30, 48, 8)},
    # changes, by the letter or name that the field gives them
    "early": {"stride_in": "1x1"},
    "c": {"stem": "deep"},
    "d": {"stem": "deep", "shortcut": "D"},
    "s": {"stem": "deep", "stem_width": 128},
    "t": {"stem": "tiered", "shortcut": "D"},
    "poolless": {"stem_strides": (2, 1, 2), "stem_pool": False},
    "pre": {"order": "pre"},
    "plain": {"shortcut": "none"},
    "32x4d": {"groups": 32, "group_width": 4},
    "32x8d": {"groups": 32, "group_width": 8},
    "64x4d": {"groups": 64, "group_width": 4},
    "se": {"se_reduction": 16},
    "eca": {"attention": "eca"},
    "gc": {"attention": "gc", "se_reduction": 8},
    "aa": {"antialias": "average"},
    "blur": {"antialias": "blur"},
    "gn": {"norm": "group"},
    "silu": {"activation": "silu"},
    "biased": {"bias": _BIASES},
    "all biased": {"bias": (*_BIASES, "head")},
    "cifar10": {"stem": "3x3", "classes": 10, "input_size": (32, 32)},
    "256": {"input_size": (256, 256)},
}


def of(*parts: int | str | Fields, **own: Any) -> Fields:
    """The fields of some parts, by their names in PARTS or as they are, and a network's own.

    Of several values of a field the last holds.
    """
    fields: Fields = {}
    for part in parts:
        fields |= part if isinstance(part, dict) else PARTS[part]
    return fields | own


def regnet(
    initial: int, slope: float, step: float, depth: int, group_size: int, least: float = 0.0
) -> Fields:
    """The fields of a RegNet (Radosavovic et al. 2020, arXiv 2003.13678, equations 2 to 4).

    initial, slope, step: w_0, w_a and w_m. Block j is `initial + slope * j` wide, rounded to a
    power of `step` times `initial` and then to a multiple of 8; a stage is the blocks of one width,
    rounded to a multiple of its group size, where `least` is
    given half up, and up where it would be less than `least` of it, as torchvision does.
    """
    powers = [round(log((initial + slope * j) / initial) / log(step)) for j in range(depth)]
    each = [8 * round(initial * step**power / 8) for power in powers]
    widths = sorted(set(each))
    sizes = [min(group_size, width) for width in widths]
    return {
        "block": "bottleneck",
        "expansion": 1,
        "blocks": tuple(each.count(width) for width in widths),
        "widths": tuple(map(partial(_divided, least), widths, sizes)),
        "strides": (2,) * len(widths),
        "group_size": tuple(sizes),
        "stem": "3x3",
        "stem_width": 32,
        "stem_strides": (2,),
    }


def _divided(least: float, width: int, size: int) -> int:
    """The nearest multiple of a group's size."""
    return divisible(width, size, least) if least else round(width / size) * size
