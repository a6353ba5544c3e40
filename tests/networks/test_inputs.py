"""What enters a network, as a user writes it."""

from __future__ import annotations

from typing import Any

import pytest

from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.networks.inputs import entries, parse_input, show_input
from resnet_inspect.networks.run import Input

IMAGE = (3, 8, 8)

GIVEN: list[tuple[Any, tuple[Input, ...]]] = [
    (IMAGE, (Input("", IMAGE),)),
    ([IMAGE, (4,)], (Input("", IMAGE), Input("", (4,)))),
    ((IMAGE, IMAGE), (Input("", IMAGE), Input("", IMAGE))),
    ((IMAGE, ()), (Input("", IMAGE), Input("", ()))),
    (((7,), "int64"), (Input("", (7,), "int64"),)),
    ({"a": IMAGE, "b": ((7,), "long")}, (Input("a", IMAGE), Input("b", (7,), "int64"))),
    ([[IMAGE, IMAGE], (4,)], (Input("0.0", IMAGE), Input("0.1", IMAGE), Input("1", (4,)))),
    ({"x": {"k": (2,)}, "t": ()}, (Input("x.k", (2,)), Input("t", ()))),
]


@pytest.mark.parametrize(("given", "expected"), GIVEN)
def test_shapes_lists_and_dicts_are_inputs(given: Any, expected: tuple[Input, ...]) -> None:
    assert entries(given) == expected
    assert entries(expected) == expected


@pytest.mark.parametrize(
    "given", [7, "3x8x8", (), [], {}, (3, 0), (3, 1.5), [IMAGE, (0,)], {"a": None}]
)
def test_what_is_no_shape_is_refused(given: Any) -> None:
    with pytest.raises(InspectError, match=r"give \(?(channels|sizes)"):
        entries(given)


WRITTEN = {
    "3x224x224": Input("", (3, 224, 224)),
    "left=1x28x28": Input("left", (1, 28, 28)),
    "ids=16:int64": Input("ids", (16,), "int64"),
    "16:bool": Input("", (16,), "bool"),
    "t=:int64": Input("t", (), "int64"),
    "images.0=3x8x8": Input("images.0", (3, 8, 8)),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_an_option_is_read_and_shown(text: str) -> None:
    assert parse_input(text) == WRITTEN[text]
    assert show_input(WRITTEN[text]) == text


@pytest.mark.parametrize("text", ["", "3xax3", "3x0x8", "-3", "a b=3", ":int64", "9" * 5000])
def test_an_option_that_cannot_be_read_says_how_it_is_written(text: str) -> None:
    with pytest.raises(FormatError, match="left=3x224x224"):
        parse_input(text)


def test_an_unknown_dtype_is_told_the_nearest() -> None:
    with pytest.raises(InspectError, match=r"did you mean .*int64"):
        parse_input("ids=16:int46")
