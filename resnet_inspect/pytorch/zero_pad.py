"""Shortcut option A as a module."""

from __future__ import annotations

import torch
from torch import nn


class ZeroPadShortcut(nn.Module):
    """Shortcut option A: strided positions, zeros for the new channels."""

    def __init__(self, in_channels: int, out_channels: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = x[:, :, :: self.stride[0], :: self.stride[1]]
        return nn.functional.pad(kept, (0, 0, 0, 0, 0, self.out_channels - self.in_channels))

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, stride={self.stride}"
