"""Tables as text: names that a format could take for more than text stay text."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

import resnet_inspect as ri
from resnet_inspect.tables.characters import in_ascii, visible, visible_lines
from resnet_inspect.tables.columns import Column
from resnet_inspect.tables.latex import latex_spelled
from resnet_inspect.tables.table import Table
from resnet_inspect.tables.writers import PROSE, ascii_text, markdown_escaped

STEERING = "\x1b[31m\x07\x9b\u202e\u2066\u2028\ud800\U000e0041\x7f\r"


def cells(*values: str | float) -> list[str]:
    """The cells of a CSV file with these values in a column."""
    table = Table("", (Column("x", "x"),), tuple({"x": value} for value in values))
    return [row[0] for row in csv.reader(io.StringIO(table.to_text("csv")))][1:]


def test_what_steers_a_terminal_is_an_escape() -> None:
    escaped = r"\x1b[31m\x07\x9b\u202e\u2066\u2028\ud800\U000e0041\x7f\r"
    assert visible(f"a\n\t{STEERING}") == rf"a\n\t{escaped}"
    assert visible_lines(f"a\n\t{STEERING}") == f"a\n\t{escaped}"
    plain = "Größe 图 ½ a\u200db"
    assert visible(plain) == plain


@pytest.mark.parametrize("format", [*PROSE, "csv", "json"])
def test_no_format_steers_a_terminal(format: str) -> None:
    table = Table(
        STEERING, (Column("x", STEERING),), ({"x": STEERING},), notes=(STEERING,), partial=("\x1b",)
    )
    text = table.to_text(format)
    assert visible_lines(text) == text
    assert visible_lines(str(table)) == str(table)
    if format == "json":
        assert json.loads(text) == [{"x": STEERING}]


def test_csv_holds_no_formulas() -> None:
    for text in ("=1+1", "+ ReLU", "-x", "@SUM(A1)", "\t=1", "\n=1", "\uff1d1", "= 3.8 G", "-"):
        assert cells(text) == [f"'{text}"]
    assert cells("\r=1") == [r"\r=1"]


def test_numbers_are_numbers_in_csv() -> None:
    assert cells(-5, -0.25, "-5", "+1.5e-3", "-.5") == ["-5", "-0.25", "-5", "+1.5e-3", "-.5"]
    assert cells("a=b", "'quoted", "") == ["a=b", "'quoted", ""]


def test_our_own_csv_holds_no_formulas() -> None:
    text = ri.diff("resnet18", "resnet34").to_text("csv")
    assert {row[2] for row in csv.reader(io.StringIO(text))} == {"change", "'+"}
    assert "'+ ReLU" in ri.table("resnet18", all_ops=False).to_text("csv")


def test_markdown_takes_names_for_text() -> None:
    assert markdown_escaped("<b>*a*</b> [x](y) `c` # |") == (
        r"\<b\>\*a\*\</b\> \[x\](y) \`c\` \# \|"
    )
    assert markdown_escaped("![x](https://a.b/c.png)") == r"\!\[x\](https\://a.b/c.png)"
    assert markdown_escaped("www.a.b, a@b.c, $x$, ~~y~~") == r"www\.a.b, a\@b.c, \$x\$, \~\~y\~\~"
    assert markdown_escaped("_a_ __b__ layer_1_x") == r"\_a\_ \_\_b\_\_ layer_1_x"
    assert markdown_escaped("resnet50_v1.5, 3x3") == "resnet50_v1.5, 3x3"
    table = Table("a\nb", (Column("x", "x|y"),), ({"x": "1\n2|3"},))
    assert table.to_text("markdown").splitlines() == [
        r"**a\\nb**",
        "",
        r"| x\|y     |",
        "|----------|",
        r"| 1\\n2\|3 |",
    ]


def test_latex_is_ascii() -> None:
    assert (
        latex_spelled("⌊x⌋ × 2² → é") == r"$\lfloor$x$\rfloor$ $\times$ 2$^2$ $\rightarrow$ \'{e}"
    )
    assert latex_spelled("图") == "[U+56FE]"
    text = ri.explain("resnet50", "layer2.0.conv2").to_text("latex")
    assert text.isascii()
    assert r"$\lfloor$(H + 2p - k) / s$\rfloor$ + 1" in text


def test_signs_in_ascii() -> None:
    assert in_ascii("⌊(H + 2p) / s⌋ × C² → ≠ ±") == "floor((H + 2p) / s) x C^2 -> != +/-"
    assert in_ascii("图\x1b") == "图\\x1b"


def test_formats_with_escapes_lose_nothing_in_ascii() -> None:
    data = '["× 图 🙂"]'
    assert ascii_text(data, "json").isascii()
    assert json.loads(ascii_text(data, "json")) == json.loads(data)
    assert ascii_text("×", "html") == "&#215;"
    assert ascii_text("×", "csv") == "×"


def test_a_file_of_html_is_a_whole_page() -> None:
    for made in (ri.table("resnet18", "stage"), ri.compare("resnet18", "resnet34")):
        page = made.to_text("html")
        assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
        assert page.count('<meta charset="utf-8">') == page.count("<body>") == 1
        assert "prefers-color-scheme: dark" in page
        assert "http" not in page


def test_a_notebook_shows_bars_and_a_rule_above_totals() -> None:
    shown = ri.table("resnet50", "stage")._repr_html_()
    assert "<html" not in shown
    assert "<body" not in shown
    assert "overflow-x: auto" in shown
    bars = re.findall(r'class="share" style="background-size: ([\d.]+)% 70%">([\d.]+)%<', shown)
    widths = {text: float(width) for width, text in bars}
    assert widths["35.8"] == 100.0
    assert 50.0 < widths["19.8"] < 60.0
    body, foot = shown.split("<tfoot>")
    assert "total" not in body
    assert foot.count("<tr>") == 3
    layers = ri.table("resnet18")._repr_html_()
    assert layers.count("<tbody>") == 6  # groups are set apart


def test_pages_of_several_tables_are_one() -> None:
    sheet = ri.compare("resnet18", "resnet34")
    assert sheet.to_text("html").count("<table>") == len(sheet.tables) == 4
    assert sheet._repr_html_().count("<style>") == 1
