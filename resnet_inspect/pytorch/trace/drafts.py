"""Layers on their way: without names yet, and the names that they get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from resnet_inspect.networks.graph import INPUT, Layer, numbered
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.run import Input
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.structure import Frame


@dataclass(frozen=True, slots=True)
class Feed:
    """A tensor on its way: the draft that makes it, or the input that it is; and its shape."""

    draft: Draft | None
    shape: Shape
    input: Input | None = None

    @property
    def source(self) -> Draft | Input:
        source = self.draft or self.input
        assert source is not None
        return source


@dataclass(eq=False, slots=True)
class Draft:
    """A layer without its name. label: what it is called if nothing else is called so.

    uses: the names of the parameters and buffers that it computes with. macs: what its op says.
    called: the function, where the model itself calls one. until: how many drafts there were when
    the model's code let its output go.
    """

    label: str
    path: str
    op: Op
    inputs: tuple[Feed, ...]
    output: Shape
    frames: tuple[Frame, ...]
    function: bool
    uses: tuple[str, ...]
    macs: int | None
    called: str
    until: int = 0


def input_names(inputs: Sequence[Input], drafts: Sequence[Draft]) -> dict[Input, Input]:
    """The inputs under names that no layer has; one alone is the input."""
    if len(inputs) == 1:
        return {inputs[0]: inputs[0]._replace(name=INPUT)}
    taken = {label for draft in drafts for label in (draft.label, draft.frames[-1].path)}
    named = {}
    for entry in inputs:
        name = entry.name
        while name in taken:
            name += "_input"
        named[entry] = entry._replace(name=name)
    return named


def lasts_of(made: Sequence[Draft], names: Mapping[Draft, str]) -> Mapping[str, str]:
    """The layers during which outputs are last held, where that is after their last readers."""
    read: dict[Draft, int] = {}
    before: list[str] = []
    for at, draft in enumerate(made):
        before.append(names[draft] if draft in names else before[-1] if before else "")
        if draft in names:
            read.update((feed.draft, at) for feed in draft.inputs if feed.draft)
    lasts = {}
    for at, draft in enumerate(made):
        if draft in names and draft.until - 1 > read.get(draft, at):
            reader, last = before[read.get(draft, at)], before[draft.until - 1]
            if last != reader:
                lasts[names[draft]] = last
    return lasts


def kept(made: Sequence[Draft], outputs: Iterable[Draft]) -> list[Draft]:
    """The layers that the outputs need, and all others that cost something, with what feeds them.

    What is looked at and dropped, such as a mean that is printed, is no part of the network.
    """
    needed: set[Draft] = set()
    waiting = [*outputs, *(draft for draft in made if draft.uses or draft.macs != 0)]
    while waiting:
        draft = waiting.pop()
        if draft not in needed:
            needed.add(draft)
            waiting.extend(feed.draft for feed in draft.inputs if feed.draft)
    return [draft for draft in made if draft in needed]


def named_layers(drafts: Sequence[Draft], entering: Mapping[Input, Input]) -> list[Layer]:
    """Layers under unique names: numbered where a label is used more than once."""
    alone = Counter(frame for draft in drafts for frame in draft.frames)
    labels = []
    for draft in drafts:
        frame = draft.frames[-1]
        by_module = draft.function and frame.path and alone[frame] == 1
        labels.append(frame.path if by_module else draft.label)
    count, used = Counter(labels), Counter[str]()
    taken = {label for label, times in count.items() if times == 1}
    names: dict[Draft | Input, str] = {entry: shown.name for entry, shown in entering.items()}
    layers = []
    for draft, label in zip(drafts, labels, strict=True):
        name = label
        while count[label] > 1:
            used[label] += 1
            name = numbered(label, used[label])
            if name not in taken:
                break
        taken.add(name)
        names[draft] = name
        path = label if draft.function and label == draft.frames[-1].path else draft.path
        sources = tuple(names[feed.source] for feed in draft.inputs)
        shapes = tuple(feed.shape for feed in draft.inputs)
        layers.append(Layer(name, path, draft.op, sources, shapes, draft.output))
    return layers
