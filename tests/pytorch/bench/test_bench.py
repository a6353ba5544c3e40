"""Measuring real networks on the CPU (and on a GPU where there is one)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
import torch
from simulated import SimulatedClock
from torch import nn

import resnet_inspect as ri
from resnet_inspect.cli.main import run as cli
from resnet_inspect.counting.memory import memory
from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.ceilings import ceilings_of, open_store
from resnet_inspect.measuring.records import Case, Measurement, measured, read, record
from resnet_inspect.measuring.sampling import Rule
from resnet_inspect.measuring.statistics import (
    BLOCKS,
    LEAST_DIFFERENCE,
    independent_runs,
    median,
    summary,
)
from resnet_inspect.pictures.plots.latency import plots_of
from resnet_inspect.pytorch.bench import ceilings, ladder, machine
from resnet_inspect.pytorch.bench import energy as energy_room
from resnet_inspect.pytorch.bench import latency as latency_room
from resnet_inspect.pytorch.bench import runner as trial_room
from resnet_inspect.pytorch.bench import workload as subject
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.bench.clock import WallClock, clock_of
from resnet_inspect.pytorch.bench.latency import measure
from resnet_inspect.pytorch.bench.layers import Walk, measure_layers
from resnet_inspect.pytorch.bench.peak_memory import peak_on_cpu
from resnet_inspect.pytorch.bench.runner import OUT_OF_MEMORY, Bench, attempt, macs_of
from resnet_inspect.pytorch.bench.sweep import LEAST_WARMUP, Sweep
from resnet_inspect.tables.measurements import everything
from resnet_inspect.tables.measurements import ladder as ladder_table
from resnet_inspect.tables.roofline import table
from resnet_inspect.tables.writers import FORMATS

CPU = torch.device("cpu")
GRAPH = ri.graph("resnet20_cifar")
CASE = Case(GRAPH.name, GRAPH.input_shape, 2)
QUICK = Rule(half_width=0.5, budget=0.2, warmup=0.2, burst=0.02)
BENCH = Bench(CPU, QUICK, 1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's ceilings, or works in the user's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dtype": "bf16", "memory_format": "nhwc"},
        {"folded": True},
        {"step": "training"},
        {"step": "training", "dtype": "bf16"},
    ],
    ids=str,
)
def test_a_measurement_holds_what_is_needed_to_judge_it(changes: dict[str, object]) -> None:
    case = CASE._replace(**changes)  # type: ignore[arg-type]
    fields = measure(GRAPH, case, BENCH).fields
    made = Measurement(json.loads(json.dumps(fields)))  # as a file holds it
    assert made.status == "ok", made.fields["reason"]
    assert made.case == case
    assert made.summary == summary(made.fields["times"])
    assert len(made.fields["times"]) >= QUICK.least
    assert made.fields["macs"] == macs_of(GRAPH, case)
    assert made.fields["settings"]["threads"] == 1
    assert made.fields["settings"]["inference_mode"] == (case.step == "inference")
    assert made.fields["device"]["kind"] == "cpu"
    assert made.fields["software"]["torch"] == torch.__version__
    assert {"clock", "temperature", "load"} <= made.fields["before"].keys()
    assert made.fields["peak_memory"] > 0


def test_peak_memory_is_what_the_network_is_known_to_need() -> None:
    made = measure(GRAPH, CASE, BENCH)
    assert made.fields["peak_memory"] == memory(GRAPH, CASE.batch).inference


def test_the_watch_counts_what_is_alive_together() -> None:
    weight = torch.zeros(256)

    def step() -> None:
        first = weight + 1
        second = first + 1
        del first
        _ = second + 1

    assert peak_on_cpu(step, [weight]) == 3 * 256 * 4


def test_a_training_step_multiplies_three_times_less_the_first_layers_input() -> None:
    macs = ri.total(GRAPH.layers, 2).macs
    first = ri.cost(GRAPH.layers[0], 2).macs
    assert macs_of(GRAPH, CASE) == macs
    assert macs_of(GRAPH, CASE._replace(step="training")) == 3 * macs - first


def test_memory_that_runs_out_is_a_result() -> None:
    outcome = attempt(lambda: torch.empty(1 << 60, dtype=torch.uint8), CPU)
    assert outcome.status == "out of memory"
    assert outcome.reason

    def no_memory() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\n Tried to allocate 20.00 MiB")

    assert attempt(no_memory, CPU).status == "out of memory"

    def capture_ended_by_it() -> None:
        try:
            no_memory()
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    assert attempt(capture_ended_by_it, CPU).status == "out of memory"


def test_a_batch_beyond_the_machines_memory_is_refused_before_it_kills() -> None:
    made = measure(GRAPH, CASE._replace(batch=10**9), BENCH)
    assert made.status == "out of memory"
    assert "needs at least" in made.fields["reason"]
    assert made.summary is None


def test_what_torch_cannot_do_is_a_result_with_a_reason_and_our_own_mistakes_are_not() -> None:
    def unsupported() -> None:
        raise RuntimeError("no such kernel\n" + "x" * 1000)

    outcome = attempt(unsupported, CPU)
    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert len(outcome.reason) == 300
    assert "\n" not in outcome.reason
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0, CPU)


def set_precision(value: str, *where: str) -> None:
    holder: Any = torch.backends
    for name in where:
        holder = getattr(holder, name)
    holder.fp32_precision = value


def precisions() -> dict[str, str]:
    """What torch multiplies in, whichever of its flags said so."""
    kinds = [("cuda", "matmul"), ("cudnn", "conv"), ("cudnn", "rnn"), ("mkldnn", "matmul")]
    found = {}
    for parent, kind in kinds:
        found[f"{parent}.{kind}"] = getattr(getattr(torch.backends, parent), kind).fp32_precision
    return found | {"all": torch.backends.fp32_precision}


@pytest.mark.skipif(
    not hasattr(torch.backends.cudnn, "conv"), reason="before torch 2.9 there were only flags"
)
@pytest.mark.parametrize("dtype", ["fp32", "tf32"])
@pytest.mark.parametrize(
    "set_before",
    [
        lambda: None,
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
        # Newer settings, beside which the older flags cannot even be read.
        lambda: set_precision("tf32", "cuda", "matmul"),
        lambda: set_precision("ieee", "cudnn", "conv"),
        lambda: set_precision("tf32", "cudnn"),
        lambda: set_precision("tf32"),
    ],
    ids=["default", "medium", "old flag", "matmul", "conv", "GPU", "everything"],
)
def test_arithmetic_is_what_the_case_says_whatever_was_set_before(
    set_before: Callable[[], None], dtype: str
) -> None:
    try:
        set_before()
        before = precisions()
        with settings(dtype) as held:
            assert held["cudnn.allow_tf32"] == held["matmul.allow_tf32"] == (dtype == "tf32")
            on_gpu = "tf32" if dtype == "tf32" else "ieee"
            assert precisions() == {
                "cuda.matmul": on_gpu, "cudnn.conv": on_gpu, "cudnn.rnn": on_gpu,
                "mkldnn.matmul": "ieee", "all": before["all"],
            }  # fmt: skip
        assert precisions() == before
    finally:  # torch's defaults
        set_precision("none")
        set_precision("none", "cudnn")
        set_precision("none", "mkldnn", "matmul")
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = True


@pytest.mark.parametrize("step", subject.STEPS)
def test_a_measurement_leaves_the_users_random_numbers_alone(step: str) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    measure(GRAPH, CASE._replace(step=step), BENCH)
    assert torch.equal(torch.rand(3), expected)


def test_settings_are_set_and_put_back() -> None:
    before = (torch.backends.cudnn.benchmark, torch.get_num_threads())
    with settings("tf32", threads=1) as held:
        assert torch.backends.cudnn.benchmark
        assert torch.get_num_threads() == held["threads"] == 1
        assert held["cudnn.allow_tf32"]
    with settings("fp32") as held:
        assert not held["cudnn.allow_tf32"]
        assert not held["matmul.allow_tf32"]
    with pytest.raises(KeyError), settings(threads=1):
        raise KeyError
    assert (torch.backends.cudnn.benchmark, torch.get_num_threads()) == before


def test_inputs_are_random_and_together_larger_than_the_cache() -> None:
    batches = subject.inputs(CASE, CPU)
    assert sum(batch.nbytes for batch in batches) >= 2 * machine.cache_size(CPU)
    assert not torch.equal(batches[0], batches[1])
    assert batches[0].std() > 0.9
    nhwc = subject.inputs(CASE._replace(memory_format="nhwc", dtype="bf16"), CPU)[0]
    assert nhwc.dtype == torch.bfloat16
    assert nhwc.is_contiguous(memory_format=torch.channels_last)


def test_every_step_takes_the_next_input() -> None:
    batches = [torch.full((1, *GRAPH.input_shape), float(k)) for k in range(3)]
    seen: list[float] = []

    class Spy(nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(float(batch[0, 0, 0, 0]))
            return batch

    step = subject.step(Spy(), CASE._replace(batch=1), batches)
    for _ in range(5):
        step()
    assert seen == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("name", ["resnet20_cifar", "resnet18", "resnetv2_18"])
def test_folding_batch_norm_keeps_the_outputs(name: str) -> None:
    graph = ri.graph(name, (3, 32, 32))
    model = subject.network(graph, CPU)
    example = torch.randn(2, *graph.input_shape)
    with torch.inference_mode():
        before = model(example)
        folded = subject.fold_batch_norm(model, graph)(example)
    assert (folded - before).norm() <= 1e-4 * before.norm()
    left = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    assert bool(left) == (name == "resnetv2_18"), "what follows an addition cannot be folded"


def test_calibrated_networks_stay_finite_in_half_precision() -> None:
    graph = ri.graph("resnet56_cifar")
    model = subject.network(graph, CPU)
    with torch.inference_mode():
        assert model(torch.randn(2, *graph.input_shape)).abs().max() < 1e3


def test_a_walk_is_the_network_with_a_mark_behind_every_layer() -> None:
    for name in ("seresnet18", "resnet20_cifar", "resnetv2_18"):
        graph = ri.graph(name, (3, 32, 32))
        model, clock = subject.network(graph, CPU), WallClock()
        example = torch.randn(2, *graph.input_shape)
        with torch.inference_mode():
            assert torch.equal(Walk(model, graph, clock)(example), model(example))
        assert len(clock.laps()) == len(graph.layers)
        assert clock.laps() == []


CEILINGS = Ceilings("a device", "cpu", {"fp32": 1e15}, ((1 << 20, 1e15),), 1e-6)


def test_layers_are_measured_against_their_least_time() -> None:
    made = measure_layers(GRAPH, CASE, BENCH, CEILINGS)
    assert made.status == "ok"
    found = measured(Measurement(json.loads(made.to_line())))
    assert [row["name"] for row in found.rows] == [layer.name for layer in GRAPH.layers]
    for level in ("layer", "block", "stage"):
        shown = table(found, level)
        assert shown.total is not None
        assert sum(row["measured"] for row in shown.rows) == pytest.approx(shown.total["measured"])  # type: ignore[misc]
        assert all(row["lost"] >= 0 for row in shown.rows)  # type: ignore[operator]
        assert "Lost most: " in shown.notes[0]
    for wrong in ({"mode": "compile"}, {"step": "training"}, {"folded": True}):
        with pytest.raises(InspectError, match="layers are timed in"):
            measure_layers(GRAPH, CASE._replace(**wrong), BENCH, CEILINGS)  # type: ignore[arg-type]


def test_layers_that_do_not_fit_are_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(subject, "inputs", no_memory)
    made = measure_layers(GRAPH, CASE, BENCH, CEILINGS)
    assert made.status == "out of memory"
    assert made.fields["layers"] == []
    sheet = everything([made, measure_layers(GRAPH, CASE, BENCH, CEILINGS)])
    for format in FORMATS:
        assert "out of memory" in sheet.to_text(format)
    assert plots_of([made]) == []
    assert measure(GRAPH, CASE, BENCH).status == "out of memory"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dtype": "fp8"}, "unknown dtype 'fp8'"),
        ({"memory_format": "nwhc"}, "did you mean nhwc"),
        ({"mode": "compiled"}, "did you mean compile"),
        ({"batch": 0}, "batch is 0"),
        ({"mode": "cudagraph"}, "needs an NVIDIA GPU"),
        ({"dtype": "tf32"}, "needs an NVIDIA GPU"),
    ],
)
def test_cases_that_a_cpu_cannot_run(changes: dict[str, object], words: str) -> None:
    subject.check(CASE, CPU)
    with pytest.raises(InspectError, match=words):
        subject.check(CASE._replace(**changes), CPU)  # type: ignore[arg-type]


def test_a_device_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("tpu", "cuda:99"):
        assert cli(["bench", "resnet20_cifar", "--device", name]) == 2
    if not torch.cuda.is_available():
        for command in ("bench", "ladder"):
            assert cli([command, "resnet20_cifar", "--device", "cuda"]) == 2
        assert cli(["device", "--device", "cuda"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("resnet-inspect: ") for line in lines)
    assert len(lines) == (2 if torch.cuda.is_available() else 5)
    assert not Path("bench.jsonl").exists()


def test_ceilings_are_measured_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "PRODUCTS", {"cpu": (32, 64)})
    monkeypatch.setattr(ceilings, "CONVOLUTIONS", {"cpu": ((4, 8, 1),)})
    monkeypatch.setattr(ceilings, "_copy_sizes", lambda _: iter((1 << 20, 1 << 22)))
    monkeypatch.setattr(ceilings, "_dtypes", lambda _: iter(("fp32", "bf16")))
    real = ceilings.measure_ceilings
    monkeypatch.setattr(
        ceilings, "measure_ceilings", lambda device, **rest: real(device, budget=0.05, **rest)
    )
    first = ceilings.ceilings(CPU, threads=1)
    assert ceilings.ceilings(CPU, threads=1) == first
    found = ceilings_of(first)
    assert found.kind == "cpu"
    assert found.rates.keys() == {"fp32", "bf16"}
    assert [size for size, _ in found.copies] == [2 << 20, 2 << 22]
    assert min(*found.rates.values(), found.bandwidth, found.launch) > 0
    again = ceilings.ceilings(CPU, threads=1, refresh=True)
    assert again.fields["rates"] != first.fields["rates"]
    assert ceilings.kept_ceilings(CPU, 1) == again
    assert (
        Sweep.of("cpu", threads=1).bench.ceilings == ceilings.kept_ceilings(CPU, 1).fields["rates"]
    )  # type: ignore[union-attr]
    assert cli(["device", "--device", "cpu", "--threads", "1", "--record", "c.jsonl"]) == 0
    assert cli(["roofline", "resnet18", "--ceilings", "c.jsonl", "--plots", "figures"]) == 0
    assert [path.name for path in Path("figures").iterdir()] == ["roofline-resnet18-1-fp32.svg"]


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
    possible, left_out = ladder.rungs(CPU)
    assert [rung.name for rung in possible] == [
        "fp32 eager", "channels_last", "bf16", "fp16", "batch norm folded", "torch.compile"
    ]  # fmt: skip
    assert len(left_out) == 2


def test_a_graph_is_taken_of_compiled_code_where_that_was_kept() -> None:
    rung = ladder.RUNGS[-1]
    assert ladder.changed(CASE, rung).mode == "cudagraph"
    assert ladder.changed(CASE._replace(mode="compile"), rung).mode == "compile+cudagraph"


@pytest.fixture
def short_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes half a minute; its step is like the others."""
    kept = tuple(rung for rung in ladder.RUNGS if rung.name not in ("fp16", "torch.compile"))
    monkeypatch.setattr(ladder, "RUNGS", kept)


