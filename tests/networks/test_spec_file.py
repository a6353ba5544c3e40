"""TOML files from anywhere: a spec, or one line that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.errors import InspectError


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("classes = " + "9" * 5000, "too many digits"),
        ("classes = " + "9" * 4000, "allowed are 1 to"),
        ("classes = 0x" + "f" * 9000, "a number of 36000 bits"),
        ("classes = 1e400", "is inf; give a whole number"),
        ("classes = nan", "is nan; give a whole number"),
        ("classes = -1", "has -1; allowed are"),
        ("classes = 1979-05-27", "is datetime.date(1979, 5, 27); give a whole number"),
        ("classes = true", "is True; give a whole number"),
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("x = '" + "x" * (1 << 20) + "'", "larger than 1048576 bytes"),
        ("base = '" + "r" * 5000 + "'", "unknown network"),
        ("base = 'mine.toml'", "unknown network 'mine.toml'"),
        ("base = 3", "base is 3; give the name"),
        ("blocks = [" + "1," * 100_000 + "]", "blocks"),
        ("[a.b.c]\nd = 1", "a"),
        ("\n".join(f"k{number} = 1" for number in range(9000)), "k0"),
        ("classes", "expected"),
    ],
    ids=lambda text: text[:16],
)
def test_what_cannot_be_a_network(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InspectError) as caught:
        ri.spec(path)
    assert says in str(caught.value)
    assert "mine.toml" in str(caught.value)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"name = '\x80'", b"\0"])
def test_what_is_no_text(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(InspectError, match=r"mine\.toml"):
        ri.spec(path)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfclasses = 10\n", b"classes = 10\r\n"])
def test_texts_of_other_systems(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    assert ri.spec(path).classes == 10
