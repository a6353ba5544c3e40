"""Effective receptive fields in closed form against autograd, on five small networks.

    python benchmarks/effective_fields.py [--seeds 1000]

The unit is the one in the middle of each network's last map. Fails where the two maps differ by
more than 2% (L1) beyond the noise of the seeds, which is half of what two halves differ by. Also
says how long theory takes for networks of the zoo.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import resnet_inspect as ri
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.propagation.effective import difference, effective_field
from resnet_inspect.propagation.maps import each
from resnet_inspect.pytorch.effective_field import measure

SMALL: dict[str, Any] = {
    "stem": "3x3",
    "stem_width": 64,
    "widths": (64, 128),
    "blocks": (2, 1),
    "input_size": (16, 16),
}

NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {"shortcut": "none"},
    "residual, padding": {"shortcut": "A"},
    "residual, projection": {},
    "pre-activation": {"order": "pre"},
    "bottlenecks": {"block": "bottleneck", "widths": (32, 64)},
}

TIMED = ("resnet18", "resnet34", "resnet50", "resnet20_cifar", "resnet56_cifar")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000)
    seeds = parser.parse_args().seeds
    failed = []
    for name, fields in NETWORKS.items():
        graph = layer_graph(ResNetSpec(name=name, **{**SMALL, **fields}))
        theory = effective_field(graph)
        halves = [measure(graph, theory, seeds=seeds // 2, first=first) for first in (0, 1)]
        found = each(lambda a, b: (a + b) / 2, *halves)
        off, noise = difference(theory.square, found), difference(*halves) / 2
        beyond = max(0.0, off**2 - noise**2) ** 0.5
        print(f"{name:22} L1 {off:.2%}, of it noise {noise:.2%}, beyond {beyond:.2%}", flush=True)
        if beyond > 0.02:
            failed.append(name)
    for name in TIMED:
        graph = ri.graph(name)
        before = time.process_time()
        effective_field(graph)
        print(f"{name:22} {1e3 * (time.process_time() - before):.0f} ms")
    if failed:
        raise SystemExit(f"off by more than 2%: {', '.join(failed)}")


if __name__ == "__main__":
    main()
