"""The basic block against the bottleneck: published arithmetic, and formulas that always hold."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resnet_inspect as ri
from resnet_inspect.counting.costs import total
from resnet_inspect.errors import InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.wiring import shortcut
from resnet_inspect.tables.block_comparison import TABLES, sample

FACTS = json.loads((Path(__file__).parents[1] / "facts" / "published.json").read_text("utf-8"))


def by(rows: list[Any], *keys: str) -> dict[Any, Any]:
    return {tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]]: row for row in rows}


@pytest.fixture(scope="module")
def sheet() -> ri.Sheet:
    return ri.compare_blocks(256, 14)


def test_the_arithmetic_of_the_notes(sheet: ri.Sheet) -> None:
    fact = FACTS["block_arithmetic"]
    rows = by(sheet["blocks"].records(), "block")
    bottleneck, basic = rows["bottleneck"], rows["basic, as many channels"]
    assert bottleneck["weights"] == fact["bottleneck_256"] == 69632
    assert basic["weights"] == fact["basic_256"] == 1179648
    assert round(basic["weights_ratio"], 2) == fact["ratio"] == 16.94
    assert Fraction(basic["weights"], bottleneck["weights"]) == Fraction(288, 17)
    # Batch norm has a scale and a shift for every channel of every convolution.
    assert bottleneck["params"] - bottleneck["weights"] == 2 * (64 + 64 + 256)
    assert basic["params"] - basic["weights"] == 2 * (256 + 256)


def test_the_papers_pairing_holds_cost_equal(sheet: ri.Sheet) -> None:
    rows = by(sheet["blocks"].records(), "block")
    paired = rows["basic, the paper's pairing"]
    assert (paired["channels"], rows["bottleneck"]["channels"]) == (64, 256)
    assert paired["weights"] == 2 * 9 * 64 * 64
    assert paired["weights_ratio"] == 73728 / 69632


def test_what_each_convolution_does(sheet: ri.Sheet) -> None:
    rows = sheet["layers"].records()
    assert [(row["block"], row["does"], row["weights"]) for row in rows] == [
        ("bottleneck", "1x1 reduces 256 to 64", 16384),
        ("bottleneck", "3x3 at 64", 36864),
        ("bottleneck", "1x1 restores 64 to 256", 16384),
        ("basic", "3x3 at 256", 589824),
        ("basic", "3x3 at 256", 589824),
    ]


def evaluated(text: str, **names: int) -> Fraction:
    """The value of arithmetic as it is written in a table."""
    text = text.replace(",", "").replace("²", "**2").replace("×", "*")
    text = re.sub(r"(?<=[\d\w]) (?=[A-Z])", "*", text)  # 17/16 C² H W
    text = re.sub(r"(?<![\d*])(\d+)", r"Fraction(\1)", text)
    return Fraction(eval(text, {"Fraction": Fraction, **names}))


@given(st.integers(1, 80), st.integers(1, 40), st.integers(1, 40))
def test_what_is_written_comes_to_the_count(quarter: int, height: int, width: int) -> None:
    channels = 4 * quarter
    sheet = ri.compare_blocks(channels, (height, width))
    for row in sheet["layers"].rows:
        assert evaluated(str(row["numbers"])) == row["weights"]
        assert evaluated(str(row["macs_numbers"])) == row["macs"]
    for row in sheet["formulas"].rows:
        names = {"C": channels, "H": height, "W": width}
        assert evaluated(str(row["closed"]), **names) == row["value"]
        if row["written"]:
            assert evaluated(str(row["written"]), **names) == row["value"]


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 40))
def test_closed_forms_hold_at_every_size(quarter: int, height: int, width: int) -> None:
    """The forms do not depend on the channels and size at which they were found."""
    here = ri.compare_blocks(4 * quarter, (height, width))["formulas"].records()
    there = ri.compare_blocks(256, 14)["formulas"].records()
    assert [(row["closed"], row["written"]) for row in here] == [
        (row["closed"], row["written"]) for row in there
    ]


def test_growth(sheet: ri.Sheet) -> None:
    channels, sizes = sheet["growth"].groups
    for before, after in pairwise(channels):
        assert after["channels"] == 2 * before["channels"]
        for kind in ("basic", "bottleneck"):
            assert after[f"{kind}_weights"] == 4 * before[f"{kind}_weights"]
            assert after[f"{kind}_macs"] == 4 * before[f"{kind}_macs"]
            assert after[f"{kind}_activations"] == 2 * before[f"{kind}_activations"]
    for before, after in pairwise(sizes):
        for kind in ("basic", "bottleneck"):
            assert after[f"{kind}_weights"] == before[f"{kind}_weights"]
            assert after[f"{kind}_macs"] == 4 * before[f"{kind}_macs"]
            assert after[f"{kind}_activations"] == 4 * before[f"{kind}_activations"]


def test_growth_names_what_was_asked_for() -> None:
    channels, sizes = ri.compare_blocks(100, (9, 13))["growth"].groups
    assert 100 in by(list(channels), "channels")
    assert (9, 13) in by(list(sizes), "size")


def test_a_block_is_that_of_its_network() -> None:
    """The same layers and counts as the blocks of ResNet-34 and ResNet-50 at that place."""
    for name, kind, place in (
        ("resnet34", "basic", "layer3.1"),
        ("resnet50", "bottleneck", "layer3.1"),
    ):
        inside = ri.graph(name).block(place)
        channels, height, width = inside.output.output_shape
        alone = sample(kind, channels, (height, width))
        assert alone.cost == total(inside.layers)
        assert [layer.op for layer in alone.block.layers] == [layer.op for layer in inside.layers]
    first = ri.graph("resnet50").block("layer3.0")
    starts = sample("bottleneck", 1024, (14, 14), stride=2)
    assert [layer.op for layer in starts.block.layers] == [layer.op for layer in first.layers]


def test_projections(sheet: ri.Sheet) -> None:
    rows = by(sheet["projections"].records(), "block", "shortcut")
    assert len(rows) == 10
    for kind in ("basic", "bottleneck"):
        assert rows[kind, "identity"]["macs"] == rows[kind, "option A, zeros"]["macs"] == 0
        everywhere = rows[kind, "option C, 1x1 in every block"]
        assert everywhere["weights"] == 256 * 256
        assert everywhere["macs"] == 256 * 256 * 14 * 14
        strided = rows[kind, "option B, 1x1 with stride 2"]
        assert strided["entering"] == (128, 28, 28)
        assert (strided["weights"], strided["params"]) == (128 * 256, 128 * 256 + 512)
        assert strided["macs"] == 128 * 256 * 14 * 14
        assert rows[kind, "option D, average and 1x1"]["macs"] == strided["macs"]


def test_options_are_differences_of_shortcuts() -> None:
    rows = by(ri.compare_blocks()["options"].records(), "model", "option")
    for name in ("resnet34", "resnet50"):
        for option in "ABCD":
            graph = layer_graph(zoo.spec(name).with_changes({"shortcut": option}))
            spent = total(graph.layers)
            own = total(layer for block in graph.blocks for layer in shortcut(block) or ())
            row = rows[name, option]
            assert (row["params"], row["macs"]) == (spent.params, spent.macs)
            assert (row["params_more"], row["macs_more"]) == (own.params, own.macs)


def test_v1_5_has_231_211_008_more_macs_than_v1() -> None:
    """One block of each of three stages runs its first 1x1 at four times the positions."""
    for depth, macs in FACTS["caffe_deploy"]["macs"].items():
        v1, v1_5 = (total(ri.graph(f"resnet{depth}{v}").layers) for v in ("_v1", ""))
        assert (v1.macs, v1_5.macs) == (macs, macs + 231211008)


def test_markdown_reads_well(sheet: ri.Sheet, golden: Any) -> None:
    golden("compare_blocks.md", sheet.to_text("markdown"))
    assert tuple(sheet.tables) == TABLES


@pytest.mark.parametrize(
    ("channels", "size", "message"),
    [
        (255, 14, "multiple of 4, such as 256"),
        (2, 14, "multiple of 4, such as 4"),
        (0, 14, "channels is 0"),
        (256, 0, "size is 0"),
        (256, (14, -1), "size is -1"),
        (2**40, 14, "allowed are 1 to"),
    ],
)
def test_bad_input(channels: int, size: Any, message: str) -> None:
    with pytest.raises(InspectError, match=message):
        ri.compare_blocks(channels, size)
