"""torch, torchinfo and fvcore, run over the zoo: each total is the sum of its formula, exactly."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from types import ModuleType

import pytest
import torch
from families import one_of_each_family, shortened_of_each_family
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import networks
from torch import nn

import resnet_inspect as ri
from resnet_inspect.cli.main import run as run_cli
from resnet_inspect.counting import conventions
from resnet_inspect.counting.conventions import CONVENTIONS, Reported, count
from resnet_inspect.errors import ShapeError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.pytorch import counters
from resnet_inspect.tables.columns import Record
from resnet_inspect.tables.reconciliation import TABLES, reconcile

OURS = tuple(t for t in counters.TOOLS if t.package in ("torch", "torchinfo", "fvcore"))
IN_TRAIN_MODE = {"saved", "fvcore-train"}
LARGEST, SIDE = 100_000_000, 33
"""Parameters and pixels that a processor counts quickly; the last maps are 2x2."""


def measured(graph: LayerGraph, batch: int = 1, training: bool = True) -> dict[str, Reported]:
    found: dict[str, Reported] = {}
    for tool in OURS:
        if training or not {*tool.reports} & IN_TRAIN_MODE:
            found |= counters.run(tool, graph, batch)
    return found


def check(graph: LayerGraph, batch: int = 1, training: bool = True) -> None:
    """Every tool reports, and the sum of its formula, exactly."""
    found = measured(graph, batch, training)
    names = {name for tool in OURS for name in tool.reports}
    assert {*found} == (names if training else names - IN_TRAIN_MODE)
    sheet = reconcile(graph, batch=batch, measured=found)
    made = [row for name in ("counters", "memory", "parameters") for row in sheet[name].rows]
    rows: dict[str, Record] = {str(row["name"]): row for row in made}
    for name, report in found.items():
        assert report.failure == ""
        row = rows[name]
        assert (name, row["source"]) == (name, "measured")
        assert (name, row["total"]) == (name, report.total)
        assert (name, row["total"]) == (name, row["sum"])
    assert sheet.meta["discrepancies"] == []


def small(name: str) -> LayerGraph:
    channels, height, width = ri.graph(name).input_shape
    if any(kind != "none" for kind in ri.spec(name).self_attention):  # of maps of a size
        return ri.graph(name)
    return ri.graph(name, (channels, min(SIDE, height), min(SIDE, width)))


def _reconciled(spec: ResNetSpec) -> bool:
    """Counters do not see the weights that a convolution makes, nor a filter that is not saved.

    A padded image needs no gradient; a norm of vectors cannot train on one.
    """
    seen = spec.convolution == "plain" and spec.antialias != "blur"
    return seen and spec.head not in ("mlp", "embedding") and spec.padding == "torch"


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "name", ["resnetv2_50x1_bit[blocks=1,1,1,1]", "nf_resnet26[blocks=1,1,1,1]"]
)
def test_standardized_weights_are_counted_once_for_a_batch(name: str, batch: int) -> None:
    graph = small(name)
    for tool in OURS:
        found = counters.run(tool, graph, batch)
        for counted in CONVENTIONS.keys() & found:
            expected = (counted, count(graph, CONVENTIONS[counted], batch))
            assert (counted, found[counted].total) == expected


ZOO = [
    name
    for name in zoo.ZOO
    if ri.total(ri.graph(name).layers).params < LARGEST and _reconciled(zoo.spec(name))
]
FIRST = {each.values[0] for each in one_of_each_family(ZOO) if not each.marks}


@pytest.mark.parametrize("name", shortened_of_each_family(ZOO))
def test_every_network_of_the_zoo(name: str) -> None:
    """In train mode as well those of which every run takes a part."""
    graph = small(name)
    check(graph, training=name.partition("[")[0] in FIRST and _trains(graph))


@pytest.mark.parametrize("name", one_of_each_family(zoo.CLASSICS))
def test_the_classics_at_their_size(name: str) -> None:
    check(ri.graph(name))


@settings(max_examples=15)
@given(networks(largest=40), st.integers(1, 3))
def test_any_network_and_batch(made: tuple[ResNetSpec, Shape], batch: int) -> None:
    assume(_reconciled(made[0]))
    try:
        graph = layer_graph(*made)
    except ShapeError:
        return
    check(graph, batch, training=_trains(graph, batch))


def _trains(graph: LayerGraph, batch: int = 1) -> bool:
    """Whether tools run it in train mode, and torch keeps on the CPU what it keeps on a GPU.

    Batch norm cannot train on one value a channel. The CPU keeps dropout's mask in floats, GPUs in
    bytes.
    """
    single = any(x.op.kind == "BatchNorm2d" and x.output_shape[1:] == (1, 1) for x in graph.layers)
    drops = any(x.op.kind == "Dropout" for x in graph.layers)
    return not (drops or (single and batch == 1))


def test_grouped_convolutions_train_as_if_dense() -> None:
    """torch counts their weight gradient so, which nobody says."""
    short = "resnet50[blocks=1,1,1,1]"
    dense, grouped = (ri.graph(short, (3, 64, 64), groups=n) for n in (1, 4))
    taken = conventions.total_terms(grouped)
    assert "G" not in conventions.total_terms(dense)
    forward = 2 * (taken["C"] + taken["L"])
    training = measured(grouped)["torch-train"].total
    assert training == 3 * forward - 2 * taken["S"] + 2 * taken["G"]
    sheet = reconcile(grouped)
    assert "as if it had one group" in str(sheet["why"].rows[-1]["why"])
    assert "group" not in str(reconcile(dense)["why"].rows[-1]["why"])


def test_tools_leave_nothing_behind() -> None:
    """Neither in torch, nor on the terminal, nor in the random numbers."""
    counters.measure(ri.graph("resnet20_cifar"))  # torch has now loaded what it loads late
    places = (torch, torch.nn.functional, torch.Tensor)
    before = [dict(vars(place)) for place in places]
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    for tool in counters.installed():
        counters.run(tool, ri.graph("resnet20_cifar"))
    assert [dict(vars(place)) for place in places] == before
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_network_that_was_counted_is_freed() -> None:
    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    graph = ri.graph("resnet20_cifar")
    measured(graph)  # what tools keep of a first run is not the network's
    before = tensors()
    measured(graph)
    assert tensors() <= before


def test_what_a_tool_patches_is_put_back(capsys: pytest.CaptureFixture[str]) -> None:
    def patching(graph: LayerGraph, batch: int) -> list[int]:
        torch.nn.functional.relu = torch.nn.functional.silu  # type: ignore[assignment]
        torch.Tensor.__add__ = torch.Tensor.__sub__  # type: ignore[assignment,method-assign]
        sys.stdout.write("chatter")
        raise RuntimeError("it broke\nand said more")

    relu, own = torch.nn.functional.relu, "__add__" in vars(torch.Tensor)
    tool = counters.Tool("careless", "torch", ("careless",), patching)
    found = counters.run(tool, ri.graph("resnet20_cifar"))["careless"]
    assert found.total is None
    assert found.failure == "RuntimeError: it broke"
    assert torch.nn.functional.relu is relu
    assert ("__add__" in vars(torch.Tensor)) == own
    assert (torch.ones(1) + torch.ones(1)).item() == 2
    assert capsys.readouterr().out == ""


def test_a_new_model_is_as_torchvision_writes_it() -> None:
    model = counters.new_model(ri.graph("resnet50d"))
    assert model.maxpool.kernel_size == 3
    assert not model.training
    assert all(not tensor.any() for tensor in model.state_dict().values())


CHANGED = {"torchinfo": Reported("9.9", 1_814_083_945)}


def test_a_total_that_its_formula_does_not_give_is_news() -> None:
    sheet = reconcile(ri.graph("resnet18"), measured=CHANGED)
    (line,) = sheet.meta["discrepancies"]
    assert line == (
        "Discrepancy: torchinfo mult-adds (9.9) reports 1,814,083,945, and its formula gives "
        "1,814,083,944: +1. This version counts differently."
    )
    assert line in sheet["counters"].notes
    row = next(row for row in sheet["counters"].rows if row["name"] == "torchinfo")
    assert (row["checked"], row["difference"]) == ("≠ measured", 1)


@pytest.mark.parametrize(
    ("module", "shape", "named"),
    [
        (nn.LSTM(8, 4, batch_first=True), (5, 8), "LSTM"),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (5, 8), "MultiheadAttention"),
    ],
)
def test_formulas_that_were_not_established_for_a_layer_are_no_news(
    module: nn.Module, shape: tuple[int, ...], named: str
) -> None:
    sheet = ri.reconcile(nn.Sequential(module).eval(), input_shape=shape)
    assert sheet.meta["discrepancies"] == []
    notes = sheet.tables["counters"].notes
    assert any(f"It was not established for {named}." in note for note in notes)


def test_the_command_exits_with_status_1_on_news(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torchinfo = next(tool for tool in counters.TOOLS if tool.title == "torchinfo")
    lying = torchinfo._replace(run=lambda graph, batch: (7, *torchinfo.run(graph, batch)[1:]))
    monkeypatch.setattr(counters, "TOOLS", (lying,))
    words = ["reconcile", "resnet20_cifar", "--format", "json"]
    assert run_cli(words) == 1
    shown = capsys.readouterr()
    assert "Discrepancy: torchinfo mult-adds" in shown.err
    data = json.loads(shown.out)
    assert len(data["discrepancies"]) == 1
    monkeypatch.setattr(counters, "TOOLS", (torchinfo,))
    assert run_cli(words) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out)["discrepancies"] == []


def test_without_torch_every_row_is_by_formula() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from resnet_inspect.cli.main import run\n"
        "sys.exit(run(['reconcile', 'resnet50', '--format', 'json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "pip install torch" in done.stderr
    data = json.loads(done.stdout)
    found = {row["name"]: row for row in data["counters"]["rows"]}
    assert {row["source"] for row in found.values()} == {"by formula", "published"}
    assert {*found} == {*conventions.CONVENTIONS}
    assert found["fvcore"]["total"] == 4111512576


def test_without_measuring_nothing_heavy_loads() -> None:
    code = (
        "import sys\n"
        "from resnet_inspect.cli.main import run\n"
        "assert run(['reconcile', 'resnet18', '--no-measure']) == 0\n"
        "assert not {'torch', 'pandas', 'fvcore'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_rows_add_up_and_say_why() -> None:
    sheet = reconcile(ri.graph("resnet50"))
    terms = {str(row["term"]): row["count"] for row in sheet["terms"].rows}
    for row in sheet["counters"].rows:
        chosen = conventions.CONVENTIONS[str(row["name"])]
        if row["source"] == "by formula":
            assert row["sum"] == conventions.weigh(chosen.coefficients, terms)  # type: ignore[arg-type]
        assert row["total"] == row["sum"]
        assert row["total"] == eval(str(row["numbers"]).replace("×", "*").replace(",", ""))
        assert row["why"]
    assert tuple(sheet.tables) == TABLES


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_the_stride_is_worth_the_same_at_every_depth(depth: int) -> None:
    table = reconcile(ri.graph(f"resnet{depth}"))["published"]
    paper = next(row for row in table.rows if row["source"] == "He 2015, Table 1")
    assert paper["model"] == f"resnet{depth}_v1"
    assert paper["difference"] == 231_211_008
    assert str(paper["printed"]).startswith("= ")
    (note,) = table.notes
    assert "stride 1, not 2, in layer2.0.conv1, layer3.0.conv1, layer4.0.conv1" in note
    assert "(+231,211,008 MACs)" in note
    assert ("no bias in conv1 (-64 parameters)" in note) == (depth == 50)


def test_published_of_another_network_says_what_differs() -> None:
    table = reconcile(ri.graph("resnet18", (3, 64, 64), classes=10))["published"]
    assert {row["model"] for row in table.rows} == {"resnet18 as published"}
    (note,) = table.notes
    assert "input 3x64x64, not 3x224x224" in note
    assert "out features 10, not 1,000, in fc" in note
    nothing = reconcile(ri.graph("resnet26"))["published"]
    assert (nothing.rows, nothing.notes) == ((), ("Nothing by this name.",))
    batches = reconcile(ri.graph("resnet50"), batch=2)["published"]
    assert (batches.rows, batches.notes) == ((), ("Published figures are for a single image.",))


def test_the_published_size_of_resnet_1001() -> None:
    table = reconcile(ri.graph("resnet1001"))
    (row,) = table["published"].rows
    assert (row["printed"], row["of"], row["exact"]) == ("= 10.2 M", "no batch norm", 10_178_490)
    sizes = {row["name"]: row["total"] for row in table["parameters"].rows}
    assert sizes["weights"] == 10_178_490
    assert sizes["parameters"] == 10_327_706


def test_memory_of_the_facts() -> None:
    sizes = {row["name"]: row["total"] for row in reconcile(ri.graph("resnet50"))["memory"].rows}
    assert sizes == {"saved": 86_121_984, "torchinfo-memory": 177_831_744}


def test_what_one_image_means() -> None:
    graph = ri.graph("resnet18")
    one, two = (
        {row["name"]: row for row in reconcile(graph, batch=n)["counters"].rows} for n in (1, 2)
    )
    assert one["ptflops"]["total"] == two["ptflops"]["total"]
    assert "Of one image" in str(two["ptflops"]["why"])
    assert two["fvcore"]["total"] == 2 * one["fvcore"]["total"]  # type: ignore[operator]
    with pytest.raises(ri.InspectError, match="batch is 0"):
        reconcile(graph, batch=0)


def test_the_functions_and_the_command_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["reconcile", "resnet18", "--no-measure", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads(ri.reconcile("resnet18", measure=False).to_text("json"))
    assert ri.reconcile("resnet20_cifar")["memory"].rows[0]["source"] == "measured"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reconcile", "resnet49"], "unknown network 'resnet49'"),
        (["reconcile", "resnet18", "--only", "count"], "unknown table 'count'"),
        (["reconcile", "resnet18", "--batch", "0"], "batch is 0"),
        (["table", "resnet18", "--convention", "fvcor"], "did you mean fvcore"),
        (["conventions", "resnet49"], "unknown network 'resnet49'"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert len(shown.err.splitlines()) == 1


def test_a_users_module_is_measured_and_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    before = [tensor.clone() for tensor in model.parameters()]
    reports = counters.measure(ri.graph(model, (3, 8, 8)))
    assert reports["torch"].total == 2 * 4 * 3 * 9 * 36
    assert [report.failure for report in reports.values() if report.total is None] == []
    assert all(map(torch.equal, before, model.parameters()))


def test_a_module_that_is_named_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    users = ModuleType("users_module")
    users.model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "users_module", users)
    before = [tensor.clone() for tensor in users.model.parameters()]
    counters.measure(ri.graph("users_module:model", (3, 8, 8)))
    assert all(map(torch.equal, before, users.model.parameters()))
