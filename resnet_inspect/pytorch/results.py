"""The tensors in what a module gives, whatever holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn


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
