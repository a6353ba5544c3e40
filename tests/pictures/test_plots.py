"""Plots show the numbers of the tables, look the same every time, and can be read by everybody."""

from __future__ import annotations

import io
import itertools
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from torch import nn

import resnet_inspect as ri
from resnet_inspect.cli.main import run
from resnet_inspect.counting.memory import memory
from resnet_inspect.errors import InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.pictures.page_size import page_size
from resnet_inspect.pictures.plots.costs import ALONE, KINDS, plot
from resnet_inspect.pictures.plots.families import TITLES
from resnet_inspect.pictures.plots.labels import AROUND, Box, Place, measured, placed
from resnet_inspect.pictures.plots.plot import DASHES, FORMATS, HATCHES, MARKERS, MOST, Plot
from resnet_inspect.pictures.themes import THEMES
from resnet_inspect.tables.columns import compact

NAMES = ("resnet18", "resnet50")


def of_kind(kind: str, **settings: Any) -> Plot:
    return plot(kind, [] if kind in ALONE else graphs(), **settings)


def graphs() -> list[LayerGraph]:
    return [ri.graph(name) for name in NAMES]


def drawn(made: Plot) -> Figure:
    figure = Figure(figsize=made.size)
    made.paint(figure, THEMES["light"])
    return figure


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "zoo"])
def test_every_format_is_written(kind: str, tmp_path: Path) -> None:
    made = of_kind(kind)
    for format in FORMATS:
        path = tmp_path / f"{kind}.{format}"
        made.write(path, dpi=50)
        data = path.read_bytes()
        if format == "svg":
            assert ET.fromstring(data).tag.endswith("svg")
        else:
            assert data.startswith({"png": b"\x89PNG\r\n", "pdf": b"%PDF-"}[format])
        assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("format", FORMATS)
def test_equal_plots_are_equal_bytes(format: str) -> None:
    assert of_kind("stages").to_bytes(format, dpi=50) == of_kind("stages").to_bytes(format, dpi=50)


def test_bytes_do_not_depend_on_the_process_nor_on_its_user(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 33\nfigure.facecolor: red\n")
    code = (
        "import sys, resnet_inspect as ri; from resnet_inspect.pictures.plots.costs import plot;"
        "made = plot('field', [ri.graph('resnet18'), ri.graph('resnet50')]).to_bytes('svg');"
        "assert 'torch' not in sys.modules; assert 'matplotlib.pyplot' not in sys.modules;"
        "sys.stdout.buffer.write(made)"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env={**environment, "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")},
    )
    assert done.stdout == of_kind("field").to_bytes("svg")
    assert b"findfont" not in done.stderr


def test_a_users_settings_are_left_alone() -> None:
    with matplotlib.rc_context({"font.size": 31, "axes.grid": False}):
        before = dict(matplotlib.rcParams)
        of_kind("field").to_bytes("svg")
        assert dict(matplotlib.rcParams) == before


