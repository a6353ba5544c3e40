"""The pictures under reports/diagrams are what their commands draw."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from resnet_inspect.cli.main import run

FOLDER = Path(__file__).parents[2] / "reports" / "diagrams"
COMMANDS = {
    line[-1]: line
    for line in map(
        shlex.split,
        re.findall(r"`(resnet-inspect diagram .*?)`", (FOLDER / "README.md").read_text()),
    )
}


def said(svg: Path) -> Counter[str]:
    """Texts, names and tooltips: all that does not hang on where Graphviz puts things."""
    words: Counter[str] = Counter()
    for element in ET.parse(svg).iter():
        if element.tag.endswith(("}text", "}title")):
            words["".join(element.itertext())] += 1
        words.update(
            value
            for key, value in element.attrib.items()
            if key == "class" or key.endswith("}title")
        )
    return words


def test_every_picture_has_its_command() -> None:
    assert set(COMMANDS) == {path.name for path in FOLDER.glob("*.svg")}
    assert len(COMMANDS) == 6


@pytest.mark.parametrize("name", COMMANDS)
def test_pictures_are_fresh(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if "torchvision" in COMMANDS[name][2]:
        request.getfixturevalue("torchvision")
    drawn = tmp_path / name
    assert run([*COMMANDS[name][1:-1], str(drawn)]) == 0
    assert said(drawn) == said(FOLDER / name)
