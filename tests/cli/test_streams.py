"""Standard streams: every encoding takes every table, and no name steers a terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnet_inspect.cli.streams import Careful, unguarded

STEERING = "\x1b]0;title\x07\x1b[31m\u202e\x9b"


def process(*arguments: str, cwd: Path, encoding: str = "utf-8") -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "resnet_inspect", *arguments],
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "100"},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


COMMANDS = [
    "explain resnet50 layer2.0.conv2",
    "table resnet18 --level stage",
    "compare-blocks",
    "diff resnet18 resnet34 --format csv",
    "explain resnet18 conv1 --format html",
    "--help",
]
ENCODINGS = ["ascii", "gbk", "cp1252", "cp437"]


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        # Each command once, and one with many signs in each encoding.
        pytest.param(words, encoding, marks=pytest.mark.slow if at and coded else ())
        for at, words in enumerate(COMMANDS)
        for coded, encoding in enumerate(ENCODINGS)
    ],
)
def test_our_signs_are_ascii_where_a_stream_is_not_utf(
    words: str, encoding: str, tmp_path: Path
) -> None:
    status, out, err = process(*words.split(), cwd=tmp_path, encoding=encoding)
    assert (status, err) == (0, b"")
    assert out.isascii()
    assert b"?" not in out


def test_signs_in_ascii_keep_their_columns(tmp_path: Path) -> None:
    _, out, _ = process("explain", "resnet50", "layer2.0.conv2", cwd=tmp_path, encoding="gbk")
    lines = out.decode().splitlines()
    assert "output height    floor((H + 2p - k) / s) + 1" in lines
    values = [line for line in lines if line.endswith((" 28", "115,605,504", "100,352"))]
    assert len(values) == 4
    assert len(set(map(len, values))) == 1


def test_names_keep_the_letters_that_an_encoding_has(tmp_path: Path) -> None:
    (tmp_path / "n.toml").write_text('base = "resnet18"\nname = "图→é"\n', encoding="utf-8")
    table = ("table", "n.toml", "--level", "network")
    _, chinese, _ = process(*table, cwd=tmp_path, encoding="gbk")
    assert chinese.decode("gbk").startswith("图->é")
    _, ascii_only, _ = process(*table, cwd=tmp_path, encoding="ascii")
    assert ascii_only.startswith(rb"\u56fe->\xe9")
    _, exact, _ = process(*table, "--format", "json", cwd=tmp_path, encoding="cp1252")
    assert json.loads(exact.decode("ascii"))["model"] == "图→é"


def test_files_are_utf_8_whatever_the_stream(tmp_path: Path) -> None:
    process("explain", "resnet18", "conv1", "-o", "x.txt", cwd=tmp_path, encoding="ascii")
    assert "⌊" in (tmp_path / "x.txt").read_text(encoding="utf-8")


def test_names_never_steer_a_terminal(tmp_path: Path) -> None:
    name = json.dumps(STEERING)
    (tmp_path / "n.toml").write_text(f'base = "resnet18"\nname = {name}\n', encoding="utf-8")
    (tmp_path / "bad.toml").write_text(f"{name} = 1\n", encoding="utf-8")
    for words in (
        ["table", "n.toml", "--level", "network"],
        *(["table", "n.toml", "--format", kind] for kind in ("json", "csv", "markdown", "html")),
        ["compare", "n.toml", "resnet18"],
        ["diff", "n.toml", "resnet18"],
        ["diagram", "n.toml"],
        ["table", "bad.toml"],
        ["table", f"{STEERING}.toml"],
        ["table", "resnet18", "--args", STEERING],
        ["roofline", "resnet18", "--device", STEERING],
    ):
        _, out, err = process(*words, cwd=tmp_path)
        for char in "\x1b\x07\x9b\u202e":
            assert char not in out.decode() + err.decode(), words


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        "table resnet18",
        "table resnet18 --format csv",
        "diagram resnet18",
        "--help",
        "plot blocks -o -",
    ],
)
def test_a_full_stdout_is_one_line(words: str) -> None:
    command = [sys.executable, "-m", "resnet_inspect", *words.split()]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=-1, text=True, check=False)
    *waiting, line = done.stderr.splitlines()
    assert done.returncode == 2
    assert line == "resnet-inspect: cannot write to standard output: no space left on device"
    assert all(said.endswith(" ..") for said in waiting)  # on a slow machine


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("words", "closed", "status"),
    [("table resnet18", 1, 0), ("diagram resnet18", 1, 0), ("tabel", 2, 2)],
)
def test_a_closed_stream_is_no_crash(words: str, closed: int, status: int) -> None:
    command = f"{sys.executable} -m resnet_inspect {words} {closed}>&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_no_code_closes_a_guarded_stream() -> None:
    buffer = io.StringIO()
    Careful(buffer).close()
    assert not buffer.closed


def test_whoever_prints_is_guarded_but_rich() -> None:
    stream = io.StringIO()
    careful = Careful(stream)
    careful.write("a\x1b[0m\n")
    careful.writelines(["b\u202e"])
    assert stream.getvalue() == "a\\x1b[0m\nb\\u202e"
    assert unguarded(careful) is unguarded(stream) is stream  # type: ignore[arg-type]
