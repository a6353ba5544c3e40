"""Weights and statistics at random, for models that are compared."""

from __future__ import annotations

import math

import torch
from torch import nn


def randomise(model: nn.Module) -> None:
    """Weights and statistics at random, such that values stay finite through many layers."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.dim() > 1:
            bound = math.sqrt(3 / value[0].numel())
            value.uniform_(-bound, bound, generator=generator)
        elif name.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.uniform_(-0.2, 0.2, generator=generator)
        else:
            value.zero_()
