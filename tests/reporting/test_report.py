"""The report: the command line's numbers, text that stays text, safe folders, the same bytes."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from graphs import GraphBuilder
from page import Page

import resnet_inspect as ri
from resnet_inspect.cli.main import run
from resnet_inspect.errors import InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Conv2d, Op
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.reporting.contents import contents, published, slugs
from resnet_inspect.reporting.svg import nodes_of_layers
from resnet_inspect.reporting.write import PAGE, check_folder, files, write_folder

COMMITTED = Path(__file__).parents[2] / "reports" / "classics"
NAMES = ("resnet18", "seresnet50")
COLUMNS = "name,operation,output_shape,params,macs,share,flops,activations,receptive_field"


@pytest.fixture(scope="module")
def classics() -> dict[str, bytes]:
    graphs = [ri.graph(name) for name in zoo.CLASSICS]
    return files(graphs, command="resnet-inspect report -o DIR")


@pytest.fixture(scope="module")
def small() -> dict[str, bytes]:
    return files([ri.graph(name) for name in NAMES])


@pytest.fixture(scope="module")
def page(small: dict[str, bytes]) -> Page:
    return Page(small[PAGE].decode())


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command line prints."""
    capsys.readouterr()
    assert run(arguments) == 0
    return capsys.readouterr().out


def commands() -> dict[str, tuple[str, ...]]:
    """Every table of the page, with the command that prints it."""
    found: dict[str, tuple[str, ...]] = {}
    for table in ("cost", "memory", "stage", "where"):
        found[f"overview/{table}"] = ("compare", *NAMES, "--only", table)
    for name in NAMES:
        found[f"{name}/layers"] = ("table", name, "--columns", COLUMNS)
        found[f"{name}/stages"] = ("table", name, "--columns", COLUMNS, "--level", "stage")
        if published(ri.graph(name)):
            command = ("reconcile", name, "--no-measure", "--only", "published")
            found[f"{name}/published"] = command
    for table in ri.compare_blocks().tables:
        found[f"blocks/{table}"] = ("compare-blocks", "--only", table)
    for table in ("conventions", "terms"):
        found[f"conventions/{table}"] = ("conventions", *NAMES)
    return found


def test_the_page_has_these_tables_and_no_others(page: Page) -> None:
    assert {table.name for table in page.tables} == set(commands())