def test_bars_are_the_stages_shares_and_bear_their_counts() -> None:
    panels = drawn(of_kind("stages")).axes
    for number, axes in enumerate(panels):
        name, key = NAMES[number // 2], ("macs", "params")[number % 2]
        counts: list[Any] = [row[key] for row in ri.table(name, "stage").rows]
        (bars,) = axes.containers
        assert [bar.get_height() for bar in bars] == [count / sum(counts) for count in counts]
        assert [text.get_text() for text in axes.texts] == list(map(compact, counts))
        assert [tick.get_text() for tick in axes.get_xticklabels()] == [
            row["name"] for row in ri.table(name, "stage").rows
        ]
        assert axes.get_title().startswith(f"{name}: {compact(sum(counts))} ")


def test_cumulative_lines_end_at_the_totals() -> None:
    for axes, key in zip(drawn(of_kind("cumulative")).axes, ("macs", "params"), strict=True):
        for name, line in zip(NAMES, axes.lines, strict=True):
            total = ri.table(name, "network").records()[0][key]
            heights = list(line.get_ydata())
            assert heights[-1] == total
            assert heights == sorted(heights)
            assert len(heights) == 1 + zoo.spec(name).depth


def test_the_peak_is_marked() -> None:
    for axes, graph in zip(drawn(of_kind("memory")).axes, graphs(), strict=True):
        need = memory(graph)
        (mark,) = axes.lines
        (step,), (level,) = mark.get_xdata(), mark.get_ydata()  # type: ignore[misc]
        assert graph.layers[int(step)].name == need.peak_at
        assert level == need.inference_peak / 2**20
        assert need.peak_at in of_kind("memory").alt


def test_the_field_is_set_against_the_input() -> None:
    (axes,) = drawn(of_kind("field")).axes
    ends = [list(line.get_ydata())[-1] for line in axes.lines]
    assert ends[::2] == [435, 427, 224]
    assert all(1 < seen < 224 for seen in ends[1::2])  # what they really see


def test_the_field_of_networks_with_gates_ends_where_the_convolutions_do() -> None:
    made = plot("field", [ri.graph("seresnet50")])
    (axes,) = drawn(made).axes
    heights = list(axes.lines[0].get_ydata())
    assert heights == sorted(heights)


def test_blocks_are_those_of_the_comparison() -> None:
    axes = drawn(of_kind("blocks")).axes[0]
    rows = ri.compare_blocks()["growth"].groups[0]
    assert list(axes.lines[0].get_ydata()) == [row["basic_weights"] for row in rows]
    assert list(axes.lines[1].get_ydata()) == [row["bottleneck_weights"] for row in rows]
    assert "16.94" in of_kind("blocks").alt


def test_every_network_of_the_zoo_has_its_label(tmp_path: Path) -> None:
    of_kind("zoo").write(tmp_path / "zoo.svg")
    shown = texts((tmp_path / "zoo.svg").read_text(encoding="utf-8"))
    assert set(zoo.ZOO) <= set(shown)
    assert all(shown.count(name) == 1 for name in zoo.ZOO)


def test_legends_of_the_zoo_have_proper_names() -> None:
    legends = [axes.get_legend() for axes in drawn(of_kind("zoo")).axes]
    shown = {text.get_text() for legend in legends if legend for text in legend.get_texts()}
    assert {"EvoNorm", "filter response norm", "NF-RegNet", "BoTNet"} <= shown
    assert not shown.isdisjoint({"plain", "wide"})  # words, as they are
    assert shown.isdisjoint(TITLES)


def test_labels_of_the_zoo_lie_in_their_panels() -> None:
    made = of_kind("zoo")
    figure = Figure(figsize=made.size, layout="constrained")
    made.paint(figure, THEMES["light"])
    figure.draw_without_rendering()
    for axes in figure.axes:
        frame = axes.get_window_extent().padded(6)  # fonts are hinted at other sizes
        for label in axes.texts:
            box = Text.get_window_extent(label)  # without its line
            assert frame.count_contains(box.corners()) == 4, label.get_text()


@given(
    st.lists(
        st.tuples(st.integers(60, 440), st.integers(20, 380)), min_size=1, max_size=25, unique=True
    )
)
def test_labels_keep_off_one_another(points: list[tuple[int, int]]) -> None:
    frame = Box(0, 0, 500, 400)
    spots = {f"network{number}": (float(x), float(y)) for number, (x, y) in enumerate(points)}
    boxes = placed(spots, spots.values(), AROUND, frame)
    for one, other in itertools.combinations(boxes.values(), 2):
        assert not one.meets(other)
    for name, box in boxes.items():
        assert box.inside(frame)
        assert box.right - box.left == pytest.approx(measured(name))
        assert not any(
            box.left < x < box.right and box.bottom < y < box.top for x, y in spots.values()
        )


def test_lines_to_points_keep_off_other_labels() -> None:
    places = [Place(0, 0, 40), Place(0, 120, 40)]
    spots = {"first": (100.0, 100.0), "second": (100.0, 110.0)}
    boxes = placed(spots, [], places, Box(0, 0, 500, 400))
    assert boxes["first"].bottom == 140
    # straight above its point it would be free, but its line would cross the first
    assert boxes["second"].left > boxes["first"].right


# --- any network -------------------------------------------------------------------------------


def ordinary(*modules: nn.Module, input_shape: tuple[int, ...]) -> LayerGraph:
    return ri.graph(nn.Sequential(*modules), input_shape=input_shape)


ANY: dict[str, Callable[[], LayerGraph]] = {
    "input larger than the field": lambda: ri.graph("resnet18", input_shape=(3, 480, 450)),
    "input far larger": lambda: ri.graph("resnet18", input_shape=(3, 40, 9000)),
    "no weights": lambda: ordinary(nn.ReLU(), input_shape=(3, 8, 8)),
    "no convolutions": lambda: ordinary(nn.Linear(4, 5), nn.ReLU(), input_shape=(4,)),
    "one dimension": lambda: ordinary(nn.Conv1d(3, 4, 3), input_shape=(3, 50)),
    "a long name": lambda: ri.graph("resnet18", name="long" * 40),
    "controls in a name": lambda: ri.graph("resnet18", name="\x1b[31m\n\u202e$x^"),
    "many stages": lambda: layer_graph(
        ResNetSpec(blocks=(1,) * 120, widths=(8,) * 120, strides=(1,) * 120)
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ANY)
@pytest.mark.parametrize("kind", ["stages", "cumulative", "memory", "field"])
def test_any_network_is_plotted_without_a_warning(kind: str, name: str) -> None:
    root = ET.fromstring(plot(kind, [ANY[name](), ri.graph("resnet20_cifar")]).to_svg())
    height = float(root.get("viewBox", "").split()[3])
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        place = re.search(r"translate\(\S+ (\S+)\)", text.get("transform", ""))
        assert 0 < float(place[1] if place else text.get("y", "")) < height


def test_the_field_has_the_line_of_a_larger_input() -> None:
    (axes,) = drawn(plot("field", [ANY["input larger than the field"]()])).axes
    assert [line.get_ydata()[0] for line in axes.lines[2:]] == [480]
    assert axes.get_ylim()[1] > 480


def ticks(axis: Any) -> list[str]:
    axis.axes.figure.draw_without_rendering()
    return [label.get_text() for label in axis.get_ticklabels()]


def test_axes_have_units_that_suit_the_numbers() -> None:
    small = ordinary(nn.Conv2d(3, 4, 3), nn.ReLU(), input_shape=(3, 80, 80))
    macs, params = drawn(plot("cumulative", [small])).axes
    assert [line.get_ydata()[-1] for line in (macs.lines[0], params.lines[0])] == [657072, 112]
    assert ticks(macs.yaxis)[:3] == ["0", "100 K", "200 K"]
    assert ticks(params.yaxis)[:3] == ["0", "20", "40"]
    large = drawn(plot("cumulative", [ri.graph("resnet50")])).axes
    assert [ticks(axes.yaxis)[1] for axes in large] == ["1 G", "5 M"]
    for name, unit in (("no weights", "KiB"), ("no convolutions", "B"), ("a long name", "MiB")):
        (axes,) = drawn(plot("memory", [ANY[name]()])).axes
        assert axes.get_ylabel() == unit


@pytest.mark.parametrize("name", ["no weights", "no convolutions", "one dimension"])
def test_counts_have_whole_ticks(name: str) -> None:
    for axes in drawn(plot("cumulative", [ANY[name]()])).axes:
        for axis in (axes.xaxis, axes.yaxis):
            marks = [label.replace(" K", "e3") for label in ticks(axis)]
            assert all(float(mark).is_integer() for mark in marks)


def test_no_stage_of_the_classics_is_without_its_name() -> None:
    made = drawn(plot("memory", [ri.graph(name) for name in zoo.CLASSICS]))
    for axes in made.axes:
        names = [name.strip() for name in ticks(axes.xaxis)]
        assert names == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]


# --- pages -------------------------------------------------------------------------------------


SLOW = {("zoo", "7in"), ("zoo", "16cm")}
"""The zoo takes seconds, and the narrowest page has the least room for letters."""

PAGES = [
    pytest.param(kind, size, marks=pytest.mark.slow if (kind, size) in SLOW else ())
    for kind in KINDS
    for size in ("3.3in", "7in", "16cm")
]


@pytest.mark.parametrize(("kind", "size"), PAGES)
def test_letters_can_be_read_on_a_page(kind: str, size: str) -> None:
    made = of_kind(kind, size=size)
    svg = made.to_svg()
    root = ET.fromstring(svg)
    wide = page_size(size).width
    assert root.get("width") == f"{wide:.6g}pt"
    scale = wide / float(root.get("viewBox", "").split()[2])
    sizes = re.findall(r"font(?:-size)?:[^;\"]*?([\d.]+)px", svg)
    assert sizes
    assert min(map(float, sizes)) * scale >= 5.999
    assert made.least_text >= 6


def test_both_sides_of_a_page_are_kept_in_every_format() -> None:
    made = of_kind("field", size="7inx3in")
    assert 'width="504pt" height="216pt"' in made.to_svg()
    assert b"/MediaBox [ 0 0 504 216 ]" in made.to_bytes("pdf")
    png = Image.open(io.BytesIO(made.to_bytes("png", dpi=100)))
    assert png.size == (700, 300)
    assert [round(dots) for dots in png.info["dpi"]] == [100, 100]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("7", "no size"),
        ("3.3 inches", "no size"),
        ("3inx3inx3in", "no size"),
        ("0.1in", "out of bounds"),
        ("7inx1000in", "out of bounds"),
        ("7inx0.5in", "does not fit"),
    ],
)
def test_pages_that_cannot_be(size: str, message: str) -> None:
    with pytest.raises(InspectError, match=message):
        of_kind("cumulative", size=size).to_bytes()


