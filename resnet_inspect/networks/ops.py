"""The kinds of layer: what each computes on shapes, and the parameters it holds.

An op is frozen data. It knows its output shape and its parameters, and nothing of names, costs,
torch or pictures; rules about ops (costs, receptive fields, memory, drawing, assembling) live in
the wings that need them. Shape arithmetic follows the PyTorch documentation of the layer of the
same name.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from typing import Any, ClassVar, Self, dataclass_transform

from resnet_inspect.errors import ShapeError
from resnet_inspect.networks.shapes import Pair, Shape, elements, reached, show_shape, slid


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """A kind of layer with its settings, as frozen data: equal where kind and settings are.

    Every subclass is a frozen dataclass, without writing the decorator.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    category: ClassVar[str] = "other"
    """Which of op_labels.CATEGORIES it belongs to."""

    @property
    def inplace(self) -> bool:
        """Whether it overwrites its first input, as torchvision's ReLU and residual addition do."""
        return False

    def aliases_input(self, training: bool) -> bool:
        """Whether its output lies in its first input's memory, in train or in eval mode."""
        return self.inplace

    @property
    def kind(self) -> str:
        """The name people use for it, equal to torch.nn's where torch.nn has it."""
        return type(self).__name__

    @property
    def params(self) -> int:
        """Learned parameters."""
        return 0

    @property
    def buffers(self) -> int:
        """Entries of the state dict that are not learned, batch norm's counter included."""
        return 0

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape that comes out; raises ShapeError where the inputs do not fit.

        Unless an op knows better: the `output` that was seen, or the first input's shape.
        """
        seen: Shape | None = getattr(self, "output", None)
        return shapes[0] if seen is None else seen

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting's value by name."""
        return dict(vars(self))

    def replace(self, **changes: Any) -> Self:
        """This op with some settings changed."""
        return type(self)(**{**vars(self), **changes})

    def __init_subclass__(cls) -> None:
        # what all kinds have alike stands below, once: a decorator would compile it for each
        if "__annotations__" in vars(cls):
            dataclass(frozen=True, eq=False, repr=False)(cls)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        settings = ", ".join([f"{name}={value!r}" for name, value in vars(self).items()])
        return f"{type(self).__qualname__}({settings})"


def _channels(shape: Shape, wanted: int) -> None:
    if len(shape) != 3 or shape[0] != wanted:
        raise ShapeError(f"takes {wanted} channels, not an input of {show_shape(shape)}")


