"""Records on disk, sweeps that lose nothing, and the tables of them; no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import watched
from resnet_inspect.cli.main import run as cli
from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.measuring import sweep
from resnet_inspect.measuring.ceilings import known_ceilings, stored_ceilings
from resnet_inspect.measuring.records import (
    SCHEMA,
    Case,
    Measurement,
    append,
    existing,
    identity,
    pairs,
    read,
    record,
)
from resnet_inspect.measuring.sweep import Here
from resnet_inspect.networks.op_labels import family, family_of_words
from resnet_inspect.pictures.plots.latency import plots_of
from resnet_inspect.tables.measurements import comparison, everything, latencies

GRAPH = ri.graph("resnet20_cifar")
CASE = Case(GRAPH.name, GRAPH.input_shape)
TIMES = [0.010, 0.011, 0.012, 0.010, 0.013, 0.011, 0.010, 0.012]
HERE = Here("a device", 2, "2.0")


def measured(case: Case = CASE, times: list[float] | None = None, **changes: Any) -> Measurement:
    fields: dict[str, Any] = {
        "case": case._asdict(),
        "network": identity(ri.graph(case.model)),
        "macs": 40_551_040 * case.batch,
        "params": 269_722,
        "status": "ok",
        "reason": None,
        "first": 0.5,
        "warmup": [0.02],
        "times": TIMES if times is None else times,
        "steady": True,
        "settled": True,
        "peak_memory": 1 << 20,
        "joules": None,
        "ceiling": 1e12,
        "rule": {"confidence": 0.95},
        "settings": {"threads": HERE.threads},
        "device": {"kind": "cpu", "name": HERE.device, "threads": HERE.threads},
        "software": {"torch": HERE.torch},
        "before": {},
        "after": {},
    }
    return record("latency", **fields | changes)


def out_of_memory(case: Case = CASE) -> Measurement:
    made = measured(case, status="out of memory", reason="needs 1 byte")
    return Measurement({k: v for k, v in made.fields.items() if k not in ("times", "first")})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    wrote = [measured(), out_of_memory(CASE._replace(batch=8))]
    for made in wrote:
        append(path, made)
    assert list(read(path)) == wrote
    assert read(path)[0].case == CASE
    assert json.loads(path.read_text().splitlines()[0])["schema"] == SCHEMA


def test_what_a_kill_left_of_a_line_is_dropped_and_cut_off(path: Path) -> None:
    append(path, measured())
    whole = path.read_bytes()
    for left in (1, 100, len(whole) - 2):
        path.write_bytes(whole + whole[:left])
        assert len(read(path)) == 1
    append(path, measured(CASE._replace(batch=8)))
    assert [made.case.batch for made in read(path)] == [1, 8]
    assert path.read_bytes().startswith(whole)
    path.write_bytes(b'{"never finished')
    append(path, measured())
    assert len(read(path)) == 1


def test_a_last_line_that_lacks_but_its_end_is_kept(path: Path) -> None:
    append(path, measured())
    path.write_bytes(path.read_bytes().rstrip())
    assert len(read(path)) == 1
    append(path, measured(CASE._replace(batch=8)))
    assert [made.case.batch for made in read(path)] == [1, 8]


def test_names_in_any_script_survive_a_kill_anywhere(path: Path) -> None:
    append(path, measured())
    whole = path.read_bytes()
    append(path, measured(reason="größer als der Speicher"))
    line = path.read_bytes()[len(whole) :]
    for left in range(1, len(line) - 1):
        path.write_bytes(whole + line[:left])
        assert len(read(path)) == 1


def test_a_partial_line_longer_than_a_block_is_cut_off(path: Path) -> None:
    append(path, measured())
    whole = path.read_bytes()
    path.write_bytes(whole + b"x" * 200_000)
    append(path, measured())
    assert len(read(path)) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (json.dumps({"schema": SCHEMA + 1}), f"is of schema {SCHEMA + 1}.*reads schema {SCHEMA}"),
        (json.dumps({"model": "resnet18"}), "has no 'schema'"),
        (json.dumps([1, 2]), "has no 'schema'"),
        ("{", "is no JSON"),
        (json.dumps({"schema": SCHEMA, "kind": "guess"}), "of kind 'guess'; known are latency"),
        (json.dumps({"schema": SCHEMA, "kind": "latency"}), "no 'made' that is a text"),
        (measured(macs="many").to_line().strip(), "no 'macs' that is a whole number"),
        (
            json.dumps({**measured().fields, "case": {"model": "resnet18"}}),
            "is not a whole measurement",
        ),
        (measured(rule={}).to_line().strip(), "is not a whole measurement"),
    ],
)
def test_files_that_are_not_ours_are_refused_with_the_line_and_a_reason(
    path: Path, line: str, words: str
) -> None:
    append(path, measured())
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FormatError, match=words) as caught:
        read(path)
    assert f"{path}:2" in str(caught.value)
    assert cli(["results", str(path)]) == 2


def test_files_that_cannot_be_read_or_written(path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        read(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(FormatError, match="not UTF-8"):
        read(path)
    with pytest.raises(InspectError, match="cannot write"):
        append(path.parent / "nowhere" / "x.jsonl", measured())


@pytest.mark.parametrize("text", ["notes without an end of line", '{"schema": 99}\n'])
@pytest.mark.parametrize(
    "command",
    [["bench", "resnet20_cifar"], ["ladder", "resnet20_cifar"], ["device", "--refresh"]],
    ids=lambda command: command[0],
)
def test_what_is_no_record_of_ours_is_refused_before_anything_is_measured(
    path: Path, text: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(text)
    asked = [*command, "--device", "cpu", "--record", str(path)]
    assert cli(asked) == 2
    assert path.read_text() == text, "not a byte of it is touched"
    nowhere = path.parent / "nowhere" / "x.jsonl"
    assert cli([*asked[:-1], str(nowhere)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert any("bench.jsonl" in line for line in lines)
    assert any("cannot write" in line for line in lines)
    assert not nowhere.parent.exists()


def test_a_record_that_can_be_written_is_not_made_before_there_is_one(path: Path) -> None:
    assert existing(path) == ()
    assert not path.exists()
    link = path.with_name("link")
    link.symlink_to(path)
    assert existing(link) == ()
    assert link.is_symlink()
    assert not path.exists()
    for odd in (path.parent, Path("/dev/null")):
        with pytest.raises(FormatError, match="no file that lines can be added to"):
            existing(odd)


def test_a_grid_holds_every_combination_once() -> None:
    tasks = sweep.grid([GRAPH, GRAPH], (1, 8, 8), ("fp32", "bf16"), ("nchw", "nhwc"), ("eager",))
    cases = [case for _, case in tasks]
    assert len(cases) == len(set(cases)) == 2 * 2 * 2


def test_a_sweep_goes_on_where_it_was_killed(path: Path) -> None:
    tasks = sweep.grid([GRAPH], (1, 2, 4, 8))
    seen: list[int] = []

    def measure(graph: object, case: Case) -> Measurement:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(case.batch)
        return measured(case) if case.batch != 2 else out_of_memory(case)

    with pytest.raises(KeyboardInterrupt):
        list(sweep.run(tasks, measure, path))
    assert [made.case.batch for made in read(path)] == [1, 2]
    left = sweep.remaining(tasks, "latency", HERE, read(path))
    # Memory that ran out is a result, and is not tried again.
    assert [case.batch for _, case in left] == [4, 8]


def test_what_failed_and_what_another_device_did_is_measured_again(path: Path) -> None:
    tasks = sweep.grid([GRAPH], (1, 2, 4))
    append(path, measured(CASE, status="failed"))
    append(path, measured(CASE._replace(batch=2), device={"kind": "cpu", "name": "other"}))
    append(path, measured(CASE._replace(batch=4), software={"torch": "3.0"}))
    assert sweep.remaining(tasks, "latency", HERE, read(path)) == tasks
    (again,) = sweep.of_tasks(tasks, "latency", HERE, read(path))
    assert (again.case, again.status) == (CASE, "failed")
    assert existing(path) == read(path)
    assert existing(path.with_name("none")) == ()


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from test_records import CASE, GRAPH, measured
from resnet_inspect.measuring import sweep

def measure(graph, case):
    if case.batch == 8:
        print("stuck", flush=True)
        time.sleep(600)
    return measured(case)

list(sweep.run(sweep.grid([GRAPH], (1, 2, 4, 8, 16)), measure, sys.argv[1]))
"""