def test_the_command_says_where_letters_are_too_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for size in ("3.3in", "1.1in"):
        path = tmp_path / "stages.svg"
        assert run(["plot", "stages", "resnet18", "--size", size, "-o", str(path)]) == 0
        said.append(capsys.readouterr().err)
    assert said[0] == ""
    assert "letters are down to 2.0 pt" in said[1]


def test_file_names_stay_in_their_folder() -> None:
    made = replace(plot("zoo"), name="roofline-../../x\0[stem=deep]")
    assert made.file_name == "roofline-..-..-x-[stem=deep]"


def test_a_name_stays_a_name() -> None:
    name = "<b>&amp; $x^2$ \\frac"
    graph = layer_graph(zoo.spec("resnet20_cifar").with_changes({"name": name}))
    for kind in ("stages", "cumulative", "memory", "field"):
        shown = " ".join(texts(plot(kind, [graph, ri.graph("resnet18")]).to_svg()))
        assert name in shown


def luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
def test_contrast(theme: Any) -> None:
    assert contrast(theme.ink, theme.page) >= 7
    assert contrast(theme.ink, theme.band) >= 7
    assert contrast(theme.muted, theme.page) >= 4.5
    least = 4.5 if theme.name == "dark" else 3
    assert all(contrast(colour, theme.page) >= least for colour in theme.series)


