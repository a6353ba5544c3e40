"""Tracing: the law on our own networks, torchvision's, a model left as it was, errors, rules."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from families import one_of_each_family, shortened_of_each_family
from hypothesis import assume, example, given
from strategies import networks
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.counting.costs import cost, total
from resnet_inspect.counting.memory import memory
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.errors import InspectError, ShapeError, UnknownNameError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Conv2d, Op, ReLU
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.torch_ops import Opaque
from resnet_inspect.pytorch.assemble import assemble
from resnet_inspect.pytorch.trace import rules
from resnet_inspect.pytorch.trace.diagnosis import DataDependentError
from resnet_inspect.pytorch.trace.rules import register_layer
from resnet_inspect.pytorch.trace.trace import trace

TORCHVISION = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
    *("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
)


# --- the law -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shortened_of_each_family())
def test_what_was_built_is_traced_back(name: str) -> None:
    assert trace(ri.build(name, device="meta")) == ri.graph(name)


@example((ResNetSpec(blocks=(1,), widths=(8,), linear_out=True), (3, 32, 32)))  # activates once
@example((ResNetSpec(blocks=(1,), widths=(1,), attention="cbam"), (3, 4, 4)))  # one channel, place
@given(networks(largest=40))
def test_any_network_is_traced_back(network: tuple[ResNetSpec, Shape]) -> None:
    graph = layer_graph(*network)
    # A view of one pixel can be told in several ways.
    assume(all(x.op.kind != "MatMul" or x.input_shapes[0][-1] > 1 for x in graph.layers))
    # torch refuses to normalize a group of one value.
    small = any(x.op.kind == "GroupNorm" and x.output_shape[1:] == (1, 1) for x in graph.layers)
    assume(not small)
    with torch.device("meta"):
        model = assemble(graph)
    assert trace(model) == graph


def test_the_law_holds_for_a_model_with_weights_in_half_precision_and_train_mode() -> None:
    model = ri.build("resnet18", dtype=torch.bfloat16).train()
    assert trace(model) == ri.graph("resnet18")


@pytest.mark.parametrize("name", one_of_each_family(TORCHVISION))
def test_torchvisions_networks_are_ours(name: str, torchvision: ModuleType) -> None:
    with torch.device("meta"):
        model = torchvision.models.get_model(name)
    traced, ours = trace(model, (3, 96, 64), name=name), ri.graph(name, (3, 96, 64))
    assert traced == ours  # names, paths, ops, edges, shapes, blocks, stages
    assert [cost(layer) for layer in traced.layers] == [cost(layer) for layer in ours.layers]
    assert receptive_fields(traced) == receptive_fields(ours)
    assert memory(traced) == memory(ours)


def test_wrappers_are_looked_through() -> None:
    model = ri.build("resnet18", device="meta")
    expected = ri.graph("resnet18")
    assert trace(nn.DataParallel(model)) == expected
    assert trace(torch.compile(model)) == expected
    compiled = ri.build("resnet18", device="meta")
    compiled.compile()
    assert trace(compiled) == expected


# --- a model is left as it was -------------------------------------------------------------------


class Counting(nn.Module):
    """Keeps all the state that a careless forward pass could change."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 4)
        self.register_buffer("seen", torch.zeros(3))
        self.scale = nn.Parameter(torch.ones(8, 1, 1), requires_grad=False)
        self.plain = torch.arange(4.0)
        self.calls, self.kept, self.cache = 0, [], {"inputs": []}
        self.fails = fails

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.kept.append(x)
        self.cache["inputs"].append(x)
        self.seen += 1
        x = self.drop(self.norm(self.conv(x))) * self.scale
        self.last = x
        if self.fails and x.max() > 0:
            x = x * 2
        return self.head(x.mean((2, 3)) + self.plain.sum())


def about(tensor: Tensor) -> tuple[Any, ...]:
    values = tensor.detach().clone()
    history = tensor._version, tensor.grad_fn, tensor.grad, tensor.is_leaf
    return id(tensor), values, tensor.device, tensor.dtype, tensor.requires_grad, *history


