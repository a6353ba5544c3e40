"""What torch.onnx.export writes of a network, read back, is the network."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.errors import ShapeError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import BatchNorm2d, FrozenBatchNorm2d
from resnet_inspect.networks.shapes import Shape

SIDE = 64

Export = Callable[..., LayerGraph]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Export a module with either of torch's exporters, and read the file."""

    def exported(module: nn.Module, *shapes: Shape, **settings: Any) -> LayerGraph:
        inputs = tuple(torch.zeros(1, *shape) for shape in shapes)
        path = str(tmp_path / "network.onnx")
        logging.disable(logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module.eval(), inputs, path, **({"dynamo": False} | settings))
        logging.disable(logging.NOTSET)
        return ri.graph(path)

    return exported


AS_IT_IS = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
"""Batch norm stays."""


def distinct(module: nn.Module) -> nn.Module:
    """The module with values of which no two are the same: the exporters store equal ones once."""
    for number, tensor in enumerate(module.state_dict().values(), 1):
        if tensor.is_floating_point():
            tensor.fill_(number / 4096)
    return module


def described(name: str) -> LayerGraph:
    own = ri.graph(name)
    channels, height, _ = own.input_shape
    # An adaptive pool is exported for maps that it divides, and no resampling of learned positions.
    if ri.spec(name).head in ("mlp", "attention"):
        return own
    side = min(height, SIDE)
    try:
        return ri.graph(name, (channels, side, side))
    except ShapeError:  # attention at positions, or in blocks, of the network's own size
        return own


def stages(graph: LayerGraph) -> list[tuple[str, Shape, int]]:
    return [(s.name, s.output.output_shape, ri.total(s.layers).macs) for s in graph.stages]


class Chain(nn.Sequential):
    """A module that runs its children in a row, and is no nn.Sequential by its class."""


def as_it_is_named(graph: LayerGraph, module: nn.Module) -> LayerGraph:
    """The network as names of modules alone tell it.

    The older exporter leaves classes out: an nn.Sequential whose children have names, rather than
    numbers, is a module like any other, and so a block where its layers were of the stem or head.
    """
    chains = [
        each
        for each in module.modules()
        if type(each) is nn.Sequential and not all(map(str.isdigit, each._modules))
    ]
    for each in chains:
        each.__class__ = Chain
    return ri.trace(module, graph.input_shape) if chains else graph


def learned(graph: LayerGraph) -> int:
    assert graph.run is not None
    return sum(tensor.entries for tensor in graph.run.tensors.values() if tensor.learned)


def named_as_parameters(graph: LayerGraph) -> int:
    """What a file holds besides parameters that nothing in it tells from these.

    The scale and shift of frozen batch norm, and its statistics: the older exporter names buffers
    as it names parameters, and an ordinary operator computes with them.
    """
    frozen = [layer.op for layer in graph.layers if isinstance(layer.op, FrozenBatchNorm2d)]
    return sum(op.buffers for op in frozen)


ALWAYS = [
    "resnet20_cifar",
    "edsr_baseline_trunk",
    "resnetblur18",
    "iresnet18[blocks=1,1,1,1]",
    "resnet50_caffe[blocks=1,1,1,1]",
    "resnetv2_50x1_bit[blocks=1,1,1,1]",
    "resnetv2_50d_frn[blocks=1,1,1,1]",
    "regnetz_b16_evos[blocks=2,1,1,1]",
    "dm_nfnet_f0[blocks=1,2,1,1]",
    "gcresnext26ts",
    "eca_botnext26ts_256",
    "halonet26t",
    "lambda_resnet26t",
    "resnet50_clip[blocks=1,1,1,1]",
]
"""Small networks that have among them every kind of op that any has: these run always."""

NOT_WRITTEN = {"AdaptiveAvgPool2d", "Dropout"}
"""Ops of VGG's head, the dearest to export: a pool of one position, and nothing."""


def op_kinds(names: Iterable[str]) -> set[str]:
    return {layer.op.kind for name in names for layer in ri.graph(name).layers}


def test_networks_that_run_always_have_every_kind_of_op() -> None:
    assert op_kinds(zoo.ZOO) - NOT_WRITTEN == op_kinds(ALWAYS)


@pytest.mark.parametrize(
    "name",
    [*ALWAYS, *(pytest.param(n, marks=pytest.mark.slow) for n in zoo.ZOO if n not in ALWAYS)],
)
def test_a_network_of_the_zoo_read_back(name: str, export: Export) -> None:
    graph = described(name)
    module = distinct(ri.build(graph))
    read = export(module, graph.input_shape, **AS_IT_IS)
    whole, again = graph_cost(graph), graph_cost(read)
    params = whole.params + named_as_parameters(graph)
    assert (again.params, again.macs, again.uncounted) == (params, whole.macs, 0)
    assert learned(read) == params
    assert read.run is not None
    assert not read.run.unused
    assert read.input_shape == graph.input_shape
    assert stages(read) == stages(as_it_is_named(graph, module))


FOLDING = [
    pytest.param("resnet18", {"dynamo": False}, id="resnet18"),
    pytest.param("resnetv2_18", {"dynamo": False}, id="resnetv2_18"),
    pytest.param("resnet10t", {"dynamo": True}, id="resnet10t-torch.export"),
    pytest.param("gernet_s", {"dynamo": True}, id="gernet_s-torch.export", marks=pytest.mark.slow),
    pytest.param(
        "resnetv2_18", {"dynamo": True}, id="resnetv2_18-torch.export", marks=pytest.mark.slow
    ),
]


