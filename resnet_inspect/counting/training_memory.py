"""The memory of a training step from its first kernel to its last: forward, backward, optimizer.

Bytes are exact for eager PyTorch, as torch.distributed._tools.mem_tracker.MemTracker counts them:
before the allocator's rounding, and without the workspaces of libraries. Loss: cross-entropy.
"""

from __future__ import annotations

from resnet_inspect.counting.autocast import step_dtype
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.timeline import Timeline
from resnet_inspect.counting.training_step import CHECKPOINTS, OPTIMIZERS, STEPPING, Settings, Step
from resnet_inspect.errors import unknown
from resnet_inspect.networks.graph import LayerGraph, once


def training_memory(graph: LayerGraph, settings: Settings) -> Timeline:
    """What a training step holds while each kernel runs; raises UnknownNameError for a setting."""
    for setting, known in (
        ("optimizer", OPTIMIZERS),
        ("checkpoint", CHECKPOINTS),
        ("stepping", STEPPING),
    ):
        if getattr(settings, setting) not in known:
            raise unknown(setting, getattr(settings, setting), known)
    return _timeline(graph, settings._replace(dtype=step_dtype(settings.dtype)), True)


def inference_memory(graph: LayerGraph, dtype: str | None = None) -> Timeline:
    """What an inference pass holds while each layer runs; dtype: as `Settings` has it."""
    return _timeline(graph, Settings(dtype=step_dtype(dtype)), False)


@once
def _timeline(graph: LayerGraph, settings: Settings, train: bool) -> Timeline:
    step = Step(graph, settings, train)
    step.forward()
    if train:
        step.backward()
        step.optimize()
    return Timeline(tuple(step.ledger.points), graph_cost(graph).uncounted)
