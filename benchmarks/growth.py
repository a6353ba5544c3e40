"""How the time of each count grows with the depth of a network: 100, 1,000 and 10,000 blocks.

    python benchmarks/growth.py [--runs 5]

One stage of so many bottlenecks, for inputs of 3x64x64; medians of runs that take the sizes in
turn. Each network has another name, so that no graph is known from before. Fails where ten times
as many blocks take more than twenty times as long, past the first.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import count

import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.tables.network import SHOWN

SIZES = (100, 1_000, 10_000)
STEEPEST = 20
NUMBERS = count()


def graph(blocks: int) -> ri.LayerGraph:
    spec = ResNetSpec(
        name=f"deep{next(NUMBERS)}",
        block="bottleneck",
        blocks=(blocks,),
        widths=(16,),
        input_size=(64, 64),
    )
    return layer_graph(spec)


COUNTS: dict[str, Callable[[int], object]] = {
    "graph": graph,
    "graph and total": lambda blocks: graph_cost(graph(blocks)),
    "graph and layers": lambda blocks: graph(blocks).layers,
    "costs of all layers": lambda blocks: [ri.cost(layer) for layer in graph(blocks).layers],
    "receptive fields": lambda blocks: ri.receptive_fields(graph(blocks)),
    "memory": lambda blocks: ri.memory(graph(blocks)),
    "table, columns that are shown": lambda blocks: ri.table(graph(blocks), columns=SHOWN),
    "table, records of all columns": lambda blocks: ri.table(graph(blocks)).records(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print(f"{'ms':32}" + "".join(f"{size:>12,}" for size in SIZES))
    steep = []
    for name, work in COUNTS.items():
        seconds: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(runs):
            for size in SIZES:
                before = time.process_time()
                work(size)
                seconds[size].append(time.process_time() - before)
        middle = [1e3 * statistics.median(seconds[size]) for size in SIZES]
        print(f"{name:32}" + "".join(f"{value:12,.2f}" for value in middle))
        if middle[2] > STEEPEST * middle[1]:
            steep.append(name)
    if steep:
        raise SystemExit(f"faster than linear: {', '.join(steep)}")


if __name__ == "__main__":
    main()
