"""LaTeX of every command: it fits the article class, and compiles where LaTeX is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tabled import LONGEST, TABLES

import resnet_inspect as ri
from resnet_inspect.cli.main import run
from resnet_inspect.tables.columns import Column
from resnet_inspect.tables.table import Table

COMMANDS = [
    *TABLES,
    LONGEST,
    "table resnet50 --level stage --convention fvcore",
    "taps resnet50",
    "reconcile resnet50 --no-measure",
    "fit resnet50 --memory 24GB --train",
]


@pytest.fixture(params=COMMANDS)
def text(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> str:
    assert run([*request.param.split(), "--format", "latex"]) == 0
    return capsys.readouterr().out


def test_every_command_writes_rows_of_as_many_cells(text: str) -> None:
    assert text.isascii()
    text = re.sub(r"\\begin\{array\}.*?\\end\{array\}", "", text)
    text = re.sub(r"\\begin\{tabular\}\{@\{\}l@\{\}\}.*?\\end\{tabular\}", "", text)
    tables = re.findall(
        r"\\begin\{(tabular|longtable)\}\{([^\n]*)\}\n(.*?)\\end\{\1\}\}", text, re.S
    )
    assert len(tables) == text.count("\\begin{") == text.count("\\end{") > 0
    for _, spec, body in tables:
        columns = len(spec.split(" "))
        for line in body.splitlines():
            if not line.endswith("\\\\"):
                assert line.startswith("\\")
                continue
            spans = sum(int(number) - 1 for number in re.findall(r"\\multicolumn\{(\d+)\}", line))
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + spans == columns
            assert len(re.findall(r"(?<!\\)\$", line)) % 2 == 0
            assert len(re.findall(r"(?<!\\)\{", line)) == len(re.findall(r"(?<!\\)\}", line))
            assert not re.search(r"(?<!\\)[_#%^~]", line.replace("$^", ""))


def test_columns_are_left_out_to_fit_the_line() -> None:
    text = ri.table("resnet152").to_text("latex")
    assert "% Left out to fit the line: Operation; of MACs; Field\n" in text
    assert "Layer & Output & {Parameters} & {MACs} \\\\" in text
    asked = ri.table(
        "resnet18", columns=["name", "operation", "params", "macs", "flops", "traffic"]
    )
    assert asked.to_text("latex").count("\nLayer & ") == 2


def test_a_rule_stands_above_totals_and_groups_are_set_apart() -> None:
    lines = ri.table("resnet18", "stage").to_text("latex").splitlines()
    total = next(at for at, line in enumerate(lines) if "{total}" in line)
    assert lines[total - 1] == "\\midrule"
    assert lines[total] == "\\multicolumn{3}{@{}l}{total} & 11689512 & 1814073344 &  \\\\"
    assert "\\addlinespace" in ri.table("resnet18").to_text("latex")


def test_numbers_are_aligned_by_siunitx_and_all_else_is_text() -> None:
    text = ri.table("resnet50", "stage", columns=["name", "output_shape", "macs"]).to_text("latex")
    assert "{@{}l l S[table-format=10]@{}}" in text
    assert "layer2 & 512$\\times$28$\\times$28 & 1027604480 \\\\" in text
    assert "{= 4.089 G}" in text
    columns = (Column("a", "a_1"), Column("n", "%", "count"), Column("r", "r", "ratio"))
    rows = ({"a": "[x]", "n": None, "r": 1.5}, {"a": "* 50% & ~", "n": -1200, "r": None})
    made = Table("t", columns, rows).to_text("latex")
    assert "{@{}l S[table-format=-4] S[table-format=1.2]@{}}" in made
    assert "a\\_1 & {\\%} & {r} \\\\" in made
    assert "{}[x] & {?} & 1.50 \\\\" in made
    assert "{}* 50\\% \\& \\textasciitilde{} & -1200 & {?} \\\\" in made


def test_long_tables_break_over_pages() -> None:
    assert "\\begin{longtable}" in ri.table("resnet50").to_text("latex")
    assert "longtable" not in ri.table("resnet18").to_text("latex")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
def test_it_compiles(text: str, tmp_path: Path) -> None:
    packages = "\\usepackage{booktabs,siunitx,array,longtable}"
    (tmp_path / "all.tex").write_text(
        f"\\documentclass{{article}}{packages}\\begin{{document}}\n{text}\n\\end{{document}}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