def check_climb(steps: Sequence[Measurement]) -> None:
    """What holds of every climb, whichever of its steps turned out to be faster.

    A step is compared with the best before it, and builds on it; gains multiply those kept; outputs
    are the baseline's, less what the dtype rounds away.
    """
    names = [step.fields["step"] for step in steps]
    assert names == ["fp32 eager", "channels_last", "bf16", "batch norm folded"]
    best, so_far = steps[0].case, 1.0
    for step in steps:
        changed = next(r for r in ladder.RUNGS if r.name == step.fields["step"]).changes
        assert step.case == best._replace(**changed)
        gain = 1 / median(step.fields["ratios"]) if step is not steps[0] else 1.0
        assert step.fields["gain"] == (gain if step is not steps[0] else None)
        assert step.fields["speedup"] == so_far * gain
        assert step.fields["error"] <= step.fields["tolerance"]
        if step.fields["kept"]:
            best, so_far = step.case, step.fields["speedup"]
    errors = [step.fields["error"] for step in steps]
    assert errors[0] == 0
    assert errors[2] > errors[1], "bf16 does err"


def test_the_ladder_climbs_and_checks_outputs(short_ladder: None) -> None:
    arguments = ["ladder", "resnet20_cifar", "--batch", "2", "--device", "cpu", "--threads", "1",
                 "--budget", "0.2", "--record", "l.jsonl", "--plots", "figures"]  # fmt: skip
    assert cli([*arguments, "-o", "ladder.json"]) == 0
    steps = read("l.jsonl")
    check_climb(steps)
    assert Path("figures/ladder-resnet20_cifar-2.svg").exists()
    shown = json.loads(Path("ladder.json").read_text())
    assert [row["step"] for row in shown["rows"]] == [step.fields["step"] for step in steps]


