"""Which block of a network each parameter belongs to; its learning rate, and whether it learns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from resnet_inspect.counting.freezing import blocks_until
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.networks.graph import Block, Layer, LayerGraph

NO_DECAY = ("norm", "bias")
"""Kinds of parameters that weight decay can leave out."""

UNUSED = "unused"
"""The group of parameters that no layer computes with."""


def layers_of(graph: LayerGraph, model: nn.Module) -> dict[str, tuple[Block, Layer]]:
    """The block and layer that compute with each parameter first, by the parameter's name.

    Parameters that no layer computes with are left out. model: a module of the graph.
    """
    owned: dict[str, list[str]] = {}
    for name, _ in model.named_parameters():
        owned.setdefault(name.rpartition(".")[0], []).append(name)
    found: dict[str, tuple[Block, Layer]] = {}
    for block, layer in _running(graph.blocks):
        uses = owned.get(layer.path) if graph.run is None else graph.run.uses.get(layer.name)
        for name in uses or ():
            found.setdefault(name, (block, layer))
    return {name: found[name] for name, _ in model.named_parameters() if name in found}


def _running(blocks: Iterable[Block]) -> Iterator[tuple[Block, Layer]]:
    return ((block, layer) for block in blocks for layer in block.layers)


def groups(
    graph: LayerGraph,
    model: nn.Module,
    rates: Mapping[str, float],
    rate: float | None,
    layer_decay: float | None,
    weight_decay: float | None,
    no_decay_for: Sequence[str],
) -> list[dict[str, Any]]:
    """The groups of an optimizer, as api.parameter_groups has them."""
    _check(graph, rates, rate, layer_decay, no_decay_for)
    stages = {block.name: stage.name for stage in graph.stages for block in stage.blocks}
    place = {block.name: at for at, block in enumerate(graph.blocks)}
    places = layers_of(graph, model)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        block, layer = places.get(name, (None, None))
        stage = stages[block.name] if block else UNUSED
        own = rates.get(block.name, rates.get(stage, rate)) if block else rate
        part = block.name if block and (layer_decay is not None or block.name in rates) else stage
        if own is not None and layer_decay is not None and block:
            own *= layer_decay ** (len(place) - 1 - place[block.name])
        norm = layer is not None and layer.op.category == "normalization"
        kind = "norm" if norm else "bias" if parameter.dim() <= 1 else "weight"
        decays = kind not in no_decay_for
        group = found.setdefault(
            (part, decays), {"name": part if decays else f"{part}, no decay", "params": []}
        )
        group["params"].append(parameter)
        if own is not None:
            group["lr"] = own
        if not decays:
            group["weight_decay"] = 0.0
        elif weight_decay is not None:
            group["weight_decay"] = weight_decay
    if not found:
        raise InspectError(f"{graph.name} has no parameters to train")
    return list(found.values())


def _check(
    graph: LayerGraph,
    rates: Mapping[str, float],
    rate: float | None,
    layer_decay: float | None,
    no_decay_for: Sequence[str],
) -> None:
    known = [*(stage.name for stage in graph.stages), *(block.name for block in graph.blocks)]
    for name in rates:
        if name not in known:
            raise unknown(f"stage or block of {graph.name}", name, known)
    for kind in no_decay_for:
        if kind not in NO_DECAY:
            raise unknown("kind of parameter", kind, NO_DECAY)
    for value in (*rates.values(), *(() if rate is None else (rate,))):
        if not 0 <= value < float("inf"):
            raise InspectError(f"a learning rate is {value}; give a number from 0 on")
    if layer_decay is not None:
        if not 0 < layer_decay <= 1:
            raise InspectError(f"layer_decay is {layer_decay}; give one above 0, up to 1")
        missing = [stage.name for stage in graph.stages if stage.name not in rates]
        if rate is None and missing:
            raise InspectError(
                f"layer_decay scales learning rates, and {missing[0]} has none; give rate"
            )


def freeze(graph: LayerGraph, model: nn.Module, until: str) -> None:
    """Stop the blocks up to `until` from learning, and hold their batch norm's statistics."""
    blocks = blocks_until(graph, until)
    names = {block.name for block in blocks}
    for name, (block, _) in layers_of(graph, model).items():
        if block.name in names:
            model.get_parameter(name).requires_grad_(False)
    modules = dict(model.named_modules())
    for path in {layer.path for _, layer in _running(blocks)}:
        if path not in modules:  # a function computes it
            continue
        for part in modules[path].modules():
            if isinstance(part, _NormBase) and _hold not in part._forward_pre_hooks.values():
                part.register_forward_pre_hook(_hold)
                part.eval()


def _hold(part: nn.Module, given: Any) -> None:
    """Before a frozen norm runs: model.train() has set it to train mode with all others."""
    part.eval()
