"""Published accuracy of the zoo's networks, by weights and the side of the images.

accuracy.csv: top-1 and top-5 on the 50,000 images of ImageNet's validation set, as timm publishes
them (github.com/huggingface/pytorch-image-models@aa4b5850c154, results/results-imagenet.csv).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

ALONE = "ImageNet-1k"

_MORE = {
    "ig1b": "IG-1B",
    "yfcc100m": "YFCC-100M",
    "swag": "IG-3.6B",
    "seer": "IG-1B",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
}
"""Images that weights also saw, by what timm's names of them hold."""


class Accuracy(NamedTuple):
    """What some weights of a network reach on images of side x side pixels, in percent.

    weights: timm's name of them; data: what they were trained on, ALONE or that and more.
    """

    model: str
    weights: str
    side: int
    top1: float
    top5: float

    @property
    def data(self) -> str:
        more = [name for key, name in _MORE.items() if key in self.weights]
        return " + ".join([*more, ALONE])


@cache
def published() -> tuple[Accuracy, ...]:
    """Every published figure, in the order of the zoo."""
    text = files("resnet_inspect.counting").joinpath("accuracy.csv").read_text("utf-8")
    return tuple(
        Accuracy(
            *(row["model"], row["weights"], int(row["side"])),
            *(float(row["top1"]), float(row["top5"])),
        )
        for row in csv.DictReader(io.StringIO(text))
    )


def on_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Whether no other point costs as little or less and is as good or better, one of them truly.

    points: cost and quality of each. (The Pareto front.)
    """
    best: dict[float, float] = {}
    for cost, quality in points:
        best[cost] = max(quality, best.get(cost, quality))
    front, reached = set(), float("-inf")
    for cost in sorted(best):
        if best[cost] > reached:
            reached = best[cost]
            front.add((cost, reached))
    return [point in front for point in points]
