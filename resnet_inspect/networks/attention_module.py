"""The steps that attention is made of."""

from __future__ import annotations

from itertools import accumulate

from resnet_inspect.networks import ops
from resnet_inspect.networks.design import Module, Tensor
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.torch_ops import Function, MatMul, View


class Attending(Module[Tensor]):
    """A module that attends to positions or channels, and its steps."""

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        """The product of matrices in the last two axes."""
        *outer, rows, _ = self.shape(left)
        return self.add(MatMul((*outer, rows, self.shape(right)[-1])), left, right)

    def shaped(
        self, tensor: Tensor, *shape: int, copies: bool = False, function: str = "reshape"
    ) -> Tensor:
        """The elements of a tensor in another shape."""
        return self.add(View(function, shape, copies=copies), tensor)

    def swapped(self, tensor: Tensor, last: int) -> Tensor:
        """Two neighbouring axes of a tensor in each other's place; last: the second of them."""
        axes = list(range(len(self.shape(tensor))))
        axes[last - 1], axes[last] = last, last - 1
        return self.turned(tensor, *axes, function="transpose")

    def turned(self, tensor: Tensor, *axes: int, function: str = "permute") -> Tensor:
        """The axes of a tensor in this order."""
        shape = self.shape(tensor)
        went = tuple(axes.index(axis) for axis in range(len(axes)))
        output = tuple(shape[axis] for axis in axes)
        return self.add(View(function, output, placed(went, shape)), tensor)

    def cut(self, tensor: Tensor, start: int, count: int) -> Tensor:
        """Some positions of a tensor's last axis."""
        *outer, size = self.shape(tensor)
        if count == size:
            return tensor
        shape = (*outer, count)
        *places, (last, _, step) = placed(tuple(range(len(shape))), shape)
        return self.add(View("slice", shape, (*places, (last, start, step))), tensor)

    def channels(self, tensor: Tensor, start: int, count: int) -> Tensor:
        """Some channels of a map."""
        output = (count, *self.shape(tensor)[1:])
        return self.add(View("narrow", output, placed((0, 1, 2), output, start)), tensor)

    def split(self, tensor: Tensor, *sizes: int) -> list[Tensor]:
        """The channels of a map, so many at a time."""
        ends = accumulate(sizes)
        return [
            self.channels(tensor, end - size, size) for end, size in zip(ends, sizes, strict=True)
        ]

    def heads(self, tensor: Tensor, heads: int) -> Tensor:
        """The channels of each head, at all positions of a map."""
        width, height, across = self.shape(tensor)
        return self.shaped(tensor, heads, width // heads, height * across)

    def softmax(self, tensor: Tensor, axis: int = -1) -> Tensor:
        """The shares of what is along an axis."""
        return self.add(Function("Softmax", over=(axis % len(self.shape(tensor)),)), tensor)

    def summed(self, *tensors: Tensor) -> Tensor:
        """The sum of tensors, each a new one."""
        first, *more = tensors
        for tensor in more:
            first = self.add(ops.Add(False), first, tensor)
        return first


def placed(axes: Shape, sizes: Shape, start: int = 0) -> tuple[tuple[int, int, int], ...]:
    """Where axes of these sizes go (View.places); one of a single position goes nowhere."""
    ends = zip(axes, sizes, strict=True)
    return tuple(
        (axis if size > 1 else -1, 0 if at else start, 1) for at, (axis, size) in enumerate(ends)
    )
