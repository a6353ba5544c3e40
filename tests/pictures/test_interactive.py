"""The page of a diagram: what it holds, and what somebody can do with it in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browsing
import pytest
from graphs import GraphBuilder
from hypothesis import given, settings
from wirings import branching

import resnet_inspect as ri
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Add, Conv2d, Linear, ReLU
from resnet_inspect.pictures.diagrams.interactive.data import network
from resnet_inspect.pictures.diagrams.interactive.page import html
from resnet_inspect.pictures.diagrams.style import Style
from resnet_inspect.pictures.themes import THEMES
from resnet_inspect.tables.columns import show
from resnet_inspect.tables.network import METRICS, table

# What the page holds.


def layers_of(item: Any) -> Iterator[int]:
    """The layers of a part, an item or a list of them, in running order."""
    if isinstance(item, int):
        yield item
    elif isinstance(item, list):
        for each in item:
            yield from layers_of(each)
    else:
        for key in ("parts", "units", "runs", "ranks"):
            yield from layers_of(item.get(key, []))


def check(graph: LayerGraph) -> None:
    """Every layer is once in the tree, with its row; every edge is there."""
    data = network(graph, {}, {})
    assert sorted(layers_of(data["tree"])) == list(range(len(graph.layers)))
    rows = [
        {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}
        for row in table(graph).records()
    ]
    keys = [key for key, _, _ in data["columns"]]
    assert [dict(zip(keys, row, strict=True)) for row in data["rows"][: len(rows)]] == rows
    names = [layer.name for layer in graph.layers]
    inputs = list(graph.inputs)
    edges = {
        (names[tail] if tail >= 0 else inputs[~tail], names[head])
        for tail, head, _ in data["edges"]
    }
    assert edges == {(source, layer.name) for layer in graph.layers for source in layer.inputs}


@pytest.mark.parametrize(
    "name", ["resnet50", "resnetv2_50", "seresnext50_32x4d", "resnet110_cifar"]
)
def test_every_layer_and_edge_is_in_the_page(name: str) -> None:
    check(ri.graph(name))


@given(branching())
def test_every_layer_and_edge_is_in_the_page_however_layers_branch(graph: LayerGraph) -> None:
    check(graph)


def test_parts_have_the_rows_of_the_table() -> None:
    data = network(ri.graph("resnet50"), {}, {})
    keys = [key for key, _, _ in data["columns"]]
    rows = [dict(zip(keys, row, strict=True)) for row in data["rows"]]
    stages = {row["name"]: row for row in ri.table("resnet50", "stage").records()}
    for stage in data["tree"]:
        for key in ("path", "params", "macs", "flops", "activations", "traffic", "share"):
            assert rows[stage["row"]][key] == stages[stage["name"]][key]
    blocks = {row["name"]: row for row in ri.table("resnet50", "block").records()}
    runs = [run for stage in data["tree"][1:-1] for run in stage["parts"]]
    units = [unit for run in runs for unit in run["units"]]
    assert len(units) == 16
    for unit in units:
        for key in ("path", "operation", "params", "macs", "receptive_field"):
            value = blocks[unit["name"]][key]
            assert rows[unit["row"]][key] == (list(value) if key == "receptive_field" else value)
    # Two that are alike are drawn once, with a row for both.
    run = runs[1]
    assert run["count"] == 2
    assert rows[run["row"]]["macs"] == sum(rows[unit["row"]]["macs"] for unit in run["units"])


def test_later_repeats_are_drawn_as_the_first() -> None:
    graph = ri.graph("resnet18_d2l")
    data = network(graph, {}, {})
    runs = [run for stage in data["tree"] for run in stage.get("parts", [])]
    for run in (run for run in runs if isinstance(run, dict) and run.get("count", 1) > 1):
        drawn = list(layers_of(run["units"][: len(run["units"]) // run["count"]]))
        for at, shown in enumerate(run["later"]):
            assert graph.layers[run["start"] + at].op == graph.layers[shown].op
            assert shown in drawn


def test_large_integers_stay_exact() -> None:
    net = GraphBuilder("large", (1 << 27,))
    net.add(Linear(1 << 27, 1 << 27), net.input, name="fc")
    net.end_block("fc", "", "Head")
    net.end_stage("fc", "")
    data = network(net.graph(), {}, {})
    keys = [key for key, _, _ in data["columns"]]
    assert data["rows"][0][keys.index("macs")] == str(1 << 54)


def test_formats_and_refusals(tmp_path: Path) -> None:
    drawing = ri.diagram("resnet18", level="stage", color_by="macs", theme="dark")
    drawing.write(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page == html(drawing.graphs, Style("stage", theme=THEMES["dark"], color_by="macs"))
    assert page.count("<script") == 2
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    with pytest.raises(InspectError, match="a page runs down; leave --direction out"):
        ri.diagram("resnet18", direction="LR").write(tmp_path / "r.html")


# What a reader does with it.

MARKUP = "</script><img src=x onerror=alert(1)>&amp;\u202e"


def marked_up() -> LayerGraph:
    """Names with markup, and two branches of which one is gone through twice."""
    net = GraphBuilder(f"net {MARKUP}", (4, 8, 8))
    first = net.add(Conv2d(4, 4, (3, 3), padding=(1, 1)), net.input, name=f"conv{MARKUP}")
    left = net.add(ReLU(), first, name="left")
    right = net.add(Conv2d(4, 4, (1, 1)), first, name="right")
    net.add(Add(), left, right, name="sum")
    net.end_block(f"block {MARKUP}", "", f"Kind{MARKUP}")
    net.end_stage(f"stage {MARKUP}", "")
    return net.graph()


class Reader(browsing.Reader):
    """Somebody who reads the page of a diagram."""

    def open(self, *graphs: LayerGraph, folder: Path, **settings: Any) -> str:
        path = folder / "page.html"
        path.write_text(html(graphs, Style(**settings)), encoding="utf-8")
        self.browser.get(path.as_uri())
        return folder.as_uri()

    def seen(self) -> list[str]:
        """The names of the boxes that can be seen."""
        return list(
            self.run(
                "return [...document.querySelectorAll('.part:not(.open)')]"
                ".filter((el) => el.getClientRects().length).map((el) => el.holds.name)"
            )
        )

    def box(self, name: str) -> Any:
        return self.run(
            "return [...document.querySelectorAll('.part')]"
            ".find((el) => el.holds.name === arguments[0])",
            name,
        )

    def toggle(self, name: str) -> None:
        self.click(self.box(name).find_element("css selector", ".toggle"))

    def row(self) -> dict[str, str]:
        """The row that is shown at the side, by column."""
        return dict(
            self.run(
                "return Object.fromEntries([...document.querySelectorAll('#details tr[data-key]')]"
                ".map((row) => [row.dataset.key, row.cells[1].textContent]))"
            )
        )

    def focused(self) -> str:
        return str(self.run("return document.activeElement.holds?.name ?? ''"))

    def fills(self) -> dict[str, str]:
        return dict(
            self.run(
                "return Object.fromEntries([...document.querySelectorAll('.part:not(.open)')]"
                ".map((el) => [el.holds.name, getComputedStyle(el.holds.head).backgroundColor]))"
            )
        )

    def choose(self, selector: str, value: str) -> None:
        self.run(
            "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event('change'))",
            selector,
            value,
        )


@pytest.fixture
def reader(browser: Any, tmp_path: Path) -> Iterator[Reader]:
    there = Reader(browser)
    there.resize(1280, 900)
    there.emulate()
    address = there.open(ri.graph("resnet18"), folder=tmp_path)
    yield there
    there.was_left_alone(address)


STAGES = ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
BLOCKS = ["stem", "layer1.0", *(f"layer{n}.{m}" for n in (2, 3, 4) for m in (0, 1)), "head"]


def test_it_opens_at_blocks_and_folds(reader: Reader) -> None:
    assert reader.seen() == BLOCKS  # equal ones once
    reader.toggle("layer3")
    assert reader.seen() == [*BLOCKS[:4], "layer3", *BLOCKS[6:]]
    assert reader.box("layer3").get_attribute("aria-expanded") == "false"
    reader.toggle("layer3")
    reader.toggle("layer4.0")
    convolutions = ["conv1", "conv2", "downsample.0", "add"]
    assert reader.seen()[-6:-2] == [f"layer4.0.{name}" for name in convolutions]
    reader.toggle("layer4.0.conv1")
    assert set(reader.seen()) >= {"layer4.0.bn1", "layer4.0.relu1"}


def test_levels(reader: Reader) -> None:
    graph = ri.graph("resnet18")
    reader.press("1")
    assert reader.seen() == STAGES
    reader.press("2")
    assert reader.seen() == BLOCKS
    reader.press("3")
    rows = [row["name"] for row in ri.table("resnet18", all_ops=False).records()]
    assert set(rows) - set(reader.seen()) == {n for n in rows if n.startswith("layer1.1")}
    reader.press("4")
    every = [layer.name for layer in graph.layers]
    assert set(reader.seen()) == {name for name in every if not name.startswith("layer1.1")}
    pressed = reader.all("#levels button[aria-pressed=true]")
    assert [button.text for button in pressed] == ["Layers"]


def test_repeats_are_listed_one_by_one(reader: Reader) -> None:
    badge = reader.one(".badge")
    assert badge.text == "× 2"
    reader.click(badge)
    assert reader.seen() == [*BLOCKS[:2], "layer1.1", *BLOCKS[2:]]
    reader.run("arguments[0].focus()", reader.box("layer1.1"))
    reader.press("r")
    assert reader.seen() == BLOCKS


def test_every_layer_is_reached_with_its_exact_numbers(reader: Reader) -> None:
    shown = reader.run(
        "return nets[0].leaves.map((part) => { goTo(part);"
        "const cells = [...document.querySelectorAll('#details tr[data-key]')]"
        ".map((row) => [row.dataset.key, row.cells[1].textContent]);"
        "return [part.name, part.el.getClientRects().length > 0, Object.fromEntries(cells)]; })"
    )
    rows = ri.table("resnet18", all_ops=True).records()
    assert [name for name, _, _ in shown] == [row["name"] for row in rows]
    for (_, visible, cells), row in zip(shown, rows, strict=True):
        assert visible
        for key, (column, _) in METRICS.items():
            value = row[key]
            if key == "name" or value is None or value == "":
                assert cells.get(key, "") in ("?", "")
                continue
            words = show(value, column.kind).replace("x", "×" if isinstance(value, tuple) else "x")
            if column.kind == "bytes" and "iB" in words:
                words += f" ({value:,} B)"  # to the byte
            assert cells[key] == words.removesuffix(".0" if column.kind == "pair" else "")


def test_hovering_and_focus_show_a_row(reader: Reader) -> None:
    row = next(r for r in ri.table("resnet18", "block").records() if r["name"] == "layer2.0")
    reader.point(reader.box("layer2.0").find_element("css selector", ".box"))
    assert reader.one("#details h2").text == "layer2.0"
    assert reader.row()["params"] == f"{row['params']:,}"
    assert reader.all("svg .lit")
    reader.run("arguments[0].focus()", reader.box("head"))
    assert reader.one("#details h2").text == "head"
    # What a block reads leads there; repeats are summed up.
    reader.click(reader.box("layer1.0").find_element("css selector", ".box"))
    cells = reader.all("#details tr[data-key=params] td")
    assert [cell.text for cell in cells] == ["73,984", "147,968"]
    reads = reader.one("#details .rows button")
    assert reads.text == "maxpool"
    reader.click(reads)
    assert reader.focused() == "maxpool"
    assert "maxpool" in reader.seen()


def test_searching(reader: Reader) -> None:
    reader.press("/", *"3x3 layer1.1")
    assert reader.one("#count").text == "2 found"
    found = [item.text.split()[0] for item in reader.all("#results li")]
    assert found == ["layer1.1.conv1", "layer1.1.conv2"]
    # What it is folded into is marked.
    assert reader.run(
        "return [...document.querySelectorAll('.hit')].map((el) => el.holds.name)"
    ) == ["layer1"]
    from selenium.webdriver.common.keys import Keys

    reader.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    chosen = reader.one("#search").get_attribute("aria-activedescendant")
    assert reader.one(f"#{chosen}").text.startswith("layer1.1.conv2")
    reader.press(Keys.ENTER)
    assert reader.focused() == "layer1.1.conv2"
    assert reader.row()["macs"] == "115,605,504"
    reader.press(Keys.ESCAPE)
    assert reader.one("#search").get_attribute("value") == ""
    assert reader.all(".hit") == []


def test_an_address_leads_to_a_layer(reader: Reader) -> None:
    reader.run("location.hash = 'layer1.1.conv2'; return new Promise((done) => setTimeout(done))")
    assert reader.focused() == "layer1.1.conv2"
    reader.browser.refresh()
    assert reader.one("#details h2").text == "layer1.1.conv2"
    reader.run("location.hash = '%'; return new Promise((done) => setTimeout(done))")


def test_the_keyboard_does_it_all(reader: Reader) -> None:
    from selenium.webdriver.common.keys import Keys

    assert reader.run("return document.querySelectorAll('.part[tabindex=\"0\"]').length") == 1
    reader.run("document.querySelector('.part[tabindex=\"0\"]').focus()")
    assert reader.focused() == "stem"
    reader.press(Keys.ARROW_DOWN)
    assert reader.focused() == "layer1"
    reader.press(Keys.ARROW_LEFT)
    assert "layer1" in reader.seen()
    reader.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert reader.focused() == "layer1.0"
    reader.press(Keys.ENTER, Keys.ARROW_RIGHT)
    assert reader.focused() == "layer1.0.conv1"
    reader.press(Keys.ARROW_LEFT)
    assert reader.focused() == "layer1.0"
    reader.press(Keys.END)
    assert reader.focused() == "head"
    reader.press(Keys.HOME)
    assert reader.focused() == "stem"
    before = reader.run("return zoom")
    reader.press("+")
    assert reader.run("return zoom") > before
    reader.press("-", "-")
    assert reader.run("return zoom") < before
    reader.press("0")
    whole, pane = reader.run("return [sheet.getBoundingClientRect().height, pane.clientHeight]")
    assert whole <= pane
    reader.press("?")
    assert reader.one("#help").is_displayed()
    reader.press(Keys.ESCAPE)
    assert not reader.one("#help").is_displayed()


def test_the_heat_map_switches(reader: Reader) -> None:
    by_stage = reader.fills()
    assert by_stage["layer2.0"] == by_stage["layer2.1"] != by_stage["layer3.0"]
    light = THEMES["light"]
    ends = [tuple(int(light.ramp[at][i : i + 2], 16) for i in (1, 3, 5)) for at in (0, -1)]
    rows = {row["name"]: row for row in ri.table("resnet18", "block").records()}
    for key in ("macs", "params", "activations", "receptive_field"):
        reader.choose("#heat", key)
        fills = reader.fills()
        value = {n: max(v) if isinstance(v := rows[n][key], tuple) else v for n in BLOCKS}
        most = max(value, key=lambda name: value[name])
        assert fills[most] == f"rgb({', '.join(map(str, ends[1]))})"
        assert "in a box" in reader.one("#legend").text
        equal = [name for name in BLOCKS if value[name] == value[most]]
        assert {fills[name] for name in equal} == {fills[most]}
    reader.choose("#heat", "none")
    assert len(set(reader.fills().values())) == 1


CONTRAST = """
const parts = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
const light = (colour) => parts(colour).map((c) => c / 255)
  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
