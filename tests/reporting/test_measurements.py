"""What the functions that measure return, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from recorded import CASE, ceilings, latency

import resnet_inspect as ri
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import append
from resnet_inspect.reporting.measurements import Measurements
from resnet_inspect.tables.table import Sheet, Table

ONE = Measurements((latency(), latency(replace(CASE, batch=8))))
BOTH = Measurements((*ONE.records, ceilings()))


def test_one_kind_is_a_table_and_several_are_a_sheet() -> None:
    assert isinstance(ONE.view(), Table)
    assert ONE.table() == ONE["latency"]
    assert list(ONE.to_pandas()["batch"]) == [1, 8]
    assert isinstance(BOTH.view(), Sheet)
    assert BOTH["ceilings"].title.startswith("Ceilings")
    with pytest.raises(InspectError, match="several tables; take one of latency, ceilings"):
        BOTH.to_pandas()
    with pytest.raises(InspectError, match="unknown table 'ladder'"):
        BOTH["ladder"]


def test_it_is_one_line_as_a_value_and_a_table_when_printed(tmp_path: Path) -> None:
    assert repr(BOTH) == "Measurements(3 records)"
    assert "Median" in str(ONE)
    assert "<table" in ONE._repr_html_()
    ONE.write(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == ONE.to_text("csv")


def test_plots_are_those_that_the_records_allow() -> None:
    assert [plot.name for plot in ONE.plots()] == ["batch"]
    assert Measurements(BOTH.records[2:]).plots() == []


def test_a_file_can_be_read_for_some_networks_only(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    other = replace(CASE, model="resnet32_cifar")
    for record in (latency(), latency(other), ceilings()):
        append(path, record)
    assert len(ri.read_bench(path).records) == 3
    assert ri.read_bench(path, "resnet32_cifar").records == (latency_of(path, 1),)
    with pytest.raises(InspectError, match=r"unknown network in '.*b\.jsonl' 'resnet18'"):
        ri.read_bench(path, ["resnet18"])


def latency_of(path: Path, number: int) -> object:
    return ri.read_bench(path).records[number]


def test_a_roofline_needs_no_torch_and_has_a_table_and_a_plot(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    append(path, ceilings())
    bounds = ri.roofline("resnet20_cifar", level="stage", ceilings=path)
    assert [row["name"] for row in bounds.table().rows] == [
        "stem",
        "layer1",
        "layer2",
        "layer3",
        "head",
    ]
    assert len(bounds.table("layer").rows) == len(ri.graph("resnet20_cifar").layers)
    assert [plot.name for plot in bounds.plots()] == ["roofline-resnet20_cifar-1-fp32"]
    assert repr(bounds) == "NetworkRoofline(resnet20_cifar, a device, stage)"
    with pytest.raises(InspectError, match="did you mean stage"):
        ri.roofline("resnet20_cifar", level="stages", ceilings=path)
