"""What --help shows, at 80 columns, and what the shell completes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from resnet_inspect.cli.app import COMMANDS, PANELS, app
from resnet_inspect.cli.completion import SHELLS
from resnet_inspect.cli.main import run
from resnet_inspect.cli.network_options import Network, network_options
from resnet_inspect.cli.parameters import Argument, Option, command
from resnet_inspect.networks.spec import FIELDS, ResNetSpec
from resnet_inspect.networks.spec_field import SpecField, described, of_network

Help = Callable[..., list[str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Help:
    """The lines of a command's help in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def lines(*arguments: str) -> list[str]:
        assert run([*arguments, "--help"]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        assert "\x1b" not in printed.out
        return printed.out.splitlines()

    return lines


def options() -> Iterator[tuple[str, Option | Argument]]:
    """Every parameter of every command that takes known words."""
    context = click.Context(app)
    for name in COMMANDS:
        found = app.get_command(context, name)
        assert found is not None
        for param in found.params:
            if isinstance(param, (Option, Argument)) and param.words is not None:
                yield name, param


def test_commands_are_grouped_one_line_each(shown: Help) -> None:
    lines = shown()
    titles = [line.split()[1] for line in lines if line.startswith("╭")]
    assert titles == [*PANELS, "Options"]
    names = [line.split()[1] for line in lines if line.startswith("│ ") and line[2].islower()]
    assert names == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_and_its_examples_are_whole(name: str, shown: Help) -> None:
    lines = shown(name)
    assert max(map(len, lines)) <= 80
    found = app.get_command(click.Context(app), name)
    assert found is not None
    text = [line.strip() for line in str(found.help).splitlines()]
    examples = [line for line in text if line.startswith("resnet-inspect ")]
    assert examples
    assert [line.strip() for line in lines if line.startswith(" resnet-inspect ")] == examples
    assert f"Usage: resnet-inspect {name} [OPTIONS]" in lines[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_is_explained(name: str) -> None:
    found = app.get_command(click.Context(app), name)
    assert found is not None
    for param in found.params:
        assert param.help, param.name
        assert not {"WORD", "TEXT"} & {param.metavar} or param.name == "name"


def test_help_lists_the_words_once(shown: Help) -> None:
    text = " ".join(" ".join(shown("diagram")).replace("│", " ").split())
    for words in (
        "stage, block, conv, layer.",
        "TB, LR.",
        "light, dark, print.",
        "A, B, C, D, identity, none.",
    ):
        assert text.count(words) == 1
    text = " ".join(" ".join(shown("table")).replace("│", " ").split())
    assert "[default: what the network is published for]" in text
    assert "[default: by the suffix of -o, else terminal]" in text
    assert "Off: --no-stem-pool." in text


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider(ResNetSpec):
    """A spec with one field more."""

    omit: str = of_network("none", "What to omit.", ("none", "half"))


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> SpecField:
    field = described(Wider)["omit"]
    monkeypatch.setitem(FIELDS, "omit", field)
    return field


def test_an_added_field_is_an_option(added: SpecField) -> None:
    seen: list[Network] = []
    probe = command("probe")(network_options(lambda network: seen.append(network)))
    probe.main(["resnet18", "--omit", "half"], standalone_mode=False)
    assert seen[0].fields == {"omit": "half"}
    (param,) = (param for param in probe.params if param.name == "omit")
    assert isinstance(param, Option)
    assert param.words == ("none", "half")
    assert completed("compare resnet18 resnet18[om") == ["resnet18[omit="]
    assert completed("compare resnet18[omit=") == ["resnet18[omit=none", "resnet18[omit=half"]


# --- completion ---------------------------------------------------------------------------------


def completed(line: str) -> list[str]:
    """What a shell offers for the last word of a line."""
    *words, last = line.split(" ")
    complete = ShellComplete(app, {}, "resnet-inspect", "_RESNET_INSPECT_COMPLETE")
    return [item.value for item in complete.get_completions(words, last)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tab", ["table"]),
        (
            "table resnet15",
            [f"resnet152{ending}" for ending in ("", "c", "d", "s", "_v1", "_cifar10")],
        ),
        ("table --level st", ["stage"]),
        ("table --columns name,receptive", ["name,receptive_field"]),
        ("table --depth 15", ["152"]),
        ("table --convention fvc", ["fvcore", "fvcore-train"]),
        ("table --format la", ["latex"]),
        ("table --activation l", ["leaky_relu"]),
        ("table --bias stem,re", ["stem,residual"]),
        (
            "compare resnet18 resnet50[sho",
            ["resnet50[shortcut=", "resnet50[shortcut_kernel=", "resnet50[shortcut_norm="],
        ),
        ("compare resnet50[stem=deep,order=pr", ["resnet50[stem=deep,order=pre"]),
        ("compare resnet50[stem_pool=", ["resnet50[stem_pool=yes", "resnet50[stem_pool=no"]),
        ("compare resnet50[classes=", []),
        ("explain resnet18 layer4.1.c", ["layer4.1.conv1", "layer4.1.conv2"]),
        ("explain my_network.toml la", []),
        ("diagram block b", ["basic", "bottleneck"]),
        ("diagram --theme p", ["print"]),
        ("plot st", ["stages"]),
        ("bench resnet18 --mode eager,comp", ["eager,compile", "eager,compile+cudagraph"]),
        ("bench resnet18 --dtype b", ["bf16"]),
        ("models --family resnet", ["resnet", "resnet-v1"]),
    ],
)  # fmt: skip
def test_known_words_are_completed(line: str, words: list[str]) -> None:
    assert sorted(completed(line)) == sorted(words)


def test_every_word_that_is_listed_is_completed() -> None:
    for name, param in options():
        words = list(param.words() if callable(param.words) else param.words or ())
        items: list[Any] = param.shell_complete(click.Context(app), "")
        assert [item.value for item in items] == words, (name, param.name)


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_installed_once(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    path, line = SHELLS[shell]
    for arguments in (["--install-completion"], ["--install-completion", shell]):
        assert run(arguments) == 0
        assert str(tmp_path / path) in capsys.readouterr().out
    assert (tmp_path / path).read_text() == f"{line}\n"
    assert run(["--install-completion", "tcsh"]) == 2
    assert "unknown shell 'tcsh'" in capsys.readouterr().err
