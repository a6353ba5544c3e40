"""CLIP's attention pool, as a head; paths are timm's."""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.attention_module import Attending, placed
from resnet_inspect.networks.design import Module, Part, Tensor
from resnet_inspect.networks.shapes import Pair, elements
from resnet_inspect.networks.torch_ops import Arithmetic, Attention, Concat, Reduce, View

HEAD_WIDTH = 64
"""Channels of each head."""


class Positions(Arithmetic):
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
    tensor = module.add(View("flatten", (width, height * across)), tensor)
    tensor = module.swapped(tensor, 1)
    mean = module.add(Reduce("mean", (1, width), (0,)), tensor)
    tensor = module.add(Concat(), mean, tensor, name="cat")
    params = (elements(made_for) + 1) * width
    known = Positions("add", (count, width), params, grid=(height, across), made_for=made_for)
    tensor = module.add(known, tensor, name="pos_embed")
    heads, each = width // HEAD_WIDTH, HEAD_WIDTH
    asked = []
    for name in "qkv":
        projected = module.add(ops.Linear(width, width), tensor, name=name)
        asked.append(module.swapped(module.shaped(projected, count, heads, each), 1))
    answer = Attention((heads, count, each))
    tensor = module.swapped(module.add(answer, *asked, name="scaled_dot_product_attention"), 1)
    tensor = module.shaped(tensor, count, width)  # answers lie as those who ask
    tensor = module.add(ops.Linear(width, part.leaving), tensor, name="proj")
    first = View("select", (part.leaving,), ((-1, 0, 1), *placed((0,), (part.leaving,))))
    return module.add(first, tensor)
