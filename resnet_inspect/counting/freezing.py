"""What a training step multiplies, and what of it freezing the first layers saves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from resnet_inspect.counting.costs import cost
from resnet_inspect.counting.memory import Memory, memory, with_gradient
from resnet_inspect.errors import unknown
from resnet_inspect.networks.graph import Block, LayerGraph


def training_macs(graph: LayerGraph, batch: int = 1) -> int:
    """MACs of a step: forward, gradients of the weights, and gradients of the inputs.

    Frozen weights get no gradient, nor do inputs that no trained parameter went into.
    """
    graded, run = with_gradient(graph), graph.run
    total = 0
    for layer in graph.layers:
        macs = cost(layer, batch).macs
        if not macs:
            continue
        entering = any(name in graded for name in layer.inputs)
        other = True  # weights, which all learn unless a run says otherwise
        if run is not None:
            tensors = [run.tensors[name] for name in run.uses.get(layer.name, ())]
            learned = [tensor.trainable for tensor in tensors if tensor.learned]
            other = any(learned) if learned else entering  # a product of two inputs
        total += macs * (1 + entering + other)
    return total


def blocks_until(graph: LayerGraph, until: str) -> tuple[Block, ...]:
    """The blocks up to a stage or block of this name, and it; raises UnknownNameError."""
    for at, block in enumerate(graph.blocks):
        if block.name == until:
            return graph.blocks[: at + 1]
    found: list[Block] = []
    for stage in graph.stages:
        found += stage.blocks
        if stage.name == until:
            return tuple(found)
    names = [*(stage.name for stage in graph.stages), *(block.name for block in graph.blocks)]
    raise unknown(f"stage or block of {graph.name}", until, names)


class Step(NamedTuple):
    """A training step. trained: parameters that learn."""

    trained: int
    macs: int
    memory: Memory


def training_step(graph: LayerGraph, batch: int = 1) -> Step:
    """What a step of a traced network takes."""
    run = graph.run
    assert run is not None
    trained = sum(tensor.entries for tensor in run.tensors.values() if tensor.trainable)
    return Step(trained, training_macs(graph, batch), memory(graph, batch))


def frozen_steps(graph: LayerGraph, until: str, batch: int = 1) -> Mapping[str, Step]:
    """Steps of a traced network as it is, and frozen until each stage up to `until`."""
    blocks = blocks_until(graph, until)
    steps = {"nothing": training_step(graph, batch)}
    within = {block.name for block in blocks}
    for stage in graph.stages:
        if all(block.name in within for block in stage.blocks):
            steps[stage.name] = training_step(frozen(graph, stage.name), batch)
    if until not in steps:  # a block inside a stage
        steps[until] = training_step(frozen(graph, until), batch)
    return steps


def frozen(graph: LayerGraph, until: str) -> LayerGraph:
    """A traced network whose first blocks do not learn."""
    run = graph.run
    assert run is not None
    held = {
        name
        for block in blocks_until(graph, until)
        for layer in block.layers
        for name in run.uses.get(layer.name, ())
    }
    tensors = {
        name: tensor._replace(trainable=tensor.trainable and name not in held)
        for name, tensor in run.tensors.items()
    }
    return replace(graph, run=replace(run, tensors=tensors))
