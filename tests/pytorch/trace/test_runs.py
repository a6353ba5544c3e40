"""What a run of a module shows: what ran in its layers, state by identity, results, lifetimes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost, total
from resnet_inspect.networks.graph import LayerGraph, unread
from resnet_inspect.networks.parts import depth
from resnet_inspect.networks.run import Gap, Run
from resnet_inspect.networks.run import Tensor as State
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.torch_ops import Opaque, Source
from resnet_inspect.pytorch.trace import rules
from resnet_inspect.pytorch.trace.rules import register_layer
from resnet_inspect.pytorch.trace.trace import trace


def run_of(graph: LayerGraph) -> Run:
    assert graph.run is not None
    return graph.run


def both(module: nn.Module, shape: Shape) -> list[LayerGraph]:
    """The graphs of a module and of its program."""
    program = torch.export.export(module.eval(), (torch.randn(1, *shape),))
    return [trace(module, shape), trace(program)]


# --- what ran -------------------------------------------------------------------------------------


class Cross(nn.Module):
    """A convolution that no rule of ours is for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight)


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LAYER_RULES", dict(rules.LAYER_RULES))


@pytest.mark.usefixtures("taught")
def test_a_rule_that_says_other_than_what_ran_is_named() -> None:
    @register_layer(Cross)
    def _(layer: Cross, *shapes: Shape) -> Opaque:
        return Opaque("Cross", (5, *shapes[0][1:]), params=15, macs=100)

    graph = trace(nn.Sequential(Cross()), (3, 4, 4))
    assert run_of(graph).gaps == (Gap("Cross", "0", 15 * 16 - 100),)
    assert total(graph.layers).macs == 100


@pytest.mark.usefixtures("taught")
def test_a_rule_that_is_right_leaves_no_gap() -> None:
    @register_layer(Cross)
    def _(layer: Cross, *shapes: Shape) -> Opaque:
        return Opaque("Cross", (5, *shapes[0][1:]), params=15, macs=15 * 16)

    assert run_of(trace(nn.Sequential(Cross()), (3, 4, 4))).gaps == ()


