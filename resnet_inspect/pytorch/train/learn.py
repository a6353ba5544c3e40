"""From the arguments of a call to the records of its trainings.

All that can be refused is refused before anything is trained. Each epoch is in the record before
the next begins, and beside the record lies a checkpoint of the run that is under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import torch
from msgspec.structs import replace

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.errors import InspectError, shown
from resnet_inspect.measuring.learning import Epoch, Recipe, Run, run_key, runs
from resnet_inspect.measuring.measurement import Condition, Settings
from resnet_inspect.measuring.records import select, timestamp
from resnet_inspect.measuring.sweep import Session
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.op_data import fingerprint
from resnet_inspect.networks.ops import Add
from resnet_inspect.networks.parts import depth
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.pytorch.bench import machine
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.train.checkpoint import Checkpoint, Saved
from resnet_inspect.pytorch.train.data import Images
from resnet_inspect.pytorch.train.run import learner, train_epoch


class _Training(NamedTuple):
    """A run that is wanted. facts: what all its records say. key: which run it is.

    done: its epochs that need not be trained again; saved: the state behind them. lost: whether
    epochs that were trained have to be again.
    """

    graph: LayerGraph
    recipe: Recipe
    facts: dict[str, Any]
    key: str
    done: Run
    saved: Saved | None = None
    lost: bool = False

    @property
    def is_done(self) -> bool:
        return bool(self.done) and self.done[-1].is_last

    def __str__(self) -> str:
        return f"{self.graph.name}, seed {self.recipe.seed}"


def run_learning(
    graphs: Sequence[LayerGraph], images: Images, recipe: Recipe, seeds: int, session: Session
) -> list[Epoch]:
    """Train networks from each seed; to resume, behind what the record has.

    recipe: of the first seed. Raises InspectError where an argument, a network or the record cannot
    be used.
    """
    if not 1 <= seeds <= 1000:
        raise InspectError(f"seeds is {shown(seeds)}; give 1 to 1000")
    recipe.checked()
    for graph in graphs:
        check_learner(graph, images)
    known = session.known()
    chosen, checkpoint = machine.device_named(session.device), Checkpoint.beside(session.record)
    known_runs = runs(select(known, Epoch)) if session.resume else []
    saved = checkpoint.load() if session.resume else None
    wanted = [
        _training(graph, replace(recipe, seed=seed), chosen, session.threads, known_runs, saved)
        for seed in range(recipe.seed, recipe.seed + seeds)
        for graph in graphs
    ]
    done = sum(len(one.done) for one in wanted)
    left = sum(one.recipe.epochs - len(one.done) for one in wanted if not one.is_done)
    session.progress.start(done + left, done)
    for one in wanted:
        if one.lost:
            session.progress.note(
                f"{one} starts again, as the checkpoint behind its epochs is gone"
            )
    trained = [_train(one, images, chosen, checkpoint, session) for one in wanted]
    return [epoch for run in trained for epoch in run]


SMALL = 10**9
"""MACs of a step's forward pass below which threads lose more by waiting than they save."""


def check_learner(graph: LayerGraph, images: Images) -> None:
    """Raise InspectError for a network that cannot learn these images."""
    if len(graph.inputs) != 1 or graph.input_shape != images.shape:
        raise InspectError(
            f"{graph.name} takes {graph.shown_inputs}, and the images of {images.name} are "
            f"{show_shape(images.shape)}"
        )
    scores = graph.layer(graph.outputs[0]).output_shape
    if len(scores) != 1 or scores[0] < images.classes:
        raise InspectError(
            f"{graph.name} gives {show_shape(scores)} for an image; learning {images.name} takes a "
            f"score for each of {images.classes} classes"
        )


def _training(
    graph: LayerGraph,
    recipe: Recipe,
    device: torch.device,
    threads: int | None,
    known: Sequence[Run],
    saved: Saved | None,
) -> _Training:
    small = graph_cost(graph, recipe.batch).macs < SMALL
    with settings(threads=1 if small and threads is None else threads, repeatable=True) as held:
        described = machine.describe(device)
    facts: dict[str, Any] = {
        "device": described,
        "settings": held,
        "software": machine.software(),
        "model": graph.name,
        "network": fingerprint(graph),
        "input": graph.input_shape,
        "depth": depth(graph),
        "residual": any(isinstance(layer.op, Add) for layer in graph.layers),
        "params": graph_cost(graph).params,
        "recipe": recipe,
    }
    now = Condition()
    like = run_key(Epoch(**facts, made="", before=now, after=now, epoch=1, seconds=0.0, cpu=0.0))
    key = sha256(repr(like).encode()).hexdigest()
    done = next((run for run in known if run_key(run[0]) == like), ())
    training = _Training(graph, recipe, facts, key, done)
    if training.is_done:
        return training
    if saved is None or saved.run != key or len(done) < saved.epoch:
        return training._replace(done=(), lost=len(done) > 1)
    return training._replace(done=done[: saved.epoch], saved=saved)


def _train(
    training: _Training,
    images: Images,
    device: torch.device,
    checkpoint: Checkpoint,
    session: Session,
) -> Run:
    """The epochs of a run; those that are missing are trained, saved and reported."""
    if training.is_done:
        return training.done
    held: Settings = training.facts["settings"]
    epochs = list(training.done)
    with settings(threads=held.threads, repeatable=True):
        of = learner(training.graph, training.recipe, device)
        if training.saved is not None:
            training.saved.restore(of)
        for number in range(len(epochs) + 1, training.recipe.epochs + 1):

            def say(words: str, number: int = number) -> None:
                session.progress.say(f"{training}, epoch {number}: {words}")

            say("begins")
            before = machine.condition(device)
            fields = train_epoch(of, images, training.recipe, number, say)
            after = {"before": before, "after": machine.condition(device), "made": timestamp()}
            epoch = Epoch(**training.facts | fields | after, epoch=number)
            say(epoch.words)
            epochs.append(session.keep(epoch))
            if epoch.is_last:
                break
            checkpoint.save(of, training.key, number)
    checkpoint.drop()
    return tuple(epochs)