def everything(model: nn.Module) -> dict[str, Any]:
    """All that a model is: modes, tensors and their identity, hooks, attributes."""
    state: dict[str, Any] = {}
    for path, part in model.named_modules():
        for name, value in vars(part).items():
            if name in ("_parameters", "_buffers"):
                tensors = {key: tensor for key, tensor in value.items() if tensor is not None}
                state.update({f"{path}.{key}": about(t) for key, t in tensors.items()})
            elif name == "_modules":
                state[f"{path}.{name}"] = [(key, id(child)) for key, child in value.items()]
            elif "hooks" in name:
                state[f"{path}.{name}"] = [(key, id(hook)) for key, hook in value.items()]
            elif isinstance(value, Tensor):
                state[f"{path}.{name}"] = about(value)
            else:
                state[f"{path}.{name}"] = (id(value), copy.deepcopy(value))
        state[f"{path} mode"] = part.training
    return state


def same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor):
        return torch.equal(before, after)
    if isinstance(before, (tuple, list)):
        return len(before) == len(after) and all(map(same, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(same(before[k], after[k]) for k in before)
    return bool(before == after)


def hooked(model: nn.Module, called: list[str]) -> nn.Module:
    """The model in mixed modes, with hooks of every kind that would tell if they ran."""
    model.train()
    model.norm.eval()  # type: ignore[union-attr]
    conv = model.conv
    assert isinstance(conv, nn.Module)
    conv.register_forward_hook(lambda *_: called.append("forward"))
    conv.register_forward_pre_hook(lambda *_: called.append("before"))
    conv.register_forward_hook(lambda *_, **__: called.append("kwargs"), with_kwargs=True)
    model.register_full_backward_hook(lambda *_: called.append("backward"))
    model.register_state_dict_post_hook(lambda *_: called.append("state"))
    return model


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("leaves", [(), ("Counting",)])
def test_nothing_of_a_model_changes(fails: bool, leaves: tuple[str, ...]) -> None:
    called: list[str] = []
    model = nn.Sequential(hooked(Counting(fails), called))
    before = everything(model)
    randomness = torch.get_rng_state(), random.getstate()
    defaults = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    if fails and not leaves:
        with pytest.raises(DataDependentError):
            trace(model, (3, 8, 8))
    else:
        assert trace(model, (3, 8, 8), leaves=leaves).output.output_shape == (4,)
    assert same(before, everything(model))
    assert called == []
    assert same(randomness[0], torch.get_rng_state())
    assert random.getstate() == randomness[1]
    assert defaults == (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
    )


def test_torch_itself_is_as_it_was_while_a_model_is_traced() -> None:
    call, convolution = nn.Module.__call__, F.conv2d
    found: list[bool] = []

    class Looks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            found.append(nn.Module.__call__ is call and F.conv2d is convolution)
            found.append(isinstance(x, Tensor) and x.shape == (1, 3, 4, 4) and x.is_meta)
            return F.relu(x)

    trace(Looks(), (3, 4, 4))
    assert set(found) == {True}


# --- what cannot be traced -----------------------------------------------------------------------


class Chooses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * 2 if x.sum() > 0 else x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 3, 3, padding=1)
        self.choice = Chooses()
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.choice(self.stem(x)).mean((2, 3)))


def test_control_flow_on_values_names_the_module_the_line_and_two_ways_out() -> None:
    with pytest.raises(DataDependentError) as caught:
        trace(Net(), (3, 8, 8))
    message = str(caught.value)
    line = Chooses.forward.__code__.co_firstlineno + 2
    assert message.startswith(f"Net: choice (Chooses), test_trace.py:{line}, depends on the values")
    assert "torch.export" in message
    assert "--leaf Chooses" in message
    assert "\n" not in message


def test_a_module_that_looks_at_values_can_be_one_layer() -> None:
    graph = trace(Net(), (3, 8, 8), leaves=["Chooses"])
    assert [(layer.name, layer.op.kind) for layer in graph.layers] == [
        ("stem", "Conv2d"),
        ("choice", "Chooses"),
        ("mean", "GlobalAvgPool2d"),
        ("fc", "Linear"),
    ]
    assert graph.layer("choice").op == Opaque("Chooses", (4, 6, 6), params=3 * 4 * 9 + 4)
    assert trace(Net(), (3, 8, 8), leaves=[f"{__name__}.Chooses"]) == graph


class Numpy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy())


