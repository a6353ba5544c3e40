"""Where a number that somebody printed comes from."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

import resnet_inspect as ri


def _answers(model: ri.Model, total: str) -> list[tuple[object, ...]]:
    return [
        (row["model"], row["input"], row["total"], row["counted"])
        for row in ri.find_total(model, total).records()
    ]


@pytest.mark.parametrize(
    ("model", "total", "answer"),
    [
        ("resnet50", "4.12G", ("resnet50", "3x224x224", 4121925096, "ptflops macs 0.6")),
        ("resnet18", "1,819,065,856", ("resnet18", "3x224x224", 1819065856, "fvcore")),
        ("resnet50", "25.56M", ("resnet50", "3x224x224", 25557032, "parameters")),
        ("resnet50", "3.858 GMACs", ("resnet50[stride_in=1x1]", "3x224x224", 3857973248, "MACs")),
        ("resnet50", "8.2 GFLOPs", ("resnet50", "3x224x224", 8178368512, "torch FLOPs (forward)")),
        ("resnet50", "5.34e", None),
        ("resnet50", "7.8G", ("resnet101", "3x224x224", 7801405440, "resnet-inspect MACs")),
        ("resnet50_v1", "4.089G", ("resnet50", "3x224x224", 4089184256, "resnet-inspect MACs")),
        ("resnet50", "5.34G", ("resnet50", "3x256x256", 5340348416, "resnet-inspect MACs")),
        ("resnet50", "23.5M", ("resnet50[classes=10]", "3x224x224", 23528522, "parameters")),
    ],
)
def test_the_network_and_the_counter_are_found(
    model: str, total: str, answer: tuple[str, str, int, str] | None
) -> None:
    if answer is None:
        with pytest.raises(ri.InspectError, match="is not a total; give one such as"):
            ri.find_total(model, total)
        return
    name, size, count, counter = answer
    found = [row for row in _answers(model, total) if row[:3] == (name, size, count)]
    assert len(found) == 1
    assert counter in str(found[0][3])


def test_what_the_network_itself_gives_comes_first() -> None:
    first, *_ = _answers("resnet50", "4.1G")
    assert first[:2] == ("resnet50", "3x224x224")


def test_what_nobody_counts_gets_the_nearest() -> None:
    table = ri.find_total("resnet50", "4.7001G")
    assert table.meta["found"] == 0
    errors = [abs(row["total"] / 4.7001e9 - 1) for row in table.records()]
    assert [row["difference"] for row in table.records()] == pytest.approx(
        [row["total"] / 4.7001e9 - 1 for row in table.records()]
    )
    assert max(errors) < 0.1
    assert "these are the nearest" in str(table)


def test_what_is_near_nothing_has_no_distance() -> None:
    said = " ".join(str(ri.find_total("resnet18", "1")).split())
    assert "is near 1; for billions or millions, give 1G or 1M" in said
    assert "%" not in said


def test_a_traced_network_is_counted_as_it_is() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.ReLU())
    rows = _answers(ri.graph(model, (3, 10, 10)), "13,824")
    assert rows[0][2] == 3 * 8 * 9 * 64
    assert "torch" in str(ri.find_total(ri.graph(model, (3, 10, 10)), "27648"))


@pytest.mark.parametrize("text", ["", "G", "4.12", "0", "4.12T", "-3", "four"])
def test_what_is_no_total(text: str) -> None:
    with pytest.raises(ri.InspectError):
        ri.find_total("resnet18", text)


def test_the_command() -> None:
    command = [sys.executable, "-m", "resnet_inspect", "reconcile", "resnet50", "--total"]
    done = subprocess.run([*command, "4.12G"], capture_output=True, text=True, check=True)
    assert "4,121,925,096" in done.stdout
    for arguments in (["4.12"], ["4.12G", "--only", "why"], ["4.12G", "--batch", "2"]):
        refused = subprocess.run([*command, *arguments], capture_output=True, text=True)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "Traceback" not in refused.stderr
