"""Memory figures against what autograd keeps and what lives while the real model runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from families import shortened_of_each_family
from hypothesis import assume, given
from hypothesis import strategies as st
from saved import measured_saved
from strategies import networks
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.counting.memory import live_bytes, memory, saved_for_backward
from resnet_inspect.errors import UnknownNameError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.self_attention import KINDS, Positions
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.pytorch.assemble import assemble, build
from resnet_inspect.pytorch.bench.peak_memory import StorageWatch

FACTS = json.loads((Path(__file__).parents[1] / "facts" / "counters.json").read_text())
DTYPES = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}


PREPARATIONS = {getattr(torch.ops.aten, name) for name in ("t", "slice", "alias", "empty")}
"""Calls that come before the one that is the layer: views, and batch norm's unused reserve."""


FOLDED = (torch.ops.aten.view, torch.ops.aten.addmm, torch.ops.aten.view)
"""The calls of a linear layer with several places: it multiplies a view, and gives one."""


class Living(StorageWatch):
    """After each call to torch, the bytes of all storages made so far that are still in use."""

    def __init__(self, model: nn.Module, x: Tensor) -> None:
        super().__init__([*model.parameters(), *model.buffers()])
        self.weights = self.held
        self.levels: list[int] = []
        self.calls: list[object] = []
        self._watch(x)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if func.overloadpacket not in PREPARATIONS:
            self.levels.append(self.held - self.weights)
            self.calls.append(func.overloadpacket)
        return result


def measured_alive(model: nn.Module, x: Tensor) -> list[int]:
    """Bytes alive while each layer of an inference pass runs."""
    with torch.no_grad(), Living(model, x) as living:
        model(x)
    lines = zip(living.calls, living.calls[1:], living.calls[2:], strict=False)
    linear = [at for at, line in enumerate(lines) if line == FOLDED]
    views = {at + side for at in linear for side in (0, 2)}
    return [level for at, level in enumerate(living.levels) if at not in views]


MADE = {
    *("StandardizedConv2d", "ScaledConv2d", "FrozenBatchNorm2d", "MatMul", "PReLU"),
    *("EvoNormS0", "FilterResponseNorm"),
}
"""What makes weights, a product or a norm in several calls to torch."""

SILENT = {"narrow", "DropPath"}
"""Ops that call nothing that is seen in inference, by function and type."""


def check(graph: LayerGraph, batch: int, dtype: str = "fp32") -> None:
    with torch.device("meta"):  # bytes do not depend on values, so none are drawn
        model = assemble(graph).to(DTYPES[dtype])
    model.to_empty(device="cpu")
    x = torch.zeros(batch, *graph.input_shape, dtype=DTYPES[dtype])
    if dtype != "bf16":  # the CPU keeps batch statistics of half precision in half; GPUs do not
        kept = saved_for_backward(graph, batch, dtype)
        assert measured_saved(model, x) == kept
    model.eval()
    kept = saved_for_backward(graph, batch, dtype, training=False)
    assert measured_saved(model, x) == kept
    levels = zip(live_bytes(graph, batch, dtype), graph.layers, strict=True)
    of_calls = [
        level
        for level, layer in levels
        if SILENT.isdisjoint((getattr(layer.op, "function", ""), layer.op.kind))
    ]
    if not any(layer.op.kind in MADE or _resampled(layer.op) for layer in graph.layers):
        assert measured_alive(model, x) == of_calls


def _resampled(op: Op) -> bool:
    """Whether learned positions are made for another size, in several calls to torch."""
    return isinstance(op, Positions) and op.grid != op.made_for


