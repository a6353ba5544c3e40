"""How a module takes its inputs: which argument each one is, and a call with tensors in them; and
the tensors in what it gives."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import torch
from torch import nn

from resnet_inspect.errors import ShapeError, unknown
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.inputs import show_input
from resnet_inspect.networks.run import Input


class Arguments(NamedTuple):
    """What a module is called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class _Signature:
    """The parameters of a module's forward method."""

    def __init__(self, module: nn.Module) -> None:
        self.kind = type(module).__name__
        try:
            self.all: Mapping[str, inspect.Parameter] = inspect.signature(module.forward).parameters
        except (TypeError, ValueError):  # of compiled code, or none that is true
            self.all = inspect.signature(lambda *inputs: None).parameters

        def of(*wanted: Any) -> list[str]:
            return [name for name, parameter in self.all.items() if parameter.kind in wanted]

        kinds = inspect.Parameter
        self.positional = of(kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        self.keywords = of(kinds.KEYWORD_ONLY)
        self.more = "".join(of(kinds.VAR_POSITIONAL))
        self.any_keyword = bool(of(kinds.VAR_KEYWORD))
        self.required = [
            name
            for name in (*self.positional, *self.keywords)
            if self.all[name].default is inspect.Parameter.empty
        ]
        main = getattr(module, "main_input_name", None)  # transformers'
        self.main = main if main in self.all else None


def named(module: nn.Module, given: Sequence[Input]) -> tuple[Input, ...]:
    """The inputs under the names of the arguments that take them.

    'images.0' is the first of a list and 'batch.image' an entry of a dict that is one argument.
    Raises ShapeError or UnknownNameError where they do not fit the module's forward method.
    """
    takes = _Signature(module)
    unnamed = [entry for entry in given if not entry.name]
    places = iter(_places(takes, len(unnamed), given))
    entries = tuple(
        entry._replace(name=_argument(takes, entry.name) if entry.name else next(places))
        for entry in given
    )
    held = {entry.name.partition(".")[0] for entry in entries}
    missing = [name for name in takes.required if name not in held]
    if missing:
        like = entries[0]._replace(dtype="")
        asked = [*entries, *(like._replace(name=name) for name in missing)]
        options = " ".join(f"--input {show_input(entry)}" for entry in asked)
        shown = ", ".join(f"{entry.name!r}: {entry.shape}" for entry in asked)
        raise ShapeError(
            f"{takes.kind} takes {', '.join(takes.required)}; give each its shape: {options} "
            f"(in Python input_shape={{{shown}}})"
        )
    return entries


def _places(takes: _Signature, count: int, given: Sequence[Input]) -> Sequence[str]:
    """The arguments of so many inputs without a name."""
    if not count:
        return ()
    if len(takes.positional) == 1 and count > 1 and not takes.more:
        return [f"{takes.positional[0]}.{place}" for place in range(count)]
    if count > len(takes.positional) and takes.more:
        more = (f"{takes.more}.{place}" for place in range(count - len(takes.positional)))
        return [*takes.positional, *more]
    if takes.positional:
        if count > len(takes.positional):
            raise ShapeError(
                f"{takes.kind} takes {', '.join(takes.positional)}; {count} inputs are too many"
            )
        return takes.positional
    required = [name for name in takes.required if name in takes.keywords]
    for alone in (required, [takes.main] if takes.main else [], takes.keywords):
        if len(alone) == count:
            return alone
    shown = " or ".join(
        f"--input {show_input(given[0]._replace(name=name))}" for name in takes.keywords
    )
    shown = shown or f"--input NAME={show_input(given[0])}"
    raise ShapeError(f"{takes.kind} takes its inputs by name only; give {shown}")


def _argument(takes: _Signature, name: str) -> str:
    """The argument that a given name is of."""
    first, dot, rest = name.partition(".")
    if first in takes.all and first != takes.more:
        return name
    if first.isdigit() and int(first) < len(takes.positional):
        return f"{takes.positional[int(first)]}{dot}{rest}"
    if first.isdigit() and takes.more:
        return f"{takes.more}.{name}"
    if takes.any_keyword:
        return name
    alone = takes.required if len(takes.required) == 1 else takes.positional
    if len(alone) == 1:
        return f"{alone[0]}.{name}"  # a dict of inputs is its only argument
    raise unknown(f"argument of {takes.kind}", first, [*takes.positional, *takes.keywords])


def arguments(
    module: nn.Module, names: Sequence[str], tensors: Sequence[torch.Tensor]
) -> Arguments:
    """A call of the module with these tensors in the arguments of these names, as `named` has them.

    One tensor may stand under several names.
    """
    takes = _Signature(module)
    tree: dict[str, Any] = {}
    for name, tensor in zip(names, cycle(tensors), strict=False):
        *path, last = name.split(".")
        holder = tree
        for part in path:
            holder = holder.setdefault(part, {})
        holder[last] = tensor
    values = {name: _with_lists(value) for name, value in tree.items()}
    more = values.pop(takes.more, ()) if takes.more else ()
    args = []
    for name in takes.positional:  # by position as far as they go, as hooks and counters expect
        if name not in values:
            break
        args.append(values.pop(name))
    return Arguments((*args, *more), values)


def _with_lists(value: Any) -> Any:
    if type(value) is not dict:
        return value
    parts = {key: _with_lists(part) for key, part in value.items()}
    return list(parts.values()) if all(key.isdigit() for key in parts) else parts


def entering(graph: LayerGraph) -> tuple[Input, ...]:
    """What a network takes, a single input of its own dtype too."""
    return graph.entering or (Input("input", graph.input_shape),)


def example(
    graph: LayerGraph,
    module: nn.Module,
    batch: int,
    device: torch.device | str,
    generator: torch.Generator | None = None,
) -> Arguments:
    """Arguments to call a module of this network with: zeros, or random numbers of a generator.

    Inputs that have no dtype of their own are fp32. Whole numbers are zeros: indices that every
    table has.
    """
    tensors = []
    for entry in entering(graph):
        own = getattr(torch, entry.dtype or "float32")
        shape = (batch, *entry.shape)
        if generator is None or not own.is_floating_point:
            tensors.append(torch.zeros(shape, dtype=own, device=device))
        else:
            tensors.append(torch.randn(shape, device=device, generator=generator).to(own))
    if not graph.arguments:
        return Arguments(tuple(tensors), {})
    return arguments(module, graph.arguments, tensors)


def results(value: Any, around: tuple[int, ...] = ()) -> Iterator[torch.Tensor]:
    """The tensors in nested tuples, lists, dicts and objects, in order.

    around: what holds the value; a list that holds itself has nothing more.
    """
    if isinstance(value, torch.Tensor):
        yield value
        return
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, (tuple, list, set)):
        parts = value
    elif not isinstance(value, (type, nn.Module)):
        parts = getattr(value, "__dict__", {}).values()
    if id(value) not in around:
        for part in parts:
            yield from results(part, (*around, id(value)))
