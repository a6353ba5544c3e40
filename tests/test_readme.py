"""What the README, in both languages, and docs/ show is what the tool prints; their Python runs.

`pytest --update-golden` writes the output in them anew, as many lines as there are.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.networks.spec import FIELDS
from resnet_inspect.networks.spec_field import SpecField

ROOT = Path(__file__).parent.parent
README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
FIELDS_PAGE = ROOT / "docs" / "fields.md"


def _blocks(language: str) -> list[str]:
    return [
        block
        for page in PAGES
        for block in re.findall(
            rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S
        )
    ]


def test_there_is_something_to_check() -> None:
    assert len(_blocks("console")) >= 3
    assert len(_blocks("python")) >= 1


@pytest.mark.parametrize("block", _blocks("console"), ids=lambda block: block.split("\n")[0][2:])
def test_console_blocks_show_real_output(block: str, request: pytest.FixtureRequest) -> None:
    command, shown = block.split("\n", 1)
    words = shlex.split(command.removeprefix("$ "))
    assert words[0] == "resnet-inspect"
    done = subprocess.run(
        [sys.executable, "-m", "resnet_inspect", *words[1:]],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    printed = "\n".join(line.rstrip() for line in done.stdout.rstrip("\n").split("\n")) + "\n"
    # A line of three dots stands for what is left out.
    parts = shown.split("...\n")
    if request.config.getoption("--update-golden"):
        _rewrite(block, command, printed.splitlines(keepends=True), parts)
        return
    assert printed.startswith(parts[0])
    assert printed.endswith(parts[-1])
    assert len(parts) > 1 or printed == shown


def _rewrite(block: str, command: str, lines: list[str], parts: list[str]) -> None:
    first, last = parts[0].count("\n"), parts[-1].count("\n")
    kept = [*lines[:first], "...\n", *lines[len(lines) - last :]] if len(parts) > 1 else lines
    for page in (*PAGES, CHINESE):
        text = page.read_text(encoding="utf-8")
        if block in text:
            page.write_text(text.replace(block, "".join([f"{command}\n", *kept])), encoding="utf-8")


@pytest.mark.parametrize("block", _blocks("python"), ids=lambda block: block.split("\n")[0])
def test_python_blocks_run(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("block", _blocks("toml"))
def test_toml_blocks_are_networks(block: str, tmp_path: Path) -> None:
    path = tmp_path / "my_network.toml"
    path.write_text(block)
    spec = ri.spec(path)
    assert spec.name == "my_network"
    assert ri.graph(path).stages


def test_fields_of_a_network_are_those_described(request: pytest.FixtureRequest) -> None:
    rows = [f"| `{name}` | {_told(about)} |" for name, about in FIELDS.items()]
    table = "\n".join(["| field | what it says |", "|---|---|", *rows, ""])
    page = FIELDS_PAGE.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        page = page[: page.index("| field")] + table
        FIELDS_PAGE.write_text(page, encoding="utf-8")
    assert page.endswith(f"\n\n{table}")


def _told(about: SpecField) -> str:
    """What the page says of a field: its help, its choices, and what they mean."""
    choices = [
        f"`{choice}` ({about.meanings[choice]})" if choice in about.meanings else f"`{choice}`"
        for choice in about.choices
    ]
    return f"{about.help.removesuffix('.')}: {', '.join(choices)}" if choices else about.help


def test_figures_in_the_prose() -> None:
    difference = [ri.total(ri.graph(name).layers).macs for name in ("resnet50", "resnet50_v1")]
    assert f"{difference[0] - difference[1]:,}" in README.read_text(encoding="utf-8")
    assert ri.receptive_fields(ri.graph("resnet50"))["layer4.2.add"].size == (427, 427)  # type: ignore[union-attr]


def test_ci_runs_the_commands_of_the_readme() -> None:
    page = README.read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("pip install .", "pip install '.[test]'", "pytest -n auto"):
        assert f"\n{command}" in page
        assert command.replace("install", "install -q") in script or command in script


def test_the_chinese_readme_shows_the_same(request: pytest.FixtureRequest) -> None:
    """The same commands, outputs and code, but for comments, and links to the same pages."""

    def shown(text: str) -> list[tuple[str, str]]:
        return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)

    def linked(text: str) -> set[str]:
        found = re.findall(r"\]\(([^)]+)\)|(?:src|href)=\"([^\"]+)", text)
        return {first or second for first, second in found} - {README.name, CHINESE.name}

    english, chinese = (page.read_text(encoding="utf-8") for page in (README, CHINESE))
    if request.config.getoption("--update-golden"):
        for (language, new), (_, old) in zip(shown(english), shown(chinese), strict=True):
            chinese = chinese.replace(old, new) if language == "console" else chinese
        CHINESE.write_text(chinese, encoding="utf-8")
    one, other = ([(x, re.sub(r" *# .*", "", y)) for x, y in shown(t)] for t in (english, chinese))
    assert one == other
    assert linked(chinese) == linked(english)


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in (*PAGES, CHINESE):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (page.parent / target).exists(), target
