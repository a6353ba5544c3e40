"""The most memory alive in an inference pass, against the storages that a run makes and frees."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from saved import measured_saved
from torch import Tensor, nn

from resnet_inspect.counting.memory import memory
from resnet_inspect.pytorch.bench.peak_memory import StorageWatch
from resnet_inspect.pytorch.trace.trace import trace

SHAPE = (3, 16, 16)


class Net(nn.Module):
    """A function of two maps of eight features, and a layer behind."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 3, padding=1)
        self.last = nn.LazyConv2d(8, 1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.left(x), self.right(x)))


def halves_into_a_fresh_tensor(a: Tensor, b: Tensor) -> Tensor:
    both = torch.zeros(1, 8, 16, 16)
    both[:, ::2] = a[:, ::2]
    both[:, 1::2] = b[:, ::2]
    return both


def a_half_in_place(a: Tensor, b: Tensor) -> Tensor:
    a[:, :4] = b[:, :4]
    return a


def a_view_in_place(a: Tensor, b: Tensor) -> Tensor:
    a.flatten(2).transpose(1, 2).add_(b.flatten(2).transpose(1, 2))
    return a


def shuffled(a: Tensor, b: Tensor) -> Tensor:
    channels = torch.cat([a, b], 1).view(1, 2, 8, 16, 16).transpose(1, 2)
    del a, b
    return channels.reshape(1, 16, 16, 16)


def attended(a: Tensor, b: Tensor) -> Tensor:
    heads = (each.view(1, 2, 4, 256).transpose(2, 3) for each in (a, b))
    queries, keys = heads
    mixed = (queries @ keys.mT).softmax(-1) @ keys
    return mixed.transpose(1, 2).reshape(1, 256, 8).mT.reshape(1, 8, 16, 16)


def unpooled(a: Tensor, b: Tensor) -> Tensor:
    del b
    small, places = F.max_pool2d(a, 2, return_indices=True)
    return F.max_unpool2d(small * 2, places, 2)


FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "halves": halves_into_a_fresh_tensor,
    "a half in place": a_half_in_place,
    "a view in place": a_view_in_place,
    "shuffled": shuffled,
    "attended": attended,
    "unpooled": unpooled,
    "contiguous": lambda a, b: a.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) + b,
    "contiguous as it is": lambda a, b: a.contiguous() + b,
    "a clone": lambda a, b: a.clone().mul_(2) + b,
    "values, not places": lambda a, b: b * (a - a.max(1, keepdim=True)[0]),
    "a mask": lambda a, b: a.masked_fill_(b > 0, 0.0),
    "sigmoid in place": lambda a, b: a.sigmoid_() + b,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_peak_is_what_a_run_holds(name: str) -> None:
    model, x = Net(FUNCTIONS[name]).eval(), torch.rand(1, *SHAPE)
    model(x)
    state = [*model.parameters(), *model.buffers()]
    with torch.no_grad(), StorageWatch([*state, x]) as watch:
        model(x)
    held = sum(tensor.nbytes for tensor in state)
    assert memory(trace(model, SHAPE)).inference_peak == watch.peak - held


IN_PLACE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "abs": lambda a, b: a.abs_() + b,
    "add": lambda a, b: a.add_(b),
    "clamp": lambda a, b: a.clamp_(0, 1),
    "div": lambda a, b: a.div_(b),
    "exp": lambda a, b: a.exp_() + b,
    "mul": lambda a, b: a.mul_(b),
    "mul by a number": lambda a, b: a.mul_(2) + b,
    "pow": lambda a, b: a.pow_(3) + b,
    "sigmoid": lambda a, b: a.sigmoid_() + b,
    "square": lambda a, b: a.square_() + b,
    "tanh": lambda a, b: a.tanh_() + b,
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_what_is_overwritten_is_copied_where_its_gradient_needs_it(name: str) -> None:
    model, x = Net(IN_PLACE[name]), torch.rand(1, *SHAPE)
    model(x)
    assert memory(trace(model.eval(), SHAPE)).saved == measured_saved(model.train(), x)


class Bank(nn.Module):
    """A product with a table that does not learn: its factor is not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(6, 4)
        self.register_buffer("table", torch.rand(10, 4))

    def forward(self, x: Tensor) -> Tensor:
        return (self.into(x) @ self.table.T).softmax(-1) @ self.table


def test_a_product_with_a_constant_keeps_nothing() -> None:
    kept = measured_saved(Bank(), torch.rand(1, 6))
    assert memory(trace(Bank().eval(), (6,))).saved == kept


class Frames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 1), nn.GroupNorm(2, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x.flatten(0, 1))).mean(0, keepdim=True)


def test_each_frame_has_its_own_statistics() -> None:
    kept = measured_saved(Frames(), torch.rand(1, 6, 3, 4, 4))
    assert memory(trace(Frames().eval(), (6, 3, 4, 4))).saved == kept


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.LSTM(6, 4, batch_first=True), (5, 6)),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (5, 8)),
    ],
)
def test_layers_of_several_steps_make_memory_a_lower_bound(
    module: nn.Module, shape: tuple[int, ...]
) -> None:
    graph = trace(nn.Sequential(module).eval(), shape)
    assert memory(graph).uncounted == 1
