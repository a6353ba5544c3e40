"""How long a layout that was never seen takes: its graph, its costs and their total.

    python benchmarks/layouts.py [--layouts 2000] [--most 150]

Layouts are random: 4 stages of 1 to 12 blocks, widths in steps of 8 as RegNets have them. No two
are equal, but later ones share some blocks with earlier ones, so the first fifth is not measured.
A spec is made for each, and parameters, MACs and activations are read.

Beside them runs a walk like that of pycls' `complexity` (github.com/facebookresearch/pycls,
pycls/models/blocks.py), written again here after its rules: it counts the same three totals of the
same networks and gives nothing else. Each layout is measured by both in turn; figures are medians.
Fails where the two disagree, or with --most where ours takes more microseconds.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from resnet_inspect.counting.costs import spec_cost
from resnet_inspect.networks.spec import ResNetSpec

Complexity = dict[str, int]


def conv(cx: Complexity, w_in: int, w_out: int, k: int, stride: int = 1) -> Complexity:
    h, w = (cx["h"] - 1) // stride + 1, (cx["w"] - 1) // stride + 1
    return {
        "h": h,
        "w": w,
        "macs": cx["macs"] + k * k * w_in * w_out * h * w,
        "params": cx["params"] + k * k * w_in * w_out,
        "acts": cx["acts"] + w_out * h * w,
    }


def norm(cx: Complexity, w_in: int) -> Complexity:
    return {**cx, "params": cx["params"] + 2 * w_in}


def pool(cx: Complexity, w_in: int, stride: int) -> Complexity:
    h, w = (cx["h"] - 1) // stride + 1, (cx["w"] - 1) // stride + 1
    return {**cx, "h": h, "w": w, "acts": cx["acts"] + w_in * h * w}


def block(cx: Complexity, w_in: int, width: int, stride: int, bottleneck: bool) -> Complexity:
    w_out = 4 * width if bottleneck else width
    start = cx
    if w_in != w_out or stride != 1:
        cx = norm(conv(cx, w_in, w_out, 1, stride), w_out)
        cx |= {"h": start["h"], "w": start["w"]}
    if bottleneck:
        cx = norm(conv(cx, w_in, width, 1), width)
        cx = norm(conv(cx, width, width, 3, stride), width)
        return norm(conv(cx, width, w_out, 1), w_out)
    cx = norm(conv(cx, w_in, width, 3, stride), width)
    return norm(conv(cx, width, width, 3), width)


def complexity(block_kind: str, blocks: tuple[int, ...], widths: tuple[int, ...]) -> Complexity:
    """Parameters, MACs and activations (of convolutions, pools and the classifier)."""
    bottleneck = block_kind == "bottleneck"
    cx = {"h": 224, "w": 224, "macs": 0, "params": 0, "acts": 0}
    cx, w_in = pool(norm(conv(cx, 3, 64, 7, 2), 64), 64, 2), 64
    for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
        for index in range(count):
            cx = block(cx, w_in, width, 2 if stage and not index else 1, bottleneck)
            w_in = 4 * width if bottleneck else width
    cx["macs"] += w_in * 1000
    cx["params"] += w_in * 1000 + 1000
    cx["acts"] += 1000
    return cx


def counted(layout: dict[str, Any]) -> tuple[int, int, int]:
    """Parameters, MACs and activations (of all layers) of a layout."""
    cost = spec_cost(ResNetSpec(**layout))
    return cost.params, cost.macs, cost.written


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    before = time.process_time()
    value = call()
    return time.process_time() - before, value


def layouts(kind: str, count: int, rng: random.Random) -> list[dict[str, Any]]:
    unique: dict[tuple[tuple[int, ...], tuple[int, ...]], None] = {}
    while len(unique) < count:
        widths = tuple(sorted(8 * rng.randint(2, 64) for _ in range(4)))
        unique[tuple(rng.randint(1, 12) for _ in range(4)), widths] = None
    return [{"block": kind, "blocks": blocks, "widths": widths} for blocks, widths in unique]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layouts", type=int, default=2000)
    parser.add_argument("--most", type=float, help="microseconds that a layout may take")
    asked = parser.parse_args()
    rng = random.Random(0)
    slow = []
    for kind in ("basic", "bottleneck"):
        pairs = []
        for layout in layouts(kind, asked.layouts, rng):
            arguments = (kind, layout["blocks"], layout["widths"])
            ours, (params, macs, _) = timed(lambda: counted(layout))  # noqa: B023
            walk, cx = timed(lambda: complexity(*arguments))  # noqa: B023
            if (params, macs) != (cx["params"], cx["macs"]):
                raise SystemExit(f"{arguments}: {params}, {macs}, and the walk has {cx}")
            pairs.append((1e6 * ours, 1e6 * walk))
        ours, walk = map(statistics.median, zip(*pairs[len(pairs) // 5 :], strict=True))
        print(
            f"{kind:10}  graph, costs and total {ours:5.0f} us   totals as pycls {walk:5.0f} us   "
            f"ours / it = {ours / walk:.2f}"
        )
        if asked.most and ours > asked.most:
            slow.append(f"{kind}: {ours:.0f} us, allowed are {asked.most:.0f}")
    if slow:
        raise SystemExit("; ".join(slow))


if __name__ == "__main__":
    main()
