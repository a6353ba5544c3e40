"""The report under reports/residual: paths, signal and degradation, from closed forms and records.

    python benchmarks/residual.py [--measure] [--into FOLDER]

Writes README.md (of residual.md.jinja beside this file), tables and plots. What was measured is
read from two records in the folder: signal.json, over seeds, and learn.jsonl, a line an epoch.
--measure makes them first: signal.json anew, and what learn.jsonl lacks (remove it to train all
anew), in some ten minutes on two CPU cores. A test holds that what is committed is what this
writes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from textwrap import wrap
from typing import Any

import jinja2

import resnet_inspect as ri
from resnet_inspect.files import write_text
from resnet_inspect.measuring.learning import Run, runs
from resnet_inspect.measuring.records import Epoch, select
from resnet_inspect.networks.parts import depths
from resnet_inspect.pictures.plots.signal import signal as signal_plot
from resnet_inspect.propagation import growth
from resnet_inspect.propagation.paths import paths
from resnet_inspect.propagation.signal import MeasuredLayer, Signal, Spread, signal
from resnet_inspect.tables.columns import show_figures
from resnet_inspect.tables.signal import signal as signal_tables

FOLDER = Path(__file__).parents[1] / "reports" / "residual"

DEPTHS = (8, 20, 32, 56, 110)
"""Of the networks that are trained; those of THROUGH are followed at initialisation."""

THROUGH = tuple(f"{kind}{depth}_cifar" for depth in (20, 56, 110) for kind in ("plain", "resnet"))
DRAWN = THROUGH[2:]
SEEDS, BATCH = 10, 32

LEARN = (
    "resnet-inspect learn plain8_cifar resnet8_cifar plain20 resnet20 plain32 resnet32 plain56 "
    "resnet56 plain110 resnet110 --threads 1 --device cpu --record learn.jsonl --resume"
)


def measure(folder: Path) -> None:
    """Make the records."""
    import shlex

    import torch

    from resnet_inspect.cli.main import run
    from resnet_inspect.pytorch.signal import measure as measured

    networks = {}
    for name in THROUGH:
        graph = ri.graph(name)
        ends = {block.output.name for block in graph.blocks}
        found = measured(graph, seeds=SEEDS, batch=BATCH, say=print)
        networks[name] = {
            layer: [[float(f"{x:.6g}") for x in spread] for spread in values]
            for layer, values in found.items()
            if layer in ends
        }
    made = {"torch": torch.__version__, "seeds": SEEDS, "batch": BATCH, "networks": networks}
    write_text(folder / "signal.json", json.dumps(made, indent=1) + "\n")
    command = LEARN.replace("learn.jsonl", shlex.quote(str(folder / "learn.jsonl")))
    if status := run(shlex.split(command)[1:]):
        raise SystemExit(status)


def files(folder: Path) -> dict[str, str]:
    """All that the report has besides its records, by file name."""
    record = json.loads((folder / "signal.json").read_text("utf-8"))
    told = {name: _with_measured(name, record["networks"][name]) for name in THROUGH}
    learnt = ri.read_bench(folder / "learn.jsonl")
    trained = runs(select(learnt.records, Epoch))
    plots = {
        "paths": ri.plot("paths", "plain56_cifar", "resnet56_cifar", "resnet110_cifar"),
        "signal": signal_plot([told[name] for name in DRAWN]),
        **{plot.file_name: plot for plot in learnt.plots()},
    }
    tables = signal_tables(list(told.values()))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"figures": show_figures, "times": lambda x: f"{x:,.0f}"}
    page = environment.get_template("residual.md.jinja").render(
        record=record,
        paths={name: paths(ri.graph(name)) for name in ("resnet56_cifar", "resnet110_cifar")},
        plain_paths=paths(ri.graph("plain56_cifar")),
        growth=growth,
        told=told,
        a_layer={name: _a_layer(each) for name, each in told.items()},
        summary=tables["summary"],
        errors=_errors(trained),
        gradients=_gradients(trained),
        recipe=trained[0][0].recipe,
        learn=wrap(LEARN, 84),
        depths=DEPTHS,
        alts={name: plot.alt for name, plot in plots.items()},
    )
    return {
        "README.md": page,
        "signal.md": tables.to_text("markdown"),
        "learn.md": learnt.view().to_text("markdown"),
        **{f"{name}.svg": plot.to_svg() for name, plot in plots.items()},
    }


def _with_measured(name: str, layers: Mapping[str, Any]) -> Signal:
    found = {
        layer: MeasuredLayer(*(Spread(*spread) for spread in values))
        for layer, values in layers.items()
    }
    return replace(signal(ri.graph(name)), measured=found)


def _a_layer(told: Signal) -> dict[str, float]:
    """By how much the gradient grows toward the input a layer with weights, and in all."""
    first, last = told.ends
    reached = depths(told.graph)
    between = reached[last] - reached[first]
    theory = (told.by_name[first].gradient or 0.0) / (told.by_name[last].gradient or 1.0)
    found = told.measured[first].gradient.mean / told.measured[last].gradient.mean
    return {
        "theory": theory ** (1 / between),
        "measured": found ** (1 / between),
        "theory_in_all": theory,
        "measured_in_all": found,
        "layers": between,
    }


def _errors(trained: Sequence[Run]) -> dict[str, tuple[float, float, float]]:
    """The train error in which each network ends: the median of its seeds, least and most."""
    ends: dict[str, list[float]] = {}
    for run in trained:
        ends.setdefault(run[-1].model, []).append(run[-1].train_error or 0.0)
    return {model: (median(found), min(found), max(found)) for model, found in ends.items()}


def _gradients(trained: Sequence[Run]) -> dict[str, float]:
    """The first block's gradient to the last one's in the first epoch, the median of all seeds."""
    ratios: dict[str, list[float]] = {}
    for run in trained:
        if run[0].gradients is not None:
            ratios.setdefault(run[0].model, []).append(run[0].gradients[0] / run[0].gradients[1])
    return {model: median(found) for model, found in ratios.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure and train first")
    parser.add_argument(
        "--into", type=Path, default=FOLDER, help="the folder (default: %(default)s)"
    )
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.into)
    for name, text in files(asked.into).items():
        write_text(asked.into / name, text)


if __name__ == "__main__":
    main()
