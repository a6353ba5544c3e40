"""The command line: output, exit status, errors of one line, pipes, start-up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.cli.main import run
from resnet_inspect.networks.zoo import ZOO


@dataclass(frozen=True)
class Done:
    """A command line that ended."""

    returncode: int
    stdout: str
    stderr: str


Cli = Callable[..., Done]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command line in this process, as if there was no terminal."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Done:
        status = run(arguments)
        printed = capsys.readouterr()
        return Done(status, printed.out, printed.err)

    return call


@pytest.fixture
def refused(cli: Cli) -> Callable[..., str]:
    """The one line on stderr of a command that must exit with 2 and print nothing else."""

    def line(*arguments: str) -> str:
        done = cli(*arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("resnet-inspect: ")
        assert done.stderr.count("\n") == 1
        return done.stderr

    return line


Refused = Callable[..., str]


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own."""
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "resnet_inspect", *arguments],
        capture_output=True,
        encoding=environment.get("PYTHONIOENCODING", "utf-8"),
        env={**kept, **environment},
        check=False,
    )


def test_the_main_job() -> None:
    done = process("table", "--depth", "34")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout  # no control codes in a pipe
    assert "21,797,672" in done.stdout
    assert "3,663,761,408" in done.stdout
    assert "= 3.664 G" in done.stdout
    assert "He 2015, Table 1" in done.stdout
    assert "depth 34 is resnet34: basic blocks 3,4,6,3" in done.stdout
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


