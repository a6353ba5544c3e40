"""The shape of the package: imports run one way, heavy libraries load late, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import resnet_inspect

PACKAGE = Path(resnet_inspect.__file__).parent
ROOT = Path(__file__).parents[1]

CORE = {"errors", "files", "networks", "counting", "propagation"}
"""Wings that need the standard library only."""

# Libraries that take long to load, and who may load them as soon as it is imported itself.
HEAVY: dict[str, set[str]] = {
    "torch": {"pytorch"},
    "onnx": {"reading"},
    "torchinfo": set(),
    "fvcore": set(),
    "pandas": set(),
    "matplotlib": set(),
    "graphviz": set(),
    "pygraphviz": set(),
    "jinja2": set(),
    "tabulate": set(),
    "rich": {"cli"},
}


class Import(NamedTuple):
    """One module that a file imports; late if inside a function or for types only."""

    module: str
    late: bool


def module_name(path: Path) -> str:
    """costs, cli.table, or __init__ for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def wing(module: str) -> str:
    return module.split(".")[0]


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imports(node: ast.AST, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, late)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute"
            yield Import(child.module or "", late)
        inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        types_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        yield from imports(child, late or inside or types_only)


def test_every_module_states_its_contract(trees: dict[str, ast.Module]) -> None:
    assert [module for module, tree in trees.items() if not ast.get_docstring(tree)] == []
    assert [module for module in MODULES if "util" in module] == []


def test_imports_run_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


TOP = {"errors", "files"}


def test_the_top_holds_wings_only() -> None:
    wings = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__", *TOP}
    assert not {*wings, *TOP} & set(resnet_inspect.__all__)
    for name in wings - {"pytorch"}:  # which says in one line that torch is missing
        (statement,) = ast.parse((PACKAGE / name / "__init__.py").read_text("utf-8")).body
        assert isinstance(statement, ast.Expr)


def test_heavy_libraries_load_where_they_are_used(trees: dict[str, ast.Module]) -> None:
    for module, tree in trees.items():
        for name, late in imports(tree, late=False):
            library, place = name.split(".")[0], (module, name)
            if wing(module) in CORE:
                assert library in sys.stdlib_module_names or library == "resnet_inspect", place
            if library in HEAVY and not {module, wing(module)} & HEAVY[library]:
                assert late, place
            if library in ("torch", "torchvision", "timm"):
                # Elsewhere torch is a name in an annotation at most.
                assert wing(module) == "pytorch" or (wing(module) == "api" and late), place


def test_nothing_prints_but_the_command_line(trees: dict[str, ast.Module]) -> None:
    printing = [
        (module, node.lineno)
        for module, tree in trees.items()
        if wing(module) != "cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "print"
    ]
    assert printing == []


def test_files_stay_small() -> None:
    lines = {name: path.read_bytes().count(b"\n") for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > 450} == {}


PROBES = {
    "the package": "import resnet_inspect",
    "a graph and its costs": (
        "import resnet_inspect as ri; g = ri.graph('resnet50'); ri.total(g.layers); ri.memory(g)"
    ),
    "a table": "import resnet_inspect as ri; ri.table('resnet50').records()",
    "propagation": (
        "import resnet_inspect as ri; ri.paths('resnet50'); ri.signal('resnet20_cifar'); "
        "ri.effective_fields('resnet20_cifar')"
    ),
}


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_nothing_heavy_loads_without_need(probe: str) -> None:
    code = f"{probe}; import sys; print(*{set(HEAVY)} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_printing_a_table_loads_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; sys.argv = ['resnet-inspect', 'table', 'resnet18']\n"
        "from resnet_inspect.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'pygraphviz', 'graphviz'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "layer4" in done.stdout
