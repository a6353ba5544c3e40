"""The report in a browser: it sorts, filters, folds, ties boxes to rows, and asks for nothing.

Driven by selenium in Chromium without a screen (browsing.py).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import browsing
import pytest

import resnet_inspect as ri
from resnet_inspect.reporting.write import PAGE, files

LAYERS = "table[data-table='resnet50/layers']"
ROWS = f"{LAYERS} > tbody > tr:not(.group)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = files([ri.graph("resnet18"), ri.graph("resnet50")])
    path = tmp_path_factory.mktemp("report") / PAGE
    path.write_bytes(made[PAGE])
    return path.as_uri()


class Reader(browsing.Reader):
    """Somebody who reads the report."""

    def names(self) -> list[str]:
        """The layers of the rows that can be seen, from top to bottom."""
        return list(
            self.run(
                "return Array.from(document.querySelectorAll(arguments[0]))"
                ".filter((row) => row.getClientRects().length)"
                ".map((row) => row.cells[0].textContent.trim())",
                ROWS,
            )
        )

    def lit(self) -> tuple[list[str], list[str]]:
        """The rows and the boxes that are lit up."""
        found = self.run(
            "const lit = Array.from(document.querySelectorAll('#resnet50 .lit'));"
            "const rows = lit.filter((e) => e.tagName === 'TR');"
            "const boxes = lit.filter((e) => e.tagName !== 'TR');"
            "return [rows.map((e) => e.cells[0].textContent),"
            "boxes.map((e) => e.querySelector('title').textContent)]"
        )
        return found[0], [title.splitlines()[0] for title in found[1]]

    def box(self, name: str) -> Any:
        """The box of a block or layer in the diagram."""
        return self.run(
            "return Array.from(document.querySelectorAll('#resnet50 .node[data-box]')).find("
            "(node) => node.querySelector('title').textContent.split('\\n')[0] === arguments[0])",
            name,
        )

    def row(self, name: str) -> Any:
        return self.run(
            "return Array.from(document.querySelectorAll(arguments[0])).find("
            "(row) => row.cells[0].textContent.trim() === arguments[1])",
            ROWS,
            name,
        )


@pytest.fixture
def reader(browser: Any, address: str) -> Iterator[Reader]:
    there = Reader(browser)
    there.resize(1280, 900)
    there.emulate()
    browser.get(address)
    yield there
    there.was_left_alone(address)


def layers() -> list[dict[str, Any]]:
    """The rows as the command line has them."""
    return list(ri.table("resnet50", all_ops=False).records())


IN_ORDER = [row["name"] for row in layers()]


def heading(reader: Reader, key: str) -> Any:
    return reader.one(f"{LAYERS} th[data-key='{key}']")


def sort_by(reader: Reader, key: str) -> str | None:
    """Press a heading's button; returns what the heading then says of the order."""
    reader.click(reader.one(f"{LAYERS} th[data-key='{key}'] button"))
    order: str | None = heading(reader, key).get_attribute("aria-sort")
    return order


def test_sorting(reader: Reader) -> None:
    by_macs = sorted(layers(), key=lambda row: row["macs"])
    assert reader.names() == IN_ORDER
    assert sort_by(reader, "macs") == "ascending"
    assert reader.names() == [row["name"] for row in by_macs]
    assert sort_by(reader, "macs") == "descending"
    down = sorted(layers(), key=lambda row: -row["macs"])
    assert reader.names() == [row["name"] for row in down]
    assert sort_by(reader, "macs") is None
    assert reader.names() == IN_ORDER
    # Another heading takes over; shares sort by their exact value, names by the numbers in them.
    sort_by(reader, "macs")
    assert sort_by(reader, "share") == "ascending"
    assert heading(reader, "macs").get_attribute("aria-sort") is None
    assert reader.names() == [row["name"] for row in by_macs]
    assert sort_by(reader, "receptive_field") == "ascending"
    by_field = sorted(layers(), key=lambda row: row["receptive_field"])
    assert reader.names() == [row["name"] for row in by_field]


def test_filtering(reader: Reader) -> None:
    field = reader.one("#resnet50 input[type=search]")
    count = reader.one("#resnet50 output")
    assert count.text == f"{len(IN_ORDER)} rows"
    reader.bring(field)
    field.send_keys("3x3/2 LAYER4")
    assert reader.names() == ["layer4.0.conv2"]
    assert count.text == f"1 of {len(IN_ORDER)} rows"
    # The names of stages without a match are out of the way.
    groups = [group.text.split()[0] for group in reader.all(f"{LAYERS} tr.group")
              if group.is_displayed()]  # fmt: skip
    assert groups == ["layer4"]
    # Sorting and filtering go together.
    field.clear()
    field.send_keys("downsample")
    assert len(reader.names()) == 4
    sort_by(reader, "macs")
    sort_by(reader, "macs")
    assert reader.names()[-1] == "layer1.0.downsample.0"
    assert len(reader.names()) == 4
    field.clear()
    field.send_keys("nothing like it")
    assert reader.names() == []
    for _ in range(20):
        field.send_keys("\b")
    assert len(reader.names()) == len(IN_ORDER)


