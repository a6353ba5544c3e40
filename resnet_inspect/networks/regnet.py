"""RegNet: the widths, blocks and groups of a network from four numbers."""

from __future__ import annotations

from functools import partial
from math import log
from typing import Any

from resnet_inspect.networks.shapes import divisible


def regnet(
    initial: int,
    slope: float,
    step: float,
    depth: int,
    group_size: int,
    least: float = 0.0,
) -> dict[str, Any]:
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
