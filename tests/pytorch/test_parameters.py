"""Groups of parameters and frozen layers, against timm's groups and what torch itself counts."""

from __future__ import annotations

import copy
import json
import pickle
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import resnet_inspect as ri
from resnet_inspect.cli.main import run as cli
from resnet_inspect.errors import InspectError

SMALL: dict[str, Any] = {"blocks": (1, 2, 1), "input_size": (16, 16)}


def small() -> nn.Module:
    torch.manual_seed(0)
    return ri.build("resnet20_cifar", **SMALL)


def names(model: nn.Module, groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each parameter's group; fails where one is in no group, or in two."""
    known = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [(known[id(one)], group) for group in groups for one in group["params"]]
    assert sorted(name for name, _ in found) == sorted(known.values())
    return dict(found)


def test_a_rate_for_each_stage() -> None:
    model = small()
    rates = {"stem": 0.1, "layer2": 0.01, "layer2.1": 0.02, "head": 0.2}
    groups = ri.parameter_groups(model, rates, rate=0.05, weight_decay=1e-4)
    of = names(model, groups)
    assert {name: of[name]["lr"] for name in of if name.endswith("conv1.weight")} == {
        "conv1.weight": 0.1,
        "layer1.0.conv1.weight": 0.05,
        "layer2.0.conv1.weight": 0.01,
        "layer2.1.conv1.weight": 0.02,
        "layer3.0.conv1.weight": 0.05,
    }
    assert (of["fc.weight"]["lr"], of["fc.bias"]["lr"]) == (0.2, 0.2)
    assert of["fc.weight"]["weight_decay"] == of["conv1.weight"]["weight_decay"] == 1e-4
    for name, parameter in model.named_parameters():
        assert (of[name]["weight_decay"] == 0) == (parameter.dim() <= 1)


def test_what_decay_leaves_out_is_chosen() -> None:
    model = small()
    of = names(model, ri.parameter_groups(model, weight_decay=1e-4, no_decay_for=("norm",)))
    assert of["fc.bias"]["weight_decay"] == 1e-4
    assert of["bn1.bias"]["weight_decay"] == of["bn1.weight"]["weight_decay"] == 0.0
    of = names(model, ri.parameter_groups(model, weight_decay=1e-4, no_decay_for=()))
    assert {group["weight_decay"] for group in of.values()} == {1e-4}
    assert all("lr" not in group for group in of.values())


@pytest.mark.parametrize(
    "name", ["resnet18", "resnetv2_50", "convnext_atto", "vit_tiny_patch16_224"]
)
def test_decay_by_depth_reaches_every_network(timm: Any, name: str) -> None:
    model = timm.create_model(name)
    of = names(
        model, ri.parameter_groups(model, rate=1.0, layer_decay=0.5, input_shape=(3, 224, 224))
    )
    rates = sorted({group["lr"] for group in of.values()})
    assert rates[-1] == 1.0
    assert all(after / before == 2 for before, after in pairwise(rates))


def test_decay_by_depth_is_timms(timm: Any) -> None:
    from timm.optim import param_groups_layer_decay

    model = timm.create_model("resnet18")
    ours = names(model, ri.parameter_groups(model, rate=1.0, layer_decay=0.75, weight_decay=0.05))
    theirs = param_groups_layer_decay(model, weight_decay=0.05, layer_decay=0.75)
    theirs = names(model, theirs)
    for name, group in ours.items():
        assert group["lr"] == pytest.approx(theirs[name]["lr_scale"]), name
        assert group["weight_decay"] == theirs[name]["weight_decay"], name


@pytest.mark.parametrize("name", ["SGD", "AdamW", "timm.sgd", "timm.lamb"])
def test_optimizers_take_the_groups(timm: Any, name: str) -> None:
    from timm.optim import create_optimizer_v2

    model = small()
    before = copy.deepcopy(model.state_dict())
    rates = {"stem": 0.0, "head": 0.1}
    groups = ri.parameter_groups(model, rates, rate=0.01, weight_decay=0.0)
    if name.startswith("timm."):
        optimizer = create_optimizer_v2(groups, name.removeprefix("timm."), lr=1.0)
    else:
        optimizer = getattr(torch.optim, name)(groups, lr=1.0)
    model(torch.randn(4, 3, 16, 16)).square().sum().backward()
    optimizer.step()
    after = model.state_dict()
    assert torch.equal(after["conv1.weight"], before["conv1.weight"])
    assert not torch.equal(after["fc.weight"], before["fc.weight"])


class Shared(nn.Module):
    """One module called twice, a parameter that a function uses, and one that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.weight = nn.Parameter(torch.randn(4, 4, 1, 1))
        self.idle = nn.Linear(2, 2)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.again(self.again(self.first(x)).relu())
        x = nn.functional.conv2d(x, self.weight)
        return self.fc(x.mean((2, 3)))


def test_every_parameter_is_in_one_group_whoever_uses_it() -> None:
    model = Shared()
    of = names(model, ri.parameter_groups(model, rate=0.1, input_shape=(3, 8, 8)))
    assert of["idle.weight"]["name"] == "unused"
    assert of["weight"]["name"] != "unused"


def test_frozen_parameters_are_in_no_group() -> None:
    model = small()
    ri.freeze(model, "layer2")
    groups = ri.parameter_groups(model, rate=0.1)
    found = {group["name"].partition(",")[0] for group in groups}
    assert found == {"layer3", "head"}


def test_a_frozen_network_keeps_what_it_froze_and_trains_the_rest() -> None:
    model = small()
    ri.freeze(model, "layer2.0")
    ri.freeze(model, "layer2.0")
    for one in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        before = copy.deepcopy(one.state_dict())
        optimizer = torch.optim.SGD([p for p in one.parameters() if p.requires_grad], lr=0.1)
        for _ in range(2):
            one.train()
            one(torch.randn(4, 3, 16, 16)).square().sum().backward()
            optimizer.step()
        held = ("conv1", "bn1", "layer1", "layer2.0")
        for name, value in one.state_dict().items():
            same = torch.equal(value, before[name])
            assert same == name.startswith(held), name


@pytest.mark.parametrize("until", ["stem", "layer1", "layer2.0", "layer3", "head"])
def test_what_freezing_saves_is_what_torch_counts(until: str) -> None:
    model = small()
    table = ri.freeze(model, until, batch=2)
    row = table.records()[-1]
    assert row["until"] == until
    images = torch.randn(2, 3, 16, 16)
    storages: dict[int, int] = {}
    held = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in held:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the tensor itself would hold the graph that holds it

    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            result = model.train()(images).sum()
        saved = sum(storages.values())
        if until != "head":
            result.backward()
    assert row["saved"] == saved
    assert 2 * row["macs"] == counter.get_total_flops()
    gradients = [one.grad.nbytes for one in model.parameters() if one.grad is not None]
    assert row["gradients"] == sum(gradients)
    assert row["trained"] == sum(one.numel() for one in model.parameters() if one.requires_grad)


def test_the_table_starts_with_nothing_frozen() -> None:
    first, *others = ri.freeze(small(), "layer2").records()
    assert (first["until"], first["macs_saved"], first["memory_saved"]) == ("nothing", 0, 0)
    assert [row["until"] for row in others] == ["stem", "layer1", "layer2"]
    assert 0 < others[0]["macs_saved"] < others[-1]["macs_saved"] < 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rates": {"layer9": 0.1}}, "unknown stage or block .*'layer9'; did you mean layer"),
        ({"rates": {"stem": -1.0}}, "a learning rate is -1.0"),
        ({"rate": float("nan")}, "a learning rate is nan"),
        ({"layer_decay": 0.75}, "layer_decay scales learning rates, and stem has none"),
        ({"layer_decay": 1.5, "rate": 0.1}, "layer_decay is 1.5"),
        ({"no_decay_for": ("gate",)}, "unknown kind of parameter 'gate'; choose from norm, bias"),
    ],
)
def test_refusals(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InspectError, match=words):
        ri.parameter_groups(small(), **settings)


def test_of_a_network_by_name_there_is_the_table_alone() -> None:
    changed = ri.spec("resnet20_cifar", **SMALL)
    table, of_module = ri.freeze(changed, batch=4), ri.freeze(small(), "layer3", batch=4)
    assert table.rows == of_module.rows
    assert [row["until"] for row in table.rows] == ["nothing", "stem", "layer1", "layer2", "layer3"]
    assert table.title == "Freezing resnet20_cifar, batch 4"


def test_frozen_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["freeze", "resnet20_cifar", "--until", "layer2", "--batch", "4"]
    assert cli([*words, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    exact = ri.freeze(ri.build("resnet20_cifar"), "layer2", batch=4).records()
    assert [row["macs"] for row in rows] == [row["macs"] for row in exact]
    assert [row["memory"] for row in rows] == [row["memory"] for row in exact]
    assert cli(["freeze", "resnet20_cifar", "--until", "layer9"]) == 2
    assert "unknown stage or block of resnet20_cifar 'layer9'" in capsys.readouterr().err


def test_one_stage_is_not_frozen_whole_unasked() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    with pytest.raises(InspectError, match="is one stage; name the last block to freeze"):
        ri.freeze(model, input_shape=(3, 8, 8))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_part_that_is_not_there_freezes_nothing() -> None:
    model = small()
    with pytest.raises(InspectError, match=r"unknown stage or block of .* 'layer7'"):
        ri.freeze(model, "layer7")
    assert all(parameter.requires_grad for parameter in model.parameters())
