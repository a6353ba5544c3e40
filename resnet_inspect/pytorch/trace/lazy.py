"""Lazy modules, which make their parameters when they first run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, is_lazy

from resnet_inspect.errors import InspectError, ShapeError
from resnet_inspect.networks.run import Input
from resnet_inspect.pytorch.inputs import arguments, named
from resnet_inspect.pytorch.trace.deep import deeply
from resnet_inspect.pytorch.trace.diagnosis import first_line


def has_lazy(model: nn.Module) -> bool:
    """Whether parameters or buffers of a model are still to be made."""
    return deeply(
        lambda: any(map(is_lazy, (*model.parameters(), *model.buffers()))), type(model).__name__
    )


def initialised(model: nn.Module, given: Sequence[Input]) -> nn.Module:
    """The model, or where parameters are missing a copy that has run once on zeros.

    Raises InspectError where that fails.
    """
    if not has_lazy(model):
        return model
    inputs = named(model, given)
    missing = (buffer for buffer in model.buffers() if is_lazy(buffer))
    # torch can copy a parameter that is missing, but not a buffer.
    made = {id(buffer): UninitializedBuffer() for buffer in missing}
    own = copy.deepcopy(model, dict[int, Any](made)).eval().to("cpu")
    zeros = [
        torch.zeros((1, *entry.shape), dtype=getattr(torch, entry.dtype or "float32"), device="cpu")
        for entry in inputs
    ]
    args, kwargs = arguments(own, [entry.name for entry in inputs], zeros)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad(), torch.device("cpu"):
            own(*args, **kwargs)
    except (InspectError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise ShapeError(
            f"{type(model).__name__} has lazy layers, and running it once fails: "
            f"{first_line(error)}"
        ) from error
    return own
