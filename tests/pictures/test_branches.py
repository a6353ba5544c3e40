"""Diagrams of networks that branch: what a box says is so, and all that comes and goes is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from families import one_of_each_family
from graphs import GraphBuilder
from hypothesis import given
from torch import Tensor, nn
from wirings import branching, two_of_all

from resnet_inspect import diagram, diff_diagram, trace
from resnet_inspect.networks import zoo
from resnet_inspect.networks.branches import Parallel, Part, in_series
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.op_labels import caption
from resnet_inspect.networks.ops import Conv2d
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.wiring import Wiring
from resnet_inspect.pictures.diagrams.style import LEVELS
from resnet_inspect.pictures.diagrams.units import light, stages


def words(dot: str) -> str:
    """A diagram without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^<>]*>", " ", dot))


def edges(graph: LayerGraph) -> set[tuple[str, str]]:
    """Captions of layers of which the second reads the first, layers that are drawn small aside."""
    found = set()
    for layer in graph.layers:
        waiting = list(layer.inputs)
        while waiting:
            before = graph.by_name.get(waiting.pop())
            if before is None:
                continue
            if light(before):
                waiting.extend(before.inputs)
            found.add((before.op, layer.op))
    return {(_short(first), _short(second)) for first, second in found}


def _short(op: object) -> str:
    return caption(op).replace(" conv, ", ", ")  # type: ignore[arg-type]


def arrows(graph: LayerGraph) -> set[tuple[str, str]]:
    """What the labels of a network's pictures say follows what."""
    found = set()
    for level in LEVELS:
        labels = re.findall(r"<B>([^<>]*→[^<>]*)</B>", diagram(graph, level=level).dot)
        for label in labels:
            if not label.startswith(("gate", "zero padding")):
                steps = [re.sub(r" +× \d+$", "", step) for step in label.split(" → ")]
                found.update(pairwise(steps))
    return found


@pytest.mark.parametrize("name", one_of_each_family())
def test_an_arrow_is_an_edge_in_the_zoo(name: str) -> None:
    graph = layer_graph(zoo.spec(name))
    assert arrows(graph) <= edges(graph)


@given(branching())
def test_an_arrow_is_an_edge_however_layers_branch(graph: LayerGraph) -> None:
    assert arrows(graph) <= edges(graph)
    read = {name for layer in graph.layers for name in layer.inputs}
    dead = [x for x in graph.layers if x.name not in read and x.name not in graph.outputs]
    for level in LEVELS:
        dot = diagram(graph, level=level).dot
        assert len(re.findall(r'-> "output', dot)) == len(graph.outputs)
        assert ('class="unused"' in dot) == bool(dead)


@given(branching())
def test_parts_in_series_hold_every_layer_and_read_the_one_before(graph: LayerGraph) -> None:
    def members(parts: tuple[Part, ...]) -> Iterator[str]:
        for part in parts:
            yield from ([part.name] if isinstance(part, Layer) else map(_name, part.layers))

    def check(parts: tuple[Part, ...]) -> None:
        for before, part in pairwise(parts):
            last = before.name if isinstance(before, Layer) else before.layers[-1].name
            layers = (part,) if isinstance(part, Layer) else part.layers
            inside = {layer.name for layer in layers}
            reads = {name for layer in layers for name in layer.inputs} - inside
            assert last in reads
        for part in parts:
            for run in part.runs if isinstance(part, Parallel) else ():
                check(run)

    parts = in_series(graph.layers)
    assert list(members(parts)) == [layer.name for layer in graph.layers]
    check(parts)


def _name(layer: Layer) -> str:
    return layer.name


@pytest.mark.parametrize("name", ["googlenet", "densenet121", "convnext_tiny"])
def test_an_arrow_is_an_edge_of_torchvisions_networks(torchvision: ModuleType, name: str) -> None:
    settings = {"init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, **settings)
    graph = trace(model.eval(), (3, 64, 64))
    assert arrows(graph) <= edges(graph)


@pytest.mark.parametrize("name", ["repvgg_a0", "dla34", "hrnet_w18_small"])
def test_an_arrow_is_an_edge_of_timms_networks(timm: ModuleType, name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    graph = trace(model.eval(), (3, 64, 64))
    assert arrows(graph) <= edges(graph)


# --- what leads around -------------------------------------------------------------------------


def normed(inside: int, outside: int, side: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inside, outside, side, stride, side // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside))


class Block(nn.Module):
    """A residual function of two convolutions; the sums of the classes below differ."""

    def __init__(self, out: int = 8, stride: int = 1) -> None:
        super().__init__()
        self.one = nn.Sequential(normed(8, out, 3, stride), nn.ReLU(), normed(out, out, 3))
        self.two = nn.Sequential(normed(8, out, 5, stride), nn.ReLU(), normed(out, out, 5))
        self.wide, self.narrow = normed(8, out, 3, stride), normed(8, out, 1, stride)
        self.norm = nn.BatchNorm2d(8)


class TwoBranches(Block):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + 0.3 * self.one(x) + 0.7 * self.two(x))


class TwoProjected(Block):
    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + self.two(x) + self.narrow(x)


class Reparameterized(Block):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.wide(x) + self.narrow(x) + self.norm(x))


class TwoEqual(Block):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.wide(x) + self.narrow(x))


