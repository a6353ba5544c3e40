"""Files that are no ONNX files, damaged or hostile ones: each is refused in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import model, node, saved

import resnet_inspect as ri
from resnet_inspect.errors import FormatError, InspectError, ShapeError


def convolution(**more: Any) -> onnx.ModelProto:
    return model([node("Conv", "x w", "y")], {"x": (1, 3, 8, 8)}, "y", {"w": (4, 3, 3, 3)}, **more)


def refused(path: str | Path) -> str:
    """The message, which is one short line."""
    with pytest.raises(InspectError) as caught:
        ri.graph(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (b"", "holds no graph"),
        (b"PK\x03\x04 a zip", "not an ONNX file"),
        (b"\xff" * 64, "not an ONNX file"),
        (b"import os\n", "not an ONNX file"),
        (convolution().SerializeToString()[:-40], "damaged|not an ONNX"),
    ],
)
def test_what_is_no_onnx_file(bytes_: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes_)
    with pytest.raises(FormatError, match=said):
        ri.graph(path)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    assert "is not a file" in refused(tmp_path / "folder.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")  # reading it would wait for ever
    assert "is not a file" in refused(tmp_path / "pipe.onnx")


def test_a_file_larger_than_protobuf_allows(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)
    assert "2 GiB" in refused(path)


def test_weights_in_other_files_are_never_looked_for(tmp_path: Path) -> None:
    made = convolution()
    (tensor,) = made.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "../../etc/passwd", "offset": "0", "length": "9" * 30}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    graph = ri.graph(saved(made, tmp_path))
    assert ri.total(graph.layers).params == 108
    assert not [name for name in opened if "passwd" in name]


@pytest.mark.parametrize("dims", [(-1, 3), (2**62, 2**62), (0, 2**63 - 1)])
def test_tensors_of_impossible_shapes(dims: tuple[int, ...], tmp_path: Path) -> None:
    made = convolution()
    made.graph.initializer[0].ClearField("dims")
    made.graph.initializer[0].dims.extend(dims)
    assert "impossible shape" in refused(saved(made, tmp_path))


def test_a_tensor_with_other_bytes_than_its_shape(tmp_path: Path) -> None:
    made = convolution()
    made.graph.initializer[0].dims[0] = 1000
    assert "432 bytes instead of 108000" in refused(saved(made, tmp_path))


def test_sizes_that_the_network_makes_up(tmp_path: Path) -> None:
    nodes = [node("Expand", "x shape", "y")]
    made = model(nodes, {"x": (1, 1)}, "y", {"shape": np.array([2**41, 1])})
    assert "impossible shape" in refused(saved(made, tmp_path))
    nodes = [node("ConstantOfShape", "shape", "c"), node("Add", "x c", "y")]
    made = model(nodes, {"x": (1, 1)}, "y", {"shape": np.array([2**35])})  # not made: no memory
    assert ri.graph(saved(made, tmp_path)).output.output_shape == (2**35,)


def test_graphs_that_go_round(tmp_path: Path) -> None:
    nodes = [node("Add", "x b", "a"), node("Relu", "a", "b")]
    made = model(nodes, {"x": (1, 3)}, "b")
    assert "reads 'b', which nothing before it makes" in refused(saved(made, tmp_path))


def functions(calls: dict[str, list[str]]) -> onnx.ModelProto:
    """A model of functions that call each other."""
    made = [
        helper.make_function(
            *("com.example", name, ["a"], ["z"]),
            [
                *(node(call, "a", f"z{at}", "com.example") for at, call in enumerate(called)),
                node("Relu", "a", "z"),
            ],
            [helper.make_opsetid("", 18), helper.make_opsetid("com.example", 1)],
        )
        for name, called in calls.items()
    ]
    nodes = [node(next(iter(calls)), "x", "y", "com.example")]
    return model(nodes, {"x": (1, 3)}, "y", functions=made)


@pytest.mark.parametrize(
    "calls",
    [
        {"F": ["F"]},
        {"F": ["G"], "G": ["F"]},
        {f"F{at}": [f"F{at + 1}"] * 2 for at in range(40)} | {"F40": []},
        {f"F{at}": [f"F{at + 1}"] for at in range(3000)} | {"F3000": []},
    ],
    ids=["itself", "in a circle", "a thousand billion nodes", "deep"],
)
def test_functions_without_end(calls: dict[str, list[str]], tmp_path: Path) -> None:
    assert "functions call each other" in refused(saved(functions(calls), tmp_path))


def nested(deep: int) -> onnx.ModelProto:
    """Conditions inside of conditions."""
    leaving = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node("Relu", "x", "y")], "g", [], leaving)
    for _ in range(deep):
        chosen = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        copied = onnx.GraphProto()
        copied.node.append(chosen)
        copied.output.extend(leaving)
        del copied.node[0].attribute[0]  # the other branch
        graph = copied
    return model(list(graph.node), {"x": (1, 3)}, "y", {"c": np.array(True)})


def test_graphs_in_graphs_without_end(tmp_path: Path) -> None:
    path = saved(nested(20), tmp_path)
    assert [layer.op.kind for layer in ri.graph(path).layers] == ["ReLU"]
    # Deeper than a message may be, so no library writes it: a length before each level.
    inside = nested(1).graph.node[0].SerializeToString()
    for _ in range(3000):
        graph = _field(1, inside)
        inside = _field(1, b"x") + _field(4, b"If") + _field(5, _field(1, b"g") + _field(6, graph))
    path2 = tmp_path / "deep.onnx"
    path2.write_bytes(b"\x08\x08" + _field(7, _field(1, inside)))
    assert "not an ONNX file" in refused(path2)


def _field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message that holds bytes."""
    size, length = b"", len(content)
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