@pytest.mark.parametrize("name", commands())
def test_every_number_is_the_command_lines(
    name: str, page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = page.table(name)
    assert shown.rows
    if name in PIVOTS:
        return  # their numbers stand elsewhere: see the test below
    theirs = Page(printed(capsys, *commands()[name], "--format", "html")).tables
    assert shown.rows in [table.rows for table in theirs]
    if name.startswith("conventions/"):
        return
    if name in [f"{network}/layers" for network in NAMES]:
        # The command's CSV has batch norm and activation in rows of their own.
        table = ri.table(commands()[name][1], all_ops=False, columns=COLUMNS.split(","))
        text = table.to_text("csv")
    else:
        text = printed(capsys, *commands()[name], "--format", "csv")
    exact = list(csv.DictReader(io.StringIO(text)))
    compared = 0
    for row, values in zip(exact, shown.values, strict=False):
        for key, value in zip(shown.keys, values, strict=True):
            if value is not None and "x" not in row[key]:  # shapes sort by their product
                assert value == row[key]
                compared += 1
    assert compared or "ratio" not in "".join(shown.keys)


PIVOTS = {"overview/stage": "stage", "overview/where": "role"}


@pytest.mark.parametrize("name", PIVOTS)
def test_networks_side_by_side_have_the_command_lines_numbers(
    name: str, page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each stage or part and each measure, a column for each network."""
    shown = page.table(name)
    text = printed(capsys, *commands()[name], "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    places = list(dict.fromkeys(row[PIVOTS[name]] for row in rows))
    assert shown.keys == [PIVOTS[name], *NAMES]
    assert [row[0] for row in shown.rows] == places * (len(shown.rows) // len(places))
    exact = {(row[PIVOTS[name]], row["model"]): row for row in rows}
    for number, key in enumerate(("macs", "share", "params")):
        for place, row, values in zip(
            places,
            shown.rows[number * len(places) :],
            shown.values[number * len(places) :],
            strict=False,
        ):
            for network, said, value in zip(NAMES, row[1:], values[1:], strict=True):
                known = exact.get((place, network), {}).get(key, "")
                assert (value or said.replace(",", "")) == known


def test_a_network_alone_is_set_beside_nothing() -> None:
    made = Page(files([ri.graph("resnet20_cifar")])[PAGE].decode())
    names = {table.name for table in made.tables}
    assert "overview/stage" not in names
    assert made.table("overview/where").keys[:2] == ["role", "model"]


def test_blocks_are_there_for_networks_of_them_only() -> None:
    made = files([ordinary()])
    html = made[PAGE].decode()
    assert [path for path in made if path.startswith("blocks")] == []
    assert 'href="#blocks"' not in html
    assert "blocks/" not in made["README.md"].decode()
    assert "Input 3x8x8, 1 layer with weights, 1 block." in html
    assert {element.tag for element in Page(html).elements} >= {"svg", "table"}


def ordinary() -> LayerGraph:
    """A network that no spec describes: a single layer."""
    net = GraphBuilder("single", (3, 8, 8))
    net.add(Conv2d(3, 4, (3, 3)), net.input, name="conv")
    net.end_block("all", "", "Net")
    net.end_stage("all", "")
    return net.graph()


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (("a",), "a"),
        (("a", "b"), "a and b"),
        (("a", "b", "c"), "a, b and c"),
        (("a", "b", "c", "d", "e"), "a, b and 3 more"),
    ],
)
def test_titles_are_short(names: tuple[str, ...], title: str) -> None:
    spec = zoo.spec("resnet20_cifar")
    assert (
        contents([layer_graph(spec.with_changes({"name": name})) for name in names]).title == title
    )


def test_numbers_beside_the_page_are_the_same(
    small: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, command in commands().items():
        if name.endswith("/stages") or name.startswith("conventions/"):
            continue
        if command[0] == "table":
            command = [*command[:2], "--all-ops"]
        assert printed(capsys, *command, "--format", "csv") == small[f"{name}.csv"].decode()
    readme = small["README.md"].decode()
    for table in ("cost", "memory", "stage", "where"):
        assert ri.compare(*NAMES)[table].to_text("markdown") in readme
    blocks = small["blocks/README.md"].decode()
    for table in ri.compare_blocks().tables.values():
        assert table.to_text("markdown") in blocks
    layers = ri.table("resnet18", all_ops=False, columns=COLUMNS.split(","))
    assert layers.to_text("markdown") in small["resnet18/README.md"].decode()


def test_another_convention(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked = ("resnet20_cifar", "--convention", "fvcore")
    printed(capsys, "report", *asked, "-o", str(tmp_path))
    made = Page((tmp_path / PAGE).read_text("utf-8"))
    columns = "name,operation,output_shape,params,counted,share,activations,receptive_field"
    for name, level in (("layers", "layer"), ("stages", "stage")):
        shown = made.table(f"resnet20_cifar/{name}")
        there = printed(
            capsys, "table", *asked, "--columns", columns, "--level", level, "--format", "html"
        )
        (same,) = Page(there).tables
        assert shown.rows == same.rows
    assert "fvcore flops" in (tmp_path / PAGE).read_text("utf-8")
    assert "--convention fvcore" in (tmp_path / "README.md").read_text("utf-8")
    # A single network is compared with nothing.
    assert "macs_ratio" not in made.table("overview/cost").keys


def test_the_page_is_sound(page: Page, small: dict[str, bytes]) -> None:
    """Elements close, names are unique, links lead somewhere, pictures are labelled."""
    assert page.unclosed == []
    names = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    targets = [e.attributes[key] for e in page.elements for key in ("href", "xlink:href")
               if key in e.attributes]  # fmt: skip
    assert all(target is not None for target in targets)
    within = [target for target in targets if target and target.startswith("#")]
    assert {target[1:] for target in within} <= set(names)
    assert set(targets) - set(within) == {"data:,"}
    html = small[PAGE].decode()
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(names)
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("scope" in e.attributes for e in page.elements if e.tag == "th")
    for element in page.elements:
        if element.tag == "svg":
            assert element.attributes["role"] in ("img", "group")
            assert element.attributes["aria-label"]


def test_the_page_asks_for_nothing(small: dict[str, bytes], page: Page) -> None:
    html = small[PAGE].decode()
    assert "default-src 'none'" in html
    for element in page.elements:
        assert element.tag not in ("iframe", "object", "embed", "img", "base")
        assert "src" not in element.attributes
        assert element.tag != "link" or element.attributes == {"rel": "icon", "href": "data:,"}
        assert not any(key.startswith("on") for key in element.attributes)
    assert re.findall(r"@import|url\((?!data:|#)", html) == []
    # Addresses are names of markup languages, not places to go.
    assert set(re.findall(r"https?://[^\s\"'<>]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_a_box_stands_for_each_row(small: dict[str, bytes], page: Page) -> None:
    rows = [e.attributes for e in page.elements if e.tag == "tr" and "data-box" in e.attributes]
    boxes = [e.attributes for e in page.elements if e.tag == "g" and "data-box" in e.attributes]
    assert len(rows) == sum(len(ri.table(name, all_ops=False).rows) for name in NAMES)
    of_rows = {(str(row["id"]).split("-row-")[0], row["data-box"]) for row in rows}
    of_boxes = {(str(box["id"]).split("-diagram-")[0], box["data-box"]) for box in boxes}
    assert of_rows == of_boxes


def test_boxes_that_are_drawn_once_stand_for_all_repeats() -> None:
    nodes = nodes_of_layers(ri.graph("resnet18"))
    assert nodes["layer1.0.conv1"] == nodes["layer1.1.conv2"] == "layer1.0"
    assert nodes["layer1.1.add"] == "layer1.0.add"
    assert nodes["layer2.0.conv1"] == "layer2.0"
    assert nodes["layer2.1.conv1"] == "layer2.1"
    assert nodes["layer2.0.downsample.0"] == "layer2.0/layer2.0.downsample.1"
    assert nodes["conv1"] == nodes["maxpool"] == "stem"
    assert nodes["fc"] == "head"


NASTY = "<script>alert('1')</script> & \"x\" | *y* [z](w) `v` ../../é"


def nasty(name: str = NASTY) -> LayerGraph:
    return layer_graph(zoo.spec("resnet20_cifar").with_changes({"name": name}))


def test_a_name_stays_a_name() -> None:
    made = files([nasty(), ri.graph("resnet18")], command=f"report {NASTY}")
    html = made[PAGE].decode()
    there = Page(html)
    assert sum(element.tag == "script" for element in there.elements) == 1
    assert there.unclosed == []
    assert "<script>alert" not in html.replace("\\", "")
    assert there.table("overview/cost").rows[0][0] == NASTY
    (slug,) = {path.split("/")[0] for path in made if "alert" in path}
    assert re.fullmatch(r"[A-Za-z0-9._-]+", slug)
    readme = made["README.md"].decode()
    code = re.compile("`[^`]*`")  # where markup is text anyway
    assert "<script" not in code.sub("", readme).replace("\\<", "")


def test_slugs_are_safe_and_all_different() -> None:
    names = [
        "a/b",
        "A B",
        "a-b",
        "..",
        "",
        "../../etc",
        "blocks",
        "Overview",
        "x" * 200,
        "é",
        "a b",
    ]
    found = slugs(names)
    assert len({slug.lower() for slug in found}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", slug) for slug in found)
    assert {"overview", "blocks", "conventions"}.isdisjoint(slug.lower() for slug in found)


class Mystery(Op):
    """An op without rules."""


def test_what_nobody_counts_is_said_to_be_missing() -> None:
    net = GraphBuilder("mystery", (3, 8, 8))
    wire = net.add(Conv2d(3, 4, (3, 3), padding=(1, 1)), net.input, name="conv")
    net.add(Mystery(), wire, name="what")
    net.end_block("all", "", "Net")
    net.end_stage("all", "")
    made = files([net.graph(), ri.graph("resnet20_cifar")])
    html = made[PAGE].decode()
    assert "At least: not counted are mystery: what." in html
    row = Page(html).table("overview/cost").rows[1]
    assert "?" in row


# Folders


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


MARK = b'<meta name="generator" content="resnet-inspect 1">'
ONE = {"index.html": MARK + b"one", "a/x.csv": b"1"}
TWO = {"index.html": MARK + b"two", "b/y.csv": b"2"}


def test_a_report_replaces_the_one_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    write_folder(folder, ONE)
    assert tree(folder) == ONE
    (folder / "a" / "notes.md").write_bytes(b"mine")
    write_folder(folder, TWO)
    assert tree(folder) == {**ONE, **TWO, "a/notes.md": b"mine"}


def test_the_page_bears_the_mark_of_a_report(small: dict[str, bytes], tmp_path: Path) -> None:
    for _ in range(2):
        write_folder(tmp_path, small)
    assert tree(tmp_path) == small


@pytest.mark.parametrize("name", ["thesis.txt", "index.html", "a/x.csv"])
def test_files_that_are_not_a_report_are_kept(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_bytes(b"mine")
    with pytest.raises(InspectError, match="--force"):
        write_folder(tmp_path, ONE)
    assert tree(tmp_path) == {name: b"mine"}
    write_folder(tmp_path, ONE, force=True)
    assert tree(tmp_path) == {name: b"mine", **ONE}


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    write_folder(tmp_path, ONE)
    assert tree(tmp_path) == ONE


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for place in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(InspectError):
            write_folder(place, ONE)
    assert tree(tmp_path) == {"file": b"mine"}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "report"
    printed(capsys, "report", "resnet20_cifar", "-o", str(folder))
    assert (folder / PAGE).stat().st_size > 10_000
    assert "resnet-inspect report resnet20_cifar -o DIR" in (folder / PAGE).read_text("utf-8")
    (folder / "mine.txt").write_text("mine")
    before = tree(folder)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("mine")
    for arguments in (
        ("report", "resnet20_cifar", "-o", str(foreign)),
        ("validate", "-o", str(foreign)),
        ("report", "resnet20_cifr", "-o", str(tmp_path / "other")),
        ("report", "resnet18", "resnet18", "-o", str(tmp_path / "other")),
        ("report", "resnet18", "--batch", "0", "-o", str(tmp_path / "other")),
    ):
        assert run(arguments) == 2
        complaint = capsys.readouterr()
        assert complaint.err.count("\n") == 1
        assert complaint.out == ""
    assert tree(folder) == before
    assert not (tmp_path / "other").exists()
    printed(capsys, "report", "resnet20_cifar", "-o", str(folder))
    assert tree(folder) == before
    printed(capsys, "report", "resnet20_cifar", "-o", str(foreign), "--force")
    assert (foreign / "mine.txt").read_text() == "mine"


def test_a_report_of_forecasts_is_known_again() -> None:
    check_folder(Path(__file__).parents[2] / "reports" / "forecast")


# The same bytes


def test_bytes_do_not_depend_on_the_process(small: dict[str, bytes], tmp_path: Path) -> None:
    code = (
        "import sys, resnet_inspect as ri;"
        f"ri.report(*{NAMES!r}, folder=sys.argv[1]);"
        "assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "3", "TZ": "Asia/Tokyo", "COLUMNS": "60"}
    folder = tmp_path / "report"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, env=environment)
    assert tree(folder) == small


def test_the_committed_report_is_todays(classics: dict[str, bytes]) -> None:
    """`resnet-inspect report -o reports/classics` brings it up to date.

    Pictures change with the libraries that draw them; what is compared here does not.
    """
    committed = tree(COMMITTED)
    assert committed.keys() == classics.keys()
    for path, data in classics.items():
        if path.endswith((".md", ".csv", ".dot")):
            assert committed[path].decode() == data.decode(), path
    ours, theirs = (Page(made[PAGE].decode()) for made in (classics, committed))
    assert [vars(table) for table in ours.tables] == [vars(table) for table in theirs.tables]
    # The words of the pictures hold numbers too.
    words = [re.findall(r"<text[^>]*>([^<]*)</text>", made[PAGE].decode())
             for made in (classics, committed)]  # fmt: skip
    assert sorted(filter(numeric, words[0])) == sorted(filter(numeric, words[1]))


def numeric(text: str) -> bool:
    """Whether a picture's word is a count of ours, not a tick of an axis."""
    return bool(re.search(r"\d,\d{3}|\d [KMG] |×", text))
