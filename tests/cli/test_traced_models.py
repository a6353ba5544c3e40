"""A user's own model wherever a model's name may stand."""

from __future__ import annotations

import csv
import json
import sys
from io import StringIO
from pathlib import Path

import pytest
import torch
from torch import nn

import resnet_inspect as ri
from resnet_inspect.api.networks import is_code
from resnet_inspect.cli.main import run
from resnet_inspect.cli.network_options import parse_args
from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.bench import ladder, workload

MODULE = """
import torch
from torch import nn

print("a module that talks while it is imported")


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )

    def forward(self, x):
        return x + self.body(x)


class Odd(nn.Module):
    def forward(self, x):
        return torch.linalg.matrix_exp(x)


class Chooses(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else 2 * x


class Nets:
    @staticmethod
    def small(width=8, depth=2, odd=False, chooses=False, name="tiny"):
        print("and while it is made")
        assert isinstance(name, str)
        more = [Odd()] * odd + [Chooses()] * chooses
        return nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1),
            *(Block(width) for _ in range(depth)),
            *more,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, 10),
        )


small = Nets.small
made = Nets.small()
number = 3


def broken():
    raise RuntimeError("no weights\\nhere")


def leaves():
    raise SystemExit("bye")
"""

INPUT = ["--input", "3x16x16"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of a name that no other test's has."""
    name = f"users_{tmp_path.name.translate(str.maketrans('-.[]', '____'))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])  # as for a script
    yield Path(name)  # type: ignore[misc]
    sys.modules.pop(name, None)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options of a measurement that takes no time, the caches of a small processor to clear."""
    monkeypatch.setattr(workload, "cache_size", lambda _: 1 << 16)
    record = str(tmp_path / "bench.jsonl")
    sampling = ["--budget", "0.02", "--half-width", "0.5", "--threads", "1"]
    return [*sampling, "--device", "cpu", "--record", record]


def table(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run(["table", *arguments, "--format", "json"]) == 0
    shown: dict[str, object] = json.loads(capsys.readouterr().out)  # nothing else on stdout
    return shown


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 2
    lines = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("resnet-inspect")
    ]
    assert len(lines) == 1
    return lines[0]


def test_a_callable_is_called_with_its_arguments(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["table", f"{here}:small", *INPUT, "--format", "json"]) == 0
    printed = capsys.readouterr()
    assert "talks" in printed.err
    one = json.loads(printed.out)
    assert one["model"] == "small"
    assert one["total"]["params"] == 3 * 8 * 9 + 8 + 2 * (8 * 8 * 9 + 16) + 8 * 10 + 10  # type: ignore[index]
    wide = table(capsys, f"{here}:Nets.small", *INPUT, "--args", "width=16", "--args", "depth=1")
    assert wide["total"]["params"] == 3 * 16 * 9 + 16 + (16 * 16 * 9 + 32) + 16 * 10 + 10  # type: ignore[index]
    assert table(capsys, f"{here}:made", *INPUT)["total"] == one["total"]


def test_what_is_not_counted_is_said_in_every_format(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["table", f"{here}:small", *INPUT, "--args", "odd=true"]
    found = table(capsys, *arguments[1:])
    assert found["uncounted"] == ["3"]
    (odd,) = (row for row in found["rows"] if row["name"] == "3")  # type: ignore[attr-defined]
    for key in ("macs", "flops", "traffic", "activations", "receptive_field"):
        assert odd[key] is None
    for format in ("terminal", "markdown", "html", "latex"):
        assert run([*arguments, "--format", format]) == 0
        shown = capsys.readouterr().out
        assert "at least" in shown
        assert "not counted are 3" in shown


def test_every_command_takes_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"{here}:small"
    for command in (
        ["explain", name, "1"],
        ["compare", name, "resnet18"],
        ["diff", name, "resnet18"],
        ["diagram", name],
        ["diagram", name, "resnet18"],
        ["reconcile", name, "--no-measure"],
        ["table", name, "--level", "stage"],
    ):
        assert run([*command, *INPUT, "--args", "width=4"]) == 0, command
        assert "talks" not in capsys.readouterr().out


PARTLY = [*INPUT, "--args", "odd=true"]
"""Options of a network with a layer that no rule knows."""


def test_a_report_takes_it_and_says_at_least(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "report"
    assert run(["report", f"{here}:small", *PARTLY, "-o", str(folder)]) == 0
    for page in ("index.html", "README.md"):
        assert "at least" in (folder / page).read_text().lower(), page
    tables = list(folder.rglob("*.csv"))
    assert tables
    assert any("uncounted" in path.read_text() for path in tables)


def test_plots_take_it_and_drawings_say_at_least(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stages.svg"
    networks = [f"{here}:small", "resnet18"]  # one alone is not named in its plot
    assert run(["plot", "stages", *networks, *PARTLY, "-o", str(path)]) == 0
    assert path.stat().st_size > 10_000
    assert "small (at least)" in path.read_text()
    assert run(["diagram", f"{here}:small", *PARTLY, "--format", "dot"]) == 0
    assert "at least" in capsys.readouterr().out


def test_latency_of_the_users_own_code(
    here: Path,
    quick: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measured = [f"{here}:small", *PARTLY, *quick]
    assert run(["bench", *measured, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["status"], row["uncounted"]) == ("ok", 1)
    assert run(["results", quick[-1]]) == 0
    assert "at least these for small" in " ".join(capsys.readouterr().out.split())
    assert "leave out --per-layer" in refused(capsys, "bench", *measured, "--per-layer")
    monkeypatch.setattr(ladder, "STEPS", ladder.STEPS[:1])  # others compile
    assert run(["ladder", *measured]) == 0
    assert "fp32 eager" in capsys.readouterr().out


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize("level", ["layer", "block", "stage", "network"])
def test_data_formats_mark_every_row_that_is_a_lower_bound(
    format: str, level: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["table", f"{here}:small", *PARTLY, "--level", level, "--format", format]
    assert run(asked) == 0
    text = capsys.readouterr().out
    rows = json.loads(text)["rows"] if format == "json" else list(csv.DictReader(StringIO(text)))
    assert sum(int(row["uncounted"]) for row in rows) == 1


def test_counters_run_on_the_users_own_code(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--only", "counters", "--format", "json"]
    assert run(["reconcile", f"{here}:small", *INPUT, *asked]) == 0
    rows = json.loads(capsys.readouterr().out)["counters"]["rows"]
    measured = [row for row in rows if row["source"] == "measured"]
    assert len(measured) >= 4
    assert all(row["difference"] == 0 for row in measured)


def test_a_graph_makes_new_models_of_the_users_code(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path.cwd())
    graph = ri.graph(f"{here}:small", (3, 16, 16), args={"width": 4})
    first, second = ri.build(graph), ri.build(graph)
    assert type(first) is nn.Sequential
    assert first is not second
    assert sum(p.numel() for p in second.parameters()) == ri.total(graph.layers).params


def test_a_branch_without_weights_can_be_timed(
    here: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Which side of a foreign addition is the residual nobody says, so none is scaled."""
    Path(f"{here}.py").write_text(
        "from torch import nn\n"
        "class Doubled(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.body = nn.Conv2d(3, 3, 1)\n"
        "    def forward(self, x):\n"
        "        return x + self.body(x).sigmoid()\n"
    )
    for more in ([], ["--train"]):
        assert run(["bench", f"{here}:Doubled", *INPUT, *quick, "--format", "json", *more]) == 0
        (row,) = json.loads(capsys.readouterr().out)["rows"]
        assert row["status"] == "ok", row["reason"]


def test_training_takes_whatever_has_a_gradient(
    here: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(f"{here}.py").write_text(
        "from torch import nn\n"
        "class Maps(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.body = nn.Conv2d(3, 4, 3)\n"
        "    def forward(self, x, *, scale):\n"
        "        y = self.body(x) * scale[:, None, None, None]\n"
        "        return {'maps': [y, y.mean(1)], 'labels': y.argmax(1)}\n"
        "class Labels(Maps):\n"
        "    def forward(self, x):\n"
        "        return self.body(x).argmax(1)\n"
    )
    inputs = ["--input", "3x16x16", "--input", "scale="]
    for more in ([], ["--train"]):
        asked = ["bench", f"{here}:Maps", *inputs, *quick, "--batch", "2", "--format", "json"]
        assert run([*asked, *more]) == 0
        (row,) = json.loads(capsys.readouterr().out)["rows"]
        assert row["status"] == "ok", row["reason"]
    said = refused(capsys, "bench", f"{here}:Labels", *INPUT, *quick, "--train")
    assert "Labels gives no tensor of fractions" in said
    assert run(["table", f"{here}:Maps", *inputs, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["macs"] == 3 * 4 * 9 * 14 * 14


TALKING = """
from torch import nn


class Wordless(BaseException):
    def __str__(self):
        raise ValueError("no words")


class Talks(nn.Module):
    def __init__(self, error=None):
        super().__init__()
        self.body, self.error = nn.Conv2d(3, 4, 3), error
        if error == "at once":
            raise Wordless

    def forward(self, x):
        print("it talks while it runs")
        if self.error and (self.training or self.error == "runs"):
            raise {"exit": SystemExit(0), "key": KeyError("targets")}.get(self.error, Wordless())
        return self.body(x)
"""


def test_what_a_model_prints_is_no_part_of_a_result(
    here: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(f"{here}.py").write_text(TALKING)
    for command in (["table"], ["bench", *quick]):
        assert run([*command, f"{here}:Talks", *INPUT, "--format", "json"]) == 0
        printed = capsys.readouterr()
        json.loads(printed.out)
        assert "it talks while it runs" in printed.err


@pytest.mark.parametrize(
    ("error", "reason"), [("exit", "SystemExit: 0"), ("key", "KeyError: 'targets'")]
)
def test_a_model_that_fails_in_training_is_a_result(
    error: str, reason: str, here: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(f"{here}.py").write_text(TALKING)
    asked = ["bench", f"{here}:Talks", *INPUT, "--args", f"error={error}", *quick, "--train"]
    assert run([*asked, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["status"], row["reason"]) == ("failed", reason)


def test_errors_of_any_kind_are_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(f"{here}.py").write_text(TALKING)
    for error in ("at once", "runs"):
        said = refused(capsys, "table", f"{here}:Talks", *INPUT, "--args", f"error={error}")
        assert "Wordless" in said


REFUSALS = {
    "{here}:small": "give the input's shape",
    "{here}:small --input 3x16x16 --args chooses=True": "--leaf Chooses",
    "{here}:small --input 3x16x16 --leaf Blok": "did you mean Block",
    "{here}:small --input 3x16x16 --args wide=3": "unexpected keyword argument 'wide'",
    "{here}:small --input 3x16x16 --args width": "give key=value",
    "{here}:small --input 3xax3": "--input is",
    "{here}:small --input 3x16x16 --blocks 3,4": "is traced, so 'blocks' does not apply",
    "{here}:small --depth 50": "give one of them",
    "{here}:smal --input 3x16x16": "did you mean small",
    "{here}:number --input 3x16x16": "is a int; name a class or function",
    "{here}:broken --input 3x16x16": "fails: RuntimeError: no weights (users_",
    "{here}:leaves --input 3x16x16": "fails: SystemExit: bye",
    "{here}:small --input 1x3x16x16": "give --input 3x16x16, and the batch as --batch",
    "resnet18 --input left=3x64x64": "takes one shape",
    "resnet18 --input 1x3x64x64": "such as 3x64x64; the batch is not part of it",
    "nowhere_at_all:net --input 3x16x16": "cannot import 'nowhere_at_all' here",
    "json:dumps --input 3x16x16": "fails: TypeError",
    "json:JSONEncoder --input 3x16x16": "returns a JSONEncoder, not a torch.nn.Module",
    "resnet50 --args width=3": "is for code that is traced",
    "resnet50 --leaf Block": "is for code that is traced",
    "model.pth": "would be unpickled",
    "missing.pt2": "cannot read 'missing.pt2': no such file",
    "{here}.py:small --input 3x16x16": "is a file; name its module, as an import does: ",
}


@pytest.mark.parametrize("arguments", REFUSALS)
def test_what_cannot_be_loaded_says_why_in_a_line(
    arguments: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments.format(here=here).split()
    assert REFUSALS[arguments] in refused(capsys, "table", *words)


def test_arguments_are_literals_or_words() -> None:
    given = ["a=1", "b=[1, 2]", "c=true", "d=None", "e=tiny", "f='x=y'", "g=", "h=1.5e-3"]
    assert parse_args(given) == {
        "a": 1,
        "b": [1, 2],
        "c": True,
        "d": None,
        "e": "tiny",
        "f": "x=y",
        "g": "",
        "h": 0.0015,
    }
    for wrong in ("a", "=3", "a-b=3"):
        with pytest.raises(FormatError, match="give key=value"):
            parse_args([wrong])


def test_a_name_is_not_code() -> None:
    with pytest.raises(InspectError):
        ri.graph("resnet50:")
    for name in ("resnet50", "net.toml"):
        assert not is_code(name)


# --- files --------------------------------------------------------------------------------------


def test_an_exported_file_stands_for_its_network(
    tmp_path: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, name = tmp_path / "tiny.pt2", "resnet18[blocks=1,1,widths=8,16]"
    model = ri.build(name).eval()
    torch.export.save(torch.export.export(model, (torch.randn(1, 3, 32, 32),)), path)
    assert [layer.op for layer in ri.graph(path).layers] == [
        layer.op for layer in ri.graph(name, (3, 32, 32)).layers
    ]
    shown = table(capsys, str(path))
    assert (shown["model"], shown["input"]) == ("tiny", [3, 32, 32])
    assert run(["diff", str(path), name, "--input", "3x32x32"]) == 0
    assert "No difference" in capsys.readouterr().out
    assert "exported for 3x32x32" in refused(capsys, "table", str(path), "--input", "3x64x64")
    assert "drop --args" in refused(capsys, "table", str(path), "--args", "a=1")
    for more, status in (([], "ok"), (["--train"], "failed"), (["--batch", "2"], "failed")):
        assert run(["bench", str(path), *quick, "--format", "json", *more]) == 0
        (row,) = json.loads(capsys.readouterr().out)["rows"]
        assert row["status"] == status, row["reason"]


# --- from Python ----------------------------------------------------------------------------------


def test_modules_stand_for_themselves() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    graph = ri.graph(model, (1, 8, 8))
    assert isinstance(graph, LayerGraph)
    assert graph == ri.trace(model, (1, 8, 8))
    assert ri.table(model, input_shape=(1, 8, 8)).records()[0]["macs"] == 4 * 9 * 36
    assert ri.build(graph) is not model
    with pytest.raises(InspectError, match="Sequential is traced, so 'blocks' does not apply"):
        ri.graph(model, (1, 8, 8), blocks=(1, 2))
    with pytest.raises(InspectError, match="for code that is traced"):
        ri.graph("resnet18", args={"width": 3})


def test_a_sequence_is_an_input_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(f"{here}.py").write_text(
        "from torch import nn\n"
        "def audio(): return nn.Sequential(nn.Conv1d(1, 4, 9, 4), nn.ReLU(), nn.Flatten())\n"
    )
    found = table(capsys, f"{here}:audio", "--input", "1x1000")
    assert found["total"]["macs"] == 4 * 9 * 248  # type: ignore[index]
    assert run(["table", f"{here}:audio", "--input", "1x1000"]) == 0
    assert run(["diagram", f"{here}:audio", "--input", "1x1000", "--level", "layer"]) == 0
