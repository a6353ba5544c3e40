"""Tensors that are written: what is read afterwards depends on what was written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_inspect.counting.costs import total
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.trace.aliases import Region
from resnet_inspect.pytorch.trace.trace import trace

SHAPE = (3, 8, 8)
PARAMS = 4 * 3 + 4 + 4 * 3 + 4 + 4 * 4 + 4
MACS = 64 * (4 * 3 + 4 * 3 + 4 * 4)


class Net(nn.Module):
    """Two layers whose outputs are put together in some way, and a third behind."""

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.last = nn.Conv2d(4, 4, 1)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.join(self.left(x), self.right(x)))


JOINS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}


def join(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    JOINS[function.__name__] = function


@join
def slices_of_a_fresh_tensor(a: Tensor, b: Tensor) -> Tensor:
    both = torch.zeros(a.shape[0], 8, 8, 8)
    both[:, :4], both[:, 4:] = a, b
    return both[:, 2:6]


@join
def all_of_a_fresh_tensor(a: Tensor, b: Tensor) -> Tensor:
    both = a.new_empty(a.shape)
    both[...] = a
    both += b
    return both


@join
def a_copy_into_a_part(a: Tensor, b: Tensor) -> Tensor:
    both = torch.empty(1, 8, 8, 8)
    both.narrow(1, 0, 4).copy_(a)
    both.select(1, 4).copy_(b[:, 0])
    return both[:, 1:5]


@join
def a_chunk_in_place(a: Tensor, b: Tensor) -> Tensor:
    first, _ = a.chunk(2, 1)
    first.mul_(b[:, :2])
    return a


@join
def another_shape_in_place(a: Tensor, b: Tensor) -> Tensor:
    a.flatten(1).add_(b.flatten(1))
    return a


@join
def a_view_taken_before(a: Tensor, b: Tensor) -> Tensor:
    both = torch.zeros_like(a)
    half = both[:, :2]
    both.copy_(a)
    return torch.cat((half, b[:, 2:]), 1)


@join
def a_cat_with_out(a: Tensor, b: Tensor) -> Tensor:
    both = torch.empty(1, 8, 8, 8)
    torch.cat((a, b), 1, out=both)
    return both[:, ::2]


@join
def an_addition_with_out(a: Tensor, b: Tensor) -> Tensor:
    both = torch.zeros(1, 4, 8, 8)
    torch.add(a, b, out=both)
    return both


@join
def places_by_index(a: Tensor, b: Tensor) -> Tensor:
    both = torch.zeros(1, 4, 8, 8)
    both.index_copy_(1, torch.arange(4), a)
    return both.scatter_add_(1, torch.zeros(1, 4, 8, 8, dtype=torch.long), b)


@join
def frames_of_a_stack(a: Tensor, b: Tensor) -> Tensor:
    stack = a.new_zeros(1, 2, 4, 8, 8)
    for frame, part in zip(stack.unbind(1), (a, b), strict=True):
        frame.copy_(part)
    return stack.sum(1)


@join
def data_that_is_set(a: Tensor, b: Tensor) -> Tensor:
    both = torch.zeros_like(a)
    both.data = b
    return a + both


@join
def an_activation_in_place(a: Tensor, b: Tensor) -> Tensor:
    return F.relu(a, inplace=True) + a + b


def feeding(graph: LayerGraph, name: str) -> set[str]:
    """All layers that a layer depends on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in graph.by_name and name not in found:
            found.add(name)
            waiting.extend(graph.layer(name).inputs)
    return found


@pytest.mark.parametrize("name", JOINS)
@pytest.mark.parametrize("exported", [False, True])
def test_what_was_written_feeds_what_is_read(name: str, exported: bool) -> None:
    if exported and name == "data_that_is_set":
        pytest.skip("torch.export refuses it")
    module = Net(JOINS[name]).eval()
    with torch.no_grad():
        program = torch.export.export(module, (torch.zeros(1, *SHAPE),)) if exported else None
    graph = trace(program or module, SHAPE)
    assert {"left", "right", "last"} <= feeding(graph, graph.output.name)
    cost = total(graph.layers)
    assert (cost.params, cost.macs, cost.uncounted) == (PARAMS, MACS, 0)


def test_a_chunk_that_nobody_writes_depends_on_no_other() -> None:
    def halves(a: Tensor, b: Tensor) -> Tensor:
        first, second = a.chunk(2, 1)
        first.add_(b[:, :2])
        return torch.cat((second, second), 1)

    graph = trace(Net(halves), SHAPE)
    assert "right" not in feeding(graph, "last")
    assert "right" in feeding(trace(Net(JOINS["a_chunk_in_place"]), SHAPE), "last")


def test_an_activation_module_in_place_changes_what_is_read_later() -> None:
    class Skips(nn.Module):
        def __init__(self, inplace: bool) -> None:
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 3, 1), nn.ReLU(inplace)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return self.relu(x) + x

    assert trace(Skips(True), SHAPE).layer("add").inputs == ("relu", "relu")
    assert trace(Skips(False), SHAPE).layer("add").inputs == ("relu", "conv")


def test_regions_of_memory_are_told_apart() -> None:
    base = torch.empty(4, 6, 5)
    region = Region.of
    left, right = base[:, :3], base[:, 3:]
    assert region(left).apart(region(right))
    assert region(base[..., :2]).apart(region(base[..., 2:]))
    assert not region(base[:, :4]).apart(region(right))
    assert region(base[:, ::2]).apart(region(base[:, 1:2]))
    assert not region(base[:, ::2]).apart(region(base[:, 1:3]))
    assert region(base).covers(region(left))
    assert region(left).covers(region(base[1:2, :2]))
    assert not region(left).covers(region(base))
    assert region(base[:, 4]).apart(region(base[:, :4]))
    assert region(left).covers(region(base[:, 2]))
    assert region(base[0].diagonal()).covers(region(base[0, 1:2, 1:2]))
    assert not region(base[0].diagonal()).covers(region(base[0, 1:2, 2:3]))
