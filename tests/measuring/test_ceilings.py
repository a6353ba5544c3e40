"""Ceilings are found by device, and a damaged cache is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import ceilings

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.ceilings import CeilingsCache, latest, load_ceilings
from resnet_inspect.measuring.records import append, read


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CeilingsCache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return CeilingsCache.of_user()


def test_the_latest_ceilings_of_a_device_are_found(tmp_path: Path, cache: CeilingsCache) -> None:
    assert cache.load() is None
    path = tmp_path / "c.jsonl"
    for kind, name in (("cpu", "a"), ("cuda", "b"), ("cpu", "c")):
        append(path, ceilings(kind, name))
    assert load_ceilings(path).device.name == "c"
    assert load_ceilings(path, "cuda").device.name == "b"
    assert latest(read(path), name="a") == read(path)[0]
    with pytest.raises(InspectError, match="no ceilings of tpu in"):
        load_ceilings(path, "tpu")
    with pytest.raises(InspectError, match="no ceilings stored; 'resnet-inspect device'"):
        load_ceilings()


def test_a_damaged_cache_is_replaced(cache: CeilingsCache) -> None:
    cache.prepare()
    cache.path.write_text("what an editor left\n")
    assert cache.load() is None
    cache.prepare()
    cache.save(ceilings())
    cache.prepare()
    assert len(read(cache.path)) == 1
    assert cache.load(kind="cpu", threads=1) == read(cache.path)[0]
    assert cache.load(kind="cpu", threads=2) is None


def test_a_cache_that_cannot_be_written_is_an_error(cache: CeilingsCache) -> None:
    cache.path.parent.parent.mkdir(exist_ok=True)
    cache.path.parent.write_text("a file where the folder should be")
    with pytest.raises(InspectError, match="cannot write"):
        cache.prepare()
