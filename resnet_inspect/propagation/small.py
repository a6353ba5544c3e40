"""Channels' means over inputs on small maps: how those at each two positions go together.

On large maps it is enough how they go with the mean over all positions. On maps of few, most of a
window lies on padding, positions share few weights, and what they have in common is no more the
same for all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from math import sqrt

from resnet_inspect.networks.shapes import Pair, Shape
from resnet_inspect.propagation.maps import Map, Window, each, mean
from resnet_inspect.propagation.tensors import Channels, Tensor, spatial

FEW = 16
"""Positions of a map up to which all pairs are followed."""

Between = Callable[[Pair, Pair], float]
"""Of two positions the mean product, over channels, of a channel's means over inputs there."""


def is_small(shape: Shape) -> bool:
    height, width = spatial(shape)
    return height * width <= FEW


def slid(tensor: Tensor, over: Window, weight: float, bias: float) -> Map:
    """The mean products behind a convolution: of two positions the taps that both have count."""
    count = sum(part.channels for part in tensor)
    known = [(part.channels / count * weight, between(part)) for part in tensor]
    rows, columns = ([{tap: at for at, tap in taps} for taps in axis] for axis in over)
    places = list(product(range(len(rows)), range(len(columns))))

    def shared(first: Pair, second: Pair) -> float:
        (a, b), (c, d) = first, second
        total = bias
        for down in rows[a].keys() & rows[c].keys():
            for across in columns[b].keys() & columns[d].keys():
                one = rows[a][down], columns[b][across]
                other = rows[c][down], columns[d][across]
                total += sum(share * of(one, other) for share, of in known)
        return total

    return tuple(tuple(shared(first, second) for second in places) for first in places)


def between(part: Channels) -> Between:
    """As it is followed; else as if means at two positions differed in size alone."""
    width = len(part.square[0])
    if part.pairs is not None:
        pairs = part.pairs
        return lambda one, other: pairs[one[0] * width + one[1]][other[0] * width + other[1]]
    if part.steady <= 0:
        return lambda one, other: part.common[one[0]][one[1]] if one == other else 0.0

    def at(one: Pair, other: Pair) -> float:
        if one == other:
            return part.common[one[0]][one[1]]
        return part.cross[one[0]][one[1]] * part.cross[other[0]][other[1]] / part.steady

    return at


def pairs_of(part: Channels) -> Map:
    """The mean products of all pairs."""
    found = between(part)
    places = list(product(range(len(part.square)), range(len(part.square[0]))))
    return tuple(tuple(found(one, other) for other in places) for one in places)


def centred(pairs: Map) -> Map:
    """Less the mean over all positions."""
    rows = [sum(row) / len(row) for row in pairs]
    whole = sum(rows) / len(rows)
    return tuple(
        tuple(value - rows[a] - rows[b] + whole for b, value in enumerate(row))
        for a, row in enumerate(pairs)
    )


def followed(part: Channels, pairs: Map) -> Channels:
    """The part with what these pairs say of its means."""
    width = len(part.square[0])
    rows = [sum(row) / len(row) for row in pairs]
    apart = centred(pairs)
    return replace(
        part,
        common=_folded([row[at] for at, row in enumerate(pairs)], width),
        cross=_folded(rows, width),
        steady=sum(rows) / len(rows),
        ripple=sqrt(mean(each(lambda value: value * value, apart))),
        pairs=pairs,
    )


def _folded(values: Sequence[float], width: int) -> Map:
    return tuple(tuple(values[at : at + width]) for at in range(0, len(values), width))
