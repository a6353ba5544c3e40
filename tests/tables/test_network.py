"""The table of a network: its data in every format, and its text as golden files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.counting.costs import total
from resnet_inspect.errors import FormatError, InspectError, UnknownNameError
from resnet_inspect.files import OutputError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.fusion import fold
from resnet_inspect.tables import network as network_table
from resnet_inspect.tables.columns import Column, show, show_bytes
from resnet_inspect.tables.network import LEVELS, METRICS
from resnet_inspect.tables.table import Table
from resnet_inspect.tables.terminal import bar, plain
from resnet_inspect.tables.writers import FORMATS

Golden = Callable[[str, str], None]


def _text(table: Table, width: int) -> str:
    return plain(table.lines(width))


@pytest.mark.parametrize("width", [100, 80])
@pytest.mark.parametrize("level", ["layer", "stage"])
@pytest.mark.parametrize("model", ["resnet34", "resnet50"])
def test_terminal_text(model: str, level: str, width: int, golden: Golden) -> None:
    text = _text(ri.table(model, level), width)
    assert max(map(len, text.splitlines())) <= width
    golden(f"table/{model}-{level}-{width}.txt", text)


@pytest.mark.parametrize("model", ["resnetv2_50d", "seresnet18", "resnet20_cifar", "resnet1001"])
def test_terminal_text_of_other_families(model: str, golden: Golden) -> None:
    level = "stage" if model == "resnet1001" else "layer"
    golden(f"table/{model}.txt", _text(ri.table(model, level), 100))


def test_models_text(golden: Golden) -> None:
    golden("table/models.txt", _text(ri.models(), 140))


@pytest.mark.parametrize("format", FORMATS)
def test_file_formats(format: str, golden: Golden) -> None:
    golden(f"table/resnet18-stage.{format}", ri.table("resnet18", "stage").to_text(format))


@pytest.mark.parametrize("model", zoo.ZOO)
def test_every_level_adds_up_to_the_network(model: str) -> None:
    graph = ri.graph(model)
    spent = total(graph.layers, 2)
    for level in LEVELS:
        for all_ops in (True, False):
            made = network_table.table(graph, level, batch=2, all_ops=all_ops)
            assert made.total is not None
            for key in ("params", "macs", "flops", "activations"):
                assert sum(row[key] for row in made.rows) == made.total[key]
            assert made.total["params"] == spent.params
            assert made.total["macs"] == spent.macs
            assert made.total["flops"] == spent.flops
            # Every layer stands in one row.
            assert sum(row["layers"] for row in made.rows) == len(graph.layers)


@pytest.mark.parametrize("model", ["resnet50", "resnetv2_50t", "seresnext26t_32x4d", "plain34"])
def test_folding_keeps_every_layer_in_order(model: str) -> None:
    for block in ri.graph(model).blocks:
        assert tuple(layer for group in fold(block) for layer in group) == block.layers


def test_folded_rows_of_both_orders() -> None:
    post = [row["operation"] for row in ri.table("resnet18", all_ops=False).rows]
    pre = [row["operation"] for row in ri.table("resnetv2_18", all_ops=False).rows]
    assert post[2:5] == ["3x3 BN ReLU", "3x3 BN", "+ ReLU"]
    assert pre[2:5] == ["BN ReLU 3x3", "BN ReLU 3x3", "+"]
    assert pre[-2:] == ["BN ReLU avg flat", "Linear"]


def test_json_has_the_promised_shape() -> None:
    data = json.loads(ri.table("resnet18", batch=4, dtype="fp16", all_ops=True).to_text("json"))
    assert data["model"] == "resnet18"
    assert data["input"] == [3, 224, 224]
    assert data["batch"] == 4
    assert data["dtype"] == "fp16"
    assert data["convention"] == "macs"
    first = data["rows"][0]
    assert first["name"] == first["path"] == "conv1"
    assert first["op"] == "Conv2d"
    assert first["stage"] == first["block"] == "stem"
    assert first["input_shape"] == [3, 224, 224]
    assert first["output_shape"] == [64, 112, 112]
    assert first["params"] == 9408
    assert first["macs"] == 4 * 118013952
    assert first["receptive_field"] == [7, 7]
    assert data["total"]["params"] == 11689512
    assert data["total"]["macs"] == 4 * 1814073344
    assert data["total"]["flops"] == 2 * data["total"]["macs"] + sum(
        data["total"][term]
        for term in ("bias", "normalization", "activation", "pooling", "addition", "gating")
    )
    assert len(data["rows"]) == len(ri.graph("resnet18").layers)


def test_csv_is_exact() -> None:
    table = ri.table("resnet50")
    rows = list(csv.DictReader(io.StringIO(table.to_text("csv"))))
    assert [int(row["macs"]) for row in rows] == [row["macs"] for row in table.rows]
    assert rows[0]["output_shape"] == "64x112x112"


def test_pandas_keeps_integers() -> None:
    frame = ri.table("resnet152").to_pandas()
    assert str(frame["macs"].dtype) == "Int64"
    assert int(frame["macs"].sum()) == 11513626624
    assert int(frame["params"].sum()) == 60192808


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_names_with_markup_stay_names() -> None:
    name = "<script>|x & y|_%"
    table = ri.table("resnet18", "network", name=name)
    for format in ("html", "markdown"):
        assert "<script>" not in table.to_text(format)
    cells = _Cells()
    cells.feed(table.to_text("html"))
    assert any(name in text for text in cells.text)
    assert json.loads(table.to_text("json"))["rows"][0]["name"] == name
    assert r"\&" in table.to_text("latex")
    assert name in _text(table, 100)


def test_text_in_brackets_is_not_markup() -> None:
    assert "net[red]" in _text(ri.table("resnet18", "network", name="net[red]"), 100)


def test_columns_are_picked_in_order() -> None:
    table = ri.table("resnet18", columns=["macs", "name"])
    assert [column.key for column in table.columns] == ["macs", "name"]
    assert list(table.records()[0]) == ["macs", "name"]
    assert [column.key for column in table.select(["name"]).columns] == ["name"]
    for wrong in (lambda: ri.table("resnet18", columns=["macz"]), lambda: table.select(["nam"])):
        with pytest.raises(UnknownNameError, match="did you mean"):
            wrong()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"level": "blok"}, "unknown level 'blok'; did you mean block"),
        ({"batch": 0}, "batch is 0; give 1 or more"),
        ({"dtype": "fp31"}, "unknown dtype 'fp31'; did you mean fp32"),
    ],
)
def test_bad_arguments_name_the_value_and_a_way_out(
    arguments: dict[str, object], says: str
) -> None:
    with pytest.raises(InspectError, match=says):
        ri.table("resnet18", **arguments)  # type: ignore[arg-type]


def test_every_metric_reads_every_level() -> None:
    for level in LEVELS:
        table = ri.table("seresnet50", level)
        assert [column.key for column in table.columns] == list(METRICS)


def test_shares_add_up_to_one() -> None:
    # Shares are floats by nature; their sum over 16 rows is off by rounding alone.
    shares = [row["share"] for row in ri.table("resnet50", "block").rows]
    assert round(sum(shares), 12) == 1.0  # type: ignore[arg-type]


def test_write_takes_the_format_from_the_suffix(tmp_path: Path) -> None:
    table = ri.table("resnet18", "stage")
    for suffix, format in (("csv", "csv"), ("md", "markdown"), ("tex", "latex"), ("htm", "html")):
        path = tmp_path / f"t.{suffix}"
        table.write(path)
        assert path.read_text() == table.to_text(format)
    with pytest.raises(FormatError, match=r"no suffix of a known format"):
        table.write(tmp_path / "t.xyz")
    with pytest.raises(UnknownNameError, match="unknown format 'yaml'"):
        table.write(tmp_path / "t.csv", "yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.htm", "t.md", "t.tex"]


def test_a_file_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for path in (tmp_path / "folder.csv", tmp_path / "no" / "t.csv"):
        with pytest.raises(OutputError, match="cannot write"):
            ri.table("resnet18", "stage").write(path)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_notebook_display_is_a_table() -> None:
    page = ri.table("resnet18", "stage")._repr_html_()
    assert page.startswith('<div class="resnet-inspect">')
    assert "11,689,512" in page


def test_unknown_values_are_shown_as_unknown() -> None:
    table = Table("t", (Column("n", "n", "count"),), ({"n": None}, {"n": 0}))
    assert _text(table, 40).splitlines()[4:6] == ["?", "0"]
    assert table.to_text("json").count("null") == 1


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (102228128, "97.5 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (2**50, "1,024.0 TiB"),
    ],
)
def test_bytes_in_words(count: int, text: str) -> None:
    assert show_bytes(count) == text


def test_values_in_words() -> None:
    assert show(1814073344, "count") == "1,814,073,344"
    assert show((3, 224, 224), "shape") == "3x224x224"
    assert show((7, 7), "pair") == "7"
    assert show((7, 9), "pair") == "7x9"
    assert show(0.1234, "share") == "12.3%"


def test_bars() -> None:
    assert bar(1.0, 4) == "████"
    assert bar(0.5, 4) == "██"
    assert bar(0.0, 4) == ""
    assert bar(1e-9, 4) == "▏"  # what is there can be seen


@pytest.mark.parametrize("batch", [2**33, 2**40])
def test_data_frames_hold_counts_of_any_size(batch: int) -> None:
    made = ri.table("resnet50", "stage", batch=batch)
    frame = made.to_pandas()
    for key in ("macs", "flops", "params"):
        assert frame[key].tolist() == [row[key] for row in made.records()]
    assert str(frame["params"].dtype) == "Int64"


def test_a_network_of_one_row_is_its_own_total() -> None:
    made = ri.table("resnet18", "network")
    for text in (str(made), *(made.to_text(format) for format in ("markdown", "html"))):
        assert text.count("11,689,512") - text.count("= 11,689,512") == 1
    assert made.total is not None
    assert made.total["params"] == 11_689_512
    assert made.to_dict()["total"]["macs"] == 1_814_073_344
    assert "total" in str(ri.table("resnet18", "stage"))