def test_folding(reader: Reader) -> None:
    stage = reader.one(f"{LAYERS} tbody:nth-of-type(4) tr.group button")
    assert stage.text == "layer3"
    assert stage.get_attribute("aria-expanded") == "true"
    reader.click(stage)
    assert stage.get_attribute("aria-expanded") == "false"
    assert reader.names() == [name for name in IN_ORDER if not name.startswith("layer3")]
    # What is searched for is found in a fold too.
    field = reader.one("#resnet50 input[type=search]")
    field.send_keys("layer3.0.conv1")
    assert reader.names() == ["layer3.0.conv1"]
    field.clear()
    field.send_keys(" \b")
    reader.click(stage)
    assert reader.names() == IN_ORDER
    fold, unfold = reader.all("#resnet50 .tools button")
    reader.click(fold)
    assert reader.names() == []
    assert stage.get_attribute("aria-expanded") == "false"
    # Sorted rows are out of their folds.
    sort_by(reader, "params")
    assert len(reader.names()) == len(IN_ORDER)
    sort_by(reader, "params")
    sort_by(reader, "params")
    assert reader.names() == []
    reader.click(unfold)
    assert reader.names() == IN_ORDER


def test_a_box_shows_its_rows(reader: Reader) -> None:
    reader.point(reader.box("layer2.0"))
    rows, boxes = reader.lit()
    assert rows == ["layer2.0.conv1", "layer2.0.conv2", "layer2.0.conv3"]
    assert boxes == ["layer2.0"]
    # A box that stands for several blocks shows the rows of all of them.
    reader.point(reader.box("layer2.1"))
    rows, _ = reader.lit()
    assert rows == [f"layer2.{n}.conv{m}" for n in (1, 2, 3) for m in (1, 2, 3)]
    reader.point(reader.box("layer2.0, shortcut"))
    assert reader.lit()[0] == ["layer2.0.downsample.0"]
    reader.point(reader.one("#resnet50-title"))
    assert reader.lit() == ([], [])


def test_a_row_shows_its_box(reader: Reader) -> None:
    for name, box in (
        ("layer1.1.conv2", "layer1.1"),
        ("layer3.4.conv1", "layer3.1"),
        ("layer4.0.add", "layer4.0.add"),
        ("fc", "head"),
    ):
        reader.point(reader.row(name))
        rows, boxes = reader.lit()
        assert name in rows
        assert boxes == [box]
        # The box is where it can be seen, in its own pane.
        seen = reader.run(
            "const pane = document.querySelector('#resnet50 .pane').getBoundingClientRect();"
            "const box = document.querySelector('#resnet50 .node.lit').getBoundingClientRect();"
            "return box.top >= pane.top && box.bottom <= pane.bottom"
        )
        assert seen


LANDED = """
const [row, done] = arguments;
const at = () => row.getBoundingClientRect().top;
const settle = (before) => {
  if (at() !== before) return setTimeout(settle, 80, at());
  const cell = row.cells[0].getBoundingClientRect();
  const seen = document.elementFromPoint(cell.left + 12, cell.top + cell.height / 2);
  done([row.contains(seen), seen?.textContent ?? "", row.classList.contains("lit")]);
};
setTimeout(settle, 200, at());
"""


@pytest.mark.parametrize("size", [(1400, 900), (880, 900), (390, 844)])
@pytest.mark.parametrize("name", ["layer1.0", "layer3.1", "layer4.1"])
def test_a_row_that_a_box_leads_to_can_be_seen(
    reader: Reader, name: str, size: tuple[int, int]
) -> None:
    """What lies at its place is the row itself, not a heading or the bar; and it stays lit."""
    reader.resize(*size)
    reader.click(reader.box(name))
    seen, text, lit = reader.browser.execute_async_script(LANDED, reader.row(f"{name}.conv1"))
    assert seen, text
    assert lit


