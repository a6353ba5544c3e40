"""Random networks, and inputs for those that can be built."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from graphs import GraphBuilder
from hypothesis import strategies as st

from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.ops import ACTIVATIONS, Add, Conv2d, ReLU, Shape
from resnet_inspect.networks.spec import FIELDS, ResNetSpec
from resnet_inspect.networks.torch_ops import Concat


@st.composite
def specs(
    draw: st.DrawFn,
    *,
    activations: tuple[str, ...] = tuple(ACTIVATIONS),
    widest: int = 12,
) -> ResNetSpec:
    """Any valid spec of one to four narrow stages: every stem, shortcut, order and grouping.

    activations: those to choose from; widest: the most channels of a stage's 3x3 convolutions.
    """
    if draw(st.integers(0, 9)) == 0:
        return draw(chains(activations=activations, widest=widest))
    stages = draw(st.integers(1, 4))
    block = draw(st.sampled_from(["basic", "bottleneck"]))
    stem = draw(st.sampled_from([stem for stem in FIELDS["stem"].choices if stem != "none"]))
    splits = stem in ("deep", "tiered")
    stem_width = draw(st.sampled_from([8, 16]) if splits else st.integers(1, 12))
    shortcut = draw(st.sampled_from(FIELDS["shortcut"].choices))
    widths = draw(st.lists(st.integers(1, widest), min_size=stages, max_size=stages))
    if shortcut == "A":  # it cannot drop channels
        enough = -(-stem_width // (4 if block == "bottleneck" else 1))
        widths = sorted(max(width, enough) for width in widths)
    groups, group_width = 1, 64
    if block == "bottleneck":
        groups = draw(st.integers(1, 4))
        group_width = draw(st.integers(-(-64 // min(widths)), 160))
    return ResNetSpec(
        block=block,
        blocks=tuple(draw(st.integers(1, 2)) for _ in range(stages)),
        widths=tuple(widths),
        strides=tuple(draw(st.integers(1, 3)) for _ in range(stages)),
        stem=stem,
        stem_width=stem_width,
        stem_pool=draw(st.booleans()),
        shortcut=shortcut,
        shortcut_norm=draw(st.booleans()),
        stride_in=draw(st.sampled_from(FIELDS["stride_in"].choices)),
        order=draw(st.sampled_from(FIELDS["order"].choices)),
        norm=draw(st.sampled_from(FIELDS["norm"].choices)),
        groups=groups,
        group_width=group_width,
        se_reduction=draw(st.sampled_from([0, 2, 16])),
        activation=draw(st.sampled_from(activations)),
        bias=tuple(draw(st.sets(st.sampled_from(FIELDS["bias"].choices)))),
        in_channels=draw(st.integers(1, 4)),
        classes=draw(st.integers(1, 12)),
    )


@st.composite
def chains(draw: st.DrawFn, *, activations: tuple[str, ...], widest: int) -> ResNetSpec:
    """Any valid spec of two to four stages of single convolutions."""
    stages = draw(st.integers(2, 4))
    return ResNetSpec(
        block="conv",
        stem="none",
        shortcut="none",
        blocks=tuple(draw(st.integers(1, 2)) for _ in range(stages)),
        widths=tuple(draw(st.integers(1, widest)) for _ in range(stages)),
        strides=(draw(st.integers(1, 2)), *(2,) * (stages - 1)),
        norm=draw(st.sampled_from(FIELDS["norm"].choices)),
        activation=draw(st.sampled_from(activations)),
        bias=tuple(draw(st.sets(st.sampled_from(FIELDS["bias"].choices)))),
        head=draw(st.sampled_from(FIELDS["head"].choices)),
        in_channels=draw(st.integers(1, 4)),
        classes=draw(st.integers(1, 12)),
    )


@st.composite
def networks(draw: st.DrawFn, *, largest: int = 70, **settings: object) -> tuple[ResNetSpec, Shape]:
    """A spec and an input shape for it, seldom square, as small as one pixel."""
    spec = draw(specs(**settings))  # type: ignore[arg-type]
    # Pools without padding halve what they are given, the head's as well.
    least = 2 * prod(spec.strides) if spec.block == "conv" else 1
    side = st.integers(least, max(least, largest))
    return spec, (spec.in_channels, draw(side), draw(side))


@st.composite
def branching(draw: st.DrawFn) -> LayerGraph:
    """Convolutions of different kernels that feed one another, sums and concatenations anyhow."""
    net = GraphBuilder("branching", (4, 8, 8))
    made: list[Layer] = [net.add(Conv2d(4, 4, (1, 1)), net.input, name="0.conv")]
    for at in range(1, draw(st.integers(2, 14))):
        near = st.sampled_from(made[-4:])
        kind, name = draw(st.sampled_from(["conv", "conv", "relu", "add", "cat"])), f"{at}.layer"
        if kind == "conv":
            tall = Conv2d(4, 4, (2 * at + 1, 1), padding=(at, 0))
            made.append(net.add(tall, draw(near), name=name))
        elif kind == "relu":
            made.append(net.add(ReLU(), draw(near), name=name))
        elif kind == "add":
            made.append(net.add(Add(), draw(near), draw(near), name=name))
        else:
            both = net.add(Concat(), draw(near), draw(near), name=f"{at}.cat")
            wide = Conv2d(8, 4, (2 * at + 1, 1), padding=(at, 0))
            made.append(net.add(wide, both, name=name))
        if draw(st.booleans()):
            net.end_block(f"{at}", "", "Some")
            if draw(st.booleans()):
                net.end_stage(f"stage {at}", "")
    net.add(ReLU(), made[-1], name="last")
    net.end_block("last", "", "Last")
    net.end_stage("last", "")
    graph = net.graph()
    ends = draw(st.sets(st.sampled_from(made[1:]), max_size=2))
    return replace(graph, returned=(*(layer.name for layer in ends), "last"))
