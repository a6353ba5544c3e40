"""Networks as they are exported: batch norm in the weights before it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from types import ModuleType
from typing import Any

import pytest
import torch
from families import shortened_of_each_family
from hypothesis import given
from randomised import randomise
from strategies import specs
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import resnet_inspect as ri
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Add, BatchNorm2d, Conv2d, Linear
from resnet_inspect.networks.parallel import PARALLEL
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.torch_ops import BatchNorm
from resnet_inspect.pytorch.weight_names import from_timm, timm_rules

NORMS = (BatchNorm2d, BatchNorm)


def _norms(graph: LayerGraph) -> list[str]:
    return [layer.path for layer in graph.layers if isinstance(layer.op, NORMS)]


@pytest.mark.parametrize("name", ["resnet18", "resnet50d", "resnetv2_50", "seresnet18"])
def test_it_computes_what_the_network_does(name: str) -> None:
    graph, folded = ri.graph(name), ri.folded(name)
    model, exported = ri.build(graph).eval(), ri.build(folded).eval()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value in (part.weight, part.bias, part.running_mean, part.running_var):
                nn.init.uniform_(value, 0.5, 1.5)  # type: ignore[arg-type]
    kept = {*_norms(folded)}
    for layer in graph.layers:
        if not isinstance(layer.op, NORMS) or layer.path in kept:
            continue
        conv = model.get_submodule(graph.by_name[layer.inputs[0]].path)
        norm = model.get_submodule(layer.path)
        fused = fuse_conv_bn_eval(conv, norm)  # type: ignore[type-var]
        path = graph.by_name[layer.inputs[0]].path
        exported.get_submodule(path).load_state_dict(fused.state_dict())
    for path in ("fc", *kept, *_plain_convs(folded)):
        exported.get_submodule(path).load_state_dict(model.get_submodule(path).state_dict())
    image = torch.randn(1, *graph.input_shape[:1], 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(exported(image), model(image), rtol=1e-3, atol=1e-3)


def _convs(graph: LayerGraph) -> list[str]:
    return [layer.path for layer in graph.layers if isinstance(layer.op, Conv2d)]


def _plain_convs(graph: LayerGraph) -> list[str]:
    plain = [layer for layer in graph.layers if isinstance(layer.op, Conv2d)]
    return [layer.path for layer in plain if not layer.op.bias or ".se." in layer.path]


@pytest.mark.parametrize("name", shortened_of_each_family())
def test_what_is_left_is_counted_exactly(name: str) -> None:
    if not _norms(ri.graph(name)):
        return
    folded = ri.folded(name)
    model = ri.build(folded, device="meta")
    assert sum(each.numel() for each in model.parameters()) == ri.cost(folded).params
    assert sum(each.numel() for each in model.buffers()) == ri.cost(folded).buffers
    if ri.spec(name).block not in PARALLEL:
        assert ri.cost(folded).macs == ri.cost(name).macs
    traced = ri.trace(model, folded.input_shape)
    assert ri.cost(traced) == ri.cost(folded)


@given(specs())
def test_a_norm_stays_where_no_convolution_leads_to_it(spec: ResNetSpec) -> None:
    graph = ri.graph(spec)
    if spec.block in PARALLEL:
        folded = ri.folded(graph)
        kinds = {type(layer.op) for layer in folded.layers}
        assert not kinds & {BatchNorm2d, Add}
        assert len([conv for conv in _convs(folded) if ".se." not in conv]) == spec.depth - 1
        return
    readers = Counter(name for layer in graph.layers for name in layer.inputs)
    foldable = [
        layer.path
        for layer in graph.layers
        if isinstance(layer.op, NORMS)
        and isinstance(graph.by_name.get(layer.inputs[0], layer).op, (Conv2d, Linear))
        and readers[layer.inputs[0]] == 1
    ]
    if not foldable:
        with pytest.raises(ri.InspectError, match="nothing to fold"):
            ri.folded(graph)
        return
    folded = ri.folded(graph)
    assert [path for path in _norms(graph) if path not in foldable] == _norms(folded)
    assert len(folded.layers) + len(_norms(graph)) - len(_norms(folded)) == len(graph.layers)
    assert folded.output.output_shape == graph.output.output_shape


@pytest.mark.parametrize("name", ["repvgg_a0", "repvgg_b1g4", "mobileone_s0", "mobileone_s4"])
def test_what_runs_side_by_side_is_one_convolution_as_timm_merges_it(
    name: str, timm: ModuleType
) -> None:
    shape = (3, 64, 64)
    torch.manual_seed(0)
    model = timm.create_model(name).eval()
    randomise(model)
    image = torch.randn(1, *shape)
    with torch.inference_mode():
        expected = model(image)
    merged = timm.utils.reparameterize_model(model)
    folded, theirs = ri.folded(name, shape), ri.trace(merged, shape)
    assert ri.cost(folded).params == ri.cost(theirs).params
    assert ri.cost(folded).macs == ri.cost(theirs).macs
    assert len(folded.layers) == len(theirs.layers)
    ours = ri.build(folded).eval()
    ours.load_state_dict(from_timm(merged.state_dict(), timm_rules(zoo.spec(name))))
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), expected, rtol=0, atol=1e-5 * float(expected.max()))
        assert torch.equal(ours(image), merged(image))


class Sum(nn.Module):
    """The sum of some modules of one input."""

    def __init__(self, *terms: nn.Module) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = self.terms[0](x)
        for term in self.terms[1:]:
            total = total + term(x)
        return total


def _conv(kernel: int | tuple[int, int], edge: int | tuple[int, int], **more: Any) -> nn.Conv2d:
    return nn.Conv2d(4, 4, kernel, padding=edge, bias=False, **more)


MERGED = {
    "kernels of both axes": (_conv(3, 1), _conv((1, 3), (0, 1)), _conv((3, 1), (1, 0))),
    "dilated": (_conv(3, 2, dilation=2), _conv(1, 0), nn.BatchNorm2d(4)),
    "in groups": (_conv(3, 1, groups=2), _conv(1, 0, groups=2), nn.Identity()),
    "strided": (_conv(5, 2, stride=2), _conv(3, 1, stride=2), _conv(1, 0, stride=2)),
}
APART = {
    "no kernel holds the other": (_conv((1, 3), (0, 1)), _conv((3, 1), (1, 0))),
    "other groups": (_conv(3, 1, groups=2), _conv(1, 0)),
    "other dilations": (_conv(3, 1), _conv(3, 2, dilation=2)),
    "no center": (_conv(4, 1, stride=2), _conv(2, 0, stride=2)),
    "an activation": (_conv(3, 1), nn.Sequential(_conv(1, 0), nn.ReLU())),
    "two in a row": (_conv(3, 1), nn.Sequential(_conv(1, 0), _conv(1, 0))),
    "no convolution": (nn.BatchNorm2d(4), nn.Identity()),
}


@pytest.mark.parametrize("terms", MERGED.values(), ids=MERGED)
def test_kernels_at_the_same_positions_are_summed(terms: tuple[nn.Module, ...]) -> None:
    normalized = nn.Sequential(Sum(*terms), nn.ReLU(), _conv(1, 0), nn.BatchNorm2d(4))
    folded = ri.folded(ri.trace(normalized, (4, 9, 9)))
    assert _convs(folded) == ["0.terms.0", "2"]
    assert [layer.op.kind for layer in folded.layers] == ["Conv2d", "ReLU", "Conv2d"]
    weights = terms[0].get_parameter("weight").numel()
    bias = 4 * any(isinstance(term, nn.BatchNorm2d) for term in terms)
    assert ri.cost(folded).params == weights + bias + 4 * 4 + 4


@pytest.mark.parametrize("terms", APART.values(), ids=APART)
def test_other_sums_stay(terms: tuple[nn.Module, ...]) -> None:
    graph = ri.trace(
        nn.Sequential(Sum(*terms), nn.ReLU(), _conv(1, 0), nn.BatchNorm2d(4)), (4, 9, 9)
    )
    assert len(ri.folded(graph).layers) == len(graph.layers) - 1


class Shared(nn.Module):
    """A convolution that two norms read, one that runs twice, and one of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.forked, self.twice, self.own = (nn.Conv2d(4, 4, 1, bias=False) for _ in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.forked(x)
        y = self.norms[0](y) + self.norms[1](y)
        y = self.norms[2](self.twice(y))
        y = self.norms[3](self.twice(y))
        return self.norms[4](self.own(y))


def test_only_a_norm_that_alone_reads_a_layer_of_its_own_folds() -> None:
    folded = ri.folded(ri.trace(Shared(), (4, 8, 8)))
    assert _norms(folded) == ["norms.0", "norms.1", "norms.2", "norms.3"]
    assert ri.cost(folded).params == 3 * 16 + 4 * 8 + 4
    assert folded.outputs == ("own",)


def test_a_network_without_norms_has_nothing_to_fold() -> None:
    with pytest.raises(ri.InspectError, match="nothing to fold"):
        ri.folded(ri.trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), (3, 8, 8)))


def test_the_command() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "resnet_inspect", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    shown = run("table", "resnet50", "--folded", "--level", "stage").stdout
    assert "resnet50, folded" in shown
    assert f"{ri.cost(ri.folded('resnet50')).params:,}" in shown
    refused = run("diagram", "resnet18", "resnet34", "--folded", "-o", "never.svg")
    assert refused.returncode == 2
    assert "--folded is for one network" in refused.stderr
