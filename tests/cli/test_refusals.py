"""What a command line cannot use is answered in one line, with status 2, and nothing is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resnet_inspect.cli.main import run as cli

LONG = "x" * 300

FOREIGN = os.fsdecode(b"a\xff")

DIGITS = "1" + "0" * 400

BENCH = ("bench", "tiny.toml", "--device", "cpu", "--budget", "0.05", "--record", "new.jsonl")

TINY = (
    'blocks = [1]\nwidths = [4]\nstem = "3x3"\nstem_width = 4\nclasses = 2\ninput_size = [8, 8]\n'
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "folder").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = sorted(os.listdir())
    assert cli(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) < 420
    assert sorted(os.listdir()) == before
    return line


NUMBERS = [DIGITS, "9" * 5000, str(2**63), "-1", "0", "nan", "1e400", "²"]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda text: text[:8])
@pytest.mark.parametrize(
    "command",
    [
        ("table", "resnet18", "--batch"),
        ("table", "--depth"),
        ("table", "resnet18", "--classes"),
        ("compare", "resnet18", "resnet34", "--batch"),
        ("reconcile", "resnet18", "--no-measure", "--batch"),
        ("report", "resnet18", "-o", "new", "--batch"),
        ("roofline", "resnet18", "--batch"),
        ("device", "--device", "cpu", "--threads"),
        ("ladder", "tiny.toml", "--device", "cpu", "--record", "new.jsonl", "--batch"),
        (*BENCH, "--batch"),
        (*BENCH, "--threads"),
        (*BENCH, "--half-width"),
    ],
    ids=lambda words: f"{words[0]}{words[-1]}",
)
def test_numbers_that_nothing_can_have(
    command: tuple[str, ...], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, *command, number)


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "1e400", "-1", "0", "1e300", "x"])
def test_budgets_that_never_end(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, *BENCH, "--budget", seconds)


@pytest.mark.parametrize("network", ["resnet18", "torch.nn:ReLU"])
@pytest.mark.parametrize("size", [DIGITS, "9" * 5000, str(2**31), "0", "-1"], ids=lambda s: s[:8])
@pytest.mark.parametrize(
    "command",
    [("table",), ("diagram", "--format", "dot"), ("explain",), ("plot", "field")],
    ids=str,
)
def test_inputs_of_no_size(
    command: tuple[str, ...], size: str, network: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, *command, network, "--input", f"3x{size}x{size}")


PLACES = [
    LONG,
    f"{LONG}.csv",
    f"{LONG}/x.csv",
    "folder",
    "/",
    "loop",
    "nowhere/x.csv",
    "tiny.toml/x",
]


@pytest.mark.parametrize("place", PLACES, ids=lambda text: text[-9:])
@pytest.mark.parametrize(
    "command",
    [
        ("table", "resnet18", "--format", "csv", "-o"),
        ("diagram", "resnet18", "--format", "dot", "-o"),
        (*BENCH, "--format", "csv", "-o"),
        ("device", "--device", "cpu", "--format", "csv", "-o"),
        (*BENCH[:-1],),
    ],
    ids=lambda words: f"{words[0]}{words[-1]}",
)
def test_files_that_cannot_be_written(
    command: tuple[str, ...], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, *command, place)


@pytest.mark.parametrize(
    "folder", [LONG, "tiny.toml", "tiny.toml/x", "loop", "/dev/null", "/proc/x"]
)
def test_folders_that_cannot_be_made(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, *BENCH, "--plots", folder)
    refused(capsys, "report", "resnet20_cifar", "-o", folder)


def test_reports_into_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds files" in refused(capsys, "report", "resnet20_cifar", "-o", "/")
    assert "stdout" in refused(capsys, "report", "resnet20_cifar", "-o", "-")


@pytest.mark.parametrize("record", ["/dev/full", "/dev/zero", "folder", "loop", LONG, FOREIGN])
def test_records_that_are_no_files(record: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, "results", record)
    refused(capsys, "roofline", "resnet18", "--ceilings", record)
    if record != FOREIGN:
        refused(capsys, *BENCH[:-1], record)


@pytest.mark.parametrize("word", [LONG, FOREIGN, "9" * 5000], ids=lambda text: ascii(text[:8]))
@pytest.mark.parametrize(
    "command",
    [
        ("table",),
        ("diff", "resnet18"),
        ("explain", "resnet18"),
        ("table", "resnet18", "--level"),
        ("table", "resnet18", "--format"),
        ("models", "--family"),
        (*BENCH, "--mode"),
        (*BENCH, "--dtype"),
        (*BENCH, "--device"),
        (),
    ],
    ids=lambda words: f"{[*words, ''][0]}{[*words, ''][-1]}",
)
def test_words_that_mean_nothing(
    command: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, *command, word)


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        ("table botnet26t_256 --input 3x224x224 --level network", "or set input_size to yours"),
        ("models --like nope", "unknown network 'nope'; give part of a name and *"),
        ("models --family foo", "unknown family 'foo'; 'resnet-inspect models' names"),
        ("forecast resnet18", "'resnet-inspect devices'"),
        (
            "table halonet26t --output-stride 8",
            "none,none,halo2/2,halo2; it needs no self_attention",
        ),
    ],
)
def test_a_way_out(words: str, way_out: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert way_out in refused(capsys, *words.split())


def test_a_long_value_keeps_its_ends(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "table", "a" * 200 + "b" * 200)
    assert f"unknown network '{'a' * 49}...{'b' * 49}'" in line


def test_all_columns_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["table", "resnet18", "--columns", "xyz"]) == 2
    assert "choose from name, path, op, " in capsys.readouterr().err


def test_several_tables_in_one_csv_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["compare", "resnet18", "resnet34", "--format", "csv"]) == 0
    assert "its first column tells apart: cost, memory, stage, where" in capsys.readouterr().err
    assert cli(["compare", "resnet18", "resnet34", "--format", "csv", "--only", "cost"]) == 0
    assert capsys.readouterr().err == ""
