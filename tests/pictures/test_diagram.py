"""Diagrams as DOT: what is drawn, over the whole zoo, and how it reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from math import prod
from operator import mul

import pygraphviz
import pytest
from families import one_of_each_family
from graphs import GraphBuilder
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs
from wirings import skipping

from resnet_inspect.counting.costs import Cost, total
from resnet_inspect.errors import InspectError, SpecError, UnknownNameError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import INPUT, LayerGraph
from resnet_inspect.networks.ops import Add, Conv2d, Op, ReLU, Scale, ZeroPad
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.single_block import block_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.wiring import Wiring, shortcut
from resnet_inspect.pictures.diagrams.cells import cells
from resnet_inspect.pictures.diagrams.diagram import block_diagram, diagram
from resnet_inspect.pictures.diagrams.heading import BOXES
from resnet_inspect.pictures.diagrams.scene import Brackets, Panel
from resnet_inspect.pictures.diagrams.sheet import Placed
from resnet_inspect.pictures.diagrams.style import DIRECTIONS, LEVELS
from resnet_inspect.pictures.diagrams.units import stages, units_of
from resnet_inspect.pictures.themes import THEMES
from resnet_inspect.tables.columns import compact


@cache
def named(name: str) -> LayerGraph:
    return layer_graph(zoo.spec(name))


@cache
def parsed(dot: str) -> pygraphviz.AGraph:
    """DOT as Graphviz reads it."""
    return pygraphviz.AGraph(string=dot)


@pytest.fixture(scope="module", autouse=True)
def _close_graphs() -> Iterator[None]:
    yield
    parsed.cache_clear()  # pygraphviz complains of graphs that outlive it


def of_class(graph: pygraphviz.AGraph, *words: str) -> list[pygraphviz.Node]:
    """Nodes that have all these words in their class."""
    return [node for node in graph.nodes() if set(words) <= set(node.attr["class"].split())]


def edges_of(graph: pygraphviz.AGraph, word: str) -> list[pygraphviz.Edge]:
    return [edge for edge in graph.edges() if word in (edge.attr["class"] or "").split()]


def expected_kind(graph: LayerGraph, block: str) -> str | None:
    """The kind of a block's shortcut, read off the core's own account of it.

    Where a gate takes the sum, its terms are drawn side by side.
    """
    bypass = shortcut(graph.block(block))
    merging = [layer.op for layer in graph.block(block).layers if type(layer.op) in (Add, Scale)]
    if bypass is None or isinstance(merging[-1], Scale):
        return None
    if not bypass:
        return "identity"
    if any(isinstance(layer.op, ZeroPad) for layer in bypass):
        return "padding"
    weighted = any(isinstance(layer.op, Conv2d) for layer in bypass)
    return "projection" if weighted else "identity"  # a norm alone projects nothing


def multiplicities(dot: str) -> dict[str, int]:
    """How many blocks each box stands for: the count of the frame that it is drawn in."""
    counts: dict[str, int] = {}

    def walk(part: pygraphviz.AGraph, times: int) -> None:
        label = part.graph_attr["label"] or ""
        inside = re.search(r"<B>× (\d+)</B>", label) if "network" not in str(part.name) else None
        times = int(inside[1]) if inside else times
        for node in part.nodes():
            counts[str(node)] = max(counts.get(str(node), 1), times)
        for inner in part.subgraphs():
            walk(inner, times)

    whole = parsed(dot)
    for part in whole.subgraphs():
        walk(part, 1)
    boxes = of_class(whole, "block")
    return {str(node): counts.get(str(node), 1) for node in boxes}


# --- the whole zoo -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", one_of_each_family())
def test_multiplicities_add_up_to_the_blocks(name: str) -> None:
    graph = named(name)
    counts = multiplicities(diagram(graph).dot)
    assert sum(counts.values()) == len(graph.blocks)
    runs = [run for stage in stages(graph) for run in stage.runs]
    assert sorted(counts.values()) == sorted(run.count for run in runs for _ in run.drawn)
    assert set(counts) <= {block.name for block in graph.blocks}


@pytest.mark.parametrize("name", one_of_each_family())
def test_every_shortcut_has_its_edge(name: str) -> None:
    graph = named(name)
    drawn = parsed(diagram(graph, expand=True).dot)
    assert {str(node) for node in of_class(drawn, "block")} == {b.name for b in graph.blocks}
    into = {str(edge[1]): edge.attr["class"] for edge in edges_of(drawn, "shortcut")}
    for block in graph.blocks:
        kind = expected_kind(graph, block.name)
        additions = [layer.name for layer in block.layers if isinstance(layer.op, Add)]
        if kind is not None:
            assert into.pop(additions[-1]) == f"shortcut {kind}"
    # What is left leads into projections and paddings, each on its way to an addition.
    assert set(into) == {str(node) for node in of_class(drawn, "via")}


@pytest.mark.parametrize("name", one_of_each_family())
def test_every_layer_has_its_box_and_every_input_its_edge(name: str) -> None:
    graph = named(name)
    drawn = parsed(diagram(graph, level="layer", expand=True).dot)
    forks = {str(node) for node in of_class(drawn, "fork")}
    boxes = {str(node) for node in drawn.nodes()} - forks
    assert boxes == {layer.name for layer in graph.layers} | {"input", "output"}
    fed = {fork: str(drawn.predecessors(fork)[0]) for fork in forks}
    edges = {
        (fed.get(str(tail), str(tail)), str(head))
        for tail, head in drawn.edges()
        if str(head) not in forks
    }
    wires = {(source, layer.name) for layer in graph.layers for source in layer.inputs}
    assert edges == wires | {(graph.output.name, "output")}


@pytest.mark.parametrize("name", one_of_each_family())
def test_stages_count_their_blocks_and_shortcuts(name: str) -> None:
    graph = named(name)
    (placed,) = diagram(graph, level="stage").sheet.placed
    drawn = {name: box for name, (box, _) in placed.boxes.items() if box.kind == "stage"}
    assert list(drawn) == [stage.name for stage in graph.stages]
    for stage, shown in zip(graph.stages, stages(graph), strict=True):
        lines = drawn[stage.name].lines
        kinds = Counter(
            kind for block in stage.blocks if (kind := expected_kind(graph, block.name))
        )
        panels = [line for line in lines if isinstance(line, Panel)]
        told = [words for panel in panels for _, words in map(tuple, panel.lines)]
        counts = [re.match(r" (\d+) × ", text.words) for text in told]
        assert sum(int(count[1]) if count else 1 for count in counts) == kinds.total()
        if stage.name not in ("stem", "head"):
            brackets = [line.count for line in lines if isinstance(line, Brackets)]
            paired = [len(run.drawn) for run in shown.runs]
            assert sum(map(mul, brackets, paired)) == len(stage.blocks)


@given(specs())
def test_any_network_is_drawn_whole(spec: ResNetSpec) -> None:
    graph = layer_graph(spec)
    assert sum(multiplicities(diagram(graph).dot).values()) == len(graph.blocks)
    layers = parsed(diagram(graph, level="layer", expand=True, direction="LR").dot)
    assert {layer.name for layer in graph.layers} <= {str(node) for node in layers.nodes()}
    own = graph.blocks if spec.shortcut != "none" else ()  # branches may be added all the same
    kinds = Counter(expected_kind(graph, block.name) for block in own)
    joined = Counter(
        edge.attr["class"].split()[1]
        for edge in edges_of(layers, "shortcut")
        if isinstance(graph.by_name[str(edge[1])].op, Add)
    )
    del kinds[None]
    assert joined == kinds


# --- wiring that is no ResNet's ----------------------------------------------------------------


def flat(graph: LayerGraph) -> LayerGraph:
    """The same layers with nobody having marked blocks: one stage of one block."""
    net = GraphBuilder(graph.name, graph.input_shape)
    wires = {INPUT: net.input}
    for layer in graph.layers:
        inputs = [wires[name] for name in layer.inputs]
        wires[layer.name] = net.add(layer.op, *inputs, name=layer.name, path=layer.path)
    net.end_block("all", "", "Net")
    net.end_stage("all", "")
    return net.graph()


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet50", "seresnet50", "resnetv2_50", "resnet20_cifar", "resnet50d"]
)
def test_a_network_without_blocks_is_cut_at_its_additions(name: str) -> None:
    graph = named(name)
    alone = flat(graph)
    (stage,) = stages(alone, expand=True)
    assert [layer for unit in stage.units for layer in unit.layers] == list(alone.layers)
    kinds = [cut.kind for unit in stage.units for cut in unit.shortcuts]
    assert kinds == [k for block in graph.blocks if (k := expected_kind(graph, block.name))]
    drawn = parsed(diagram(alone).dot)
    additions = of_class(drawn, "addition")
    repeated = sum(run.count * len(run.drawn) for run in stages(alone)[0].runs)
    assert repeated == len(list(stage.units))
    assert len(additions) < len(kinds)  # repeats are found without blocks, too


def test_branches_belong_to_the_one_input_that_needs_them() -> None:
    graph = skipping()
    wiring = Wiring(graph.layers)
    alone = wiring.branches(graph.layer("b.add"))
    assert [[layer.name for layer in side] for side in alone] == [
        ["b.left", "b.norm"],
        ["b.right", "b.inner"],
    ]
    (inner,) = wiring.shortcuts(graph.layer("b.inner"))
    assert (inner.kind, inner.source, inner.layers) == ("identity", "a.conv", ())
    (far,) = wiring.shortcuts(graph.layer("c.add"))
    assert (far.kind, far.source) == ("identity", "a.conv")


def test_the_residual_is_found_whichever_operand_it_is() -> None:
    net = GraphBuilder("swapped", (8, 16, 16))
    conv = Conv2d(8, 8, (3, 3), padding=(1, 1))
    start = net.add(ReLU(), net.input, name="start")
    net.add(Add(), start, net.add(conv, start, name="conv"), name="add")
    net.end_block("block", "block", "Block")
    net.end_stage("stage", "stage")
    graph = net.graph()
    (cut,) = Wiring(graph.layers).shortcuts(graph.layer("add"))
    assert (cut.source, cut.end, cut.layers) == ("start", "start", ())
    drawn = parsed(diagram(graph, level="layer").dot)
    assert [(str(t), str(h)) for t, h in edges_of(drawn, "shortcut")] == [("block/fork", "add")]
    assert drawn.has_edge("start", "block/fork")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_odd_wiring_is_drawn_with_all_its_edges(level: str, direction: str) -> None:
    drawn = diagram(skipping(), level=level, direction=direction)
    assert drawn.render("svg")
    if level == "layer":
        pairs = {
            (str(tail).removesuffix("/fork"), str(head)) for tail, head in parsed(drawn.dot).edges()
        }
        assert ("b.inner", "b.add") in pairs
        assert ("a.conv", "c.add") in pairs
    if level == "block":
        graph = parsed(drawn.dot)
        assert {str(head) for _, head in edges_of(graph, "shortcut")} >= {"b.add", "c.add"}


def test_a_layer_that_another_block_taps_keeps_its_block_apart() -> None:
    net = GraphBuilder("tapped", (8, 16, 16))
    conv = Conv2d(8, 8, (3, 3), padding=(1, 1))
    wire, kept = net.input, None
    for at in range(4):
        wire = net.add(conv, wire, name=f"{at}.conv")
        kept = wire if at == 1 else kept
        wire = net.add(ReLU(), wire, name=f"{at}.relu")
        net.end_block(str(at), str(at), "Plain")
    assert kept is not None
    net.add(Add(), wire, kept, name="join")
    net.end_block("join", "join", "Join")
    net.end_stage("all", "")
    (stage,) = stages(net.graph())
    assert [[run.drawn[0].name, run.count] for run in stage.runs] == [
        ["0", 1],
        ["1", 1],
        ["2", 2],
        ["join", 1],
    ]


def test_blocks_that_take_turns_are_joined_in_turn() -> None:
    net = GraphBuilder("turns", (8, 16, 16))
    wire = net.input
    for at in range(6):
        side = 3 if at % 2 else 1
        wire = net.add(Conv2d(8, 8, (side, side), padding=(side // 2,) * 2), wire, name=f"{at}")
        net.end_block(str(at), str(at), "Plain")
    net.end_stage("all", "")
    (stage,) = stages(net.graph())
    assert [(len(run.drawn), run.count) for run in stage.runs] == [(2, 3)]
    for level in LEVELS:
        assert "× 3" in diagram(net.graph(), level=level).dot


def test_unit_names_are_unique() -> None:
    alone = flat(named("resnet50"))
    names = [unit.name for unit in units_of(alone.blocks[0], Wiring(alone.layers))]
    assert len(set(names)) == len(names)


# --- blocks by themselves ----------------------------------------------------------------------

VARIANTS: dict[str, dict[str, object]] = {
    "identity": {},
    "projection": {"stride": 2},
    "padding": {"stride": 2, "shortcut": "A"},
    "option C": {"shortcut": "C"},
    "option D": {"stride": 2, "shortcut": "D"},
    "plain": {"shortcut": "none"},
    "pre-activation": {"order": "pre"},
    "pre-activation, projection": {"order": "pre", "stride": 2},
    "squeeze-and-excitation": {"se_reduction": 16},
}


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_a_block_shows_its_arithmetic(kind: str, changes: dict[str, object]) -> None:
    graph = block_graph(kind, **changes)  # type: ignore[arg-type]
    dot = block_diagram(kind, **changes).dot  # type: ignore[arg-type]
    ops = [layer.op for layer in graph.layers if isinstance(layer.op, Conv2d)]
    sums = re.findall(r">([\d×]+) = ([\d,]+)<", dot)
    for factors, result in sums:
        assert prod(map(int, factors.split("×"))) == int(result.replace(",", ""))
    results = [int(result.replace(",", "")) for _, result in sums]
    assert sorted(results) == sorted(op.weights for op in ops)
    total = f"= {sum(op.weights for op in ops):,} weights"
    assert total in dot
    kind_drawn = {edge.attr["class"] for edge in edges_of(parsed(dot), "shortcut")}
    expected = expected_kind(graph, graph.blocks[0].name)
    assert kind_drawn == ({f"shortcut {expected}"} if expected else set())


def test_figure_5() -> None:
    basic, bottleneck = block_graph("basic"), block_graph("bottleneck")
    assert (basic.input_shape, bottleneck.input_shape) == ((64, 56, 56), (256, 56, 56))
    dot = block_diagram("basic", "bottleneck").dot
    assert "36,864 + 36,864 = 73,728 weights" in dot
    assert "16,384 + 36,864 + 16,384 = 69,632 weights" in dot


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_a_block_alone_is_the_block_of_a_network(kind: str, stride: int) -> None:
    """Layers equal those of ResNet-18's or 50's second stage, names without their path."""
    whole = named("resnet18" if kind == "basic" else "resnet50")
    block = whole.block("layer2.0" if stride == 2 else "layer2.1")
    entering, height, width = block.layers[0].input_shapes[0]
    alone = block_graph(
        kind, block.output.output_shape[0], (height, width), entering=entering, stride=stride
    )
    assert [layer.op for layer in alone.layers] == [layer.op for layer in block.layers]
    assert [layer.output_shape for layer in alone.layers] == [
        layer.output_shape for layer in block.layers
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("bottlenek",), UnknownNameError, "did you mean bottleneck"),
        (("bottleneck", 250), SpecError, "multiple of 4"),
        (("basic", 64, 56, {"order": "sideways"}), UnknownNameError, "sideways"),
    ],
)
def test_blocks_that_cannot_be(
    arguments: tuple[object, ...], error: type[InspectError], words: str
) -> None:
    *given_, last = arguments
    changes = last if isinstance(last, dict) else {}
    positional = given_ if isinstance(last, dict) else arguments
    with pytest.raises(error, match=words):
        block_graph(*positional, **changes)  # type: ignore[arg-type]


# --- what is said ------------------------------------------------------------------------------


def test_numbers_stand_in_boxes_and_totals_above() -> None:
    dot = diagram(named("resnet50")).dot
    assert "25,557,032 parameters" in dot
    assert "4,089,184,256 MACs at 3×224×224" in dot
    box = parsed(dot).get_node("layer2.0")
    assert "1×1, 128 → 3×3, 128, /2 → 1×1, 512" in box.attr["label"]
    assert "layer2.0 · 379 K params · 373 M MACs" in box.attr["label"]
    assert "Parameters: 379,392" in box.attr["tooltip"]
    shapes = {edge.attr["label"] for edge in parsed(dot).edges() if edge.attr["label"]}
    assert shapes == {
        "64×56×56", "256×56×56", "512×28×28", "1024×14×14", "2048×7×7",
    }  # fmt: skip


def test_a_tooltip_is_the_layers_row() -> None:
    dot = diagram(named("resnet18"), level="layer").dot
    assert parsed(dot).get_node("layer2.0.conv1").attr["tooltip"].split("\\n") == [
        "layer2.0.conv1",
        "Operation: 3x3/2",
        "Input: 64x56x56",
        "Output: 128x28x28",
        "Parameters: 73,728",
        "MACs: 57,802,752",
        "of MACs: 3.2%",
        "FLOPs: 115,605,504",
        "Activations: 100,352",
        "Traffic: 1.4 MiB",
        "FLOPs/byte: 77.11",
        "Field: 51",
        "F. stride: 8",
    ]


@pytest.mark.parametrize("by", ["macs", "params", "activations"])
@pytest.mark.parametrize("level", LEVELS)
def test_a_heat_map_is_darkest_where_there_is_most(by: str, level: str) -> None:
    graph = named("resnet34")
    dot = diagram(graph, level=level, color_by=by).dot
    theme = THEMES["light"]
    fills = {str(node): node.attr["fillcolor"] for node in of_class(parsed(dot), level)}
    hottest = [name for name, fill in fills.items() if fill == theme.ramp[-1]]
    field = {"macs": "macs", "params": "params", "activations": "written"}[by]
    costs = {
        name: getattr(spent, field) for name, spent in _costs(graph, level).items() if name in fills
    }
    assert hottest
    assert {costs[name] for name in hottest} == {max(costs.values())}
    assert f"in a {BOXES[level]}" in dot


def _costs(graph: LayerGraph, level: str) -> dict[str, Cost]:
    if level == "conv":
        readers = Wiring(graph.layers).readers
        units = (unit for stage in stages(graph) for unit in stage.units)
        found = (cell for unit in units for cell in cells(unit, level, readers))
        return {cell.name: total(cell.layers) for cell in found}
    if level == "layer":
        return {layer.name: total([layer]) for layer in graph.layers}
    if level == "block":
        return {block.name: total(block.layers) for block in graph.blocks}
    return {stage.name: total(stage.layers) for stage in graph.stages}


def test_uncounted_layers_make_totals_lower_bounds() -> None:
    class Unknown(Op):
        """No rule of costs knows it."""

    net = GraphBuilder("odd", (8, 4, 4))
    net.add(Unknown(), net.add(ReLU(), net.input, name="known"), name="unknown")
    net.end_block("block", "block", "Block")
    net.end_stage("stage", "stage")
    dot = diagram(net.graph(), level="layer").dot
    assert "at least 0 MACs" in dot
    assert "0+ ? MACs" in parsed(dot).get_node("unknown").attr["label"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"), (999, "999"), (1000, "1.00 K"), (9994, "9.99 K"), (9995, "10.0 K"),
        (99949, "99.9 K"), (99951, "100 K"), (999499, "999 K"), (999500, "1.00 M"),
        (4089184256, "4.09 G"), (7 * 10**15, "7000 T"),
    ],
)  # fmt: skip
def test_compact_counts(count: int, shown: str) -> None:
    assert compact(count) == shown


def test_gates_are_drawn_beside_the_main_path() -> None:
    drawn = parsed(diagram(named("seresnet50"), level="layer", expand=True).dot)
    gatings = of_class(drawn, "gating")
    scales = [layer for layer in named("seresnet50").layers if isinstance(layer.op, Scale)]
    assert [str(node) for node in gatings] == [layer.name for layer in scales]
    into = {str(head) for _, head in edges_of(drawn, "gate")}
    assert {layer.name for layer in scales} <= into


# --- side by side ------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "names",
    [("plain34", "resnet34"), ("resnet34", "resnet50"), ("resnet18", "resnet34", "resnet50")],
)
def test_stages_stand_side_by_side(names: Sequence[str], level: str, direction: str) -> None:
    made = diagram(*(named(name) for name in names), level=level, direction=direction)
    starts = [list(stage_starts(placed, made.sheet.scene.down)) for placed in made.sheet.placed]
    assert len(starts[0]) == 4
    for aligned in zip(*starts, strict=True):
        assert max(aligned) - min(aligned) < 0.01
    # The first stands to the left, or on top.
    across = [
        placed.rect.left if direction == "TB" else placed.rect.top for placed in made.sheet.placed
    ]
    assert across == sorted(across)


def stage_starts(placed: Placed, down: bool) -> Iterator[float]:
    """Where the four stages of a network start."""
    rects = {name: framed.rect for name, framed in placed.frames.items()}
    rects |= {name: rect for name, (_, rect) in placed.boxes.items()}
    for number in range(1, 5):
        rect = rects.get(f"layer{number}/stage") or rects[f"layer{number}"]
        yield rect.top if down else rect.left


@pytest.mark.parametrize("expand", [False, True])
def test_figure_3_stands_on_one_grid(expand: bool) -> None:
    """VGG-19's stages are not those of ResNets, so the sizes of what is put out align them."""
    graphs = [named(name) for name in ("vgg19", "plain34", "resnet34")]
    made = diagram(*graphs, level="conv", expand=expand)
    tops = [{name: framed.rect.top for name, framed in p.frames.items()} for p in made.sheet.placed]
    for vgg, resnet in ((4, 2), (5, 3)):
        starts = [tops[0][f"stage{vgg}/stage"], *(own[f"layer{resnet}/stage"] for own in tops[1:])]
        assert max(starts) - min(starts) < 0.01


