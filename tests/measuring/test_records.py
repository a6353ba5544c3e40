"""Records on disk: what is written is read, and anything else is refused with a reason."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from recorded import CASE, ceilings, latency, out_of_memory, sample

import resnet_inspect as ri
from resnet_inspect.cli.main import run as cli
from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.measuring.records import (
    SCHEMA,
    DeviceCeilings,
    Latency,
    append,
    check_record,
    read,
    to_line,
)
from resnet_inspect.measuring.sampling import Sample
from resnet_inspect.networks.op_data import op_data, op_from


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    wrote = [latency(), out_of_memory(replace(CASE, batch=8)), ceilings()]
    for record in wrote:
        append(path, record)
    assert list(read(path)) == wrote
    assert json.loads(path.read_text().splitlines()[0])["schema"] == SCHEMA


def test_drops_and_cuts_off_what_a_kill_left(path: Path) -> None:
    append(path, latency())
    whole = path.read_bytes()
    for left in (1, 100, len(whole) - 2):
        path.write_bytes(whole + whole[:left])
        assert len(read(path)) == 1
    append(path, latency(replace(CASE, batch=8)))
    assert [record.case.batch for record in read(path)] == [1, 8]
    assert path.read_bytes().startswith(whole)
    path.write_bytes(b'{"never finished')
    append(path, latency())
    assert len(read(path)) == 1


def test_keeps_a_whole_record_without_a_newline(path: Path) -> None:
    append(path, latency())
    path.write_bytes(path.read_bytes().rstrip())
    assert len(read(path)) == 1
    append(path, latency(replace(CASE, batch=8)))
    assert [record.case.batch for record in read(path)] == [1, 8]


def test_names_in_any_script_survive_a_kill_anywhere(path: Path) -> None:
    append(path, latency())
    whole = path.read_bytes()
    append(path, latency(reason="größer als der Speicher"))
    line = path.read_bytes()[len(whole) :]
    for left in range(1, len(line) - 1):
        path.write_bytes(whole + line[:left])
        assert len(read(path)) == 1


def changed(**changes: Any) -> str:
    return json.dumps(json.loads(to_line(latency())) | changes)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (json.dumps({"schema": SCHEMA + 1}), f"is of schema {SCHEMA + 1}.*reads schema {SCHEMA}"),
        (json.dumps({"model": "resnet18"}), "'schema' is missing"),
        (json.dumps([1, 2]), "is not a measurement: expected object, got array"),
        ("{", "is not valid JSON"),
        ("", "is not valid JSON"),
        (json.dumps({"schema": SCHEMA, "kind": "guess"}), "kind: invalid value 'guess'"),
        (json.dumps({"schema": SCHEMA, "kind": "latency"}), "missing required field made"),
        (changed(macs="many"), "macs: expected int, got str"),
        (changed(case={"model": "resnet18"}), "case: object missing required field input"),
        (changed(rule={"half_width": "wide"}), "rule.half_width: expected float, got str"),
        (changed(status="fine"), "status: invalid enum value 'fine'"),
    ],
)
def test_refuses_a_line_with_its_number_and_field(path: Path, line: str, words: str) -> None:
    append(path, latency())
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FormatError, match=words) as caught:
        read(path)
    assert f"{path}:2" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(FormatError, match=words):
        ri.read_bench(path)


def test_rates_too_small_to_divide_by(path: Path) -> None:
    record = json.loads(to_line(ceilings()))
    record["rates"]["fp32"] = 1e-320
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(FormatError, match=r"rates\["):
        read(path)


def test_files_that_cannot_be_read_or_written(path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        read(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(FormatError, match="not valid JSON"):
        read(path)
    path.write_bytes(to_line(latency(reason="too large")).replace(b"large", b"\xff\xfe"))
    with pytest.raises(FormatError, match=r"bench\.jsonl:1"):
        read(path)
    with pytest.raises(InspectError, match="cannot write"):
        append(path.parent / "nowhere" / "x.jsonl", latency())


@pytest.mark.parametrize("text", ["notes without an end of line", '{"schema": 99}\n'])
@pytest.mark.parametrize(
    "command",
    [["bench", "resnet20_cifar"], ["ladder", "resnet20_cifar"], ["device", "--refresh"]],
    ids=lambda command: command[0],
)
def test_rejects_other_files_before_measuring(
    path: Path, text: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(text)
    arguments = [*command, "--device", "cpu", "--record", str(path)]
    assert cli(arguments) == 2
    assert path.read_text() == text, "not a byte of it is touched"
    nowhere = path.parent / "nowhere" / "x.jsonl"
    assert cli([*arguments[:-1], str(nowhere)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert any("bench.jsonl" in line for line in lines)
    assert any("cannot write" in line for line in lines)
    assert not nowhere.parent.exists()


def test_checking_a_new_record_creates_no_file(path: Path) -> None:
    assert check_record(path) == ()
    assert not path.exists()
    link = path.with_name("link")
    link.symlink_to(path)
    assert check_record(link) == ()
    assert link.is_symlink()
    assert not path.exists()
    for odd in (path.parent, Path("/dev/null")):
        with pytest.raises(FormatError, match="not a regular file"):
            check_record(odd)


APPEND = """
import sys
from recorded import latency
from resnet_inspect.measuring.records import append
for _ in range(60):
    append(sys.argv[1], latency(reason="x" * 20_000))
"""


def test_several_processes_add_to_one_file(path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", APPEND, str(path)]
    writers = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(read(path)) == 120


def test_a_record_that_another_process_begins_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever a check would remove something, the other one has just added to it."""

    def remove(self: Path, missing_ok: bool = False) -> None:
        append(path, latency())
        os.remove(self)

    monkeypatch.setattr(Path, "unlink", remove)
    check_record(path)
    assert len(read(path)) == 1