return [...document.querySelectorAll('.box')].map((box) => {
  const style = getComputedStyle(box);
  const [a, b] = [light(style.color), light(style.backgroundColor)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
});
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_on_every_fill(reader: Reader, scheme: str) -> None:
    reader.emulate(prefers_color_scheme=scheme)
    reader.press("4")
    for option in [option.get_attribute("value") for option in reader.all("#heat option")]:
        reader.choose("#heat", option)
        assert min(reader.run(CONTRAST)) >= 4.5


def test_the_wheel_zooms_where_it_points(reader: Reader) -> None:
    spot = (
        "const box = nets[0].parts.find((part) => part.name === 'layer2.0').head"
        ".getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2];"
    )
    reader.run("setZoom(0.5)")
    x, y = reader.run(spot)
    turn = (
        "pane.dispatchEvent(new WheelEvent('wheel', {deltaY: -120, ctrlKey: true, bubbles: true,"
        "cancelable: true, clientX: arguments[0], clientY: arguments[1]}))"
    )
    for _ in range(4):
        reader.run(turn, x, y)
    assert reader.run("return zoom") > 2
    assert reader.one("#percent").text == f"{reader.run('return Math.round(100 * zoom)')}%"
    assert [abs(a - b) < 4 for a, b in zip(reader.run(spot), (x, y), strict=True)] == [True, True]


DRAWN = """
const name = (part) =>
  part.layers ? part.layers.map((at) => part.net.leaves[at].name) : [part.el.textContent];
return [...nets[0].lines.children].filter((line) => line.ends).map((line) => line.ends.map(name));
"""


def shown_edges(reader: Reader) -> set[tuple[str, str]]:
    pairs = set()
    for tail, head in reader.run(DRAWN):
        assert len(tail) == len(head) == 1
        pairs.add((tail[0].split()[0], head[0].split()[0]))
    return pairs


@pytest.mark.parametrize("name", ["resnet18", "seresnet18", "resnet20_cifar"])
def test_lines_are_the_edges_of_the_network(reader: Reader, name: str, tmp_path: Path) -> None:
    graph = ri.graph(name)
    reader.open(graph, folder=tmp_path, level="layer", expand=True)
    edges = {(source, layer.name) for layer in graph.layers for source in layer.inputs}
    assert shown_edges(reader) == edges | {(graph.output.name, "output")}


def test_lines_are_edges_however_layers_branch(reader: Reader, tmp_path: Path) -> None:
    @settings(max_examples=12)
    @given(branching())
    def hold(graph: LayerGraph) -> None:
        reader.open(graph, folder=tmp_path, level="layer", expand=True)
        edges = {(source, layer.name) for layer in graph.layers for source in layer.inputs}
        many = len(graph.outputs) > 1
        ends = {(name, "output") for name in graph.outputs}
        assert shown_edges(reader) == edges | ends
        assert len(reader.all(".end")) == 1 + len(set(graph.outputs))
        assert many == (reader.all(".end")[-1].text != "output")
        for level in ("1", "2", "3"):
            reader.press(level)
            for tail, head in reader.run(DRAWN):
                direct = {(a, b) for a in tail for b in head} & edges
                assert direct or tail[0].startswith("input") or head[0].startswith("output")

    hold()


def test_names_with_markup_stay_text(reader: Reader, tmp_path: Path) -> None:
    reader.open(marked_up(), folder=tmp_path, level="layer")
    assert reader.all("img") == []
    shown = MARKUP.replace("\u202e", "\\u202e")
    assert f"conv{shown}" in reader.seen()
    reader.run("goTo(nets[0].leaves[0])")
    assert reader.one("#details h2").text == f"conv{shown}"
    assert reader.one("h1").text == f"net {shown}"
    reader.press("/", *"onerror")
    assert reader.all("#results li")
    assert reader.all("img") == []


def test_it_is_a_tree_to_a_screen_reader(reader: Reader) -> None:
    tree = reader.one("[role=tree]")
    assert tree.get_attribute("aria-label") == "Layers of resnet18"
    said = reader.box("layer2.0").get_attribute("aria-label")
    assert said == "layer2.0, BasicBlock. 230 K params · 180 M MACs. Output 128×28×28"
    group = reader.box("layer2").find_element("css selector", "[role=group]")
    assert reader.run("return arguments[0].contains(arguments[1])", group, reader.box("layer2.0"))
    nameless = reader.run(
        "return [...document.querySelectorAll('button, input, select')].filter((e) =>"
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).length"
    )
    assert nameless == 0


