"""The argument for residual functions, in numbers."""

from __future__ import annotations

import pytest

import resnet_inspect as ri
from resnet_inspect.cli.main import run
from resnet_inspect.errors import InspectError


def test_a_small_change_of_h_is_a_large_one_of_f() -> None:
    rows = {row["quantity"]: row for row in ri.explain("residual").records()}
    changed = rows["what that changes"]
    assert changed["plain"] == "5.1 -> 5.2, 2%"
    assert changed["residual"] == "0.1 -> 0.2, 100%"
    assert rows["variance through 20 blocks, no norm"]["residual"] == "× 1,048,576"
    assert rows["variance through 20 blocks, batch norm"]["residual"] == "× 14.6"
    gradient = rows["gradient² through 20 blocks"]
    assert gradient["residual"] == "× 181"
    assert gradient["plain"] == f"× {(3.141592653589793 / 2.141592653589793) ** 40:,.0f}"


def test_the_command_takes_the_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "residual"]) == 0
    assert "H(x) = F(x) + x" in capsys.readouterr().out


def test_a_network_still_needs_a_layer() -> None:
    with pytest.raises(InspectError, match="no layer; name a layer or block"):
        ri.explain("resnet18")
