"""Self-attention between the positions of a map: CLIP's pool, and in place of a 3x3 convolution.

Paths are timm's. As in attention.py, each function adds its layers and gives what leaves them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from resnet_inspect.errors import ShapeError
from resnet_inspect.networks import ops
from resnet_inspect.networks.attention import channels_of, placed
from resnet_inspect.networks.design import Builder, Part, Tensor, batch_norm, conv
from resnet_inspect.networks.shapes import Pair, Shape, show_shape
from resnet_inspect.networks.torch_ops import (
    Arithmetic,
    Attention,
    Concat,
    Conv,
    Function,
    MatMul,
    Reduce,
    View,
)


class Positions(Arithmetic):
    """A learned vector for each position of a map, and one for a token before them, added.

    grid: height and width of the map; made_for: those that there are vectors for, which are
    resampled where these differ.
    """

    grid: Pair = (0, 0)
    made_for: Pair = (0, 0)


HEAD_WIDTH = 64
"""Channels of each head of CLIP's pool."""


def attention_pool(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """The mean of all positions asks each of them (Radford et al. 2021, section 2.3).

    All of them ask, and the first answer is taken; positions are learned for the network's own
    input size, and resampled for another.
    """
    width, *grid = net.shape(tensor)
    count = grid[0] * grid[1]
    tensor = net.add(View("flatten", (width, count)), tensor, name=f"{path}.flatten")
    tensor = _swapped(net, tensor, path)
    mean = net.add(Reduce("mean", (1, width), (0,)), tensor, name=f"{path}.mean")
    tensor = net.add(Concat(), mean, tensor, name=f"{path}.cat")
    made_for = part.positions
    params = (made_for[0] * made_for[1] + 1) * width
    known = Positions("add", (count + 1, width), params, grid=(grid[0], grid[1]), made_for=made_for)
    tensor = net.add(known, tensor, name=f"{path}.pos_embed")
    heads = (count + 1, width // HEAD_WIDTH, HEAD_WIDTH)
    asked = []
    for name in "qkv":
        of_heads = net.add(ops.Linear(width, width), tensor, name=f"{path}.{name}")
        asked.append(_swapped(net, _shaped(net, of_heads, path, heads), path))
    answer = Attention((heads[1], heads[0], heads[2]))
    tensor = _swapped(
        net, net.add(answer, *asked, name=f"{path}.scaled_dot_product_attention"), path
    )
    tensor = _shaped(net, tensor, path, (count + 1, width), copies=heads[1] > 1)
    tensor = net.add(ops.Linear(width, part.leaving), tensor, name=f"{path}.proj")
    first = View("select", (part.leaving,), ((-1, 0, 1), (0 if part.leaving > 1 else -1, 0, 1)))
    return net.add(first, tensor, name=f"{path}.select")


def bottleneck_attention(
    net: Builder[Tensor], part: Part, path: str, op: ops.Conv2d, tensor: Tensor
) -> Tensor:
    """All positions attend to all, each knowing how far they are (arXiv 2101.11605, Figure 4)."""
    width, *grid = net.shape(tensor)
    if tuple(grid) != part.positions:
        raise ShapeError(
            f"{path} has learned distances for {show_shape(part.positions)} positions and gets "
            f"{show_shape(tuple(grid))}; give an input of the size that the network is made for"
        )
    heads, count = 4, grid[0] * grid[1]
    asked = part.design.query_width or width // heads
    made = _projected(net, path, tensor, (heads * asked, heads * asked, width))
    query, key, value = (_of_heads(net, tensor, path, heads) for tensor in made)
    query, value = _swapped(net, query, path, 2), _swapped(net, value, path, 2)
    near = net.add(MatMul((heads, count, count)), query, key, name=f"{path}.matmul")
    near = net.add(ops.Multiply(asked**-0.5), near, name=f"{path}.scale")
    apart = _distances(net, query, f"{path}.pos_embed", (heads, *grid, asked))
    near = net.add(ops.Add(False), near, apart, name=f"{path}.add")
    near = net.add(Function(name="Softmax", over=(2,)), near, name=f"{path}.softmax")
    tensor = net.add(MatMul((heads, count, width // heads)), near, value, name=f"{path}.matmul")
    return _folded(net, op, path, tensor, (width, *grid))


def _projected(net: Builder[Tensor], path: str, tensor: Tensor, sizes: Shape) -> list[Tensor]:
    """Queries, keys and values of so many channels."""
    all_of = net.add(conv(net.shape(tensor)[0], sum(sizes), 1), tensor, name=f"{path}.qkv")
    return [channels_of(net, all_of, sum(sizes[:at]), size, path) for at, size in enumerate(sizes)]


def _of_heads(net: Builder[Tensor], tensor: Tensor, path: str, heads: int) -> Tensor:
    """The channels of each head, at all positions of a map."""
    width, height, across = net.shape(tensor)
    return _shaped(net, tensor, path, (heads, width // heads, height * across))


def _folded(
    net: Builder[Tensor], op: ops.Conv2d, path: str, tensor: Tensor, shape: Shape
) -> Tensor:
    """What heads give for each position, as a map of this shape, which a pool strides over."""
    copies = min(net.shape(tensor)[1:]) > 1
    tensor = _shaped(net, _swapped(net, tensor, path, 2), path, shape, copies)
    if op.stride == (1, 1):
        return tensor
    return net.add(ops.AvgPool2d(op.stride, op.stride), tensor, name=f"{path}.pool")


def _distances(net: Builder[Tensor], query: Tensor, path: str, shape: Shape) -> Tensor:
    """A logit for each pair of positions, of how far they are from left to right and down."""
    heads, height, width, _ = shape
    query = _shaped(net, query, path, shape)
    across = _distance(net, query, path, "width_rel")
    across = _shaped(net, across, path, (heads, height, width, 1, width))
    down = _distance(net, _swapped(net, query, path, 2), path, "height_rel")
    down = _shaped(net, _swapped(net, down, path, 2), path, (heads, height, width, height, 1))
    both = Arithmetic("add", (heads, height, width, height, width))
    apart = net.add(both, across, down, name=f"{path}.add")
    return _shaped(net, apart, path, (heads, height * width, height * width))


def _distance(net: Builder[Tensor], query: Tensor, path: str, name: str) -> Tensor:
    """A logit for each pair of positions in a row: the query times what is learned of so far apart.

    Of the positions i and j that is entry j - i + count - 1 of the query's row; where rows of one
    entry less lie one behind the other, from entry count - 1 on, it is entry j.
    """
    *outer, count, features = net.shape(query)
    span = 2 * count - 1
    logits = net.add(ops.Linear(features, span, False), query, name=f"{path}.{name}")
    if count == 1:
        return logits
    logits = _shaped(net, logits, path, (*outer, count * span))
    logits = _cut(net, logits, path, count - 1, count * (span - 1))
    logits = _shaped(net, logits, path, (*outer, count, span - 1))
    return _cut(net, logits, path, 0, count)


def lambda_layer(
    net: Builder[Tensor], part: Part, path: str, op: ops.Conv2d, tensor: Tensor, side: int = 9
) -> Tensor:
    """Each query is given to a linear function, made of all positions and of those around its own.

    Bello 2021 (arXiv 2102.08602), Figure 3; side: of the square around.
    """
    width, *grid = net.shape(tensor)
    heads, count, asked = 4, grid[0] * grid[1], part.design.query_width or 16
    each = width // heads
    query, key, value = _projected(net, path, tensor, (heads * asked, asked, each))
    query = net.add(batch_norm(heads * asked), query, name=f"{path}.norm_q")
    query = _swapped(net, _of_heads(net, query, path, heads), path, 2)
    value = net.add(batch_norm(each), value, name=f"{path}.norm_v")
    value = _swapped(net, _shaped(net, value, path, (each, count)), path)
    key = _shaped(net, key, path, (asked, count))
    key = net.add(Function(name="Softmax", over=(1,)), key, name=f"{path}.softmax")
    whole = net.add(MatMul((asked, each)), key, value, name=f"{path}.matmul")
    whole = _shaped(net, whole, path, (1, asked, each))
    whole = net.add(MatMul((heads, count, each)), query, whole, name=f"{path}.matmul")
    edge = side // 2
    around = Conv(1, asked, (side, side, 1), (1, 1, 1), (edge, edge, 0), 1, True, (1, 1, 1))
    near = _shaped(net, value, path, (1, *grid, each))
    near = net.add(around, near, name=f"{path}.conv_lambda")
    near = _swapped(net, _shaped(net, near, path, (1, asked, count, each)), path, 2)
    query = _shaped(net, query, path, (heads, count, 1, asked))
    near = net.add(MatMul((heads, count, 1, each)), query, near, name=f"{path}.matmul")
    near = _shaped(net, near, path, (heads, count, each))
    tensor = net.add(ops.Add(False), whole, near, name=f"{path}.add")
    return _folded(net, op, path, tensor, (width, *grid))


KINDS: dict[str, Callable[..., Any]] = {
    "bot": bottleneck_attention,
    "lambda": lambda_layer,
    "lambda13": partial(lambda_layer, side=13),
}
"""What takes the place of a 3x3 convolution, by the kind of self-attention that it is."""


def attend_to(
    net: Builder[Tensor], part: Part, path: str, op: ops.Conv2d, tensor: Tensor
) -> Tensor:
    """A block's self-attention; op: the convolution in whose place it is."""
    attended: Tensor = KINDS[part.attends](net, part, path, op, tensor)
    return attended


def _cut(net: Builder[Tensor], tensor: Tensor, path: str, start: int, count: int) -> Tensor:
    """Some positions of a tensor's last axis."""
    *outer, size = net.shape(tensor)
    if count == size:
        return tensor
    shape = (*outer, count)
    *places, (last, _, step) = placed(tuple(range(len(shape))), shape)
    op = View("slice", shape, (*places, (last, start, step)))
    return net.add(op, tensor, name=f"{path}.slice")


def _shaped(
    net: Builder[Tensor], tensor: Tensor, path: str, shape: Shape, copies: bool = False
) -> Tensor:
    """The elements of a tensor in another shape."""
    return net.add(View("reshape", shape, copies=copies), tensor, name=f"{path}.reshape")


def _swapped(net: Builder[Tensor], tensor: Tensor, path: str, last: int = 1) -> Tensor:
    """Two neighbouring axes of a tensor in each other's place; last: the second of them."""
    shape = net.shape(tensor)
    axes = [*range(last - 1), last, last - 1, *range(last + 1, len(shape))]
    turned = View("transpose", tuple(shape[axis] for axis in axes), placed(tuple(axes), shape))
    return net.add(turned, tensor, name=f"{path}.transpose")
