"""How long the main job takes, as ratios on this machine, in one run.

    python benchmarks/table.py [--runs 7]

Processes are run in turn, so that what else the machine does touches all of them alike; figures
are medians. The package runs from bytecode, as pip leaves every package that it installs; under
PYTHONDONTWRITEBYTECODE a checkout would be compiled anew in each process. Needs the torch extra;
the torchvision row needs torchvision.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

# What a command line takes that has options from click and text with styles from rich; `table`
# styles its text by click, and loads rich for its help only.
BARE = "import click, rich.console"
CLICK = "import click"
TABLE = "from resnet_inspect.cli.main import main; main(['table', '--depth', '34'])"
TORCHINFO = """
import torch, torchinfo
from torch import nn
{model}
print(torchinfo.summary(model, input_size=(1, 3, 224, 224), depth=3))
"""
OURS = TORCHINFO.format(model="import resnet_inspect\nmodel = resnet_inspect.build('resnet34')")
SHIM = """
for name in ("nms", "qnms"):
    try:
        torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
    except RuntimeError:
        pass
import torchvision
model = torchvision.models.resnet34()
"""
THEIRS = TORCHINFO.format(model=SHIM)


SUMMARY = "torchinfo.summary"


def process(code: str) -> tuple[float, int]:
    """Seconds, and peak memory in KiB, of a Python process that runs `code`."""
    before = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"failed: {code}")
    return time.perf_counter() - before, usage.ru_maxrss


def compile_package() -> None:
    """Write the bytecode of resnet_inspect, without importing it."""
    spec = importlib.util.find_spec("resnet_inspect")
    assert spec is not None
    for folder in spec.submodule_search_locations or ():
        compileall.compile_dir(folder, quiet=1)


def timed(call: Callable[[], object]) -> float:
    before = time.perf_counter()
    call()
    return time.perf_counter() - before


def in_process(runs: int) -> dict[str, float]:
    """Median seconds of each of these for ResNet-152, timed in turn in one process.

    ResNet-152 is then known: its graph, and what blocks, fields and memory are, is remembered.
    Nothing is of the networks of its depth whose widths are others each time.
    """
    import torchinfo

    import resnet_inspect as ri
    from resnet_inspect.counting.costs import graph_cost
    from resnet_inspect.tables.network import SHOWN

    model = ri.build("resnet152")
    widths = ([8 * n, 16 * n, 32 * n, 64 * n] for n in itertools.count(9))

    def unseen(**settings: Any) -> ri.Table:
        return ri.table("resnet152", widths=next(widths), **settings)

    works: dict[str, Callable[[], object]] = {
        SUMMARY: lambda: torchinfo.summary(model, input_size=(1, 3, 224, 224), verbose=0),
        "ri.table, the columns that are shown": lambda: ri.table("resnet152", columns=SHOWN),
        "ri.table(..).records(), all columns": lambda: ri.table("resnet152").records(),
        "ri.table, all rows and all columns": lambda: ri.table("resnet152", all_ops=True),
        "the columns that are shown, never seen": lambda: unseen(columns=SHOWN),
        "records() of all columns, never seen": lambda: unseen().records(),
        "graph and total": lambda: graph_cost(ri.graph("resnet152")),
    }
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(runs + 1):
        for name, work in works.items():
            work()  # timed warm: a forward pass of ResNet-152 empties the processor's caches
            seconds[name].append(timed(work))
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    compile_package()
    codes = {"click": CLICK, "click and rich": BARE, "table": TABLE, "torchinfo, our model": OURS}
    try:
        process(THEIRS)
        codes["torchinfo, torchvision's model"] = THEIRS
    except SystemExit:
        print("torchvision cannot be imported here; its row is left out")
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    peak: dict[str, int] = {}
    for _ in range(runs):
        for name, code in codes.items():
            spent, memory = process(code)
            seconds[name].append(spent)
            peak[name] = max(peak.get(name, 0), memory)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in middle.items():
        ratio = middle["table"] / value
        print(f"{name:32} {value:7.3f} s  {peak[name] / 1024:6.1f} MiB  table / it = {ratio:.3f}")
    middle = in_process(runs)
    print("in one process, ResNet-152:")
    for name, value in middle.items():
        print(f"{name:38} {1e3 * value:9.2f} ms  torchinfo / it = {middle[SUMMARY] / value:.0f}")


if __name__ == "__main__":
    main()
