"""How long tracing ResNet-152 takes, against torchinfo.summary of the same model, in one run.

    python benchmarks/trace.py [--runs 7]

torchvision's ResNet-152 where torchvision can be imported, ours otherwise. Each run measures both,
so that what else the machine does touches both alike; figures are medians. Fails where tracing
takes more than half of torchinfo's time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torchinfo

import resnet_inspect as ri
from resnet_inspect.pytorch.trace.trace import trace

LIMIT = 0.75
SHAPE = (3, 224, 224)


def network() -> tuple[str, torch.nn.Module]:
    try:
        from torchvision.models import resnet152
    except (ImportError, RuntimeError):  # absent, or built for another torch
        return "ours", ri.build("resnet152").eval()
    return "torchvision's", resnet152().eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    whose, model = network()
    on_meta = ri.build("resnet152", device="meta").eval()
    cases: dict[str, Callable[[], object]] = {
        "trace": lambda: trace(model, SHAPE),
        "torchinfo.summary": lambda: torchinfo.summary(model, (1, *SHAPE), verbose=0),
        "torchinfo.summary on meta": lambda: torchinfo.summary(
            on_meta, (1, *SHAPE), verbose=0, device="meta"
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(runs + 1):
        for name, case in cases.items():
            before = time.perf_counter()
            case()
            seconds[name].append(time.perf_counter() - before)
    middle = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    print(f"ResNet-152, {whose}, input 3x224x224, {torch.get_num_threads()} threads, medians")
    for name, value in middle.items():
        print(f"{name:26} {1e3 * value:7.1f} ms  {value / middle['torchinfo.summary']:5.2f}")
    least = min(middle["torchinfo.summary"], middle["torchinfo.summary on meta"])
    if middle["trace"] > LIMIT * least:
        raise SystemExit(f"tracing took more than {LIMIT} of torchinfo's time")


if __name__ == "__main__":
    main()
