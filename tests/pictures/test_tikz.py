"""Diagrams as TikZ: LaTeX that compiles, whatever words it holds."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet_inspect import diagram
from resnet_inspect.networks import zoo
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.pictures.diagrams.diagram import Diagram, block_diagram
from resnet_inspect.pictures.diagrams.measure import words_width
from resnet_inspect.pictures.diagrams.style import LEVELS
from resnet_inspect.pictures.diagrams.to_tikz import escaped

NASTY = r"a_b & 50% {x} $y$ #1 \input{z} ~ ^ <b> | \" 'q' `r` -- é ő 网络"


def drawings() -> dict[str, Diagram]:
    named = layer_graph(zoo.spec("resnet18").with_changes({"name": NASTY}))
    return {
        **{level: diagram("seresnet50", level=level, size="7in") for level in LEVELS},
        "right": diagram("resnet20_cifar", direction="LR", theme="dark"),
        "compared": diagram("plain18", "resnet18", level="conv"),
        "block": block_diagram("basic", "bottleneck", stride=2, shortcut="A"),
        "nasty": diagram(named),
    }


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return {name: drawn.render("tex").decode("ascii") for name, drawn in drawings().items()}


def test_it_is_a_document_and_a_picture(written: dict[str, str]) -> None:
    for name, text in written.items():
        before, _, body = text.partition(r"\begin{tikzpicture}")
        assert before.count(r"\usepackage") >= 3, name
        assert r"\documentclass{standalone}" in before
        assert text.endswith("\\end{tikzpicture}\n\\end{document}\n")
        assert balanced(text), name
        used = set(re.findall(r"(?:draw=|fill=|text=|\[)(hue[0-9a-f]{6})", body))
        assert used == set(re.findall(r"\\definecolor\{(hue\w+)\}\{HTML\}", body)), name
        statements = [line for line in body.splitlines()[1:] if line.startswith("\\")]
        for line in statements[:-2]:
            assert line.endswith(";") or line.startswith(r"\definecolor"), line


def balanced(text: str) -> bool:
    """Whether every brace has its partner, escaped ones aside."""
    depth = 0
    for brace in re.findall(r"[{}]", re.sub(r"\\[{}%\\]|%.*", "", text)):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def test_every_box_edge_and_word_is_there(written: dict[str, str]) -> None:
    drawn = drawings()["block"]
    text = written["block"]
    boxes = [box for placed in drawn.sheet.placed for box, _ in placed.boxes.values()]
    round_ones = sum(box.look in ("sign", "fork") for box in boxes)
    assert text.count(" circle[radius=") == round_ones
    edges = sum(len(placed.paths) for placed in drawn.sheet.placed)
    assert len(re.findall(r"^\\path\[draw=hue\w{6}, line width", text, re.MULTILINE)) == edges
    times = r"\texttimes{}"
    assert f"{{3{times}3{times}32{times}64 = 18,432}}" in text


def test_specials_are_escaped() -> None:
    words = escaped(NASTY)
    assert words.isascii()
    assert balanced(words)
    assert not re.search(r"(?<!\\)[&%#_]", words)
    assert not re.search(r"(?<!\\)\$y", words)
    assert r"\textbackslash{}input\{z\}" in words
    assert r"\'{e}" in words
    assert "[U+7F51]" in words


def pdflatex(folder: Path, document: str) -> str:
    """What LaTeX says when it makes a PDF."""
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", document]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said[-2000:]
    assert (folder / f"{document}.pdf").exists()
    return said


WORDS = (
    "input 3×224×224",
    "1×1, 64 → 3×3, 64 → 1×1, 256",
    "layer1.0.conv1 · 75.0 K params · 231 M MACs",
    "73,728 ≤ 10² ± 3, 'q' — x − y",
)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
@pytest.mark.parametrize("heavy", [False, True])
def test_words_are_as_wide_as_they_were_measured(tmp_path: Path, heavy: bool) -> None:
    font = rf"\fontsize{{10bp}}{{0bp}}\usefont{{T1}}{{phv}}{{{'b' if heavy else 'm'}}}{{n}}"
    boxes = (rf"\setbox0\hbox{{{font}{escaped(text)}}}\typeout{{W \the\wd0}}" for text in WORDS)
    (tmp_path / "widths.tex").write_text(
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{helvet}\n"
        "\\begin{document}\n" + "\n".join(boxes) + "\nx\\end{document}\n",
        encoding="ascii",
    )
    points = re.findall(r"^W ([\d.]+)pt", pdflatex(tmp_path, "widths"), re.MULTILINE)
    for text, width in zip(WORDS, points, strict=True):
        measured = words_width(text, 10, heavy) * 72.27 / 72
        assert float(width) == pytest.approx(measured, rel=0.05), text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
@pytest.mark.parametrize("name", [*LEVELS, "right", "compared", "block", "nasty"])
def test_it_compiles_and_can_be_taken_in(
    written: dict[str, str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "net.tex").write_text(written[name], encoding="ascii")
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\n\\usepackage{standalone,tikz,helvet}\n"
        "\\usepackage[T1]{fontenc}\n\\usetikzlibrary{arrows.meta}\n"
        "\\begin{document}\n\\input{net}\n\\end{document}\n",
        encoding="ascii",
    )
    for document in ("net", "paper"):
        pdflatex(tmp_path, document)
