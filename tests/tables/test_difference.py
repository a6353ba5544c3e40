"""What tells graphs apart: rows add up, and what is the same is found whatever it is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pygraphviz
import pytest
import torch
from hypothesis import given
from strategies import networks
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.cli.main import run
from resnet_inspect.counting.costs import total
from resnet_inspect.networks.alignment import ADDED, CHANGED, REMOVED, RESIZED, SAME, Pair, align
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.pictures.diagrams.diagram import diff_diagram
from resnet_inspect.pictures.themes import THEMES
from resnet_inspect.pytorch.trace.trace import trace
from resnet_inspect.tables.difference import diff

Network = tuple[ResNetSpec, Shape]


def changes(pairs: tuple[Pair, ...]) -> list[tuple[str, str, str]]:
    """What the table lists: the change, the layer, and what changed."""
    return [
        (pair.change, pair.layer.name, "; ".join(pair.what))
        for pair in pairs
        if pair.change not in (SAME, RESIZED)
    ]


def check(before: LayerGraph, after: LayerGraph) -> None:
    pairs = align(before, after)
    # Every layer of both stands in one pair.
    assert Counter(pair.before for pair in pairs if pair.before) == Counter(before.layers)
    assert Counter(pair.after for pair in pairs if pair.after) == Counter(after.layers)
    for pair in pairs:
        if pair.change in (SAME, RESIZED):
            assert pair.before is not None
            assert pair.after is not None
            assert pair.before.op.kind == pair.after.op.kind
            assert pair.before.op.params == pair.after.op.params
        assert (pair.before is None) == (pair.change == ADDED)
        assert (pair.after is None) == (pair.change == REMOVED)
        assert bool(pair.what) == (pair.change == CHANGED)
    table = diff(before, after)
    was, now = total(before.layers), total(after.layers)
    assert table.total is not None
    for count in ("params", "macs"):
        told = getattr(now, count) - getattr(was, count)
        assert table.total[count] == told
        assert sum(row[count] for row in table.rows) == told  # type: ignore[misc]


@given(networks(largest=40), networks(largest=40))
def test_rows_add_up_to_the_difference(first: Network, second: Network) -> None:
    check(layer_graph(*first), layer_graph(*second))


@pytest.mark.parametrize(
    "names",
    [
        ("resnet50", "resnet50d"),
        ("resnet50_v1", "resnet50"),
        ("resnet18", "resnet152"),
        ("resnet50", "seresnet50"),
        ("resnet50", "resnetv2_50"),
        ("plain34", "resnet34"),
        ("resnet1202_cifar", "resnet20_cifar"),
        ("wide_resnet50_2", "resnext50_32x4d"),
    ],
)
def test_networks_of_the_zoo(names: tuple[str, str]) -> None:
    check(*map(ri.graph, names))


@given(networks(largest=40))
def test_a_network_does_not_differ_from_itself(network: Network) -> None:
    graph = layer_graph(*network)
    assert {pair.change for pair in align(graph, graph)} == {SAME}
    table = diff(graph, graph)
    assert table.rows == ()
    assert table.notes == (f"No difference: {len(graph.layers)} layers are the same.",)


def test_resnet50d_against_resnet50() -> None:
    stem = [
        (CHANGED, "conv1.0", "out_channels 64 → 32; kernel 7 → 3; padding 3 → 1"),
        *((ADDED, f"conv1.{at}", "") for at in range(1, 7)),
    ]
    shortcuts = [
        line
        for stage in (2, 3, 4)
        for line in (
            (ADDED, f"layer{stage}.0.downsample.0", ""),
            (CHANGED, f"layer{stage}.0.downsample.1", "stride 2 → 1"),
        )
    ]
    assert changes(align(ri.graph("resnet50"), ri.graph("resnet50d"))) == stem + shortcuts


def test_v1_against_v1_5_is_where_the_stride_is_and_the_caffe_bias() -> None:
    told = changes(align(ri.graph("resnet50_v1"), ri.graph("resnet50")))
    assert told == [
        (CHANGED, "conv1", "bias yes → no"),
        *(
            (CHANGED, f"layer{stage}.0.conv{conv}", f"stride {was} → {now}")
            for stage in (2, 3, 4)
            for conv, was, now in ((1, 2, 1), (2, 1, 2))
        ),
    ]
    total_row = diff(ri.graph("resnet50_v1"), ri.graph("resnet50")).total
    assert total_row is not None
    assert (total_row["params"], total_row["macs"]) == (-64, 231_211_008)


def test_deeper_networks_have_more_blocks_and_no_other_difference() -> None:
    told = align(ri.graph("resnet50"), ri.graph("resnet101"))
    assert {pair.change for pair in told} == {SAME, ADDED}
    added = {pair.place[1] for pair in told if pair.change == ADDED}
    assert added == {f"layer3.{block}" for block in range(6, 23)}


def test_another_input_is_the_same_network_on_other_shapes() -> None:
    pairs = align(ri.graph("resnet18"), ri.graph("resnet18", (3, 256, 256)))
    assert {pair.change for pair in pairs} <= {SAME, RESIZED}
    check(ri.graph("resnet18"), ri.graph("resnet18", (3, 256, 256)))
    rows = diff(ri.graph("resnet18"), ri.graph("resnet18", (3, 256, 256))).rows
    assert [row["stage"] for row in rows] == [
        "stem",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
        "head",
    ]


def test_a_shortcut_that_comes_from_elsewhere_is_a_change() -> None:
    class Block(nn.Module):
        def __init__(self, late: bool) -> None:
            super().__init__()
            self.first, self.second = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))
            self.late = late

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            return self.second(y).add(y if self.late else x)

    early, late = (trace(Block(kind), (4, 8, 8)) for kind in (False, True))
    assert changes(align(early, late)) == [(CHANGED, "add", "takes first, not input")]


def test_a_fork_that_renames_its_modules_is_recognised(timm: ModuleType) -> None:
    """timm's pre-activation networks call everything otherwise than ours."""
    with torch.device("meta"):
        theirs = trace(timm.create_model("resnetv2_50"), (3, 224, 224))
    told = changes(align(ri.graph("resnetv2_50"), theirs))
    # Their classifier is a 1x1 convolution; everything else is the same.
    assert told == [(ADDED, "head.fc", ""), (REMOVED, "fc", "")]


