"""Networks of several inputs, of whole numbers, of inputs by name: traced, counted, called."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.errors import InspectError, ShapeError
from resnet_inspect.networks.graph import INPUT
from resnet_inspect.networks.run import Input
from resnet_inspect.pytorch.inputs import example

IMAGE = (3, 12, 12)
IDS = ((5,), "int64")


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.words = nn.Embedding(10, 6)
        self.fc = nn.Linear(6, 4, bias=False)

    def text(self, ids: Tensor) -> Tensor:
        return self.fc(self.words(ids)).mean(1)[:, :, None, None]


class Pair(Parts):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.conv(left) + self.conv(right)


class Text(Parts):
    def forward(self, ids: Tensor) -> Tensor:
        return self.fc(self.words(ids))


class Caption(Parts):
    def forward(self, image: Tensor, ids: Tensor, weight: Tensor | None = None) -> Tensor:
        y = self.conv(image) + self.text(ids)
        return y if weight is None else y * weight.sum()


class Named(Parts):
    def forward(self, *, image: Tensor, ids: Tensor) -> dict[str, Tensor]:
        return {"y": self.conv(image) + self.text(ids)}


class OnlyNamed(Parts):
    def forward(self, *, pixels: Tensor, scale: float = 1.0) -> Tensor:
        return self.conv(pixels) * scale


class Many(Parts):
    def forward(self, *images: Tensor) -> Tensor:
        return torch.stack([self.conv(image) for image in images]).sum(0)


class Listed(Parts):
    def forward(self, images: list[Tensor]) -> Tensor:
        return torch.stack([self.conv(image) for image in images]).sum(0)


class Batch(Parts):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.conv(batch["image"]) + self.text(batch["ids"])


class Asks(Parts):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        image = batch["picture"] if "picture" in batch else batch.get("image")
        return self.conv(image)


class Timed(Parts):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.conv(x) * t[:, None, None, None]


CONV, TEXT = 3 * 4 * 9 * 100, 6 * 4 * 5

TAKEN: list[tuple[type[Parts], Any, int, tuple[str, ...]]] = [
    (Pair, [IMAGE, IMAGE], 2 * CONV, ("left", "right")),
    (Pair, (IMAGE, IMAGE), 2 * CONV, ("left", "right")),
    (Pair, {"right": IMAGE, "left": IMAGE}, 2 * CONV, ("right", "left")),
    (Text, IDS, TEXT, ("ids",)),
    (Text, {"ids": IDS}, TEXT, ("ids",)),
    (Caption, [IMAGE, IDS], CONV + TEXT, ("image", "ids")),
    (
        Caption,
        {"image": IMAGE, "ids": IDS, "weight": (2,)},
        CONV + TEXT,
        ("image", "ids", "weight"),
    ),
    (Named, {"image": IMAGE, "ids": IDS}, CONV + TEXT, ("image", "ids")),
    (Named, [IMAGE, IDS], CONV + TEXT, ("image", "ids")),
    (OnlyNamed, IMAGE, CONV, ("pixels",)),
    (Many, [IMAGE, IMAGE, IMAGE], 3 * CONV, ("images.0", "images.1", "images.2")),
    (Listed, [IMAGE, IMAGE], 2 * CONV, ("images.0", "images.1")),
    (Listed, {"images": [IMAGE, IMAGE]}, 2 * CONV, ("images.0", "images.1")),
    (Batch, {"image": IMAGE, "ids": IDS}, CONV + TEXT, ("batch.image", "batch.ids")),
    (Asks, IMAGE, CONV, ("batch.image",)),
    (Timed, [IMAGE, ()], CONV, ("x", "t")),
]


@pytest.mark.parametrize(("kind", "given", "macs", "arguments"), TAKEN)
def test_a_network_is_counted_and_called_with_all_its_inputs(
    kind: type[Parts], given: Any, macs: int, arguments: tuple[str, ...]
) -> None:
    graph = ri.graph(kind(), given)
    assert (graph.arguments, graph_cost(graph).macs) == (arguments, macs)
    args, kwargs = example(graph, model := ri.build(graph).eval(), 1, "cpu")
    with FlopCounterMode(display=False) as counter:
        model(*args, **kwargs)
    assert counter.get_total_flops() == 2 * macs


def test_inputs_have_names_that_no_layer_has() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return self.left(left) + self.right(right)

    graph = ri.trace(Branches(), [(4,), (4,)])
    assert graph.inputs == {"left_input": (4,), "right_input": (4,)}
    assert [layer.inputs for layer in graph.layers] == [
        ("left_input",),
        ("right_input",),
        ("left", "right"),
    ]


def test_one_input_is_the_input_whatever_it_is_called() -> None:
    graph = ri.trace(Text(), IDS)
    assert graph.entering == (Input(INPUT, (5,), "int64"),)
    assert ri.trace(OnlyNamed(), IMAGE).entering == ()


def test_every_view_of_a_network_takes_several_inputs() -> None:
    graph = ri.graph(Caption(), [IMAGE, IDS])
    table = ri.table(graph)
    assert "image 3x12x12, ids 5" in table.title
    assert table.total["macs"] == CONV + TEXT
    for level in ("layer", "block", "stage", "network"):
        ri.table(graph, level=level)
    assert not ri.diff(graph, graph).rows
    assert "image 3x12x12" in ri.compare(graph, graph).to_text("markdown")
    ri.memory(graph)
    counted = ri.reconcile(graph).tables["counters"].records()
    torchs = next(row for row in counted if row["name"] == "torch")
    assert (torchs["total"], torchs["checked"]) == (2 * (CONV + TEXT), "= measured")


REFUSED: list[tuple[Any, Any, str]] = [
    (Pair, IMAGE, "takes left, right; give each its shape: --input left=3x12x12 --input right="),
    (Pair, [IMAGE] * 3, "3 inputs are too many"),
    (Pair, {"left": IMAGE, "rihgt": IMAGE}, "did you mean right"),
    (Text, (5,), "such as --input 16:int64"),
    (Named, IMAGE, "by name only; give --input image=3x12x12"),
    (Batch, IMAGE, "takes a dict; .* --input image=3x12x12 --input ids=3x12x12"),
    (Pair, [(2, *IMAGE), (2, *IMAGE)], "give --input 3x12x12 --input 3x12x12, and the batch"),
    (lambda: nn.Sequential(nn.Conv2d(3, 4, 3)), (1, *IMAGE), "takes no batch in front"),
]


@pytest.mark.parametrize(("make", "given", "words"), REFUSED)
def test_a_refusal_says_what_to_write(make: Any, given: Any, words: str) -> None:
    with pytest.raises(InspectError, match=words) as caught:
        ri.trace(make(), given)
    assert "\n" not in str(caught.value)


def test_a_network_of_images_takes_one_shape() -> None:
    with pytest.raises(ShapeError, match="takes one shape"):
        ri.graph("resnet18", [IMAGE, IMAGE])
    with pytest.raises(ShapeError, match="such as 3x64x64; the batch is not part of it"):
        ri.graph("resnet18", (1, 3, 64, 64))
