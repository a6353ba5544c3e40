"""What pictures show, before anything has its place: every edge of a network and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from families import one_of_each_family
from graphs import GraphBuilder
from hypothesis import given
from outlines import outline, words
from strategies import specs
from wirings import branching, skipping, two_of_all

from resnet_inspect.networks import zoo
from resnet_inspect.networks.alignment import align
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Add, Conv2d, ReLU
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.torch_ops import Concat, View
from resnet_inspect.networks.wiring import Wiring
from resnet_inspect.pictures.diagrams.arrange import boxes
from resnet_inspect.pictures.diagrams.cells import cells
from resnet_inspect.pictures.diagrams.compose import scene
from resnet_inspect.pictures.diagrams.diagram import block_diagram, diff_diagram
from resnet_inspect.pictures.diagrams.fills import CHANGE
from resnet_inspect.pictures.diagrams.scene import (
    Box,
    Drawing,
    Group,
    Line,
    Part,
    Scene,
)
from resnet_inspect.pictures.diagrams.style import LEVELS, SMALL, Style
from resnet_inspect.pictures.diagrams.units import stages
from resnet_inspect.pictures.themes import THEMES


def drawn(*graphs: LayerGraph, level: str = "block", **choices: object) -> Scene:
    look = {"direction": "TB", "theme": THEMES["light"], "color_by": "stage", **choices}
    return scene(graphs, Style(level, **look))  # type: ignore[arg-type]


def named(name: str) -> LayerGraph:
    return layer_graph(zoo.spec(name))


def said(drawing: Drawing) -> dict[str, list[str]]:
    """What each box of a network says."""
    return {box.name: [words(line) for line in box.lines] for box in boxes(drawing.root)}


def groups(part: Part) -> Iterator[Group]:
    if isinstance(part, Group):
        yield part
        for inner in part.parts:
            yield from groups(inner)


def check(drawing: Drawing) -> None:
    """Names are unique, edges have their ends, and every box has an edge."""
    names = [box.name for box in boxes(drawing.root)]
    assert len(set(names)) == len(names)
    inner = [group.name for group in groups(drawing.root)]
    assert len(set(inner)) == len(inner)
    ends = [(edge.tail, edge.head) for edge in drawing.edges]
    assert len(set(ends)) == len(ends)
    assert {name for pair in ends for name in pair} == set(names)


def wires(drawing: Drawing) -> set[tuple[str, str]]:
    """The edges of a picture, those through a fork as one."""
    forks = {box.name for box in boxes(drawing.root) if box.look == "fork"}
    fed = {edge.head: edge.tail for edge in drawing.edges if edge.head in forks}
    return {
        (fed.get(edge.tail, edge.tail), edge.head)
        for edge in drawing.edges
        if edge.head not in forks
    }


def expected(graph: LayerGraph, level: str) -> set[tuple[str, str]]:
    """The edges between boxes that a network's own edges make, ends aside."""
    readers = Wiring(graph.layers).readers
    holds: dict[str, str] = {}
    if level == "stage":
        holds = {layer.name: stage.name for stage in graph.stages for layer in stage.layers}
    else:
        for stage in stages(graph, expand=True):
            for unit in stage.units:
                for cell in cells(unit, level, readers):
                    holds |= {layer.name: cell.name for layer in cell.layers}

    def holder(name: str) -> str:
        while name in graph.by_name and name not in holds:  # a shortcut's line stands for it
            name = graph.by_name[name].inputs[0]
        return holds.get(name, name)

    pairs = {
        (holder(source), holds[layer.name])
        for layer in graph.layers
        if layer.name in holds
        for source in layer.inputs
    }
    return {(tail, head) for tail, head in pairs if tail != head}


