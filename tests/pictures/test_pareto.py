"""The plot of accuracy against cost."""

from __future__ import annotations

import re

import pytest

import resnet_inspect as ri
from resnet_inspect.errors import InspectError


@pytest.mark.parametrize("x", ["macs", "params", "throughput"])
def test_all_on_the_front_are_labelled_and_nothing_else(x: str) -> None:
    settings = {"under": "params=12M"} | ({"device": "rtx4090"} if x == "throughput" else {})
    rows = ri.accuracy(front=x, **settings).records()
    svg = ri.plot("pareto", x=x, **settings).to_svg()
    models = {str(row["model"]) for row in rows}
    shown = {text for text in re.findall(r">([^<>]+)</text>", svg) if text.split()[0] in models}
    assert shown == {
        f"{row['model']} {re.sub('(_ft)?_in1k', '', str(row['weights']))} {row['side']}"
        for row in rows
        if row["front"]
    }


def test_one_row_alone() -> None:
    assert "regnetx_002 pycls 224" in ri.plot("pareto", under="macs=199.2M").to_svg()


def test_what_other_plots_do_not_take() -> None:
    with pytest.raises(InspectError, match="for the plot 'pareto'"):
        ri.plot("zoo", x="params")
    with pytest.raises(InspectError, match="takes no network"):
        ri.plot("pareto", "resnet50")
    with pytest.raises(InspectError, match="no weights are under all limits"):
        ri.plot("pareto", under="macs=1")
