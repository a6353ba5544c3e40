"""Diagrams as pictures: every format for real, on any machine, and pleasant to read."""

from __future__ import annotations

import itertools
import os
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet_inspect.errors import FormatError, InspectError, UnknownNameError
from resnet_inspect.files import OutputError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import INPUT, LayerGraph, Stage
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.pictures.diagrams.diagram import Diagram, diagram
from resnet_inspect.pictures.diagrams.page import lay_out
from resnet_inspect.pictures.diagrams.render import RenderError, render
from resnet_inspect.pictures.diagrams.scene import (
    Arrangement,
    Box,
    Drawing,
    Edge,
    Group,
    Scene,
    Text,
)
from resnet_inspect.pictures.themes import THEMES, contrast, mix, on_ramp, text_on
from resnet_inspect.tables.characters import visible_lines

SVG = "{http://www.w3.org/2000/svg}"
TITLE = "{http://www.w3.org/1999/xlink}title"
GRAPH = layer_graph(zoo.spec("resnet18"))


@pytest.fixture(scope="module")
def drawn() -> Diagram:
    return diagram(GRAPH)


def texts(svg: bytes) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


# --- formats -----------------------------------------------------------------------------------


def test_svg_text_stays_text(drawn: Diagram) -> None:
    svg = drawn.render("svg")
    assert {"resnet18", "11,689,512 parameters", "layer1", "× 2", "64×56×56"} <= set(texts(svg))
    families = set(re.findall(rb'font-family="([^"]*)"', svg))
    assert families == {b"Arimo,Arial,Helvetica,Liberation Sans,sans-serif"}
    assert svg.count(b"@font-face") == 2  # regular and bold, for browsers without any of these


def test_svg_has_a_tooltip_for_every_box(drawn: Diagram) -> None:
    root = ET.fromstring(drawn.render("svg"))
    found = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "node block":
            name = group.findtext(f"{SVG}title")
            found[name] = next(a.get(TITLE) for a in group.iter(f"{SVG}a"))
    assert list(found) == [
        "stem", "layer1.0", *(f"layer{at}.{b}" for at in (2, 3, 4) for b in (0, 1)), "head",
    ]  # fmt: skip
    assert found["layer2.0"] is not None
    assert found["layer2.0"].splitlines()[:4] == [
        "layer2.0",
        "Operation: BasicBlock",
        "Input: 64x56x56",
        "Output: 128x28x28",
    ]


@pytest.mark.parametrize("level", ["stage", "block", "layer"])
def test_png_is_a_bitmap_of_the_svgs_size(level: str) -> None:
    made = diagram(GRAPH, level=level)
    png = made.render("png")
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    size = re.search(rb'width="(\d+)\.\d*pt" height="(\d+)\.\d*pt"', made.render("svg"))
    assert size is not None
    for dots, points in ((width, int(size[1])), (height, int(size[2]))):
        assert abs(dots - 2 * points) <= 2  # 144 dots to 72 points


def test_a_bitmap_never_exceeds_what_cairo_draws() -> None:
    whole = diagram(layer_graph(zoo.spec("resnet152")), level="layer", expand=True)
    size = re.search(rb'width="(\d+)\.\d*pt" height="(\d+)\.\d*pt"', whole.render("svg"))
    assert size is not None
    assert 2 * int(size[2]) > 32767
    png = whole.render("png")
    assert 30000 < int.from_bytes(png[20:24], "big") <= 32767


def test_pdf_embeds_the_font(drawn: Diagram) -> None:
    pdf = drawn.render("pdf")
    assert pdf.startswith(b"%PDF-")
    fonts = set(re.findall(rb"/FontName /[A-Z]{6}\+(\S+)", pdf))
    assert fonts == {b"Arimo", b"Arimo-Bold"}


def test_dot_is_the_source(drawn: Diagram) -> None:
    assert drawn.render("dot").decode() == drawn.dot
    assert drawn.dot.startswith('digraph "resnet18" {')


