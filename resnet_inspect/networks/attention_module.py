"""The steps that attention between positions is made of."""

from __future__ import annotations

from typing import Generic

from resnet_inspect.networks import ops
from resnet_inspect.networks.attention import channels_of, placed
from resnet_inspect.networks.design import Builder, Tensor
from resnet_inspect.networks.torch_ops import Function, MatMul, View


class Module(Generic[Tensor]):
    """A builder at the path of a module: layers are named by their kinds, if by nothing else."""

    def __init__(self, net: Builder[Tensor], path: str) -> None:
        self.net, self.path, self.shape = net, path, net.shape

    def within(self, name: str) -> Module[Tensor]:
        return Module(self.net, f"{self.path}.{name}")

    def add(self, op: ops.Op, *tensors: Tensor, name: str = "") -> Tensor:
        return self.net.add(op, *tensors, name=f"{self.path}.{name or op.kind.lower()}")

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        """The product of matrices in the last two axes."""
        *outer, rows, _ = self.shape(left)
        return self.add(MatMul((*outer, rows, self.shape(right)[-1])), left, right)

    def shaped(self, tensor: Tensor, *shape: int, copies: bool = False) -> Tensor:
        """The elements of a tensor in another shape."""
        return self.add(View("reshape", shape, copies=copies), tensor)

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

    def split(self, tensor: Tensor, *sizes: int) -> list[Tensor]:
        """The channels of a tensor, so many at a time."""
        starts = [sum(sizes[:at]) for at in range(len(sizes))]
        return [
            channels_of(self.net, tensor, start, size, self.path)
            for start, size in zip(starts, sizes, strict=True)
        ]

    def heads(self, tensor: Tensor, heads: int) -> Tensor:
        """The channels of each head, at all positions of a map."""
        width, height, across = self.shape(tensor)
        return self.shaped(tensor, heads, width // heads, height * across)

    def softmax(self, tensor: Tensor) -> Tensor:
        """The shares of what is in the last axis."""
        return self.add(Function(name="Softmax", over=(len(self.shape(tensor)) - 1,)), tensor)
