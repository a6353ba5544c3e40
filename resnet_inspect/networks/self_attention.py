"""Self-attention between the positions of a map: in place of a block's 3x3, or as a head.

Paths are timm's. As in attention.py, each function adds its layers and gives what leaves them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from resnet_inspect.errors import ShapeError
from resnet_inspect.networks import ops, torch_ops
from resnet_inspect.networks.attention import Attending, placed
from resnet_inspect.networks.design import Module, Part, Tensor, batch_norm, conv
from resnet_inspect.networks.shapes import Pair, Shape, elements, show_shape


class Windows(torch_ops.Move):
    """Square windows of a map of zeros around it, as columns; side, stride, padding: of each."""

    side: int = 0
    stride: int = 0
    padding: int = 0


def attend_to(module: Module[Tensor], part: Part, op: ops.Conv2d, tensor: Tensor) -> Tensor:
    """A block's self-attention; op: the convolution in whose place it is."""
    attending = Attending(module.net, module.design, module.path)
    attended: Tensor = KINDS[part.attends](attending, part, op.stride, tensor)
    return attended


def bottleneck_attention(
    module: Attending[Tensor], part: Part, stride: Pair, tensor: Tensor
) -> Tensor:
    """All positions attend to all, each knowing how far they are (arXiv 2101.11605, Figure 4)."""
    width, *grid = module.shape(tensor)
    if tuple(grid) != part.positions:
        raise ShapeError(
            f"{module.path} has learned distances for {show_shape(part.positions)} positions and "
            f"gets {show_shape(tuple(grid))}; give an input of the network's own "
            "size, or set input_size to yours"
        )
    heads = 4
    asked = part.design.query_width or width // heads
    sizes = heads * asked, heads * asked, width
    tensor = module.add(conv(width, sum(sizes), 1), tensor, name="qkv")
    query, key, value = (module.heads(some, heads) for some in module.split(tensor, *sizes))
    query, value = module.swapped(query, 2), module.swapped(value, 2)
    tensor = _attended(module, query, key, value, (grid[0], grid[1]), (grid[0], grid[1]))
    return _folded(module, tensor, stride, (width, *grid))


def _attended(
    module: Attending[Tensor], query: Tensor, key: Tensor, value: Tensor, asking: Pair, asked: Pair
) -> Tensor:
    """Values, weighed by how near their keys are to a query, and how far their positions.

    asking, asked: height and width of the positions of queries, and of keys and values.
    """
    near = module.product(query, key)
    near = module.add(ops.Multiply(module.shape(query)[-1] ** -0.5), near, name="scale")
    apart = _distances(module.within("pos_embed"), query, asking, asked)
    near = module.softmax(module.add(ops.Add(False), near, apart))
    return module.product(near, value)


def _distances(module: Attending[Tensor], query: Tensor, asking: Pair, asked: Pair) -> Tensor:
    """A logit for each pair of positions, of how far they are from left to right and down."""
    *outer, _, features = module.shape(query)
    at = len(outer) + 1
    query = module.shaped(query, *outer, *asking, features)
    across = _distance(module, query, asked[1], "width_rel")
    across = module.shaped(across, *outer, *asking, 1, asked[1])
    down = _distance(module, module.swapped(query, at), asked[0], "height_rel")
    down = module.shaped(module.swapped(down, at), *outer, *asking, asked[0], 1)
    apart = module.add(torch_ops.Arithmetic("add", (*outer, *asking, *asked)), across, down)
    return module.shaped(apart, *outer, elements(asking), elements(asked))


def _distance(module: Attending[Tensor], query: Tensor, asked: int, name: str) -> Tensor:
    """A logit for each pair of positions in a row: the query times what is learned of so far apart.

    Of the positions i and j that is entry j - i + asked - 1 of the query's row; where rows of one
    entry less lie one behind the other, from entry asked - 1 on, it is entry j.
    """
    *outer, count, features = module.shape(query)
    span = 2 * asked - 1
    logits = module.add(ops.Linear(features, span, False), query, name=name)
    if span == 1:
        return logits
    logits = module.shaped(logits, *outer, count * span)
    if asked - 1 > count:  # the last row ends later than it did
        logits = module.add(torch_ops.Pad((0, asked - 1 - count)), logits)
    logits = module.cut(logits, asked - 1, count * (span - 1))
    return module.cut(module.shaped(logits, *outer, count, span - 1), 0, asked)


def _folded(module: Attending[Tensor], tensor: Tensor, stride: Pair, shape: Shape) -> Tensor:
    """What heads give for each position, as a map of this shape, which a pool strides over."""
    copies = min(module.shape(tensor)[1:]) > 1
    tensor = module.shaped(module.swapped(tensor, 2), *shape, copies=copies)
    return (
        tensor
        if stride == (1, 1)
        else module.add(ops.AvgPool2d(stride, stride), tensor, name="pool")
    )


