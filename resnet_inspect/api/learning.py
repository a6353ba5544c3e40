"""Learning: networks trained on images, and what of them is trained how fast."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from resnet_inspect.api.networks import Model, graph, has_spec, spec
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.progress import SILENT, Progress
from resnet_inspect.networks.graph import LayerGraph

if TYPE_CHECKING:
    from resnet_inspect.pytorch.train.data import Arrays, Images
    from resnet_inspect.reporting.measurements import Measurements


def learn(
    *models: Model | Sequence[Model],
    data: str | Arrays = "digits",
    epochs: int = 20,
    seeds: int = 3,
    batch: int = 128,
    rate: float = 0.1,
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
    CIFAR-10, by name, have half their channels on digits. record: a JSON Lines file to which each
    epoch is added at once; resume: go on behind what it holds, with the same bits. A loss that is
    not finite ends a run with a row that says so. Raises InspectError.
    """
    from resnet_inspect.measuring.learning import Recipe
    from resnet_inspect.pytorch.train.data import images_named
    from resnet_inspect.pytorch.train.learn import run_learning
    from resnet_inspect.reporting.measurements import Measurements

    lists = (model if isinstance(model, (list, tuple)) else (model,) for model in models)
    wanted = list(chain.from_iterable(cast("Any", lists)))
    if not wanted:
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
    records = run_learning(
        [_fitted(model, images) for model in wanted],
        images,
        recipe,
        seeds=seeds,
        device=device,
        threads=threads,
        record=record,
        resume=resume,
        progress=progress,
    )
    return Measurements(tuple(records))


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
