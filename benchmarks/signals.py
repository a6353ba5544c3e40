"""Signal and gradient in closed form against torch, over random networks.

    python benchmarks/signals.py [--networks 30] [--seeds 24] [--first 0] [--gates | --others]

A third of the networks are post-activation with batch norm, a third without norm, a third pre-
activation; with --gates those with batch norm have squeeze-and-excitation, GELU or both, with
--others channel attention, norms over groups or both. Growth a layer is that of the gradient
between the outputs of the first and the last block, and of the mean square of the signal, each to
the power of one by the layers with weights between them. Fails where theory is further off than 1%
a layer or 5% in all, and two standard errors of what was measured; twice that with GELU.
"""

from __future__ import annotations

import argparse
import random
from math import log
from typing import Any

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.parts import depths
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.propagation.signal import signal, without_norm
from resnet_inspect.pytorch.signal import measure

KINDS = ("batch norm", "no norm", "pre-activation")


GATES: list[dict[str, Any]] = [
    {"se_reduction": 4},
    {"activation": "gelu"},
    {"se_reduction": 4, "activation": "gelu"},
]

OTHERS: list[dict[str, Any]] = [
    {"attention": "eca"},
    {"norm": "group", "norm_size": 8},
    {"norm": "group", "norm_size": 16, "attention": "eca"},
]


def drawn(number: int, more: list[dict[str, Any]]) -> tuple[str, LayerGraph]:
    """The network of this number, the same each time; more: changes of which one is made."""
    some = random.Random(number)
    kind = KINDS[number % 3]
    width, size = some.choice([48, 64, 96]), some.choice([8, 16, 24])
    spec = ResNetSpec(
        name=f"random{number}",
        stem="3x3",
        block=some.choice(["basic", "basic", "bottleneck"]),
        stem_width=width,
        widths=(width, 2 * width),
        blocks=(some.randint(1, 3), some.randint(1, 2)),
        shortcut=some.choice(["A", "B", "D", "none"]),
        order="pre" if kind == "pre-activation" else "post",
        classes=64,
        input_size=(size, size),
    )
    if more and kind != "no norm":
        spec = spec.with_changes(some.choice(more))
    graph = layer_graph(spec)
    return kind, without_norm(graph) if kind == "no norm" else graph


def compared(graph: LayerGraph, seeds: int) -> dict[str, tuple[float, float, float]]:
    """By quantity: how far off theory is in all and a layer, and the error measured; in logs."""
    theory, found = signal(graph), measure(graph, seeds=seeds, batch=32)
    first, last = theory.ends
    reached = depths(graph)
    between = max(1, reached[last] - reached[first])
    told = {}
    for key in ("mean_square", "gradient"):
        exact = log(getattr(theory.by_name[first], key) / getattr(theory.by_name[last], key))
        a, b = (getattr(found[name], key) for name in (first, last))
        error = ((a.error / a.mean) ** 2 + (b.error / b.mean) ** 2) ** 0.5
        off = exact - log(a.mean / b.mean)
        told[key] = off, off / between, error
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--gates", dest="more", action="store_const", const=GATES, default=[])
    parser.add_argument("--others", dest="more", action="store_const", const=OTHERS)
    given = parser.parse_args()
    failed = []
    for number in range(given.first, given.first + given.networks):
        kind, graph = drawn(number, given.more)
        if given.more and kind == "no norm":
            continue
        bar = 2 if any(isinstance(layer.op, ops.GELU) for layer in graph.layers) else 1
        for key, (off, each, error) in compared(graph, given.seeds).items():
            ok = abs(off) <= 0.05 * bar + 2 * error and abs(each) <= 0.01 * bar + 2 * error
            print(
                f"{graph.name:24} {kind:15} {key:12} in all {off:+.3f}, a layer {each:+.4f}, "
                f"standard error {error:.3f}{'' if ok else '  FAILED'}",
                flush=True,
            )
            if not ok:
                failed.append(f"{graph.name} {key}")
    if failed:
        raise SystemExit(f"theory is off: {', '.join(failed)}")


if __name__ == "__main__":
    main()
