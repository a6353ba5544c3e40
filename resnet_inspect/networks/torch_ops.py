"""The kinds of layer of traced networks, besides those of ops.py.

As there, an op is frozen data: settings, parameters and shape arithmetic of the PyTorch layer of
the same name. Tuples hold one number for each spatial axis, so that one class serves 1-D, 2-D and
3-D layers. Ops whose result cannot be told from the shapes alone hold the shape that was seen.
"""

from __future__ import annotations

from resnet_inspect.errors import ShapeError
from resnet_inspect.networks import ops
from resnet_inspect.networks.shapes import Shape, elements, reached, show_shape, slid

Sizes = tuple[int, ...]


def _fitting(shape: Shape, axes: int, channels: int | None = None) -> tuple[Shape, Shape]:
    """What is folded into the batch, such as the frames of a video; and channels and axes."""
    if len(shape) <= axes or channels not in (None, shape[-axes - 1]):
        wanted = "channels" if channels is None else f"{channels} channels"
        raise ShapeError(f"takes {wanted} and {axes} axes, not an input of {show_shape(shape)}")
    return shape[: -axes - 1], shape[-axes - 1 :]


class Typed(ops.Op):
    """An op that says what it is called in its setting `type`."""

    type: str

    @property
    def kind(self) -> str:
        return self.type


class ByFunction(ops.Op):
    """An op that torch has as a function: mul, permute, mean, ..; output: the shape seen."""

    function: str
    output: Shape

    @property
    def kind(self) -> str:
        return self.function.capitalize()


class Opaque(Typed):
    """A layer that no rule knows, or of which only numbers are known.

    type: what its author calls it. output: the shape that it gives. macs: multiply-accumulates for
    one sample where somebody gave them; None is unknown, never zero.
    """

    output: Shape
    params: int = 0
    buffers: int = 0
    macs: int | None = None


class Source(ops.Op):
    """A tensor that a network holds or makes itself, as the input of a layer: learned queries.

    output: its shape; params, buffers: entries of those that it is made of.
    """

    output: Shape
    params: int = 0
    buffers: int = 0

    @property
    def kind(self) -> str:
        return "Learned" if self.params else "Constant"


class Conv(ops.Convolution):
    """Convolution over any number of axes.

    made_of: entries of the parameters and of the buffers that its kernel and bias are made of,
    where these are not the kernel and bias themselves: (0, 9) for a fixed 3x3 blur.
    """

    made_of: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        fixed = self.made_of is not None and self.made_of[0] == 0
        return f"{'Fixed' if fixed else ''}Conv{len(self.kernel)}d"

    @property
    def params(self) -> int:
        return super().params if self.made_of is None else self.made_of[0]

    @property
    def buffers(self) -> int:
        return 0 if self.made_of is None else self.made_of[1]

    def output_shape(self, *shapes: Shape) -> Shape:
        folded, shape = _fitting(shapes[0], len(self.kernel), self.in_channels)
        return *folded, self.out_channels, *slid(shape, self.reach, self.stride, self.padding)


class ConvTranspose(ops.Convolution):
    """Transposed convolution: each input position adds a kernel to the output."""

    output_padding: Sizes = ()

    @property
    def kind(self) -> str:
        return f"ConvTranspose{len(self.kernel)}d"

    def output_shape(self, *shapes: Shape) -> Shape:
        folded, shape = _fitting(shapes[0], len(self.kernel), self.in_channels)
        more = self.output_padding or (0,) * len(self.kernel)
        axes = zip(shape[1:], self.stride, self.padding, self.reach, more, strict=True)
        return (
            *folded,
            self.out_channels,
            *((size - 1) * step - 2 * edge + far + more for size, step, edge, far, more in axes),
        )


class BatchNorm(Typed):
    """Batch norm over one or three axes, or without parameters or running statistics.

    type: torch's name for it; params and buffers: entries that it holds.
    """

    category = "normalization"

    channels: int
    params: int = 0
    buffers: int = 0


class GroupNorm(ops.Op):
    """Normalization over groups of channels and all positions (InstanceNorm: single channels)."""

    category = "normalization"

    groups: int
    channels: int
    affine: bool = True
    type: str = "GroupNorm"

    @property
    def kind(self) -> str:
        return self.type

    @property
    def params(self) -> int:
        return 2 * self.channels if self.affine else 0

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.channels not in shapes[0][:2]:
            raise ShapeError(f"takes {self.channels} channels, not {show_shape(shapes[0])}")
        return shapes[0]


class LayerNorm(ops.Op):
    """Normalization over the last dimensions; RMSNorm scales and does not shift.

    size: those dimensions; params: entries of its scale and shift.
    """

    category = "normalization"

    size: Sizes
    params: int = 0
    type: str = "LayerNorm"

    @property
    def kind(self) -> str:
        return self.type

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0][-len(self.size) :] != self.size:
            raise ShapeError(f"takes {show_shape(self.size)}, not {show_shape(shapes[0])}")
        return shapes[0]


class LocalResponseNorm(ops.Op):
    """Each element over a power of the mean square of `size` channels around it."""

    category = "normalization"

    size: int


class Function(ops.Activation):
    """An activation that has no class of its own.

    name: torch.nn's name for it. over: the dimensions along which an element depends on others
    (Softmax).
    """

    name: str
    params: int = 0
    over: Sizes = ()

    @property
    def kind(self) -> str:
        return self.name


