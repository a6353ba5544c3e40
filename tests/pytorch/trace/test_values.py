"""Code of other people: devices, values that are known, and what is refused with a true reason."""

from __future__ import annotations

import copy
import functools
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Variable
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.trace.diagnosis import DataDependentError

MACS = 8 * 27 * 14 * 14


class Does(nn.Module):
    """A convolution, and whatever a function of it and its input does."""

    def __init__(self, does: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.register_buffer("steps", torch.tensor(2))
        self.register_buffer("rates", torch.linspace(0, 1, 4))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.does = does

    def forward(self, x: Tensor) -> Any:
        return self.does(self, x)


def fails(*_: object) -> Any:
    raise AssertionError("another branch than that of an ordinary run")


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2


def hooked(m: Any, x: Tensor) -> Tensor:
    y: Tensor = m.conv(x)
    y.register_hook(fails)
    y.retain_grad()
    return y.requires_grad_()


def counted(m: Any, x: Tensor) -> Tensor:
    m.steps += 1
    return m.conv(x) if m.steps.item() == 3 else fails()


def filled(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    zeros = torch.Tensor(*y.shape).zero_()
    zeros[:, :4] = y[:, 4:]
    return F.relu(zeros)


def cast(m: Any, x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=True):
        return m.conv(x)


TABLE = torch.ones(1, 8, 1, 1)

FOLLOWED: dict[str, Callable[[Any, Tensor], Any]] = {
    "to(device)": lambda m, x: m.conv(x.to(m.scale.device)),
    "to(name, dtype)": lambda m, x: m.conv(x.to("cuda", torch.float32, non_blocking=True)),
    "to(tensor)": lambda m, x: m.conv(x).to(m.scale),
    "cpu": lambda m, x: m.conv(x.cpu()),
    "cuda": lambda m, x: m.conv(x.cuda()),
    "type": lambda m, x: m.conv(x.type(torch.FloatTensor)),
    "type's name": lambda m, x: m.conv(x) if x.type() == "torch.FloatTensor" else fails(),
    "where x is": lambda m, x: m.conv(x) if x.device == m.scale.device else fails(),
    "zeros on a device": lambda m, x: m.conv(x + torch.zeros(1, device=x.device)),
    "a count in a buffer": counted,
    "a rate in a buffer": lambda m, x: m.conv(x) * m.rates.tolist()[1],
    "linspace": lambda m, x: m.conv(x) * [r.item() for r in torch.linspace(0, 1, 3)][2],
    "a parameter": lambda m, x: m.conv(x) * float(m.scale) if m.scale > 1 else fails(),
    "numpy of a buffer": lambda m, x: m.conv(x) * float(np.asarray(m.rates).sum()),
    "sizes": lambda m, x: m.conv(x) / torch.tensor(x.shape).prod().item(),
    "a mask": lambda m, x: m.conv(x)[:, m.rates.repeat(2) >= 0],
    "places": lambda m, x: m.conv(x)[:, torch.nonzero(torch.ones(8)).squeeze(1)],
    "ones like x": lambda m, x: m.conv(x) if torch.ones_like(x).sum() > 0 else fails(),
    "new_tensor": lambda m, x: m.conv(x) * x.new_tensor([2.0]).item(),
    "hooks of gradients": hooked,
    "Variable": lambda m, x: F.relu(Variable(m.conv(Variable(x)))),
    "tensor(x)": lambda m, x: torch.tensor(m.conv(torch.as_tensor(x))),
    "tensor of tensors": lambda m, x: m.conv(x) * torch.tensor([m.scale, m.scale]).sum(),
    "a legacy tensor": lambda m, x: m.conv(x) + torch.FloatTensor(1, 8, 1, 1).fill_(1),
    "a legacy tensor, written": filled,
    "a table of the module": lambda m, x: m.conv(x) * TABLE,
    "an array": lambda m, x: m.conv(x) * torch.from_numpy(np.ones((1, 8, 1, 1), np.float32)),
    "autograd.Function": lambda m, x: Doubled.apply(m.conv(x)),
    "autocast": cast,
    "checkpoint": lambda m, x: checkpoint(m.conv, x, use_reentrant=False),
    "a copy of a layer": lambda m, x: copy.deepcopy(m.conv)(x),
    "other weights": lambda m, x: functional_call(m.conv, {"weight": 2 * m.conv.weight}, (x,)),
    "a large mask": lambda m, x: m.conv(x) + len(torch.ones(256, 256).triu().nonzero()),
    "numpy's numbers": lambda m, x: F.max_pool2d(m.conv(x), np.int64(2)),
}


@pytest.mark.filterwarnings("ignore:To copy construct:UserWarning")
@pytest.mark.parametrize("case", FOLLOWED)
def test_what_depends_on_no_input_is_followed(case: str) -> None:
    check_followed(FOLLOWED[case])


def test_a_compiled_function_is_followed() -> None:
    compiled = torch.compile(lambda x: torch.relu(x) * 2)
    check_followed(lambda m, x: compiled(m.conv(x)))


def check_followed(does: Callable[[Any, Tensor], Any]) -> None:
    model, state = Does(does), torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    graph = ri.trace(model, (3, 16, 16))
    cost = graph_cost(graph)
    assert (cost.macs, cost.uncounted) == (MACS, 0)
    assert "conv.weight" in {name for names in graph.run.uses.values() for name in names}
    assert torch.equal(state, torch.get_rng_state())
    after = model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


class Quantized(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 2)))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


_library = torch.library.Library("tests_of_values", "DEF")
_library.define("twice(Tensor x) -> Tensor")
_library.impl("twice", lambda x: x * 2, "CPU")

REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a value": (
        lambda: Does(lambda m, x: x if x.sum() > 0 else m.conv(x)),
        "depends on the values",
    ),
    "chance": (
        lambda: Does(lambda m, x: m.conv(x) * torch.rand(1).item()),
        "depends on the values",
    ),
    "an operator of the CPU": (
        lambda: Does(lambda m, x: torch.ops.tests_of_values.twice(m.conv(x))),
        "calls tests_of_values::twice, which torch can run on data only",
    ),
    "vmap": (lambda: Does(lambda m, x: m.conv(torch.vmap(torch.neg)(x))), "uses torch.func"),
    "gradients": (
        lambda: Does(lambda m, x: torch.autograd.grad(m.conv(x).sum(), m.scale)),
        "takes gradients within its forward pass",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_has_a_true_reason_and_names_a_part_that_works(case: str) -> None:
    make, reason = REFUSED[case]
    with pytest.raises(InspectError, match=reason) as caught:
        ri.trace(make(), (3, 16, 16))
    assert "such as its .conv" in str(caught.value)
    assert isinstance(caught.value, DataDependentError) == (case in list(REFUSED)[:3])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantized_modules_are_refused_in_a_line() -> None:
    with pytest.raises(InspectError, match="Linear is quantized"):
        ri.trace(Quantized(), (4,))


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit("gone")])
def test_a_model_that_ends_the_program_ends_in_a_line(error: BaseException) -> None:
    def raises(*_: object) -> Any:
        raise error

    with pytest.raises(InspectError, match=f"fails: {type(error).__name__}"):
        ri.trace(Does(raises), (3, 16, 16))


def test_lazy_modules_run_once_on_a_copy() -> None:
    model = nn.Sequential(nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(5))
    graph = ri.graph(model, (3, 6, 6))
    conv, norm, linear = 8 * 27 + 8, 16, 8 * 16 * 5 + 5
    assert graph_cost(graph).params == conv + norm + linear
    assert sum(p.numel() for p in ri.build(graph).parameters()) == conv + norm + linear
    assert isinstance(model[0].weight, nn.UninitializedParameter)
    with pytest.raises(InspectError, match="lazy layers, and running it once fails"):
        ri.trace(nn.Sequential(nn.LazyConv2d(8, 9)), (3, 6, 6))


def test_widths_of_numpy_are_pythons_numbers() -> None:
    width = np.array([8])[0]
    graph = ri.trace(nn.Sequential(nn.Conv2d(3, width, 3, padding=(np.int64(1), 1))), (3, 4, 4))
    assert type(graph_cost(graph).params) is int
    assert ri.table(graph).to_text("json")


# --- what is copied -------------------------------------------------------------------------------


class Watched(list[Any]):
    """A list that tells its owner what is put in, as Keras's do."""

    def __init__(self, values: Any, owner: Any) -> None:
        super().__init__(values)
        self.owner = owner

    def extend(self, values: Any) -> None:
        fails()

    clear = append = extend


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass
class Holder:
    part: nn.Module
    seen: list[Tensor]


Two = namedtuple("Two", "part number")


class Holds(nn.Module):
    """Holds its convolution in whatever can hold one, and forbids attributes to be set."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv = nn.Conv2d(3, 8, 3, bias=False)
        self.ways = (
            Holder(conv, []),
            Two(conv, 1),
            Slotted(conv),
            Watched([conv], self),
            defaultdict(list, a=[conv]),
            OrderedDict(a=conv),
            deque([conv], maxlen=2),
        )
        self.own = weakref.ref(self)
        self.me = self
        self.closed = True

    def __setattr__(self, name: str, value: Any) -> None:
        assert "closed" not in self.__dict__
        super().__setattr__(name, value)

    @functools.cached_property
    def called(self) -> list[nn.Module]:
        holder, two, slotted, watched, lists, ordered, queue = self.ways
        return [
            *(holder.part, two.part, slotted.value, watched[0]),
            *(lists["a"][0], ordered["a"], queue[0], self.own().conv, self.me.conv),
        ]

    def forward(self, x: Tensor) -> Tensor:
        self.ways[0].seen.append(x)
        return torch.stack([part(x) for part in self.called]).sum(0)


def test_a_copy_holds_copies_however_they_are_held() -> None:
    model = Holds()
    graph = ri.trace(model, (3, 16, 16))
    assert graph_cost(graph).macs == 9 * MACS
    assert graph_cost(graph).params == 8 * 27
    assert model.ways[0].seen == []
    assert "called" not in vars(model)


# --- depth ----------------------------------------------------------------------------------------


def nested(depth: int) -> nn.Module:
    model: nn.Module = nn.Conv2d(3, 3, 1)
    for _ in range(depth):
        model = nn.Sequential(model)
    return model


@pytest.mark.parametrize("describe", [ri.trace, ri.graph])
def test_modules_nest_deeper_than_the_stack(describe: Callable[..., LayerGraph]) -> None:
    graph = describe(nested(1200), (3, 8, 8))
    assert [layer.op.params for layer in graph.layers] == [12]
    assert graph.layers[0].path == ".".join("0" * 1200)


def test_what_calls_itself_without_end_ends_in_a_line() -> None:
    class Endless(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return self(x)

    with pytest.raises(InspectError, match="calls itself without end"):
        ri.trace(Endless(), (3,))


def test_a_result_that_holds_itself_is_taken_once() -> None:
    class Itself(nn.Module):
        def forward(self, x: Tensor) -> list[Any]:
            out: list[Any] = [x * 2]
            out.append(out)
            return out

    assert len(ri.trace(Itself(), (3, 8, 8)).layers) == 1
