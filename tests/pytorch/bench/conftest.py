"""No test reads or writes the user's ceilings, or works in the user's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_inspect.measuring import sampling
from resnet_inspect.pytorch.bench import workload


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few inputs, where a real cache needs many, and few runs between two looks at the clock."""
    monkeypatch.setattr(workload, "cache_size", lambda _: 1 << 16)
    monkeypatch.setattr(sampling, "_burst", lambda typical, rule: 2)
