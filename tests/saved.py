"""What autograd keeps of a forward pass, measured."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def own(model: nn.Module) -> set[int]:
    """The storages of a model's parameters and buffers."""
    tensors = [*model.parameters(), *model.buffers()]
    return {tensor.untyped_storage()._cdata for tensor in tensors}


def measured_saved(model: nn.Module, x: Tensor) -> int:
    """Bytes of the unique storages that a forward pass keeps, parameters left out."""
    theirs = own(model)
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in theirs:
            kept[storage._cdata] = storage  # held, so that its address is not used again
        return tensor.detach()  # the tensor itself would hold the graph that holds it

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(x)
    del output
    return sum(storage.nbytes() for storage in kept.values())
