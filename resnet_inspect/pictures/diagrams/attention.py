"""Where layers side by side are attention, which a reader wants to see as one step."""

from __future__ import annotations

from collections.abc import Iterable

from resnet_inspect.networks.branches import Parallel, Part, layers_of
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.op_labels import comma_step
from resnet_inspect.networks.ops import Add, Conv2d, Linear
from resnet_inspect.networks.torch_ops import Function, MatMul, View
from resnet_inspect.networks.wiring import Wiring, sources
from resnet_inspect.pictures.diagrams.cells import takes_piece


def attends(part: Parallel) -> bool:
    """Whether layers end in products of matrices that a softmax weighs."""
    by_name = {layer.name: layer for layer in part.layers}

    def is_product(name: str) -> bool:
        layer = by_name.get(name)
        while layer and isinstance(layer.op, View):
            layer = by_name.get(layer.inputs[0])
        return layer is not None and isinstance(layer.op, MatMul)

    end = part.layers[-1]
    ends = end.inputs if isinstance(end.op, Add) else (end.name,)
    products = sum(isinstance(layer.op, MatMul) for layer in part.layers)
    return bool(products > 1 and _softmaxes(part) and all(map(is_product, ends)))


def _softmaxes(part: Parallel) -> list[Layer]:
    return [x for x in part.layers if isinstance(x.op, Function) and x.op.name == "Softmax"]


def is_one_projection_cut(part: Parallel) -> bool:
    """Whether queries, keys and values are pieces of what one layer gives."""
    entering = sources(part.layers)
    takers = [layer for layer in part.layers if not set(entering).isdisjoint(layer.inputs)]
    return len(entering) == 1 and all(map(takes_piece, takers))


def words(part: Parallel, after: Iterable[Part]) -> str:
    """'self-attention, 4 heads, /2'; after: the parts behind it, which say how wide all heads are.

    Linear: the softmax is of keys by themselves, not of their products with queries, as a lambda
    layer has it (Bello 2021, arXiv 2102.08602).
    """
    wiring = Wiring(part.layers)
    products = [layer.name for layer in part.layers if isinstance(layer.op, MatMul)]
    compares = any(wiring.comes_from(x.name, name) for x in _softmaxes(part) for name in products)
    name = "self-attention" if len(sources(part.layers)) == 1 else "attention"
    ops = (layer.op for layer in layers_of(after))
    width = next((entering(op) for op in ops if isinstance(op, (Conv2d, Linear))), 0)
    heads, rest = divmod(width, part.layers[-1].output_shape[-1])
    many = f", {heads} heads" if heads > 1 and not rest else ""
    inner = (comma_step(layer.op) for layer in part.layers if isinstance(layer.op, Conv2d))
    return f"{'' if compares else 'linear '}{name}{many}{max(inner, default='')}"


def entering(op: Conv2d | Linear) -> int:
    """Channels or features that a layer takes."""
    return op.in_channels if isinstance(op, Conv2d) else op.in_features
