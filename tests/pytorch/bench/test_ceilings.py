"""A device's ceilings are measured once."""

from __future__ import annotations

from pathlib import Path

import pytest
from benching import CPU, GRAPH, QUICK
from recorded import ceilings as ceilings_record

import resnet_inspect as ri
from resnet_inspect.cli.main import run as cli
from resnet_inspect.measuring.ceilings import CeilingsCache
from resnet_inspect.measuring.records import (
    Convolution,
    Latency,
    Product,
    read,
)
from resnet_inspect.pytorch.bench import ceilings


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that take no time."""
    monkeypatch.setattr(ceilings, "PRODUCTS", {"cpu": (Product(32), Product(64))})
    monkeypatch.setattr(ceilings, "CONVOLUTIONS", {"cpu": (Convolution(4, 8, 1),)})
    monkeypatch.setattr(ceilings, "_copy_sizes", lambda _: iter((1 << 20, 1 << 22)))
    monkeypatch.setattr(ceilings, "_dtypes", lambda _: iter(("fp32", "bf16")))
    monkeypatch.setattr(ceilings, "BUDGET", 0.01)


@pytest.mark.usefixtures("small")
def test_ceilings_are_measured_once_and_kept() -> None:
    first = ceilings.ceilings(CPU, threads=1)
    assert ceilings.ceilings(CPU, threads=1) == first
    best = first.ceilings
    assert best.kind == "cpu"
    assert best.rates.keys() == first.fastest.keys() == {"fp32", "bf16"}
    assert [size for size, _ in best.copies] == [2 << 20, 2 << 22]
    assert min(*best.rates.values(), best.bandwidth, best.launch) > 0
    again = ceilings.ceilings(CPU, threads=1, refresh=True)
    assert again.rates != first.rates
    assert ceilings.stored_ceilings(CPU, 1) == again
    (measured,) = ri.bench(GRAPH, **QUICK).records
    assert isinstance(measured, Latency)
    assert measured.ceiling == again.rates["fp32"]


@pytest.mark.usefixtures("small")
def test_ceilings_are_recorded_and_used_by_a_roofline() -> None:
    measurements = ri.device("cpu", threads=1, record="c.jsonl")
    assert read("c.jsonl") == measurements.records
    assert measurements.table().title.startswith("Ceilings")
    assert cli(["roofline", "resnet18", "--ceilings", "c.jsonl", "--plots", "figures"]) == 0
    assert [path.name for path in Path("figures").iterdir()] == ["roofline-resnet18-1-fp32.svg"]


def test_a_damaged_cache_is_never_in_the_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = ceilings_record()
    monkeypatch.setattr(ceilings, "measure_ceilings", lambda *_, **__: record)
    cache = CeilingsCache.of_user()
    cache.prepare()
    cache.path.write_text("what an editor left\n")
    assert ceilings.stored_ceilings(CPU) is None
    assert cli(["device", "--device", "cpu"]) == 0
    assert read(cache.path) == (record,)
    cache.path.unlink()
    cache.path.parent.rmdir()
    cache.path.parent.write_text("a file where the folder should be")
    capsys.readouterr()
    assert cli(["device", "--device", "cpu"]) == 2
    assert "cannot write" in capsys.readouterr().err
