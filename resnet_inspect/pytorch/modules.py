"""Modules that torch.nn does not have."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnet_inspect.networks import ops, self_attention
from resnet_inspect.networks.active_norm import ActiveNorm as ActiveNormOp
from resnet_inspect.networks.torch_ops import Conv


def convolution_settings(op: ops.Convolution) -> tuple[Any, ...]:
    """What nn.Conv2d, and its like of other axes, take to be an op's module."""
    sizes = (op.kernel, op.stride, op.padding, op.dilation)
    return (op.in_channels, op.out_channels, *sizes, op.groups, op.bias)


class _OfOp(nn.Module):
    """A module that does what an op says."""

    op: Any

    def __init__(self, op: ops.Op) -> None:
        super().__init__()
        self.op = op


class StandardizedConv2d(nn.Conv2d):
    """Weights of mean 0 and variance 1 for each output."""

    def __init__(self, op: ops.Conv2d, epsilon: float = 1e-8) -> None:
        super().__init__(*convolution_settings(op))
        self.op, self.epsilon = op, epsilon

    def standardized(self, scale: Tensor | None = None) -> Tensor:
        """The weights that it convolves with: batch norm of them, as timm computes it."""
        rows = self.weight.reshape(1, self.out_channels, -1)
        normed = F.batch_norm(rows, None, None, scale, None, True, 0.0, self.epsilon)
        return normed.reshape_as(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self._conv_forward(input, self.standardized(), self.bias)
        return output


class ScaledConv2d(StandardizedConv2d):
    """That, over the root of their number, times gamma and a learned gain."""

    def __init__(self, op: ops.ScaledConv2d) -> None:
        super().__init__(op, 1e-5)
        self.gain = nn.Parameter(torch.ones(op.out_channels, 1, 1, 1))
        self.scale = op.gamma * self.weight[0].numel() ** -0.5

    def forward(self, input: Tensor) -> Tensor:
        weight = self.standardized((self.gain * self.scale).view(-1))
        output: Tensor = self._conv_forward(input, weight, self.bias)
        return output


def concatenated(*tensors_and_axis: Any) -> Tensor:
    """Tensors one after another along an axis, which comes last."""
    *tensors, axis = tensors_and_axis
    return torch.cat(tensors, axis)


class FixedConv2d(_OfOp):
    """The binomial filter 1 2 1 in both directions, over each channel: weights held as a
    buffer that the state dict leaves out, as timm's."""

    filt: Tensor

    def __init__(self, op: Conv) -> None:
        super().__init__(op)
        row = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("filt", (row[:, None] * row).repeat(op.out_channels, 1, 1, 1), False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.filt, None, self.op.stride, 0, 1, self.op.groups)


class FrozenBatchNorm2d(_OfOp):
    """Batch norm by fixed numbers: torchvision's, with its tensors and its arithmetic."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, op: ops.FrozenBatchNorm2d, eps: float = 1e-5) -> None:
        super().__init__(op)
        self.eps = eps
        starts = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        for name, value in starts.items():
            self.register_buffer(name, torch.full((op.channels,), value))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *settings: Any
    ) -> None:
        state_dict.pop(f"{prefix}num_batches_tracked", None)  # of the batch norm that it was
        super()._load_from_state_dict(state_dict, prefix, *settings)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        y = x * scale.to(x.dtype).view(-1, 1, 1)
        y += shift.to(x.dtype).view(-1, 1, 1)
        return y


class DropPath(nn.Module):
    """Whole samples dropped in training, the others scaled up: timm's, with its random numbers."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = x.new_empty(len(x), *(1,) * (x.dim() - 1)).bernoulli_(1 - self.p)
        return x * kept.div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p:.3g}"


class Multiply(_OfOp):
    """Each element times a number."""

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = x * self.op.factor
        return product

    def extra_repr(self) -> str:
        return str(self.op.factor)


class AddedPositions(_OfOp):
    """Learned vectors, added to a token and the positions behind it; resampled as timm does."""

    def __init__(self, op: self_attention.Positions) -> None:
        super().__init__(op)
        width = op.output[-1]
        self.weight = nn.Parameter(torch.randn(op.params // width, width) * width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.resampled()

    def resampled(self) -> Tensor:
        """The vectors for the map that is given."""
        if self.op.grid == self.op.made_for:
            return self.weight
        token, rest = self.weight[:1], self.weight[1:].float()
        maps = rest.reshape(1, *self.op.made_for, -1).permute(0, 3, 1, 2)
        maps = F.interpolate(maps, size=self.op.grid, mode="bicubic", antialias=True)
        return torch.cat([token, maps.flatten(2)[0].t().to(token.dtype)])


class ActiveNorm(_OfOp):
    """A norm that activates, computed as timm does."""

    v: Tensor | None
    tau: Tensor | None

    def __init__(self, op: ActiveNormOp) -> None:
        super().__init__(op)
        channels = op.channels
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_parameter("v", None)
        self.register_parameter("tau", None)
        if op.activates:
            evo = op.type == "EvoNormS0"
            bent = nn.Parameter(torch.ones(channels) if evo else torch.zeros(channels))
            setattr(self, "v" if evo else "tau", bent)

    def forward(self, x: Tensor) -> Tensor:
        def each(value: Tensor) -> Tensor:
            return value.view(1, -1, 1, 1)

        epsilon = self.op.epsilon
        if self.op.type == "EvoNormS0":
            grouped = x.reshape(len(x), self.op.groups, -1, *x.shape[2:])
            variance = grouped.float().var((2, 3, 4), unbiased=False, keepdim=True)
            deviation = variance.add(epsilon).sqrt().to(x.dtype)
            deviation = deviation.expand(grouped.shape).reshape(x.shape)
            if self.v is not None:
                x = x * (x * each(self.v)).sigmoid()
            x = x / deviation
        else:
            mean_square = x.square().float().mean((2, 3), keepdim=True)
            x = x * mean_square.add(epsilon).rsqrt().to(x.dtype).expand(x.shape)
        x = x * each(self.weight) + each(self.bias)
        return x if self.tau is None else torch.maximum(x, each(self.tau))

    def extra_repr(self) -> str:
        return f"{self.op.type}, {self.op.groups}, {self.op.channels}"


class Gain(_OfOp):
    """Each element times a learned number."""

    def __init__(self, op: ops.Gain) -> None:
        super().__init__(op)
        self.gain = nn.Parameter(torch.tensor(op.factor))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain


class Windows(nn.Unfold):
    """Square windows of a map, as columns."""

    def __init__(self, op: self_attention.Windows) -> None:
        super().__init__(op.side, padding=op.padding, stride=op.stride)
        self.op = op


class ZeroPadShortcut(_OfOp):
    """Shortcut option A: strided positions, zeros for the new channels."""

    def forward(self, x: Tensor) -> Tensor:
        down, across = self.op.stride
        added = self.op.out_channels - self.op.in_channels
        return F.pad(x[:, :, ::down, ::across], (0, 0, 0, 0, 0, added))

    def extra_repr(self) -> str:
        return f"{self.op.in_channels}, {self.op.out_channels}, stride={self.op.stride}"
