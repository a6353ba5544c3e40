"""How long forecasts take: a process against `table`, and a thousand networks in one process.

python benchmarks/forecast.py [--runs 9] [--networks 1000]
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import subprocess
import sys
import time

from resnet_inspect.forecasting.devices import find
from resnet_inspect.forecasting.forecast import forecast
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec


def seconds_of(*arguments: str) -> float:
    """CPU seconds of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "resnet_inspect", *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--networks", type=int, default=1000)
    asked = parser.parse_args()
    tables, forecasts = zip(
        *(
            (
                seconds_of("table", "resnet50"),
                seconds_of("forecast", "resnet50", "--device", "rtx4090"),
            )
            for _ in range(asked.runs)
        ),
        strict=True,
    )
    table, forecasted = statistics.median(tables), statistics.median(forecasts)
    print(f"table {table:.3f} s   forecast {forecasted:.3f} s   ratio {forecasted / table:.2f}")
    rng, device = random.Random(0), find("rtx4090")
    specs = [
        ResNetSpec(
            block=("basic", "bottleneck")[number % 2],
            blocks=tuple(rng.randint(1, 8) for _ in range(4)),
            widths=tuple(sorted(8 * rng.randint(2, 64) for _ in range(4))),
        )
        for number in range(asked.networks)
    ]
    start = time.process_time()
    for spec in specs:
        forecast(layer_graph(spec), device, 32, "fp16")
    print(f"{asked.networks} networks {time.process_time() - start:.2f} s")


if __name__ == "__main__":
    main()