class Dropout(Typed):
    """Dropout, stochastic depth and their like: they do nothing in an inference pass."""

    category = "dropout"

    type: str = "Dropout"
    p: float = 0.5

    def aliases_input(self, training: bool) -> bool:
        return self.p == 0 or not training


class Pool(Typed):
    """A pool over one or three axes, or with dilation. type: MaxPool1d, AvgPool3d, .."""

    category = "pooling"

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    ceil: bool = False
    dilation: Sizes = ()

    @property
    def reach(self) -> Sizes:
        """Extent of the dilated window."""
        return reached(self.kernel, self.dilation)

    def output_shape(self, *shapes: Shape) -> Shape:
        folded, shape = _fitting(shapes[0], len(self.kernel))
        edges = self.padding
        return *folded, shape[0], *slid(shape, self.reach, self.stride, edges, self.ceil)


class AdaptivePool(Typed):
    """A pool with windows that give `size`. type: AdaptiveAvgPool2d, AdaptiveMaxPool1d, .."""

    category = "pooling"

    size: Sizes

    def output_shape(self, *shapes: Shape) -> Shape:
        folded, shape = _fitting(shapes[0], len(self.size))
        return *folded, shape[0], *self.size

    def windows(self, shape: Shape) -> int:
        """Elements of all windows over one channel; window i of n over m positions runs from
        floor(i m / n) to ceil((i + 1) m / n), as torch's AdaptiveAveragePooling.cpp has it."""
        covered = 1
        for positions, count in zip(shape[-len(self.size) :], self.size, strict=True):
            spans = (
                -(-(i + 1) * positions // count) - i * positions // count for i in range(count)
            )
            covered *= sum(spans)
        return covered


class Reduce(ByFunction):
    """A reduction over some dimensions: mean, sum, var, amax, ..

    over: those dimensions; of a scan, such as cumsum, they keep their positions.
    """

    over: Sizes = ()


class Concat(ops.Op):
    """Tensors one after another along a dimension (0: channels)."""

    dim: int = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        first, joined = shapes[0], list(shapes[0])
        for shape in shapes[1:]:
            aligned = (*shape[: self.dim], first[self.dim], *shape[self.dim + 1 :])
            if aligned != first:
                raise ShapeError(f"cannot join {show_shape(first)} and {show_shape(shape)}")
            joined[self.dim] += shape[self.dim]
        return tuple(joined)


class Arithmetic(ByFunction):
    """Elementwise arithmetic of tensors, numbers and learned constants, with broadcasting.

    function: mul, add, sub, div, ..; params: entries of the learned constants among its operands
    (ConvNeXt's layer scale, a position embedding). over: the dimensions along which an element
    depends on others (normalize).
    """

    params: int = 0
    inplace: bool = False
    over: Sizes = ()


class View(ByFunction):
    """The same elements, or some of them, in another shape or order.

    places: where each dimension of the input went: the dimension of the output that runs along it
    (-1: none, one index of it is left), its first index and its step; () where that is not so.
    copies: whether they are moved, since they do not lie as the shape wants them.
    """

    places: tuple[tuple[int, int, int], ...] = ()
    copies: bool = False

    def aliases_input(self, training: bool) -> bool:
        return not self.copies


class Move(ByFunction):
    """Elements copied to other places: roll, repeat, pixel_shuffle, ..; moved and not computed.

    params: entries of learned constants among them, such as a class token. over: the dimensions
    along which they move, if they keep their places along the others; () where they do not.
    inplace: whether they are written into the first input.
    """

    params: int = 0
    over: Sizes = ()
    inplace: bool = False


class Pad(ops.Op):
    """More elements before and after each of the last axes.

    padding: (before, after) for the last axis, then for the one before it, as torch's pad has it.
    """

    padding: Sizes
    mode: str = "constant"

    def output_shape(self, *shapes: Shape) -> Shape:
        sizes = list(shapes[0])
        if len(self.padding) > 2 * len(sizes):
            raise ShapeError(f"pads {len(self.padding) // 2} axes of {show_shape(shapes[0])}")
        for axis in range(len(self.padding) // 2):
            sizes[-1 - axis] += self.padding[2 * axis] + self.padding[2 * axis + 1]
        if min(sizes) < 1:
            raise ShapeError(f"cuts more than there is off {show_shape(shapes[0])}")
        return tuple(sizes)


class Interpolate(ops.Op):
    """Resampling to another resolution.

    taps: input positions that make an output. corners: whether the corners of both lie on one
    another (torch's align_corners).
    """

    mode: str
    output: Shape
    taps: int = 1
    corners: bool = False


class MatMul(ops.Op):
    """Product of two activations over their last two dimensions, with the others broadcast."""

    output: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) < 2 or shapes[0][-1] != shapes[1][-2 if len(shapes[1]) > 1 else 0]:
            raise ShapeError(f"cannot multiply {show_shape(shapes[0])} and {show_shape(shapes[1])}")
        return self.output


class Unpool(Typed):
    """Undoes a max pool by its indices: each input goes to one place of its window, zeros else."""

    category = "pooling"

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    output: Shape


class Product(Typed):
    """Sums of products of activations or weights: recurrent layers, einsum, attention, ..

    terms: the factors of each term of its multiply-accumulates, such as (steps, weights).
    """

    output: Shape
    terms: tuple[Sizes, ...]
    params: int = 0

    @property
    def macs(self) -> int:
        return sum(elements(term) for term in self.terms)


class Attention(ops.Op):
    """Scaled dot-product attention of queries, keys and values (.., length, features)."""

    output: Shape
