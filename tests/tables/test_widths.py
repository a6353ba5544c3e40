"""Tables in terminals of every width: no line is too long, and no number is cut."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.cells import cell_len
from tabled import LONGEST, REPORTS, TABLES

import resnet_inspect as ri
from resnet_inspect.cli import output
from resnet_inspect.cli.main import run
from resnet_inspect.tables.characters import cells, shortened
from resnet_inspect.tables.columns import Column
from resnet_inspect.tables.layout import wrapped
from resnet_inspect.tables.table import Table
from resnet_inspect.tables.terminal import plain

WIDTHS = (60, 72, 80, 100, 120, 160, 200)

COMMANDS = [
    *TABLES,
    LONGEST,
    "table resnet1202 --level block",
    "table resnet18 --level layer --columns all --all-ops",
    "table resnet50 --level stage --convention fvcore --batch 256",
    "compare resnet50 resnet20",
    "reconcile resnet50",
    "fit resnet50 resnet152 --memory 24GB --train",
    f"results {REPORTS}/latency/cpu/latency.jsonl",
]


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d[\d,.]*\d|\d", text))


@pytest.fixture
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a command prints."""
    printed: list[Any] = []
    monkeypatch.setattr(output, "_print", printed.append)
    assert run(request.param.split()) == 0
    return printed[0]


@pytest.mark.parametrize("shown", COMMANDS, indirect=True)
def test_every_number_is_whole_at_every_width(shown: Any) -> None:
    piped = plain(shown.lines())
    exact = set(re.findall(r"\d+", shown.to_text("csv")))
    assert not any(line != line.rstrip() for line in piped.splitlines())
    for width in WIDTHS:
        text = plain(shown.lines(width))
        lines = text.splitlines()
        assert max(map(cell_len, lines)) <= width
        assert not any(line != line.rstrip() for line in lines)
        told = re.sub(r"Left out to fit \d+ columns|\b[a-z]\w*…\w*", "", text)  # or a cut name
        assert numbers(told) <= numbers(piped)
        counts = {word.replace(",", "") for word in re.findall(r" (\d{1,3}(?:,\d{3})+)\n", told)}
        assert counts <= exact | {word.replace(",", "") for word in numbers(piped)}
        assert not re.search(r"\d\n *(?:[KMGT]i?B|[mun]?s|%)\b", text)


def test_what_is_left_out_is_said() -> None:
    text = plain(ri.table("resnet50").lines(60))
    said = "Left out to fit 60 columns: Operation; Output; of MACs; Field. A wider terminal,"
    assert f"{said} --columns or --format csv shows them." in " ".join(text.split())
    assert "Left out" not in plain(ri.table("resnet50").lines())
    assert "Left out" not in plain(ri.table("resnet50", columns=["name", "flops"]).lines(30))


def test_columns_that_were_asked_for_stand_below() -> None:
    columns = ["name", "params", "macs", "flops", "activations", "traffic"]
    lines = plain(ri.table("resnet50", "stage", columns=columns).lines(40)).splitlines()
    heads = [line.split() for line in lines if line.startswith("Layer")]
    assert heads == [
        ["Layer", "Parameters", "MACs"],
        ["Layer", "FLOPs", "Activations"],
        ["Layer", "Traffic"],
    ]
    assert sum(line.startswith("layer4 ") for line in lines) == 3


def test_bars_get_shorter_before_columns_are_left_out() -> None:
    table = ri.table("resnet50", "stage")
    assert "35.8% ███████" in plain(table.lines(100))
    assert "35.8% ████\n" in plain(table.lines(76))
    assert "of MACs" not in plain(table.lines(60)).split("Left out")[0]


def test_formulas_stand_above_their_numbers() -> None:
    lines = plain(ri.explain("resnet50", "layer2.0.conv2").lines(60)).splitlines()
    at = next(number for number, line in enumerate(lines) if "k_h × k_w" in line)
    assert lines[at].split() == ["weights", "C_out", "×", "C_in", "×", "k_h", "×", "k_w"]
    assert lines[at + 1].split() == ["128", "×", "128", "×", "3", "×", "3", "147,456"]


def test_no_line_ends_between_a_number_and_its_unit() -> None:
    assert wrapped("kept 21.2 MiB and 97 layers", 10) == ["kept", "21.2 MiB", "and", "97 layers"]
    assert wrapped("1 + 22 + 333", 6) == ["1 + 22", "+ 333"]
    assert wrapped("a" * 7, 3) == ["aaa", "aaa", "a"]
    assert wrapped("", 3) == [""]


def test_wide_characters_take_two_cells() -> None:
    assert cells("残差 x") == 6
    assert cells("e\u0301") == 1
    assert shortened("残差网络", 5) == "残…络"
    rows = ({"a": "残差", "b": 1}, {"a": "x", "b": 22})
    table = Table("t", (Column("a", "a"), Column("b", "b", "count")), rows)
    assert plain(table.lines()).splitlines()[4:] == ["残差   1", "x     22"]
