"""The public functions: every kind of model, lists of them, and what they refuse."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import resnet_inspect as ri
from resnet_inspect.errors import InspectError, ShapeError, UnknownNameError
from resnet_inspect.networks import zoo

INPUT = (3, 32, 32)
TINY = ri.ResNetSpec(name="tiny", blocks=(1, 1), widths=(8, 16), input_size=(32, 32))


def make() -> torch.nn.Module:
    """Code that makes a model, as package.module:callable names it."""
    return ri.build(TINY)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The network of TINY, as every kind of model."""
    folder = tmp_path_factory.mktemp("models")
    path = folder / "tiny.toml"
    path.write_text("blocks = [1, 1]\nwidths = [8, 16]\ninput_size = [32, 32]\n")
    exported = folder / "tiny.pt2"
    program = torch.export.export(ri.build(TINY).eval(), (torch.zeros(1, *INPUT),))
    torch.export.save(program, exported)
    return {
        "inline": "resnet18[blocks=1,1,widths=8,16,input_size=32,32]",
        "file": path,
        "spec": TINY,
        "graph": ri.graph(TINY),
        "module": ri.build(TINY),
        "code": f"{__name__}:make",
        "exported": str(exported),
    }


# What a function gives, reduced to what does not depend on the network's name.
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "cost": lambda model: ri.cost(model, 2, input_shape=INPUT),
    "memory": lambda model: ri.memory(model, 2, "fp16", input_shape=INPUT),
    "memory_timeline": lambda model: ri.memory_timeline(model, input_shape=INPUT).curve(3),
    "fit": lambda model: ri.fit(model, memory="2GiB", train=True, input_shape=INPUT).rows[0][
        "batch"
    ],
    "receptive_fields": lambda model: list(ri.receptive_fields(model, input_shape=INPUT).values()),
    "table": lambda model: ri.table(model, "network", input_shape=INPUT).rows[0]["macs"],
    "explain": lambda model: ri.explain(model, "conv1", input_shape=INPUT).rows,
    "paths": lambda model: ri.paths(model, input_shape=INPUT)["blocks"].rows,
    "diff": lambda model: ri.diff(model, TINY, input_shape=INPUT).rows,
    "compare": lambda model: ri.compare(model, TINY, input_shape=INPUT)["cost"].rows[0]["macs"],
    "reconcile": lambda model: len(ri.reconcile(model, input_shape=INPUT, measure=False).tables),
    "conventions": lambda model: len(ri.conventions(model, input_shape=INPUT)["conventions"].rows),
    "diagram": lambda model: ri.diagram(model, input_shape=INPUT, level="stage").dot.count("\n"),
    "plot": lambda model: ri.plot("stages", model, input_shape=INPUT).size,
    "graph": lambda model: [layer.op for layer in ri.graph(model, INPUT).layers],
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_kind_of_model(function: str, kinds: dict[str, Any]) -> None:
    expected = FUNCTIONS[function](TINY)
    for kind, model in kinds.items():
        assert FUNCTIONS[function](model) == expected, kind


def test_spec_takes_what_a_spec_describes(kinds: dict[str, Any]) -> None:
    for kind in ("inline", "file", "spec"):
        assert ri.spec(kinds[kind], name="tiny", num_classes=7) == TINY.with_changes({"classes": 7})
    for kind in ("graph", "module", "code", "exported"):
        with pytest.raises(InspectError, match="has no spec; give a name, a TOML file"):
            ri.spec(kinds[kind])


def test_cost_of_a_layer_and_of_all() -> None:
    graph = ri.graph(TINY)
    assert ri.cost(TINY, 3) == ri.total(graph.layers, 3)
    assert sum(ri.cost(layer, 3).macs for layer in graph.layers) == ri.cost(TINY, 3).macs


def test_lists_of_networks() -> None:
    names = ["resnet18", "resnet34"]
    assert ri.compare(names).to_text("json") == ri.compare(*names).to_text("json")
    assert ri.diagram(names).dot == ri.diagram(*names).dot
    assert ri.diff_diagram(*names).dot != ri.diagram(*names).dot
    assert ri.plot("field", names).alt == ri.plot("field", *names).alt
    assert ri.conventions(tuple(names)).to_text("csv") == ri.conventions(*names).to_text("csv")


