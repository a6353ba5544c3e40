"""The shape of the package: imports run one way, heavy libraries load late, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import resnet_inspect

PACKAGE = Path(resnet_inspect.__file__).parent

# Each room of the core may use those before it.
FACTS = ("errors", "ops", "graph", "spec", "resnet", "zoo", "specfile", "published")
POLICY = ("costs", "receptive_field", "memory", "foreign", "conventions", "structure")
CORE = FACTS + POLICY

VERSION = "resnet_inspect.__version__"
TORCH = {"pytorch"}
FRONT = {"api", "cli", "__init__", "__main__"}
# All other modules show something: they may use the core and, as long as none needs itself to load,
# each other.

# Libraries that take long to load, and who may load them as soon as it is imported itself.
HEAVY: dict[str, set[str]] = {
    "torch": TORCH,
    "torchinfo": set(),
    "fvcore": set(),
    "pandas": set(),
    "matplotlib": set(),
    "graphviz": set(),
    "pygraphviz": set(),
    "jinja2": set(),
    "tabulate": set(),
    "rich": {"terminal", "cli"},
}


class Import(NamedTuple):
    """One module that a file imports; late if inside a function or for types only."""

    module: str
    late: bool


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """costs, cli.table, or __init__ for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    return module.split(".")[0]


MODULES = {module_name(path): path for path in files()}


def imports(path: Path) -> Iterator[Import]:
    yield from _imports(ast.parse(path.read_text(encoding="utf-8")), late=False)


def _imports(node: ast.AST, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, late)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute"
            module = child.module or ""
            for alias in child.names:
                whole = f"{module}.{alias.name}"
                if whole == VERSION:  # set before anything loads, so anybody may ask for it
                    continue
                is_module = whole.removeprefix("resnet_inspect.") in MODULES
                yield Import(whole if is_module else module, late)
        inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        types_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        yield from _imports(child, late or inside or types_only)


def ours(path: Path) -> Iterator[Import]:
    """What a file imports of this package, by the names of MODULES."""
    for module, late in imports(path):
        if module == "resnet_inspect":
            yield Import("__init__", late)
        elif module.startswith("resnet_inspect."):
            yield Import(module.removeprefix("resnet_inspect."), late)


def allowed(importer: str, imported: Import) -> bool:
    """Whether the list of rooms lets one import the other."""
    here, there = room(importer), room(imported.module)
    if here == there or here in FRONT:
        return True
    if here in CORE:
        return there in CORE[: CORE.index(here)]
    if there in TORCH:  # a figure may need torch; who asks for it loads it then
        return imported.late
    return there not in FRONT


@pytest.mark.parametrize("module", MODULES)
def test_every_module_states_its_contract(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    assert "util" not in module


def test_the_rooms_are_there() -> None:
    assert {*CORE, *TORCH, *FRONT} <= {room(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    against = [i.module for i in ours(MODULES[module]) if not allowed(module, i)]
    assert against == []


def test_no_module_needs_itself_to_load() -> None:
    needs = {
        module: {i.module for i in ours(path) if not i.late} - {"__init__"}
        for module, path in MODULES.items()
    }
    list(TopologicalSorter(needs).static_order())  # raises CycleError


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_load_where_they_are_used(module: str) -> None:
    for name, late in imports(MODULES[module]):
        library = name.split(".")[0]
        if room(module) in CORE:
            assert library in sys.stdlib_module_names or library == "resnet_inspect"
        if library in HEAVY and room(module) not in HEAVY[library]:
            assert late, f"{library} loads with {module}"
        if library in ("torch", "torchvision", "timm"):
            # Elsewhere torch is a name in an annotation at most.
            assert room(module) in TORCH or (room(module) == "api" and late)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_prints_but_the_command_line(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    printing = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "print" and room(module) != "cli"
    ]
    assert printing == []


@pytest.mark.parametrize("module", MODULES)
def test_files_stay_small(module: str) -> None:
    lines = MODULES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= 450


PROBES = {
    "the package": "import resnet_inspect",
    "a graph and its costs": (
        "import resnet_inspect as ri; g = ri.graph('resnet50'); ri.total(g.layers); ri.memory(g)"
    ),
    "a table": "import resnet_inspect as ri; ri.table('resnet50').records()",
}


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_nothing_heavy_loads_without_need(probe: str) -> None:
    code = f"{probe}; import sys; print(*{set(HEAVY)} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_printing_a_table_loads_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; sys.argv = ['resnet-inspect', 'table', 'resnet18']\n"
        "from resnet_inspect.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'pygraphviz', 'graphviz'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "layer4" in done.stdout


def test_without_torch_a_model_is_refused_in_one_line() -> None:
    code = (
        "import sys; sys.modules['torch'] = None  # what an absent package looks like\n"
        "import resnet_inspect as ri\n"
        "ri.table('resnet18')\n"
        "try: ri.build('resnet18')\n"
        "except ri.InspectError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "this needs torch, which is not installed; pip install 'resnet-inspect[torch]'"
    ]
