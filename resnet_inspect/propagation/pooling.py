"""What pools make of channels that are alike."""

from __future__ import annotations

from math import sqrt
from operator import truediv

from resnet_inspect.propagation.laws import Law, Point, highest
from resnet_inspect.propagation.maps import Map, Window, each, mean, slid, times
from resnet_inspect.propagation.tensors import Channels


def greatest(part: Channels, over: Window) -> Channels:
    """The greatest under a window, whose values are taken as independent."""
    counts = over.counts
    laws = {n: highest(part.law, int(n)) for row in set(counts) for n in set(row)}
    size = times(each(truediv, slid(part.square, over), counts), 1 / mean(part.square))
    square = each(lambda s, n: s * laws[n].mean_square, size, counts)
    common = each(lambda s, n: s * laws[n].mean ** 2, size, counts)
    return rank_one(part.channels, square, common, laws[max(laws)])


def rank_one(count: int, square: Map, common: Map, law: Law) -> Channels:
    """Channels whose means over inputs differ between positions in size alone."""
    root = each(sqrt, common)
    typical = mean(root)
    return Channels(count, square, common, times(root, typical), typical**2, law)


def pooled(part: Channels) -> Channels:
    """The mean over all positions."""
    positions = len(part.square) * len(part.square[0])
    own = (mean(part.square) - mean(part.common)) / positions
    common = ((part.steady,),)
    square = ((part.steady + own,),)
    point = (Point(part.law.mean, 1.0),)
    law = Law(point, max(0.0, part.steady + own - part.law.mean**2))
    return Channels(part.channels, square, common, common, part.steady, law)
