"""MNIST and CIFAR-10 from files: whole ones are read, all others refused in a line."""

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resnet_inspect.errors import FormatError
from resnet_inspect.pytorch.train.image_files import CIFAR_TRAIN, read_cifar10, read_mnist

RANDOM = np.random.default_rng(0)


def idx(array: np.ndarray[Any, Any]) -> bytes:
    sizes = b"".join(size.to_bytes(4) for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.astype(np.uint8).tobytes()


def mnist(folder: Path, zipped: bool = False, dotted: bool = False) -> dict[str, Any]:
    """Write files of MNIST's form; gives what they hold."""
    held = {}
    for part, count in (("train", 6), ("t10k", 4)):
        for kind, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            array = RANDOM.integers(0, 10, shape)
            name = f"{part}-{kind}-ubyte"
            held[name] = array
            name = name.replace("-idx", ".idx") if dotted else name
            data = gzip.compress(idx(array)) if zipped else idx(array)
            (folder / (f"{name}.gz" if zipped else name)).write_bytes(data)
    return held


@pytest.mark.parametrize(("zipped", "dotted"), [(False, False), (True, False), (False, True)])
def test_mnist(tmp_path: Path, zipped: bool, dotted: bool) -> None:
    held = mnist(tmp_path, zipped, dotted)
    train, test = read_mnist(str(tmp_path))
    assert train.images.shape == (6, 1, 28, 28)
    assert np.array_equal(train.images[:, 0], held["train-images-idx3-ubyte"])
    assert np.array_equal(test.labels, held["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-1], "says 6x28x28 and has 4,703 bytes of 4,704; it was cut off"),
        (lambda data: data[:10], "no IDX file of bytes in 3 dimensions"),
        (lambda data: b"\0\0\x0d\3" + data[4:], "no IDX file of bytes in 3 dimensions"),
        (lambda data: data[:4] + b"\xff" * 12 + data[16:], "says 4294967295x4294967295x"),
        (lambda data: data[:4] + bytes(12), "is empty"),
        (lambda data: idx(np.zeros((5, 28, 28))), "has 6 labels for 5 images"),
        (lambda data: None, "has no train-images-idx3-ubyte or train-images-idx3-ubyte.gz"),
    ],
)
def test_refuses_damaged_idx(tmp_path: Path, damage: Any, words: str) -> None:
    mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    data = damage(path.read_bytes())
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(FormatError, match=words):
        read_mnist(str(tmp_path))


def test_refuses_a_gzip_file_that_was_cut_off(tmp_path: Path) -> None:
    mnist(tmp_path, zipped=True)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FormatError, match="is not a whole gzip file"):
        read_mnist(str(tmp_path))


def batch(count: int = 3) -> dict[Any, Any]:
    images = RANDOM.integers(0, 256, (count, 3072)).astype(np.uint8)
    return {b"data": images, b"labels": [at % 10 for at in range(count)]}


def cifar(folder: Path, protocol: int = 2) -> list[dict[Any, Any]]:
    folder.mkdir(exist_ok=True)
    held = [batch() for _ in range(6)]
    for name, each in zip((*CIFAR_TRAIN, "test_batch"), held, strict=True):
        (folder / name).write_bytes(pickle.dumps(each, protocol))
    return held


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py"])
def test_cifar10(tmp_path: Path, inside: str, protocol: int) -> None:
    held = cifar(tmp_path / inside, protocol)
    train, test = read_cifar10(str(tmp_path))
    assert train.images.shape == (15, 3, 32, 32)
    assert np.array_equal(train.images[:3].reshape(3, -1), held[0][b"data"])
    assert np.array_equal(test.images.reshape(3, -1), held[5][b"data"])
    assert list(test.labels) == held[5][b"labels"]


def test_reads_what_python_2_wrote(tmp_path: Path) -> None:
    """Its strings are bytes without a name of _codecs; so is the array's content."""
    cifar(tmp_path)
    data = bytes(range(256)) * 12
    written = (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + len(data).to_bytes(4, "little") + data + b"tbU\x06labels]K\x07au."
    )
    (tmp_path / "test_batch").write_bytes(written)
    _, test = read_cifar10(str(tmp_path))
    assert test.images.tobytes() == data
    assert list(test.labels) == [7]


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_names_code_runs_none(tmp_path: Path) -> None:
    cifar(tmp_path)
    made = tmp_path / "made"
    (tmp_path / "data_batch_2").write_bytes(pickle.dumps({**batch(), b"x": Evil(made)}))
    with pytest.raises(FormatError, match=r"refused as a batch of CIFAR-10: it names posix\.mkdir"):
        read_cifar10(str(tmp_path))
    assert not made.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is refused as a batch of CIFAR-10"),
        (b"not a pickle", "is refused as a batch of CIFAR-10"),
        (pickle.dumps([1, 2]), "lacks 'data' or 'labels'"),
        (pickle.dumps({**batch(), b"labels": [1]}), "9,216 bytes of images for 1 labels"),
        (pickle.dumps({**batch(), b"labels": [0, 1, 10]}), "labels that are no whole numbers"),
        (pickle.dumps({**batch(), b"data": np.zeros((3, 3072))}), "73,728 bytes of images for 3"),
        (pickle.dumps({**batch(), b"data": [1]}), "lacks 'data' or 'labels'"),
    ],
)
def test_refuses_other_pickles(tmp_path: Path, data: bytes, words: str) -> None:
    cifar(tmp_path)
    (tmp_path / "test_batch").write_bytes(data)
    with pytest.raises(FormatError, match=words):
        read_cifar10(str(tmp_path))


def test_says_which_file_is_missing(tmp_path: Path) -> None:
    cifar(tmp_path)
    (tmp_path / "data_batch_5").unlink()
    with pytest.raises(FormatError, match=r"there is no .*data_batch_5"):
        read_cifar10(str(tmp_path))
