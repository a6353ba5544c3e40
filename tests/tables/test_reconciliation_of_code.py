"""Counters against people's own networks: what they report is explained, or said not to be."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from saved import measured_saved
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import resnet_inspect as ri
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.tables.columns import Record
from resnet_inspect.tables.table import Sheet


class Decoder(nn.Module):
    """Convolutions over one axis, forth and back, and a linear layer in each place."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv1d(4, 6, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(6)
        self.up = nn.ConvTranspose1d(6, 5, 4, stride=2, padding=1, groups=1)
        self.out = nn.Linear(20, 7)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.up(F.relu(self.norm(self.down(x)))))
        return out


class Volumes(nn.Module):
    """Convolutions over three axes, grouped and transposed, averaged by a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv3d(2, 4, 3)
        self.grouped = nn.Conv3d(4, 8, 3, padding=1, groups=4)
        self.back = nn.ConvTranspose3d(8, 4, 2, stride=2, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.back(self.grouped(self.first(x))).mean((2, 3, 4))  # type: ignore[no-any-return]


class Functions(nn.Module):
    """A network that calls no module at all."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(6, 3, 3, 3))
        self.matrix = nn.Parameter(torch.zeros(5, 6))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, self.kernel, stride=2))
        return F.linear(F.adaptive_avg_pool2d(x, 1).flatten(1), self.matrix)


class Attending(nn.Module):
    """Attention written as two products, between layers that work on tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, stride=4)
        self.norm = nn.LayerNorm(12)
        self.qkv = nn.Linear(12, 36)
        self.out = nn.Linear(12, 12)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(tokens)).chunk(3, -1)
        out: Tensor = self.out((q @ k.transpose(1, 2)).softmax(-1) @ v)
        return out


class Gated(nn.Module):
    """Squeeze-and-excitation by a mean, and a second output under a name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = nn.Conv2d(8, 8, 1)
        self.resize = nn.Upsample(scale_factor=2)
        self.norm = nn.GroupNorm(2, 8)

    def forward(self, x: Tensor) -> dict[str, object]:
        x = self.conv(x)
        x = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        return {"map": self.norm(self.resize(x)), "all": [x.flatten(1)]}


class FrozenHalf(nn.Module):
    """A frozen backbone, a trained head, a frozen layer behind it, and one that does not run."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=4)
        ).requires_grad_(False)
        self.head = nn.Linear(8, 6)
        self.last = nn.Linear(6, 4).requires_grad_(False)
        self.spare = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.head(self.backbone(x).mean((2, 3))))
        return out


CODE: dict[str, tuple[type[nn.Module], Shape]] = {
    "one axis": (Decoder, (4, 20)),
    "three axes": (Volumes, (2, 6, 6, 6)),
    "functions alone": (Functions, (3, 17, 17)),
    "attention": (Attending, (3, 16, 16)),
    "means and several outputs": (Gated, (3, 8, 8)),
    "a frozen half": (FrozenHalf, (3, 8, 8)),
}


def rows(sheet: Sheet) -> dict[str, Record]:
    made = [row for name in ("counters", "memory", "parameters") for row in sheet[name].rows]
    return {str(row["name"]): row for row in made}


@pytest.mark.parametrize("name", CODE)
def test_what_tools_report_is_what_their_formulas_give(name: str) -> None:
    kind, shape = CODE[name]
    model = kind().eval()
    sheet = ri.reconcile(model, input_shape=shape)
    found = rows(sheet)
    measured = {key for key, row in found.items() if row["source"] == "measured"}
    assert {"torch", "torch-train", "torchinfo", "fvcore", "saved", "parameters"} <= measured
    # A network without modules is to torchinfo a layer itself: 5 outputs of 4 bytes, twice.
    alone = {"torchinfo-memory": 40} if kind is Functions else {}
    assert {key: row["difference"] for key, row in found.items() if row["difference"]} == alone
    assert sheet.meta["discrepancies"] == []
    made = ri.table(model, input_shape=shape)
    assert made.total is not None
    assert (found["macs"]["total"], found["flops"]["total"]) == (
        made.total["macs"],
        made.total["flops"],
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *shape))
    assert 2 * made.total["macs"] == counter.get_total_flops()  # type: ignore[operator]


def test_batches_of_code() -> None:
    model = Attending().eval()
    one, three = (
        rows(ri.reconcile(model, input_shape=(3, 16, 16), batch=batch)) for batch in (1, 3)
    )
    for name in ("torch", "torch-train", "torchinfo", "fvcore"):
        assert three[name]["difference"] == 0
        assert three[name]["total"] == 3 * one[name]["total"]  # type: ignore[operator]


def test_reasons_are_of_the_network() -> None:
    sheet = ri.reconcile(Functions().eval(), input_shape=(3, 17, 17))
    reasons = {row["label"]: str(row["why"]) for row in sheet["why"].rows}
    assert "It counts modules; 5 of the layers are calls" in reasons["torchinfo mult-adds"]
    sheet = ri.reconcile(Gated().eval(), input_shape=(3, 8, 8))
    reasons = {row["label"]: str(row["why"]) for row in sheet["why"].rows}
    assert "none for a mean" in reasons["fvcore flops"]
    assert "none for a mean" not in reasons["torchinfo mult-adds"]


class Standardized(nn.Conv2d):
    """A convolution whose weight is made anew from its parameter."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight - self.weight.mean(), self.bias)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(9, 9), nn.Linear(9, 9)
        self.second.weight = self.first.weight
        self.register_buffer("places", torch.zeros(4), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x) + self.places.sum())
        return out


def test_what_is_not_explained_is_no_discrepancy() -> None:
    sheet = ri.reconcile(nn.Sequential(Standardized(3, 4, 3), nn.ReLU()), input_shape=(3, 8, 8))
    notes = [note for note in sheet["counters"].notes if note.startswith("Not explained")]
    assert len(notes) == 2
    assert notes[0].startswith("Not explained: torchinfo mult-adds (")
    assert notes[0].endswith("It was not established for conv2d.")
    assert notes[1].endswith("What makes weights of other parameters keeps tensors too.")
    assert sheet.meta["discrepancies"] == []


def test_shared_and_unsaved_tensors_are_the_reason() -> None:
    model = Shared()
    sheet = ri.reconcile(model, input_shape=(9,))
    found = rows(sheet)
    assert found["parameters"]["total"] == sum(t.numel() for t in model.parameters()) == 99
    assert found["parameters"]["difference"] == 0
    assert (found["torchinfo-parameters"]["difference"], found["state-dict"]["difference"]) == (
        81,
        -4,
    )
    notes = [note for note in sheet["counters"].notes if note.startswith("Not explained")]
    assert notes[0].endswith("It counts a tensor that modules share once for each of them.")
    assert notes[1].endswith("Buffers that are not persistent are not in it.")
    assert "first and second share first.weight, which count with the first" in (
        sheet["parameters"].notes
    )


@pytest.mark.parametrize("name", CODE)
def test_memory_of_code_is_what_torch_keeps(name: str) -> None:
    kind, shape = CODE[name]
    model = kind()
    need = ri.memory(ri.trace(model, shape), 2)
    assert need.weights == sum(tensor.nbytes for tensor in model.parameters())
    assert need.buffers == sum(tensor.nbytes for tensor in model.buffers())
    assert need.saved == measured_saved(model.train(), torch.zeros(2, *shape))
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    idle = [tensor for name, tensor in model.named_parameters() if name.startswith("spare")]
    assert need.gradients == sum(tensor.nbytes for tensor in trained)
    assert need.unused == sum(tensor.nbytes for tensor in idle)
