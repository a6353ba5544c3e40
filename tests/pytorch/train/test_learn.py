"""Training: a record that a kill loses nothing of, the same bits again, and what it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import resnet_inspect as ri
from resnet_inspect.cli.main import run as cli
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.learning import Epoch, Recipe, runs
from resnet_inspect.measuring.progress import Progress
from resnet_inspect.measuring.records import Measurement, read
from resnet_inspect.pytorch.train.data import images_named
from resnet_inspect.pytorch.train.run import augmented

TINY = ("plain20[blocks=1,1,1,widths=4,4,4]", "resnet20[blocks=1,1,1,widths=4,4,4,stem_width=4]")
QUICK: dict[str, Any] = {"epochs": 3, "seeds": 1, "batch": 4, "threads": 1, "device": "cpu"}


def stripes(count: int = 24) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Images of two classes that anything can learn: stripes across and down."""
    labels = np.arange(count) % 2
    across = np.tile(np.arange(6) % 2, (6, 1)) * 255
    return np.stack([across.T if label else across for label in labels]), labels


DATA = (stripes(), stripes(10))


def figures(epochs: Any) -> list[tuple[Any, ...]]:
    """What does not depend on the clock."""
    return [
        (e.model, e.recipe, e.epoch, e.loss, e.train_error, e.test_error, e.gradients, e.responses)
        for e in epochs
    ]


class StopAfter(Progress):
    def __init__(self, count: int) -> None:
        self.left = count

    def done(self, measurement: Measurement) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


class Notes(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, words: str) -> None:
        self.notes.append(words)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("learn") / "learn.jsonl"
    return ri.learn(*TINY, data=DATA, **QUICK, record=path), path


def test_each_epoch_is_a_line(whole: Any) -> None:
    learned, path = whole
    assert figures(read(path)) == figures(learned.records)
    assert [record.epoch for record in learned.records] == [1, 2, 3] * 2
    assert [path.name for path in path.parent.iterdir()] == ["learn.jsonl"]
    for last in (learned.records[2], learned.records[5]):
        assert last.is_last
        assert last.learns
        assert len(last.responses) == 7
        assert last.gradients[0] > 0
    assert [record.residual for record in learned.records[::3]] == [False, True]
    assert learned.records[0].recipe.data.startswith("arrays ")


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_kill_loses_nothing(whole: Any, tmp_path: Path, after: int) -> None:
    path = tmp_path / "learn.jsonl"
    with pytest.raises(KeyboardInterrupt):
        ri.learn(*TINY, data=DATA, **QUICK, record=path, progress=StopAfter(after))
    assert len(read(path)) == after
    resumed = ri.learn(*TINY, data=DATA, **QUICK, record=path, resume=True)
    assert figures(resumed.records) == figures(whole[0].records)
    assert figures(e for run in runs(read(path)) for e in run) == figures(whole[0].records)  # type: ignore[arg-type]
    lines = len(read(path))
    again = ri.learn(*TINY, data=DATA, **QUICK, record=path, resume=True)
    assert figures(again.records) == figures(resumed.records)
    assert len(read(path)) == lines