class Padded(Block):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.one(x) + F.pad(x[..., ::2, ::2], (0, 0, 0, 0, 4, 4)))


class Joined(Block):
    def forward(self, x: Tensor) -> Tensor:
        x, y = F.avg_pool2d(x, 2), self.one(x)
        return y + torch.cat([x, x.new_zeros(x.shape[0], 8, *x.shape[2:])], 1)


class TimesZero(Block):
    def forward(self, x: Tensor) -> Tensor:
        x, y = x[..., ::2, ::2], self.one(x)
        return y + torch.cat([x, x * 0], 1)


class Pooled(Block):
    def forward(self, x: Tensor) -> Tensor:
        return self.wide(x) + F.avg_pool2d(x, 2)


class Behind(Block):
    """What follows the sum is no part of what the shortcut leads around."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.one(x) + x)
        return self.narrow(x)


class Selective(Block):
    """Two branches weighed by a gate that is made of both."""

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.one(x), self.two(x)
        gate = torch.sigmoid((one + two).mean((2, 3), keepdim=True))
        return one * gate + two * (1 - gate)


class SelectiveResidual(Selective):
    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


def network(block: nn.Module) -> LayerGraph:
    return trace(nn.Sequential(normed(3, 8, 3), nn.Sequential(block), nn.Flatten()), (3, 8, 8))


@pytest.mark.parametrize(
    ("block", "kinds"),
    [
        (TwoBranches(), ["identity"]),
        (TwoProjected(), ["projection"]),
        (Reparameterized(), ["identity"]),
        (TwoEqual(), []),
        (Padded(16, 2), ["padding"]),
        (Joined(16, 2), ["padding"]),
        (TimesZero(16, 2), ["padding"]),
        (Pooled(8, 2), ["identity"]),
        (Behind(), []),
        (Selective(), []),
        (SelectiveResidual(), ["identity"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_kinds_of_shortcuts(block: nn.Module, kinds: list[str]) -> None:
    graph = network(block)
    found = [cut.kind for stage in stages(graph) for unit in stage.units for cut in unit.shortcuts]
    assert found == kinds
    said = words(diagram(graph).dot)
    for kind in ("identity shortcut", "projection", "zero padding"):
        assert (kind in said) == any(kind.startswith(own) or own in kind for own in kinds)
    assert arrows(graph) <= edges(graph)
    assert "→ 1×1, 8" not in said


def test_what_a_gate_weighs_is_no_part_of_it() -> None:
    graph = network(Selective())
    (unit,) = (unit for stage in stages(graph) for unit in stage.units if unit.kind == "Selective")
    assert sum(isinstance(layer.op, Conv2d) for layer in unit.body) == 4
    assert not any(isinstance(layer.op, Conv2d) for _, gate in unit.gates for layer in gate)


def test_a_sum_of_several_terms_is_one() -> None:
    graph = network(TwoBranches())
    wiring = Wiring(graph.layers)
    (last,) = wiring.sums()
    assert len(wiring.additions(last)) == 2
    assert [len(term.layers) for term in wiring.terms(last)] == [0, 6, 6]


def test_blocks_that_differ_in_dropout_alone_are_drawn_once() -> None:
    class Dropped(Block):
        def __init__(self, p: float) -> None:
            super().__init__()
            self.drop = nn.Dropout(p) if p else nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return x + self.drop(self.one(x))

    blocks = nn.Sequential(*(Dropped(p) for p in (0.0, 0.1, 0.2, 0.2)))
    graph = trace(nn.Sequential(normed(3, 8, 3), blocks, nn.Flatten()), (3, 8, 8))
    assert [run.count for stage in stages(graph) for run in stage.runs] == [1, 4, 1]
    for level in LEVELS:
        assert "× 4" in diagram(graph, level=level).dot


# --- what comes and goes -----------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_every_input_result_and_dead_end_is_drawn(level: str, direction: str) -> None:
    graph = two_of_all()
    dot = diagram(graph, level=level, direction=direction).dot
    assert '"input left" ->' in dot
    assert '"input right" ->' in dot
    assert '-> "output 1"' in dot
    assert '-> "output 2"' in dot
    assert dot.count('class="unused"') == 1
    assert "4×8×8 and 4×8×8" in dot
    sides = [diagram(graph, graph, level=level), diff_diagram(graph, graph, level=level)]
    assert all(side.dot.count('-> "2/output') == 2 for side in sides)


def test_modules_called_like_the_ends_are_drawn_beside_them() -> None:
    net = GraphBuilder("named", (4, 8, 8))
    net.add(Conv2d(4, 4, (1, 1)), net.input, name="output")
    net.end_block("output", "output", "Conv")
    net.end_stage("output", "output")
    for level in LEVELS:
        assert '"output" -> "output/end"' in diagram(net.graph(), level=level).dot
