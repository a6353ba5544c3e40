"""docs/which-flops.md holds what the tool prints; `pytest --update-golden` writes it anew."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.cli.main import run as run_cli

PAGE = Path(__file__).parent.parent / "docs" / "which-flops.md"
_BLOCK = re.compile(r"<!-- (resnet-inspect .*?) -->\n(.*?)<!-- end -->\n", re.S)


def test_the_tables_are_what_the_tool_prints(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(match: re.Match[str]) -> str:
        assert run_cli(shlex.split(match[1])[1:]) == 0
        return f"<!-- {match[1]} -->\n{capsys.readouterr().out}<!-- end -->\n"

    page = PAGE.read_text(encoding="utf-8")
    written, blocks = _BLOCK.subn(printed, page)
    assert blocks == 3
    if request.config.getoption("--update-golden"):
        PAGE.write_text(written, encoding="utf-8", newline="\n")
    assert written == PAGE.read_text(encoding="utf-8")


def _totals(model: str) -> dict[str, int]:
    rows = ri.reconcile(model, measure=False)["counters"].rows
    return {str(row["label"]): int(str(row["total"])) for row in rows}


def test_the_figures_of_the_prose() -> None:
    page, totals = PAGE.read_text(encoding="utf-8"), _totals("resnet50")
    for label, figure in (
        ("torchvision GFLOPS", "4.09"),
        ("timm infer_gmacs", "4.11"),
        ("fvcore flops", "4.11"),
        ("ptflops macs (pytorch)", "4.13"),
        ("torch FLOPs (forward)", "8.18"),
        ("DeepSpeed flops", "8.21"),
    ):
        assert figure == f"{totals[label] / 1e9:.2f}"
        assert figure in page
    macs, stride = totals["resnet-inspect MACs"], 231_211_008
    assert totals["He 2015, Table 1"] == macs - stride
    assert f"{stride:,} " in page
    assert f": {100 * stride / macs:.0f}% of ResNet-50" in page
    assert f"up to {100 * (totals['fvcore flops (train)'] / macs - 1):.1f}%" in page
    grouped = _totals("resnext50_32x4d")
    times = grouped["torch FLOPs (training)"] / grouped["torch FLOPs (forward)"]
    assert f"to {times:.1f} times its forward pass" in page


def test_memory_of_the_prose() -> None:
    kept, theirs = (row["total"] for row in ri.reconcile("resnet50", measure=False)["memory"].rows)
    assert 2 * int(str(kept)) < int(str(theirs))
