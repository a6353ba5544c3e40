"""The order of channels that Inductor gives a network, where its input has the channels first.

What `GraphLowering.decide_layout_opt` of torch._inductor.graph decides (torch 2.13; measured runs
of 2.4 and 2.9 agree): channels last pay for most convolutions and harm those in groups, by factors
that torch measured.
"""

from __future__ import annotations

from resnet_inspect.counting.costs import cost
from resnet_inspect.networks.graph import LayerGraph, once
from resnet_inspect.networks.ops import Convolution

ORDERS = ("first", "last", "chosen")
"""Where products of a GPU find the channels: first (nchw), last (nhwc), or where Inductor puts
them. Those of a processor run alike in all."""

SLOWED = {"grouped": 1.358, "narrow": 0.783, "narrowing": 0.725, "other": 0.823}
"""The time of a convolution with channels last as a multiple of what it takes with them first."""

NARROW = 64
"""Channels in and out up to which a convolution counts as narrow."""


def kept_first(graph: LayerGraph, train: bool, order: str) -> bool:
    """Whether Inductor, which may choose, keeps the channels of a network first."""
    return order == "chosen" and not chooses_channels_last(graph, train)


@once
def chooses_channels_last(graph: LayerGraph, train: bool = False) -> bool:
    """Whether a network on a GPU is compiled with channels last.

    In inference it is where that is said to save time, weighed by MACs; in training where no
    convolution is grouped or narrowing, and not all are narrow. Depthwise ones do not count as
    grouped. Without convolutions there is nothing to gain.
    """
    macs = dict.fromkeys(SLOWED, 0)
    for layer in graph.layers:
        if isinstance(layer.op, Convolution):
            macs[_kind(layer.op)] += cost(layer).macs
    total = sum(macs.values())
    if train:
        return macs["other"] > 0 and not macs["grouped"] + macs["narrowing"]
    return 0 < total >= sum(SLOWED[kind] * count for kind, count in macs.items())


def _kind(op: Convolution) -> str:
    entering = op.in_channels // op.groups
    if op.groups > 1 and entering > 1:
        return "grouped"
    if max(entering, op.out_channels) <= NARROW:
        return "narrow"
    if 2 * op.out_channels <= entering and op.kernel[0] > 1:
        return "narrowing"
    return "other"