@pytest.mark.parametrize("left", [b"", b"not a checkpoint"])
def test_a_run_without_its_checkpoint_starts_again(whole: Any, tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "learn.jsonl"
    with pytest.raises(KeyboardInterrupt):
        ri.learn(*TINY, data=DATA, **QUICK, record=path, progress=StopAfter(2))
    (tmp_path / "learn.jsonl.checkpoint").write_bytes(left)
    said = Notes()
    resumed = ri.learn(*TINY, data=DATA, **QUICK, record=path, resume=True, progress=said)
    assert [note.rpartition(", seed 0 ")[2] for note in said.notes] == [
        "starts again, as the checkpoint behind its epochs is gone"
    ]
    assert figures(resumed.records) == figures(whole[0].records)


def test_other_settings_are_another_run(whole: Any, tmp_path: Path) -> None:
    path = tmp_path / "learn.jsonl"
    path.write_bytes(whole[1].read_bytes())
    ri.learn(*TINY, data=DATA, **{**QUICK, "epochs": 1}, record=path, resume=True)
    assert len(runs(read(path))) == 4  # type: ignore[arg-type]


def test_small_networks_train_in_one_thread() -> None:
    (small,) = ri.learn(TINY[1], data=DATA, epochs=1, seeds=1, device="cpu").records
    assert small.settings.threads == 1
    (asked,) = ri.learn(TINY[1], data=DATA, epochs=1, seeds=1, device="cpu", threads=2).records
    assert asked.settings.threads == 2


def test_seeds_differ_and_repeat() -> None:
    first, second = (
        ri.learn(TINY[1], data=DATA, **{**QUICK, "seeds": 2, "epochs": 1}) for _ in range(2)
    )
    assert figures(first.records) == figures(second.records)
    assert first.records[0].loss != first.records[1].loss  # type: ignore[attr-defined]


def test_tables_and_json(whole: Any) -> None:
    learned, path = whole
    rows = learned.table().records()
    assert [(row["model"], row["epochs"], row["verdict"]) for row in rows] == [
        (record.model, 3, "learns") for record in learned.records[::3]
    ]
    assert rows[0]["train_error"] == learned.records[2].train_error
    epochs = learned.table("epoch").records()
    assert [row["loss"] for row in epochs] == [record.loss for record in learned.records]
    responses = ri.read_bench(path).table("response").records()
    assert [row["deviation"] for row in responses[:7]] == [*learned.records[2].responses.values()]
    (only,) = ri.read_bench(path, learned.records[0].model).table().records()
    assert only["model"] == learned.records[0].model
    assert json.loads(learned.table().to_text("json"))["rows"] == rows


def test_plots_show_the_record(whole: Any) -> None:
    errors, gradients, responses = whole[0].plots()
    assert [p.name.split("-")[0] for p in (errors, gradients, responses)] == [
        "errors",
        "gradients",
        "responses",
    ]
    from matplotlib.figure import Figure

    from resnet_inspect.pictures.plots.plot import called
    from resnet_inspect.pictures.themes import theme_named

    figure = Figure()
    errors.paint(figure, theme_named("light"))
    records = whole[0].records
    for axes, key in zip(figure.axes, ("train_error", "test_error"), strict=True):
        plain, residual = axes.get_lines()
        assert list(plain.get_ydata()) == [100 * getattr(one, key) for one in records[:3]]
        assert list(residual.get_ydata()) == [100 * getattr(one, key) for one in records[3:]]
        assert plain.get_linestyle() != "-" == residual.get_linestyle()
    for plot in (errors, gradients, responses):
        assert plot.to_svg() == plot.to_svg()
        assert called(records[0].model) in plot.to_svg()


def test_a_rate_that_diverges_is_a_row_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "learn.jsonl"
    settings = {**QUICK, "rate": 1e5, "epochs": 5, "batch": 4}
    learned = ri.learn(Unnormed(), data=DATA, **settings, record=path)
    last = learned.records[-1]
    assert isinstance(last, Epoch)
    assert (last.loss, last.learns) == (None, False)
    (row,) = learned.table().records()
    assert row["verdict"] == "diverged"
    assert "give a smaller --rate" in learned.table().notes[0]
    assert learned.plots()[0].to_svg()
    count = len(read(path))
    ri.learn(Unnormed(), data=DATA, **settings, record=path, resume=True)
    assert len(read(path)) == count


class Unnormed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(64, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fc(self.conv(x).square().flatten(1))
        return result


def test_code_gives_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sampled.py").write_text(
        "import numpy as np\n"
        "def some(count): return np.ones((count, 3, 6, 6)), np.arange(count) % 2\n"
        "def data(): return some(4), some(2)\n"
        "def none(): return 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    images = images_named("sampled:data")
    assert images.shape == (3, 6, 6)
    assert images.name.startswith("sampled:data ")
    with pytest.raises(InspectError, match=r"data of sampled:none is a int; it must be \(\(images"):
        images_named("sampled:none")


def test_digits_are_halves_of_every_writer() -> None:
    pytest.importorskip("sklearn")
    images = images_named("digits")
    assert (len(images.train.labels), len(images.test.labels), images.classes) == (1438, 359, 10)
    assert images.shape == (1, 8, 8)
    assert abs(float(images.train.images.mean())) < 1e-5
    assert set(images.test.labels.tolist()) == set(range(10))
    learned = ri.learn("resnet20", **{**QUICK, "epochs": 1})
    (record,) = learned.records
    assert (
        record.params
        == ri.cost(  # type: ignore[attr-defined]
            "resnet20", widths=(8, 16, 32), stem_width=8, in_channels=1, input_size=(8, 8)
        ).params
    )


def test_images_do_not_depend_on_threads() -> None:
    many = np.random.default_rng(0).integers(0, 256, (3000, 8, 8)), np.arange(3000) % 2
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(images_named((many, many)))
    torch.set_num_threads(before)
    for other in found[1:]:
        assert torch.equal(other.train.images, found[0].train.images)


def test_images_do_not_depend_on_how_arrays_lie_in_memory() -> None:
    (images, labels), test = DATA
    other = np.moveaxis(np.ascontiguousarray(np.moveaxis(images[:, None], 1, 3)), 3, 1)
    first, second = (images_named(((x, labels), test)) for x in (images[:, None], other))
    assert first.train.images.stride() == second.train.images.stride()
    assert first.name == second.name


def test_crops_hold_what_the_image_held() -> None:
    torch.manual_seed(0)
    images = torch.arange(1.0, 101).reshape(1, 1, 10, 10).repeat(50, 1, 1, 1)
    cropped = augmented(images)
    assert cropped.shape == images.shape
    assert len({tuple(one.flatten().tolist()) for one in cropped}) > 30
    inside = cropped[:, 0, 5, 5]
    assert bool((inside > 0).all())


def test_the_rate_falls_twice() -> None:
    recipe = Recipe(data="x", train=1, test=1, classes=2, epochs=8, rate=1.0)
    assert [recipe.rate_at(epoch) for epoch in range(1, 9)] == [1.0] * 4 + [0.1] * 2 + [0.01] * 2


IMAGES, LABELS = stripes(8)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"data": "letters"}, "unknown data 'letters'; choose from digits, mnist, cifar10"),
        ({"data": "mnist"}, "mnist is read from a folder; give it"),
        ({"data": "mnist /nowhere"}, "'/nowhere' has no train-images-idx3-ubyte"),
        ({"data": "nowhere:data"}, "cannot import 'nowhere'"),
        ({"data": 3}, "the data of arrays is a int"),
        ({"data": ((IMAGES, LABELS[:3]), DATA[1])}, "labels of arrays to train on are 3 for 8"),
        ({"data": ((IMAGES[0], LABELS), DATA[1])}, "images of arrays to train on are 6x6; give"),
        ({"data": ((IMAGES, LABELS - 1), DATA[1])}, "no whole numbers from 0"),
        ({"data": ((IMAGES, LABELS * 0.5), DATA[1])}, "no whole numbers from 0"),
        ({"data": ((IMAGES * np.nan, LABELS), DATA[1])}, "not finite"),
        ({"data": ((IMAGES, LABELS), (IMAGES[:, :5], LABELS))}, "1x6x6 to train on and 1x5x6"),
        ({"data": ((IMAGES[:1], LABELS[:1]), DATA[1])}, "has 1 image; give at least 2"),
        ({"epochs": 0}, "epochs is 0; give at least 1"),
        ({"batch": 1}, "batch is 1; give at least 2"),
        ({"rate": 0.0}, "rate is 0; give one above 0, below 1e6"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"weight_decay": -1.0}, "weight_decay is -1; give one from 0"),
        ({"seeds": 0}, "seeds is 0; give 1 to 1000"),
        ({"resume": True}, "resume needs a record"),
        ({"record": "/nowhere/learn.jsonl"}, "cannot write"),
    ],
)
def test_refusals(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InspectError, match=words):
        ri.learn(TINY[0], **{"data": DATA, **QUICK, **settings})


