"""The ladder: what is tried, what is kept, and how it continues."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest
import torch
from benching import CASE, CPU, GRAPH, QUICK, RUNNER
from msgspec.structs import replace

import resnet_inspect as ri
from resnet_inspect.cli.main import run as cli
from resnet_inspect.measuring.progress import Progress
from resnet_inspect.measuring.records import (
    LadderStep,
    read,
    select,
    to_line,
)
from resnet_inspect.pictures.plots.measurements import measurement_plots
from resnet_inspect.pytorch.bench import ladder, workload
from resnet_inspect.pytorch.bench.runner import OUT_OF_MEMORY
from resnet_inspect.tables.ladder import ladder as ladder_table


@pytest.mark.parametrize(
    ("ratios", "error", "status", "verdict"),
    [
        (None, 0.0, "ok", ladder.BASELINE),
        ([0.5] * 6, 1e-6, "ok", ladder.FASTER),
        ([2.0] * 6, 1e-6, "ok", ladder.SLOWER),
        ([0.5] * 5, 1e-6, "ok", ladder.SAME),  # too few for an interval
        ([0.9, 1.1] * 6, 1e-6, "ok", ladder.SAME),
        ([0.995] * 6, 1e-6, "ok", ladder.SAME),
        ([1.005] * 6, 1e-6, "ok", ladder.SAME),
        ([0.5] * 6, 1e-1, "ok", ladder.WRONG),
        ([0.5] * 6, float("nan"), "ok", ladder.WRONG),
        (None, None, "out of memory", "out of memory"),
    ],
)
def test_what_a_step_of_the_ladder_is_worth(
    ratios: list[float] | None, error: float | None, status: str, verdict: str
) -> None:
    assert ladder.judge(ratios, error, 1e-2, status) == verdict


def test_the_cpu_leaves_out_what_needs_a_gpu() -> None:
    possible, left_out = ladder.possible_steps(CPU)
    assert [step.name for step in possible] == [
        "fp32 eager",
        "channels_last",
        "bf16",
        "fp16",
        "batch norm folded",
        "torch.compile",
    ]
    assert left_out.keys() == {"TF32", "CUDA graph"}
    assert "NVIDIA GPU" in left_out["TF32"]


def test_a_graph_is_taken_of_compiled_code_where_that_was_kept() -> None:
    step = ladder.STEPS[-1]
    assert ladder.changed(CASE, step).mode == "cudagraph"
    assert ladder.changed(replace(CASE, mode="compile"), step).mode == "compile+cudagraph"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes half a minute to compile."""
    kept = ("fp32 eager", "channels_last", "bf16", "batch norm folded")
    monkeypatch.setattr(ladder, "STEPS", tuple(s for s in ladder.STEPS if s.name in kept))


def check(steps: Sequence[LadderStep]) -> None:
    """What holds of every ladder, whichever of its steps turned out to be faster.

    A step is compared with the best before it, and builds on it; gains multiply those kept; outputs
    are the baseline's, less what the dtype rounds away.
    """
    assert [step.step for step in steps] == [step.name for step in ladder.STEPS]
    best, so_far = steps[0].case, 1.0
    for step, tried in zip(steps, ladder.STEPS, strict=True):
        assert step.case == replace(best, **tried.changes)
        gain = 1 / median(step.ratios) if step is not steps[0] else None
        assert step.gain == gain
        assert step.speedup == so_far * (gain or 1.0)
        assert step.error is not None
        assert step.error <= step.tolerance
        if step.kept:
            best, so_far = step.case, step.speedup
    assert steps[0].error == 0
    assert steps[2].error > steps[1].error, "bf16 does err"  # type: ignore[operator]


def recorded_steps(path: str = "l.jsonl") -> list[LadderStep]:
    return select(read(path), LadderStep)


@pytest.mark.usefixtures("short")
def test_a_ladder_checks_outputs_and_shows_its_steps() -> None:
    arguments = ["ladder", "resnet20_cifar", "--batch", "2", "--device", "cpu", "--threads", "1"]
    files = ["--record", "l.jsonl", "--plots", "figures", "-o", "ladder.json"]
    assert cli([*arguments, "--budget", "0.05", *files]) == 0
    steps = recorded_steps()
    check(steps)
    assert Path("figures/ladder-resnet20_cifar-2.svg").exists()
    shown = json.loads(Path("ladder.json").read_text())
    assert [row["step"] for row in shown["rows"]] == [step.step for step in steps]


class Watch(Progress):
    started: tuple[int, int] = (0, 0)

    def start(self, total: int, done: int = 0) -> None:
        self.started = total, done


@pytest.mark.usefixtures("short")
def test_a_ladder_continues_where_it_was_interrupted() -> None:
    def run(batch: int) -> tuple[int, int]:
        watch = Watch()
        ri.ladder(GRAPH, batch=batch, record="l.jsonl", resume=True, progress=watch, **QUICK)
        return watch.started

    assert run(2) == (4, 0)
    first = recorded_steps()[:2]
    Path("l.jsonl").write_bytes(b"".join(map(to_line, first)))
    assert run(3) == (4, 0), "another batch is another ladder"
    assert run(2) == (4, 2)
    steps = [step for step in recorded_steps() if step.case.batch == 2]
    assert steps[:2] == first
    assert len({step.run for step in steps}) == 1
    check(steps)
    assert run(2) == (4, 4)
    assert len(read("l.jsonl")) == 8, "nothing is left to do"


@pytest.mark.usefixtures("short")
def test_a_ladder_without_a_baseline_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        ri.ladder(GRAPH, record="l.jsonl", resume=True, **QUICK)

    with monkeypatch.context() as broken:
        broken.setattr(workload, "inputs", lambda *_: torch.empty(1 << 60, dtype=torch.uint8))
        run()
    assert [step.status for step in recorded_steps()] == ["out of memory"]
    run()
    assert [step.step for step in recorded_steps()][1] == "fp32 eager"
    assert len(read("l.jsonl")) == 5


@pytest.mark.usefixtures("short")
def test_comparisons_that_fail_leave_a_step_its_times(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(ladder, "interleaved", fails)
    steps = list(ladder.run_steps(GRAPH, RUNNER, 2))
    assert [step.status for step in steps] == ["ok"] * 4
    assert [step.verdict for step in steps[1:]] == [ladder.SAME] * 3
    assert steps[1].gain is None
    row = ladder_table(steps).rows[1]
    assert row["median"] > 0  # type: ignore[operator]
    assert "speedup" not in row, "a step that was not kept adds nothing"
    (plot,) = measurement_plots(steps)
    assert "not kept" in plot.to_svg()


def test_a_ladder_beyond_the_machines_memory_is_a_result() -> None:
    (only,) = ladder.run_steps(GRAPH, RUNNER, 10**9)
    assert only.status == OUT_OF_MEMORY
    assert "needs at least" in str(ladder_table([only]).notes)


def test_the_committed_plot_is_drawn_from_its_record() -> None:
    cpu = Path(__file__).parents[3] / "reports" / "latency" / "cpu"
    (plot,) = ri.read_bench(cpu / "ladder.jsonl").plots()
    assert plot.to_svg() == (cpu / f"{plot.name}.svg").read_text()
