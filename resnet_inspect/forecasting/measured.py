"""Public measurements of residual networks, and files of one's own.

`public/runs.csv` says where each run was published and how it ran, `public/rows.csv` what it
measured: images/s, and milliseconds where those were published too. ecaresnext50t_32x4d is left
out: in every run it is as fast as ecaresnext26t_32x4d, which timm built under both names then.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from resnet_inspect.forecasting.calibration import Sample
from resnet_inspect.forecasting.devices import find
from resnet_inspect.forecasting.efficiency import Way
from resnet_inspect.networks.naming import named
from resnet_inspect.networks.resnet import layer_graph


class Run(NamedTuple):
    """A published run: where, how and with which torch networks were timed.

    norms: the arithmetic of norms over groups: fp32 under autocast, unless timm's `fast_norm` has
    them in fp16. No run says which; networks with such norms take half as long again in fp32.
    """

    name: str
    device: str
    way: Way
    precision: str
    norms: str
    torch: str
    source: str

    @property
    def publisher(self) -> str:
        """Who published it: the owner and name of a repository."""
        return "/".join(self.source.partition("@")[0].split("/")[1:])


class Timing(NamedTuple):
    """What a run measured of a network: seconds for a batch of square images."""

    model: str
    side: int
    batch: int
    seconds: float


def public_table(name: str) -> Iterator[dict[str, str]]:
    """The rows of a file of public measurements."""
    text = files("resnet_inspect.forecasting").joinpath(f"public/{name}").read_text("utf-8")
    return csv.DictReader(io.StringIO(text))


@cache
def public_runs() -> Mapping[str, Run]:
    """Every published run, by name."""
    return {
        row["run"]: Run(
            row["run"],
            row["device"],
            Way(row["mode"], row["layout"], row["train"] == "yes", find(row["device"]).kind),
            row["precision"],
            row["norms"],
            row["torch"],
            row["source"],
        )
        for row in public_table("runs.csv")
    }


@cache
def public_timings() -> Mapping[str, tuple[Timing, ...]]:
    """What each run measured, in its order."""
    timings: dict[str, list[Timing]] = {name: [] for name in public_runs()}
    for row in public_table("rows.csv"):
        batch = int(row["batch"])
        seconds = float(row["ms"]) / 1e3 if row["ms"] else batch / float(row["img_per_s"])
        name = row["model"].partition(".")[0]  # what follows is which weights
        timings[row["run"]].append(Timing(name, int(row["img_size"]), batch, seconds))
    return {run: tuple(rows) for run, rows in timings.items()}


def sample(run: Run, timing: Timing) -> Sample:
    """A timing as calibration takes it."""
    graph = layer_graph(named(timing.model), (3, timing.side, timing.side))
    device = find(run.device)
    batch, seconds, wide = timing.batch, timing.seconds, run.norms == "fp32"
    return Sample.of(graph, run.way, run.precision, batch, device, seconds, wide)
