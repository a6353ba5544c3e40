"""Files of torch.export are data: whatever stands in one, nothing of it runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_inspect.cli.main import run as cli
from resnet_inspect.errors import FormatError
from resnet_inspect.pytorch.trace import pt2_program
from resnet_inspect.pytorch.trace.pt2 import read

Entries = list[tuple[str, bytes]]

MARK = "ran"


class Evil:
    """Its unpickling makes a file."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (MARK, "w")


class Small(nn.Module):
    """A convolution whose sizes are symbols, and an operator of several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor, *, scale: bool = True) -> dict[str, Tensor]:
        low, high = self.conv(x).chunk(2, dim=1)
        return {"low": low, "high": high * low.shape[2]}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "good.pt2"
    free = {"x": {0: torch.export.Dim("batch"), 2: torch.export.Dim("high", min=4)}}
    program = torch.export.export(Small().eval(), (torch.randn(2, 3, 8, 8),), dynamic_shapes=free)
    torch.export.save(program, path, extra_files={"notes.txt": "mine"})
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own, in which nothing may have run."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not os.path.exists(MARK)


def entries(path: Path) -> Entries:
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def archive(content: Entries, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile("evil.pt2", "w", compression) as target:
        for name, data in content:
            target.writestr(zipfile.ZipInfo(name), data, compression)
    return Path("evil.pt2")


def changed(good: Path, part: str, change: Callable[[Any], Any]) -> Path:
    """A copy of the file with the JSON of one entry changed."""

    def new(name: str, data: bytes) -> bytes:
        if not name.endswith(part):
            return data
        value = json.loads(data)
        return json.dumps(change(value) or value).encode()

    return archive([(name, new(name, data)) for name, data in entries(good)])


def refused(path: Path, *words: str) -> None:
    with pytest.raises(FormatError, match="refused") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    for word in words:
        assert word in str(caught.value)


def lines_of_refusal(path: Path) -> int:
    """How many lines the refusal of a file has; 0 for a file that is read."""
    try:
        read(path)
    except FormatError as error:
        return len(str(error).splitlines())
    return 0


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def test_a_network_is_read_whole(good: Path) -> None:
    program = read(good)
    assert [name for name, _ in program.named_parameters()] == ["conv.weight", "conv.bias"]
    original = torch.export.load(good)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(program.module()(x)["high"], original.module()(x)["high"])
    assert torch.equal(program.state_dict["conv.weight"], original.state_dict["conv.weight"])
    assert program.range_constraints == original.range_constraints


# --- the archive --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("sample_inputs/model.pt", "sample_inputs/model.PT"),
        ("models/model.json", "models/model.JSON"),
        ("models/model.json", "Models/model.json"),
        ("weights/weight_0", "weights/WEIGHT_0"),
        ("weights/weight_0", "weights//weight_0"),
        ("weights/weight_0", "weights/./weight_0"),
        ("models/model.json", "models\\model.json"),
    ],
)
def test_names_that_torch_does_not_write(good: Path, name: str, other: str) -> None:
    content = [(entry.replace(name, other), data) for entry, data in entries(good)]
    refused(archive(content), "no part of a plain network")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "data/constants/custom_obj_0",
            "data/constants/opaque_obj_0",
            "DATA/CONSTANTS/Opaque_Obj_0",
        ),
        *("data/aotinductor/model/x.so", "data/weights/weight_0.pkl", "models/other.json"),
        *("x.so", "constants.pkl", "code/__torch__.py", "executorch/x", "data/weights/other.pt"),
    ],
)
def test_more_than_a_network(good: Path, name: str) -> None:
    refused(archive([*entries(good), (f"good/{name}", pickle.dumps(Evil()))]), "might run code")


@pytest.mark.parametrize("again", [str, str.upper])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_stands_twice(good: Path, again: Callable[[str], str], first: bool) -> None:
    content = entries(good)
    place = next(i for i, (name, _) in enumerate(content) if name.endswith("model.pt"))
    content.insert(place + (not first), (again(content[place][0]), saved(Evil())))
    refused(archive(content), "same name")


def test_packed_entries(good: Path) -> None:
    """A few bytes may stand for as many as they like."""
    bomb = [*entries(good), ("good/extra/zeros", bytes(1 << 20))]
    refused(archive(bomb, zipfile.ZIP_DEFLATED), "compressed")


def test_entries_that_share_their_bytes(good: Path) -> None:
    archive([("a/extra/first", bytes(5000)), ("a/extra/other", b"")])
    data = bytearray(Path("evil.pt2").read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 20 : second + 28] = struct.pack("<II", 5000, 5000)
    Path("evil.pt2").write_bytes(data)
    refused(Path("evil.pt2"), "overlap")


def test_files_that_are_no_programs(here: Path) -> None:
    torch.save(nn.Linear(2, 2), "module.pt2")
    Path("text.pt2").write_text("hello")
    Path("none.pt2").write_bytes(b"")
    archive([("nothing", b"")])
    os.mkfifo("pipe.pt2")
    os.mkdir("folder.pt2")
    for path in here.glob("*.pt2"):
        with pytest.raises(FormatError, match="cannot read"):
            read(path)
    with pytest.raises(FormatError, match="no such file"):
        read("missing.pt2")


def test_a_file_cut_short_or_damaged_anywhere(good: Path) -> None:
    data = good.read_bytes()
    for end in range(0, len(data), len(data) // 40):
        Path("cut.pt2").write_bytes(data[:end])
        with pytest.raises(FormatError):
            read("cut.pt2")
    for place in range(0, len(data), len(data) // 60):
        Path("cut.pt2").write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
        assert lines_of_refusal(Path("cut.pt2")) < 2  # weights may be any bytes


# --- pickles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [Evil(), (Evil(),), {"x": [torch.ones(1), Evil()]}, nn.Linear(1, 1), bytearray(3), slice(1)],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "place", ["sample_inputs/model.pt", "weights/model.pt", "constants/model.pt"]
)
def test_pickled_objects(good: Path, place: str, value: object) -> None:
    content = [(name, data) for name, data in entries(good) if not name.endswith(place)]
    refused(archive([*content, (f"good/data/{place}", saved(value))]), "more than tensors")


@pytest.mark.parametrize("protocol", range(1, 6))
def test_pickles_of_any_protocol(good: Path, protocol: int) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as target:
        target.writestr("archive/data.pkl", pickle.dumps(Evil(), protocol))
        target.writestr("archive/version", "3")
    content = [
        (name, inner.getvalue() if name.endswith("model.pt") else data)
        for name, data in entries(good)
    ]
    refused(archive(content), "more than tensors")


def test_a_pickle_that_is_no_archive(good: Path) -> None:
    content = [
        (name, pickle.dumps(Evil()) if name.endswith("model.pt") else data)
        for name, data in entries(good)
    ]
    with pytest.raises(FormatError, match="is not what"):
        read(archive(content))


def test_weights_by_pickle_and_other_places(good: Path) -> None:
    def change(key: str, value: Any) -> Callable[[Any], None]:
        def set_it(config: Any) -> None:
            next(iter(config["config"].values()))[key] = value

        return set_it

    part = "weights_config.json"
    refused(changed(good, part, change("use_pickle", True)), "runs code")
    for path in ("opaque_obj_0", "custom_obj_0", "../models/model.json", "/etc/passwd", "weight_x"):
        refused(changed(good, part, change("path_name", path)), "for an entry")


# --- the program --------------------------------------------------------------------------------


def replaced(value: Any, key: str, text: object) -> Any:
    """Every value of one key replaced."""
    if isinstance(value, dict):
        return {k: text if k == key else replaced(v, key, text) for k, v in value.items()}
    return [replaced(item, key, text) for item in value] if isinstance(value, list) else value


SIZES = [
    *(
        "open('ran', 'w')",
        "__import__('os').system('touch ran')",
        "Symbol('x').func",
        "().__class__",
    ),
    *("9**9**9**9", "9^9^9^9", "Pow(9, Pow(9, Pow(9, 9)))", "Pow(Pow(Pow(9, 60), 60), 60)"),
    *("Pow(2*Symbol('s0'), 10**9)", "LShift(1, 10**12)", "LShift(1, 999999999999)"),
    *("PowByNatural(Integer(9), Integer(999999999))", "2**Symbol('s0')", "factorial(10**9)"),
    *("99999999!", "9e99999999", "Float('1e99999999')", "Float('1', precision=10**9)"),
    *(
        "Float('1', precision=999999999)",
        "Integer('9'*99)",
        "99999999999*'9'",
        "lambda: 1",
        "[x for x in y]",
    ),
    *("Symbol('a b')", "Symbol('__import__')()", "Sum(1, (k, 1, 10**9))", "S('open(1)')"),
    *("sympify('1')", "eval('1')", "Lambda(x, x)", "1\n+1", "1 # x", "f'{open}'", "x := 1"),
    *("(" * 300 + ")" * 300, "-" * 9000 + "1", "1+" * 20000 + "1", ""),
]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size[:30])
def test_sizes_that_are_more_than_arithmetic(good: Path, size: str) -> None:
    refused(changed(good, "model.json", lambda v: replaced(v, "expr_str", size)), "for a size")


@pytest.mark.parametrize(
    "size",
    [
        "Add(Integer(-1), FloorDiv(Symbol('s77', positive=True, integer=True), Integer(2)))",
        "Mul(Integer(4), Pow(Max(Integer(1), Symbol('s77', integer=True)), Integer(2)))",
        "Mul(Rational(1, 2), Pow(Symbol('s1'), Integer(-1)))",
        "TruncToInt(Mul(Float('1.5', precision=53), ToFloat(Symbol('s53', integer=True))))",
        "GreaterThan(Symbol('u0', integer=True), Integer(0))",
        "(s0 + 1)//2 - 3*s1**2",
    ],
)
def test_sizes_as_torch_writes_them(size: str) -> None:
    assert pt2_program._is_size(size)


NAMES = ["x): open('ran', 'w')\n  return (x", "x=open", "x, *y", "a b", "1x", "x.y", "x;y", "x\n"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_would_be_code(good: Path, name: str) -> None:
    """torch writes names into a function that it compiles."""
    refused(changed(good, "model.json", lambda v: replaced(v, "name", name)), "for a name")
    path = changed(good, "model.json", lambda v: replaced(v, "forward_arg_names", [name]))
    refused(path, "for a name")


OPERATORS = [
    *(
        "torch.os.system",
        "torch.hub.load",
        "torch.load",
        "torch.ops.load_library",
        "torch._C._eval",
    ),
    *("_operator.call", "_operator.methodcaller", "_operator.attrgetter", "math.factorial"),
    *("torch.ops.aten.from_file.default", "torch.ops.aten.save.default", "#ext:x", "os.system"),
    *("torch.ops.aten.__init__.__func__", "torch.ops.aten.conv2d.__class__", "torch.sym_x"),
    *("torch.ops.higher_order.inductor_compiled_code", "torch.ops.higher_order.call_torchbind"),
    *("torch.ops.aten.relu.missing", "torch.ops.debugprims.load_tensor.default", "aten.relu"),
]


@pytest.mark.parametrize("operator", OPERATORS)
def test_functions_that_are_no_operators(good: Path, operator: str) -> None:
    path = changed(good, "model.json", lambda v: replaced(v, "target", operator))
    refused(path, "for an operator", operator)


def test_an_operator_as_an_argument(good: Path) -> None:
    path = changed(good, "model.json", lambda v: replaced(v, "arg", {"as_operator": "os.system"}))
    refused(path, "for an operator")


GUARDS = [
    *("open('ran', 'w')", "[].append(1)", "torch.os.system('x')", "L['x'].__class__()"),
    *("(lambda: 1)()", "__import__('os')", "x.open('w')", "L['x'].size()\nopen('ran', 'w')"),
]


@pytest.mark.parametrize("guard", GUARDS)
def test_guards_that_are_code(good: Path, guard: str) -> None:
    path = changed(good, "model.json", lambda v: v | {"guards_code": [guard]})
    refused(path, "for a guard")


def test_guards_do_not_run(good: Path) -> None:
    guards = ["L['x'].size()[0] != 2", "math.trunc(1.5*torch.sym_float(L['x'].size()[2])) >= 99"]
    program = read(changed(good, "model.json", lambda v: v | {"guards_code": guards}))
    assert program.module()(torch.ones(2, 3, 8, 8))["low"].shape == (2, 2, 6, 6)


TREES = [
    {"type": "collections.defaultdict", "context": {"default_factory_module": "os"}},
    {"type": "builtins.dict", "context": json.dumps({"__enum__": 1, "fqn": "neighbour:X"})},
    {"type": "builtins.dict", "context": json.dumps([{"__enum__": 1, "fqn": "neighbour:X"}])},
    {"type": "builtins.dict", "context": json.dumps(["x=open(chr(114))"])},
    {"type": "builtins.dict", "context": json.dumps(["x\ny"])},
    {"type": "os.system", "context": "null"},
    {"type": ["builtins.dict"], "context": "null"},
]


@pytest.mark.parametrize("tree", TREES, ids=str)
@pytest.mark.parametrize("place", ["in_spec", "out_spec"])
def test_structures_that_import_or_call(
    good: Path, place: str, tree: dict[str, Any], here: Path
) -> None:
    (here / "neighbour.py").write_text(f"open({MARK!r}, 'w')")
    nested = json.dumps([1, {**tree, "children_spec": []}])
    refused(changed(good, "model.json", lambda v: replaced(v, place, nested)), "for the structure")


@pytest.mark.parametrize("symbol", ["u999999999999", "zuf1000000", "open(1)", ""])
def test_symbols_that_torch_counts_up_to(good: Path, symbol: str) -> None:
    ranges = {symbol: {"min_val": 0, "max_val": 9}}
    path = changed(good, "model.json", lambda v: v | {"range_constraints": ranges})
    refused(path, "for a symbol")


def test_text_in_any_other_place(good: Path) -> None:
    for key in ("parameter_name", "torch_version", "type"):
        text = "'); open('ran', 'w'); ('"
        refused(changed(good, "model.json", lambda v, key=key, text=text: replaced(v, key, text)))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"\xff\xfe"]
)
def test_what_is_no_program(good: Path, data: bytes) -> None:
    content = [(n, data if n.endswith("model.json") else d) for n, d in entries(good)]
    with pytest.raises(FormatError, match="is not a program") as caught:
        read(archive(content))
    assert "\n" not in str(caught.value)


def test_programs_of_any_size_are_not_parsed(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pt2_program, "LARGEST", 1000)
    refused(good, "larger than")


def test_values_of_other_types_are_one_line(good: Path) -> None:
    """Whatever is put in the place of any value, reading ends in a program or in one line."""
    program = json.loads(dict(entries(good))["good/models/model.json"])
    for key in {key for key, _ in pt2_program._values(program)}:
        for value in (None, [], "x"):
            path = changed(good, "model.json", lambda v, k=key, x=value: replaced(v, k, x))
            assert lines_of_refusal(path) < 2


# --- the command line ---------------------------------------------------------------------------


def test_naming_a_file_runs_nothing_beside_it(good: Path, here: Path) -> None:
    for name in ("random", "torch", "numpy", "model", "good"):
        (here / f"{name}.py").write_text(f"open({MARK!r}, 'w')")
    command = [
        sys.executable,
        "-P",
        "-m",
        "resnet_inspect",
        "table",
        str(good),
        "--level",
        "network",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_code_here_does_not_stand_in_for_what_is_installed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "colorsys.py").write_text(f"open({MARK!r}, 'w')")
    (here / "mine.py").write_text("import torch, colorsys\ndef net(): return torch.nn.ReLU()")
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("colorsys", None)
    assert cli(["table", "mine:net", "--input", "3x8x8"]) == 0


def test_a_hostile_file_is_one_line_of_the_command_line(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(good, "model.json", lambda v: replaced(v, "expr_str", "9**9**9**9"))
    assert cli(["table", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("expr_str", "Eq(Symbol('a'), 0)"),  # torch logs how comparing it with a number failed
        ("fqn", "elsewhere"),  # the program's own first call has no name
    ],
)
def test_a_program_that_contradicts_itself_is_one_line(
    key: str, value: str, good: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = changed(good, "model.json", lambda program: replaced(program, key, value))
    command = [sys.executable, "-P", "-m", "resnet_inspect", "table", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("form", ["2.5", "2.8"])
def test_files_of_earlier_versions_of_torch(good: Path, form: str) -> None:
    """They pickle the tensors; until 2.7 no folder is around the entries."""
    old = dict(entries(good))
    weights = saved(dict(torch.export.load(good).state_dict))
    if form == "2.5":
        content = [
            ("serialized_exported_program.json", old["good/models/model.json"]),
            ("serialized_state_dict.pt", weights),
            ("serialized_constants.pt", saved({})),
            ("serialized_example_inputs.pt", saved(((torch.ones(1),), {}))),
            ("version", b"8.2"),
            ("extra_files/notes.txt", b"mine"),
        ]
    else:
        for kind in ("weights", "constants"):
            del old[f"good/data/{kind}/model_{kind}_config.json"]
        content = [*old.items(), ("good/data/weights/model.pt", weights)]
        content += [("good/data/constants/model.pt", saved({}))]
    program = read(archive(content))
    assert program.module()(torch.ones(2, 3, 8, 8))["low"].shape == (2, 2, 6, 6)