BROKEN: dict[str, Callable[[], Any]] = {
    "a permutation": lambda: node("Transpose", "x", "y", perm=[0, 9, 9, 1]),
    "no inputs": lambda: helper.make_node("Conv", [], ["y"]),
    "no outputs": lambda: helper.make_node("Transpose", ["x"], []),
    "no kernel": lambda: helper.make_node("Conv", ["x"], ["y"]),
    "no groups": lambda: node("Conv", "x w", "y", group=0),
    "a step of zero": lambda: node("Conv", "x w", "y", strides=[0, 0]),
    "text for numbers": lambda: node("Conv", "x w", "y", strides="wide"),
    "too many axes": lambda: node("MaxPool", "x", "y", kernel_shape=[2] * 50),
    "an axis far away": lambda: node("Concat", "x x", "y", axis=10**12),
    "an empty constant": lambda: helper.make_node("Constant", [], ["y"]),
    "a condition without branches": lambda: helper.make_node("If", ["c"], ["y"]),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_nodes_never_end_in_a_traceback(broken: str, tmp_path: Path) -> None:
    weights = {"w": (4, 3, 3, 3), "c": np.array(True)}
    nodes = [BROKEN[broken](), node("Relu", "x", "z")]
    path = saved(model(nodes, {"x": (1, 3, 8, 8)}, "z", weights), tmp_path)
    with suppress(InspectError):
        assert ri.table(ri.graph(path)).rows


def test_damaged_bytes_never_end_in_a_traceback(tmp_path: Path) -> None:
    whole = nested(3).SerializeToString() + convolution().SerializeToString()
    random = np.random.default_rng(0)
    for _ in range(400):
        damaged = bytearray(whole)
        for at in random.integers(0, len(whole), 3):
            damaged[at] = random.integers(0, 256)
        path = tmp_path / "model.onnx"
        path.write_bytes(bytes(damaged))
        with suppress(InspectError):
            ri.table(ri.graph(path))


def test_names_that_a_terminal_would_obey_are_shown_harmless(tmp_path: Path) -> None:
    bad = "/a\x1b[2J/b\n\u202e/Conv"
    nodes = [node("Conv", "x w", "a", called=bad), node("Fancy\x1b[31m", "a", "b", "com.example")]
    nodes[0].input[1] = nodes[0].name  # the weight's name too
    made = model([*nodes, node("Relu", "b", "y")], {"x": (1, 3, 8, 8)}, "y", {bad: (4, 3, 3, 3)})
    graph = ri.graph(saved(made, tmp_path))
    shown = [(layer.name, layer.path, layer.op.kind) for layer in graph.layers]
    assert all(text.isprintable() for texts in shown for text in texts)
    made = model([node("Relu", "x", "y")], {"x": (1, "\x1b[2J", "w" * 10_000)}, "y")
    assert refused(saved(made, tmp_path)).isprintable()


def test_what_is_no_network(tmp_path: Path) -> None:
    assert "no nodes" in refused(saved(model([], {"x": (1, 3)}, "x"), tmp_path))
    made = model([node("Identity", "x", "y")], {"x": (1, 3)}, "y")
    assert "its output is its input" in refused(saved(made, tmp_path))
    made = model([node("Relu", "w", "y")], {}, "y", {"w": (4,)})
    assert "nothing enters it" in refused(saved(made, tmp_path))


# --- the public functions and the command line ----------------------------------------------------


def test_a_path_of_any_kind_is_a_model(tmp_path: Path) -> None:
    path = saved(convolution(), tmp_path, "Small.ONNX")
    assert ri.graph(path).name == ri.graph(Path(path)).name == "Small"
    assert ri.cost(path).macs == 108 * 36
    assert ri.compare("resnet18", path, input_shape=None).tables
    with pytest.raises(InspectError, match="'stem' does not apply"):
        ri.graph(path, stem="deep")
    with pytest.raises(InspectError, match="has no spec"):
        ri.spec(path)


def test_it_is_described_and_not_run(tmp_path: Path) -> None:
    path = saved(convolution(), tmp_path)
    for call in (ri.build, ri.bench):
        with pytest.raises(InspectError, match="described and not run"):
            call(path)
    assert ri.reconcile(path).meta["discrepancies"] == []


def test_the_command_line_needs_no_torch(tmp_path: Path) -> None:
    path = saved(convolution(), tmp_path)
    code = (
        "import sys; from resnet_inspect.cli.main import main\n"
        f"sys.argv = ['resnet-inspect', 'table', {path!r}, '--format', 'json']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'pandas', 'matplotlib'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["total"]["macs"] == 108 * 36


def test_onnx_is_asked_for_where_it_is_missing(tmp_path: Path) -> None:
    path = saved(convolution(), tmp_path)
    code = (
        "import sys; sys.modules['onnx'] = None; from resnet_inspect.cli.main import main\n"
        f"sys.argv = ['resnet-inspect', 'table', {path!r}]; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("needs onnx, which is not installed; pip install onnx\n")
    assert done.stderr.count("\n") == 1


def test_an_input_of_another_size(tmp_path: Path) -> None:
    path = saved(convolution(), tmp_path)
    assert ri.graph(path, (3, 20, 20)).output.output_shape == (4, 18, 18)
    with pytest.raises(ShapeError):
        ri.graph(path, (3, 0, 20))
