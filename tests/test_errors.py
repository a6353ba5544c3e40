"""What an error names: the nearest names, and the fields that it is about."""

from __future__ import annotations

import pickle

import pytest

from resnet_inspect.errors import InspectError, SpecError, nearest, unknown
from resnet_inspect.networks.zoo import ALIASES, ZOO


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("ResNet5O", "resnet50"),
        ("resnet49", "resnet50"),
        ("resnet35", "resnet34"),
        ("resnt18", "resnet18"),
        ("plain35", "plain34"),
        ("resnet21_cifar", "resnet20_cifar"),
        ("wide_resnet50_3", "wide_resnet50_2"),
    ],
)
def test_nearest(name: str, first: str) -> None:
    assert nearest(name, [*ZOO, *ALIASES])[0] == first


def test_nothing_is_near_a_name_unlike_all() -> None:
    assert nearest("inception", ZOO) == []
    assert nearest("", ZOO) == []


def test_hints() -> None:
    assert str(unknown("dtype", "fp31", ["fp32", "fp16"])).endswith("did you mean fp32 or fp16?")
    assert str(unknown("word", "x", ["one", "two"])).endswith("choose from one, two")
    assert str(unknown("word", "x", map(str, range(13)), "see below")).endswith("; see below")


def test_fields_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(SpecError("widths has 0", fields=("widths", "blocks"))))
    assert isinstance(error, InspectError)
    assert (str(error), error.fields) == ("widths has 0", ("widths", "blocks"))
