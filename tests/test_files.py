"""Files are replaced whole, links and devices are left in place, a suffix names a format."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resnet_inspect.errors import FormatError
from resnet_inspect.files import OutputError, format_of, write_bytes, write_text


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("before, and longer")
    write_text(target, "K\u2083")
    assert target.read_bytes() == b"K\xe2\x82\x83"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "out.txt"
    target.write_text("before")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="no space left on device"):
        write_text(target, "after")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_what_a_link_points_to_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "real" / "out.txt", tmp_path / "link.txt"
    target.parent.mkdir()
    target.write_text("before")
    (tmp_path / "again.txt").symlink_to("real/out.txt")
    link.symlink_to(tmp_path / "again.txt")
    write_text(link, "after")
    assert link.is_symlink()
    assert target.read_text() == "after"
    assert list(target.parent.iterdir()) == [target]


def test_a_link_to_nothing_makes_the_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new").read_text() == "text"


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="symbolic links"):
        write_text(tmp_path / "a", "text")


@pytest.mark.parametrize("path", ["", ".", "/", "nowhere/out.txt"])
def test_places_that_cannot_be_written(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="cannot write"):
        write_text(path, "text")
    assert list(tmp_path.iterdir()) == []


def test_a_named_pipe_is_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"text")
    reader.join()
    assert read == [b"text"]
    assert pipe.is_fifo()


def test_a_device_is_written_through() -> None:
    write_bytes(os.devnull, b"text")
    assert Path(os.devnull).is_char_device()


WRITE = """
import sys
from resnet_inspect.files import write_text
print("before")
write_text(sys.argv[1], "\u00d7\\n")
print("after")
"""


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/proc/self/fd/1", "/dev/fd/1", "link.csv"])
@pytest.mark.parametrize("into", ["file", "pipe"])
def test_stdout_is_written_through(name: str, into: str, tmp_path: Path) -> None:
    """A link to /proc/self/fd/1 is what /dev/stdout is: it stays, and stdout goes on behind."""
    link = tmp_path / "link.csv"
    link.symlink_to("/proc/self/fd/1")
    command = [sys.executable, "-c", WRITE, name]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    if into == "pipe":
        piped = subprocess.run(command, check=True, cwd=tmp_path, env=environment, stdout=-1)
        written = piped.stdout
    else:
        with open(tmp_path / "out.txt", "wb") as out:
            subprocess.run(command, check=True, cwd=tmp_path, env=environment, stdout=out)
        written = (tmp_path / "out.txt").read_bytes()
    assert written == "before\n\u00d7\nafter\n".encode()
    assert os.readlink(link) == "/proc/self/fd/1"


def test_a_suffix_is_a_format() -> None:
    known = {".md": "markdown", ".tex": "latex"}
    assert format_of("a.b/OUT.MD", known) == "markdown"
    for path in ("out", "out.svg", "-", ".md"):
        with pytest.raises(FormatError, match=r"use \.md, \.tex, or give a format"):
            format_of(path, known)
