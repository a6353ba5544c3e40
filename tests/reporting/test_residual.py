"""The report on residual networks is what its record says; deep plain networks do not learn."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.measuring.learning import runs
from resnet_inspect.measuring.records import Epoch, read, select
from resnet_inspect.propagation.paths import paths
from resnet_inspect.propagation.signal import signal
from resnet_inspect.tables.columns import show

FOLDER = Path(__file__).parents[2] / "reports" / "residual"
RECORD = FOLDER / "learn.jsonl"


@pytest.fixture(scope="module")
def errors() -> dict[tuple[str, int], float]:
    """The train error in which each network and seed ends."""
    ends = [run[-1] for run in runs(select(read(RECORD), Epoch))]
    assert all(one.is_last and one.responses for one in ends)
    return {(one.model, one.recipe.seed): one.train_error or 0.0 for one in ends}


def test_each_depth_is_there_plain_and_residual_from_three_seeds(
    errors: dict[tuple[str, int], float],
) -> None:
    assert set(errors) == {
        (f"{kind}{depth}_cifar", seed)
        for kind in ("plain", "resnet")
        for depth in (8, 20, 32, 56, 110)
        for seed in range(3)
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("depth", [56, 110])
def test_deep_plain_networks_end_far_above_residual_ones(
    errors: dict[tuple[str, int], float], depth: int, seed: int
) -> None:
    plain, residual = (errors[f"{kind}{depth}_cifar", seed] for kind in ("plain", "resnet"))
    assert plain - residual >= 0.3
    assert residual < 0.01


@pytest.mark.parametrize(
    ("model", "low", "high"),
    [
        ("plain56_cifar", 200, 500),
        ("plain110_cifar", 9e5, 2e6),
        ("resnet56_cifar", 3, 7),
        ("resnet110_cifar", 3, 7),
    ],
)
def test_gradients_explode_toward_the_input_of_plain_networks(
    model: str, low: float, high: float
) -> None:
    for record in select(read(RECORD), Epoch):
        if record.model == model and record.epoch == 1:
            assert record.gradients is not None
            assert low < record.gradients[0] / record.gradients[1] < high


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """What the script writes today."""
    path = Path(__file__).parents[2] / "benchmarks" / "residual.py"
    spec = importlib.util.spec_from_file_location("residual", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    files: dict[str, str] = script.files(FOLDER)
    return files


def test_the_committed_report_is_todays(made: dict[str, str]) -> None:
    """`python benchmarks/residual.py` brings it up to date."""
    records = {"learn.jsonl", "signal.json"}
    assert {path.name for path in FOLDER.iterdir()} == {*made, *records}
    for name, text in made.items():
        assert (FOLDER / name).read_text("utf-8") == text, name


def test_the_page_has_the_figures_of_closed_forms_and_records(made: dict[str, str]) -> None:
    page = made["README.md"]
    deep = paths(ri.graph("resnet110_cifar"))
    for least, most, digits in ((19, 35, 2), (5, 17, 4)):
        assert f"{100 * deep.through(least, most) / deep.total:.{digits}f}%" in page
    for row in ri.signal("plain56_cifar", "resnet110_cifar")["summary"].records():
        assert show(row["theory"], "figures") in page
    # Each error in the prose is one of the table of all runs.
    degradation = page.partition("## Degradation")[2]
    quoted = re.findall(r"\d+\.\d%", degradation)
    assert len(quoted) > 10
    assert set(quoted) <= set(re.findall(r"\d+\.\d%", made["learn.md"]))


def test_theory_is_near_what_was_measured() -> None:
    record = json.loads((FOLDER / "signal.json").read_text("utf-8"))
    assert record["seeds"] >= 10
    for name, layers in record["networks"].items():
        told = signal(ri.graph(name))
        first, last = told.ends
        known = [told.by_name[end].gradient for end in (first, last)]
        found = [layers[end][2][0] for end in (first, last)]
        # A layer's growth within 3%, of networks with as few as 16 channels.
        layered = int(re.sub(r"\D", "", name)) - 4
        assert known[0] / known[1] == pytest.approx(found[0] / found[1], rel=0.03 * layered)
