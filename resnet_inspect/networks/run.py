"""What only a run of a module tells about a network, besides its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    (a list that is returned, a skip in a variable). gaps: what belongs to no layer. notes:
    sentences about the whole for people.
    """

    tensors: Mapping[str, Tensor]
    uses: Mapping[str, tuple[str, ...]]
    lasts: Mapping[str, str]
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def unused(self) -> Mapping[str, Tensor]:
        """The parameters that no layer uses."""
        used = {name for names in self.uses.values() for name in names}
        return {
            name: tensor
            for name, tensor in self.tensors.items()
            if tensor.learned and name not in used
        }


@dataclass(frozen=True)
class Unmade:
    """In the place of a graph's maker where nobody can make a module of the network.

    why: that in a sentence, with a way out.
    """

    why: str

    def __call__(self) -> Any:
        raise InspectError(self.why)
