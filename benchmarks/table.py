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
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

# What `table` takes of rich and click: rich.console brings segments, styles and text.
BARE = "import click, rich.console"
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


def in_process(runs: int) -> tuple[float, float]:
    """Seconds for graph + costs + receptive fields of ResNet-152, and for torchinfo.summary."""
    import torchinfo

    import resnet_inspect as ri

    model = ri.build("resnet152")
    graph = ri.graph("resnet152")

    def ours() -> None:
        made = ri.graph("resnet152")
        ri.receptive_fields(made)
        for layer in made.layers:
            ri.cost(layer)

    def theirs() -> None:
        torchinfo.summary(model, input_size=(1, *graph.input_shape), verbose=0)

    ours(), theirs()
    pairs = []
    for _ in range(runs):
        ours()  # each is timed warm: a forward pass of ResNet-152 empties the caches
        pairs.append((timed(ours), timed(theirs)))
    return tuple(statistics.median(column) for column in zip(*pairs, strict=True))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    compile_package()
    codes = {"bare imports": BARE, "table": TABLE, "torchinfo, our model": OURS}
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
    ours, theirs = in_process(runs)
    print(f"in process, ResNet-152: ours {ours * 1e3:.2f} ms, torchinfo.summary "
          f"{theirs * 1e3:.0f} ms, torchinfo / ours = {theirs / ours:.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