def test_a_notebook_shows_svg(drawn: Diagram) -> None:
    shown = drawn._repr_svg_()
    assert shown.startswith("<svg")
    ET.fromstring(shown)
    assert repr(drawn) == "Diagram(of='resnet18')"


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "dot", "SVG"])
def test_the_suffix_says_the_format(drawn: Diagram, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"net.{suffix}"
    drawn.write(path)
    assert path.read_bytes() == drawn.render(suffix.lower()) or suffix == "pdf"
    assert [path] == list(tmp_path.iterdir())


def test_a_format_may_differ_from_the_suffix(drawn: Diagram, tmp_path: Path) -> None:
    drawn.write(tmp_path / "net.txt", "dot")
    assert (tmp_path / "net.txt").read_text(encoding="utf-8") == drawn.dot


@pytest.mark.parametrize("name", ["net.jpg", "net", "net.svgz"])
def test_an_unknown_suffix_names_the_known(drawn: Diagram, tmp_path: Path, name: str) -> None:
    with pytest.raises(
        FormatError, match=r"use \.svg, \.png, \.pdf, \.tex, \.dot, \.html, or give a format"
    ):
        drawn.write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_left_alone(drawn: Diagram, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        drawn.write(tmp_path / "missing" / "net.svg")
    assert list(tmp_path.iterdir()) == []


def dense(arrangement: Arrangement, count: int) -> Scene:
    """Boxes of which each reads all before it."""
    boxes = tuple(Box(f"{n}", ((Text("box"),),)) for n in range(count))
    edges = tuple(Edge(f"{n}", f"{m}", "skip") for m in range(count) for n in range(m))
    root = Group("network", boxes, arrangement)
    return Scene("dense", (Drawing("dense", (), root, edges),), THEMES["light"])


def test_a_picture_that_would_take_hours_is_refused_at_once() -> None:
    """Lines of a series pass beside it; what is interwoven takes Graphviz the square of time."""
    with pytest.raises(InspectError, match=r"draw blocks or stages \(--level\)"):
        lay_out(dense("free", 150))
    assert render(lay_out(dense("series", 60)), "svg")


def test_unknown_formats_and_renderers(drawn: Diagram) -> None:
    with pytest.raises(UnknownNameError, match="unknown format 'svgz'; did you mean svg"):
        drawn.render("svgz")
    with pytest.raises(UnknownNameError, match="unknown renderer 'dott'; did you mean dot"):
        drawn.render("svg", "dott")


# --- an installed dot --------------------------------------------------------------------------


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a `dot` on the PATH, and nothing else."""
    path = folder / "dot"
    path.write_text(f"#!{sys.executable}\n{script}", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(folder))


ECHO = "import sys; sys.stdout.write(' '.join(sys.argv[1:]) + chr(10) + sys.stdin.read())"


def test_an_installed_dot_gets_the_source(
    drawn: Diagram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, ECHO)
    options, _, source = drawn.render("pdf", "dot").decode().partition("\n")
    assert (options, source) == ("-Kneato -Tpdf -n2", drawn.dot)
    assert b"dpi=144" in drawn.render("png", "dot")


def test_without_dot_there_is_a_way_out(
    drawn: Diagram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderError, match=r"no 'dot' on the PATH; install Graphviz, or"):
        drawn.render("svg", "dot")


def test_a_dot_that_fails_is_quoted(
    drawn: Diagram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "import sys; sys.exit('Error: no layout for you')")
    with pytest.raises(RenderError, match="dot failed: Error: no layout for you"):
        drawn.render("svg", "dot")


# --- any machine -------------------------------------------------------------------------------

DRAW = """
import sys
from resnet_inspect.networks import zoo
from resnet_inspect.pictures.diagrams.diagram import diagram
from resnet_inspect.networks.resnet import layer_graph
drawn = diagram(layer_graph(zoo.spec("resnet18")))
for format in ("svg", "png", "pdf"):
    drawn.write(sys.argv[1] + "/net." + format)
heavy = {"torch", "pandas", "matplotlib", "rich"} & sys.modules.keys()
assert not heavy, heavy
"""

BROKEN = "<?xml version='1.0'?><fontconfig><dir>/nowhere</dir><no-such-element/>"


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Environments by name: no fontconfig, a broken one, one without fonts, no home."""
    folder = tmp_path_factory.mktemp("machines")
    (folder / "broken.conf").write_text(BROKEN, encoding="utf-8")
    (folder / "bare.conf").write_text(f"{BROKEN[:21]}<fontconfig></fontconfig>", encoding="utf-8")
    return {
        "as it is": {},
        "no configuration": {"FONTCONFIG_FILE": "/nonexistent/fonts.conf"},
        "a broken configuration": {"FONTCONFIG_FILE": str(folder / "broken.conf")},
        "no fonts": {"FONTCONFIG_FILE": str(folder / "bare.conf")},
        "no home": {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"},
    }


@pytest.mark.parametrize("language", ["C", "en_US.UTF-8"])
def test_pictures_are_the_same_and_silent_on_any_machine(
    machines: dict[str, dict[str, str]], drawn: Diagram, tmp_path: Path, language: str
) -> None:
    for name, changes in machines.items():
        folder = tmp_path / name
        folder.mkdir()
        environment = {**os.environ, "LC_ALL": language, **changes}
        done = subprocess.run(
            [sys.executable, "-c", DRAW, str(folder)],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert (name, done.returncode, done.stdout, done.stderr) == (name, 0, b"", b"")
        for format in ("svg", "png"):
            assert (folder / f"net.{format}").read_bytes() == drawn.render(format), name


def test_drawing_leaves_the_environment_alone(drawn: Diagram) -> None:
    before = dict(os.environ)
    drawn.render("png")
    assert dict(os.environ) == before


def test_names_beyond_the_font_are_drawn_all_the_same(tmp_path: Path) -> None:
    code = DRAW.replace(
        'zoo.spec("resnet18")', 'zoo.spec("resnet18").with_changes({"name": "网络"})'
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "网络" in texts((tmp_path / "net.svg").read_bytes())


# --- names -------------------------------------------------------------------------------------

HOSTILE = [
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "a & b &amp; &lt;c&gt;",
    "quotes \"double\" and 'single'",
    "back\\slash \\N \\G \\",
    "{record|label}",
    "a:b:c",
    "]]> -- -->",
    "<",
    ">",
    "<>",
    "digraph",
    "%s %(name)s {0}",
]


def named(name: str) -> LayerGraph:
    return layer_graph(zoo.spec("resnet18").with_changes({"name": name}))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_with_markup_stays_a_name(name: str) -> None:
    for made in (diagram(named(name)), diagram(named(name), named(name), level="stage")):
        svg = made.render("svg")
        assert name in [text.replace("\u200b", "") for text in texts(svg)]
        assert b"<script" not in svg
        assert b"<b>" not in svg


@pytest.mark.parametrize("level", ["stage", "block", "layer"])
@pytest.mark.parametrize("name", HOSTILE)
def test_stages_blocks_and_layers_with_markup_stay_names(name: str, level: str) -> None:
    names = {layer.name: f"{name}{layer.name}" for layer in GRAPH.layers}
    stages = tuple(
        Stage(
            f"{stage.name}{name}",
            stage.path,
            tuple(
                replace(
                    block,
                    name=f"{block.name}{name}",
                    kind=name,
                    layers=tuple(
                        layer._replace(
                            name=names[layer.name],
                            inputs=tuple(names.get(source, INPUT) for source in layer.inputs),
                        )
                        for layer in block.layers
                    ),
                )
                for block in stage.blocks
            ),
        )
        for stage in GRAPH.stages
    )
    svg = diagram(LayerGraph("net", GRAPH.input_shape, stages), level=level).render("svg")
    for element in ET.fromstring(svg).iter():
        assert element.tag.removeprefix(SVG) not in ("script", "b")
    boxes = [group for group in ET.fromstring(svg).iter(f"{SVG}g")
             if group.get("class") == f"node {level}"]  # fmt: skip
    plain = ET.fromstring(diagram(GRAPH, level=level).render("svg"))
    same = [group for group in plain.iter(f"{SVG}g") if group.get("class") == f"node {level}"]
    assert len(boxes) == len(same)
    if level == "layer":
        tips = [next(group.iter(f"{SVG}a")).get(TITLE, "").splitlines()[0] for group in boxes]
        assert f"{name}layer2.0.conv1" in [tip.replace("\u200b", "") for tip in tips]


@given(st.text(min_size=1, max_size=30).filter(str.strip))
def test_any_name_reaches_the_picture(name: str) -> None:
    svg = diagram(named(name), level="stage").render("svg")
    # Runs of white space are one where text is drawn.
    found = [text.replace("\u200b", "").split() for text in texts(svg)]
    assert visible_lines(name).replace("\u200b", "").split() in found


# --- colours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_reads_on_every_fill(theme: object) -> None:
    assert theme in THEMES.values()
    look = THEMES[theme.name]  # type: ignore[attr-defined]
    ramp = [on_ramp(look.ramp, at / 50) for at in range(51)]
    lighter = [mix(fill, look.page, 0.6) for fill in look.fills]
    for fill in (*look.fills, look.quiet, *ramp, *lighter):
        assert contrast(text_on(fill), fill) >= 4.5, fill
    behind = [look.page, *(mix(look.page, fill, look.tint) for fill in look.fills)]
    for page in behind:
        assert contrast(look.muted, page) >= 4.5
        assert contrast(look.ink, page) >= 7
        assert contrast(look.line, page) >= 4.5
        assert contrast(look.shortcut, page) >= 4  # thick strokes: 3 is asked for


@pytest.mark.parametrize("theme", THEMES)
def test_lightness_alone_tells_a_heat_map(theme: str) -> None:
    look = THEMES[theme]
    steps = [contrast(on_ramp(look.ramp, at / 30), "#000000") for at in range(31)]
    falling = theme != "dark"
    assert steps == sorted(steps, reverse=falling)
    gaps = [abs(a - b) for a, b in itertools.pairwise(steps)]
    assert min(gaps) > 0
    assert contrast(look.ramp[0], look.ramp[-1]) > 9


def test_print_has_no_hue() -> None:
    look = THEMES["print"]
    colours = (look.page, look.ink, look.muted, look.line, look.shortcut, look.gate, look.quiet)
    for colour in (*colours, *look.fills, *look.ramp):
        assert colour[1:3] == colour[3:5] == colour[5:7]


# Machado, Oliveira & Fernandes 2009: what remains of linear RGB without red, and without green,
# cones.
BLIND = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


@pytest.mark.parametrize("matrix", BLIND.values(), ids=BLIND)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_neighbouring_stages_differ_for_colour_blind_readers(
    theme: str, matrix: tuple[tuple[float, ...], ...]
) -> None:
    def seen(colour: str) -> list[float]:
        linear = [(int(colour[at : at + 2], 16) / 255) ** 2.2 for at in (1, 3, 5)]
        mixed = [sum(m * c for m, c in zip(row, linear, strict=True)) for row in matrix]
        return [max(0.0, value) ** (1 / 2.2) for value in mixed]

    fills = [THEMES[theme].quiet, *THEMES[theme].fills]
    for one, other in itertools.pairwise(fills):
        apart = sum((a - b) ** 2 for a, b in zip(seen(one), seen(other), strict=True)) ** 0.5
        assert apart > 0.1, (one, other)


def test_errors_are_ours() -> None:
    assert issubclass(RenderError, InspectError)
