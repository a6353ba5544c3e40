"""A call of a torch function: its name, its settings, and its tensors told apart by where they come
from (the network's input, learned parameters, buffers, anything else)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from resnet_inspect.networks.run import Gap, Tensor
from resnet_inspect.networks.shapes import Shape

_ALIASES = {
    "abs": "absolute",
    "add": "iadd radd",
    "cat": "concat concatenate",
    "div": "itruediv rtruediv truediv divide true_divide",
    "matmul": "imatmul rmatmul",
    "mul": "imul rmul multiply",
    "neg": "negative",
    "pow": "rpow ipow",
    "sub": "isub rsub subtract",
    "transpose": "swapdims swapaxes",
}
_SAME = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
"""Other names of the same functions, Python's operators among them."""


def function_name(target: Any) -> tuple[str, bool]:
    """A torch function's plain name, and whether it works in place: relu for torch.relu_, F.relu,
    Tensor.relu and torch.ops.aten.relu.default."""
    if isinstance(target, torch._ops.OpOverload):
        name = target._schema.name.split("::")[-1]
    elif getattr(target, "__name__", "") == "__get__":
        name = target.__self__.__name__  # an attribute such as x.T
    else:
        name = getattr(target, "__name__", str(target))
    plain = name.strip("_")
    inplace = (name.endswith("_") and not name.startswith("__")) or (
        plain.startswith("i") and _SAME.get(plain, plain) == plain[1:]
    )
    return _SAME.get(plain, plain), inplace


def called_function(node: fx.Node) -> str:
    """The function that a node calls; '' where a layer of torch.nn calls it, or it calls none."""
    within = node.meta["frames"][-1].kind
    calls = node.op == "call_function" and not hasattr(nn, within)
    return function_name(node.target)[0] if calls else ""


def sample_shape(tensor: torch.Tensor) -> Shape:
    """A tensor's shape without the batch of one; all of it where the batch is folded into it."""
    shape = tuple(tensor.shape)
    return shape[1:] if shape and shape[0] == 1 else shape


def first_tensor(value: Any) -> torch.Tensor:
    """The tensor, or the first of several."""
    while not isinstance(value, torch.Tensor):
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return value


class Constant(NamedTuple):
    """A tensor that does not come from the network's input.

    params and buffers: the names of those that it is or was made of.
    """

    shape: Shape
    params: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()


@dataclass
class Call:
    """A call of a function, as its rule sees it.

    inputs: the tensors that come from the network's input, in order; a rule may reorder or drop
    them. constants: the other tensors. bound: settings by name. params: entries of the learned
    parameters that the constants are made of, buffers: of the buffers; held: of all buffers that
    the calling module itself has.
    """

    node: fx.Node
    name: str
    inplace: bool
    inputs: list[fx.Node]
    constants: Mapping[fx.Node, Constant]
    bound: dict[str, Any]
    params: int
    buffers: int
    held: int

    def get(self, name: str, default: Any = None) -> Any:
        """A setting, or the default where it was not given or is None."""
        value = self.bound.get(name)
        return default if value is None else value

    def constant(self, name: str) -> Constant | None:
        """The constant tensor that is given as this argument, if it is one."""
        value = self.bound.get(name)
        return self.constants.get(value) if isinstance(value, fx.Node) else None

    @property
    def shapes(self) -> list[Shape]:
        """The inputs' shapes, without the batch."""
        return [sample_shape(first_tensor(node.meta["val"])) for node in self.inputs]

    @property
    def shape(self) -> Shape:
        """The first input's shape, without the batch."""
        return self.shapes[0]

    @property
    def dims(self) -> int:
        """Dimensions of the first input, the batch among them."""
        return first_tensor(self.inputs[0].meta["val"]).dim()

    @property
    def output(self) -> Shape:
        """The result's shape, without the batch; of several results, the first's."""
        return sample_shape(first_tensor(self.node.meta["val"]))


Named = Iterable[tuple[str, torch.Tensor]]


class Held(NamedTuple):
    """Entries of parameters and buffers by name, and of all buffers of a module by its path."""

    params: Mapping[str, int]
    buffers: Mapping[str, int]
    by_module: Mapping[str, int]

    @classmethod
    def of(cls, params: Named, buffers: Named) -> Held:
        """The state that consists of these named tensors."""
        entries = {name: tensor.numel() for name, tensor in buffers}
        by_module = Counter[str]()
        for name, number in entries.items():
            by_module[name.rpartition(".")[0]] += number
        return cls({name: tensor.numel() for name, tensor in params}, entries, by_module)


class State(NamedTuple):
    """A parameter or buffer of a model."""

    name: str
    learned: bool
    tensor: torch.Tensor


def tensors_of(state: Iterable[State]) -> Mapping[str, Tensor]:
    """What is known of each parameter and buffer, parameters first."""
    ordered = sorted(state, key=lambda entry: not entry.learned)
    return {
        name: Tensor(
            tensor.numel(),
            str(tensor.dtype).removeprefix("torch."),
            learned,
            learned and tensor.requires_grad,
        )
        for name, learned, tensor in ordered
    }


class Recorded(NamedTuple):
    """A recorded graph, the state of its modules, and what belongs to none of its nodes."""

    graph: fx.Graph
    held: Held
    tensors: Mapping[str, Tensor]
    gaps: tuple[Gap, ...] = ()