class Pair(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(3)


class Wrong(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(7)


REFUSED: dict[str, tuple[Callable[[], nn.Module], Shape | None, type[Exception], str]] = {
    "numpy": (Numpy, (3, 8, 8), DataDependentError, "torch.export"),
    "two inputs": (
        Pair,
        (3, 8, 8),
        ShapeError,
        "--input x=3x8x8 --input y=3x8x8",
    ),
    "no output": (Nothing, (3, 8, 8), InspectError, "nothing that torch functions made"),
    "a failing line": (Wrong, (3, 8, 8), ShapeError, "test_trace.py:"),
    "channels": (Net, (4, 8, 8), ShapeError, "stem (Conv2d) takes 3 channels, not an input of"),
    "too small": (Net, (3, 1, 1), ShapeError, "the least it fits is 3x3x3"),
    "no shape": (Net, None, InspectError, "give the input's shape"),
    "a strange shape": (Net, (3, 0, 8), ShapeError, "(3, 0, 8)"),
    "empty": (nn.Sequential, (3, 8, 8), InspectError, "its output is its input"),
    "TorchScript": (
        lambda: torch.jit.script(nn.Sequential(nn.Conv2d(3, 3, 3))),
        (3, 8, 8),
        InspectError,
        "TorchScript",
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_traced_says_why_in_a_line(case: str) -> None:
    make, shape, kind, words = REFUSED[case]
    with pytest.raises(kind) as caught:
        trace(make(), shape)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_leaf_is_told_the_nearest_module() -> None:
    with pytest.raises(UnknownNameError, match="did you mean Chooses"):
        trace(Net(), (3, 8, 8), leaves=["Choosy"])


# --- unknown is never zero, and can be taught ----------------------------------------------------


class Strange(nn.Module):
    """No rule knows what it calls; it holds 12 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        mixed = torch.einsum("bchw,oc,k->bkohw", x, self.weight, x.new_ones(1))
        return torch.linalg.matrix_exp(mixed.squeeze(1))


def test_what_no_rule_knows_is_uncounted_and_its_parameters_are_not_lost() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 3, 1), Strange(), nn.ReLU()), (3, 8, 8))
    kinds = [layer.op.kind for layer in graph.layers]
    assert kinds == ["Conv2d", "Strange", "Squeeze", "linalg_matrix_exp", "ReLU"]
    whole = total(graph.layers)
    products = 3 * 3 * 64 + 4 * 3 * 64  # tensordot's are known by what ran in it
    assert (whole.params, whole.macs, whole.uncounted) == (3 * 3 + 3 + 12, products, 1)
    assert memory(graph).uncounted == 2  # what both keep is not known
    fields = receptive_fields(graph)
    assert [fields[layer.name] is None for layer in graph.layers] == [False, *[True] * 4]
    assert ri.table(graph).partial == ("1.linalg_matrix_exp",)


@pytest.fixture
def taught() -> Iterator[None]:
    known = dict(rules.LAYER_RULES)
    yield
    rules.LAYER_RULES.clear()
    rules.LAYER_RULES.update(known)


@pytest.mark.usefixtures("taught")
def test_a_rule_teaches_a_module_by_ops() -> None:
    @register_layer(Strange)
    def _(layer: Strange, *shapes: Shape) -> Conv2d:
        return Conv2d(3, 4, (1, 1))

    graph = trace(nn.Sequential(Strange()), (3, 8, 8))
    assert [layer.op for layer in graph.layers] == [Conv2d(3, 4, (1, 1))]
    assert total(graph.layers).macs == 3 * 4 * 8 * 8
    assert total(graph.layers).uncounted == 0


@pytest.mark.usefixtures("taught")
def test_a_rule_of_several_ops_keeps_the_parameters_of_each() -> None:
    @register_layer(Strange)
    def _(layer: Strange, *shapes: Shape) -> tuple[Op, ...]:
        return Conv2d(3, 4, (1, 1)), ReLU()

    graph = trace(nn.Sequential(Strange()), (3, 8, 8))
    assert [layer.op.kind for layer in graph.layers] == ["Conv2d", "ReLU"]
    assert total(graph.layers).params == 12


@pytest.mark.usefixtures("taught")
def test_a_rule_teaches_a_module_by_numbers() -> None:
    @register_layer(Strange)
    def _(layer: Strange, *shapes: Shape) -> Opaque:
        (shape,) = shapes
        return Opaque("Strange", (4, *shape[1:]), params=12, macs=1000)

    graph = trace(nn.Sequential(Strange()), (3, 8, 8))
    assert (total(graph.layers).params, total(graph.layers).macs) == (12, 1000)
    assert total(graph.layers).uncounted == 0
    assert receptive_fields(graph)["0"] is None


@pytest.mark.usefixtures("taught")
def test_a_rule_of_other_parameters_than_the_module_holds_is_refused() -> None:
    @register_layer(Strange)
    def _(layer: Strange, *shapes: Shape) -> Conv2d:
        return Conv2d(3, 4, (3, 3), padding=(1, 1))

    with pytest.raises(InspectError, match="gives 108 parameters and 0 holds 12"):
        trace(nn.Sequential(Strange()), (3, 8, 8))


@pytest.mark.usefixtures("taught")
def test_a_rule_does_not_hold_for_a_subclass_that_computes_something_else() -> None:
    class Double(nn.ReLU):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    class Same(nn.ReLU):
        pass

    graph = trace(nn.Sequential(Double(), Same()), (3, 8, 8))
    assert [layer.op.kind for layer in graph.layers] == ["ReLU", "Mul", "ReLU"]


@pytest.mark.usefixtures("taught")
def test_a_class_is_taught_once() -> None:
    @register_layer(Strange)
    def _(layer: Strange, *shapes: Shape) -> None: ...

    with pytest.raises(InspectError, match="Strange already has a rule"):
        register_layer(Strange)(lambda layer, *shapes: None)
    with pytest.raises(InspectError, match="Conv2d already has a rule"):
        register_layer(nn.Conv2d)(lambda layer, *shapes: None)


def test_a_function_is_taught_once() -> None:
    with pytest.raises(ValueError, match="relu already has a rule"):
        rules.register_function("relu")(lambda call: None)


# --- names and paths -----------------------------------------------------------------------------


def test_a_module_that_is_called_twice_is_two_layers_of_one_path() -> None:
    conv, relu = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.relu = conv, relu

        def forward(self, x: Tensor) -> Tensor:
            return self.relu(self.conv1(self.relu(self.conv1(x))) + x)

    graph = trace(Twice(), (3, 8, 8))
    assert [(layer.name, layer.path) for layer in graph.layers] == [
        ("conv1_1", "conv1"),
        ("relu1", "relu"),
        ("conv1_2", "conv1"),
        ("add", "add"),
        ("relu2", "relu"),
    ]
    assert total(graph.layers).params == 3 * 3 * 9 + 3  # held once
    assert graph.layer("add").inputs == ("conv1_2", "input")


def test_functions_with_parameters_are_called_by_what_they_use() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = (nn.Parameter(torch.ones(4, 4)) for _ in range(2))
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = F.conv2d(x, self.conv.weight, self.conv.bias).flatten(2)
            return F.linear(x @ self.first, self.second)

    graph = trace(Own(), (3, 2, 2))
    assert [(layer.path, layer.op.kind) for layer in graph.layers] == [
        ("conv", "Conv2d"),
        ("flatten", "Flatten"),
        ("first", "Linear"),
        ("second", "Linear"),
    ]


def blocks(graph: LayerGraph) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(stage.name, [(b.name, b.kind) for b in stage.blocks]) for stage in graph.stages]


def test_a_network_without_modules_has_blocks_by_wiring() -> None:
    class Flat(nn.Module):
        """Three residual blocks, the second with a projection, in one forward method."""

        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(
                nn.Conv2d(*sizes, 3, stride, 1)
                for *sizes, stride in [
                    *((3, 4, 1), (4, 4, 1), (4, 4, 1)),
                    *((4, 8, 2), (8, 8, 1), (4, 8, 2)),
                    *((8, 8, 1), (8, 8, 1)),
                ]
            )
            self.fc = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            c = self.convs
            x = F.relu(c[0](x))
            x = F.relu(c[2](F.relu(c[1](x))) + x)
            x = F.relu(c[4](F.relu(c[3](x))) + c[5](x))
            x = F.relu(c[7](F.relu(c[6](x))) + x)
            return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))

    assert blocks(trace(Flat(), (3, 8, 8))) == [
        ("stem", [("stem", "Stem")]),
        ("convs.1..relu3", [("convs.1..relu3", "ResidualBlock")]),
        ("stage1", [("convs.3..relu5", "ResidualBlock"), ("convs.6..relu7", "ResidualBlock")]),
        ("head", [("head", "Head")]),
    ]