def test_colour_only_where_it_is_wanted() -> None:
    assert "\x1b[" in process("table", "resnet18", FORCE_COLOR="1").stdout
    plain = process("table", "resnet18", FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[3" not in plain  # bold may stay, colours may not


def test_narrow_terminals_lose_columns_not_lines() -> None:
    wide = process("table", "resnet50", COLUMNS="100").stdout
    narrow = process("table", "resnet50", COLUMNS="80").stdout
    assert max(map(len, narrow.splitlines())) <= 80
    assert "of MACs" in wide
    assert "Left out to fit 80 columns: of MACs; Field." in narrow
    assert "4,089,184,256" in narrow


@pytest.mark.parametrize("width", ["30", "60"])
def test_no_terminal_is_so_narrow_that_numbers_are_cut(width: str) -> None:
    for words in (["table", "resnet50", "--level", "stage"], ["explain", "resnet50", "layer1.0"]):
        told = process(*words, COLUMNS=width).stdout
        counts = re.findall(r"\d[\d,]{8,}", process(*words, COLUMNS="200").stdout)
        assert counts
        assert all(count in told for count in counts)


def test_long_names_leave_room_for_numbers(tmp_path: Path) -> None:
    (tmp_path / "n.toml").write_text(f'base = "resnet18"\nname = "{"a" * 90}{"z" * 90}"\n')
    words = ("compare", str(tmp_path / "n.toml"), "resnet18", "--only", "cost")
    compared = process(*words, COLUMNS="100").stdout
    rows = [line for line in compared.splitlines() if line.startswith("aaa")]
    assert len(rows) == 1
    assert re.match(r"a+…z+ ", rows[0])
    assert "1,814,073,344" in rows[0]
    assert max(map(len, compared.splitlines())) <= 100


def test_json_of_the_process_is_the_table(cli: Cli) -> None:
    done = cli("table", "resnet50", "--format", "json", "--batch", "2")
    assert json.loads(done.stdout) == json.loads(ri.table("resnet50", batch=2).to_text("json"))
    every = cli("table", "resnet50", "--format", "csv", "--all-ops")
    assert every.stdout == ri.table("resnet50", all_ops=True).to_text("csv")


def test_all_columns(cli: Cli) -> None:
    wanted = cli(
        "table", "resnet18", "--level", "network", "--columns", "all", "--format", "markdown"
    )
    heads = [column.title for column in ri.table("resnet18").columns]
    assert [word.strip() for word in wanted.stdout.splitlines()[2].split("|")[1:-1]] == heads


def test_a_network_is_named_by_a_depth_or_blocks(cli: Cli) -> None:
    by_name = cli("explain", "resnet18", "layer1.0").stdout
    assert cli("explain", "--depth", "18", "layer1.0").stdout == by_name
    own = cli("explain", "--blocks", "3,4,6,3", "--block", "bottleneck", "layer1.0")
    assert "custom layer1.0: Bottleneck" in own.stdout


def test_a_depth_that_is_changed_says_how(cli: Cli) -> None:
    kept = cli("table", "--depth", "18", "--level", "network").stdout
    assert "depth 18 is resnet18: basic blocks 2,2,2,2" in kept
    changes = ("--block", "bottleneck", "--blocks", "2,2,2", "--widths", "64,128,256")
    changed = cli("table", "--depth", "18", *changes, "--level", "network").stdout
    assert "basic" not in changed
    assert "depth 18 is resnet18, here with " in changed
    for field in ("block=bottleneck", "blocks=2,2,2", "widths=64,128,256"):
        assert field in changed


def test_inline_networks_are_networks(cli: Cli) -> None:
    name = "resnet50[shortcut=D,stem=deep]"
    inline = json.loads(cli("table", name, "--format", "json").stdout)
    assert inline["model"] == name
    assert (
        inline["rows"] == json.loads(cli("table", "resnet50d", "--format", "json").stdout)["rows"]
    )
    compared = json.loads(cli("compare", "resnet50", name, "--format", "json").stdout)
    assert [row["model"] for row in compared["cost"]["rows"]] == ["resnet50", name]
    changed = cli("table", name, "--stem", "7x7", "--format", "json")
    assert json.loads(changed.stdout)["rows"] != inline["rows"]


@pytest.mark.parametrize("arguments", [("table", "resnet18"), ("compare-blocks",)])
def test_a_dash_is_stdout(arguments: tuple[str, ...], cli: Cli) -> None:
    assert cli(*arguments, "-o", "-") == cli(*arguments)
    csv = ("--format", "csv")
    assert cli(*arguments, "-o", "-", *csv) == cli(*arguments, *csv)


def test_models_in_json(cli: Cli) -> None:
    listed = json.loads(cli("models", "--format", "json").stdout)
    assert [row["name"] for row in listed] == list(ZOO)
    assert listed[0] == {
        "name": "resnet18",
        "family": "resnet",
        "depth": 18,
        "input": [3, 224, 224],
        "params": 11689512,
        "macs": 1814073344,
        "source": "He et al. 2015, arXiv 1512.03385, Table 1",
    }


def test_models_of_a_family(cli: Cli) -> None:
    listed = json.loads(cli("models", "--family", "plain", "--format", "json").stdout)
    assert {row["family"] for row in listed} == {"plain"}
    assert len(listed) == 7


def test_explain(cli: Cli) -> None:
    done = cli("explain", "resnet50", "layer2.0.conv2")
    assert done.returncode == 0
    assert "128 × 128 × 3 × 3" in done.stdout
    assert "115,605,504" in done.stdout


@pytest.mark.parametrize("suffix", ["csv", "json", "md", "tex", "html", "txt"])
def test_output_files(suffix: str, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / f"out.{suffix}"
    done = cli("table", "resnet18", "--level", "stage", "-o", str(path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "411041792" in path.read_text().replace(",", "")  # the MACs of layer2
    assert list(tmp_path.iterdir()) == [path]


def test_a_network_of_ones_own(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    by_options = cli(
        *("table", "--blocks", "1,2", "--block", "bottleneck", "--widths", "8,16"),
        *("--stem", "3x3", "--stem-width", "8", "--shortcut", "D", "--order", "pre"),
        *("--activation", "leaky_relu", "--classes", "7", "--groups", "2", "--group-width", "32"),
        *("--se-reduction", "4", "--bias", "stem,shortcut", "--input", "3x31x17"),
        *("--name", "mine", "--format", "json"),
    )
    (tmp_path / "mine.toml").write_text(
        'blocks = [1, 2]\nblock = "bottleneck"\nwidths = [8, 16]\nstem = "3x3"\nstem_width = 8\n'
        'shortcut = "D"\norder = "pre"\nactivation = "leaky_relu"\nclasses = 7\ngroups = 2\n'
        'group_width = 32\nse_reduction = 4\nbias = ["stem", "shortcut"]\ninput_size = [31, 17]\n'
    )
    by_file = cli("table", "mine.toml", "--format", "json")
    assert by_options.stderr == by_file.stderr == ""
    assert json.loads(by_options.stdout) == json.loads(by_file.stdout)


def test_a_file_can_change_a_network_of_the_zoo(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text('base = "resnet50"\nstem = "deep"\nshortcut = "D"\n')
    changed = json.loads(cli("table", "d.toml", "--format", "json").stdout)
    known = json.loads(cli("table", "resnet50d", "--format", "json").stdout)
    assert changed["rows"] == known["rows"]
    assert changed["model"] == "d"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("table", "resnet49"), "unknown network 'resnet49'; did you mean resnet50"),
        (("table", "inception"), "'resnet-inspect models' lists them"),
        (("table", "resnet" + "9" * 5000), "unknown network 'resnet999"),
        (("table", "--depth", "35"), "no published ResNet has depth 35; the nearest have 32, 34"),
        (("table", "--depth", "35"), "--blocks 3,4,6,3"),
        (("table", "--depth", "x"), "'--depth'"),
        (("table",), "no network; name one"),
        (("table", "resnet18", "--depth", "18"), "both 'resnet18' and --depth 18"),
        (("table", "resnet18", "--level", "lair"), "unknown level 'lair'; did you mean layer"),
        (("table", "resnet18", "--columns", "name,mac"), "unknown column 'mac'; did you mean macs"),
        (("table", "resnet18", "--format", "jsn"), "unknown format 'jsn'; did you mean json"),
        (("table", "resnet18", "--dtype", "fp12"), "unknown dtype 'fp12'"),
        (("table", "resnet18", "--batch", "0"), "batch is 0"),
        (("table", "resnet18", "--input", "224"), "is not channels x height x width"),
        (("table", "resnet18", "--input", "3x-1x9"), "give sizes such as 3x224x224"),
        (("table", "resnet18", "--input", "1x224x224"), "in_channels=1"),
        (("table", "resnet18", "--no-such"), "No such option '--no-such'"),
        (("table", "resnext50_32x4d", "--widths", "8,128,256,512"), "widths has 8"),
        (("table", "--blocks", "0,1,1,1"), "blocks has 0; allowed are 1 to"),
        (("table", "--blocks", "a,b"), "blocks is 'a,b'; give whole numbers"),
        (("table", "--blocks", "1,1"), "give one for each stage"),
        (("table", "resnet18", "--shortcut", "E"), "unknown shortcut 'E'; choose from A, B, C, D"),
        (("table", "resnet18", "--classes", "-3"), "classes has -3; allowed are 1 to"),
        (("table", "missing.toml"), "cannot read 'missing.toml': no such file or directory"),
        (("table", "resnet18", "-o", "no/such/folder.csv"), "cannot write 'no/such/folder.csv'"),
        (("table", "resnet18", "-o", "out.xyz"), "'out.xyz' has no suffix"),
        (("explain", "resnet18", "layer9"), "unknown layer or block"),
        (("explain", "resnet18", "layer2"), "is a stage; name a block: layer2.0 and layer2.1"),
        (("models", "--family", "resnext50"), "unknown family 'resnext50'; did you mean resnext"),
        (("explain", "resnet18"), "no layer; name a layer or block"),
        (("explain",), "no layer"),
        (("explain", "--depth", "18", "resnet18", "layer1.0"), "both 'resnet18' and --depth 18"),
        (
            ("compare", "resnet18", "resnet50", "--shortcut", "C"),
            "--shortcut is for one network; write resnet50[shortcut=C]",
        ),
        (("diff", "resnet18", "resnet50", "--no-stem-pool"), "write resnet50[stem_pool=no]"),
        (("plot", "stages", "resnet18", "--blocks", "1,1"), "write resnet50[blocks=3,4,6,3]"),
        (("report", "--classes", "10", "-o", "out"), "--classes is for one network"),
        (("bench", "resnet18", "--depth", "18"), "--depth is for one network; write its name"),
        (("compare-blocks", "--shortcut", "C"), "No such option '--shortcut'"),
        (("compare", "resnet18", "resnet18[shortcut=E]"), "unknown shortcut 'E'"),
        (("compare", "resnet18", "--num-classes", "5"), "write resnet50[classes="),
        (("compare",), "Missing argument 'MODEL...'"),
        (("plot", "zoo"), "name a file, such as -o FILE.svg"),
        (("plot", "stages"), "name a file"),
        (("bench", "resnet18", "--batch", "1,b"), "--batch is '1,b'; give whole numbers"),
        (("bench", "resnet18", "--dtype", "fp32,"), "--dtype is 'fp32,'; give words"),
        (("results", "missing.jsonl"), "missing.jsonl"),
        (("tabel", "resnet18"), "unknown command 'tabel'; did you mean table?"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refused(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("blocks = [1]\nstem = = 3\n", "bad.toml, line 2, column 8: invalid value"),
        (
            "blocks = [2, 2, 2, 2]\nblok = 3\n",
            "bad.toml, line 2: unknown field of a network 'blok'",
        ),
        ('widths = [64, 0, 1, 1]\nblocks = "x"\n', "bad.toml, line 2: blocks is 'x'"),
        ('name = "n"\n\nclasses = 0\n', "bad.toml, line 3: classes has 0"),
        ('base = "resnet51"\n', "bad.toml, line 1: base: unknown network 'resnet51'"),
        ("base = 50\n", "bad.toml, line 1: base is 50"),
        ('shortcut = "B"\nstem = "9x9"\n', "bad.toml, line 2: unknown stem '9x9'"),
    ],
)
def test_bad_files_name_file_line_and_key(
    text: str, says: str, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text(text)
    assert says in refused("table", "bad.toml")


def test_a_file_that_is_no_text(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in refused("table", "bad.toml")


def test_an_existing_file_survives_an_error(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("kept")
    refused("table", "resnet18", "--level", "nope", "-o", "t.csv")
    assert (tmp_path / "t.csv").read_text() == "kept"


def test_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m resnet_inspect table resnet152 | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("resnet152, input 3x224x224")
    assert done.stderr == ""


def test_version(cli: Cli) -> None:
    from resnet_inspect import __version__

    assert cli("--version").stdout == f"resnet-inspect {__version__}\n"


_HEAVY = ("torch", "pandas", "numpy", "matplotlib", "graphviz", "pygraphviz", "tabulate", "jinja2")


RUN = "from resnet_inspect.cli.main import run"


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import resnet_inspect", ()),
        ("import resnet_inspect; resnet_inspect.table('resnet50').records()", ()),
        (f"{RUN}; run(['table', '--depth', '34'])", ()),
        (f"{RUN}; run(['models'])", ()),
        (f"{RUN}; run(['table', 'resnet18', '--format', 'json'])", ()),
        (f"{RUN}; run(['table', 'resnet18', '--format', 'latex'])", ()),
        (f"{RUN}; run(['table', 'resnet18', '--format', 'markdown'])", ("tabulate",)),
    ],
)
def test_start_up_loads_nothing_heavy(code: str, allowed: tuple[str, ...]) -> None:
    check = (
        f"{code}\nimport sys\n"
        f"loaded = [name for name in {_HEAVY!r} if name in sys.modules]\n"
        "print('loaded', *loaded, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == ["loaded", *allowed]


def test_a_missing_torch_is_one_line_with_the_install_command(tmp_path: Path) -> None:
    """A torch that cannot be found stands for one that is not installed."""
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import resnet_inspect\n"
        "try:\n"
        "    resnet_inspect.build('resnet18')\n"
        "except resnet_inspect.InspectError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "this needs torch, which is not installed; pip install torch\n"
