"""The report in a browser: it sorts, filters, folds, ties boxes to rows, and asks for nothing.

Driven by selenium in Chromium without a screen. Where no Chromium is installed (Debian: apt-get
install chromium chromium-driver) these tests are skipped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

import resnet_inspect as ri
from resnet_inspect.reporting.write import PAGE, files

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="no Chromium, or no chromedriver: apt-get install chromium chromium-driver",
)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)

LAYERS = "table[data-table='resnet50/layers']"
ROWS = f"{LAYERS} > tbody > tr:not(.group)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = files([ri.graph("resnet18"), ri.graph("resnet50")])
    path = tmp_path_factory.mktemp("report") / PAGE
    path.write_bytes(made[PAGE])
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


class Reader:
    """Somebody who reads the page."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def all(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def bring(self, element: Any) -> Any:
        """Scroll an element into sight, below the bar at the top."""
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        return element

    def click(self, element: Any) -> None:
        self.bring(element)
        element.click()

    def point(self, element: Any) -> None:
        """Move the mouse over an element."""
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).move_to_element(self.bring(element)).perform()

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def emulate(self, **features: str) -> None:
        """Media features, such as prefers_color_scheme='dark', and the medium itself."""
        medium = features.pop("media", "")
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": medium, "features": listed}
        )

    def resize(self, width: int, height: int) -> None:
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

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
    browser.get_log("browser")
    browser.get_log("performance")
    there.resize(1280, 900)
    there.emulate()
    browser.get(address)
    yield there
    # Whatever was done: no complaint on the console, and no request but for the page itself.
    assert browser.get_log("browser") == []
    requests = [
        message["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith(("data:", address))] == []
    assert any(url.startswith(address) for url in requests)


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
