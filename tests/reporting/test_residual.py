"""The report on residual networks is what its record says; deep plain networks do not learn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.measuring.learning import runs
from resnet_inspect.measuring.records import Epoch, read, select

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


def test_tables_and_plots_are_those_of_the_record() -> None:
    """`resnet-inspect results` makes them again, as the page says."""
    measured = ri.read_bench(RECORD)
    assert (FOLDER / "learn.md").read_text() == measured.view().to_text("markdown")
    for plot in measured.plots():
        assert (FOLDER / f"{plot.file_name}.svg").read_text() == plot.to_svg(), plot.name


def test_figures_in_the_prose_are_in_the_table() -> None:
    page, table = ((FOLDER / name).read_text() for name in ("README.md", "learn.md"))
    quoted = re.findall(r"\d+\.\d%", page)
    assert len(quoted) > 10
    assert set(quoted) <= set(re.findall(r"\d+\.\d%", table))
