"""The command: what it writes, and how it answers what it cannot draw."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from resnet_inspect.cli.main import run
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.pictures.diagrams.diagram import block_diagram, diagram

Draw = Callable[..., str]


def graph(name: str, **changes: object) -> LayerGraph:
    return layer_graph(zoo.spec(name).with_changes(changes))


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """The DOT that a command line writes."""

    def written(*arguments: str) -> str:
        path = tmp_path / "net.dot"
        assert run(["diagram", *arguments, "-o", str(path)]) == 0
        return path.read_text(encoding="utf-8")

    return written


def test_options_reach_the_drawing(draw: Draw) -> None:
    assert draw("resnet34") == diagram(graph("resnet34")).dot
    assert (
        draw("--depth", "34", "--level", "stage") == diagram(graph("resnet34"), level="stage").dot
    )
    chosen = ["--expand", "--color-by", "params", "--direction", "LR", "--theme", "dark"]
    assert draw("resnet18", *chosen) == (
        diagram(graph("resnet18"), expand=True, color_by="params", direction="LR", theme="dark").dot
    )
    assert draw("resnet18", "--shortcut", "D", "--classes", "10") == (
        diagram(graph("resnet18", shortcut="D", classes=10)).dot
    )
    small = layer_graph(zoo.spec("resnet18"), (3, 64, 64))
    assert draw("resnet18", "--input", "3x64x64") == diagram(small).dot


def test_networks_side_by_side(draw: Draw) -> None:
    both = diagram(graph("plain34"), graph("resnet34")).dot
    assert draw("--compare", "plain34", "resnet34") == both
    assert draw("plain34", "resnet34") == both
    three = diagram(*(graph(name) for name in ("resnet18", "resnet34", "resnet50")), level="stage")
    assert draw("--compare", "resnet18", "resnet34", "resnet50", "--level", "stage") == three.dot


def test_blocks(draw: Draw) -> None:
    assert draw("block", "bottleneck", "--channels", "256") == block_diagram("bottleneck").dot
    assert draw("block", "basic") == block_diagram("basic").dot
    assert draw("block", "basic", "bottleneck") == block_diagram("basic", "bottleneck").dot
    projected = ["--stride", "2", "--shortcut", "D", "--in-channels", "64", "--side", "28"]
    assert draw("block", "basic", "--channels", "128", *projected) == (
        block_diagram("basic", channels=128, side=28, entering=64, stride=2, shortcut="D").dot
    )
    assert draw("block", "bottleneck", "--order", "pre", "--se-reduction", "16") == (
        block_diagram("bottleneck", order="pre", se_reduction=16).dot
    )


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_pictures_by_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"net.{suffix}"
    assert run(["diagram", "resnet18", "--level", "stage", "-o", str(path)]) == 0
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)


def test_stdout_gets_dot_or_what_is_asked_for() -> None:
    for options, expected in (
        ([], diagram(graph("resnet18")).render("dot")),
        (["--format", "png"], diagram(graph("resnet18")).render("png")),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "resnet_inspect", "diagram", "resnet18", *options],
            capture_output=True,
            check=True,
        )
        assert done.stdout == expected
        assert done.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["resnet51"], "unknown network 'resnet51'; did you mean"),
        ([], "no network; name one"),
        (["resnet18", "--level", "blocks"], "unknown level 'blocks'; did you mean block"),
        (["resnet18", "--theme", "drak"], "unknown theme 'drak'; did you mean dark"),
        (["resnet18", "--render", "dott"], "unknown renderer 'dott'; did you mean dot"),
        (["resnet18", "--format", "jpg"], "unknown format 'jpg'"),
        (["--compare", "resnet18"], "one network to compare; name another"),
        (["resnet18", "resnet34", "--shortcut", "C"], "write resnet50[shortcut=C]"),
        (["resnet34", "--depth", "18"], "both 'resnet34' and --depth 18"),
        (["resnet34", "resnet50", "--depth", "18"], "--depth is for one network"),
        (["resnet18", "--stride", "2"], "--stride is for a block"),
        (["resnet18", "--labels", "paper"], "--labels is for a block"),
        (["block", "basic", "--level", "conv"], "--level is about whole networks"),
        (["block", "basic", "--names", "paper"], "--names is about whole networks"),
        (["resnet18"] * 7, "7 networks in one diagram"),
        (["block"], "no kind of block; give 'block basic'"),
        (["block", "bottlenek"], "unknown block 'bottlenek'; did you mean bottleneck"),
        (["block", "bottleneck", "--channels", "250"], "give a multiple of 4"),
        (["block", "basic", "--blocks", "2,2"], "--blocks is about whole networks"),
        (["block", "basic", "--depth", "18"], "a block has no --depth"),
        (["resnet18", "--channels", "many"], "not a valid integer"),
    ],
)
def test_what_cannot_be_drawn(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diagram", *arguments, "-o", str(tmp_path / "net.svg")]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["net.jpg", "missing/net.svg"])
def test_files_that_cannot_be(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diagram", "resnet18", "-o", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_is_asked_for_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(["diagram", "resnet18"]) == 2
    assert capsys.readouterr().err.endswith("-o FILE.svg, or print DOT by --format dot\n")
    assert run(["diagram", "resnet18", "--format", "png"]) == 2
    assert "png cannot be shown in a terminal" in capsys.readouterr().err
    for options in (["--format", "dot"], ["-o", "-"]):
        assert run(["diagram", "resnet18", *options]) == 0
        assert capsys.readouterr().out.startswith("digraph")


def test_drawing_loads_neither_torch_nor_pandas(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from resnet_inspect.cli.main import run\n"
        f"assert run(['diagram', 'resnet50', '-o', {str(tmp_path / 'net.svg')!r}]) == 0\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'rich.console'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
