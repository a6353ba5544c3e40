"""Tables of latencies: what was measured, and one file against another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from recorded import CASE, TIMES, latency, out_of_memory, sample

import resnet_inspect as ri
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.measurement import Device
from resnet_inspect.measuring.records import append
from resnet_inspect.tables.latency import comparison, latencies
from resnet_inspect.tables.measurements import measurements


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.jsonl"


def test_a_table_shows_what_was_measured() -> None:
    made = latencies([latency(), latency(replace(CASE, batch=8))])
    row = made.records()[0]
    assert row["median"] == 0.011
    assert row["images_per_second"] == 1 / 0.011
    assert row["flops_per_second"] == 2 * 40_551_040 / 0.011
    assert row["of_ceiling"] == 2 * 40_551_040 / 0.011 / 1e12
    assert row["runs"] == len(TIMES)
    shown = [column.key for column in made.visible]
    assert "dtype" not in shown, "what all rows share is in the title"
    assert "fp32" in made.title
    assert "joules" not in shown, "nobody measured it"
    assert "2 x MACs" in made.to_text("markdown")
    assert "3x32x32" in made.title


def test_a_column_for_what_differs_between_rows() -> None:
    other = Device(kind="cpu", name="another device", threads=2)
    made = latencies([latency(), latency(replace(CASE, input=(3, 64, 64))), latency(device=other)])
    shown = [column.key for column in made.visible]
    assert {"input", "device"} <= set(shown)
    assert not {"torch", "threads"} & set(shown)
    assert "3x32x32" not in made.title


def test_out_of_memory_is_a_row_with_a_reason() -> None:
    made = latencies([latency(), out_of_memory(replace(CASE, batch=8))])
    row = made.records()[1]
    assert row["status"] == "out of memory"
    assert row["median"] is None
    assert any("out of memory. needs 1 byte" in note for note in made.notes)


def test_notes_say_what_was_not_steady_and_did_not_converge() -> None:
    made = latencies(
        [
            latency(sample=sample(steady=False)),
            latency(replace(CASE, batch=8), sample=sample(converged=False)),
        ]
    )
    assert any("Not in steady state" in note and "batch 1 " in note for note in made.notes)
    assert any("wider than asked" in note and "batch 8 " in note for note in made.notes)
    drifted = latencies([latency(), latency(replace(CASE, batch=4), (0.01,) * 50 + (0.011,) * 50)])
    assert any("Drifted" in note and "batch 4 " in note for note in drifted.notes)
    assert drifted.rows[1]["independent"] < 100  # type: ignore[operator]


def test_data_frames_keep_whole_numbers() -> None:
    frame = latencies([latency()]).to_pandas()
    assert frame.loc[0, "macs"] == 40_551_040
    assert frame.loc[0, "median"] == 0.011


def test_nothing_to_show() -> None:
    with pytest.raises(InspectError, match="no latencies"):
        latencies([])
    with pytest.raises(InspectError, match="no measurements"):
        measurements([])


def test_two_files_are_compared_case_by_case(path: Path) -> None:
    eight, four = replace(CASE, batch=8), replace(CASE, batch=4)
    two = replace(CASE, batch=2)
    before = [latency(), latency(eight), latency(four), latency(two)]
    after = [
        latency(two, tuple(2 * t for t in TIMES)),
        latency(times=tuple(t / 2 for t in TIMES)),
        latency(eight, TIMES[::-1]),
        out_of_memory(four),
        latency(replace(CASE, batch=64)),
    ]
    made = comparison(before, after, ("old", "new"))
    hardly = latency(times=(0.01005,) * 8)
    (row,) = comparison([latency(times=(0.01,) * 8)], [hardly], ("old", "new")).rows
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
    old, new = (ri.read_bench(path.with_name(name)) for name in ("old.jsonl", "new.jsonl"))
    assert [row["verdict"] for row in old.against(new).rows] == [
        "faster",
        "same",
        "ok / out of memory",
        "slower",
    ]


def test_reading_a_file_loads_neither_torch_nor_pandas(path: Path) -> None:
    append(path, latency())
    code = (
        "import sys\nimport resnet_inspect as ri\n"
        f"print(ri.read_bench({str(path)!r}).to_text('markdown'))\n"
        "assert not {'torch', 'pandas', 'matplotlib'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Median" in done.stdout


def test_of_a_case_measured_twice_the_last_is_compared() -> None:
    first, second = latency(), latency(times=(1.0,) * 8)
    (row,) = comparison([first], [first, second], ("a", "b")).records()
    assert row["before"] == 0.011
    assert row["after"] == 1.0


def test_networks_of_one_name_that_differ_are_not_compared() -> None:
    with pytest.raises(InspectError, match="no case in common"):
        comparison([latency()], [latency(network="something else")], ("a", "b"))