def lambda_layer(
    module: Attending[Tensor], part: Part, stride: Pair, tensor: Tensor, side: int = 9
) -> Tensor:
    """Each query is given to a linear function, made of all positions and of those around its own.

    Bello 2021 (arXiv 2102.08602), Figure 3; side: of the square around.
    """
    width, *grid = module.shape(tensor)
    heads, count, asked = 4, elements(grid), part.design.query_width or 16
    each, edge = width // heads, side // 2
    sizes = heads * asked, asked, each
    tensor = module.add(conv(width, sum(sizes), 1), tensor, name="qkv")
    query, key, value = module.split(tensor, *sizes)
    query = module.add(batch_norm(heads * asked), query, name="norm_q")
    query = module.swapped(module.heads(query, heads), 2)
    value = module.add(batch_norm(each), value, name="norm_v")
    value = module.swapped(module.shaped(value, each, count), 1)
    key = module.softmax(module.shaped(key, asked, count))
    whole = module.product(query, module.shaped(module.product(key, value), 1, asked, each))
    around = torch_ops.Conv(
        1, asked, (side, side, 1), (1, 1, 1), (edge, edge, 0), 1, True, (1, 1, 1)
    )
    near = module.add(around, module.shaped(value, 1, *grid, each), name="conv_lambda")
    near = module.swapped(module.shaped(near, 1, asked, count, each), 2)
    near = module.product(module.shaped(query, heads, count, 1, asked), near)
    tensor = module.add(ops.Add(False), whole, module.shaped(near, heads, count, each))
    return _folded(module, tensor, stride, (width, *grid))


def halo_attention(
    module: Attending[Tensor],
    part: Part,
    stride: Pair,
    tensor: Tensor,
    halo: int = 3,
    heads: int = 8,
) -> Tensor:
    """Each square of 8x8 positions attends to itself and to a halo around it; or every second one.

    Vaswani et al. 2021 (arXiv 2103.12731), Figure 2.
    """
    width, *grid = module.shape(tensor)
    if grid[0] % BLOCK or grid[1] % BLOCK or BLOCK % stride[0]:
        raise ShapeError(
            f"{module.path} attends in blocks of {BLOCK}x{BLOCK} positions at stride {stride[0]} "
            f"and gets {show_shape(tuple(grid))}; give an input that divides into them"
        )
    side, window = BLOCK // stride[0], BLOCK + 2 * halo
    rows, columns = grid[0] // BLOCK, grid[1] // BLOCK
    asked, each = part.design.query_width or width // heads, width // heads
    query = module.add(conv(width, heads * asked, 1, stride[0]), tensor, name="q")
    query = module.shaped(query, heads, asked, rows, side, columns, side)
    query = module.turned(query, 0, 2, 4, 3, 5, 1)
    query = module.shaped(query, heads, rows * columns, side * side, asked, copies=columns > 1)
    both = module.add(conv(width, heads * (asked + each), 1), tensor, name="kv")
    seen = (heads * (asked + each) * window * window, rows * columns)
    both = module.add(Windows("unfold", seen, side=window, stride=BLOCK, padding=halo), both)
    both = module.shaped(both, heads, asked + each, window * window, rows * columns)
    both = module.turned(both, 0, 3, 2, 1)
    key, value = module.cut(both, 0, asked), module.cut(both, asked, each)
    key = module.swapped(key, 3)
    tensor = _attended(module, query, key, value, (side, side), (window, window))
    tensor = module.shaped(tensor, heads, rows, columns, side, side, each)
    tensor = module.turned(tensor, 0, 5, 1, 3, 2, 4)
    return module.shaped(tensor, width, rows * side, columns * side, copies=True)


BLOCK = 8
"""Side of the squares of positions that share a halo."""

KINDS: dict[str, Callable[..., Any]] = {
    "bot": bottleneck_attention,
    "lambda": lambda_layer,
    "lambda13": partial(lambda_layer, side=13),
    "halo": halo_attention,
    "halo2": partial(halo_attention, halo=2),
    "halo-4": partial(halo_attention, heads=4),
}
"""What takes the place of a 3x3 convolution, by the kind of self-attention that it is."""

# --- as a head ----------------------------------------------------------------------------------

HEAD_WIDTH = 64
"""Channels of each head."""


class Positions(torch_ops.Arithmetic):
    """A learned vector for each position of a map, and one for a token before them, added.

    grid: height and width of the map; made_for: those that there are vectors for, which are
    resampled where these differ.
    """

    grid: Pair = (0, 0)
    made_for: Pair = (0, 0)


def attention_pool(head: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """The mean of all positions asks each of them (Radford et al. 2021, section 2.3).

    All of them ask, and the first answer is taken; positions are learned for the network's own
    input size, and resampled for another.
    """
    module = Attending(head.net, head.design, head.path)
    width, height, across = module.shape(tensor)
    made_for, count = part.positions, height * across + 1
    tensor = module.add(torch_ops.View("flatten", (width, height * across)), tensor)
    tensor = module.swapped(tensor, 1)
    mean = module.add(torch_ops.Reduce("mean", (1, width), (0,)), tensor)
    tensor = module.add(torch_ops.Concat(), mean, tensor, name="cat")
    params = (elements(made_for) + 1) * width
    known = Positions("add", (count, width), params, grid=(height, across), made_for=made_for)
    tensor = module.add(known, tensor, name="pos_embed")
    heads, each = width // HEAD_WIDTH, HEAD_WIDTH
    asked = []
    for name in "qkv":
        projected = module.add(ops.Linear(width, width), tensor, name=name)
        asked.append(module.swapped(module.shaped(projected, count, heads, each), 1))
    answer = torch_ops.Attention((heads, count, each))
    tensor = module.swapped(module.add(answer, *asked, name="scaled_dot_product_attention"), 1)
    tensor = module.shaped(tensor, count, width)  # answers lie as those who ask
    tensor = module.add(ops.Linear(width, part.leaving), tensor, name="proj")
    first = torch_ops.View("select", (part.leaving,), ((-1, 0, 1), *placed((0,), (part.leaving,))))
    return module.add(first, tensor)
