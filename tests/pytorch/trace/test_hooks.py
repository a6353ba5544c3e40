"""Forward hooks: they are part of a model, and run on its copy alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune, spectral_norm, weight_norm

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.trace.trace import trace

SHAPE = (4, 6, 6)
SEEN: dict[str, Tensor] = {}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.extra = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def counted(graph: LayerGraph) -> tuple[int, int]:
    cost = graph_cost(graph)
    assert cost.uncounted == 0
    return cost.params, cost.macs


CONV = 36 * (4 * 4 * 9)
BOTH = 4 * 4 * 9 + 4 + 4 * 4 + 4, CONV + 36 * 16


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("normed", [weight_norm, spectral_norm])
def test_a_weight_that_a_hook_makes_keeps_its_parameters(normed: Any) -> None:
    model = nn.Sequential(normed(nn.Conv2d(4, 4, 3, padding=1)), nn.ReLU())
    held = sum(tensor.numel() for tensor in model.parameters())
    assert counted(trace(model, SHAPE)) == (held, CONV)


def test_a_pruned_weight_keeps_its_parameters() -> None:
    model = Net()
    prune.l1_unstructured(model.conv, "weight", 0.5)
    graph = trace(model, SHAPE)
    assert counted(graph) == (4 * 4 * 9 + 4, CONV)
    assert set(graph.run.uses["conv"]) == {  # type: ignore[union-attr]
        *("conv.weight_orig", "conv.weight_mask", "conv.bias")
    }


class Adapter:
    """An object that holds a layer and remembers what it saw."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer, self.calls = layer, 0

    def __call__(self, module: nn.Module, args: Any, output: Tensor) -> Tensor:
        self.calls += 1
        return output + self.layer(output)


def added(layer: nn.Module, module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output + layer(output)


def in_a_closure(model: Net) -> None:
    model.conv.register_forward_hook(lambda module, args, output: output + model.extra(output))


def in_a_partial(model: Net) -> None:
    model.conv.register_forward_hook(partial(added, model.extra))


def in_an_object(model: Net) -> None:
    model.conv.register_forward_hook(Adapter(model.extra))


def of_the_whole(model: Net) -> None:
    model.register_forward_hook(Adapter(model.extra).__call__)


def before(model: Net) -> None:
    model.conv.register_forward_pre_hook(
        lambda module, args, kwargs: ((model.extra(args[0]),), kwargs), with_kwargs=True
    )


@pytest.mark.parametrize("hook", [in_a_closure, in_a_partial, in_an_object, of_the_whole, before])
def test_a_hook_that_changes_a_result_is_followed(hook: Any) -> None:
    model = Net()
    hook(model)
    graph = trace(model, SHAPE)
    assert counted(graph) == BOTH
    assert {"conv", "extra"} <= {layer.path for layer in graph.layers}


def remembers(module: nn.Module, args: Any, output: Tensor) -> None:
    SEEN["output"] = output


def test_a_hook_touches_nothing_of_the_users() -> None:
    model, calls, adapter = Net(), [], Adapter(nn.Conv2d(4, 4, 1))
    model.conv.register_forward_hook(remembers)
    model.conv.register_forward_hook(lambda *_: calls.append(1))
    model.conv.register_forward_hook(adapter)
    trace(model, SHAPE)
    assert (SEEN, calls, adapter.calls) == ({}, [], 0)


def test_a_hook_that_needs_values_is_left_out_by_name() -> None:
    model = Net()

    def look(module: nn.Module, args: Any, output: Tensor) -> None:
        assert torch.linalg.eigvals(output).numpy()[0] > 0

    model.conv.register_forward_hook(look)
    graph = trace(model, SHAPE)
    assert graph.run is not None
    (gap,) = graph.run.gaps
    assert "look, a hook of conv" in gap.operation
    assert gap.where == f"test_hooks.py:{look.__code__.co_firstlineno + 1}"
    assert gap.macs is None
    assert [layer.name for layer in graph.layers if layer.op.params] == ["conv"]
