"""Programs of torch.export: the same graph as from the module, and files that are refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.counting.costs import total
from resnet_inspect.errors import FormatError, InspectError, ShapeError
from resnet_inspect.networks.run import Input
from resnet_inspect.pytorch.trace.pt2 import read
from resnet_inspect.pytorch.trace.trace import trace

SHAPE = (3, 64, 64)


def exported(
    model: nn.Module, batch: int = 1, dynamic: bool = False
) -> torch.export.ExportedProgram:
    sizes = ({0: torch.export.Dim("batch")},) if dynamic else None
    return torch.export.export(model.eval(), (torch.randn(batch, *SHAPE),), dynamic_shapes=sizes)


@pytest.fixture(scope="module")
def saved(torchvision: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torchvision's ResNet-18 for any batch."""
    path = tmp_path_factory.mktemp("exported") / "resnet18.pt2"
    model = torchvision.models.resnet18()
    torch.export.save(exported(model, batch=2, dynamic=True), path)
    return path


def test_an_exported_network_is_the_same_network(saved: Path) -> None:
    assert trace(read(saved), name="resnet18") == ri.graph("resnet18", SHAPE)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "squeezenet1_1"])
@pytest.mark.parametrize("batch", [1, 3])
def test_tracing_a_program_is_tracing_its_module(
    name: str, batch: int, torchvision: ModuleType
) -> None:
    model = torchvision.models.get_model(name)
    program = exported(model, batch)
    assert trace(program, name=name) == trace(model, SHAPE, name=name)


def test_our_own_networks_keep_their_layers_and_get_blocks_by_wiring() -> None:
    graph = trace(exported(ri.build("resnet18")), name="resnet18")
    ours = ri.graph("resnet18", SHAPE)
    assert [layer.op for layer in graph.layers] == [layer.op for layer in ours.layers]
    assert total(graph.layers) == total(ours.layers)
    sizes = [len(block.layers) for block in graph.blocks]
    assert sizes == [len(block.layers) for block in ours.blocks]


def test_a_program_is_not_changed() -> None:
    program = exported(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    before = str(program), [sorted(map(str, node.meta)) for node in program.graph.nodes]
    trace(program)
    assert before == (str(program), [sorted(map(str, node.meta)) for node in program.graph.nodes])


def test_a_program_has_the_shape_that_it_was_exported_for(saved: Path) -> None:
    program = read(saved)
    assert trace(program, SHAPE).input_shape == SHAPE
    with pytest.raises(ShapeError, match="exported for 3x64x64, not 3x32x32"):
        trace(program, (3, 32, 32))
    with pytest.raises(InspectError, match="calls no modules"):
        trace(program, leaves=["Conv2d"])


def test_a_program_of_several_inputs_names_them_as_its_arguments() -> None:
    class Sum(nn.Module):
        def forward(self, x: Tensor, more: dict[str, list[Tensor]], ids: Tensor) -> Tensor:
            return x + more["y"][0] + ids

    y, ids = torch.randn(2, 3), torch.zeros(2, 3, dtype=torch.int64)
    program = torch.export.export(Sum(), (torch.randn(2, 3), {"y": [y]}, ids))
    graph = trace(program)
    assert graph.entering == (
        Input("x", (3,)),
        Input("more.y.0", (3,)),
        Input("ids", (3,), "int64"),
    )
    assert [layer.inputs for layer in graph.layers] == [("x", "more.y.0"), ("add1", "ids")]
    assert trace(program, [(3,), (3,), (3,)]) == graph
    with pytest.raises(ShapeError, match="exported for 3, 3, 3, not 3, 4, 3"):
        trace(program, [(3,), (4,), (3,)])


# --- files that would run code ------------------------------------------------------------------


class Evil:
    """Its unpickling makes a file."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return _ran, ("ran", "w")


def _ran(path: str, mode: str) -> object:
    return open(path, mode)


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of an archive with entries changed, or left out where the change gives None."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def evil_inputs(name: str, data: bytes) -> bytes:
    if "sample_inputs" not in name:
        return data
    buffer = io.BytesIO()
    torch.save(Evil(), buffer)
    return buffer.getvalue()


def evil_weights(name: str, data: bytes) -> bytes:
    if not name.endswith("weights_config.json"):
        return data
    config = json.loads(data)
    next(iter(config["config"].values()))["use_pickle"] = True
    return json.dumps(config).encode()


def evil_size(name: str, data: bytes) -> bytes:
    if "models/" not in name:
        return data
    code = json.dumps("__import__('os').system('touch ran')")
    return re.sub(rb'"expr_str": *"[^"]*"', b'"expr_str": ' + code.encode(), data)


@pytest.mark.parametrize("change", [evil_inputs, evil_weights, evil_size])
def test_files_that_would_run_code_are_refused(
    change: Callable[[str, bytes], bytes],
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    target = rewritten(saved, tmp_path / "evil.pt2", change)
    assert target.read_bytes() != saved.read_bytes()
    with pytest.raises(FormatError, match="refused") as caught:
        read(target)
    assert "\n" not in str(caught.value)
    assert not os.path.exists("ran")


@pytest.mark.parametrize("part", ["data/constants/custom_obj_0", "data/aotinductor/model/x.so"])
def test_pickled_objects_and_compiled_code_are_refused(
    part: str, saved: Path, tmp_path: Path
) -> None:
    target = tmp_path / "more.pt2"
    target.write_bytes(saved.read_bytes())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(f"resnet18/{part}", pickle.dumps([]))
    with pytest.raises(FormatError, match="would run code when it is loaded"):
        read(target)


def test_files_that_are_not_programs_are_refused(tmp_path: Path) -> None:
    module = tmp_path / "module.pt2"
    torch.save(nn.Linear(2, 2), module)
    with pytest.raises(FormatError, match="refused"):
        read(module)
    text = tmp_path / "text.pt2"
    text.write_text("hello")
    with pytest.raises(FormatError, match="is not what"):
        read(text)
    with pytest.raises(FormatError, match="No such file"):
        read(tmp_path / "missing.pt2")
    empty = tmp_path / "empty.pt2"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("nothing", "")
    with pytest.raises(FormatError, match="cannot read"):
        read(empty)