def test_a_kill_loses_nothing_that_was_finished(path: Path) -> None:
    code = KILLED.format(tests=str(Path(__file__).parent))
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"stuck\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert [made.case.batch for made in read(path)] == [1, 2, 4]


def test_a_table_shows_what_was_measured() -> None:
    made = latencies([measured(), measured(CASE._replace(batch=8))])
    row = made.records()[0]
    assert row["median"] == 0.011
    assert row["images_per_second"] == 1 / 0.011
    assert row["flops_per_second"] == 2 * 40_551_040 / 0.011
    assert row["of_ceiling"] == 2 * 40_551_040 / 0.011 / 1e12
    assert row["runs"] == len(TIMES)
    shown = [column.key for column in made.visible]
    assert "dtype" not in shown, "what all rows share stands in the title"
    assert "fp32" in made.title
    assert "joules" not in shown, "nobody measured it"
    assert "2 x MACs" in made.to_text("markdown")
    assert "3x32x32" in made.title


def test_rows_that_would_look_alike_say_what_tells_them_apart() -> None:
    other = {"kind": "cpu", "name": "another device", "threads": 2}
    made = latencies(
        [measured(), measured(CASE._replace(input=(3, 64, 64))), measured(device=other)]
    )
    shown = [column.key for column in made.visible]
    assert {"input", "device"} <= set(shown)
    assert not {"torch", "threads"} & set(shown)
    assert "3x32x32" not in made.title


