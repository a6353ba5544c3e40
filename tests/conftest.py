"""What all tests share: options, hypothesis profiles, torchvision and timm as references."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import browsing
import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker has a core; threads of one worker's torch would take the others'.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
# Every run of the suite tries the same examples, so a change is what makes it fail, not luck. To
# look further: pytest --hypothesis-profile=search
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=40, suppress_health_check=_SLOW
)
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=_SLOW)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden/ anew instead of comparing"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu:
        return
    import torch

    if not torch.cuda.is_available():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))


def pytest_collection() -> None:
    gc.disable()  # nothing that is collected is garbage


def pytest_collection_finish() -> None:
    gc.freeze()  # thousands of tests and all modules, which live until the end
    gc.enable()


def pytest_sessionfinish() -> None:
    gc.collect()  # graphs of pygraphviz complain where they outlive the interpreter's modules


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """golden(name, text) compares text with tests/golden/<name>."""

    def compare(name: str, text: str) -> None:
        path = HERE / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.exists(), f"no golden file {path.name}; pytest --update-golden writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that reads pages; where there is none, what needs it is skipped."""
    if browsing.MISSING:
        pytest.skip(f"needs Chromium: apt-get install {' '.join(browsing.MISSING)}")
    driver = browsing.start(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


def define_torchvision_operators() -> None:
    """Let torchvision be imported beside a torch that its compiled part was not built for.

    torchvision's Python declares shapes for its operators nms and qnms when it is imported, and
    fails where its library, which defines them, does not load (a CUDA wheel beside a CPU torch).
    Its networks need neither. Where the library loads, it defines them and nothing is done here.
    """
    import torch

    package = importlib.util.find_spec("torchvision")
    assert package is not None
    assert package.origin is not None
    for library in Path(package.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            continue
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            torch.library.define(
                f"torchvision::{operator}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )


@pytest.fixture(scope="session")
def torchvision() -> ModuleType:
    define_torchvision_operators()
    import torchvision

    return torchvision


@pytest.fixture(scope="session")
def timm(torchvision: ModuleType) -> ModuleType:
    # timm imports torchvision, so that must be importable first.
    import timm

    return timm


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # A slow machine is told what it waits for, in a line more than tests expect.
    monkeypatch.setattr("resnet_inspect.cli.output.SLOW", 600.0)


@pytest.fixture(autouse=True)
def _every_trace_keeps_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests that import no tracing pay nothing.
    tracing = sys.modules.get("resnet_inspect.pytorch.trace.trace")
    if tracing is not None:
        from lawful import Lawful, lawfully

        monkeypatch.setattr(tracing, "ModuleRun", Lawful)
        monkeypatch.setattr(tracing, "lower", lawfully)