def test_a_users_fork_against_the_original() -> None:
    fork = ri.build("resnet18", device="meta")
    fork.layer2[1].relu = nn.SiLU()  # type: ignore[union-attr,operator,index]
    fork.maxpool = nn.AvgPool2d(3, 2, 1)
    fork.fc = nn.Sequential(nn.Dropout(0.2), nn.Linear(512, 10))
    assert changes(align(ri.graph("resnet18"), trace(fork))) == [
        (CHANGED, "maxpool", "MaxPool2d → AvgPool2d"),
        (CHANGED, "layer2.1.relu1", "ReLU → SiLU"),
        (CHANGED, "layer2.1.relu2", "ReLU → SiLU"),
        (ADDED, "fc.0", ""),
        (CHANGED, "fc.1", "out_features 1000 → 10"),
    ]


# --- as a table, as a picture, on the command line ----------------------------------------------


def test_the_table_as_people_read_it(golden: Callable[[str, str], None]) -> None:
    golden("diff_resnet50_resnet50d.md", ri.diff("resnet50", "resnet50d").to_text("markdown"))


def test_differences_are_coloured_and_nothing_else() -> None:
    before, after = ri.graph("resnet50"), ri.graph("resnet50d")
    theme = THEMES["light"]
    drawn = pygraphviz.AGraph(string=diff_diagram(before, after, level="layer").dot)

    def fill(node: str) -> str:
        return str(drawn.get_node(node).attr["fillcolor"])

    assert fill("1/conv1") == fill("2/conv1.0") == theme.changes["changed"]
    assert fill("2/conv1.3") == fill("2/layer3.0.downsample.0") == theme.changes["added"]
    assert fill("1/layer1.0.conv1") == fill("2/layer1.0.conv1") == theme.quiet
    gone = pygraphviz.AGraph(string=diff_diagram(after, before, level="layer").dot)
    assert gone.get_node("1/conv1.3").attr["fillcolor"] == theme.changes["removed"]
    legend = drawn.graph_attr["label"]
    assert all(word in legend for word in ("added", "removed", "changed", "the same"))


def test_blocks_that_differ_are_not_drawn_as_repeats() -> None:
    fork = ri.build("resnet34", device="meta")
    fork.layer3[3].conv1.groups = 2  # type: ignore[union-attr,operator,index]
    fork.layer3[3].conv1.weight = nn.Parameter(  # type: ignore[union-attr,operator,index]
        torch.empty(256, 128, 3, 3, device="meta")
    )
    dot = diff_diagram(ri.graph("resnet34"), trace(fork)).dot
    drawn = pygraphviz.AGraph(string=dot)
    for number in (1, 2):
        block = drawn.get_node(f"{number}/layer3.3")
        assert block.attr["fillcolor"] == THEMES["light"].changes["changed"]


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "dot", "csv", "json", "md", "html"])
def test_the_command_writes_tables_and_pictures(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"told.{suffix}"
    assert run(["diff", "resnet18", "resnet18d", "-o", str(path)]) == 0
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}
    assert path.read_bytes().startswith(starts.get(suffix, b""))
    assert path.stat().st_size > 200


def test_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "resnet50", "resnet50d"]) == 0
    shown = capsys.readouterr().out
    assert "resnet50 → resnet50d" in shown
    assert "239,640,576" in shown


def test_the_command_refuses_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "resnet50", "resnet5O"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert run(["diff", "resnet50", "resnet18", "-o", "x.svg", "--level", "lair"]) == 2
    assert "did you mean layer" in capsys.readouterr().err
