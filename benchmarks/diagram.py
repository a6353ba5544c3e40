"""How long drawing takes, as ratios on this machine, in one run.

    python benchmarks/diagram.py [--runs 7]

What is compared runs in turn, so that whatever else the machine does touches all of it alike;
figures are medians. DOT of every layer of ResNet-152 is set against torchview's draw_graph (if
torchview, torch and torchvision are installed), each in processes of its own after a run that is
not counted; and the whole process that draws the collapsed ResNet-152 as SVG against one that
only imports click and rich. Fails where the first is less than ten times as fast, or the second
takes four times as long.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

FASTER, LONGER = 10, 4
ROUNDS = 3

OURS = """
from resnet_inspect.networks import zoo
from resnet_inspect.pictures.diagrams.diagram import diagram
from resnet_inspect.networks.resnet import layer_graph

def draw():
    return diagram(layer_graph(zoo.spec("resnet152")), level="layer", expand=True).dot

assert draw().count("tooltip") > 515
"""

TORCHVIEW = """
import torch
from torchview import draw_graph

for name in ("nms", "qnms"):  # a torchvision for another torch imports once these have names
    torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
import torchvision

model = torchvision.models.resnet152()

def draw():
    made = draw_graph(model, input_size=(1, 3, 224, 224), device="meta", depth=10)
    return made.visual_graph.source

draw()
"""

CLOCK = """
import statistics, sys, time
times = []
for _ in range(int(sys.argv[1])):
    before = time.perf_counter()
    draw()
    times.append(time.perf_counter() - before)
print(1000 * statistics.median(times))
"""

BARE = "import click, rich.console"
DRAW = """
import sys
from resnet_inspect.cli.main import run
assert run(["diagram", "resnet152", "-o", sys.argv[1]]) == 0
"""


def inside(code: str, runs: int) -> Callable[[], float]:
    """Milliseconds that `draw` of some code takes, once it runs."""

    def measured() -> float:
        command = [sys.executable, "-c", code + CLOCK, str(runs)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return measured


def whole(code: str, target: Path) -> Callable[[], float]:
    """Milliseconds that a process takes from start to end."""

    def measured() -> float:
        before = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, str(target)], check=True)
        return 1000 * (time.perf_counter() - before)

    return measured


def in_turn(works: dict[str, Callable[[], float]], rounds: int) -> list[float]:
    """The median of each over some rounds, printed."""
    found = [[work() for work in works.values()] for _ in range(rounds)]
    medians = [statistics.median(times) for times in zip(*found, strict=True)]
    for name, taken in zip(works, medians, strict=True):
        print(f"{name:44}{taken:8.0f} ms")
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    failed = []
    works = {"all layers of ResNet-152 as DOT": inside(OURS, given.runs)}
    if all(map(find_spec, ("torch", "torchvision", "torchview"))):
        works["torchview.draw_graph"] = inside(TORCHVIEW, given.runs)
        ours, theirs = in_turn(works, ROUNDS)
        print(f"{'':44}{theirs / ours:8.1f} times as fast (at least {FASTER})")
        failed += [f"less than {FASTER} times as fast"] if theirs / ours < FASTER else []
    else:
        in_turn(works, ROUNDS)
        print("torchview, torch or torchvision is not installed: nothing to compare with")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "net.svg"
        processes = {
            "a process that imports click and rich": whole(BARE, target),
            "resnet-inspect diagram resnet152 -o net.svg": whole(DRAW, target),
        }
        bare, drawing = in_turn(processes, given.runs)
    print(f"{'':44}{drawing / bare:8.2f} times as long (under {LONGER})")
    failed += [f"{LONGER} times as long or more"] if drawing / bare >= LONGER else []
    if failed:
        raise SystemExit("; ".join(failed))


if __name__ == "__main__":
    main()
