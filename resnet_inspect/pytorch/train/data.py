"""What networks are trained on: images by name, from files, or from a user's own code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.networks.shapes import Shape, show_shape
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.trace.load import called
from resnet_inspect.pytorch.train.image_files import Labelled, read_cifar10, read_mnist

FOLDERS: dict[str, Callable[[str], tuple[Labelled, Labelled]]] = {
    "mnist": read_mnist,
    "cifar10": read_cifar10,
}
"""Data that is read from a folder of the user's files."""

DIGITS = "digits"

DATA = (DIGITS, *FOLDERS)

Arrays = tuple[tuple[Any, Any], tuple[Any, Any]]
"""(images, labels) to train on, and (images, labels) to test on."""


class Part(NamedTuple):
    """Images of mean 0 and deviation 1, and their classes."""

    images: torch.Tensor
    labels: torch.Tensor


class Images(NamedTuple):
    """Data to learn. shifted: whether crops and reflections of an image are as good as it."""

    name: str
    train: Part
    test: Part
    classes: int
    shifted: bool = False

    @property
    def shape(self) -> Shape:
        _, channels, height, width = self.train.images.shape
        return channels, height, width


def images_named(data: str | Arrays) -> Images:
    """The images that are meant; raises InspectError.

    data: 'digits', 'mnist FOLDER', 'cifar10 FOLDER', 'package.module:callable' whose callable gives
    arrays, or such arrays.
    """
    if not isinstance(data, str):
        return _images("arrays", data)
    name, _, folder = data.partition(" ")
    if name in FOLDERS:
        if not folder.strip():
            raise InspectError(f"{name} is read from a folder; give it, as in '{name} FOLDER'")
        return _images(name, FOLDERS[name](folder.strip()), shifted=name == "cifar10")
    if data == DIGITS:
        return _images(DIGITS, _digits())
    if ":" in data:
        return _images(data, called(data, {}, "((images, labels), (images, labels))"))
    raise unknown("data", data, (*DATA, "package.module:callable"))


def _digits() -> tuple[Labelled, Labelled]:
    """Scans of digits, 8x8 (Alpaydin & Kaynak 1998); every fifth is to test on.

    scikit-learn's copy has the writers one after another, so both parts have some of each.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise InspectError(
            "the data 'digits' comes with scikit-learn, which is not installed; "
            "pip install scikit-learn"
        ) from None
    held = load_digits()
    images, labels = held.images[:, None], held.target
    tested = np.arange(len(labels)) % 5 == 4
    learned = ~tested
    return Labelled(images[learned], labels[learned]), Labelled(images[tested], labels[tested])


def _images(name: str, arrays: Any, shifted: bool = False) -> Images:
    """Arrays of any make, checked, and scaled by what the images to train on have."""
    try:
        (train_images, train_labels), (test_images, test_labels) = arrays
    except (TypeError, ValueError):
        raise InspectError(
            f"the data of {name} is a {type(arrays).__name__}; it must be ((images, labels), "
            "(images, labels)), to train and to test on"
        ) from None
    train = _part(f"{name} to train on", train_images, train_labels)
    test = _part(f"{name} to test on", test_images, test_labels)
    if train.images.shape[1:] != test.images.shape[1:]:
        shapes = (show_shape(part.images.shape[1:]) for part in (train, test))
        raise InspectError(
            "the images of {} are {} to train on and {} to test on".format(name, *shapes)
        )
    digest = hashlib.sha256()
    for tensor in (*train, *test):
        digest.update(tensor.numpy().tobytes())
    over = (0, 2, 3)
    with settings(threads=1):  # several would add in another order, to other last bits
        mean = train.images.mean(over, keepdim=True)
        deviation = train.images.std(over, keepdim=True).clamp_min(1e-6)
    train, test = (part._replace(images=(part.images - mean) / deviation) for part in (train, test))
    classes = 1 + int(max(train.labels.max(), test.labels.max()))
    own = name if name in DATA else f"{name} {digest.hexdigest()[:8]}"
    return Images(own, train, test, classes, shifted)


LEAST = 2
"""Images of a part: batch norm needs more than one."""


def _part(name: str, images: Any, labels: Any) -> Part:
    try:
        pixels = torch.from_numpy(np.array(images)).float()
        classes = torch.from_numpy(np.array(labels))
    except (TypeError, ValueError, RuntimeError):
        raise InspectError(f"the images or labels of {name} are no arrays of numbers") from None
    if pixels.dim() == 3:
        pixels = pixels[:, None]
    if pixels.dim() != 4 or 0 in pixels.shape:
        raise InspectError(
            f"the images of {name} are {show_shape(pixels.shape)}; give number x channels x height "
            "x width"
        )
    if classes.shape != pixels.shape[:1]:
        raise InspectError(
            f"the labels of {name} are {show_shape(classes.shape)} for {len(pixels)} images"
        )
    if len(pixels) < LEAST:
        raise InspectError(f"{name} has {len(pixels)} image; give at least {LEAST}")
    if classes.is_floating_point() or classes.is_complex() or int(classes.min()) < 0:
        raise InspectError(f"the labels of {name} are no whole numbers from 0")
    if not bool(pixels.isfinite().all()):
        raise InspectError(f"the images of {name} hold numbers that are not finite")
    # One layout wherever they come from: of another, convolutions round to other last bits.
    return Part(pixels.clone(memory_format=torch.channels_last), classes.long())