def test_networks_that_cannot_learn_the_images() -> None:
    with pytest.raises(InspectError, match="no network to train"):
        ri.learn(data=DATA)
    with pytest.raises(InspectError, match=r"takes 3x32x32, and the images of arrays .* are 1x6x6"):
        ri.learn(ri.graph("resnet20"), data=DATA)
    with pytest.raises(InspectError, match=r"gives 4x4x4 for an image; .* each of 2 classes"):
        ri.learn(nn.Conv2d(1, 4, 3), data=DATA)
    with pytest.raises(InspectError, match="fails: Given input size"):
        ri.learn(nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(9)), data=DATA)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    quick = ["--epochs", "1", "--seeds", "1", "--threads", "1", "--device", "cpu"]
    names = ["plain8_cifar", "resnet8_cifar"]
    quick += ["--record", "learn.jsonl"]
    assert cli(["learn", *names, *quick, "--plots", "figures", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert [row["model"] for row in json.loads(out)["rows"]] == names
    assert "2 of 2 finished: resnet8_cifar, seed 0, epoch 1: loss " in err
    assert sorted(path.stem for path in Path("figures").iterdir()) == [
        "errors-digits",
        "gradients-digits",
        "responses-digits",
    ]
    assert cli(["results", "learn.jsonl", "--level", "epoch", "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "mnist"], "mnist is read from a folder"),
        (["--data", "mnist", "/nowhere"], "'/nowhere' has no train-images-idx3-ubyte"),
        (["--data", "cifar10 /nowhere"], "there is no '/nowhere/data_batch_1'"),
        (["--level", "layers"], "unknown level 'layers'; choose from run, epoch, response"),
    ],
)
def test_the_command_refuses_in_a_line(words: list[str], said: str, capsys: Any) -> None:
    assert cli(["learn", "resnet20", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1