class Convolution(Op):
    """What convolutions over any number of axes have in common."""

    category = "convolution"
    in_channels: int
    out_channels: int
    kernel: Shape
    stride: Shape
    padding: Shape
    groups: int = 1
    bias: bool = False
    dilation: Shape = ()

    @property
    def weights(self) -> int:
        """Entries of the kernel tensor: out x in/groups x kernel, or transposed."""
        return self.out_channels * (self.in_channels // self.groups) * elements(self.kernel)

    @property
    def params(self) -> int:
        return self.weights + (self.out_channels if self.bias else 0)

    @property
    def reach(self) -> Shape:
        """Extent of the dilated kernel."""
        return reached(self.kernel, self.dilation)


class Conv2d(Convolution):
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def reach(self) -> Pair:
        """Extent of the dilated kernel."""
        if self.dilation == (1, 1):
            return self.kernel
        (height, width), (down, across) = self.kernel, self.dilation
        return down * (height - 1) + 1, across * (width - 1) + 1

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        _channels(shape, self.in_channels)
        return (self.out_channels, *slid(shape, self.reach, self.stride, self.padding))


class StandardizedConv2d(Conv2d):
    """Weights of mean 0 and variance 1 for each output (Qiao et al. 2019, arXiv 1903.10520)."""


GAMMAS = {
    "relu": 1.7139588594436646,
    "relu6": 1.7131484746932983,
    "leaky_relu": 1.70590341091156,
    "elu": 1.2716004848480225,
    "gelu": 1.7015043497085571,
    "silu": 1.7881293296813965,
}
"""What gives back the variance 1 behind an activation (deepmind-research, nfnets/base.py)."""


class ScaledConv2d(Conv2d):
    """That, over the root of their number, times gamma and a learned gain (Brock et al. 2021,
    arXiv 2101.08692, section 4.1)."""

    gamma: float = GAMMAS["relu"]

    @property
    def params(self) -> int:
        return super().params + self.out_channels


STANDARDIZING = StandardizedConv2d | ScaledConv2d
"""Convolutions that make their weights in each pass."""


class Multiply(Op):
    """Each element times a number."""

    category = "addition and gating"
    factor: float


class Gain(Multiply):
    """Each element times a learned number, which is `factor` at first."""

    factor: float = 0.0

    @property
    def params(self) -> int:
        return 1


class BatchNorm2d(Op):
    category = "normalization"
    channels: int

    @property
    def params(self) -> int:
        return 2 * self.channels  # scale and shift

    @property
    def buffers(self) -> int:
        return 2 * self.channels + 1  # running mean, running variance, batches seen

    def output_shape(self, *shapes: Shape) -> Shape:
        _channels(shapes[0], self.channels)
        return shapes[0]


class FrozenBatchNorm2d(BatchNorm2d):
    """Batch norm by fixed numbers, as detection backbones have it: all that it holds is buffers."""

    @property
    def params(self) -> int:
        return 0

    @property
    def buffers(self) -> int:
        return 4 * self.channels  # scale, shift, mean, variance


class Activation(Op):
    """An elementwise function without parameters."""

    category = "activation"

    inplace: bool = field(default=False, kw_only=True)

    keeps = "input"
    """What its backward pass needs (torch's derivatives.yaml): its 'input', its 'output', or
    'either', which is its input, or its output where that overwrites the input."""


class ReLU(Activation):
    inplace: bool = field(default=True, kw_only=True)
    keeps = "output"


class ReLU6(Activation):
    """Not in place: torch's backward needs its input, so overwriting would keep a copy anyway."""


class LeakyReLU(Activation):
    negative_slope: float = 0.01
    inplace: bool = field(default=True, kw_only=True)
    keeps = "either"


class ELU(Activation):
    alpha: float = 1.0
    inplace: bool = field(default=True, kw_only=True)
    keeps = "either"


class GELU(Activation):
    pass


class SiLU(Activation):
    pass


class Mish(Activation):
    pass


class Hardswish(Activation):
    pass


class Sigmoid(Activation):
    keeps = "output"


ACTIVATIONS: dict[str, Activation] = {
    "relu": ReLU(),
    "relu6": ReLU6(),
    "leaky_relu": LeakyReLU(),
    "elu": ELU(),
    "gelu": GELU(),
    "silu": SiLU(),
    "mish": Mish(),
    "hardswish": Hardswish(),
}


class Pool2d(Op):
    """A window that slides over each channel."""

    category = "pooling"

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    ceil: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) != 3:
            raise ShapeError(f"takes channels x height x width, not {show_shape(shape)}")
        return (shape[0], *slid(shape, self.kernel, self.stride, self.padding, self.ceil))


class MaxPool2d(Pool2d):
    pass


class AvgPool2d(Pool2d):
    """Average over a window, by default over the part of it that lies on the input."""

    count_padding: bool = False


class GlobalAvgPool2d(Op):
    """Average over all positions: torch's AdaptiveAvgPool2d(1), or a mean that drops them."""

    category = "pooling"

    keepdim: bool = True

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) != 3:
            raise ShapeError(f"takes channels x height x width, not {show_shape(shape)}")
        return (shape[0], 1, 1) if self.keepdim else (shape[0],)


class Flatten(Op):
    category = "reshaping"

    def aliases_input(self, training: bool) -> bool:
        return True  # a view

    def output_shape(self, *shapes: Shape) -> Shape:
        return (elements(shapes[0]),)


class Linear(Op):
    """A matrix applied to the last dimension, in each place where there are several."""

    category = "linear"

    in_features: int
    out_features: int
    bias: bool = True

    @property
    def weights(self) -> int:
        """Entries of the weight matrix."""
        return self.in_features * self.out_features

    @property
    def params(self) -> int:
        return self.weights + (self.out_features if self.bias else 0)

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if shape[-1:] != (self.in_features,):
            raise ShapeError(f"takes {self.in_features} features, not {show_shape(shape)}")
        return (*shape[:-1], self.out_features)


class Add(Op):
    """The residual addition: the residual first, the shortcut second."""

    category = "addition and gating"

    inplace: bool = True

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0] != shapes[1]:
            raise ShapeError(f"cannot add {show_shape(shapes[0])} and {show_shape(shapes[1])}")
        return shapes[0]


class Scale(Op):
    """Each channel times its gate: (C, H, W) x (C, 1, 1)."""

    category = "addition and gating"

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[1] != (shapes[0][0], 1, 1):
            raise ShapeError(f"cannot gate {show_shape(shapes[0])} by {show_shape(shapes[1])}")
        return shapes[0]


class ZeroPad(Op):
    """Shortcut option A: every `stride`-th position, new channels filled with zeros.

    He et al. 2015, section 3.3, option A: no parameters. The zeros come after the input's
    channels, as in the authors' successor code (fb.resnet.torch).
    """

    category = "reshaping"

    in_channels: int
    out_channels: int
    stride: Pair = (1, 1)

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        _channels(shape, self.in_channels)
        return (self.out_channels, -(-shape[1] // self.stride[0]), -(-shape[2] // self.stride[1]))
