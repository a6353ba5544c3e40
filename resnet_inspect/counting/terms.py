"""Named terms of a layer: what counters count, of which each one's convention is a sum."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial, singledispatch
from types import MappingProxyType

from resnet_inspect.counting.costs import TERMS as ELEMENTWISE
from resnet_inspect.counting.costs import operations
from resnet_inspect.counting.memory import with_gradient
from resnet_inspect.networks import ops, torch_ops
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer, LayerGraph, once, unread
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.parts import gates
from resnet_inspect.networks.shapes import Shape, elements

Shapes = tuple[Shape, ...]

Terms = dict[str, int]
"""Term -> count."""

TERMS: dict[str, str] = {
    "C": "multiply-accumulates of convolutions",
    "L": "multiply-accumulates of linear layers",
    "A": "all other multiply-accumulates: products of activations, recurrent cells",
    "At": "those of A in fused attention",
    "S": "those whose gradient nobody needs: of the network's input, of what is frozen",
    "G": "multiply-accumulates that convolutions in groups would take more in one group",
    "Cb": "bias additions of convolutions",
    "Cc": "biased channels of convolutions",
    "Cu": "outputs of convolutions without bias",
    "Ct": "those that transposed convolutions would take more over their output",
    "Lb": "bias additions of linear layers",
    "Lu": "outputs of linear layers without bias",
    "Lx": "weights and biases of linear layers, in all places of a sequence but one",
    "K": "elements that batch norm writes",
    "Kp": "parameters of batch norm",
    "Kc": "channels of batch norm, once for a batch",
    "Ku": "elements that batch norm without parameters writes",
    "N": "elements that other normalizations with parameters write",
    "Nl": "those of N that layer norm writes",
    "Nr": "means that their layer norms take",
    "Nu": "elements that other normalizations without parameters write",
    "Wp": "weights and biases of all other layers",
    "Wo": "elements that layers with these write",
    "Ws": "weights of convolutions that standardize them, once for a batch",
    "Wg": "those whose convolutions learn a gain for them",
    "Cg": "channels of such a gain, once for a batch",
    "Cs": "those of C whose weights are standardized",
    "Bs": "those of Cb whose weights are standardized",
    "R": "elements that ReLU writes",
    "R6": "elements that ReLU6 writes",
    "Lr": "elements that LeakyReLU writes",
    "El": "elements that ELU writes",
    "Ge": "elements that GELU writes",
    "Si": "elements that SiLU writes",
    "Ms": "elements that Mish writes",
    "Hs": "elements that Hardswish writes",
    "Sg": "elements that sigmoid gates write",
    "Sm": "elements that softmax writes",
    "Sr": "sums that softmax divides by",
    "Mi": "elements that max pooling reads",
    "Mo": "elements that max pooling writes",
    "Mk": "kernel side x elements that max pooling writes",
    "Mw": "kernel area x elements that max pooling writes",
    "Pi": "elements that average pooling reads",
    "Po": "elements that average pooling writes",
    "Pk": "kernel side x elements that average pooling writes",
    "Pw": "kernel area x elements that average pooling writes",
    "Ai": "elements that global average pooling reads",
    "Ao": "elements that global average pooling writes",
    "Aq": "those of Ai that squeeze-and-excitation reads",
    "Aj": "elements that adaptive average pooling to several positions reads",
    "Am": "elements that a mean over positions reads",
    "Un": "elements that upsampling to the nearest writes",
    "Ub": "elements that bilinear upsampling writes",
    "E": "elements that additions of two tensors write",
    "X": "elements that squeeze-and-excitation scales",
    "Z": "all other elementwise operations",
}
"""Every term and what it counts, for each sample but where it says otherwise."""

ONCE = frozenset({"Kc", "Ws", "Wg", "Cg"})
"""Terms that do not grow with the batch."""


@singledispatch
def rule(op: Op, inputs: Shapes, output: Shape) -> Terms | None:
    """The terms of an op for one sample of the given shapes; register new ops here.

    Whatever of an op's cost has no name counts as all other. None where the cost is not known.
    """
    return _with_rest(op, inputs, output, {})


def _with_rest(op: Op, inputs: Shapes, output: Shape, named: Terms) -> Terms | None:
    """Named terms, and the rest of what costs.py counts, so that both add up to the same."""
    own = operations(op, inputs, output)
    if own is None:
        return None
    rest = {
        "A": own.get("macs", 0) - named.get("C", 0),
        "Z": sum(own.get(term, 0) for term in ELEMENTWISE)
        - named.get("Cb", 0)
        - named.get("E", 0)
        - 2 * named.get("K", 0),
    }
    if op.params and not {"C", "K"} & named.keys():
        rest |= {"Wp": op.params, "Wo": elements(output)}
    return named | {term: amount for term, amount in rest.items() if amount}


@rule.register(ops.Convolution)
def _convolution(op: ops.Convolution, inputs: Shapes, output: Shape) -> Terms:
    written = elements(output)
    positions = elements(inputs[0][1:] if isinstance(op, torch_ops.ConvTranspose) else output[1:])
    macs = op.weights * positions
    more = {"G": macs * (op.groups - 1)} if op.groups > 1 else {}
    if isinstance(op, torch_ops.ConvTranspose):
        more["Ct"] = op.weights * (elements(output[1:]) - positions)
    if op.bias:
        return {"C": macs, **more, "Cb": written, "Cc": op.out_channels}
    return {"C": macs, **more, "Cu": written}


@rule.register(ops.STANDARDIZING)
def _(op: ops.Conv2d, inputs: Shapes, output: Shape) -> Terms:
    found = _convolution(op, inputs, output)
    made = {"Ws": op.weights, "Cs": found["C"]} | ({"Bs": found["Cb"]} if op.bias else {})
    if isinstance(op, ops.ScaledConv2d):
        made |= {"Wg": op.weights, "Cg": op.out_channels}
    return found | made


@rule.register(ops.Linear)
def _(op: ops.Linear, inputs: Shapes, output: Shape) -> Terms:
    places = elements(output[:-1])
    more = {"Lx": (places - 1) * op.params} if places > 1 else {}
    return {"L": op.weights * places, **more, "Lb" if op.bias else "Lu": elements(output)}


ACTIVATIONS: dict[type[ops.Activation], str] = {
    ops.ReLU: "R",
    ops.ReLU6: "R6",
    ops.LeakyReLU: "Lr",
    ops.ELU: "El",
    ops.GELU: "Ge",
    ops.SiLU: "Si",
    ops.Mish: "Ms",
    ops.Hardswish: "Hs",
    ops.Sigmoid: "Sg",
}
"""The term of each activation: tools agree on none of them."""


for _kind, _term in ACTIVATIONS.items():
    rule.register(_kind, lambda op, inputs, output, term=_term: {term: elements(output)})


def _pool(letter: str, op: ops.Pool2d, inputs: Shapes, output: Shape) -> Terms:
    read, written, area = elements(inputs[0]), elements(output), elements(op.kernel)
    # torchvision and timm give a square kernel as one int, which some tools take for its area.
    side = op.kernel[0] if op.kernel[0] == op.kernel[1] else area
    return {
        f"{letter}i": read,
        f"{letter}o": written,
        f"{letter}k": side * written,
        f"{letter}w": area * written,
    }


rule.register(ops.MaxPool2d, partial(_pool, "M"))
rule.register(ops.AvgPool2d, partial(_pool, "P"))
rule.register(
    ops.GlobalAvgPool2d,
    lambda op, inputs, output: {"Ai": elements(inputs[0]), "Ao": elements(output)},
)
rule.register(
    ops.BatchNorm2d,
    lambda op, inputs, output: {"K": elements(output), "Kp": op.params, "Kc": op.channels},
)
rule.register(ops.FrozenBatchNorm2d, lambda op, inputs, output: {"Z": 2 * elements(output)})
rule.register(ops.Add, lambda op, inputs, output: {"E": elements(output)})
rule.register(ops.Scale, lambda op, inputs, output: {"X": elements(output)})
rule.register(ops.Multiply, lambda op, inputs, output: {"X": elements(output)})
rule.register(ops.Gain, lambda op, inputs, output: {"X": elements(output), "Wo": elements(output)})
# Moves and zeros, which nobody counts:
rule.register(ops.Flatten, lambda op, inputs, output: {})
rule.register(ops.ZeroPad, lambda op, inputs, output: {})


def _normalization(op: Op, inputs: Shapes, output: Shape) -> Terms | None:
    written = elements(output)
    named = {"N": written} if op.params else {"Nu": written}
    if op.params and isinstance(op, torch_ops.LayerNorm) and op.type == "LayerNorm":
        named |= {"Nl": written, "Nr": written // elements(op.size)}
    return _with_rest(op, inputs, output, named)


rule.register(torch_ops.GroupNorm, _normalization)
rule.register(torch_ops.LayerNorm, _normalization)


@rule.register(ActiveNorm)
def _(op: ActiveNorm, inputs: Shapes, output: Shape) -> Terms | None:
    """Elementwise operations, by which tools do not know it for a normalization."""
    found = _with_rest(op, inputs, output, {})
    return found and found | {"Wp": 2 * op.channels}  # what it bends by is neither


@rule.register(torch_ops.BatchNorm)
def _(op: torch_ops.BatchNorm, inputs: Shapes, output: Shape) -> Terms | None:
    written = elements(output)
    named = {"K": written, "Kp": op.params, "Kc": op.channels} if op.params else {"Ku": written}
    return _with_rest(op, inputs, output, named)


@rule.register(torch_ops.Arithmetic)
def _(op: torch_ops.Arithmetic, inputs: Shapes, output: Shape) -> Terms | None:
    return _with_rest(op, inputs, output, {"E": elements(output)} if op.kind == "Add" else {})


@rule.register(torch_ops.Function)
def _(op: torch_ops.Function, inputs: Shapes, output: Shape) -> Terms | None:
    if op.name != "Softmax":
        return _with_rest(op, inputs, output, {})
    sums = elements(output) // elements([output[axis] for axis in op.over])
    return _with_rest(op, inputs, output, {"Sm": elements(output), "Sr": sums})


@rule.register(torch_ops.Attention)
def _(op: torch_ops.Attention, inputs: Shapes, output: Shape) -> Terms | None:
    found = _with_rest(op, inputs, output, {})
    return found and found | {"At": found["A"]}


@rule.register(torch_ops.AdaptivePool)
def _(op: torch_ops.AdaptivePool, inputs: Shapes, output: Shape) -> Terms | None:
    named = {"Aj": elements(inputs[0])} if op.type == "AdaptiveAvgPool2d" else {}
    return _with_rest(op, inputs, output, named)


@rule.register(torch_ops.Interpolate)
def _(op: torch_ops.Interpolate, inputs: Shapes, output: Shape) -> Terms | None:
    term = {"nearest": "Un", "bilinear": "Ub"}.get(op.mode) if len(output) == 3 else None
    return _with_rest(op, inputs, output, {term: elements(output)} if term else {})


@once
def layer_terms(graph: LayerGraph) -> Mapping[str, Terms | None]:
    """The terms of every layer of a network for one sample; None where no rule knows them."""
    squeezes, dropped = gates(graph), set(unread(graph))
    found: dict[str, Terms | None] = {}
    for layer in graph.layers:
        counts = _cached(layer.op, layer.input_shapes, layer.output_shape)
        if counts and isinstance(layer.op, ops.GlobalAvgPool2d):
            if graph.run and graph.run.functions.get(layer.name) == "mean":
                counts = {"Am": counts["Ai"]}
            elif layer.name in squeezes:
                counts = counts | {"Aq": counts["Ai"]}
        elif counts and any(term in counts for term in ("C", "L", "A")):
            macs = sum(counts.get(term, 0) for term in ("C", "L", "A"))
            idle = layer.name in dropped or layer.name not in with_gradient(graph)
            more = {"S": 2 * macs, "G": 0} if idle else _idle_gradients(graph, layer, macs)
            counts = counts | more
        found[layer.name] = counts
    return MappingProxyType(found)


_cached = lru_cache(maxsize=8192)(rule)


def _idle_gradients(graph: LayerGraph, layer: Layer, macs: int) -> Terms:
    """What a backward pass need not multiply: no gradient of the input or the weight is asked."""
    graded, weights = with_gradient(graph), getattr(layer.op, "weights", 0)
    if graph.run is None:
        return {"S": macs} if graded.isdisjoint(layer.inputs) else {}
    if not weights:  # the product of its inputs
        idle = sum(name not in graded for name in layer.inputs)
        return {"S": 2 * macs * idle // len(layer.inputs)} if idle else {}
    used = [graph.run.tensors[name] for name in graph.run.uses.get(layer.name, ())]
    learns = any(each.trainable and each.entries >= weights for each in used)
    idle = (not learns) + graded.isdisjoint(layer.inputs)
    return ({"S": idle * macs} if idle else {}) | ({} if learns else {"G": 0})
