"""One training: a network, epoch by epoch, so that it can stop and go on with the same bits.

All that is random in an epoch (the order of the images, crops, dropout) follows from the seed and
the epoch's number, so weights and the optimizer's state are all that a checkpoint has to hold.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.learning import Recipe
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.assemble import build
from resnet_inspect.pytorch.bench.backend_flags import seeded
from resnet_inspect.pytorch.inputs import results
from resnet_inspect.pytorch.parameters import layers_of
from resnet_inspect.pytorch.trace.diagnosis import first_line
from resnet_inspect.pytorch.train.data import Images, Part
from resnet_inspect.pytorch.train.responses import responses


class Learner(NamedTuple):
    """A network that is being trained. watched: the parameters of its first and last block."""

    graph: LayerGraph
    model: nn.Module
    optimizer: torch.optim.Optimizer
    watched: tuple[list[nn.Parameter], list[nn.Parameter]]
    device: torch.device


def learner(graph: LayerGraph, recipe: Recipe, device: torch.device) -> Learner:
    """A network as the recipe's seed initialises it; raises InspectError if it cannot train."""
    with seeded(recipe.seed, device):
        model = build(graph).to(device)
    try:
        model.train()
    except RuntimeError as error:
        raise InspectError(f"{graph.name} cannot be trained: {first_line(error)}") from None
    parameters = [each for each in model.parameters() if each.requires_grad]
    if not parameters:
        raise InspectError(f"{graph.name} has no parameters to train")
    optimizer = torch.optim.SGD(
        parameters, lr=recipe.rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    return Learner(graph, model, optimizer, _ends(graph, model), device)


def _ends(graph: LayerGraph, model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The trained parameters of the first and the last block between stem and head, if any."""
    trained: dict[str, list[nn.Parameter]] = {}
    for name, (block, _) in layers_of(graph, model).items():
        parameter = model.get_parameter(name)
        if parameter.requires_grad:
            trained.setdefault(block.name, []).append(parameter)
    inner = [trained[block.name] for block in graph.body if block.name in trained]
    order = inner or [trained[block.name] for block in graph.blocks if block.name in trained]
    return order[0], order[-1]


def train_epoch(
    of: Learner, images: Images, recipe: Recipe, epoch: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train one epoch; gives the fields of an Epoch that only the training knows.

    say: told now and then how far it is. Raises InspectError where the network's own code fails.
    """
    start, cpu = time.perf_counter(), time.process_time()
    try:
        with seeded(recipe.seed * 1_000_003 + epoch, of.device):
            fields = _steps(of, images, recipe, epoch, say)
            if "reason" not in fields:
                fields["test_error"] = _test_error(of, images.test, recipe.batch)
        if epoch == recipe.epochs:
            fields["responses"] = responses(of.graph, of.model, images.train.images, of.device)
    except RuntimeError as error:
        raise InspectError(f"{of.graph.name} fails in training: {first_line(error)}") from error
    fields["seconds"] = round(time.perf_counter() - start, 3)
    return fields | {"cpu": round(time.process_time() - cpu, 3)}


def _steps(
    of: Learner, images: Images, recipe: Recipe, epoch: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Loss, error and gradients over an epoch's steps, or why it ended early."""
    of.model.train()
    for group in of.optimizer.param_groups:
        group["lr"] = recipe.rate_at(epoch)
    order = torch.randperm(len(images.train.labels))
    # Batch norm cannot take one image alone.
    batches = [batch for batch in order.split(recipe.batch) if len(batch) > 1]
    seen = wrong = 0
    total, squares, told = 0.0, torch.zeros(2, dtype=torch.float64), 0.0
    for number, chosen in enumerate(batches, 1):
        pixels, labels = (part[chosen].to(of.device) for part in images.train)
        scores = _scores(of.model, augmented(pixels) if images.shifted else pixels)
        loss = nn.functional.cross_entropy(scores, labels)
        value = loss.item()
        if not math.isfinite(value):
            return {
                "reason": f"the loss is {value} at step {number} of {len(batches)}, at a learning "
                f"rate of {recipe.rate_at(epoch):g}"
            }
        of.optimizer.zero_grad()
        loss.backward()
        squares += torch.tensor([_square(part) for part in of.watched])
        of.optimizer.step()
        seen += len(chosen)
        total += value * len(chosen)
        wrong += int((scores.argmax(1) != labels).sum())
        if time.perf_counter() - told > 1:
            told = time.perf_counter()
            say(f"step {number} of {len(batches)}, loss {value:.3f}")
    gradients = [float(each) for each in (squares / len(batches)).sqrt()]
    fields: dict[str, Any] = {"loss": round(total / seen, 6), "train_error": wrong / seen}
    if all(map(math.isfinite, gradients)):
        fields["gradients"] = tuple(float(f"{each:.6g}") for each in gradients)
    return fields


def _square(parameters: Sequence[nn.Parameter]) -> float:
    """The square of the gradient's 2-norm."""
    return sum(float(one.grad.square().sum()) for one in parameters if one.grad is not None)


def _scores(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    return next(results(model(pixels)))


def _test_error(of: Learner, part: Part, batch: int) -> float:
    """The share of images that are named wrong, in eval mode."""
    of.model.eval()
    wrong = 0
    with torch.no_grad():
        for pixels, labels in zip(part.images.split(batch), part.labels.split(batch), strict=True):
            found = _scores(of.model, pixels.to(of.device)).argmax(1).cpu()
            wrong += int((found != labels).sum())
    return wrong / len(part.labels)


PADDING = 4
"""Pixels by which a crop may be off (He et al. 2015, section 4.2)."""


def augmented(pixels: torch.Tensor) -> torch.Tensor:
    """Each image cropped from itself with a border of zeros, and half of them mirrored."""
    height, width = pixels.shape[2:]
    padded = nn.functional.pad(pixels, (PADDING,) * 4)
    tops, lefts = torch.randint(2 * PADDING + 1, (2, len(pixels))).tolist()
    cropped = [
        image[:, top : top + height, left : left + width]
        for image, top, left in zip(padded, tops, lefts, strict=True)
    ]
    mirrored = (torch.rand(len(pixels)) < 0.5).to(pixels.device)
    whole = torch.stack(cropped)
    return torch.where(mirrored[:, None, None, None], whole.flip(3), whole)
