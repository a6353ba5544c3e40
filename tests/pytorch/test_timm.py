"""The zoo's networks are timm's: parameters, MACs, convolutions, state dict keys and outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest
import torch
from families import one_of_each_family
from randomised import Undrawn, randomise
from torch import nn

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Convolution
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.pytorch.assemble import assemble, build
from resnet_inspect.pytorch.trace.trace import trace
from resnet_inspect.pytorch.weight_names import from_timm, timm_rules

# The families whose keys are the same have their test in test_assemble.py.
SAME = ("resnext", "tweaks", "se", "preact")
NAMES = [
    name for name, entry in zoo.ZOO.items() if "timm" in entry.source and entry.family not in SAME
]

LARGEST = 150_000_000
"""Parameters of the largest model whose outputs are compared."""

LEFT_OUT = {
    "ecaresnet50d_pruned": "each layer's width is its own",
    "ecaresnet101d_pruned": "each layer's width is its own",
    "bat_resnext26ts": "bilinear attention, which no other network has",
    "haloregnetz_b": "queries a third as wide as what is around them",
    "lambda_resnet26rpt_256": "lambdas of learned distances, which no other network has",
    "test_resnet": "made to test timm",
    "test_byobnet": "made to test timm",
    "test_nfnet": "made to test timm",
}
"""Networks of timm's residual modules that the zoo has not, and why."""

MODULES = (
    *("resnet", "resnetv2", "senet", "sknet", "res2net", "resnest"),
    *("regnet", "byobnet", "byoanet", "nfnet"),
)


def test_every_network_of_timm_s_modules_is_in_the_zoo_or_left_out_for_a_reason(
    timm: ModuleType,
) -> None:
    theirs = {name for module in MODULES for name in timm.list_models(module=module)}
    assert theirs - set(zoo.ZOO) == {name for name in LEFT_OUT if name in theirs}
    assert not set(LEFT_OUT) & set(zoo.ZOO)
    assert set(NAMES) <= set(timm.list_models())


def convolutions(graph: LayerGraph) -> Counter[tuple[object, ...]]:
    """Every convolution's channels, kernel, stride, groups, dilation and positions.

    But for the classifier, which timm's resnetv2 has as one.
    """
    return Counter(
        (op.in_channels, op.out_channels, op.kernel, op.stride, op.groups, op.dilation, positions)
        for layer in graph.layers
        if isinstance(op := layer.op, Convolution)
        if layer.output_shape != (1000, 1, 1)
        for positions in (layer.output_shape[1:],)
    )


def their_model(name: str, timm: ModuleType, device: str) -> nn.Module:
    with torch.device(device):
        model: nn.Module = timm.create_model(name, pretrained=False).eval()
    return model


@pytest.mark.parametrize("name", one_of_each_family(NAMES))
def test_a_network_is_timm_s(name: str, timm: ModuleType) -> None:
    spec, model = zoo.spec(name), their_model(name, timm, "meta")
    shape = spec.input_shape if spec.self_attention else (3, 64, 64)
    ours, theirs = layer_graph(spec, shape), trace(model, shape, name=name)
    assert graph_cost(ours).params == graph_cost(theirs).params
    assert graph_cost(ours).macs == graph_cost(theirs).macs
    assert convolutions(ours) == convolutions(theirs)
    with torch.device("meta"):
        assembled = assemble(ours).eval()
    shapes = {
        key: value.shape for key, value in from_timm(model.state_dict(), timm_rules(spec)).items()
    }
    assert {key: value.shape for key, value in assembled.state_dict().items()} == shapes
    if graph_cost(ours).params > LARGEST:
        return
    # timm's modules make numbers for themselves that are in no state dict, so it is made anew.
    with Undrawn():
        model, assembled = their_model(name, timm, "cpu"), assemble(ours).eval()
    randomise(model)
    assembled.load_state_dict(from_timm(model.state_dict(), timm_rules(spec)))
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model(x)
        assert expected.isfinite().all()
        assert torch.equal(assembled(x), expected)


ARGUMENTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "cbam": ("resnet18", {"attention": "cbam"}, {"block_args": {"attn_layer": "cbam"}}),
    "cbam in bottlenecks": (
        "resnet26",
        {"attention": "cbam"},
        {"block_args": {"attn_layer": "cbam"}},
    ),
    "stochastic depth": ("resnet18", {"drop_path_rate": 0.5}, {"drop_path_rate": 0.5}),
    "dropout": ("resnet18", {"drop_rate": 0.5}, {"drop_rate": 0.5}),
    "both, before activation": (
        "resnetv2_18",
        {"drop_path_rate": 0.5, "drop_rate": 0.5},
        {"drop_path_rate": 0.5, "drop_rate": 0.5},
    ),
    "both, without norm": (
        "nf_resnet26",
        {"drop_path_rate": 0.5, "drop_rate": 0.5},
        {"drop_path_rate": 0.5, "drop_rate": 0.5},
    ),
}
"""A network, fields of it, and timm's arguments that are the same."""


@pytest.mark.parametrize("what", ARGUMENTS)
def test_a_field_is_an_argument_of_timm_s(what: str, timm: ModuleType) -> None:
    """In inference and, from the same random numbers, in training."""
    name, changes, arguments = ARGUMENTS[what]
    spec = zoo.spec(name).with_changes(changes)
    with Undrawn():
        theirs: nn.Module = timm.create_model(name, **arguments)
        ours = assemble(layer_graph(spec, (3, 64, 64)))
    randomise(theirs)
    ours.load_state_dict(from_timm(theirs.state_dict(), timm_rules(spec)))
    assert sum(map(torch.numel, ours.parameters())) == sum(map(torch.numel, theirs.parameters()))
    x = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for training in (False, True):
            outputs = []
            for model in (theirs.train(training), ours.train(training)):
                torch.manual_seed(1)
                outputs.append(model(x))
            if name.startswith("resnetv2"):  # whose classifier is a convolution in timm
                torch.testing.assert_close(*outputs)
            else:
                assert torch.equal(*outputs)


def test_zero_gamma_is_timm_s_initialisation(timm: ModuleType) -> None:
    for name in ("resnet18", "resnet26", "seresnet18", "skresnet18", "res2net50_26w_4s"):
        theirs = timm.create_model(name, zero_init_last=True)
        spec = zoo.spec(name).with_changes({"zero_gamma": True})
        ours = build(layer_graph(spec, (3, 64, 64)))
        renamed = from_timm(dict(theirs.named_parameters()), timm_rules(spec))
        assert _zeroed(ours.named_parameters()) == _zeroed(renamed.items())


def _zeroed(parameters: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
    named = dict(parameters)
    return {name for name, value in named.items() if name.endswith("weight") and not value.any()}
