"""Networks that return the tensors of some of their taps, modules or layers."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from importlib import import_module
from types import ModuleType

import pytest
import torch
from families import shortened_of_each_family

import resnet_inspect as ri
from resnet_inspect.networks.taps import taps

NODES = ("relu", "layer1", "layer2.1", "layer3.0.conv2", "layer4")


def test_they_are_what_torchvision_extracts(torchvision: ModuleType) -> None:
    extraction = import_module(f"{torchvision.__name__}.models.feature_extraction")
    theirs = torchvision.models.resnet50().eval()
    extract = extraction.create_feature_extractor(theirs, list(NODES))
    ours = ri.build("resnet50", features=NODES).eval()
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert (missing, unexpected) == ([], ["fc.weight", "fc.bias"])
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, returned = extract(image), ours(image)
    assert list(returned) == list(NODES)
    for node in NODES:
        assert torch.equal(returned[node], expected[node]), node


@pytest.mark.parametrize("name", shortened_of_each_family())
def test_taps_of_every_family_are_what_the_network_computes(name: str) -> None:
    graph = ri.graph(name)
    model = ri.build(name, features=[tap.name for tap in taps(graph)], device="meta").eval()
    with torch.no_grad():
        returned = model(torch.empty(1, *graph.input_shape, device="meta"))
    shapes = {tap.name: tap.layer.output_shape for tap in taps(graph)}
    assert {name: tuple(value.shape[1:]) for name, value in returned.items()} == shapes


def test_what_no_feature_needs_is_left_out() -> None:
    model = ri.build("resnet50", features=["C3"], zero_gamma=True)
    assert [name for name, _ in model.named_children()] == [
        *("conv1", "bn1", "relu", "maxpool", "layer1", "layer2")
    ]
    (row,) = [row for row in ri.taps("resnet50").records() if row["name"] == "C3"]
    assert sum(parameter.numel() for parameter in model.parameters()) == row["params"]


def test_nothing_writes_to_what_is_returned() -> None:
    torch.manual_seed(0)
    whole = ri.build("resnet18").eval()
    seen = {}
    norm = whole.get_submodule("layer1.0.bn1")
    norm.register_forward_hook(lambda module, given, made: seen.update(bn1=made.clone()))
    cut = ri.build("resnet18", features=["layer1.0.bn1", "layer1"]).eval()
    cut.load_state_dict(whole.state_dict(), strict=False)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        whole(image)
        returned = cut(image)
    assert torch.equal(returned["layer1.0.bn1"], seen["bn1"])
    assert (returned["layer1.0.bn1"] < 0).any()


def test_copies_return_the_same() -> None:
    model = ri.build("resnet20_cifar", features=["layer2.1", "C4"]).eval()
    image = torch.randn(1, 3, 32, 32)
    expected = model(image)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        returned = copied(image)
        assert all(torch.equal(returned[name], value) for name, value in expected.items())
    assert type(model.get_submodule("layer2")).__name__ != "SqueezeExcitation"


def test_a_network_with_features_can_be_traced() -> None:
    model = ri.build("resnet18", features=["C2", "C5"])
    graph = ri.trace(model, (3, 64, 64))
    assert [graph.by_name[name].output_shape for name in graph.outputs] == [
        (64, 16, 16),
        (512, 2, 2),
    ]


def test_unknown_features_name_the_nearest() -> None:
    with pytest.raises(ri.InspectError, match=r"layer5.*layer4"):
        ri.build("resnet50", features=["layer5"])
    with pytest.raises(ri.InspectError, match="create_feature_extractor"):
        ri.build(replace(ri.graph("resnet18"), maker=torch.nn.ReLU), features=["C2"])
