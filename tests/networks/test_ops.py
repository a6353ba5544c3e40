"""An op is a frozen dataclass, declared without the decorator."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import FrozenInstanceError

import pytest

from resnet_inspect.networks.ops import GELU, Add, Conv2d, LeakyReLU, Linear, Op, ReLU, Scale
from resnet_inspect.networks.torch_ops import Opaque

STEM = Conv2d(3, 64, (7, 7), (2, 2), (3, 3))


def test_equal_where_kind_and_settings_are() -> None:
    assert Conv2d(3, 64, kernel=(7, 7), padding=(3, 3), stride=(2, 2)) == STEM
    assert hash(STEM) == hash(Conv2d(3, 64, kernel=(7, 7), padding=(3, 3), stride=(2, 2)))
    assert len({STEM, STEM.replace(bias=True), ReLU(), ReLU(inplace=False), Add(), Scale()}) == 6
    assert pickle.loads(pickle.dumps(STEM)) == deepcopy(STEM) == STEM.replace() == STEM


def test_repr_makes_the_op_again() -> None:
    assert repr(Linear(512, 10)) == "Linear(in_features=512, out_features=10, bias=True)"
    assert eval(repr(STEM)) == STEM


def test_settings_are_inherited_and_replace_properties() -> None:
    class Learned(LeakyReLU):
        params: int = 0

    op = Learned(0.2, 3, inplace=False)
    assert op.settings == {"inplace": False, "negative_slope": 0.2, "params": 3}
    assert op.params == 3
    assert Opaque("Mine", (4, 2, 2)).settings["macs"] is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conv2d(3),  # type: ignore[call-arg]
        lambda: GELU(False),  # type: ignore[call-arg]
        lambda: Linear(1, 2, width=3),  # type: ignore[call-arg]
        lambda: Linear(1, 2, in_features=3),  # type: ignore[misc]
    ],
    ids=["too few", "too many", "unknown", "twice"],
)
def test_settings_that_do_not_fit_are_refused(make: Callable[[], Op]) -> None:
    with pytest.raises(TypeError, match="argument"):
        make()


def test_nothing_can_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        STEM.bias = True  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del STEM.bias