def test_networks_of_different_numbers_of_stages_align_by_name() -> None:
    made = diagram(named("resnet20_cifar"), named("resnet18"))
    first, second = made.sheet.placed
    for name in ("layer1", "layer2", "layer3"):
        frames = [placed.frames[f"{name}/stage"].rect.top for placed in (first, second)]
        assert max(frames) - min(frames) < 0.01


# --- choices that cannot be --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"level": "blok"}, "unknown level 'blok'; did you mean block"),
        ({"direction": "up"}, "unknown direction 'up'"),
        ({"theme": "drak"}, "unknown theme 'drak'; did you mean dark"),
        ({"color_by": "flops"}, "unknown colouring 'flops'"),
    ],
)
def test_unknown_words_name_the_nearest(choice: dict[str, str], words: str) -> None:
    with pytest.raises(UnknownNameError, match=re.escape(words)):
        diagram(named("resnet18"), **choice)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 7])
def test_one_to_six_networks(count: int) -> None:
    with pytest.raises(InspectError, match=f"{count} networks in one diagram; give 1 to 6"):
        diagram(*[named("resnet18")] * count)


# --- names ---------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_the_dot_of_any_name_is_read_back(name: str) -> None:
    graph = layer_graph(zoo.spec("resnet18").with_changes({"name": name}))
    boxes = of_class(parsed(diagram(graph).dot), "block")
    assert len(boxes) == sum(len(stage.runs) for stage in stages(graph))
