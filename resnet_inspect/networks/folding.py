"""A network as it is exported: batch norm folded into the weights that it follows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import Block, LayerGraph, Stage
from resnet_inspect.networks.ops import BatchNorm2d, Convolution, Linear
from resnet_inspect.networks.run import Run
from resnet_inspect.networks.torch_ops import BatchNorm


def folded(graph: LayerGraph) -> LayerGraph:
    """The network that computes the same in inference with fewer layers.

    A batch norm that alone reads a convolution or linear layer goes into that layer's weights and
    bias (Jacob et al. 2017, arXiv 1712.05877, section 3.2, equation 14). What runs before its
    convolution (pre-activation), or on a sum, stays. Raises InspectError where
    there is nothing to fold.
    """
    into = _foldable(graph)
    if not into:
        raise InspectError(f"{graph.name} has no batch norm behind a convolution; nothing to fold")
    biased = set(into.values())
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
        run=_run(graph, graph.run, into) if graph.run else None,
        returned=tuple(into.get(name, name) for name in graph.returned),
    )


def _foldable(graph: LayerGraph) -> dict[str, str]:
    """The layer into which each batch norm folds, by names."""
    calls = Counter(layer.path for layer in graph.layers)
    readers = Counter(name for layer in graph.layers for name in {*layer.inputs})
    readers.update(graph.outputs)
    uses = graph.run.uses if graph.run else {}
    users = Counter(name for names in uses.values() for name in names)
    into: dict[str, str] = {}
    for norm in graph.layers:
        if not isinstance(norm.op, (BatchNorm2d, BatchNorm)) or norm.inputs[0] not in graph.by_name:
            continue
        weighted = graph.by_name[norm.inputs[0]]
        tensors = uses.get(weighted.name, ())
        alone = readers[weighted.name] == calls[weighted.path] == calls[norm.path] == 1
        if (
            isinstance(weighted.op, (Convolution, Linear))
            and alone
            and all(users[name] == 1 for name in tensors)
        ):
            into[norm.name] = weighted.name
    return into


def _biased(block: Block, biased: set[str]) -> Block:
    layers = tuple(
        layer._replace(op=layer.op.replace(bias=True)) if layer.name in biased else layer
        for layer in block.layers
    )
    return replace(block, layers=layers)


def _run(graph: LayerGraph, run: Run, into: dict[str, str]) -> Run:
    """What the run showed, of the tensors that are left."""
    gone = {name for norm in into for name in run.uses.get(norm, ())}
    tensors = {name: tensor for name, tensor in run.tensors.items() if name not in gone}
    uses = {layer: names for layer, names in run.uses.items() if layer not in into}
    for name in into.values():
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
