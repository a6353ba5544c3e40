"""Files are replaced whole, links and devices are left in place, a suffix names a format."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resnet_inspect.errors import FormatError
from resnet_inspect.files import (
    OutputError,
    check_folder,
    check_writable,
    format_of,
    read_bytes,
    write_bytes,
    write_text,
)


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


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_a_file_is_kept(mode: int, tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("before")
    target.chmod(mode)
    write_text(target, "after")
    assert target.stat().st_mode & 0o777 == mode


def test_a_new_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    write_text(tmp_path / "out.txt", "text")
    (tmp_path / "other.txt").write_text("text")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_several_may_write_one_file(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    failed: list[Exception] = []

    def write(text: str) -> None:
        try:
            for _ in range(50):
                write_text(target, text * 1000)
        except Exception as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(text,)) for text in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    assert len(set(target.read_text())) == 1
    assert list(tmp_path.iterdir()) == [target]


def test_what_lies_under_the_temporary_name_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / f".{bytes(8).hex()}.part").symlink_to(victim)
    with pytest.raises(OutputError, match="file exists"):
        write_text(tmp_path / "out.txt", "text")
    assert victim.read_text() == "mine"


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


@pytest.mark.parametrize(
    "path", ["", ".", "/", "nowhere/out.txt", "x" * 300, "x" * 300 + "/y", "nul\0", "/proc/new"]
)
def test_places_that_cannot_be_written(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="cannot write"):
        write_text(path, "text")
    with pytest.raises(OutputError, match="cannot write"):
        check_writable(path)
    assert list(tmp_path.iterdir()) == []


def test_checking_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("before")
    (tmp_path / "link.txt").symlink_to("there.txt")
    before = sorted(tmp_path.iterdir())
    for name in ("there.txt", "link.txt", "new.txt", "n" * 255):
        check_writable(tmp_path / name)
    check_writable(os.devnull)
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "newer")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.txt").read_text() == "before"


@pytest.mark.parametrize("path", ["file/x", "file", "x" * 300, "/dev/null", "/proc/new", "nul\0"])
def test_folders_that_cannot_be_made(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        check_folder(path)


def test_only_so_much_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(FormatError, match="larger than 4 bytes"):
        read_bytes(path, 4)
    for device in ("/dev/zero", "/dev/full"):
        with pytest.raises(FormatError, match="is a device"):
            read_bytes(device, 5)
    with pytest.raises(FormatError, match="no such file or directory; name another"):
        read_bytes(tmp_path / "missing", 5, "name another")


def test_a_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"text"))
    writer.start()
    assert read_bytes(pipe, 5) == b"text"
    writer.join()


def test_a_name_that_is_no_utf8_can_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / os.fsdecode(b"\xff.txt"), "name \udcff")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"name ?"]


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
