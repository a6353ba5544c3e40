"""Programs of torch.export: the same graph as from the module."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.counting.costs import total
from resnet_inspect.errors import InspectError, ShapeError
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
