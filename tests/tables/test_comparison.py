"""Networks side by side: what stands there is what the networks' own tables say."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from families import one_of_each_family
from graphs import GraphBuilder
from hypothesis import given
from rich.cells import cell_len
from strategies import specs

import resnet_inspect as ri
from resnet_inspect.cli.main import run
from resnet_inspect.counting.memory import live_bytes, memory
from resnet_inspect.errors import InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Add, Conv2d, Op, ReLU
from resnet_inspect.networks.parts import ROLES, depth, roles
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.tables.comparison import TABLES, field_before_pooling, merged

PAIR = ("resnet34", "resnet50")


def rows(sheet: ri.Sheet, table: str, **where: Any) -> list[Any]:
    found = sheet[table].records()
    return [row for row in found if all(row[key] == value for key, value in where.items())]


def test_figures_are_those_of_each_network_alone() -> None:
    sheet = ri.compare(*PAIR, batch=8, dtype="fp16")
    for name in PAIR:
        alone = ri.table(name, "network", batch=8, dtype="fp16").records()[0]
        (cost,), (need,) = rows(sheet, "cost", model=name), rows(sheet, "memory", model=name)
        assert {key: cost[key] for key in ("params", "macs", "flops")} == {
            key: alone[key] for key in ("params", "macs", "flops")
        }
        assert need["activations"] == alone["activations"]
        stages = {row["stage"]: row for row in rows(sheet, "stage", model=name)}
        for row in ri.table(name, "stage", batch=8, dtype="fp16").records():
            for key in ("output_shape", "params", "macs", "share", "flops", "activations"):
                assert stages[row["name"]][key] == row[key]


def test_published_figures() -> None:
    first, second = rows(ri.compare(*PAIR), "cost")
    assert (first["depth"], first["blocks"], first["params"]) == (34, 16, 21797672)
    assert (second["depth"], second["blocks"], second["macs"]) == (50, 16, 4089184256)
    assert second["params_ratio"] == float(Fraction(25557032, 21797672))
    assert second["macs_per_param"] == float(Fraction(4089184256, 25557032))
    assert first["params_ratio"] == first["macs_ratio"] == first["flops_ratio"] == 1.0


@pytest.mark.parametrize("name", [*PAIR, "seresnet50", "resnetv2_50d", "resnet20_cifar"])
def test_parts_add_up_to_the_whole(name: str) -> None:
    sheet = ri.compare(name, "resnet18")
    (whole,) = rows(sheet, "cost", model=name)
    for table in ("stage", "where"):
        parts = rows(sheet, table, model=name)
        for key in ("params", "macs"):
            assert sum(part[key] for part in parts) == whole[key]
    stages = rows(sheet, "stage", model=name)
    assert sum(stage["flops"] for stage in stages) == whole["flops"]
    assert sum(stage["depth"] for stage in stages) == whole["depth"]
    (need,) = rows(sheet, "memory", model=name)
    assert sum(stage["activations"] for stage in stages) == need["activations"]
    assert sum(stage["kept"] for stage in stages) == need["kept"]
    assert max(stage["peak"] for stage in stages) == need["peak"]


def test_memory_is_that_of_the_network() -> None:
    for row in rows(ri.compare(*PAIR, batch=4), "memory"):
        graph = ri.graph(row["model"])
        need = memory(graph, 4)
        assert (row["weights"], row["kept"], row["peak"]) == (
            need.weights,
            need.saved,
            max(live_bytes(graph, 4)),
        )
        assert row["training"] == need.training("momentum")
        assert row["inference"] == need.weights + need.buffers + row["peak"]


@pytest.mark.parametrize("name", one_of_each_family())
def test_depth_and_roles_over_the_zoo(name: str) -> None:
    spec = zoo.spec(name)
    graph = layer_graph(spec)
    if spec.scales == 1:  # the 3x3s of Res2Net feed one another, and its names count them once
        assert depth(graph) == spec.depth
    assert len(graph.body) == sum(spec.blocks)
    found = roles(graph)
    assert list(found) == [layer.name for layer in graph.layers]
    assert set(found.values()) <= set(ROLES)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (["resnext50_32x4d"], "Depth: 50 = 1 + 3 x 16 + 1 layers"),
        (["resnet18"], "Depth: 50 = 1 + 3 x 16 + 1 (resnet50), 18 = 1 + 2 x 8 + 1 (resnet18)"),
        (
            [replace(ri.graph("resnet18"), spec=None)],
            "Depth: 50 = 1 + 3 x 16 + 1 (resnet50) layers",
        ),
    ],
)
def test_a_depth_names_its_networks_where_there_are_others(others: list[Any], said: str) -> None:
    assert said in str(ri.compare("resnet50", *others))


def test_roles_of_a_bottleneck_with_everything() -> None:
    found = roles(ri.graph("seresnet50"))
    assert found["conv1"] == found["bn1"] == found["maxpool"] == "stem"
    assert found["layer1.0.conv1"] == found["layer1.0.bn1"] == "1x1 convolutions"
    assert found["layer1.0.conv2"] == found["layer1.0.bn2"] == "3x3 convolutions"
    assert found["layer1.0.se.fc1"] == found["layer1.0.se.scale"] == "squeeze and excitation"
    assert found["layer1.0.downsample.0"] == found["layer1.0.downsample.1"] == "shortcuts"
    assert found["layer1.0.add"] == found["layer1.0.relu3"] == "all else"
    assert found["fc"] == "head"
    before = roles(ri.graph("resnetv2_50"))
    # A batch norm ahead of its convolution goes with that one, not with the one behind it.
    assert before["layer1.1.bn1"] == "1x1 convolutions"
    assert before["layer1.1.bn2"] == "3x3 convolutions"


def test_receptive_field_is_that_before_pooling() -> None:
    assert field_before_pooling(ri.graph("resnet18")) == (435, 435)
    assert field_before_pooling(ri.graph("resnet50")) == (427, 427)
    assert field_before_pooling(ri.graph("resnet34_mnist")) == (899, 899)


@given(specs())
def test_ratios_to_itself_are_one(spec: ResNetSpec) -> None:
    sheet = ri.compare(spec, spec)
    for table in TABLES:
        for row in sheet[table].rows:
            for key, value in row.items():
                if key.endswith("_ratio"):
                    assert value == 1.0


def test_stages_of_several_networks_stay_in_their_orders() -> None:
    ours = ["stem", "layer1", "layer2", "head"]
    assert merged([ours, ours]) == ours
    assert merged([ours, ["conv1", "layer1", "layer2", "layer3", "head"]]) == [
        "conv1", "stem", "layer1", "layer2", "layer3", "head"
    ]  # fmt: skip
    stages = [row["stage"] for row in ri.compare("resnet20_cifar", "resnet18")["stage"].rows]
    assert list(dict.fromkeys(stages)) == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]


def test_another_convention_is_named_and_stands_alone() -> None:
    sheet = ri.compare(*PAIR, convention="fvcore")
    for table, key in (("cost", "model"), ("stage", "stage"), ("where", "role")):
        made = sheet[table]
        assert "fvcore flops: C + L + 2K + Ai" in made.title
        assert {"macs", "flops"}.isdisjoint(column.key for column in made.columns)
        assert key in {column.key for column in made.columns}
    assert sheet.to_dict()["convention"] == "fvcore"
    for row in rows(sheet, "cost"):
        alone = ri.table(row["model"], "network", convention="fvcore").records()[0]
        assert row["counted"] == alone["counted"]
        for table in ("stage", "where"):
            parts = rows(sheet, table, model=row["model"])
            assert sum(part["counted"] for part in parts) == row["counted"]
    assert rows(sheet, "cost", model="resnet50")[0]["counted"] == 4111512576


class Mystery(Op):
    """An op without rules."""


def mystery() -> LayerGraph:
    net = GraphBuilder("mystery", (3, 8, 8))
    wire = net.add(Conv2d(3, 4, (3, 3), padding=(1, 1)), net.input, name="conv")
    net.add(Mystery(), wire, name="what")
    net.end_block("all", "", "Net")
    net.end_stage("all", "")
    return net.graph()


def test_the_shortcut_is_found_whichever_input_of_the_addition_it_is() -> None:
    """Other people's networks add the residual to the input as often as the input to it."""
    net = GraphBuilder("swapped", (4, 8, 8))
    wire = net.add(Conv2d(4, 4, (3, 3), padding=(1, 1)), net.input, name="first")
    residual = net.add(Conv2d(4, 8, (3, 3), padding=(1, 1)), wire, name="conv1")
    residual = net.add(Conv2d(8, 8, (3, 3), padding=(1, 1)), residual, name="conv2")
    bypass = net.add(Conv2d(4, 8, (1, 1)), wire, name="project")
    net.add(ReLU(), net.add(Add(), bypass, residual, name="add"), name="relu")
    net.end_block("all", "", "Net")
    net.end_stage("all", "")
    graph = net.graph()
    found = roles(graph)
    assert [name for name, role in found.items() if role == "shortcuts"] == ["project"]
    assert depth(graph) == 3


