"""The peak of a training step against torch's MemTracker: network x optimizer x dtype x checkpoint.

    python benchmarks/training_memory.py [--batch 32] [NAME..]

MemTracker runs each step on fake tensors of the CPU, where batch norm keeps its statistics under
autocast in half precision; GPUs keep them in fp32, as is counted here. Fails where a peak is more
than 0.5% off, or where counting takes more than 20 ms.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import resnet_inspect as ri
from resnet_inspect.counting.training_memory import training_memory
from resnet_inspect.counting.training_step import CHECKPOINTS, OPTIMIZERS, Settings
from resnet_inspect.networks.resnet import layer_graph

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from tracked import tracked_peak

NETWORKS = ("resnet18", "resnet50", "resnet50d", "seresnet50", "resnetv2_50", "resnet56_cifar")
FURTHEST, SLOWEST = 0.005, 0.020


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NETWORKS, metavar="NAME")
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    print(f"{'network':16}{'step':32}{'counted':>16}{'tracked':>16}{'off':>10}{'ms':>8}")
    off, slow, cases = [], [], product(args.names, OPTIMIZERS, ("fp32", "amp-bf16"), CHECKPOINTS)
    for name, optimizer, dtype, checkpoint in cases:
        settings = Settings(optimizer, dtype, checkpoint)
        seconds = []
        for _ in range(3):  # of a new graph each, of which nothing is known from before
            graph = replace(layer_graph(ri.spec(name)))
            before = time.process_time()
            counted = training_memory(graph, settings).peak(args.batch)
            seconds.append(time.process_time() - before)
        tracked = tracked_peak(graph, settings, args.batch)
        off.append(abs(counted / tracked - 1))
        slow.append(min(seconds))
        step = f"{optimizer} {dtype} {checkpoint}"
        line = f"{name:16}{step:32}{counted:>16,}{tracked:>16,}{counted / tracked - 1:>10.4%}"
        print(f"{line}{1e3 * slow[-1]:>8.1f}", flush=True)
    print(
        f"{len(off)} cases, the worst off by {max(off):.4%}; the slowest {1e3 * max(slow):.1f} ms"
    )
    if max(off) > FURTHEST or max(slow) > SLOWEST:
        raise SystemExit("off by more than 0.5%, or slower than 20 ms")


if __name__ == "__main__":
    main()
