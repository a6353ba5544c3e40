"""Table 1 of He et al. 2015 for any networks, and the paper's names in other tables."""

from __future__ import annotations

import csv
import io

import pytest

import resnet_inspect as ri
from resnet_inspect.cli.main import run
from resnet_inspect.errors import InspectError, UnknownNameError
from resnet_inspect.networks import zoo
from resnet_inspect.tables.columns import Stacked, stacked
from resnet_inspect.tables.terminal import plain

# As the paper prints them: layers of each block, and how often it stands in a stage.
TABLE_1 = {
    "resnet18": ("[3x3, {0}; 3x3, {0}]", (2, 2, 2, 2)),
    "resnet34": ("[3x3, {0}; 3x3, {0}]", (3, 4, 6, 3)),
    "resnet50": ("[1x1, {0}; 3x3, {0}; 1x1, {1}]", (3, 4, 6, 3)),
    "resnet101": ("[1x1, {0}; 3x3, {0}; 1x1, {1}]", (3, 4, 23, 3)),
    "resnet152": ("[1x1, {0}; 3x3, {0}; 1x1, {1}]", (3, 8, 36, 3)),
}
FLOPS = {"resnet18": "1.8", "resnet34": "3.7", "resnet101": "7.8", "resnet152": "11.5"}


def test_it_is_the_table_of_the_paper() -> None:
    made = ri.paper_table(*TABLE_1)
    rows = {row["name"]: row for row in made.records()}
    assert list(rows) == ["conv1", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "head"]
    sizes = [row["output"] for row in made.rows]
    assert sizes == ["112x112", "56x56", "28x28", "14x14", "7x7", "1x1"]
    for model, (block, times) in TABLE_1.items():
        assert rows["conv1"][model] == "7x7, 64, stride 2"
        assert rows["head"][model] == "average pool, 1000-d fc"
        for stage, count in enumerate(times, 2):
            text = f"{block.format(32 << stage - 1, 128 << stage - 1)} x {count}"
            pool = "3x3 max pool, stride 2; " if stage == 2 else ""
            assert rows[f"conv{stage}_x"][model] == pool + text
    (flops,) = made.references
    assert {model: f"{flops[model] / 1e9:.1f}" for model in FLOPS} == FLOPS  # type: ignore[operator]
    assert "Stride 2 is in conv3_1, conv4_1 and conv5_1." in made.notes


@pytest.mark.parametrize("model", zoo.ZOO)
def test_any_network_of_the_zoo_has_such_a_column(model: str) -> None:
    made = ri.paper_table(model)
    texts = [str(row[model]) for row in made.rows]
    assert all(texts)
    graph = ri.graph(model)
    inside = [block for block in graph.blocks if not (block.is_stem or block.is_head)]
    counted = sum(int(part.times) for text in texts for part in stacked(text) if part.times)
    assert counted == len(inside)


def test_what_other_networks_have_is_named() -> None:
    rows = ri.paper_table("seresnet50", "resnext50_32x4d", "resnet20_cifar").rows
    assert rows[1]["seresnet50"] == (
        "3x3 max pool, stride 2; [1x1, 64; 3x3, 64; 1x1, 256; SE, 16] x 3"
    )
    assert rows[2]["resnext50_32x4d"] == "[1x1, 256; 3x3, 256, 32 groups; 1x1, 512] x 4"
    assert rows[1]["output"] == "56x56 or 32x32"
    assert "resnet20_cifar" not in rows[4]


def test_stacks_are_taken_apart() -> None:
    assert stacked("3x3 max pool; [1x1, 64; 3x3, 64] x 3") == [
        Stacked(("3x3 max pool",)),
        Stacked(("1x1, 64", "3x3, 64"), "3"),
    ]


def test_every_format_has_its_brackets() -> None:
    made = ri.paper_table("resnet50")
    assert "⎡1x1, 64 ⎤\n" in plain(made.lines(80))
    assert "⎢3x3, 64 ⎥ x 3\n" in plain(made.lines(80))
    assert "| \\[1x1, 128; 3x3, 128; 1x1, 512\\] x 4 " in made.to_text("markdown")
    layers = "\\mbox{1$\\times$1, 128} \\\\ \\mbox{3$\\times$3, 128} \\\\ \\mbox{1$\\times$1, 512}"
    array = f"\\begin{{array}}{{@{{}}l@{{}}}}{layers}\\end{{array}}"
    assert f"conv3\\_x & 28$\\times$28 & $\\left[{array}\\right]\\times 4$ \\\\" in made.to_text(
        "latex"
    )
    assert '<span class="stack">1x1, 128\n3x3, 128\n1x1, 512</span> x 4' in made.to_text("html")
    rows = list(csv.DictReader(io.StringIO(made.to_text("csv"))))
    assert rows[2]["resnet50"] == "[1x1, 128; 3x3, 128; 1x1, 512] x 4"
    assert rows[-1] == {"name": "FLOPs", "output": "", "resnet50": "4089184256"}


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["table", "--style", "paper", "resnet18", "resnet34", "--format", "csv"]) == 0
    assert capsys.readouterr().out == ri.paper_table("resnet18", "resnet34").to_text("csv")
    assert run(["table", "resnet18", "resnet34"]) == 2
    assert "--style paper gives each a column" in capsys.readouterr().err
    assert run(["table", "resnet18", "--style", "papr"]) == 2
    assert "did you mean paper" in capsys.readouterr().err


def test_one_network_is_named_once() -> None:
    with pytest.raises(InspectError, match="are the same network"):
        ri.paper_table("resnet18", "resnet18")
    with pytest.raises(InspectError, match="no network"):
        ri.paper_table()
    small = ri.graph("resnet18", (3, 64, 64))
    assert [c.key for c in ri.paper_table("resnet18", small).columns[2:]] == [
        "resnet18, 3x224x224",
        "resnet18, 3x64x64",
    ]


def test_names_of_the_paper_in_any_table(capsys: pytest.CaptureFixture[str]) -> None:
    stages = ri.table("resnet50", "stage", names="paper")
    assert [row["name"] for row in stages.rows] == [
        "conv1", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "head"
    ]  # fmt: skip
    layers = ri.table("resnet50", names="paper").records()
    assert [row["name"] for row in layers[2:4]] == ["conv2_1.conv1", "conv2_1.conv2"]
    assert layers[2]["path"] == "layer1.0.conv1"
    assert layers[2]["block"] == "conv2_1"
    with pytest.raises(UnknownNameError, match="did you mean paper"):
        ri.table("resnet50", names="papers")
    assert run(["table", "resnet50", "--level", "block", "--names", "paper"]) == 0
    assert "\nconv5_3 " in capsys.readouterr().out