def test_a_summary_is_of_the_times_that_count() -> None:
    record = latency(sample=Sample(9.0, (8.0, 7.0), (1.0, 2.0, 3.0), True, False))
    assert record.summary is not None
    assert (record.summary.median, record.summary.runs) == (2.0, 3)
    assert out_of_memory().summary is None
    assert latency(sample=sample((0.25,))).summary.p99 == 0.25  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["resnet50", "seresnet50", "resnetv2_18", "resnext50_32x4d"])
def test_ops_survive_as_data(name: str) -> None:
    for layer in ri.graph(name).layers:
        assert op_from(json.loads(json.dumps(op_data(layer.op)))) == layer.op


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"op": "Op3d"}, "'Op3d' is not a kind of layer"),
        ({}, "None is not a kind of layer"),
        ({"op": "Linear", "width": 3}, "Linear: .*'width'"),
    ],
)
def test_data_that_is_not_an_op(data: dict[str, Any], words: str) -> None:
    with pytest.raises(InspectError, match=words):
        op_from(data)


REPORTS = Path(__file__).parents[2] / "reports" / "latency" / "cpu"

WRONG = ["x", None, [], [[]], {"a": []}, 0, 1.5, 10**400, 1e308]


def _first_of_each_kind() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("latency", "layers", "ladder", "ceilings"):
        for line in (REPORTS / f"{name}.jsonl").read_text().splitlines():
            record = json.loads(line)
            found.setdefault(record["kind"], record)
    found["layers"]["layers"] = found["layers"]["layers"][:2]
    return found


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, item in items:
        yield (*place, key)
        if isinstance(item, (dict, list)):
            yield from _places(item, (*place, key))


def _lines_of_refusal(path: Path) -> int:
    """How many lines a file's refusal has; 0 where all can be shown that it holds."""
    try:
        measurements = ri.read_bench(path)
        for level in ("layer", "block"):
            measurements.view(level).to_text("markdown")
        for record in read(path):
            if isinstance(record, Latency):
                measurements.against(measurements).to_text("json")
            if isinstance(record, DeviceCeilings):
                ri.roofline("resnet20_cifar", ceilings=path).to_text("csv")
    except InspectError as error:
        return len(str(error).splitlines())
    return 0


@pytest.mark.parametrize("kind", ["latency", "layers", "ladder", "ceilings"])
def test_any_value_in_any_place_is_shown_or_refused_in_a_line(kind: str, path: Path) -> None:
    whole = _first_of_each_kind()[kind]
    path.write_text(json.dumps(whole) + "\n")
    assert _lines_of_refusal(path) == 0
    for *inside, last in _places(whole):
        for value in WRONG:
            damaged = copy.deepcopy(whole)
            holder = damaged
            for key in inside:
                holder = holder[key]
            holder[last] = value
            path.write_text(json.dumps(damaged) + "\n")
            assert _lines_of_refusal(path) <= 1


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("macs",), -1),
        (("macs",), 2**63),
        (("case", "batch"), 0),
        (("case", "input", 0), -3),
        (("sample", "times"), []),
        (("sample", "times", 0), -1.0),
        (("peak_memory",), 1.5),
    ],
)
def test_numbers_that_no_measurement_gives(
    place: tuple[Any, ...], value: object, path: Path
) -> None:
    record = _first_of_each_kind()["latency"]
    *inside, last = place
    holder = record
    for key in inside:
        holder = holder[key]
    holder[last] = value
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(FormatError, match=rf"jsonl:1 is not a measurement: {place[0]}"):
        read(path)


@pytest.mark.parametrize(
    "data",
    [
        *(b"[" * 100_000 + b"\n", b'{"a":' * 100_000 + b"\n", b'{"schema":' + b"9" * 5000 + b"}\n"),
        *(b"\0" * 100 + b"\n", b"\xef\xbb\xbf{}\n", b"{}\r\n{}\r\n", b"\n\n", b"NaN\n", b"\x80\n"),
    ],
    ids=lambda data: repr(data[:10]),
)
def test_files_that_hold_no_records(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"jsonl:1 is (not|of schema)") as caught:
        read(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("record", "level", "table"),
    [
        ("latency", "layer", "latency"),
        ("repeats", "layer", "again"),
        ("layers", "layer", "layers"),
        ("layers", "block", "layers-by-block"),
        ("ladder", "layer", "ladder"),
        ("ceilings", "layer", "ceilings"),
    ],
)
def test_committed_tables_are_those_of_the_records(record: str, level: str, table: str) -> None:
    measurements = ri.read_bench(REPORTS / f"{record}.jsonl")
    assert measurements.table(level).to_text("markdown") == (REPORTS / f"{table}.md").read_text()


def test_the_committed_comparison_is_that_of_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPORTS.parents[2])
    models = ["resnet18", "resnet50"]
    latency, repeats = (
        ri.read_bench(f"reports/latency/cpu/{name}.jsonl", models)
        for name in ("latency", "repeats")
    )
    assert latency.against(repeats).to_text("markdown") == (REPORTS / "repeats.md").read_text()


def test_committed_records_are_of_the_networks_as_they_are() -> None:
    from resnet_inspect.networks.op_data import fingerprint

    networks = {
        (record.case.model, record.network)
        for name in ("latency", "layers", "ladder", "repeats")
        for record in read(REPORTS / f"{name}.jsonl")
    }
    assert networks == {(name, fingerprint(ri.graph(name))) for name, _ in networks}