def test_unknown_is_never_zero() -> None:
    sheet = ri.compare(mystery(), "resnet20_cifar")
    unknown, known = rows(sheet, "cost")
    assert unknown["macs"] == 4 * 3 * 9 * 64
    assert unknown["uncounted"] == 1
    # A lower bound is nothing to make a ratio of; parameters are known all the same.
    assert known["macs_ratio"] is None
    assert known["params_ratio"] == known["params"] / unknown["params"]
    assert all(row["share"] is None for row in rows(sheet, "where", model="mystery"))
    (rest,) = rows(sheet, "where", model="mystery", role="all else")
    assert rest["macs"] is None
    text = sheet["cost"].to_text("markdown")
    assert "At least: not counted are mystery: what." in text


def test_a_role_that_the_first_lacks_has_no_ratio() -> None:
    found = rows(ri.compare(*PAIR), "where", role="1x1 convolutions")
    assert [row["macs"] for row in found] == [0, 1759772672]
    assert [row["macs_ratio"] for row in found] == [None, None]


def test_formats_hold_every_table() -> None:
    sheet = ri.compare(*PAIR)
    data = json.loads(sheet.to_text("json"))
    assert data["models"] == list(PAIR)
    assert data["convention"] == "macs"
    stacked = list(csv.DictReader(io.StringIO(sheet.to_text("csv"))))
    for table in TABLES:
        assert data[table]["rows"][1]["params" if table != "memory" else "weights"] > 0
        of_table = [row for row in stacked if row["table"] == table]
        assert len(of_table) == len(data[table]["rows"]) == len(sheet[table].rows)
        for text, row in zip(of_table, sheet[table].records(), strict=True):
            assert all(text[k] == str(v) for k, v in row.items() if isinstance(v, int))
        assert sheet[table].title in sheet.to_text("markdown")
        assert sheet[table].title in sheet.to_text("html")
    alone = sheet.only(["cost"])
    assert alone.to_text("csv") == sheet["cost"].to_text("csv")


