"""Networks of well-known repositories: their parameters, and what their names say of them."""

from __future__ import annotations

import pytest

import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks.zoo_repositories import REPOSITORIES

PARAMS = {
    # kuangliu/pytorch-cifar, models/preact_resnet.py and models/senet.py
    "preact_resnet18_cifar10": 11_171_146,
    "preact_resnet34_cifar10": 21_279_306,
    "preact_resnet50_cifar10": 23_509_066,
    "preact_resnet101_cifar10": 42_501_194,
    "preact_resnet152_cifar10": 58_144_842,
    "senet18_cifar10": 11_260_354,
    # weiaicunzai/pytorch-cifar100, models/senet.py
    "seresnet18_cifar100": 11_314_012,
    "seresnet34_cifar100": 21_498_000,
    "seresnet50_cifar100": 26_262_804,
    "seresnet101_cifar100": 47_527_764,
    "seresnet152_cifar100": 65_045_780,
    # deepinsight/insightface, recognition/arcface_torch/backbones/iresnet.py
    "iresnet18": 24_025_600,
    "iresnet34": 34_139_328,
    "iresnet50": 43_590_848,
    "iresnet100": 65_156_160,
    "iresnet200": 118_833_920,
    # wielandbrendel/bag-of-local-features-models, bagnets/pytorchnet.py
    "bagnet9": 15_688_744,
    "bagnet17": 16_213_032,
    "bagnet33": 18_310_184,
    # sanghyun-son/EDSR-PyTorch, src/model/edsr.py: head and 16 blocks of 64 channels
    "edsr_baseline_trunk": 1_183_488,
}
"""What the parameters of the repositories' own modules sum up to."""


def test_parameters() -> None:
    assert {name: graph_cost(ri.graph(name)).params for name in REPOSITORIES} == PARAMS


def test_a_table_says_that_the_input_decides_on_parameters() -> None:
    larger = ri.table("iresnet18", "network", input_shape=(3, 128, 128))
    assert larger.records()[0]["params"] == PARAMS["iresnet18"] + (64 - 49) * 512 * 512
    assert "Parameters depend on the input: fc has weights for all of 512x8x8" in str(larger)


@pytest.mark.parametrize("side", [9, 17, 33])
def test_a_bagnet_sees_as_much_as_its_name_says(side: int) -> None:
    graph = ri.graph(f"bagnet{side}")
    field = receptive_fields(graph)[graph.stages[-2].output.name]
    assert field is not None
    assert field.size == (side, side)
