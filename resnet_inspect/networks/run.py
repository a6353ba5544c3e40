"""What only a run of a module tells about a network, besides its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from resnet_inspect.errors import InspectError


class Input(NamedTuple):
    """A tensor that enters a network: its argument's name, its shape without the batch, its dtype.

    dtype: torch's name; '' for the network's own.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = ""


class Tensor(NamedTuple):
    """A parameter or buffer, which a module may hold under several names.

    dtype: torch's name, such as 'float32'. learned: a parameter, not a buffer. trainable: a
    parameter that gets a gradient.
    """

    entries: int
    dtype: str
    learned: bool
    trainable: bool


class Gap(NamedTuple):
    """An operation that ran and belongs to no layer: totals of its network are 'at least'.

    operation: torch's name. where: the line of the user's code, or ''. macs: None if unknown.
    """

    operation: str
    where: str
    macs: int | None


@dataclass(frozen=True)
class Run:
    """What a run of a module showed.

    tensors: all parameters and buffers in the module's order, each once (by identity) under its
    first name. uses: the names of those that a layer computes with, by layer. lasts: the layer
    during which a layer's output is last held, by layer, where that is later than its last reader
    (a list that is returned, a skip in a variable), or None where no code ran. gaps: what belongs
    to no layer. functions: of layers that no module computes, the function that was called ('mean',
    'conv2d'), by layer. notes: sentences about the whole for people.
    """

    tensors: Mapping[str, Tensor]
    uses: Mapping[str, tuple[str, ...]]
    lasts: Mapping[str, str] | None
    gaps: tuple[Gap, ...] = ()
    functions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def unused(self) -> Mapping[str, Tensor]:
        """The parameters that no layer uses."""
        used = {name for names in self.uses.values() for name in names}
        return {
            name: tensor
            for name, tensor in self.tensors.items()
            if tensor.learned and name not in used
        }

    @property
    def shared(self) -> Mapping[tuple[str, ...], list[str]]:
        """The parameters that several layers use, by these layers."""
        users: dict[str, list[str]] = {}
        for layer, names in self.uses.items():
            for name in dict.fromkeys(names):
                if self.tensors[name].learned:
                    users.setdefault(name, []).append(layer)
        found: dict[tuple[str, ...], list[str]] = {}
        for name, layers in users.items():
            if len(layers) > 1:
                found.setdefault(tuple(layers), []).append(name)
        return found

    @property
    def held_apart(self) -> Mapping[str, int]:
        """The entries of the unused parameters, under the outermost modules of which none is used.

        A parameter beside others that are used stands under its own name.
        """
        busy = {
            owner
            for name, tensor in self.tensors.items()
            if tensor.learned and name not in self.unused
            for owner in owners(name)
        }
        found: dict[str, int] = {}
        for name, tensor in self.unused.items():
            idle = (owner for owner in owners(name) if owner not in busy)
            place = next(idle, name)
            found[place] = found.get(place, 0) + tensor.entries
        return found


@dataclass(frozen=True)
class Unmade:
    """In the place of a graph's maker where nobody can make a module of the network.

    why: that in a sentence, with a way out.
    """

    why: str

    def __call__(self) -> Any:
        raise InspectError(self.why)


def owners(name: str) -> Iterator[str]:
    """The modules that a tensor lies in, outermost first: layer1, layer1.0 for layer1.0.weight."""
    at = name.find(".")
    while at >= 0:
        yield name[:at]
        at = name.find(".", at + 1)