def test_changes_by_either_name() -> None:
    assert ri.graph("resnet18", num_classes=10) == ri.graph("resnet18", classes=10)
    assert ri.build("resnet18", num_classes=10, device="meta").fc.out_features == 10
    with pytest.raises(InspectError, match="classes is given twice"):
        ri.graph("resnet18", num_classes=10, classes=10)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (224, "input_shape is 224; give (channels, height, width), such as (3, 224, 224)"),
        ((1, 3, 224, 224), "such as 3x224x224; the batch is not part of it"),
        ((224, 224), "input 224x224 is not channels x height x width"),
    ],
)
def test_shapes_are_refused_in_one_line(shape: Any, says: str) -> None:
    with pytest.raises(ShapeError) as caught:
        ri.table("resnet18", input_shape=shape)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ri.graph(ri.graph(TINY), classes=3), "tiny is already a graph; change the spec"),
        (lambda: ri.graph(ri.build(TINY), classes=3), "is traced, so 'classes' does not apply"),
        (lambda: ri.graph(3), "a int is not a network"),
        (lambda: ri.graph("resnet18", leaves=["X"]), "are for code that is traced"),
        (lambda: ri.list_models(family="resnets"), "unknown family 'resnets'"),
        (lambda: ri.bench([]), "no network to measure"),
    ],
)
def test_refusals(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(InspectError) as caught:
        call()
    assert says in str(caught.value)


def test_list_models() -> None:
    assert ri.list_models() == list(zoo.ZOO)
    assert ri.list_models("resnext*") == [n for n in zoo.ZOO if n.startswith("resnext")]
    assert ri.list_models("*50*", family="se") == [
        name for name, entry in zoo.ZOO.items() if "50" in name and entry.family == "se"
    ]
    assert ri.list_models("mobilenet*") == []
    assert len(ri.models("wide").rows) == len(ri.list_models(family="wide"))


def test_a_table_folds_rows_and_records_have_all_columns() -> None:
    table = ri.table("resnet18")
    names = [row["name"] for row in table.records()]
    assert "bn1" not in names
    assert len(ri.table("resnet18", all_ops=True).rows) == len(ri.graph("resnet18").layers)
    assert {"path", "params", "normalization", "field_centre"} <= table.records()[0].keys()
    assert len(table.visible) < len(table.columns)


def test_variants_carry_no_published_figures() -> None:
    assert ri.table("resnet18").references
    for variant in ("resnet18[classes=10]", "resnet34[name=resnet18]"):
        assert not ri.table(variant).references


def test_report_takes_a_list_or_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[list[str], Any]] = []
    monkeypatch.setattr(
        "resnet_inspect.reporting.write.write",
        lambda graphs, folder, **settings: calls.append(([g.name for g in graphs], folder)),
    )
    out = str(tmp_path)
    assert ri.report(["resnet18"], folder=out) == ri.report("resnet18", folder=out)
    assert ri.report(folder=out) == str(tmp_path / "index.html")
    assert calls == [(["resnet18"], out), (["resnet18"], out), (list(zoo.CLASSICS), out)]


def test_values_print_as_tables_and_have_short_reprs() -> None:
    table, sheet = ri.table("resnet18"), ri.compare("resnet18", "resnet34")
    printed = str(table).splitlines()
    assert printed[0] == table.title
    assert max(map(len, printed)) == 100
    assert str(sheet["cost"]) in str(sheet)
    graph = ri.graph("resnet18")
    for value in (table, sheet, graph):
        assert repr(value).startswith(f"<{type(value).__name__} '")
        assert "\n" not in repr(value)
        assert "\x1b" not in str(value)
    assert str(graph).splitlines()[2].split() == ["layer1", "2", "x", "BasicBlock", "64x56x56"]
    assert graph._repr_html_() == ri.table(graph, "stage")._repr_html_()


# --- the package ------------------------------------------------------------------------------


def test_imports_for_types_are_the_public_names() -> None:
    """What a type checker sees and what __getattr__ finds are the same objects."""
    tree = ast.parse(Path(ri.__file__).read_text("utf-8"))
    (types_only,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in types_only.body if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names}
    assert {"__version__", *names} == set(ri.__all__)
    for node in imports:
        for alias in node.names:
            assert alias.asname == alias.name
            module = sys.modules.get(node.module or "") or __import__(
                node.module or "", fromlist=["_"]
            )
            assert getattr(ri, alias.name) is getattr(module, alias.name)


def test_importing_the_package_loads_no_module_of_it() -> None:
    code = "import sys, resnet_inspect; print([m for m in sys.modules if 'resnet_inspect.' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_functions_say_what_they_take() -> None:
    for name in ri.__all__:
        value = getattr(ri, name)
        if not inspect.isfunction(value):
            continue
        assert inspect.getdoc(value), name
        for parameter in inspect.signature(value).parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, name
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                assert parameter.name == "changes", name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'resolve'"):
        ri.resolve  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(UnknownNameError):
        ri.models("resnext50")