@pytest.mark.parametrize(("name", "settings"), FOLDING)
def test_folded_batch_norm_is_said_so(name: str, settings: Any, export: Export) -> None:
    graph = described(name)
    read = export(distinct(ri.build(graph)), graph.input_shape, **settings)
    gone = channels(graph) - channels(read)  # a bias for a scale and a shift
    assert gone > 0
    whole, again = ri.total(graph.layers), ri.total(read.layers)
    assert (again.params, again.macs) == (whole.params - gone, whole.macs)
    assert stages(read) == stages(graph)
    notes = ri.table(read, "stage").notes
    assert any("folded batch norm" in note for note in notes)


def channels(graph: LayerGraph) -> int:
    return sum(layer.op.channels for layer in graph.layers if isinstance(layer.op, BatchNorm2d))


def test_layers_of_a_file_have_the_names_of_the_modules(export: Export) -> None:
    graph = described("resnet18")
    read = export(distinct(ri.build("resnet18")), graph.input_shape, **AS_IT_IS)
    named = {layer.name for layer in graph.layers if layer.op.params}
    assert {layer.name for layer in read.layers if layer.op.params} == named
    assert "layer1.0.add" in read.by_name


def test_equal_tensors_that_are_stored_once_are_said_so(export: Export) -> None:
    read = export(ri.build("resnet20_cifar"), (3, 32, 32), **AS_IT_IS)
    assert read.run is not None
    assert "equal values once" in " ".join(read.run.notes)


class Fixed(nn.Module):
    """Numbers that nobody learns, where operators have their parameters: a blur, a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8, affine=False, track_running_stats=True)
        self.register_buffer("blur", torch.rand(8, 1, 3, 3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(self.norm(self.stem(x)), self.blur, groups=8)


@pytest.mark.parametrize(
    ("settings", "statistics"),
    # The newer exporter folds the norm into the convolution.
    [(AS_IT_IS, 16), pytest.param({"dynamo": True}, 0, marks=pytest.mark.slow)],
)
def test_what_is_fixed_is_no_parameter(settings: Any, statistics: int, export: Export) -> None:
    read = graph_cost(export(distinct(Fixed()), (3, 16, 16), **settings))
    assert (read.params, read.buffers) == (8 * 27 + 8, statistics + 8 * 9)
    assert read.macs == 8 * 27 * 14 * 14 + 8 * 9 * 12 * 12


class Sequence(nn.Module):
    """A recurrent layer, batch first, and a classifier of each step."""

    def __init__(self, kind: Any, both: bool = False) -> None:
        super().__init__()
        self.recurrent = kind(16, 32, batch_first=True, bidirectional=both)
        self.classify = nn.Linear(64 if both else 32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classify(self.recurrent(x)[0])


@pytest.mark.parametrize(
    ("kind", "gates", "both"),
    [(nn.LSTM, 4, False), (nn.LSTM, 4, True), (nn.GRU, 3, False), (nn.RNN, 1, False)],
)
def test_recurrent_layers(kind: Any, gates: int, both: bool, export: Export) -> None:
    module, ways = distinct(Sequence(kind, both)), 2 if both else 1
    read = export(module, (10, 16))
    whole = ri.total(read.layers)
    assert whole.macs == ways * 10 * gates * 32 * (16 + 32) + 10 * 32 * ways * 5
    assert whole.params == learned(read) == sum(p.numel() for p in module.parameters())
    assert read.output.output_shape == (10, 5)


class Attention(nn.Module):
    """Attention of four heads, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.entering, self.leaving = nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        parts = self.entering(x).view(batch, length, 3, 4, 8).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts.unbind(0)
        scores = (queries @ keys.transpose(-2, -1) / 8**0.5).softmax(-1)
        return x + self.leaving((scores @ values).transpose(1, 2).reshape(batch, length, 32))


def test_attention_counts_products_of_activations(export: Export) -> None:
    read = export(distinct(Attention()), (10, 32))
    whole = ri.total(read.layers)
    assert whole.macs == 10 * 4 * 32 * 32 + 2 * 10 * 10 * 32
    assert whole.params == 4 * 32 * 32 + 4 * 32
    assert whole.uncounted == 0
    assert read.output.output_shape == (10, 32)


class Mixed(nn.Module):
    """Ordinary operations, shapes worked out on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding="same")
        self.narrow = nn.Conv2d(8, 8, 1)
        self.scale = nn.Parameter(torch.randn(8, 1, 1))
        self.up = nn.ConvTranspose2d(16, 4, 3, stride=2, padding=1, output_padding=1)
        self.norm = nn.GroupNorm(2, 4)
        self.head = nn.Linear(4 * 16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.stem(x).chunk(2, 1)
        x = self.up(torch.cat([self.narrow(first) * self.scale, second], 1))
        x = nn.functional.interpolate(self.norm(x), scale_factor=0.5, mode="bilinear")
        x = nn.functional.adaptive_avg_pool2d(x, 4)
        return self.head(x.view(x.size(0), -1))


@pytest.mark.parametrize("dynamo", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_network_with_shape_arithmetic_equals_its_trace(dynamo: bool, export: Export) -> None:
    module = distinct(Mixed())
    traced = ri.total(ri.trace(module, (3, 32, 32)).layers)
    read = export(module, (3, 32, 32), dynamo=dynamo)
    whole = ri.total(read.layers)
    assert (whole.params, whole.macs, whole.uncounted) == (traced.params, traced.macs, 0)
    assert not {"Shape", "Gather", "Constant"} & {layer.op.kind for layer in read.layers}


def test_a_batch_that_is_open_or_fixed_is_left_out(export: Export) -> None:
    module = distinct(Mixed())
    open_batch = export(module, (3, 32, 32), input_names=["x"], dynamic_axes={"x": {0: "samples"}})
    again = export(module, (3, 32, 32))
    assert open_batch.input_shape == again.input_shape == (3, 32, 32)
    assert ri.total(open_batch.layers).macs == ri.total(again.layers).macs