def test_what_was_clicked_stays_lit_until_the_pointer_moves(reader: Reader) -> None:
    box = reader.box("layer2.0")
    reader.click(box)
    assert reader.lit()[0] == ["layer2.0.conv1", "layer2.0.conv2", "layer2.0.conv3"]
    reader.run("document.documentElement.style.scrollBehavior = 'auto'; scrollBy(0, 150)")
    assert reader.lit()[1] == ["layer2.0"]
    reader.point(reader.one("#resnet50-title"))
    assert reader.lit() == ([], [])


def test_a_box_leads_to_its_first_row(reader: Reader) -> None:
    reader.click(reader.one(f"{LAYERS} tbody:nth-of-type(5) tr.group button"))
    assert "layer4.0.conv1" not in reader.names()
    reader.click(reader.box("layer4.0"))
    assert "layer4.0.conv1" in reader.names()
    target = reader.run("return document.querySelector(':target').cells[0].textContent")
    assert target == "layer4.0.conv1"


def test_the_keyboard_does_it_all(reader: Reader) -> None:
    from selenium.webdriver.common.keys import Keys

    # The first stop leads past the contents.
    reader.press(Keys.TAB)
    assert reader.run("return document.activeElement.textContent") == "Skip to the contents"
    # Sorting and folding.
    reader.run(
        "arguments[0].focus()", heading(reader, "macs").find_element("css selector", "button")
    )
    reader.press(Keys.ENTER)
    assert heading(reader, "macs").get_attribute("aria-sort") == "ascending"
    reader.press(Keys.SPACE)
    assert heading(reader, "macs").get_attribute("aria-sort") == "descending"
    reader.press(Keys.ENTER)
    fold = reader.one(f"{LAYERS} tr.group button")
    reader.run("arguments[0].focus()", fold)
    reader.press(Keys.ENTER)
    assert fold.get_attribute("aria-expanded") == "false"
    reader.press(Keys.ENTER)
    # Rows and boxes: arrows go from row to row, focus lights up, Enter leads across.
    reader.run("arguments[0].focus()", reader.one(f"{LAYERS} tbody th a"))
    reader.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert reader.run("return document.activeElement.textContent") == "layer1.0.conv1"
    assert reader.lit()[1] == ["layer1.0"]
    stops = reader.run(
        "return document.querySelectorAll('#resnet50 tbody th a[tabindex=\"0\"]').length"
    )
    assert stops == 1
    reader.press(Keys.ENTER)
    box = reader.run("return document.querySelector(':target').querySelector('title').textContent")
    assert box.splitlines()[0] == "layer1.0"
    reader.run("document.querySelector(':target a').focus()")
    assert "layer1.0.conv2" in reader.lit()[0]


SIZES = {"desktop": (1280, 900), "tablet": (820, 1180), "phone": (390, 844), "small": (320, 640)}


@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_as_wide_as_the_screen(reader: Reader, size: str) -> None:
    reader.resize(*SIZES[size])
    wide, screen = reader.run(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen
    # What is wider than the screen scrolls by itself, and none of its text is cut off.
    cut = reader.run(
        "return Array.from(document.querySelectorAll('main h2, main h3, main p, caption span'))"
        ".filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)"
        ".map((e) => e.textContent)"
    )
    assert cut == []


@pytest.mark.parametrize("size", SIZES)
def test_plots_fit_the_screen_and_can_be_read(reader: Reader, size: str) -> None:
    reader.resize(*SIZES[size])
    plots = reader.run(
        "return Array.from(document.querySelectorAll('svg.plot')).filter((e) => e.clientWidth)"
        ".map((e) => [e.getBoundingClientRect().right, Math.min(...Array.from("
        "e.querySelectorAll('text')).filter((t) => t.textContent)"
        ".map((t) => t.getBoundingClientRect().height))])"
    )
    assert len(plots) == 6  # each is shown once, wide or narrow
    assert all(right <= SIZES[size][0] for right, _ in plots)
    assert all(height > 7 for _, height in plots)


@pytest.mark.parametrize("size", SIZES)
def test_a_wide_table_says_so_and_keeps_its_first_column(reader: Reader, size: str) -> None:
    reader.resize(*SIZES[size])
    tables = reader.run(
        "return Array.from(document.querySelectorAll('.scroll')).map((place) => ["
        "place.scrollWidth > place.clientWidth + 1, place.classList.contains('wide'),"
        "place.classList.contains('more'), getComputedStyle("
        "place.querySelector('caption span'), '::after').content])"
    )
    assert size == "desktop" or any(wide for wide, *_ in tables)
    for wide, says_so, more, words in tables:
        assert says_so == more == wide == ("sideways" in words)
    if size == "desktop":
        return
    place = reader.bring(reader.one("table[data-table='resnet50/stages']"))
    left = "return arguments[0].rows[1].cells[0].getBoundingClientRect().left"
    before = reader.run(left, place)
    reader.run("arguments[0].parentElement.scrollLeft = 1e6", place)
    assert reader.run(left, place) == before
    done = "const [place, done] = arguments; setTimeout(() => done(place.className), 100)"
    classes = reader.browser.execute_async_script(done, reader.run(
        "return arguments[0].parentElement", place))  # fmt: skip
    assert "wide" in classes
    assert "more" not in classes


def test_paper_has_a_sheet_for_each_network_and_no_empty_pages(reader: Reader) -> None:
    reader.emulate(media="print")
    reader.resize(718, 1000)  # what A4 leaves at 96 dots an inch
    places = reader.run(
        "const of = (name) => document.querySelector(`#resnet50 ${name}`).getBoundingClientRect();"
        "const [pane, facts, layers] = [of('.pane'), of('.facts'), of('.layers')];"
        "const sheets = Array.from(document.querySelectorAll('.sheet'));"
        "return [facts.left - pane.right, facts.top - pane.top, layers.top -"
        "Math.max(...sheets.map((sheet) => sheet.getBoundingClientRect().bottom)),"
        "pane.height, facts.height]"
    )
    beside, level, after, *heights = places
    assert beside > 0  # a diagram beside its tables,
    assert abs(level) < 1
    assert after >= 0  # and layers after the sheets of all networks
    assert max(heights) < 960
    reader.emulate()
    printed = reader.browser.execute_cdp_cmd("Page.printToPDF", {})["data"]
    pages = len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed)))
    # Five of tables and plots, two sheets, two of layers: a page break before each part adds four.
    assert pages <= 10