@pytest.mark.parametrize("size", [(1400, 900), (880, 900), (390, 844), (320, 640)])
def test_it_fits_the_screen(reader: Reader, size: tuple[int, int]) -> None:
    reader.resize(*size)
    wide, screen, tall, high = reader.run(
        "const d = document.documentElement; fit(false);"
        "return [d.scrollWidth, d.clientWidth, d.scrollHeight, d.clientHeight]"
    )
    assert wide <= screen
    assert tall <= high
    assert reader.run("return sheet.offsetWidth <= pane.clientWidth")
    reader.run("goTo(nets[0].leaves.find((part) => part.name === 'layer4.1.conv2'))")
    assert reader.one("#details").is_displayed()
    box, pane, row = reader.run(
        "return [current.head, pane, details].map((e) => e.getBoundingClientRect().toJSON())"
    )
    assert pane["top"] <= box["top"]
    assert box["bottom"] <= (row["top"] if row["left"] < box["left"] else pane["bottom"])


def test_colours_follow_the_reader_and_the_switch(reader: Reader, tmp_path: Path) -> None:
    def page() -> str:
        return str(reader.run("return getComputedStyle(document.body).backgroundColor"))

    assert page() == "rgb(255, 255, 255)"
    reader.emulate(prefers_color_scheme="dark")
    assert page() == "rgb(18, 22, 28)"
    reader.click(reader.one("#theme"))
    assert page() == "rgb(255, 255, 255)"
    reader.click(reader.one("#theme"))
    assert page() == "rgb(18, 22, 28)"
    reader.emulate()
    reader.open(ri.graph("resnet18"), folder=tmp_path, theme=THEMES["dark"])
    assert page() == "rgb(18, 22, 28)"