@torch.library.custom_op("resnet_inspect_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    return x * 2


@twice.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


@torch.jit.script
def compiled(x: Tensor, weight: Tensor) -> Tensor:
    return torch.relu(torch.conv2d(x, weight))


class Calls(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.conv, self.function = nn.Conv2d(3, 3, 1), function

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        out: Tensor = self.function(x, self)
        return out


def test_an_operator_that_nobody_knows_is_uncounted_and_one_of_aten_is_not() -> None:
    unknown = trace(Calls(lambda x, own: twice(x)), (3, 4, 4))
    assert total(unknown.layers).uncounted == 1
    known = trace(Calls(lambda x, own: torch.special.entr(x)), (3, 4, 4))
    assert total(known.layers).uncounted == 0


def test_operators_in_compiled_code_are_seen() -> None:
    graph = trace(Calls(lambda x, own: compiled(x, own.conv.weight)), (3, 4, 4))
    kinds = [layer.op.kind for layer in graph.layers]
    assert kinds == ["Conv2d", "Conv2d", "ReLU"]
    assert total(graph.layers).macs == 2 * 9 * 16


def test_a_recurrent_layer_counts_what_runs_in_it() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(6, 4, num_layers=2, bidirectional=True, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            state = x.new_zeros(4, 1, 4)
            out: Tensor = self.lstm(x, (state, state.clone()))[0]
            return out

    gates = 2 * 16 * (6 + 4) + 2 * 16 * (8 + 4)
    for graph in both(Reader(), (5, 6)):
        cost = graph_cost(graph)
        assert (cost.macs, cost.uncounted) == (5 * gates, 0)
        assert cost.params == gates + 4 * 2 * 16


# --- layers fed by constants ----------------------------------------------------------------------


class Constants(nn.Module):
    """A table of positions through a layer, and learned queries that attend."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        self.register_buffer("grid", torch.zeros(1, 2, 4, 4))
        self.position = nn.Conv2d(2, 8, 1)
        self.query = nn.Parameter(torch.zeros(1, 3, 8))
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = (self.patches(x) + self.position(self.grid)).flatten(2).transpose(1, 2)
        out: Tensor = self.attend(self.query.expand(x.shape[0], -1, -1), x, x)[0]
        return out


def test_layers_that_are_fed_by_constants_are_layers() -> None:
    graph = trace(Constants(), (3, 8, 8))
    assert graph.layer("position").inputs == ("grid",)
    assert graph.layer("attend").inputs == ("query", "transpose")
    assert graph.layer("grid").op == Source((2, 4, 4), buffers=2 * 16)
    assert graph.layer("query").op == Source((3, 8), params=3 * 8)
    assert graph.layer("query").inputs == ()
    attention = 2 * 3 * 8 * 8 + 2 * 16 * 8 * 8 + 2 * 3 * 16 * 8
    assert total(graph.layers).macs == 16 * 8 * 12 + 16 * 8 * 2 + attention


@pytest.mark.parametrize("level", ["layer", "block", "stage", "network"])
def test_a_network_with_constants_has_every_table(level: str) -> None:
    table = ri.table(trace(Constants(), (3, 8, 8)), level=level)
    assert table.total["params"] == sum(tensor.numel() for tensor in Constants().parameters())


def test_a_weight_that_a_layer_makes_is_followed() -> None:
    class Hyper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.code, self.make = nn.Parameter(torch.ones(1, 5)), nn.Linear(5, 12)

        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(x, self.make(self.code).view(4, 3, 1, 1))

    for graph in both(Hyper(), (3, 4, 4)):
        cost = graph_cost(graph)
        assert (cost.params, cost.macs) == (5 + 5 * 12 + 12, 60 + 12 * 16)


# --- state by identity ----------------------------------------------------------------------------


class Shares(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.spare = nn.Linear(2, 3)
        self.first.bias.requires_grad_(False)
        self.register_buffer("scale", torch.ones(6, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.second(self.first(x)))
        return F.linear(x, self.first.weight.t()) * self.scale


def test_every_tensor_is_listed_once_and_used_by_all_that_use_it() -> None:
    for graph in both(Shares(), (6,)):
        run = run_of(graph)
        assert dict(run.tensors) == {
            "first.weight": State(36, "float32", True, True),
            "first.bias": State(6, "float32", True, False),
            "second.bias": State(6, "float32", True, True),
            "spare.weight": State(6, "float32", True, True),
            "spare.bias": State(3, "float32", True, True),
            "scale": State(6, "float64", False, False),
        }
        assert sorted(map(set, run.uses.values()), key=sorted) == [
            {"first.bias", "first.weight"},
            {"first.weight"},
            {"first.weight", "second.bias"},
            {"scale"},
        ]
        assert run.unused.keys() == {"spare.weight", "spare.bias"}
        assert graph_cost(graph).params == 36 + 6 + 6


def test_biases_that_are_joined_and_split_lose_no_weight() -> None:
    class Pool(nn.Module):
        """Attention pooling with projections of its own, as CLIP has it."""

        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            x = x.transpose(0, 1)
            layers = self.q, self.k, self.v
            pooled, _ = F.multi_head_attention_forward(
                *(x.mean(0, keepdim=True), x, x, 8, 2, None),
                torch.cat([layer.bias for layer in layers]),
                *(None, None, False, 0.0, self.out.weight, self.out.bias),
                training=False,
                need_weights=False,
                use_separate_proj_weight=True,
                q_proj_weight=self.q.weight,
                k_proj_weight=self.k.weight,
                v_proj_weight=self.v.weight,
            )
            return pooled

    for graph in both(Pool(), (5, 8)):
        # Layers by themselves add up to as many: the joined biases are the first one's.
        assert graph_cost(graph).params == total(graph.layers).params == 4 * (64 + 8)
        assert graph_cost(graph).macs == 2 * 64 + 2 * 5 * 64 + 2 * 5 * 8


# --- results --------------------------------------------------------------------------------------


@dataclass
class Output:
    scores: Tensor
    maps: dict[str, list[Tensor]]


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.exit = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)
        self.score, self.late = nn.Linear(4, 2), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Output:
        x = self.body(x)
        self.exit(x)
        scores = self.score(x.mean((2, 3)))
        assert x.abs().sum().shape == ()
        maps = {"all": [x, F.relu(x)]}
        self.late(x)
        return Output(scores, maps)


def test_all_that_a_network_gives_is_known_and_all_that_runs_is_counted() -> None:
    graph = trace(Heads(), (3, 4, 4))
    assert graph.outputs == ("score", "body", "relu")
    assert unread(graph) == ("exit", "late")
    assert "abs" not in graph.by_name  # looked at and dropped
    cost = total(graph.layers)
    assert cost.params == sum(tensor.numel() for tensor in Heads().parameters())
    assert cost.macs == 16 * 12 + 2 * 16 * 8 + 8


def test_an_output_is_the_last_layer_unless_said() -> None:
    assert trace(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), (3,)).returned == ()


class Coder(nn.Module):
    """Gives its input back beside what it makes of it, for the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 2), nn.Linear(2, 6)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.decoder(self.encoder(x).relu()), x]


@pytest.mark.parametrize("level", ["stage", "block", "layer"])
def test_an_input_that_is_handed_on_is_an_output(level: str) -> None:
    for graph in both(Coder(), (6,)):
        assert graph.outputs == (graph.output.name, "input")
        assert '"input" -> "output 2"' in ri.diagram(graph, level=level).dot
        assert depth(graph) == 2


# --- lifetimes ------------------------------------------------------------------------------------


class Keeps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        first = self.convs[0](x)
        second = self.convs[1](first)
        held = [second]
        third = self.convs[2](second)
        del first
        third = self.convs[3](third)
        return third + held.pop()


def test_an_output_is_held_for_as_long_as_code_holds_it() -> None:
    lasts = run_of(trace(Keeps(), (3, 4, 4))).lasts
    assert lasts["convs.0"] == "convs.2"  # a variable, read by convs.1 last
    assert "convs.2" not in lasts  # let go when its reader has run
    assert lasts.get("convs.1", "add") == "add"