@given(networks(largest=40), st.sampled_from(list(DTYPES)))
def test_random_networks_keep_what_is_measured(
    network: tuple[ResNetSpec, Shape], dtype: str
) -> None:
    spec, shape = network
    assume(_known(spec) and max(shape[1:]) > 1)  # of a pixel the CPU copies weights
    # The CPU keeps what some of the others measure in the dtype itself.
    plain = spec.norm != "group" and spec.convolution == "plain"
    assume(dtype == "fp32" or (plain and spec.attention in ("none", "se", "eca")))
    # Batch norm in train mode wants more than one value for each channel.
    check(layer_graph(*network), batch=2, dtype=dtype)


def _known(spec: ResNetSpec) -> bool:
    return not (spec.drop_rate or spec.block_drop_rate)


# What makes memory differ is how a block is wired; a family's deeper members repeat its blocks.
# The CPU keeps dropout's mask in floats, GPUs in bytes: networks with dropout are left out.
SHALLOW = [name for name in zoo.ZOO if zoo.spec(name).depth <= 56 and _known(zoo.spec(name))]


@pytest.mark.parametrize("name", shortened_of_each_family(SHALLOW))
def test_networks_of_the_zoo_keep_what_is_measured(name: str) -> None:
    spec = ri.spec(name)
    kinds = {kind.partition("/")[0] for kind in (*spec.self_attention, spec.head)}
    height, width = spec.input_size
    if spec.unpadded:  # shrinking
        height, width = 64, 96
    elif not kinds & {"attention", *KINDS}:  # of learned positions
        height, width = min(height, 32), min(width, 64)
    check(layer_graph(spec, (spec.in_channels, height, width)), batch=2)


def test_resnet50_keeps_what_was_measured() -> None:
    graph = layer_graph(zoo.spec("resnet50"))
    measured = FACTS["memory_resnet50_fp32_batch1"]["saved_for_backward_bytes_measured"]
    assert saved_for_backward(graph) == measured["train"]
    assert saved_for_backward(graph, training=False) == measured["eval"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_and_buffers_are_those_of_the_model(dtype: str) -> None:
    graph = layer_graph(zoo.spec("seresnet18"))
    with torch.device("meta"):
        model = assemble(graph).to(DTYPES[dtype])
    found = memory(graph, batch=3, dtype=dtype)
    assert found.weights == sum(parameter.nbytes for parameter in model.parameters())
    assert found.buffers == sum(buffer.nbytes for buffer in model.buffers())
    assert found.gradients == found.weights


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_state_is_what_torch_keeps(name: str) -> None:
    graph = layer_graph(zoo.spec("resnet20_cifar"))
    model = build(graph)
    optimizer = OPTIMIZERS[name](model.parameters())
    model(torch.randn(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    kept = [
        value.nbytes
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor) and value.dim()  # Adam's step counters are scalars
    ]
    found = memory(graph, batch=2)
    assert found.optimizers[name] == sum(kept)
    assert found.gradients == sum(parameter.grad.nbytes for parameter in model.parameters())
    assert found.training(name) == (
        found.weights + found.buffers + found.gradients + sum(kept) + found.saved
    )


def test_the_peak_is_where_most_was_measured() -> None:
    graph = layer_graph(zoo.spec("resnet50"), (3, 32, 32))
    model = assemble(graph).eval()
    levels = measured_alive(model, torch.zeros(2, 3, 32, 32))
    need = memory(graph, batch=2)
    assert need.inference_peak == max(levels)
    assert need.peak_at == graph.layers[levels.index(max(levels))].name
    held = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    assert need.inference == held + max(levels)
    assert need.saved == measured_saved(model.train(), torch.zeros(2, 3, 32, 32))
    assert need.uncounted == 0


def test_unknown_dtypes_and_optimizers_are_named() -> None:
    graph = layer_graph(zoo.spec("resnet18"))
    assert memory(graph, dtype="float32") == memory(graph, dtype="fp32")
    with pytest.raises(UnknownNameError, match="unknown dtype 'fp31'; did you mean fp32"):
        memory(graph, dtype="fp31")
    with pytest.raises(UnknownNameError, match="unknown optimizer 'adan'; did you mean adam"):
        memory(graph).training("adan")