def test_paper_has_the_diagram_alone(reader: Reader) -> None:
    reader.run("window.dispatchEvent(new Event('beforeprint'))")
    reader.emulate(media="print")
    assert not reader.one("header").is_displayed()
    assert not reader.one("#details").is_displayed()
    assert reader.run("return sheet.firstElementChild.getBoundingClientRect().width") <= 720
    reader.emulate()
    reader.run("window.dispatchEvent(new Event('afterprint'))")
    assert reader.one("header").is_displayed()


def test_two_networks_side_by_side_and_what_changed(reader: Reader, tmp_path: Path) -> None:
    drawing = ri.diff_diagram("resnet18", "resnet18d")
    path = tmp_path / "diff.html"
    drawing.write(path)
    reader.browser.get(path.as_uri())
    left, right = (net.rect for net in reader.all(".net"))
    assert left["x"] + left["width"] <= right["x"]
    # Stages start at the same height, whatever is unfolded.
    reader.run("toggle(nets[0].parts.find((part) => part.name === 'layer2.0'))")
    one, other = reader.run(
        "return nets.map((net) => net.stages.map((stage) =>stage.el.getBoundingClientRect().top))"
    )
    assert all(abs(a - b) < 1 for a, b in zip(one, other, strict=True))
    assert "added" in reader.one("#legend").text
    changed = THEMES["light"].changes["changed"]
    rgb = ", ".join(str(int(changed[i : i + 2], 16)) for i in (1, 3, 5))
    assert reader.fills()["stem"] == f"rgb({rgb})"


