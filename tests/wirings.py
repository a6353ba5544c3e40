"""Networks that branch as no spec does."""

from __future__ import annotations

from dataclasses import replace

from graphs import GraphBuilder
from hypothesis import strategies as st

from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.ops import Add, BatchNorm2d, Conv2d, ReLU
from resnet_inspect.networks.run import Input
from resnet_inspect.networks.torch_ops import Concat


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


def two_of_all() -> LayerGraph:
    """Two inputs, two results, a layer fed by nothing and one that nothing reads."""
    net = GraphBuilder("two", (4, 8, 8))
    conv = Conv2d(4, 4, (3, 3), padding=(1, 1))
    left = net.add(conv, net.input._replace(name="left"), name="a")
    right = net.add(conv, net.input._replace(name="right"), name="b")
    net.end_block("towers", "", "Towers")
    both = net.add(Add(), left, right, name="both")
    net.add(conv, both, name="dropped")
    net.add(ReLU(), both, name="out")
    net.end_block("head", "", "Head")
    net.end_stage("all", "")
    graph = net.graph()
    entering = (Input("left", (4, 8, 8)), Input("right", (4, 8, 8)))
    return replace(graph, entering=entering, returned=("both", "out"))


def skipping() -> LayerGraph:
    """Three branches added, an addition inside a branch, and a skip over a whole block."""
    net = GraphBuilder("branching", (8, 16, 16))
    conv, norm = Conv2d(8, 8, (3, 3), padding=(1, 1)), BatchNorm2d(8)
    start = net.add(conv, net.input, name="a.conv")
    net.end_block("a", "a", "First")
    left = net.add(norm, net.add(conv, start, name="b.left"), name="b.norm")
    inner = net.add(Add(), net.add(conv, start, name="b.right"), start, name="b.inner")
    both = net.add(Add(), left, inner, name="b.add")
    out = net.add(ReLU(), both, name="b.relu")
    net.end_block("b", "b", "Odd")
    far = net.add(Add(), net.add(conv, out, name="c.conv"), start, name="c.add")
    net.end_block("c", "c", "Skip")
    net.end_stage("all", "")
    assert far.output_shape == (8, 16, 16)
    return net.graph()
