"""Images and labels from the files of MNIST and CIFAR-10.

A pickle is a program. Those of CIFAR-10 hold one dictionary with an array of bytes and a list of
numbers, so only what rebuilds such an array is let in, and stand-ins that keep the bytes take the
place even of that: nothing that a file names is ever called.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resnet_inspect.errors import FormatError
from resnet_inspect.files import read_bytes
from resnet_inspect.networks.shapes import elements, show_shape

LARGEST = 1 << 30
"""Bytes of a file; the images of MNIST take 47 million, a batch of CIFAR-10 takes 31."""


class Labelled(NamedTuple):
    """Images (number, channels, height, width) with the class of each."""

    images: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]


def read_mnist(folder: str) -> tuple[Labelled, Labelled]:
    """What the four IDX files of MNIST hold, plain or gzip, to train and to test on.

    LeCun, Cortes & Burges 1998, 'The MNIST database of handwritten digits', for the format. Raises
    FormatError.
    """
    return _mnist_part(folder, "train"), _mnist_part(folder, "t10k")


def _mnist_part(folder: str, part: str) -> Labelled:
    images = _idx(_found(folder, f"{part}-images-idx3-ubyte"), 3)
    where = _found(folder, f"{part}-labels-idx1-ubyte")
    labels = _idx(where, 1)
    if len(images) != len(labels):
        raise FormatError(f"{str(where)!r} has {len(labels)} labels for {len(images)} images")
    return Labelled(images[:, None], labels.astype(np.int64))


def _found(folder: str, name: str) -> Path:
    """The file of this name, which may be gzip or have a dot in its name; raises FormatError."""
    names = [name + end for name in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
    for each in names:
        if (path := Path(folder) / each).is_file():
            return path
    raise FormatError(f"{folder!r} has no {name} or {name}.gz; name the folder of MNIST's files")


def _idx(path: Path, dimensions: int) -> np.ndarray[Any, Any]:
    """The array of bytes in an IDX file; raises FormatError."""
    data = read_bytes(path, LARGEST)
    if path.suffix == ".gz":
        data = _unzipped(data, path)
    head = 4 + 4 * dimensions
    if len(data) < head or data[:4] != bytes((0, 0, 8, dimensions)):
        raise FormatError(f"{str(path)!r} is no IDX file of bytes in {dimensions} dimensions")
    shape = tuple(int.from_bytes(data[at : at + 4]) for at in range(4, head, 4))
    expected = elements(shape)
    if len(data) - head != expected:
        raise FormatError(
            f"{str(path)!r} says {show_shape(shape)} and has {len(data) - head:,} bytes of "
            f"{expected:,}; it was cut off, or is another file"
        )
    if not expected:
        raise FormatError(f"{str(path)!r} is empty")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _unzipped(data: bytes, path: Path) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            whole = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error):
        raise FormatError(f"{str(path)!r} is not a whole gzip file") from None
    if len(whole) > LARGEST:
        raise FormatError(f"{str(path)!r} holds more than {LARGEST} bytes")
    return whole


CIFAR_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))


def read_cifar10(folder: str) -> tuple[Labelled, Labelled]:
    """What the 'python version' of CIFAR-10 holds, to train and to test on; raises FormatError."""
    inside = Path(folder) / "cifar-10-batches-py"
    place = inside if inside.is_dir() else Path(folder)
    batches = [_cifar_batch(place / name) for name in CIFAR_TRAIN]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return Labelled(images, labels), _cifar_batch(place / "test_batch")


def _cifar_batch(path: Path) -> Labelled:
    if not path.is_file():
        raise FormatError(
            f"there is no {str(path)!r}; name the folder of CIFAR-10's python version, with "
            "data_batch_1 to 5 and test_batch"
        )
    held = _unpickled(read_bytes(path, LARGEST), path)
    found = {
        key.decode("latin-1") if isinstance(key, bytes) else key: value
        for key, value in (held.items() if isinstance(held, dict) else ())
    }
    array, labels = found.get("data"), found.get("labels")
    if not isinstance(array, _Array) or not isinstance(labels, list):
        raise FormatError(f"{str(path)!r} is no batch of CIFAR-10: it lacks 'data' or 'labels'")
    size = 3 * 32 * 32
    if len(array.data) != len(labels) * size or not labels:
        raise FormatError(
            f"{str(path)!r} has {len(array.data):,} bytes of images for {len(labels):,} labels; "
            f"an image of CIFAR-10 has {size:,}"
        )
    if not all(type(label) is int and 0 <= label < 10 for label in labels):
        raise FormatError(f"{str(path)!r} has labels that are no whole numbers from 0 to 9")
    images = np.frombuffer(array.data, np.uint8).reshape(-1, 3, 32, 32)
    return Labelled(images, np.array(labels, np.int64))


class _Array:
    """In the place of a NumPy array of bytes: what it holds, and no array.

    Also in that of the array's type; which it is shows in the number of bytes.
    """

    data = b""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        held = state[-1] if isinstance(state, tuple) and state else b""
        self.data = held if isinstance(held, bytes) else str(held).encode("latin-1", "replace")


def _encoded(text: str, encoding: str) -> bytes:
    """In the place of _codecs.encode, by which later pickles write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("no bytes")
    return text.encode("latin-1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Array,
    ("_codecs", "encode"): _encoded,
}


class _Careful(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _STAND_INS[module, name]


def _unpickled(data: bytes, path: Path) -> Any:
    try:
        return _Careful(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # whatever a pickle may run into; nothing of it has run
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FormatError(f"{str(path)!r} is refused as a batch of CIFAR-10: {words}") from None
