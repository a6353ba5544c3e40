"""A training step on fake tensors, as torch's MemTracker counts its memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from resnet_inspect.counting.autocast import AUTOCAST
from resnet_inspect.counting.training_step import Settings, checkpointed
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.assemble import assemble

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda weights, **how: torch.optim.SGD(weights, lr=0.1, **how),
    "momentum": lambda weights, **how: torch.optim.SGD(weights, lr=0.1, momentum=0.9, **how),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def tracked_peak(graph: LayerGraph, settings: Settings, batch: int) -> int:
    """Bytes at the peak of a second step, without the input and the labels.

    Adam's step counters are left out: scalars, one a parameter, on the CPU.
    """
    from torch.distributed._tools.mem_tracker import MemTracker  # loads torch's compiler

    with FakeTensorMode():
        model = assemble(graph).train()
        for part in checkpointed(graph, settings.checkpoint):
            _run_again(model.get_submodule(part))
        weights = list(model.parameters())
        how: dict[str, Any] = {"foreach": settings.stepping == "foreach"}
        if settings.decay:
            how["weight_decay"] = 0.1
        optimizer = OPTIMIZERS[settings.optimizer](weights, **how)
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
        if not settings.accumulate:
            optimizer.zero_grad()
        tracker = MemTracker()
        tracker.track_external(model, optimizer, *[weight.grad for weight in weights])
        images = torch.empty(batch, *graph.input_shape)
        labels = torch.empty(batch, dtype=torch.long)
        casting = torch.autocast("cpu", torch.bfloat16, enabled=settings.dtype in AUTOCAST)
        with warnings.catch_warnings(), tracker:
            warnings.simplefilter("ignore", UserWarning)  # of modules that are gone
            with casting:
                loss = cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        (peak,) = tracker.get_tracker_snapshot("peak").values()
    counters = 4 * len(weights) if settings.optimizer.startswith("adam") else 0
    return peak["Total"] - counters


def _run_again(module: nn.Module) -> None:
    inner = module.forward
    module.forward = lambda *inputs: checkpoint(inner, *inputs, use_reentrant=False)  # type: ignore[method-assign]