CONTRAST = """
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parts(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const low = [];
const seen = "h1, h2, h3, p, caption span, th, td, th small, a, button, output, input, code";
for (const element of document.querySelectorAll(seen)) {
  if (!element.textContent.trim() || element.closest("svg, .skip")) continue;
  const ink = luminance(parts(getComputedStyle(element).color));
  const page = luminance(behind(element));
  const ratio = (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05);
  if (ratio < 4.5) low.push([element.tagName, element.className, element.textContent, ratio]);
}
return [low.slice(0, 5), getComputedStyle(document.documentElement).backgroundColor];
"""


@pytest.mark.parametrize(("scheme", "page"), [("light", "255, 255, 255"), ("dark", "18, 22, 28")])
def test_text_stands_out_in_light_and_dark(reader: Reader, scheme: str, page: str) -> None:
    reader.emulate(prefers_color_scheme=scheme)
    reader.point(reader.row("layer1.0.conv1"))  # what is lit up reads as well
    low, background = reader.run(CONTRAST)
    assert low == []
    assert page in background


def test_pictures_follow_the_scheme(reader: Reader) -> None:
    fills = (
        "return ['.plot text', '.diagram .node.block text', '.diagram > g > polygon'].map((name) =>"
        "getComputedStyle(document.querySelector(name)).fill)"
    )
    light = reader.run(fills)
    reader.emulate(prefers_color_scheme="dark")
    dark = reader.run(fills)
    assert all(one != other for one, other in zip(light, dark, strict=True))
    # No colour is left without a value.
    unresolved = reader.run(
        "const page = document.documentElement.outerHTML;"
        "const names = new Set(page.match(/var\\(--p[0-9a-f]{6}\\)/g));"
        "const styles = ['.plot', '.diagram'].map((name) =>"
        "getComputedStyle(document.querySelector(name)));"
        "return Array.from(names).filter((name) =>"
        "styles.every((style) => !style.getPropertyValue(name.slice(4, -1))))"
    )
    assert unresolved == []


def test_print(reader: Reader) -> None:
    reader.click(reader.all("#resnet50 .tools button")[0])  # folded on the screen
    assert reader.names() == []
    reader.emulate(media="print", prefers_color_scheme="dark")
    assert reader.names() == IN_ORDER
    assert not reader.one("nav").is_displayed()
    background = reader.run("return getComputedStyle(document.documentElement).backgroundColor")
    assert "255, 255, 255" in background
    hidden = reader.run(
        "return Array.from(document.querySelectorAll('.scroll, .pane')).filter((e) =>"
        "getComputedStyle(e).maxHeight !== 'none').length"
    )
    assert hidden == 0


def test_it_reads_without_scripts(browser: Any, address: str) -> None:
    there = Reader(browser)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        rows = [row.text.split()[0] for row in there.all(ROWS) if row.is_displayed()]
        assert rows == IN_ORDER
        assert there.all("#resnet50 input") == []
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
