"""Trainings -> Table: how each network ends, epoch by epoch, or layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from resnet_inspect.errors import check_name
from resnet_inspect.measuring.learning import Epoch, Run, runs
from resnet_inspect.tables.columns import Column, Record, columns, row_of
from resnet_inspect.tables.table import Table

LEVELS = ("run", "epoch", "response")
"""What a row is: a training, one of its epochs, or a layer's response after the last."""

_RUN = (Column("model", "Network"), Column("seed", "Seed", "count"))
_FIGURES = (
    Column("loss", "Loss", "figures"),
    Column("train_error", "Train error", "percent"),
    Column("test_error", "Test error", "percent"),
)
_GRADIENTS = columns("figures", 1, first_gradient="First block", last_gradient="Last block")

_COLUMNS = {
    "run": (
        *_RUN,
        Column("depth", "Depth", "count", 3),
        Column("params", "Parameters", "count", 4),
        Column("epochs", "Epochs", "count", 2),
        *_FIGURES,
        *_GRADIENTS,
        Column("seconds", "Time", "seconds", 3),
        Column("verdict", "Verdict"),
    ),
    "epoch": (*_RUN, Column("epoch", "Epoch", "count"), *_FIGURES, *_GRADIENTS),
    "response": (
        *_RUN,
        Column("place", "Place", "count", 1),
        Column("layer", "Layer"),
        Column("deviation", "Deviation", "figures"),
    ),
}


def learning(epochs: Sequence[Epoch], level: str = "run") -> Table:
    """The trainings among some records. level: one of LEVELS; raises UnknownNameError."""
    check_name("level", level, LEVELS)
    rows = {"run": _run_rows, "epoch": _epoch_rows, "response": _response_rows}[level]
    models = list(dict.fromkeys(epoch.model for epoch in epochs))
    trained = sorted(runs(epochs), key=lambda run: models.index(run[0].model))
    first = trained[0][-1]
    same = len({run[0].recipe.data for run in trained}) == 1
    return Table(
        title=f"Learning {first.recipe.data if same else 'images'}, {first.device.name}",
        columns=_COLUMNS[level],
        rows=tuple(row for run in trained for row in rows(run)),
        meta={"level": level},
        notes=(*_endings(trained), *_NOTES[level]) if level == "run" else _NOTES[level],
        group="model",
    )


_ERRORS = "Train error is over the last epoch, while it learns; test error is afterwards."
_BLOCKS = "First and last block: the 2-norm of the gradient of its weights, over the epoch."
_NOTES = {
    "run": (_ERRORS, _BLOCKS),
    "epoch": (_ERRORS.replace("last epoch", "epoch"), _BLOCKS),
    "response": (
        "Standard deviation of each convolution's output behind its batch norm, after training.",
        "So He et al. 2015 have it in Figure 7.",
    ),
}


def _figures(epoch: Epoch) -> Record:
    first, last = epoch.gradients or (None, None)
    return {
        **row_of(epoch, _FIGURES),
        "model": epoch.model,
        "seed": epoch.recipe.seed,
        "first_gradient": first,
        "last_gradient": last,
    }


def _run_rows(run: Run) -> Iterator[Record]:
    last = run[-1]
    yield {
        **_figures(last),
        "depth": last.depth,
        "params": last.params,
        "epochs": last.epoch,
        "seconds": sum(epoch.seconds for epoch in run),
        "verdict": verdict(run),
    }


def verdict(run: Run) -> str:
    """What became of a training, in words."""
    last = run[-1]
    if last.reason is not None:
        return "diverged"
    if not last.is_last:
        return "interrupted"
    return "learns" if last.learns else "does not learn"


def _epoch_rows(run: Run) -> Iterator[Record]:
    return ({**_figures(epoch), "epoch": epoch.epoch} for epoch in run)


def _response_rows(run: Run) -> Iterator[Record]:
    last = run[-1]
    own: Record = {"model": last.model, "seed": last.recipe.seed}
    for place, (layer, deviation) in enumerate(last.responses.items(), 1):
        yield {**own, "place": place, "layer": layer, "deviation": deviation}


def _endings(trained: Sequence[Run]) -> Iterator[str]:
    """What diverged, and for each network of several seeds the middle of its train errors."""
    for run in trained:
        if run[-1].reason is not None:
            rate = "give a smaller --rate"
            yield f"{run[-1].model}, seed {run[-1].recipe.seed}: {run[-1].reason}; {rate}."
    errors: dict[str, list[float]] = {}
    for run in trained:
        if run[-1].train_error is not None:
            errors.setdefault(run[-1].model, []).append(run[-1].train_error)
    for model, found in errors.items():
        if len(found) > 1:
            yield (
                f"{model}: train error {median(found):.1%}, {min(found):.1%} to {max(found):.1%} "
                f"over {len(found)} seeds."
            )