def check_edges(graph: LayerGraph, level: str) -> None:
    (drawing,) = drawn(graph, level=level, expand=True).drawings
    check(drawing)
    ends = {box.name for box in boxes(drawing.root) if box.kind in ("output", "unused")}
    assert {pair for pair in wires(drawing) if pair[1] not in ends} == expected(graph, level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", one_of_each_family())
def test_every_edge_is_drawn_and_no_other(name: str, level: str) -> None:
    check_edges(named(name), level)


@pytest.mark.parametrize("level", LEVELS)
@given(graph=branching())
def test_every_edge_is_drawn_however_layers_branch(level: str, graph: LayerGraph) -> None:
    check_edges(graph, level)
    (drawing,) = drawn(graph, level=level).drawings
    check(drawing)


@pytest.mark.parametrize("level", LEVELS)
@given(specs())
def test_every_edge_of_any_spec_is_drawn(level: str, spec: ResNetSpec) -> None:
    check_edges(layer_graph(spec), level)


@pytest.mark.parametrize("level", LEVELS)
def test_every_edge_of_a_sum_of_three_terms_is_drawn(level: str) -> None:
    check_edges(skipping(), level)


@pytest.mark.parametrize("level", LEVELS)
def test_inputs_outputs_and_dead_ends_have_their_edges(level: str) -> None:
    (drawing,) = drawn(two_of_all(), level=level).drawings
    check(drawing)
    kinds = [box.kind for box in boxes(drawing.root)]
    assert (kinds.count("input"), kinds.count("output"), kinds.count("unused")) == (2, 2, 1)


# --- convolutions --------------------------------------------------------------------------------


def test_figure_3_is_a_row_of_convolutions() -> None:
    plain, residual = drawn(named("plain34"), named("resnet34"), level="conv", expand=True).drawings
    for drawing in (plain, residual):
        rows = [line[0] for line in said(drawing).values() if line and " conv, " in line[0]]
        assert len(rows) == 33
        assert rows[0].startswith("7×7 conv, 64, /2")
        assert sum(row.startswith("3×3 conv, 128, /2") for row in rows) == 1
    strokes = [edge.stroke for edge in residual.edges if edge.way == "shortcut"]
    assert strokes.count("identity") == 13
    assert strokes.count("projection") == 2 * 3  # into the projection, and out of it
    assert not [edge for edge in plain.edges if edge.way == "shortcut"]


def counted(part: Part, times: int = 1) -> Counter[tuple[str, ...]]:
    """What boxes say and how often, as often as the frames around them count."""
    if isinstance(part, Box):
        return Counter({(part.kind, *map(words, part.lines)): times * (part.look != "fork")})
    (title,) = (part.frame.title if part.frame else ()) or ((),)
    said = words(title)
    times *= int(said.rpartition("× ")[2]) if part.frame and part.frame.kind == "repeat" else 1
    return sum((counted(inner, times) for inner in part.parts), Counter())


def check_counts(graph: LayerGraph) -> int:
    """That a picture counts out to the one in which all is drawn; how many boxes it saves."""
    (folded,), (whole,) = (
        drawn(graph, level="conv", expand=expand).drawings for expand in (False, True)
    )
    check(folded)
    assert counted(folded.root) == counted(whole.root)
    return len([*boxes(whole.root)]) - len([*boxes(folded.root)])


@pytest.mark.parametrize("name", one_of_each_family())
def test_what_is_drawn_once_is_counted(name: str) -> None:
    check_counts(named(name))


def side_by_side(count: int, odd: int = 0, returned: bool = False) -> LayerGraph:
    """As many pieces of a tensor, each with a convolution, the last ones with another kernel."""
    net = GraphBuilder("branches", (8, 8, 8))
    start = net.add(Conv2d(8, 8, (1, 1)), net.input, name="start")
    ends = []
    for at in range(count):
        places = ((0, at, 1), (1, 0, 1), (2, 0, 1))
        piece = net.add(View("narrow", (1, 8, 8), places), start, name=f"piece{at}")
        side = 3 if at < count - odd else 5
        conv = Conv2d(1, 1, (side, side), padding=(side // 2, side // 2))
        ends.append(net.add(ReLU(), net.add(conv, piece, name=f"conv{at}"), name=f"relu{at}"))
    net.add(Concat(), *ends, name="cat")
    net.end_block("all", "", "Some")
    net.end_stage("all", "")
    graph = net.graph()
    return replace(graph, returned=("relu1", "cat")) if returned else graph


@pytest.mark.parametrize(
    ("graph", "saved"),
    [
        pytest.param(side_by_side(8), 7, id="alike"),
        pytest.param(side_by_side(8, odd=1), 6, id="another"),
        pytest.param(side_by_side(8, odd=3), 4 + 2, id="two kinds"),
        pytest.param(side_by_side(8, returned=True), 6, id="one is returned"),
        pytest.param(side_by_side(3), 0, id="few"),
    ],
)
def test_many_branches_that_do_the_same_are_drawn_once(graph: LayerGraph, saved: int) -> None:
    assert check_counts(graph) == saved


def gated() -> LayerGraph:
    """Two halves of a tensor, of which one scales the other; a slice of a slice at last."""
    net = GraphBuilder("gated", (8, 8, 8))
    start = net.add(Conv2d(8, 8, (1, 1)), net.input, name="start")
    halves = [
        net.add(View("chunk", (4, 8, 8), ((0, at, 1), (1, 0, 1), (2, 0, 1))), start, name=name)
        for at, name in ((0, "left"), (4, "right"))
    ]
    both = net.add(Add(), *halves, name="both")
    two = net.add(View("narrow", (2, 8, 8)), both, name="two")
    one = net.add(View("narrow", (1, 8, 8)), two, name="one")
    net.add(Conv2d(1, 1, (3, 3)), one, name="end")
    net.end_block("all", "", "Some")
    net.end_stage("all", "")
    return net.graph()


def test_a_slice_is_a_line_where_one_box_takes_one_slice() -> None:
    (drawing,) = drawn(side_by_side(3), level="conv").drawings
    check_edges(side_by_side(3), "conv")
    notes = {edge.head: edge.note for edge in drawing.edges if edge.tail == "start"}
    assert notes == dict.fromkeys(["conv0", "conv1", "conv2"], "1×8×8 of 8×8×8")
    check_edges(gated(), "conv")
    (drawing,) = drawn(gated(), level="conv").drawings
    names = [box.name for box in boxes(drawing.root) if not box.kind.endswith("put")]
    assert names == ["start", "left", "right", "both", "two", "end"]


def test_a_gate_of_several_branches_says_its_widths_after_their_sum() -> None:
    (drawing,) = drawn(named("skresnet18"), level="conv").drawings
    lines = said(drawing)
    assert lines["layer1.0.conv1.add1/gate"] == ["+"]
    assert lines["layer1.0.conv1.attn.squeeze/gate"] == ["gate 64 → 16 → 128"]
    gates = {edge.head for edge in drawing.edges if edge.tail == "layer1.0.conv1.attn.squeeze/gate"}
    assert gates == {"layer1.0.conv1.scale1", "layer1.0.conv1.scale2"}


def test_sizes_stand_at_the_side_once() -> None:
    made = drawn(named("plain34"), named("resnet50"), level="conv")
    sizes = ["112×112", "56×56", "28×28", "14×14", "7×7", "1×1"]
    assert list(made.sides) == sizes
    for drawing in made.drawings:
        keys = [group.align for group in groups(drawing.root) if group.align]
        assert keys == [*sizes[:2], "stage 1", *sizes[2:]]  # conv2_x keeps the size of the pool
    assert not [edge.label for drawing in made.drawings for edge in drawing.edges if edge.label]


def test_preactivation_is_said_in_its_order() -> None:
    (drawing,) = drawn(named("resnetv2_50"), level="conv").drawings
    lines = said(drawing)
    assert lines["layer1.0.bn1"][0].startswith("BN ReLU")
    assert lines["layer1.0.conv1"][0].startswith("1×1 conv, 64")
    assert lines["layer1.1.conv2"][0].startswith("BN ReLU 3×3 conv, 64")
    (blocks,) = drawn(named("resnetv2_50")).drawings
    assert said(blocks)["layer1.1"][:3] == [
        "BN ReLU 1×1 conv, 64",
        "BN ReLU 3×3 conv, 64",
        "BN ReLU 1×1 conv, 256",
    ]
    assert said(blocks)["layer1.0/lead"] == ["BN ReLU"]
    assert said(blocks)["head"][0] == "BN ReLU global average pool"


def test_a_shortcut_leaves_behind_what_it_takes() -> None:
    """A projection of a pre-activation block takes what norm and activation give (He 2016)."""
    (drawing,) = drawn(named("resnetv2_50")).drawings
    leaving = {edge.tail for edge in drawing.edges if edge.stroke == "projection"}
    (behind,) = {edge.tail for edge in drawing.edges if edge.head == "layer2.0/fork"}
    assert "layer2.0/fork" in leaving
    assert behind == "layer2.0/lead"


# --- what became of boxes ------------------------------------------------------------------------


def changed(before: LayerGraph, after: LayerGraph, level: str) -> list[dict[str, list[str]]]:
    """What the boxes of each network that are filled as changed say of that."""
    look = Style(level, "TB", THEMES["light"], CHANGE, pairs=align(before, after))
    fill = THEMES["light"].changes["changed"]
    return [
        {
            box.name: [words(line) for line in box.lines if heavy_and_small(line)]
            for box in boxes(drawing.root)
            if box.fill == fill
        }
        for drawing in scene((before, after), look).drawings
    ]


def heavy_and_small(line: Line) -> bool:
    return isinstance(line, tuple) and all(text.heavy and text.size == SMALL for text in line)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "after",
    [
        "resnet50_v1", "resnet50d", "seresnet50", "resnetv2_50", "wide_resnet50_2",
        "resnext50_32x4d", "resnet34",
    ],
)  # fmt: skip
def test_a_box_that_changed_says_how_the_same_on_both_sides(after: str, level: str) -> None:
    before, later = changed(named("resnet50"), named(after), level)
    assert before or after == "seresnet50"  # whose gates have boxes of their own
    for name, said in (before | later).items():
        assert said or name.endswith(".add"), name  # a sign has no room
    for name in before.keys() & later.keys():
        assert before[name] == later[name], name


@pytest.mark.parametrize(
    ("after", "box", "said"),
    [
        ("resnet50_v1", "layer2.0", ["stride 3×3 → 1×1"]),
        ("seresnet50", "layer1.1", ["gate added"]),
        ("resnetv2_50", "layer1.1", ["norm moved"]),
        ("wide_resnet50_2", "layer3.1", ["channels 256 → 512"]),
        ("resnext50_32x4d", "layer1.1", ["channels 64 → 128", "groups 1 → 32"]),
    ],
)
def test_what_became_of_a_block(after: str, box: str, said: list[str]) -> None:
    for side in changed(named("resnet50"), named(after), "block"):
        assert side[box] == said


# --- a block in the words of the paper -----------------------------------------------------------


def test_figure_2() -> None:
    (drawing,) = block_diagram("basic", labels="paper").sheet.scene.drawings
    assert [lines for lines in said(drawing).values() if lines] == [
        ["input 64×56×56"], ["weight layer"], ["relu"], ["weight layer"], ["+"], ["relu"],
        ["output 64×56×56"],
    ]  # fmt: skip
    labels = [edge.label for edge in drawing.edges if edge.label]
    assert labels == ["x", "F(x)", "F(x) + x"]
    assert [edge.caption for edge in drawing.edges if edge.caption] == ["identity"]


@pytest.mark.parametrize(
    ("changes", "caption", "total"),
    [
        ({"stride": 2}, "Wx", "F(x) + Wx"),
        ({"stride": 2, "shortcut": "A"}, "", "F(x) + x"),
        ({"order": "pre"}, "identity", "F(x) + x"),
        ({"shortcut": "none"}, "", ""),
    ],
)
def test_what_a_block_adds(changes: dict[str, Any], caption: str, total: str) -> None:
    """A projection is Ws x (equation 2), zero padding adds nothing to x."""
    (drawing,) = block_diagram("basic", **changes).sheet.scene.drawings
    assert "".join(edge.caption for edge in drawing.edges) == caption
    assert total in [edge.label for edge in drawing.edges] or not total
    assert any(edge.label == "F(x)" for edge in drawing.edges) == bool(total)


def test_names_of_the_paper() -> None:
    (drawing,) = drawn(named("resnet34"), names="paper").drawings
    titles = [words(each.frame.title[0]) for each in groups(drawing.root) if each.frame]
    assert [title.split()[0] for title in titles if title.startswith("conv")] == [
        "conv2_x", "conv3_x", "conv4_x", "conv5_x"
    ]  # fmt: skip
    assert said(drawing)["layer2.0"][-1].startswith("conv3_1 · ")


def test_stages_that_no_module_is_are_called_by_their_blocks() -> None:
    net = GraphBuilder("made up", (8, 16, 16))
    wire = net.input
    for name in ("stem", "features.pool1", "features.mixed2", "features.pool3"):
        wire = net.add(Conv2d(8, 8, (1, 1)), wire, name=f"{name}.conv")
        net.end_block(name, name, "Conv")
        if not name.endswith("1"):
            net.end_stage("stage1" if name.endswith("2") else name, "")
    (drawing,) = drawn(net.graph(), expand=True).drawings
    titles = [words(each.frame.title[0]) for each in groups(drawing.root) if each.frame]
    assert titles[1:] == ["stage1  features.pool1 to mixed2", "features.pool3  1 block"]


# --- golden files --------------------------------------------------------------------------------

CASES = {
    "resnet18-expanded": lambda: drawn(named("resnet18"), expand=True),
    "resnet34-stage": lambda: drawn(named("resnet34"), level="stage"),
    "resnet50": lambda: drawn(named("resnet50")),
    "resnet152": lambda: drawn(named("resnet152")),
    "resnet1202": lambda: drawn(named("resnet1202_cifar")),
    "resnet20-layer": lambda: drawn(named("resnet20_cifar"), level="layer", color_by="op"),
    "seresnet50-heat-dark": lambda: drawn(
        named("seresnet50"), color_by="macs", theme=THEMES["dark"]
    ),
    "seresnet18-conv": lambda: drawn(named("seresnet18"), level="conv"),
    "resnetv2_50-print-right": lambda: drawn(
        named("resnetv2_50"), direction="LR", theme=THEMES["print"]
    ),
    "resnet50d-stage-heat": lambda: drawn(
        named("resnet50d"), level="stage", color_by="params", names="paper"
    ),
    "plain34-resnet34": lambda: drawn(named("plain34"), named("resnet34")),
    "figure3": lambda: drawn(*map(named, ("vgg19", "plain34", "resnet34")), level="conv"),
    "figure5": lambda: block_diagram("basic", "bottleneck").sheet.scene,
    "figure2": lambda: block_diagram("basic", labels="paper").sheet.scene,
    "block-d-se": lambda: (
        block_diagram("bottleneck", stride=2, shortcut="D", se_reduction=16).sheet.scene
    ),
    "resnet50-resnetv2_50": lambda: (
        diff_diagram(named("resnet50"), named("resnetv2_50")).sheet.scene
    ),
    "branching-layer": lambda: drawn(skipping(), level="layer"),
}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, golden: Callable[[str, str], None]) -> None:
    golden(f"diagram/{case}.txt", outline(CASES[case]()))