def test_a_ladder_goes_on_where_it_was_cut_short(
    short_ladder: None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ladder", "resnet20_cifar", "--batch", "2", "--device", "cpu", "--threads", "1",
                 "--budget", "0.2", "--record", "l.jsonl", "--resume", "-o", "l.json"]  # fmt: skip
    assert cli(arguments) == 0
    first = [step.to_line() for step in read("l.jsonl")[:2]]
    Path("l.jsonl").write_text("".join(first))
    assert cli([*arguments, "--batch", "3"]) == 0, "another batch is another ladder"
    capsys.readouterr()
    assert cli(arguments) == 0
    assert "2 of 4 steps are done already" in capsys.readouterr().err
    assert [step.case.batch for step in read("l.jsonl")] == [2, 2, 3, 3, 3, 3, 2, 2]
    steps = [step for step in read("l.jsonl") if step.case.batch == 2]
    assert [step.to_line() for step in steps[:2]] == first
    assert len({step.fields["run"] for step in steps}) == 1
    check_climb(steps)
    assert cli(arguments) == 0
    assert len(read("l.jsonl")) == 8, "nothing is left to do"
    assert len(json.loads(Path("l.json").read_text())["rows"]) == 4


def test_a_ladder_without_a_baseline_is_begun_anew(
    short_ladder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["ladder", "resnet20_cifar", "--device", "cpu", "--threads", "1", "--budget", "0.1",
                 "--record", "l.jsonl", "--resume", "--plots", "figures"]  # fmt: skip
    with monkeypatch.context() as broken:
        broken.setattr(subject, "inputs", lambda *_: torch.empty(1 << 60, dtype=torch.uint8))
        assert cli(arguments) == 0
    assert [step.status for step in read("l.jsonl")] == ["out of memory"]
    assert cli(arguments) == 0
    assert [step.fields["step"] for step in read("l.jsonl")][1] == "fp32 eager"
    assert len(read("l.jsonl")) == 5


def test_the_command_measures_shows_and_plots(capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--budget", "0.1", "--half-width", "0.5", "--threads", "1", "--device", "cpu"]
    assert cli(["bench", "resnet20_cifar", "--batch", "1,2", *quick, "--plots", "figures"]) == 0
    text = capsys.readouterr().out
    assert "Median" in text
    assert max(map(len, text.splitlines())) <= 100
    assert Path("figures/batch.svg").exists()
    assert len(read("bench.jsonl")) == 2
    assert cli(["bench", "resnet20_cifar", "--batch", "1,2", *quick, "--resume"]) == 0
    assert len(read("bench.jsonl")) == 2
    assert cli(["results", "bench.jsonl", "--format", "markdown"]) == 0
    assert "|       1 |" in capsys.readouterr().out
    one = ["results", "bench.jsonl", "resnet20_cifar", "--plots", "none"]
    Path("bench.jsonl").write_text(read("bench.jsonl")[0].to_line())
    assert cli(one) == 0
    assert "nothing to plot" in capsys.readouterr().err
    assert not Path("none").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--per-layer", "--mode", "compile"], "mode eager, not compile"),
        (["--per-layer", "--train"], "leave out --train"),
        (["--per-layer", "--level", "blocks"], "did you mean block"),
        (["--per-layer", "--record", "nowhere/b.jsonl"], "cannot write"),
        (["--per-layer", "--record", "/dev/null"], "no file that lines can be added to"),
        (["--threads", "0"], "threads is 0"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_what_cannot_be_is_refused_before_anything_is_measured(
    options: list[str], words: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing should be measured")

    monkeypatch.setattr(ceilings, "measure_ceilings", never)
    monkeypatch.setattr(subject, "network", never)
    assert cli(["bench", "resnet20_cifar", "--device", "cpu", *options]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert words in line
    assert not list(Path().glob("*.jsonl"))


def test_a_number_of_threads_that_cannot_be_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["device"], ["ladder", "resnet20_cifar"]):
        assert cli([*command, "--device", "cpu", "--threads", "-1"]) == 2
        assert "threads is -1" in capsys.readouterr().err.splitlines()[-1]


def test_layers_of_a_traced_network_are_refused_before_it_runs() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    traced = replace(ri.trace(module, (3, 8, 8)), maker=lambda: module)  # as package:callable does
    case = Case(traced.name, traced.input_shape)
    sweep = Sweep.of("cpu", per_layer=True)
    with pytest.raises(InspectError, match="calls of its own code"):
        sweep.check([(traced, case)])


def test_a_store_that_is_damaged_is_made_anew_and_never_in_the_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = ceilings_like("a CPU")
    monkeypatch.setattr(ceilings, "measure_ceilings", lambda *_, **__: made)
    place = open_store()
    place.write_text("what an editor left\n")
    assert Sweep.of("cpu").ceilings is None
    assert cli(["device", "--device", "cpu"]) == 0
    assert read(place) == (made,)
    place.unlink()
    place.parent.rmdir()
    place.parent.write_text("a file where the folder should be")
    capsys.readouterr()
    assert cli(["device", "--device", "cpu"]) == 2
    assert "cannot write" in capsys.readouterr().err


def ceilings_like(name: str) -> Measurement:
    return record(
        "ceilings", rates={"fp32": 1e12}, fastest={"fp32": "product"}, copies=[[1 << 20, 1e10]],
        launch=1e-6, device={"kind": "cpu", "name": name, "threads": 1}, software={"torch": "2.0"},
    )  # fmt: skip


def test_what_goes_with_a_result_cannot_cost_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no memory statistics here")

    monkeypatch.setattr(latency_room, "_peak", fails)
    monkeypatch.setattr(latency_room, "_others", fails)
    made = measure(GRAPH, CASE, BENCH._replace(cross_check=True))
    assert made.status == "ok"
    assert made.summary is not None
    assert made.fields["peak_memory"] is made.fields["cross_check"] is None


def test_turns_that_fail_leave_a_step_its_times(
    short_ladder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(ladder, "by_turns", fails)
    steps = list(ladder.climb(GRAPH, BENCH, 2))
    assert [step.status for step in steps] == ["ok"] * 4
    assert [step.fields["verdict"] for step in steps[1:]] == [ladder.SAME] * 3
    assert steps[1].fields["gain"] is None
    assert ladder_table(steps).rows[1]["median"] > 0  # type: ignore[operator]
    (plot,) = plots_of(steps)
    assert "not kept" in plot.to_svg()


def test_a_ladder_beyond_the_machines_memory_is_a_result_too() -> None:
    (only,) = ladder.climb(GRAPH, BENCH, 10**9)
    assert only.status == OUT_OF_MEMORY
    assert "needs at least" in str(ladder_table([only]).notes)


def test_a_containers_limit_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = machine.available(CPU)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    (tmp_path / "memory.current").write_text("1000\n")
    for limit, free in (("5000", 4000), ("max", whole)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        found = machine.available(CPU)
        assert found == free or limit == "max"
        assert found is not None


def test_a_training_step_holds_weights_gradients_and_momentum() -> None:
    made = measure(GRAPH, CASE._replace(step="training"), BENCH)
    need = memory(GRAPH, CASE.batch)
    kept = need.weights + need.gradients + need.optimizers["momentum"]
    assert made.fields["peak_memory"] > kept


def test_python_measures_records_and_reads() -> None:
    quick: dict[str, Any] = {"device": "cpu", "threads": 1, "budget": 0.1, "half_width": 0.5}
    made = ri.bench("resnet20_cifar", batch=(1, 2), record="b.jsonl", **quick)
    assert list(made.to_pandas()["batch"]) == [1, 2]
    assert made.to_pandas()["median"].min() > 0
    assert ri.read_bench("b.jsonl")["latency"].rows == made.table().rows
    again = ri.bench("resnet20_cifar", batch=(2, 1), record="b.jsonl", resume=True, **quick)
    assert again.table().rows == made.table().rows[::-1], "nothing was left to measure"
    assert len(read("b.jsonl")) == 2
    alone = ri.bench(GRAPH, dtype=("fp32", "bf16"), memory_format="nhwc", **quick)
    assert [row["dtype"] for row in alone.table().rows] == ["fp32", "bf16"]
    assert ri.bench(GRAPH, train=True, **quick).table().rows[0]["step"] == "training"


@pytest.mark.parametrize(
    ("models", "settings", "words"),
    [
        ((), {}, "no network"),
        (("resnet18",), {"resume": True}, "needs a record"),
        (("resnet18",), {"dtype": "fp8"}, "unknown dtype 'fp8'"),
        (("resnet18",), {"batch": ()}, "no latencies"),
        (("resnet81",), {}, "did you mean"),
    ],
)
def test_python_refuses_in_one_line(
    models: tuple[str, ...], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(InspectError, match=words):
        ri.bench(*models, device="cpu", **settings)


def test_other_timers_can_look_over_the_shoulder() -> None:
    made = measure(GRAPH, CASE, BENCH._replace(cross_check=True))
    assert made.fields["cross_check"]["torch.utils.benchmark"] > 0


@pytest.mark.parametrize("ticks_after", [0.05, 0.1, 0.7])
@pytest.mark.parametrize("run", [0.0003, 0.013, 1.3])
def test_energy_is_read_between_ticks_of_the_counter(run: float, ticks_after: float) -> None:
    """A GPU of 700 W whose counter moves only now and then: exact to one run at either end."""
    clock = SimulatedClock(repeat(run))

    def counter() -> float:
        return 700 * ticks_after * (clock.elapsed // ticks_after)

    found = energy_room.joules_of_a_run(counter, clock, lambda: None, run)
    assert found is not None
    seen_late = max(run, energy_room.ENERGY_BURST) / energy_room.ENERGY_SECONDS
    skipped = ticks_after / energy_room.ENERGY_SECONDS if run > ticks_after else 0
    assert abs(found / (700 * run) - 1) <= seen_late + skipped
    assert clock.elapsed >= energy_room.ENERGY_SECONDS


@pytest.mark.parametrize("readings", [[None], [5.0, None], [5.0, 6.0, None], [5.0]])
def test_energy_is_unknown_where_the_counter_is_not_there_or_stands(
    readings: list[float | None],
) -> None:
    told = chain(readings, repeat(readings[-1]))
    clock = SimulatedClock(repeat(0.01))
    assert energy_room.joules_of_a_run(lambda: next(told), clock, lambda: None, 0.01) is None


def test_a_counter_that_answers_late_is_asked_less_often() -> None:
    """The GPU does nothing while it is asked; that must be no part of what a run takes."""
    clock, asked = SimulatedClock(repeat(0.001)), 0

    def counter() -> float:
        nonlocal asked
        asked += 1
        clock.elapsed += 0.002
        return 700 * 0.05 * (clock.elapsed // 0.05)

    assert energy_room.joules_of_a_run(counter, clock, lambda: None, 0.001)
    assert 0.002 * (asked - 1) <= clock.elapsed / energy_room.ENERGY_LOOKS


class FakeCuda:
    """What taking a CUDA graph asks of torch, written down: this has no GPU to ask."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        monkeypatch.setattr(torch, "cuda", self)
        # A build for the CPU alone does not have it.
        workspaces = self.__getattr__("clear_workspaces")
        monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", workspaces, raising=False)

    def __getattr__(self, name: str) -> Any:
        def call(*_: object, **__: object) -> Any:
            self.said.append(name)
            return self

        return call

    @contextmanager
    def stream(self, *_: object) -> Iterator[None]:
        self.said.append("stream")
        try:
            yield
        finally:
            self.said.append("back")

    @contextmanager
    def graph(self, *_: object, **__: object) -> Iterator[None]:
        self.said.append("capture")
        yield  # a failed capture does not leave torch's own stream context either
        self.said.append("captured")


def test_a_graphs_memory_is_counted_from_its_capture_and_inputs_are_copied_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = FakeCuda(monkeypatch)
    batches = [torch.full((1, 2), float(value)) for value in range(3)]
    seen: list[torch.Tensor] = []
    replay = subject._captured(seen.append, batches)
    assert len(seen) == 4  # three to warm up, one captured
    counted_from = cuda.said.index("reset_peak_memory_stats")
    assert cuda.said.index("clear_workspaces") < counted_from < cuda.said.index("capture")
    assert "reset_peak_memory_stats" not in cuda.said[cuda.said.index("capture") :]
    static = seen[-1]
    for batch in batches:
        replay()
        assert cuda.said[-1] == "replay"
        assert torch.equal(static, batch)
        assert static is not batch


def test_a_capture_that_fails_gives_the_stream_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)

    def run(_: torch.Tensor) -> None:
        if cuda.said[-1] == "capture":
            raise RuntimeError("no capture of this")

    with pytest.raises(RuntimeError, match="no capture"):
        subject._captured(run, [torch.zeros(1)])
    assert cuda.said[-2:] == ["capture", "back"]


@pytest.mark.parametrize(("mode", "others"), [("eager", 2), ("cudagraph", 3)])
def test_inputs_that_only_the_measurement_needs_are_no_part_of_the_peak(
    monkeypatch: pytest.MonkeyPatch, mode: str, others: int
) -> None:
    """Of a step the one it reads counts; a graph reads its own copy."""
    monkeypatch.setattr(latency_room, "peak_on_gpu", lambda *_: 1000)
    batches = [torch.zeros(4) for _ in range(3)]
    case = CASE._replace(mode=mode)
    found = latency_room._peak(lambda: None, torch.nn.ReLU(), case, batches, torch.device("cuda"))
    assert found == 1000 - others * 16


def test_a_gpu_by_number_is_the_current_one_while_it_is_measured(
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
    monkeypatch.setattr(trial_room, "_clear", lambda _: None)
    assert attempt(lambda: said[-1], found).value == found, "whatever is tried, ceilings too"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("AMD EPYC 9654 96-Core Processor", "AMD EPYC 9654 96-Core Processor"),
        ("AMD EPYC", "AMD EPYC family 25 model 17"),
    ],
)
def test_processors_of_which_a_virtual_machine_says_little_are_told_apart(
    told: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their records and ceilings must not pass for one another's."""
    info = tmp_path / "cpuinfo"
    info.write_text(f"cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: {told}\ncpu MHz\t: 2596.1\n")
    monkeypatch.setattr(machine, "_CPUINFO", str(info))
    assert machine.describe(CPU)["name"] == name
    assert machine.condition(CPU)["clock"] == 2596.1


class LostGpu:
    """A GPU after an illegal access: every call of its context gives the same error."""

    def __getattr__(self, name: str) -> Any:
        def call(*_: object, **__: object) -> Any:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nand advice")

        return call


def test_a_gpu_that_is_lost_costs_no_result_and_ends_the_sweep_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "cuda", LostGpu())
    gpu = torch.device("cuda")
    outcome = attempt(lambda: torch.cuda.synchronize(), gpu)
    assert (outcome.status, "illegal memory access" in str(outcome.reason)) == ("failed", True)
    with pytest.raises(InspectError, match=r"lost to this process .*--resume") as caught:
        machine.check_alive(gpu)
    assert "\n" not in str(caught.value)


def test_the_first_run_is_told_with_what_makes_it_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """The capture of a graph compiles and tunes before anything can be timed."""
    real = subject.step

    def slow(*arguments: Any) -> Any:
        time.sleep(0.3)
        return real(*arguments)

    monkeypatch.setattr(subject, "step", slow)
    assert measure(GRAPH, CASE, BENCH).fields["first"] >= 0.3
    step = next(ladder.climb(GRAPH, BENCH, 2))
    assert step.fields["first"] >= 0.3
    assert step.summary is not None
    assert step.summary.median < 0.3


def test_the_page_on_measuring_names_the_numbers_that_the_code_has() -> None:
    page = (Path(__file__).parents[3] / "docs" / "measuring.md").read_text(encoding="utf-8")
    words = " ".join(page.split())
    rule = Rule()
    tolerances = ladder.TOLERANCE
    assert tolerances["tf32"] == tolerances["fp16"]
    for said in (
        f"a scale of {subject.RESIDUAL_SCALE:g}",
        f"(their medians within {rule.tolerance:.0%})",
        f"`--half-width` ({rule.half_width:.0%})",
        f"the gain is more than {LEAST_DIFFERENCE:.0%},",
        f"{tolerances['fp32']:.0e} in fp32, {tolerances['tf32']:.0e} in TF32 and fp16, "
        f"{tolerances['bf16']:.0e} in bf16".replace("e-0", "e-"),
    ):
        assert said in words, said
    for said, holds in (
        ("on a GPU after a second at least", LEAST_WARMUP["cuda"] == 1),
        ("at least two seconds apart", energy_room.ENERGY_SECONDS == 2),
        ("In ten consecutive blocks", BLOCKS == 10),
        ("Of less than forty runs", independent_runs([1.0] * 20 + [2.0] * 20) < 40),
    ):
        assert said in words
        assert holds, said


def on_gpu(**changes: object) -> tuple[Case, Bench]:
    graph = ri.graph("resnet18")
    case = Case(graph.name, graph.input_shape, 32)._replace(**changes)  # type: ignore[arg-type]
    return case, Bench(torch.device("cuda"), Rule(half_width=0.01, budget=3, least_warmup=1))


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["eager", "cudagraph", "compile", "compile+cudagraph"])
def test_a_gpu_runs_every_mode_and_repeats_agree(mode: str) -> None:
    case, bench = on_gpu(mode=mode)
    medians = [median(measure(ri.graph("resnet18"), case, bench).fields["times"]) for _ in "ab"]
    assert abs(medians[0] - medians[1]) <= 0.03 * min(medians)


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["eager", "cudagraph", "compile", "compile+cudagraph"])
@pytest.mark.parametrize("dtype", ["fp32", "tf32", "bf16", "fp16"])
def test_a_gpu_trains(dtype: str, mode: str) -> None:
    case, bench = on_gpu(step="training", dtype=dtype, mode=mode)
    if dtype == "fp16" and "cudagraph" in mode:
        with pytest.raises(InspectError, match="gradients' scale"):
            measure(ri.graph("resnet18"), case, bench)
        return
    made = measure(ri.graph("resnet18"), case, bench)
    assert made.status == "ok", made.fields["reason"]


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["eager", "cudagraph"])
def test_on_a_gpu_other_timers_agree(mode: str) -> None:
    # do_bench empties the cache and keeps the GPU busy before each run, which small batches feel
    case, bench = on_gpu(batch=128, mode=mode)
    made = measure(ri.graph("resnet18"), case, bench._replace(cross_check=True))
    middle = median(made.fields["times"])
    for other in made.fields["cross_check"].values():
        assert abs(other - middle) <= 0.03 * middle


@pytest.mark.gpu
def test_on_a_gpu_a_graph_holds_no_more_memory_than_its_step() -> None:
    """Its input's copy and cuBLAS's workspace, 32 MiB on Hopper, may come on top."""
    peaks = [
        measure(ri.graph("resnet18"), *on_gpu(mode=mode)).fields["peak_memory"]
        for mode in ("eager", "cudagraph")
    ]
    known = memory(ri.graph("resnet18"), 32).inference
    for peak in peaks:
        assert known <= peak <= known + (256 << 20), "a convolution's workspace at most"
    assert peaks[1] <= peaks[0] + (64 << 20)


@pytest.mark.gpu
def test_on_a_gpu_layers_add_up_to_the_whole() -> None:
    case, bench = on_gpu(batch=128)
    ceilings_found = Ceilings("g", "cuda", {"fp32": 1e14}, ((1 << 30, 4e12),), 1e-6)
    made = measure_layers(ri.graph("resnet18"), case, bench, ceilings_found)
    assert abs(made.fields["of_whole"] - 1) <= 0.1


@pytest.mark.gpu
def test_events_cost_less_than_a_hundredth_of_a_graph_at_batch_1() -> None:
    """The same replays with a pair of events around each and without, by turns."""
    case, bench = on_gpu(batch=1, mode="cudagraph")
    graph, clock = ri.graph("resnet18"), clock_of(bench.device)
    with settings(), subject.mode_of(case):
        model = subject.prepared(subject.network(graph, bench.device), graph, case)
        step = subject.step(model, case, subject.inputs(case, bench.device))

        def span(watched: bool) -> float:
            clock.mark()
            for _ in range(200):
                if watched:
                    clock.mark()
                step()
                if watched:
                    clock.mark()
            clock.mark()
            return sum(clock.laps())

        turns = [(span(True), span(False)) for _ in range(30)][5:]
    watched, alone = (median(times) for times in zip(*turns, strict=True))
    assert watched <= 1.01 * alone


@pytest.mark.gpu
def test_a_hopper_climbs_to_three_times_its_baseline() -> None:
    """ResNet-50 at batch 256; a smaller GPU has no room for it, or tensor cores that gain less."""
    if torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("the figure is of Hopper")
    gpu = torch.device("cuda", torch.cuda.current_device())
    bench = Bench(gpu, Rule(budget=2, warmup=2, least_warmup=1))
    steps = list(ladder.climb(ri.graph("resnet50"), bench, 256))
    assert [step.status for step in steps] == ["ok"] * len(ladder.RUNGS)
    assert all(step.fields["error"] <= step.fields["tolerance"] for step in steps)
    assert [step.fields["speedup"] for step in steps if step.fields["kept"]][-1] >= 3


@pytest.mark.gpu
def test_gpu_memory_that_runs_out_is_a_result() -> None:
    case, bench = on_gpu(batch=10**6)
    assert measure(ri.graph("resnet18"), case, bench).status == OUT_OF_MEMORY


@pytest.mark.gpu
def test_a_case_after_one_that_failed_is_measured_as_ever() -> None:
    case, bench = on_gpu(mode="cudagraph")
    graph = ri.graph("resnet18")

    def peak_and_time() -> tuple[int, float]:
        made = measure(graph, case, bench)
        assert made.status == "ok", made.fields["reason"]
        return made.fields["peak_memory"], median(made.fields["times"])

    before = peak_and_time()
    assert measure(graph, case._replace(batch=10**6), bench).status != "ok"
    after = peak_and_time()
    assert before[0] == after[0]
    assert abs(before[1] - after[1]) <= 0.03 * before[1]
