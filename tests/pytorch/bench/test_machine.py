"""What a machine says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from benching import CPU

from resnet_inspect.pytorch.bench import machine, runner
from resnet_inspect.pytorch.bench.runner import attempt


def test_a_containers_limit_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("5000\n")
    assert machine.available(CPU) == 4000
    (tmp_path / "memory.max").write_text("max\n")
    unlimited = machine.available(CPU)
    assert unlimited is not None
    assert unlimited > 4000


def test_a_gpu_by_number_is_current_while_it_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[object] = []

    @contextmanager
    def made_current(device: torch.device) -> Iterator[None]:
        said.append(device)
        yield
        said.append("back")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device", made_current)
    found = machine.device_named("cuda:1")
    assert found == torch.device("cuda", 1)
    with machine.current(found):
        assert said == [found]
    assert said == [found, "back"]
    with machine.current(CPU):
        assert len(said) == 2
    monkeypatch.setattr(runner, "_clear", lambda _: None)
    assert attempt(lambda: said[-1], found).value == found, "whatever is tried, ceilings too"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("AMD EPYC 9654 96-Core Processor", "AMD EPYC 9654 96-Core Processor"),
        ("AMD EPYC", "AMD EPYC family 25 model 17"),
    ],
)
def test_processors_are_told_apart_in_virtual_machines(
    told: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their records and ceilings must not be mistaken for each other's."""
    info = tmp_path / "cpuinfo"
    info.write_text(f"cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: {told}\ncpu MHz\t: 2596.1\n")
    monkeypatch.setattr(machine, "_CPUINFO", str(info))
    assert machine.describe(CPU).name == name
    assert machine.condition(CPU).clock == 2596.1