def test_out_of_memory_is_a_row_with_a_reason() -> None:
    made = latencies([measured(), out_of_memory(CASE._replace(batch=8))])
    row = made.records()[1]
    assert row["status"] == "out of memory"
    assert row["median"] is None
    assert any("out of memory. needs 1 byte" in note for note in made.notes)


def test_a_table_says_what_was_not_steady_and_not_settled() -> None:
    made = latencies([measured(steady=False), measured(CASE._replace(batch=8), settled=False)])
    assert any("Not in steady state" in note and "batch 1 " in note for note in made.notes)
    assert any("wider than asked" in note and "batch 8 " in note for note in made.notes)
    drifted = latencies([measured(), measured(CASE._replace(batch=4), [0.01] * 50 + [0.011] * 50)])
    assert any("Drifted" in note and "batch 4 " in note for note in drifted.notes)
    assert drifted.rows[1]["independent"] < 100  # type: ignore[operator]


def test_data_frames_keep_whole_numbers() -> None:
    frame = latencies([measured()]).to_pandas()
    assert frame.loc[0, "macs"] == 40_551_040
    assert frame.loc[0, "median"] == 0.011


REPORTS = Path(__file__).parents[2] / "reports" / "latency" / "cpu"


@pytest.mark.parametrize(
    ("record", "options", "table"),
    [
        ("latency", (), "latency"),
        ("repeats", (), "again"),
        ("latency", ("--against", "reports/latency/cpu/repeats.jsonl"), "repeats"),
        ("layers", (), "layers"),
        ("layers", ("--level", "block"), "layers-by-block"),
        ("ladder", (), "ladder"),
        ("ceilings", (), "ceilings"),
    ],
)
def test_the_committed_tables_are_what_the_committed_records_say(
    record: str, options: tuple[str, ...], table: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(REPORTS.parents[2])
    out = tmp_path / "out.md"
    models = ["resnet18", "resnet50"] if options and options[0] == "--against" else []
    shown = f"reports/latency/cpu/{record}.jsonl"
    assert cli(["results", shown, *models, *options, "-o", str(out)]) == 0
    assert out.read_text() == (REPORTS / f"{table}.md").read_text()


def test_nothing_to_show() -> None:
    with pytest.raises(InspectError, match="no latencies"):
        latencies([])
    with pytest.raises(InspectError, match="no measurements"):
        everything([])


def test_two_files_are_compared_case_by_case(path: Path) -> None:
    eight, four = CASE._replace(batch=8), CASE._replace(batch=4)
    two = CASE._replace(batch=2)
    before = [measured(), measured(eight), measured(four), measured(two)]
    after = [
        measured(two, [2 * t for t in TIMES]),
        measured(times=[t / 2 for t in TIMES]),
        measured(eight, TIMES[::-1]),
        out_of_memory(four),
        measured(CASE._replace(batch=64)),
    ]
    made = comparison(before, after, ("old", "new"))
    hardly = measured(times=[t * 1.005 for t in [0.01] * 8])
    (row,) = comparison([measured(times=[0.01] * 8)], [hardly], ("old", "new")).rows
    assert row["verdict"] == "same", "half a percent is what two processes differ by"
    verdicts = {row["batch"]: row["verdict"] for row in made.rows}
    assert verdicts == {1: "faster", 8: "same", 4: "ok / out of memory", 2: "slower"}
    assert made.rows[0]["speedup"] == pytest.approx(2.0)
    assert made.rows[2]["speedup"] is None
    with pytest.raises(InspectError, match="no case in common"):
        comparison(before[:1], after[3:], ("old", "new"))
    for name, group in (("old.jsonl", before), ("new.jsonl", after)):
        for one in group:
            append(path.with_name(name), one)
    arguments = ["results", str(path.with_name("old.jsonl"))]
    out = path.with_name("out.json")
    assert cli([*arguments, "--against", str(path.with_name("new.jsonl")), "-o", str(out)]) == 0
    assert [row["verdict"] for row in json.loads(out.read_text())["rows"]] == [
        "faster", "same", "ok / out of memory", "slower"
    ]  # fmt: skip


def test_of_a_case_measured_twice_the_last_is_compared() -> None:
    first, second = measured(), measured(times=[1.0] * 8)
    assert pairs([first], [first, second]) == [(first, second)]


def test_networks_of_one_name_are_not_compared_when_they_differ() -> None:
    other = measured(network="something else")
    assert pairs([measured()], [other]) == []


def ceilings(kind: str, name: str) -> Measurement:
    return record(
        "ceilings", rates={"fp32": 1e12}, fastest={"fp32": ""}, copies=[[1, 1.0]], launch=1e-6,
        device={"kind": kind, "name": name}, software={"torch": "2.0"},
    )  # fmt: skip


def test_the_latest_ceilings_of_a_device_are_found(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(path.parent))
    assert stored_ceilings() is None
    for kind, name in (("cpu", "a"), ("cuda", "b"), ("cpu", "c")):
        append(path, ceilings(kind, name))
    assert known_ceilings(path).label == "c"
    assert known_ceilings(path, "cuda").label == "b"
    assert stored_ceilings(path, name="a") == read(path)[0]
    with pytest.raises(InspectError, match="no ceilings of tpu in"):
        known_ceilings(path, "tpu")


def test_plots_of_measurements_are_the_same_bytes_every_time() -> None:
    found = [
        measured(CASE._replace(model=model, batch=batch))
        for model in ("resnet20_cifar", "resnet32_cifar")
        for batch in (1, 8)
    ]
    plots = plots_of([*found, out_of_memory()])
    assert [plot.name for plot in plots] == ["batch", "throughput"]
    for plot in plots:
        svg = plot.to_svg()
        assert svg == plot.to_svg()
        assert "resnet32_cifar" in svg


def test_what_varies_most_is_compared_and_the_rest_has_plots_of_its_own() -> None:
    found = [
        measured(Case(model, (3, 32, 32), batch, dtype, "nhwc", mode))
        for model in ("resnet20_cifar", "resnet32_cifar")
        for batch in (1, 8)
        for dtype in ("fp32", "bf16")
        for mode in ("eager", "compile", "cudagraph")
    ]
    plots = {plot.name: plot for plot in plots_of(found)}
    assert list(plots) == ["batch-nhwc", "throughput-nhwc", "batch-bf16-nhwc",
                           "throughput-bf16-nhwc"]  # fmt: skip
    for name, plot in plots.items():
        svg = plot.to_svg()
        for shown in ("cudagraph", "resnet32_cifar", "bf16" if "bf16" in name else "fp32"):
            assert f">{shown}" in svg or f"{shown}," in svg
    by_batch = plots["batch-nhwc"].to_svg()
    assert [by_batch.count(f">{mode}<") for mode in ("eager", "compile", "cudagraph")] == [1, 1, 1]
    one_network = [made for made in found if made.case.model == "resnet20_cifar"]
    assert {plot.name for plot in plots_of(one_network)} == {"batch-nhwc", "batch-bf16-nhwc"}


def test_inputs_and_devices_have_plots_of_their_own() -> None:
    large, other = (3, 64, 64), {"kind": "cpu", "name": "another device", "threads": 2}
    found = [
        *(measured(CASE._replace(batch=batch)) for batch in (1, 8)),
        *(measured(CASE._replace(batch=batch, input=large)) for batch in (1, 8)),
        *(measured(CASE._replace(batch=batch), device=other) for batch in (1, 8)),
    ]
    plots = plots_of(found)
    assert [plot.name for plot in plots] == ["batch", "batch-2", "batch-3"]
    assert "3x64x64" in plots[1].alt
    assert "another device" in plots[2].alt


def test_a_network_of_which_nothing_is_counted_is_no_point_of_the_plot() -> None:
    found = [
        measured(CASE._replace(model=model, batch=batch), macs=macs * batch)
        for model, macs in (("resnet20_cifar", 10**9), ("resnet32_cifar", 2 * 10**9))
        for batch in (1, 2, 4, 8, 16, 32, 64, 128)
    ]
    unknown = [measured(CASE._replace(model="resnet44_cifar", batch=batch), macs=0)
               for batch in (1, 8)]  # fmt: skip
    plots = {plot.name: plot.to_svg() for plot in plots_of([*found, *unknown])}
    assert ">resnet32_cifar<" in plots["throughput"]
    assert ">resnet44_cifar<" not in plots["throughput"]
    assert ">resnet44_cifar<" in plots["batch"]
    assert [plot.name for plot in plots_of(unknown)] == ["batch"]


def test_names_of_networks_stand_clear_of_each_other_and_of_points() -> None:
    """resnet34 and resnet50 lie next to each other, whatever they are measured at."""
    from matplotlib.figure import Figure

    from resnet_inspect.pictures.themes import theme_named

    macs = {"resnet18": 1_814_073_344, "resnet34": 3_663_761_408, "resnet50": 4_089_184_256}
    found = [
        measured(Case(model, (3, 224, 224), batch, mode=mode), [macs[model] * batch / rate] * 6,
                 macs=macs[model] * batch)
        for model in macs for batch in (1, 8)
        for mode, rate in (("eager", 1e12), ("compile", 1.2e12), ("cudagraph", 1.1e12))
    ]  # fmt: skip
    plot = next(plot for plot in plots_of(found) if plot.name == "throughput")
    figure = Figure(figsize=plot.size, dpi=144, layout="constrained")
    plot.paint(figure, theme_named("light"))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    names = [text for text in axes.texts if text.get_text() in macs]
    assert len(names) == 3
    boxes = [text.get_window_extent() for text in names]
    points = [point for line in axes.lines if line.get_linestyle() == "None"
              for point in axes.transData.transform(line.get_xydata())]  # fmt: skip
    assert len(points) == len(found)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert not any(box.contains(*point) for point in points)


def test_every_operation_has_a_family() -> None:
    from resnet_inspect.networks.op_labels import describe

    for name in ("resnet50", "seresnet50", "resnet20_cifar", "resnext50_32x4d"):
        for layer in ri.graph(name).layers:
            assert family(layer.op) == family_of_words(describe(layer.op))
    assert family_of_words("3x3/2 BN ReLU") == "3x3 convolution"
    assert family_of_words("3x3 g32") == "3x3 convolution"
    assert family_of_words("7x7/2") == "other convolution, linear"


def test_showing_a_file_loads_neither_torch_nor_pandas(path: Path) -> None:
    append(path, measured())
    code = (
        "import sys\nfrom resnet_inspect.cli.main import run\n"
        f"assert run(['bench', '--show', {str(path)!r}]) == 0\n"
        "assert not {'torch', 'pandas', 'matplotlib'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Median" in done.stdout


def test_a_file_is_shown_of_some_networks_alone(path: Path) -> None:
    append(path, measured())
    out = path.with_name("out.csv")
    assert cli(["results", str(path), "resnet20_cifar", "-o", str(out)]) == 0
    assert cli(["results", str(path), "resnet18"]) == 2
    assert cli(["bench", "--against", str(path)]) == 2
    assert cli(["bench"]) == 2


INTERRUPTED = ("bench", "resnet20_cifar", "--batch", "1,2,4,8,16,32", "--budget", "0.5",
               "--device", "cpu", "--threads", "1", "--half-width", "0.0001")  # fmt: skip


def test_a_ctrl_c_that_falls_into_a_finalizer_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with watched("measuring", None) as progress:
        progress.done(measured())
        ignored: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", ignored.append)
        Finalized()
        assert [what.exc_type for what in ignored] == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            progress.done(measured())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_keeps_what_is_finished_and_resume_goes_on(path: Path) -> None:
    code = "from resnet_inspect.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, *INTERRUPTED, "--record", str(path)]
    environment = os.environ | {"XDG_CACHE_HOME": str(path.parent)}
    child = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, complaint = child.communicate(timeout=60)
    assert child.returncode == 130, complaint
    assert "finished and saved" in complaint
    assert "Traceback" not in complaint
    finished = [made.case.batch for made in read(path)]
    assert finished
    assert finished == [1, 2, 4, 8, 16, 32][: len(finished)]
    quick = [*INTERRUPTED[:3], "1,2", *INTERRUPTED[4:]]
    quick[quick.index("0.5")] = "0.1"
    done = subprocess.run(
        [sys.executable, "-c", code, *quick, "--record", str(path), "--resume"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert "of 2 are done already" in done.stderr
    batches = [made.case.batch for made in read(path)]
    assert batches.count(1) == 1
    assert batches.count(2) == 1