def test_names_of_the_paper(reader: Reader, tmp_path: Path) -> None:
    ri.diagram("resnet18", names="paper").write(tmp_path / "paper.html")
    reader.browser.get((tmp_path / "paper.html").as_uri())
    assert reader.seen()[:4] == ["conv1", "conv2_1", "conv3_1", "conv3_2"]
    reader.press("/", *"layer3.0.conv1")
    assert [item.text.split()[0] for item in reader.all("#results li")] == ["conv4_1.conv1"]


def test_a_thousand_layers_open_folded(reader: Reader, tmp_path: Path) -> None:
    graph = ri.graph("resnet1202_cifar")
    reader.open(graph, folder=tmp_path)
    assert len(reader.seen()) < 20
    last = graph.layers[-5].name
    reader.run("goTo(nets[0].leaves.find((part) => part.name === arguments[0]))", last)
    assert last in reader.seen()
    assert reader.focused() == last


def test_unknown_counts_are_not_zero(reader: Reader, tmp_path: Path) -> None:
    net = GraphBuilder("unknown", (4, 8, 8))
    net.add(ri.Opaque("Odd", (4, 8, 8), params=3), net.input, name="odd")
    net.end_block("odd", "", "Odd")
    net.end_stage("odd", "")
    reader.open(net.graph(), folder=tmp_path, level="layer")
    reader.run("goTo(nets[0].leaves[0])")
    assert reader.row()["macs"] == "?"
    assert reader.row()["params"] == "3"