# Machado, Oliveira and Fernandes 2009, full severity.
DEFICIENCIES = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                     (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                   (0.004733, 0.691367, 0.303900)),
}  # fmt: skip


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
def test_colours_stay_apart_for_the_colour_blind(theme: Any, deficiency: str) -> None:
    colours = dict.fromkeys(theme.series)
    assert len(colours) == (3 if theme.name == "print" else MOST)
    seen = [lab(simulated(colour, DEFICIENCIES[deficiency])) for colour in colours]
    for one, other in itertools.combinations(seen, 2):
        assert math.dist(one, other) > 25  # 2.3 can just be told apart side by side


def test_series_differ_without_colour() -> None:
    for looks in (MARKERS, DASHES, HATCHES):
        assert len(set(looks[:MOST])) == MOST


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def dot(one: Any, other: Any) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def simulated(colour: str, matrix: Any) -> list[float]:
    """The colour as it is seen, in linear sRGB."""
    return [min(1.0, max(0.0, dot(row, linear(colour)))) for row in matrix]


def lab(colour: list[float]) -> list[float]:
    """CIELAB of a colour in linear sRGB, under D65."""
    to_xyz = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750),
              (0.0193339, 0.1191920, 0.9503041))  # fmt: skip
    white = (0.95047, 1.0, 1.08883)
    xyz = [dot(row, colour) / part for row, part in zip(to_xyz, white, strict=True)]
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


@pytest.mark.parametrize(
    ("kind", "models", "settings", "message"),
    [
        ("stage", NAMES, {}, "did you mean stages"),
        ("stages", (), {}, "0 networks"),
        ("stages", ("resnet18",) * 8, {}, "takes 1 to 6"),
        ("zoo", NAMES, {}, "leave out 'resnet18'"),
        ("stages", NAMES, {"theme": "sepia"}, "choose from light, dark, print"),
    ],
)
def test_bad_input(
    kind: str, models: tuple[str, ...], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InspectError, match=message):
        plot(kind, [ri.graph(name) for name in models], **settings).to_bytes()


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(InspectError, match="no suffix of a known format"):
        of_kind("stages").write(tmp_path / "stages.gif")
    with pytest.raises(InspectError, match="cannot write"):
        of_kind("stages").write(tmp_path / "nowhere" / "stages.svg")
    assert list(tmp_path.iterdir()) == []


def test_memory_of_a_training_step() -> None:
    timeline = ri.memory_timeline("resnet18")
    plot = ri.plot("memory", "resnet18", train=True, batch=8)
    (axes,) = [axes for axes in drawn(plot).axes if axes.get_title()]
    assert axes.get_xlim()[1] == len(timeline.points) - 0.5
    (marked,) = [line for line in axes.lines if line.get_marker() == "v"]
    assert list(marked.get_ydata()) == [timeline.total(8) / 2**20]
    assert timeline.peak_at(8).layer in plot.alt
    with pytest.raises(InspectError, match="train and batch are for the plot 'memory'"):
        ri.plot("stages", "resnet18", train=True)
