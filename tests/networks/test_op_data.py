"""What tells networks apart: a fingerprint that does not depend on how an op is written down."""

from __future__ import annotations

from dataclasses import replace

import resnet_inspect as ri
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.op_data import fingerprint, settings
from resnet_inspect.networks.ops import Conv2d, Op, ReLU


def with_first(graph: LayerGraph, op: Op) -> LayerGraph:
    """The graph with another first layer."""
    stage, *stages = graph.stages
    block, *blocks = stage.blocks
    layer, *layers = block.layers
    block = replace(block, layers=(layer._replace(op=op), *layers))
    return replace(graph, stages=(replace(stage, wired=(block, *blocks), repeats=0), *stages))


def test_networks_have_fingerprints_of_their_own() -> None:
    graphs = [
        ri.graph("resnet18"),
        ri.graph("resnet34"),
        ri.graph("resnet18", (3, 64, 64)),
        ri.graph("resnet18", shortcut="C"),
        with_first(ri.graph("resnet18"), Conv2d(3, 64, (7, 7), (2, 2), (3, 3), dilation=(2, 2))),
    ]
    assert len({fingerprint(graph) for graph in graphs}) == len(graphs)
    assert fingerprint(ri.graph("resnet18")) == fingerprint(ri.graph("resnet18"))


def test_an_ops_new_field_with_a_default_changes_nothing() -> None:
    class Later(Conv2d):
        transposed: bool = False

        @property
        def kind(self) -> str:
            return "Conv2d"

    graph = ri.graph("resnet18")
    op = graph.layers[0].op
    assert isinstance(op, Conv2d)
    later = Later(op.in_channels, op.out_channels, op.kernel, op.stride, op.padding)
    assert fingerprint(with_first(graph, later)) == fingerprint(graph)
    changed = later.replace(transposed=True)
    assert fingerprint(with_first(graph, changed)) != fingerprint(graph)


def test_settings_are_what_differs_from_the_defaults() -> None:
    assert settings(ReLU()) == {}
    assert settings(ReLU(inplace=False)) == {"inplace": False}
    conv = Conv2d(3, 8, (3, 3), stride=(2, 2))
    assert settings(conv) == {
        "in_channels": 3,
        "out_channels": 8,
        "kernel": (3, 3),
        "stride": (2, 2),
    }
