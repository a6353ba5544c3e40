"""Networks as they are exported: batch norm in the weights before it, and sums in one layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import Block, Layer, LayerGraph, Stage
from resnet_inspect.networks.ops import Add, BatchNorm2d, Conv2d, Convolution, Linear
from resnet_inspect.networks.run import Run
from resnet_inspect.networks.torch_ops import BatchNorm
from resnet_inspect.networks.wiring import Wiring


def folded(graph: LayerGraph) -> LayerGraph:
    """The network that computes the same in inference with fewer layers.

    A batch norm that alone reads a convolution or linear layer goes into that layer's weights and
    bias (Jacob et al. 2017, arXiv 1712.05877, section 3.2, equation 14). What runs before its
    convolution (pre-activation), or on a sum, stays. Convolutions of one tensor that are summed,
    with it as it is or normalized, are one (Ding et al. 2021, arXiv 2101.03697, section 3.3).
    Raises InspectError where there is nothing to fold.
    """
    calls = _calls(graph)
    alone = _alone(graph, calls)
    into = _foldable(graph, alone, calls)
    into |= _summed(graph, alone, into)
    if not into:
        raise InspectError(f"{graph.name} has no batch norm behind a convolution; nothing to fold")
    biased = {
        to
        for name, to in into.items()
        if not isinstance(op := graph.by_name[name].op, Add) and getattr(op, "bias", True)
    }
    stages = []
    for stage in graph.stages:
        blocks = [_biased(block.without(into), biased) for block in stage.blocks]
        stages.append(Stage(stage.name, stage.path, tuple(b for b in blocks if b.layers)))
    return replace(
        graph,
        name=f"{graph.name}, folded",
        stages=tuple(stage for stage in stages if stage.wired),
        maker=None,
        spec=None,
        run=_run(graph, graph.run, into, biased) if graph.run else None,
        returned=tuple(into.get(name, name) for name in graph.returned),
    )


def _calls(graph: LayerGraph) -> Counter[str]:
    """How often each module with parameters runs."""
    return Counter(layer.path for layer in graph.layers if layer.op.params)


def _alone(graph: LayerGraph, calls: Mapping[str, int]) -> set[str]:
    """The layers that one other reads, whose parameters serve no other."""
    readers = Counter(name for layer in graph.layers for name in {*layer.inputs})
    readers.update(graph.outputs)
    uses = graph.run.uses if graph.run else {}
    users = Counter(name for names in uses.values() for name in names)
    return {
        layer.name
        for layer in graph.layers
        if readers[layer.name] == 1
        and calls[layer.path] <= 1
        and all(users[name] == 1 for name in uses.get(layer.name, ()))
    }


def _foldable(graph: LayerGraph, alone: Set[str], calls: Mapping[str, int]) -> dict[str, str]:
    """The layer into which each batch norm folds, by names."""
    return {
        norm.name: norm.inputs[0]
        for norm in graph.layers
        if isinstance(norm.op, (BatchNorm2d, BatchNorm))
        and norm.inputs[0] in alone
        and isinstance(graph.by_name[norm.inputs[0]].op, (Convolution, Linear))
        and calls[norm.path] <= 1
    }


def _summed(graph: LayerGraph, alone: Set[str], into: Mapping[str, str]) -> dict[str, str]:
    """The convolution into which each layer of a sum of convolutions goes, by names."""
    merged: dict[str, str] = {}
    for block in graph.blocks:
        wiring = Wiring(block.layers)
        for last in wiring.sums():
            terms, sums = wiring.terms(last), wiring.additions(last)
            layers = [layer for term in terms for layer in term.layers]
            runs = [[layer for layer in term.layers if layer.name not in into] for term in terms]
            widest = _widest(runs)
            one = len({term.source for term in terms}) == 1
            if widest and one and all(each.name in alone for each in (*layers, *sums[1:])):
                gone = {layer.name for layer in (*layers, *sums)} - {widest.name}
                merged |= dict.fromkeys(gone, widest.name)
    return merged


def _widest(terms: Sequence[Sequence[Layer]]) -> Layer | None:
    """The convolution whose kernel holds those of all terms of a sum, if there is one.

    A term is a convolution, a norm, or no layer: the tensor as it is.
    """
    if any(len(term) > 1 for term in terms):
        return None
    layers = [layer for term in terms for layer in term]
    convs = [(layer, layer.op) for layer in layers if type(layer.op) is Conv2d]
    norms = [layer for layer in layers if isinstance(layer.op, BatchNorm2d)]
    if not convs or len(convs) + len(norms) < len(layers):
        return None
    widest, within = max(convs, key=lambda conv: conv[1].kernel)
    keeps = within.stride == (1, 1) and within.in_channels == within.out_channels
    fit = all(_fits(op, within) for _, op in convs) and (keeps or len(convs) == len(terms))
    return widest if fit else None


def _fits(op: Conv2d, within: Conv2d) -> bool:
    """Whether a kernel is another one with zeros around it, at the same positions."""
    alike = (op.stride, op.groups) == (within.stride, within.groups)
    spread = op.kernel == (1, 1) or op.dilation == within.dilation
    axes = zip(op.kernel, within.kernel, op.padding, op.dilation, strict=True)
    return (alike and spread) and all(
        side <= most and side % 2 and edge == side // 2 * rate for side, most, edge, rate in axes
    )


def _biased(block: Block, biased: set[str]) -> Block:
    layers = tuple(
        layer._replace(op=layer.op.replace(bias=True)) if layer.name in biased else layer
        for layer in block.layers
    )
    return replace(block, layers=layers)


def _run(graph: LayerGraph, run: Run, into: Mapping[str, str], biased: Set[str]) -> Run:
    """What the run showed, of the tensors that are left."""
    gone = {name for norm in into for name in run.uses.get(norm, ())}
    tensors = {name: tensor for name, tensor in run.tensors.items() if name not in gone}
    uses = {layer: names for layer, names in run.uses.items() if layer not in into}
    for name in biased:
        layer = graph.by_name[name]
        if isinstance(layer.op, (Convolution, Linear)) and not layer.op.bias:
            like = run.tensors[run.uses[name][0]]
            bias = f"{layer.path}.bias"
            tensors[bias] = like._replace(entries=layer.output_shape[0])
            uses[name] = (*uses[name], bias)
    lasts = run.lasts and {
        into.get(name, name): into.get(last, last) for name, last in run.lasts.items()
    }
    return replace(run, tensors=tensors, uses=uses, lasts=lasts)
