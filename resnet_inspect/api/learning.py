"""Learning: networks trained on images, and what of them is trained how fast."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resnet_inspect.api.networks import Model, flat, graph, has_spec, spec
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.progress import SILENT, Progress
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.inputs import Inputs

if TYPE_CHECKING:
    import torch

    from resnet_inspect.pytorch.train.data import Arrays, Images
    from resnet_inspect.reporting.measurements import Measurements
    from resnet_inspect.tables.table import Table


def learn(
    *models: Model | Sequence[Model],
    data: str | Arrays = "digits",
    epochs: int = 20,
    seeds: int = 3,
    batch: int = 128,
    rate: float = 0.03,
    weight_decay: float = 1e-4,
    device: str | None = None,
    threads: int | None = None,
    record: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Measurements:
    """Train networks from several seeds, and see which of them learn.

    SGD with momentum 0.9; the rate falls to a tenth after half and after three quarters of the
    epochs. data: 'digits' (scikit-learn's, 8x8), 'mnist FOLDER' or 'cifar10 FOLDER' of the user's
    files, 'package.module:callable' that gives ((images, labels), (images, labels)) to train and
    to test on, or such arrays. Networks of the zoo take the images' shape and classes; those of
    CIFAR-10, by name, have half their channels on digits. threads: of the CPU (default: one for
    small networks, torch's for others). record: a JSON Lines file to which each
    epoch is added at once; resume: go on behind what it holds, with the same bits. A loss that is
    not finite ends a run with a row that says so. Raises InspectError.
    """
    from resnet_inspect.measuring.learning import Recipe
    from resnet_inspect.measuring.sweep import Session
    from resnet_inspect.pytorch.train.data import images_named
    from resnet_inspect.pytorch.train.learn import run_learning
    from resnet_inspect.reporting.measurements import Measurements

    if not (wanted := flat(models)):
        raise InspectError("no network to train; name at least one, such as 'resnet20'")
    images = images_named(data)
    recipe = Recipe(
        data=images.name,
        train=len(images.train.labels),
        test=len(images.test.labels),
        classes=images.classes,
        epochs=epochs,
        batch=batch,
        rate=float(rate),
        weight_decay=float(weight_decay),
    )
    networks = [_fitted(model, images) for model in wanted]
    session = Session(device, threads, record, resume, progress)
    return Measurements(tuple(run_learning(networks, images, recipe, seeds, session)))


_CIFAR: dict[str, Any] = {"widths": (16, 32, 64), "stem_width": 16}
_HALF: dict[str, Any] = {"widths": (8, 16, 32), "stem_width": 8}


def _fitted(model: Model, images: Images) -> LayerGraph:
    """The network for these images."""
    if not has_spec(model):
        return graph(model, None if isinstance(model, LayerGraph) else images.shape)
    described = spec(model)
    channels, *size = images.shape
    changes: dict[str, Any] = {
        "in_channels": channels,
        "classes": images.classes,
        "input_size": tuple(size),
    }
    by_name = isinstance(model, str) and "[" not in model
    of_cifar = all(getattr(described, field) == value for field, value in _CIFAR.items())
    if by_name and of_cifar and images.name == "digits":
        changes |= _HALF
    return graph(described.with_changes(changes))


def parameter_groups(
    model: torch.nn.Module,
    rates: Mapping[str, float] | None = None,
    *,
    rate: float | None = None,
    layer_decay: float | None = None,
    weight_decay: float | None = None,
    no_decay_for: Sequence[str] = ("norm", "bias"),
    input_shape: Inputs | None = None,
) -> list[dict[str, Any]]:
    """The parameters of a module in groups by stage, for an optimizer of torch or timm.

    rates: learning rates by stage ('stem', 'layer1', .. 'head') or block ('layer1.0'), which goes
    before its stage; rate: of all others (default: the optimizer's). layer_decay: each block learns
    at this share of the rate of the next one, as timm has it. weight_decay: of all but the kinds in
    no_decay_for, which have none (default: the optimizer's). Parts are found by tracing the module
    with an input of `input_shape`; each parameter that is trained is in one group, that of the
    layer that uses it first. Raises InspectError.
    """
    from resnet_inspect.pytorch.parameters import groups

    traced = graph(model, input_shape)
    return groups(traced, model, rates or {}, rate, layer_decay, weight_decay, no_decay_for)


def freeze(
    model: Model, until: str | None = None, *, batch: int = 1, input_shape: Inputs | None = None
) -> Table:
    """Stop a module from learning up to a stage or block, and it; its table says what that saves.

    until: by default all but the last stage, which is the head. The parameters of these blocks get
    no gradient, and their batch norms keep their statistics and use them, in train mode too. The
    rows of the table freeze nothing, the stem, the first stage and so on: MACs of a training step,
    gradients, and memory with momentum, for `batch` samples. Of a network that is no module there
    is the table alone. Raises InspectError.
    """
    from torch import nn

    from resnet_inspect.counting.freezing import frozen_steps
    from resnet_inspect.pytorch import assemble, parameters
    from resnet_inspect.tables.freezing import freezing

    traced = described = graph(model, input_shape)
    if traced.run is None:
        module = assemble.build(described, device="meta")
        traced = graph(module, described.input_shape)
    if until is None:
        if len(traced.stages) < 2:
            raise InspectError(f"{described.name} is one stage; name the last block to freeze")
        until = traced.stages[-2].name
    table = freezing(described.name, frozen_steps(traced, until, batch), batch)
    if isinstance(model, nn.Module):
        parameters.freeze(traced, model, until)
    return table
