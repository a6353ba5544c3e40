"""Where a backbone's features are taken."""

from __future__ import annotations

from types import ModuleType

import pytest
from torch import nn

import resnet_inspect as ri
from resnet_inspect.networks.graph import needed
from resnet_inspect.networks.taps import taps
from resnet_inspect.tables.terminal import plain

TIMM = ("resnet18", "resnet50", "resnet50d", "resnet10t", "seresnet50", "resnext50_32x4d")


@pytest.mark.parametrize("name", [*TIMM, "resnetv2_50", "resnetv2_50d"])
def test_they_are_timms(timm: ModuleType, name: str) -> None:
    theirs = timm.create_model(name, features_only=True).feature_info
    rows = ri.taps(name).records()
    assert [row["timm"] for row in rows] == list(range(len(theirs.channels())))
    assert [row["channels"] for row in rows] == theirs.channels()
    assert [row["stride"] for row in rows] == [(stride, stride) for stride in theirs.reduction()]


def test_a_table_of_resnet50() -> None:
    rows = ri.taps("resnet50").records()
    assert [row["name"] for row in rows] == ["C1", "C2", "C3", "C4", "C5"]
    assert [row["node"] for row in rows] == ["relu", "layer1", "layer2", "layer3", "layer4"]
    assert [row["mmseg"] for row in rows] == [None, 0, 1, 2, 3]
    assert [row["macs"] for row in rows] == [
        *(118013952, 785956864, 1813561344, 3277897728, 4087136256)
    ]
    assert [row["receptive_field"] for row in rows] == [
        *((side, side) for side in (7, 35, 91, 267, 427))
    ]
    assert rows[-1]["params"] == 25557032 - 2048 * 1000 - 1000


def test_a_narrow_table_is_one_table() -> None:
    text = plain(ri.taps("vgg16").lines(80))
    assert text.count("features.29") == 1
    assert "Left out to fit 80 columns: Field; Parameters so far; MACs so far." in text
    assert "99.2% ███████" in text


def test_an_unknown_feature_answers_with_those_that_are() -> None:
    with pytest.raises(ri.InspectError, match="'C9'; give C1, C2, C3, C4, C5, or a module"):
        ri.build("resnet18", features=("C9",))


def test_stages_that_share_a_module_are_tapped_by_layer() -> None:
    rows = ri.taps("vgg16").records()  # where timm's features_only takes all but the pooled last
    assert [row["node"] for row in rows] == [f"features.{n}" for n in (3, 8, 15, 22, 29)]
    assert [row["name"] for row in rows] == ["C1", "C2", "C3", "C4", "C5"]


def test_what_is_traced_is_tapped_where_its_resolution_changes(torchvision: ModuleType) -> None:
    traced = ri.trace(torchvision.models.resnet18(), (3, 64, 64))
    described = ri.graph("resnet18", (3, 64, 64))
    shapes = [tap.layer.output_shape for tap in taps(described)]
    assert [tap.layer.output_shape for tap in taps(traced)] == shapes
    assert [tap.name for tap in taps(traced)] == ["C1", "C2", "C3", "C4", "C5"]
    branching = ri.trace(torchvision.models.mobilenet_v2(), (3, 64, 64))
    assert [tap.layer.output_shape[1] for tap in taps(branching)] == [32, 16, 8, 4, 2]


def test_a_network_without_images_has_none() -> None:
    assert taps(ri.trace(nn.Sequential(nn.Linear(4, 2)), (4,))) == ()


def test_what_a_layer_is_computed_from() -> None:
    graph = ri.graph("resnet18")
    assert needed(graph, [graph.output.name]) == graph.layers
    first = graph.layers[0]
    assert needed(graph, [first.name]) == (first,)
