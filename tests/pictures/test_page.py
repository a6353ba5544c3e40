"""Diagrams on paper: their size, their columns, and text that can be read."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET

import pytest
from families import one_of_each_family

from resnet_inspect import diagram
from resnet_inspect.errors import InspectError
from resnet_inspect.pictures.diagrams.diagram import Diagram
from resnet_inspect.pictures.diagrams.measure import lines_size, words_width
from resnet_inspect.pictures.diagrams.page import PAGE
from resnet_inspect.pictures.diagrams.scene import Text
from resnet_inspect.pictures.page_size import INCH, LEAST_TEXT, PageSize, page_size

SVG = "{http://www.w3.org/2000/svg}"


def shown(drawn: Diagram) -> tuple[float, float, float]:
    """Width and height of a picture on paper, and its smallest text, all in points."""
    root = ET.fromstring(drawn.render("svg"))
    width, height = (float(root.get(side, "").removesuffix("pt")) for side in ("width", "height"))
    across = float(root.get("viewBox", "").split()[2])
    sizes = [float(text.get("font-size", 0)) for text in root.iter(f"{SVG}text")]
    return width, height, min(sizes) * width / across


@pytest.mark.parametrize("level", ["stage", "block", "conv"])
@pytest.mark.parametrize("name", one_of_each_family())
def test_text_can_be_read_on_a_page(name: str, level: str) -> None:
    drawn = diagram(name, level=level, size="7in")
    width, _, smallest = shown(drawn)
    assert width == pytest.approx(7 * INCH, abs=0.01)
    assert smallest >= LEAST_TEXT - 1e-9
    assert drawn.sheet.notes == ()


def test_resnet_152_fits_a_column_of_a_paper() -> None:
    width, height, smallest = shown(diagram("resnet152", size="3.3in"))
    assert width == pytest.approx(3.3 * INCH, abs=0.01)
    assert height <= PAGE + 0.01
    assert smallest >= LEAST_TEXT - 1e-9


def test_resnet_50_fits_a_page_convolution_by_convolution() -> None:
    drawn = diagram("resnet50", level="conv", size="7inx9.5in")
    width, height, smallest = shown(drawn)
    assert width == pytest.approx(7 * INCH, abs=0.01)
    assert height <= 9.5 * INCH
    assert smallest > LEAST_TEXT
    assert len(drawn.sheet.scene.drawings[0].root.parts) > 1  # it wraps by itself


def test_what_cannot_be_read_is_said_with_a_way_out() -> None:
    look = {"level": "layer", "expand": True, "size": "2inx3in", "direction": "LR"}
    (words,) = diagram("resnet50", columns=2, **look).sheet.notes
    assert re.match(r"the smallest text is \d\.\d points high at this size, below the 6 ", words)
    assert all(way in words for way in ("--level", "--direction TB", "--columns", "--size"))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("3.3in", PageSize(3.3 * INCH)),
        ("8 cm", PageSize(8 * INCH / 2.54)),
        ("7inx9.5in", PageSize(7 * INCH, 9.5 * INCH)),
        ("120mm × 200pt", PageSize(120 * INCH / 25.4, 200)),
    ],
)
def test_sizes_are_read(text: str, size: PageSize) -> None:
    found = page_size(text)
    assert found.width == pytest.approx(size.width)
    assert found.height == (pytest.approx(size.height) if size.height else None)


@pytest.mark.parametrize("text", ["", "3.3", "in", "3.3 inches", "7inx", "1inx1inx1in", "-3in"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InspectError, match="is no size of a picture; give its width, as in 3"):
        page_size(text)


@pytest.mark.parametrize("text", ["0.2in", "3inx200in"])
def test_sizes_that_no_page_has_are_refused(text: str) -> None:
    with pytest.raises(InspectError, match=r"is out of bounds; sides are 0\.5in to 100in"):
        page_size(text)


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_stages_wrap_into_columns(direction: str) -> None:
    plain, *wrapped = (
        diagram("resnet50", direction=direction, columns=count).sheet for count in (1, 2, 3)
    )
    for count, sheet in enumerate(wrapped, start=2):
        assert len(sheet.scene.drawings[0].root.parts) == count
        assert sheet.placed[0].boxes.keys() == plain.placed[0].boxes.keys()
        assert len(sheet.placed[0].paths) == len(plain.placed[0].paths)
        if direction == "TB":
            assert sheet.height < plain.height < count * sheet.height
        else:
            assert sheet.width < plain.width < count * sheet.width


def test_columns_that_cannot_be() -> None:
    with pytest.raises(InspectError, match="0 columns; give 1 or more"):
        diagram("resnet18", columns=0)
    (words,) = diagram("resnet18", level="stage", columns=40).sheet.notes
    assert words.startswith("this picture wraps into no more columns than ")
    (words,) = diagram("resnet18", "resnet34", columns=2).sheet.notes
    assert words == "networks side by side do not wrap into columns"


def test_a_picture_keeps_its_words_where_it_wraps() -> None:
    """An edge that a lane passes keeps the stages that it joins in one column."""
    sheet = diagram("resnet18", level="conv", columns=3).sheet
    assert {path.edge.label for path in sheet.placed[0].paths} == {
        path.edge.label for path in diagram("resnet18", level="conv").sheet.placed[0].paths
    }


@pytest.mark.parametrize("dpi", [None, 300])
def test_bitmaps_know_their_size(dpi: int | None) -> None:
    drawn = diagram("resnet18", level="stage", size="3in")
    png = drawn.render("png", dpi=dpi)
    width, height = struct.unpack_from(">II", png, 16)
    assert abs(width - 3 * (dpi or 144)) <= 2
    assert abs(height - drawn.sheet.shown.height / INCH * (dpi or 144)) < 0.03 * height
    at = png.index(b"pHYs")
    across, down, metres = struct.unpack_from(">IIB", png, at + 4)
    assert across == down == round((dpi or 144) / 0.0254)
    assert metres == 1


def test_pdf_has_the_size_asked_for() -> None:
    pdf = diagram("resnet18", size="8cm").render("pdf")
    box = re.search(rb"/MediaBox \[ 0 0 (\S+) (\S+) \]", pdf)
    assert box
    assert float(box[1]) == pytest.approx(8 * INCH / 2.54, abs=1)


def test_text_is_measured_as_the_font_has_it() -> None:
    assert words_width("0" * 10, 10) == pytest.approx(55.6, abs=0.1)
    assert words_width("×", 12) == pytest.approx(12 * 0.584, abs=0.1)
    assert words_width("conv", 12, heavy=True) > words_width("conv", 12)
    assert words_width("网", 10) == 10
    assert lines_size(((Text("a", 10),), (Text("b", 20),))).height == pytest.approx(36)