def test_markdown_reads_well(golden: Any) -> None:
    golden("compare_resnet34_resnet50.md", ri.compare(*PAIR).to_text("markdown"))


@pytest.mark.parametrize(
    ("models", "settings", "message"),
    [
        (("resnet18",), {}, "at least two networks"),
        (("resnet18", "resnet19"), {}, "did you mean resnet18"),
        (PAIR, {"batch": 0}, "batch is 0"),
        (PAIR, {"dtype": "fp31"}, "fp32"),
        (PAIR, {"convention": "fvcor"}, "did you mean fvcore"),
        (PAIR, {"input_shape": (1, 224, 224)}, "takes 3"),
    ],
)
def test_bad_input(models: tuple[str, ...], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InspectError, match=message):
        ri.compare(*models, **settings)


def test_unknown_tables_are_named() -> None:
    with pytest.raises(InspectError, match="stage"):
        ri.compare(*PAIR).only(["stages"])


@pytest.mark.parametrize("columns", ["80", "100"])
@pytest.mark.parametrize(
    "command", [("compare", *zoo.CLASSICS), ("compare-blocks",), ("compare", "resnet50", "plain34")]
)
def test_the_terminal_is_wide_enough(
    command: tuple[str, ...],
    columns: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= int(columns)
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("suffix", ["md", "html", "tex", "csv", "json", "txt"])
def test_sheets_are_written_by_suffix(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"comparison.{suffix}"
    assert run(["compare", *PAIR, "-o", str(path)]) == 0
    assert "4089184256" in path.read_text("utf-8").replace(",", "")
    if suffix != "txt":
        again = tmp_path / f"again.{suffix}"
        ri.compare(*PAIR).write(again)
        assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "resnet18"),
        ("compare",),
        ("compare", "resnet18", "resnet19"),
        ("compare", *PAIR, "--only", "costs"),
        ("compare", *PAIR, "--input", "224"),
        ("compare", *PAIR, "-o", "comparison.docx"),
        ("compare-blocks", "--channels", "10"),
        ("compare-blocks", "--size", "14x14x14"),
        ("compare-blocks", "--only", "all"),
    ],
)
def test_the_command_line_complains_in_a_line(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
